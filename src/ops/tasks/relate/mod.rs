//! `relate`: labelled ordered pairs of spans.
//!
//! - `entities`: the spans that are related: gold in training, else what a task predicts.
//! - `forms`: the heads `pairs`, `heads` and `tags` as nodes.
//! - `pairs`, `table`, `subjects`: their tensor code.

mod entities;
mod forms;
#[cfg(feature = "train")]
mod pairs;
#[cfg(feature = "train")]
mod subjects;
#[cfg(feature = "train")]
mod table;

use super::heads::{self, Input};
use super::make::Make;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::part::parts;
use crate::ops::signature::*;
use crate::ops::spans::under;
use crate::ops::{HeadRequest, TaskKind};
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, Ty};
use crate::source::Span;

/// The kind `relate`.
pub struct Relate;

static RELATE: Signature = Signature {
    name: "relate",
    group: Group::Internal,
    doc: "Labelled ordered pairs of spans. `pairs` takes every ordered pair of entities: the states at the ends of both and the greatest between them, or the vectors that `spans_of` gives of both, go through a hidden layer to a softmax over the labels and none. `heads` lets the last token i of an entity select the last token j of any other with each label on its own, σ(V tanh(U i + W j + b)) over all tokens, and is trained with binary cross-entropy (Bekoulis et al. 2018). `tags` tags the text once for each entity as the subject: `B-` and `I-` of a label mark the span that is related to it. `.logits` and `.probs` are those of the pairs, of all tokens with all tokens, or of the tokens for each subject.",
    inputs: &[input("gold")],
    args: &[
        arg(
            "head",
            Kind::Any,
            Default::Word("pairs"),
            "`pairs`, `heads` or `tags`, or another task whose head it shares.",
        ),
        arg(
            "entities",
            Kind::Any,
            Default::Unset,
            "The task whose entities are related at prediction, a `tag` with BIO labels or a `spans`; training takes the gold spans. Gold spans at prediction too when left out.",
        ),
        arg("hidden", COUNT, Default::Int(64), "Width of the hidden layer."),
        arg("threshold", Kind::Share, Default::Float(0.5), "The probability that a label must reach, with `heads`."),
    ],
};

impl TaskKind for Relate {
    fn signature(&self) -> &'static Signature {
        &RELATE
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["strict_f1", "relaxed_f1"]
    }

    fn forms(&self) -> &'static [&'static str] {
        &["pairs", "heads", "tags"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = heads::form(self, &task.head.settings);
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Gold(_, GoldKind::Relations, space) => task.head.space = space,
            other => return Err(heads::wrong_gold(c, "relate", &other, span, "relations")),
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
        let input = heads::vector_input(c, "relate", x, at)?;
        heads::token_axis(c, "relate", &input, at)?;
        let Some(space) = head.space else { return Err(Reported) };
        let (tokens, longest) = tokens(c, head, &input, at)?;
        let gold = heads::same_places(c, gold, &tokens, at)?;
        let entities = entities::of(c, head, &tokens, gold, at)?;
        let mut make = Make { c, head, at };
        let found = Ty::Gold(tokens.on.clone(), GoldKind::Relations, Some(space));
        let form = forms::Form { x: &input, tokens: &tokens.on, longest, space, entities, found };
        let scored = form.scored(&mut make)?;
        let loss = gold.map(|gold| form.loss(&mut make, gold)).transpose()?;
        let (on, hidden, width) = (tokens.on.clone(), input.node, input.width.clone());
        let (logits, probs, label) = (scored.logits, Some(scored.probs), scored.label);
        Ok(Built { on, hidden, width, logits, probs, label, gold, loss })
    }
}

/// The tokens that relations are along, and for a value of spans the longest of them.
fn tokens<'a>(c: &mut Checker<'a>, head: &Head<'a>, x: &Input, at: Span) -> Checked<(Input, Option<usize>)> {
    let (node, width) = (x.node, x.width.clone());
    if x.on.inner().and_then(|axis| under(axis)).is_none() {
        return Ok((Input { node, width, on: x.on.clone() }, None));
    }
    let (on, longest) = super::spans::tokens_of(c, "relate", x, at)?;
    if head.form != "pairs" {
        let message = format!("`{}` reads a vector for each token, and this runs along spans", head.form);
        let d = Diagnostic::new(codes::TASK_INPUT, at, message);
        return Err(c.error(d.help("relate spans with `head: pairs`, or leave `spans_of` out")));
    }
    Ok((Input { node, width, on }, Some(longest)))
}

parts! {
    LABEL_SPANS, LABEL_SPANS_S, "label_spans", entities::run_label_spans, "The spans that BIO labels mark.";
    GIVEN_SPANS, GIVEN_SPANS_S, "given_spans", entities::run_given_spans, "Gold spans in training, else those predicted.";
    RELATED, RELATED_S, "related_spans", entities::run_related, "The spans that gold relations are of.";
    PAIR_VECTORS, PAIR_VECTORS_S, "pair_vectors", pairs::run_vectors, "What is read of each ordered pair of spans.";
    SPAN_PAIRS, SPAN_PAIRS_S, "span_pairs", pairs::run_span_pairs, "The vectors of both spans of each ordered pair.";
    PAIR_LOSS, PAIR_LOSS_S, "pair_loss", pairs::run_loss, "Cross-entropy of the label of each pair, or none, summed by example.";
    PAIR_RELATIONS, PAIR_RELATIONS_S, "pair_relations", pairs::run_relations, "The pairs whose best label is not none.";
    TABLE, TABLE_S, "table", table::run_table, "The sum of a token's row of one value and each token's of another.";
    TABLE_LOSS, TABLE_LOSS_S, "table_loss", table::run_loss, "Binary cross-entropy of each label between all tokens, summed by example.";
    TABLE_RELATIONS, TABLE_RELATIONS_S, "table_relations", table::run_relations, "The labels between last tokens of spans that reach the threshold.";
    SUBJECTS, SUBJECTS_S, "subjects", subjects::run_rows, "The tokens of a text beside the ends of each span, for each span.";
    SUBJECT_LOSS, SUBJECT_LOSS_S, "subject_loss", subjects::run_loss, "Cross-entropy of the tags of each subject's objects, summed by example.";
    SUBJECT_RELATIONS, SUBJECT_RELATIONS_S, "subject_relations", subjects::run_relations, "Each subject with the spans that its tags mark.";
}
