//! `label_attention(x, task)`: the labels of a task, as its head knows them, looked at by an
//! earlier layer.

use super::signature::*;
use super::tasks::heads;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Reported, TaskId, Val};
use crate::sema::checker::Checker;
use crate::sema::model::Head;
use crate::sema::types::{Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{Param, Value, exec::Run, kernels};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// `label_attention(x, task)`.
pub struct LabelAttention;

static LABEL_ATTENTION: Signature = Signature {
    name: "label_attention",
    group: Group::Attention,
    doc: "x + softmax(x Wᵀ) W with W `[labels, d]` the weights of a task's head, which reads values as wide as x (Qin et al. 2021, eq. 2–3). It reads the head's parameters and makes no edge to what the task reads.",
    inputs: &[input("x")],
    args: &[required("task", Kind::Any, "The task whose labels are looked at.")],
};

impl Operation for LabelAttention {
    fn signature(&self) -> &'static Signature {
        &LABEL_ATTENTION
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let head = head_of(c, call)?;
        let Some(space) = head.space else { return Err(Reported) };
        let [weight, _] = heads::projection(c, &head, Width::from(space), &width, call.span)?;
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![weight], Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        Ok(Value::float(look(x, run.param(0))?, rows))
    }
}

/// The head that the argument names: one with a row of weights for each label.
fn head_of<'a>(c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Head<'a>> {
    let Some(e) = call.args.any("task") else { return Err(Reported) };
    let id = match c.eval(e, &call.scope) {
        Val::Task(id) => id,
        Val::Error => return Err(Reported),
        _ => {
            let d = Diagnostic::new(codes::WRONG_KIND, e.span, "'label_attention' looks at the labels of a task");
            return Err(c.error_in(&call.scope, d.help("name the task: `label_attention(h, slots)`")));
        }
    };
    let task = c.task(id);
    if task.head.space.is_some() && task.head.settings.span("feedback").is_none() && task.kind.runs() {
        return Ok(task.head.clone());
    }
    Err(no_labels(c, call, id, e.span))
}

fn no_labels<'a>(c: &mut Checker<'a>, call: &Call<'a>, id: TaskId, at: crate::source::Span) -> Reported {
    let task = c.task(id);
    let message = format!("the head of '{}' has no weights for each label that x could be compared with", task.name);
    let d = Diagnostic::new(codes::TASK_HEAD, at, message).also(task.span, "declared here");
    c.error_in(&call.scope, d.help("it looks at a `classify`, `multilabel` or `tag` task without `feedback`"))
}

#[cfg(feature = "train")]
fn look(x: &Tensor, labels: &Param) -> candle_core::Result<Tensor> {
    let p = kernels::softmax::softmax(&kernels::linear::tied(x, labels)?)?;
    x + p.matmul(&labels.tensor())?
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::backend::param::flat_params;
    use candle_core::Device;

    #[test]
    fn is_the_formula_of_the_paper() {
        let (w, x) = ([[1f32, -0.5], [0.25, 2.0], [-1.0, 0.5]], [0.4f32, 0.9]);
        let table = Tensor::new(&w, &Device::Cpu).expect("a table");
        let (params, _) = flat_params(vec![("w".into(), table)]).expect("parameters");
        let y = look(&Tensor::new(&[x], &Device::Cpu).expect("a row"), &params[0]).expect("a value");
        let scores = w.map(|row| (row[0] * x[0] + row[1] * x[1]).exp());
        let total: f32 = scores.iter().sum();
        let y = y.to_vec2::<f32>().expect("numbers");
        for i in 0..2 {
            let expected = x[i] + (0..3).map(|l| scores[l] / total * w[l][i]).sum::<f32>();
            assert!((y[0][i] - expected).abs() < 1e-6, "{} for {expected}", y[0][i]);
        }
    }
}
