//! `reinforce(task, reward)`: the policy gradient of a task's draws.

use rustc_hash::FxHashSet;

use super::signature::*;
use super::tasks::generate::handed;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Attrs;
use crate::sema::call::{Call, Checked, Reported, TaskId, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{Graph, NodeId};
use crate::sema::model::Built;
use crate::sema::types::{On, Ty};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// `reinforce(task, reward, baseline)`.
pub struct Reinforce;

static REINFORCE: Signature = Signature {
    name: "reinforce",
    group: Group::Loss,
    doc: "-(r - b) log p(y) for each example, where y is the task's `.sample`, p what its head gives, r the reward and b the baseline; no gradient passes through r - b (Williams 1992).",
    inputs: &[],
    args: &[
        required(
            "task",
            Kind::Any,
            "A task whose `.sample` earns the reward: `classify`, `multilabel`, `generate`, or `tag` with a softmax.",
        ),
        required(
            "reward",
            Kind::Any,
            "A number for each example: a figure of a task that reads the sample, or of the task itself, which is then that of the sample.",
        ),
        arg(
            "baseline",
            Kind::Any,
            Default::Word("mean"),
            "`mean`: the mean reward of the batch's other examples (Kool et al. 2019), 0 where there is no other; `none`; or a number for each example, such as the reward of what is predicted (self-critical, Rennie et al. 2017).",
        ),
    ],
};

impl Operation for Reinforce {
    fn signature(&self) -> &'static Signature {
        &REINFORCE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (Some(task), Some(reward)) = (call.args.any("task"), call.args.any("reward")) else { return Err(Reported) };
        let (id, built) = drawing(c, call, task)?;
        let on = built.on.examples();
        let drawn = c.draw_of(id, &built, task.span);
        let surprise = match c.writes(id) {
            true => {
                handed::surprise(c, &built, drawn, task.span).ok_or(()).map_err(|()| no_gold(c, call, id, task.span))?
            }
            false => surprise(c, built.logits, drawn, &on, task.span),
        };
        let mut inputs = vec![surprise, earned(c, call, (id, drawn), reward, &on)?];
        let form = match call.args.any("baseline") {
            Some(e) => match word(e) {
                Some(word) => word,
                None => {
                    inputs.push(of_examples(c, call, e, "the baseline", &on)?);
                    "given"
                }
            },
            None => "mean",
        };
        let attributes = attrs([("baseline", form.into())]);
        Ok(Val::Node(c.emit(call, inputs, attributes, vec![], Ty::Vector(on, 1.into()))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((surprise, rows), reward) = (inputs[0].as_float()?, inputs[1].tensor()?.detach());
        let advantage = match run.str("baseline") {
            "mean" => above_others(&reward)?,
            "given" => (reward - inputs[2].tensor()?.detach())?,
            _ => reward,
        };
        Ok(Value::float((surprise * advantage)?, rows))
    }
}

/// The words that a baseline may be.
fn word(e: &Expr) -> Option<&'static str> {
    match &e.kind {
        ExprKind::Name(name) => ["mean", "none"].into_iter().find(|word| *word == name.text),
        _ => None,
    }
}

/// The task that draws, with its head applied.
fn drawing<'a>(c: &mut Checker<'a>, call: &Call<'a>, e: &'a Expr) -> Checked<(TaskId, Built)> {
    let id = match c.eval(e, &call.scope) {
        Val::Task(id) => id,
        Val::Error => return Err(Reported),
        _ => {
            let d = Diagnostic::new(codes::WRONG_KIND, e.span, "'reinforce' rewards what a task draws");
            return Err(c.error_in(&call.scope, d.help("name the task: `reinforce(relation, entities.span_f1)`")));
        }
    };
    let built = c.built(id, e.span)?;
    let task = c.task(id);
    let kind = task.kind.signature().name;
    let one_by_one =
        matches!(kind, "classify" | "multilabel" | "tag") && task.head.form != "crf" && built.probs.is_some();
    if one_by_one || handed::writes(&task.head) {
        return Ok((id, built));
    }
    let message = format!("the `.sample` of '{}' is not drawn from probabilities of its labels one by one", task.name);
    let d = Diagnostic::new(codes::TASK_HEAD, e.span, message).also(task.span, "declared here");
    Err(c.error_in(
        &call.scope,
        d.help("reward a `classify`, `multilabel` or `generate` task, or a `tag` task with `head: softmax`"),
    ))
}

