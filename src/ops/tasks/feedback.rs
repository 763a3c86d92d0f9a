//! `feedback` of `tag`: the head reads the embedding of the label of the place before.
//!
//! In training that is the gold label (teacher forcing), so that all places are computed at once;
//! a place without gold is followed by the start embedding, for decoding it would take the steps
//! that teacher forcing saves. Otherwise it is the best label one step before. Where the task's
//! own last layer is an `lstm` or `gru`, its gates read the embedding (as in Liu & Lane 2016, Qin
//! et al. 2019); elsewhere the projection reads it beside the value.

use super::heads::{self, Input};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::attrs;
use crate::ops::part::parts;
use crate::plan::{Attrs, Init};
use crate::sema::call::{Checked, Scope};
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, ParamId};
use crate::sema::model::Head;
use crate::sema::types::{SpaceId, Ty, Width};
use crate::source::Span;
use crate::syntax::ast::ExprKind;

#[cfg(feature = "train")]
use super::feedback_run::{run_feedback, run_label, run_path};

/// What a head with feedback reads, and the labels that it read.
pub struct Fed {
    /// What the projection reads.
    pub hidden: Input,
    /// In training the gold, else the prediction.
    pub path: NodeId,
}

/// Where the labels go in.
struct Place {
    /// The value beside which they are read.
    x: NodeId,
    /// The recurrent layer that reads them, if any, and its parameters.
    cell: &'static str,
    params: Vec<ParamId>,
    /// The task's dropout, where it stands behind that layer.
    dropout: Option<Node>,
}

/// Says which settings `feedback` does not go with.
pub fn refuse<'a>(c: &mut Checker<'a>, head: &Head<'a>, at: Span) -> Checked<()> {
    let at = head.settings.span("feedback").unwrap_or(at);
    if let Some(vote) = head.settings.span("vote").filter(|_| head.settings.bool("vote")) {
        let message = "places that vote predict each for itself, and `feedback` reads the place before";
        let d = Diagnostic::new(codes::BAD_SETTING, at, message).also(vote, "here they vote");
        return Err(c.error(d.help("leave one of the two out")));
    }
    let own = |kind: &ExprKind| matches!(kind, ExprKind::Name(n) if ["softmax", "crf"].contains(&n.text.as_str()));
    if let Some(e) = head.settings.any("head").filter(|e| !own(&e.kind)) {
        let message = "a head that reads its previous label is not shared with another task";
        let d = Diagnostic::new(codes::TASK_HEAD, e.span, message).also(at, "here it reads its previous label");
        return Err(c.error(d.help("leave out `feedback`, or give this task a head of its own")));
    }
    Ok(())
}

/// Puts the labels of the places before into what the head reads.
pub fn feed<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    input: Input,
    (space, gold): (SpaceId, Option<NodeId>),
    crf: &[ParamId],
    at: Span,
) -> Checked<Fed> {
    let d = Width::from(head.settings.int("feedback").unwrap_or(1));
    let place = place(c, head, &input);
    let mut params = vec![param(c, head, "labels", vec![Width::from(space).plus(&1.into()), d.clone()], 1.0, at)?];
    if let Some(w_ih) = place.params.first() {
        let gates = c.graph.params[w_ih.0].shape[0].clone();
        let scale = 1.0 / (input.width.known().unwrap_or(1).max(1) as f32).sqrt();
        params.push(param(c, head, "w_labels", vec![gates, d.clone()], scale, at)?);
        params.extend(&place.params);
    }
    let width = if place.cell.is_empty() { input.width.plus(&d) } else { input.width.clone() };
    let node = |op, inputs, attrs: Attrs, params: &[ParamId], ty| Node {
        op,
        inputs,
        attrs,
        params: params.to_vec(),
        ty,
        span: at,
        path: head.path.as_str().into(),
        draw: None,
        vocab: None,
    };
    let projection = heads::projection(c, head, Width::from(space), &width, at)?;
    let all = [&params[..], &projection, crf].concat();
    let how = attrs([("cell", place.cell.into()), ("space", space.0.into()), ("crf", (!crf.is_empty()).into())]);
    let inputs = std::iter::once(place.x).chain(gold).collect();
    let path = c.graph.add(node("feedback_path", inputs, how, &all, Ty::Label(input.on.clone(), space)));
    let ty = Ty::Vector(input.on.clone(), width.clone());
    let how = attrs([("cell", place.cell.into())]);
    let mut fed = c.graph.add(node("feedback", vec![place.x, path], how, &params, ty));
    if let Some(dropout) = place.dropout {
        fed = c.graph.add(Node { inputs: vec![fed], ..dropout });
    }
    Ok(Fed { hidden: Input { node: fed, on: input.on, width }, path })
}

/// The prediction of a head with feedback.
pub fn label<'a>(
    c: &mut Checker<'a>,
    path: NodeId,
    logits: NodeId,
    space: SpaceId,
    crf: &[ParamId],
    at: Span,
) -> NodeId {
    let ty = c.graph.ty(path).clone();
    c.graph.add(Node {
        op: "feedback_label",
        inputs: vec![path, logits],
        attrs: attrs([("space", space.0.into()), ("crf", (!crf.is_empty()).into())]),
        params: crf.to_vec(),
        ty,
        span: at,
        path: "".into(),
        draw: None,
        vocab: None,
    })
}

fn param<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    name: &str,
    shape: Vec<Width>,
    scale: f32,
    at: Span,
) -> Checked<ParamId> {
    let init = if name == "labels" { Init::Normal(scale) } else { Init::Uniform(scale) };
    c.param_at(format!("{}.{name}", head.path), shape, init, at, &Scope::default())
}

/// A recurrent layer that the task has for itself reads the labels; one with a name of its own
/// has the same states for all that read it.
fn place<'a>(c: &Checker<'a>, head: &Head<'a>, input: &Input) -> Place {
    let node = c.graph.node(input.node);
    let dropped = node.op == "dropout" && node.draw.as_ref() == Some(&head.site);
    let inner = if dropped { c.graph.node(node.inputs[0]) } else { node };
    let task = head.path.strip_suffix("head").unwrap_or(&head.path);
    let own = inner.params.first().is_some_and(|p| c.graph.params[p.0].name.starts_with(task));
    if matches!(inner.op, "lstm" | "gru") && own {
        let dropout = dropped.then(|| node.clone());
        return Place { x: inner.inputs[0], cell: inner.op, params: inner.params.clone(), dropout };
    }
    Place { x: input.node, cell: "", params: Vec::new(), dropout: None }
}

parts! {
    FEEDBACK, FEEDBACK_S, "feedback", run_feedback, "What a head reads with the embedding of the label before each place.";
    PATH, PATH_S, "feedback_path", run_path, "The labels that such a head reads: gold in training, else what is best one after another.";
    LABEL, LABEL_S, "feedback_label", run_label, "The labels that such a head predicts.";
}
