//! `distill`: what a teacher gives, learned by another model.

use super::heads::{self, Input};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, Operation, TaskKind, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::{SpaceId, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{Rows, Value, exec::Run, exec::numbers, kernels};
#[cfg(feature = "train")]
use candle_core::{D, Tensor};
#[cfg(feature = "train")]
use std::sync::Arc;

/// The kind `distill`.
pub struct Distill;

static DISTILL: Signature = Signature {
    name: "distill",
    group: Group::Internal,
    doc: "What a teacher gives, a task or a value, to which no gradient passes. `kl`: t² KL(p ‖ q) of its probabilities and the student's, both at temperature t (Hinton et al. 2015); `mse` and `cosine`: of logits or vectors (Ba & Caruana 2014). A task's `.logits` are compared as they are; other values get a head to the teacher's width. Agreement is the share of places where both give the same label, and of values without labels their mean cosine.",
    inputs: &[input("gold")],
    args: &[
        arg(
            "loss",
            Kind::Word(&["kl", "mse", "cosine"]),
            Default::Unset,
            "What is minimised: `kl` where the teacher has labels, else `mse`.",
        ),
        arg(
            "temperature",
            Kind::Float(1e-3, f64::INFINITY),
            Default::Float(1.0),
            "Softens both distributions, with `kl`.",
        ),
    ],
};

impl TaskKind for Distill {
    fn signature(&self) -> &'static Signature {
        &DISTILL
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["agreement"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        let Some((gold, span)) = task.head.gold else {
            let d = Diagnostic::new(codes::TASK_GOLD, task.span, "`distill` needs its teacher");
            return Err(c.error(d.help("name a task or a value: `distill(teacher)`, `distill(teacher.hidden)`")));
        };
        let Ty::Vector(..) = c.graph.ty(gold).clone() else {
            let ty = c.graph.ty(gold).clone();
            return Err(heads::wrong_gold(c, "distill", &ty, span, "a task or vectors"));
        };
        task.head.space = taught(c, gold);
        let word = task.head.settings.word("loss");
        if let (Some("kl"), None) = (word, task.head.space) {
            let at = task.head.settings.span("loss").unwrap_or(span);
            let d = Diagnostic::new(
                codes::TASK_HEAD,
                at,
                "`kl` compares probabilities of labels, and this teacher gives none",
            );
            return Err(
                c.error(d.also(span, "this teacher").help("use `mse` or `cosine`, or name a task that has labels"))
            );
        }
        task.head.form = word.unwrap_or(if task.head.space.is_some() { "kl" } else { "mse" });
        Ok(())
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, "distill", x, at)?;
        let width = match head.gold.map(|(g, _)| c.graph.ty(g).clone()) {
            Some(Ty::Vector(_, width)) => width,
            _ => input.width.clone(),
        };
        let gold = heads::same_places(c, gold, &input, at)?;
        let logits = student(c, head, &input, width.clone(), at)?;
        let ty = Ty::Vector(input.on.clone(), width);
        let each = Ty::Vector(input.on.examples(), 1.into());
        let temperature = head.settings.float("temperature").unwrap_or(1.0);
        let attributes = attrs([("loss", head.form.into()), ("temperature", temperature.into())]);
        let loss = gold.map(|g| c.plain("distill_loss", vec![logits, g], attributes, each.clone(), at));
        let probs = head.space.map(|_| c.plain("softmax", vec![logits], attrs([]), ty, at));
        let labelled = |c: &mut Checker<'a>, values: NodeId, space: SpaceId| {
            heads::label_node(c, "argmax", vec![values], &input.on, space, at)
        };
        let (label, gold) = match (head.space, gold) {
            (Some(space), gold) => (labelled(c, logits, space), gold.map(|g| labelled(c, g, space))),
            (None, Some(gold)) => {
                let alike = c.plain("likeness", vec![logits, gold], attrs([]), each, at);
                (alike, Some(alike))
            }
            (None, None) => (logits, None),
        };
        let (hidden, width, on) = (input.node, input.width.clone(), input.on.clone());
        Ok(Built { on, hidden, width, logits, probs, label, gold, loss })
    }
}

/// The label space of what a teacher gives: that of the head that made it.
fn taught(c: &Checker<'_>, gold: NodeId) -> Option<SpaceId> {
    let mut node = c.graph.node(gold);
    while let ("detach" | "softmax", Some(inner)) = (node.op, node.inputs.first()) {
        node = c.graph.node(*inner);
    }
    let heads = c.tasks.iter().chain(&c.taught).filter(|_| matches!(node.op, "project" | "crf_probs"));
    heads.map(|t| &t.head).find(|head| head.path == *node.path).and_then(|head| head.space)
}