fn no_gold<'a>(c: &mut Checker<'a>, call: &Call<'a>, id: TaskId, at: Span) -> Reported {
    let name = c.task(id).name.clone();
    let d = Diagnostic::new(codes::TASK_GOLD, at, format!("'{name}' has no gold on these examples"));
    c.error_in(&call.scope, d.help("reward a text that the task also learns to write"))
}

/// -log p of what the task draws, summed over the places of each example.
fn surprise(c: &mut Checker<'_>, logits: NodeId, drawn: NodeId, on: &On, at: Span) -> NodeId {
    let op = match c.graph.ty(drawn) {
        Ty::Label(..) => "softmax_loss",
        _ => "sigmoid_loss",
    };
    c.plain(op, vec![logits, drawn], Attrs::new(), Ty::Vector(on.clone(), 1.into()), at)
}

/// The reward, which must depend on what is drawn: else nothing is learned from it on average.
fn earned<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    (id, drawn): (TaskId, NodeId),
    reward: &'a Expr,
    on: &On,
) -> Checked<NodeId> {
    let before = c.rewarded.replace(id);
    let node = of_examples(c, call, reward, "the reward", on);
    c.rewarded = before;
    let node = node?;
    if follows(&c.graph, node, drawn) {
        return Ok(node);
    }
    let name = c.task(id).name.clone();
    let message = format!("this reward is the same whatever '{name}' draws, so nothing can be learned from it");
    let d = Diagnostic::new(codes::WRONG_INPUT, reward.span, message);
    let help = format!("let what is rewarded read `{name}.sample`, or use a figure of '{name}' itself");
    Err(c.error_in(&call.scope, d.help(help)))
}

/// Whether a value is computed from another.
fn follows(graph: &Graph, value: NodeId, from: NodeId) -> bool {
    let (mut open, mut seen) = (vec![value], FxHashSet::default());
    while let Some(id) = open.pop() {
        if id == from {
            return true;
        }
        if seen.insert(id) {
            open.extend(&graph.node(id).inputs);
        }
    }
    false
}

/// A number for each example of the task.
fn of_examples<'a>(c: &mut Checker<'a>, call: &Call<'a>, e: &'a Expr, what: &str, on: &On) -> Checked<NodeId> {
    let value = c.eval(e, &call.scope);
    let node = c.value_node(&value, e.span, &call.scope)?;
    let ty = c.graph.ty(node).clone();
    if matches!(&ty, Ty::Vector(of, width) if of == on && width.known() == Some(1)) {
        return Ok(node);
    }
    let (shown, wanted) = (c.show(&ty), c.show(&Ty::Vector(on.clone(), 1.into())));
    let d = Diagnostic::new(
        codes::WRONG_INPUT,
        e.span,
        format!("{what} is one number for each example, and this is {shown}"),
    );
    Err(c.error_in(
        &call.scope,
        d.help(format!("give it {wanted}: a figure such as `t.accuracy`, or values pooled and joined into one number")),
    ))
}

/// The reward of each example less the mean of the others'.
#[cfg(feature = "train")]
fn above_others(reward: &Tensor) -> candle_core::Result<Tensor> {
    let n = reward.dim(0)?;
    if n < 2 {
        return Ok(reward.clone());
    }
    // r - (S - r) / (n - 1) = (n r - S) / (n - 1)
    let n = n as f64;
    (reward * n)?.broadcast_sub(&reward.sum_keepdim(0)?)? / (n - 1.0)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_baseline_is_the_mean_of_the_others() {
        let rewards = [1.0f32, 0.0, 0.5, 0.25];
        let reward = Tensor::from_slice(&rewards, (4, 1), &Device::Cpu).expect("rewards");
        let above = above_others(&reward).and_then(|x| x.flatten_all()?.to_vec1::<f32>()).expect("numbers");
        for (i, above) in above.iter().enumerate() {
            let others: f32 = rewards.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, r)| r).sum();
            assert!((above - (rewards[i] - others / 3.0)).abs() < 1e-6);
        }
        let alone = reward.narrow(0, 0, 1).and_then(|x| above_others(&x)?.to_vec2::<f32>()).expect("numbers");
        assert_eq!(alone, [[1.0]]);
    }
}
