//! `spans`: a type, or none, for each span of a text.

use super::heads::{self, Input};
use super::make::Make;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::part::parts;
use crate::ops::signature::*;
use crate::ops::spans::under;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::plan::Attr;
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, On, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use super::spans_run::{run_chosen, run_loss};

/// The kind `spans`.
pub struct Spans;

static SPANS: Signature = Signature {
    name: "spans",
    group: Group::Internal,
    doc: "Labelled spans by enumeration: each span that `spans_of` gives is one of the types or none, by softmax and cross-entropy. Of the spans that are not none, those with the greatest probability stay (Lee et al. 2017).",
    inputs: &[input("gold")],
    args: &[
        arg("keep", POSITIVE, Default::Float(0.4), "Spans that stay for each token of the text, at most."),
        arg("nested", Kind::Bool, Default::Bool(false), "Whether spans that stay may overlap."),
    ],
};

impl TaskKind for Spans {
    fn signature(&self) -> &'static Signature {
        &SPANS
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["span_f1"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = "softmax";
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Gold(_, GoldKind::Spans, _) => {
                let (gold, types) = c.typed_spans(gold, span)?;
                (task.head.gold, task.head.space) = (Some((gold, span)), Some(types));
            }
            other => return Err(heads::wrong_gold(c, "spans", &other, span, "spans")),
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
        let input = heads::vector_input(c, "spans", x, at)?;
        let (tokens, max) = tokens_of(c, "spans", &input, at)?;
        let Some(space) = head.space else { return Err(Reported) };
        let gold = heads::same_places(c, gold, &Input { on: tokens.clone(), ..copy(&input) }, at)?;
        let mut make = Make { c, head, at };
        let labels = Width::from(space).plus(&1.into());
        let logits = make.linear("out", &input, labels, "none")?.node;
        let ty = make.c.graph.ty(logits).clone();
        let probs = make.plain("softmax", vec![logits], attrs([]), ty);
        let keep = Attr::Float(head.settings.float("keep").unwrap_or(1.0));
        let nested = head.settings.bool("nested").into();
        let how = attrs([("types", space.0.into()), ("max", max.into()), ("keep", keep), ("nested", nested)]);
        let found = Ty::Gold(tokens.clone(), GoldKind::Spans, Some(space));
        let label = make.plain("chosen_spans", vec![probs], how, found);
        let each = Ty::Vector(tokens.examples(), 1.into());
        let loss = gold.map(|gold| make.plain("span_loss", vec![logits, gold], attrs([("max", max.into())]), each));
        let (on, hidden, width) = (tokens, input.node, input.width);
        Ok(Built { on, hidden, width, logits, probs: Some(probs), label, gold, loss })
    }
}

fn copy(x: &Input) -> Input {
    Input { node: x.node, on: x.on.clone(), width: x.width.clone() }
}

/// The tokens whose spans a value runs along, and the most that a span has.
pub fn tokens_of<'a>(c: &mut Checker<'a>, kind: &str, x: &Input, at: Span) -> Checked<(On, usize)> {
    if let Some((axis, max)) = x.on.inner().and_then(|axis| under(axis)) {
        let mut axes = x.on.outer().axes.to_vec();
        axes.push(axis.into());
        return Ok((On { example: x.on.example.clone(), axes: axes.into() }, max));
    }
    let message = format!("{} does not run along spans; `{kind}` reads a vector for each span", heads::named(c, at, x));
    let d = Diagnostic::new(codes::TASK_INPUT, at, message);
    Err(c.error(d.help("enumerate the spans first, with `|> spans_of(max: 8)`")))
}

parts! {
    CHOSEN, CHOSEN_S, "chosen_spans", run_chosen, "The spans that are not none, the most probable first.";
    LOSS, LOSS_S, "span_loss", run_loss, "Cross-entropy of the type of each span, or none, summed by example.";
}