/// What is compared with the teacher: a task's logits as they are, else a projection.
fn student<'a>(c: &mut Checker<'a>, head: &Head<'a>, input: &Input, width: Width, at: Span) -> Checked<NodeId> {
    let is_logits = c.tasks.iter().any(|t| t.built.as_ref().is_some_and(|b| b.logits == input.node));
    if !is_logits {
        return heads::project(c, head, input, width, at);
    }
    if input.width == width {
        return Ok(input.node);
    }
    let (x, y) = (c.show_width(&input.width), c.show_width(&width));
    let message = format!("the student's logits have width {x} and the teacher's {y}");
    let d = Diagnostic::new(codes::WIDTH_MISMATCH, at, message);
    let d = head.gold.map_or(d.clone(), |(_, gold)| d.also(gold, format!("width {y}")));
    Err(c.error(d.help("let both tasks have the same labels, or distil into what the student's head reads: `.hidden`")))
}

/// An operation of `distill`: its loss, or how alike vectors are.
pub struct DistillOp {
    signature: &'static Signature,
}

static LOSS_SIGNATURE: Signature = Signature {
    name: "distill_loss",
    group: Group::Internal,
    doc: "How far a student is from its teacher, summed over the places of an example.",
    inputs: &[input("student"), input("teacher")],
    args: &[],
};

static LIKENESS_SIGNATURE: Signature = Signature {
    name: "likeness",
    group: Group::Internal,
    doc: "The mean cosine of two vectors over the places of an example.",
    inputs: &[input("student"), input("teacher")],
    args: &[],
};

/// The loss of `distill`.
pub static LOSS: DistillOp = DistillOp { signature: &LOSS_SIGNATURE };
/// How alike vectors are.
pub static LIKENESS: DistillOp = DistillOp { signature: &LIKENESS_SIGNATURE };

impl Operation for DistillOp {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((x, rows), (teacher, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let teacher = teacher.detach();
        if self.signature.name == "likeness" {
            let cosine = cosine_apart(&x.detach(), &teacher)?.affine(-1.0, 1.0)?;
            let mean = kernels::segment::mean(&cosine, &rows.by_example())?;
            return Ok(Value::float(mean, &Rows::examples(rows.batch).into()));
        }
        let apart = match run.str("loss") {
            "kl" => softened_kl(x, &teacher, run.float("temperature"))?,
            "cosine" => cosine_apart(x, &teacher)?,
            _ => (x - &teacher)?.sqr()?.mean_keepdim(D::Minus1)?,
        };
        heads::by_example(&apart, rows)
    }
}

/// t² KL(p ‖ q) with p ∝ teacher^(1/t) and q = softmax(logits / t).
#[cfg(feature = "train")]
fn softened_kl(logits: &Tensor, teacher: &Tensor, t: f64) -> candle_core::Result<Tensor> {
    let targets = Arc::new(softened(&numbers(teacher)?, teacher.dim(1)?, t));
    kernels::loss::kl_to_soft(&(logits / t)?, &targets)? * (t * t)
}

/// Distributions p with p^(1/t) in their place, scaled to 1.
#[cfg(feature = "train")]
fn softened(p: &[f32], width: usize, t: f64) -> Vec<f32> {
    let mut out = Vec::with_capacity(p.len());
    for row in p.chunks_exact(width.max(1)) {
        let powers: Vec<f64> = row.iter().map(|p| f64::from(*p).max(1e-30).powf(1.0 / t)).collect();
        let sum: f64 = powers.iter().sum();
        out.extend(powers.iter().map(|p| (p / sum) as f32));
    }
    out
}

#[cfg(feature = "train")]
fn cosine_apart(a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    let dot = (a * b)?.sum_keepdim(D::Minus1)?;
    let norm = |x: &Tensor| x.sqr()?.sum_keepdim(D::Minus1)?.affine(1.0, 1e-12)?.sqrt();
    (dot / (norm(a)? * norm(b)?)?)?.affine(-1.0, 1.0)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Hinton et al. 2015, section 2: both softmaxes at temperature t, and t² before the gradient.
    #[test]
    fn the_softened_divergence_is_that_of_the_paper() {
        const T: f64 = 2.5;
        let (teacher, student) = ([2.0f64, -1.0, 0.5], [0.3f64, 0.1, -0.7]);
        let soft = |z: &[f64], t: f64| -> Vec<f64> {
            let sum: f64 = z.iter().map(|z| (z / t).exp()).sum();
            z.iter().map(|z| (z / t).exp() / sum).collect()
        };
        let (p, q) = (soft(&teacher, T), soft(&student, T));
        let expected: f64 = T * T * p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum::<f64>();
        let row = |x: &[f64]| {
            let x: Vec<f32> = x.iter().map(|x| *x as f32).collect();
            Tensor::from_vec(x, (1, 3), &Device::Cpu).expect("a row")
        };
        // The teacher is known by its probabilities at temperature 1.
        let got =
            softened_kl(&row(&student), &row(&soft(&teacher, 1.0)), T).and_then(|x| x.flatten_all()?.to_vec1::<f32>());
        let got = f64::from(got.expect("a number")[0]);
        assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
    }
}
