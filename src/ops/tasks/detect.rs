//! `detect`: which words are others than the original.

use rustc_hash::FxHashMap;

use super::{heads, mlm::judged};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, Operation, TaskKind, attrs};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::Ty;
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run, exec::numbers, kernels};
#[cfg(feature = "train")]
use std::sync::Arc;

/// The kind `detect`.
pub struct Detect;

static DETECT: Signature = Signature {
    name: "detect",
    group: Group::Internal,
    doc: "Which words of a text are others than the original, `g.replaced` of a masked language model `g` (Clark et al. 2020): sigmoid and binary cross-entropy for each token. What it reads is made of `g.sample`, the text with the corrupted words drawn anew; in evaluation they are g's best.",
    inputs: &[input("gold")],
    args: &[],
};

impl TaskKind for Detect {
    fn signature(&self) -> &'static Signature {
        &DETECT
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["accuracy"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = "sigmoid";
        let Some((gold, span)) = task.head.gold else { return Err(Reported) };
        match (c.graph.node(gold).op, c.graph.ty(gold).clone()) {
            ("replaced", Ty::Label(_, space)) => task.head.space = Some(space),
            (_, other) => return Err(heads::wrong_gold(c, "detect", &other, span, "`.replaced` of an `mlm` task")),
        }
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
        let Some(space) = head.space else { return Err(Reported) };
        let x = judged(&mut c.graph, x, &|_, node| node.op == "rewritten", &mut FxHashMap::default());
        let input = heads::vector_input(c, "detect", x, at)?;
        let gold = heads::same_places(c, gold, &input, at)?;
        let logits = heads::project(c, head, &input, 1.into(), at)?;
        let ty = Ty::Vector(input.on.clone(), 1.into());
        let probs = c.plain("sigmoid", vec![logits], attrs([]), ty, at);
        let label = heads::label_node(c, "detected", vec![probs], &input.on, space, at);
        let each = Ty::Vector(input.on.examples(), 1.into());
        let loss = gold.map(|g| c.plain("detect_loss", vec![logits, g], attrs([]), each, at));
        let (hidden, width, on) = (input.node, input.width, input.on);
        Ok(Built { on, hidden, width, logits, probs: Some(probs), label, gold, loss })
    }
}

/// An operation of `detect`: its loss, or its prediction.
pub struct DetectOp {
    signature: &'static Signature,
}

static LOSS_SIGNATURE: Signature = Signature {
    name: "detect_loss",
    group: Group::Internal,
    doc: "Binary cross-entropy summed over the places of an example.",
    inputs: &[input("logits"), input("gold")],
    args: &[],
};

static DETECTED_SIGNATURE: Signature = Signature {
    name: "detected",
    group: Group::Internal,
    doc: "1 where a probability is at least a half.",
    inputs: &[input("probs")],
    args: &[],
};

/// The loss of `detect`.
pub static LOSS: DetectOp = DetectOp { signature: &LOSS_SIGNATURE };
/// The prediction of `detect`.
pub static DETECTED: DetectOp = DetectOp { signature: &DETECTED_SIGNATURE };

impl Operation for DetectOp {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        if self.signature.name == "detected" {
            let ids: Vec<u32> = numbers(x)?.iter().map(|p| u32::from(*p >= 0.5)).collect();
            return Ok(Value::Label { ids: ids.into(), space: 2, rows: rows.clone() });
        }
        let Value::Label { ids, .. } = &inputs[1] else { return run.wrong_input() };
        let target = |id: &u32| if *id == NO_LABEL { f32::NAN } else { *id as f32 };
        let targets = Arc::new(ids.iter().map(target).collect());
        heads::by_example(&kernels::loss::sigmoid_bce(x, &targets)?, rows)
    }
}
