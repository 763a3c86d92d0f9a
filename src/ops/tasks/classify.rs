//! `classify`: one label for an example, or for each place of an axis that votes.

use super::heads::{self, Input, Projection};
use crate::ops::over::summed;
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::sema::call::Checked;
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::Ty;
use crate::source::Span;

/// The kind `classify`.
pub struct Classify;

static CLASSIFY: Signature = Signature {
    name: "classify",
    group: Group::Internal,
    doc: "One label for each example: softmax and cross-entropy. With `vote: true` each place of the input's axis predicts and is trained, and most votes win.",
    inputs: &[input("gold")],
    args: &[
        arg("smoothing", Kind::Share, Default::Float(0.0), "Label smoothing (Szegedy et al. 2016)."),
        arg("class_weights", Kind::Any, Default::Unset, "`balanced`, or a list with a weight for each label in order."),
    ],
};

impl TaskKind for Classify {
    fn signature(&self) -> &'static Signature {
        &CLASSIFY
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["accuracy", "macro_f1"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = "softmax";
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Label(on, space) if on.axes.is_empty() => task.head.space = Some(space),
            other => return Err(heads::wrong_gold(c, "classify", &other, span, "a class")),
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
        let input = heads::vector_input(c, "classify", x, at)?;
        let votes = head.settings.bool("vote");
        heads::one_vector(c, "classify", &input, at, votes || head.over.is_some())?;
        let Some(space) = head.space else { return Err(crate::sema::call::Reported) };
        let Projection { logits, probs } = heads::softmax_head(c, head, &input, space, at)?;
        let (logits, probs, on) = match head.over {
            None => (logits, probs, input.on),
            Some(p) => {
                let (logits, on) = summed(c, (logits, &input.on), p)?;
                let ty = c.graph.ty(logits).clone();
                (logits, c.plain("softmax", vec![logits], attrs([]), ty, at), on)
            }
        };
        let label = heads::label_node(c, "argmax", vec![logits], &on, space, at);
        let read = Input { node: logits, on: on.clone(), width: space.into() };
        let gold = heads::aligned_gold(c, gold, &read, at)?;
        let loss = gold.map(|g| heads::softmax_loss(c, head, logits, g, &on, at)).transpose()?;
        Ok(Built { on, hidden: input.node, width: input.width, logits, probs: Some(probs), label, gold, loss })
    }
}
