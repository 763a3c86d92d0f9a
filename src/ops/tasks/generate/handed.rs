//! What other tasks read of a task that writes text.

use super::FORM;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Attrs};
use crate::sema::call::Checked;
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, Site};
use crate::sema::model::{Built, Head};
use crate::sema::types::{On, Ty};
use crate::source::Span;

/// Where the draw of `.sample`, or of gold that stands for what is written, stands among those of a
/// task.
const SAMPLE_SITE: (u32, u32) = (u32::MAX, 5);

/// Whether a task writes text.
pub fn writes(head: &Head<'_>) -> bool {
    head.form == FORM
}

fn text_of(c: &mut Checker<'_>, head: &Head<'_>, written: NodeId, axis: &str, span: Span) -> NodeId {
    let Some(on) = c.graph.ty(written).on().cloned() else { return written };
    let task = head.scope.owner.as_deref().unwrap_or_default();
    let on = On { example: on.example, axes: [format!("{task}.{axis}").into()].into() };
    let mut attrs = Attrs::new();
    attrs.extend(c.graph.node(written).attrs.get("fields").map(|fields| ("fields".to_string(), fields.clone())));
    c.plain("written_text", vec![written], attrs, Ty::Tokens(on), span)
}

/// The same writing, in another way.
fn otherwise(
    c: &mut Checker<'_>,
    head: &Head<'_>,
    written: NodeId,
    more: (&str, Attr),
    gold: Option<NodeId>,
) -> NodeId {
    let mut node = c.graph.node(written).clone();
    node.attrs.insert(more.0.into(), more.1);
    if let Some(gold) = gold {
        node.inputs.push(gold);
        node.op = "forced_text";
    }
    let chain = head.site.chain.iter().copied().chain([SAMPLE_SITE]).collect();
    c.graph.add(Node { draw: Some(Site { chain, ..head.site.clone() }), ..node })
}

/// `.label`: the text that is written, or with `gold` that share of the gold in training.
pub fn label(c: &mut Checker<'_>, head: &Head<'_>, built: &Built, gold: f64, span: Span) -> NodeId {
    let written = match built.gold.filter(|_| gold > 0.0) {
        Some(text) => otherwise(c, head, built.label, ("gold", gold.into()), Some(text)),
        None => built.label,
    };
    text_of(c, head, written, "label", span)
}

/// `.sample`: a text that is drawn.
pub fn sample(c: &mut Checker<'_>, head: &Head<'_>, built: &Built, span: Span) -> NodeId {
    let drawn = otherwise(c, head, built.label, ("drawn", true.into()), None);
    text_of(c, head, drawn, "sample", span)
}

/// Reports that words which may be copied have no probabilities of a fixed set.
pub fn fixed_words<'a>(c: &mut Checker<'a>, built: &Built, task: &str, at: Span) -> Checked<()> {
    if c.graph.node(built.logits).op == "word_logits" {
        return Ok(());
    }
    let message = format!("'{task}' copies words, so those that it may write are others for each example");
    let d = Diagnostic::new(codes::UNKNOWN_FIELD, at, message);
    Err(c.error(d.help(format!("read its states or its text, `{task}.states` or `{task}.label`"))))
}

/// `.probs`: of each word at each place.
pub fn probs(c: &mut Checker<'_>, built: &Built, span: Span) -> NodeId {
    let ty = c.graph.ty(built.logits).clone();
    c.plain("softmax", vec![built.logits], Attrs::new(), ty, span)
}

/// `.words`: Σ p(w) E(w) with E what the decoder reads.
pub fn words(c: &mut Checker<'_>, built: &Built, span: Span) -> NodeId {
    let probs = probs(c, built, span);
    let logits = c.graph.node(built.logits).clone();
    let Some(on) = logits.ty.on().cloned() else { return probs };
    let width =
        logits.params.first().and_then(|table| c.graph.params[table.0].shape.get(1).cloned()).unwrap_or_default();
    c.graph.add(Node { op: "expected_words", inputs: vec![probs], ty: Ty::Vector(on, width), span, ..logits })
}
