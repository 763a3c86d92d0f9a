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

/// A text that is drawn by its probability, whatever predictions are drawn by.
pub fn drawn(c: &mut Checker<'_>, head: &Head<'_>, built: &Built) -> NodeId {
    let drawn = otherwise(c, head, built.label, ("drawn", true.into()), None);
    let as_it_is: [(&str, Attr); 3] = [("temperature", 1.0.into()), ("top_k", 0usize.into()), ("top_p", 1.0.into())];
    let mut node = c.graph.node(drawn).clone();
    node.attrs.extend(as_it_is.map(|(name, value)| (name.to_string(), value)));
    c.graph.add(node)
}

/// `.sample`: a text that is drawn.
pub fn sample(c: &mut Checker<'_>, head: &Head<'_>, built: &Built, span: Span) -> NodeId {
    let drawn = drawn(c, head, built);
    text_of(c, head, drawn, "sample", span)
}

/// -log p of a text that was drawn, of its end too: the task's loss with it as gold. Nothing is
/// dropped or smoothed on the way, as nothing was when it was drawn.
pub fn surprise(c: &mut Checker<'_>, built: &Built, drawn: NodeId, span: Span) -> Option<NodeId> {
    let mut loss = c.graph.node(built.loss?).clone();
    let handed = c.graph.node(built.hidden).inputs.first().copied()?;
    let mut states = c.graph.node(handed).clone();
    states.inputs[0] = drawn;
    for name in ["dropout", "drop_words"] {
        states.attrs.insert(name.into(), 0.0.into());
    }
    let states = c.graph.add(Node { draw: None, ..states });
    loss.inputs[..2].copy_from_slice(&[states, drawn]);
    for (name, plain) in [("smoothing", 0.0.into()), ("drop_words", 0.0.into()), ("coverage", false.into())] {
        loss.attrs.insert(name.into(), plain);
    }
    Some(c.graph.add(Node { span, draw: None, ..loss }))
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

/// `.words`: Σ p(w) E(w) with E what the decoder reads; p may be a relaxed sample, by its
/// temperature, whether it is made hard, and where it is drawn.
pub fn words(c: &mut Checker<'_>, built: &Built, relaxed: Option<(f64, bool, Site)>, span: Span) -> NodeId {
    let probs = match relaxed {
        Some((t, hard, site)) => {
            let ty = c.graph.ty(built.logits).clone();
            let attrs = Attrs::from_iter([("t".to_string(), t.into()), ("hard".to_string(), hard.into())]);
            let drawn = c.plain("gumbel", vec![built.logits], attrs, ty, span);
            let node = Node { draw: Some(site), ..c.graph.node(drawn).clone() };
            c.graph.add(node)
        }
        None => probs(c, built, span),
    };
    let logits = c.graph.node(built.logits).clone();
    let Some(on) = logits.ty.on().cloned() else { return probs };
    let width =
        logits.params.first().and_then(|table| c.graph.params[table.0].shape.get(1).cloned()).unwrap_or_default();
    c.graph.add(Node { op: "expected_words", inputs: vec![probs], ty: Ty::Vector(on, width), span, ..logits })
}
