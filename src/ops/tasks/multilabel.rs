//! `multilabel`: a set of labels for an example.

use super::heads;
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, Ty, Width};
use crate::source::Span;

/// The kind `multilabel`.
pub struct Multilabel;

static MULTILABEL: Signature = Signature {
    name: "multilabel",
    group: Group::Internal,
    doc: "A set of labels for each example: a sigmoid for each label and binary cross-entropy, summed over the labels.",
    inputs: &[input("gold")],
    args: &[arg("threshold", Kind::Share, Default::Float(0.5), "Labels at least as probable are predicted.")],
};

impl TaskKind for Multilabel {
    fn signature(&self) -> &'static Signature {
        &MULTILABEL
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["micro_f1", "macro_f1", "jaccard"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = "sigmoid";
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Gold(_, GoldKind::Labels, space) => task.head.space = space,
            other => return Err(heads::wrong_gold(c, "multilabel", &other, span, "a set of labels")),
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
        let input = heads::vector_input(c, "multilabel", x, at)?;
        heads::one_vector(c, "multilabel", &input, at, head.settings.bool("vote"))?;
        let Some(space) = head.space else { return Err(Reported) };
        let ty = Ty::Vector(input.on.clone(), Width::from(space));
        let logits = heads::project(c, head, &input, Width::from(space), at)?;
        let probs = c.plain("sigmoid", vec![logits], attrs([]), ty.clone(), at);
        let threshold = head.settings.float("threshold").unwrap_or(0.5);
        let label = c.plain("above", vec![probs], attrs([("threshold", threshold.into())]), ty, at);
        let gold = heads::same_examples(c, gold, &input, at)?;
        let loss = gold.map(|g| {
            let ty = Ty::Vector(input.on.examples(), 1.into());
            c.plain("sigmoid_loss", vec![logits, g], attrs([]), ty, at)
        });
        Ok(Built {
            on: input.on,
            hidden: input.node,
            width: input.width,
            logits,
            probs: Some(probs),
            label,
            gold,
            loss,
        })
    }
}
