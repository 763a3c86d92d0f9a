//! `tag`: a label for each place of an axis, by softmax or a conditional random field.

use super::feedback;
use super::heads::{self, Input};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::plan::Init;
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, ParamId};
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, SpaceId, Ty, Width};
use crate::source::Span;

/// The kind `tag`.
pub struct Tag;

static TAG: Signature = Signature {
    name: "tag",
    group: Group::Internal,
    doc: "A label for each token: softmax and cross-entropy, or a linear-chain CRF (Lafferty et al. 2001). Tags in BIO or BIOES form are decoded to well-formed sequences.",
    inputs: &[input("gold")],
    args: &[
        arg("head", Kind::Any, Default::Word("softmax"), "`softmax` or `crf`, or another task whose head it shares."),
        arg(
            "feedback",
            COUNT,
            Default::Unset,
            "Width of the embedding of its own previous label, which it reads: gold in training, else what was best one place before. It goes into the `lstm` or `gru` that the task's own expression ends with, if it does, else beside what the head reads.",
        ),
        arg("smoothing", Kind::Share, Default::Float(0.0), "Label smoothing, with `softmax`."),
    ],
};

impl TaskKind for Tag {
    fn signature(&self) -> &'static Signature {
        &TAG
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["span_f1", "accuracy"]
    }

    fn forms(&self) -> &'static [&'static str] {
        &["softmax", "crf"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = heads::form(self, &task.head.settings);
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        match c.graph.ty(gold).clone() {
            Ty::Label(on, space) if !on.axes.is_empty() => task.head.space = Some(space),
            Ty::Gold(_, GoldKind::Spans, space) => task.head.space = space,
            other => return Err(heads::wrong_gold(c, "tag", &other, span, "tags or spans")),
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
        let input = heads::vector_input(c, "tag", x, at)?;
        heads::token_axis(c, "tag", &input, at)?;
        let Some(space) = head.space else { return Err(Reported) };
        let gold = heads::same_places(c, gold, &input, at)?;
        let chain = if head.form == "crf" { chain(c, head, space, at)? } else { Vec::new() };
        if head.settings.int("feedback").is_none() {
            return labels(c, head, &input, space, gold, &chain, at);
        }
        feedback::refuse(c, head, at)?;
        let fed = feedback::feed(c, head, input, (space, gold), &chain, at)?;
        let mut built = labels(c, head, &fed.hidden, space, gold, &chain, at)?;
        built.label = feedback::label(c, fed.path, built.logits, space, &chain, at);
        Ok(built)
    }

    fn main_metric(&self, c: &Checker<'_>, head: &Head<'_>) -> &'static str {
        // Whether labels are BIO is known once data is read; `auto` is settled in the plan.
        let _ = c;
        match head.gold.map(|(g, _)| c.graph.ty(g).clone()) {
            Some(Ty::Gold(..)) => "span_f1",
            _ => "auto",
        }
    }
}

/// The head on its input; `chain` holds the parameters of a CRF.
fn labels<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    input: &Input,
    space: SpaceId,
    gold: Option<NodeId>,
    chain: &[ParamId],
    at: Span,
) -> Checked<Built> {
    if chain.is_empty() {
        return softmax(c, head, input, space, gold, at);
    }
    crf(c, head, input, space, gold, chain, at)
}

fn softmax<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    input: &Input,
    space: SpaceId,
    gold: Option<NodeId>,
    at: Span,
) -> Checked<Built> {
    let heads::Projection { logits, probs } = heads::softmax_head(c, head, input, space, at)?;
    let decode = attrs([("space", space.0.into())]);
    let label = c.plain("tag_decode", vec![logits], decode, Ty::Label(input.on.clone(), space), at);
    let loss = gold.map(|g| heads::softmax_loss(c, head, logits, g, &input.on, at)).transpose()?;
    let (hidden, width, on) = (input.node, input.width.clone(), input.on.clone());
    Ok(Built { on, hidden, width, logits, probs: Some(probs), label, gold, loss })
}

/// Transitions, start and end of a CRF.
fn chain<'a>(c: &mut Checker<'a>, head: &Head<'a>, space: SpaceId, at: Span) -> Checked<Vec<ParamId>> {
    let width = Width::from(space);
    let mut params = Vec::new();
    for (name, shape) in
        [("transitions", vec![width.clone(); 2]), ("start", vec![width.clone()]), ("end", vec![width.clone()])]
    {
        let path = format!("{}.{name}", head.path);
        params.push(c.param_at(path, shape, Init::Uniform(0.1), at, &crate::sema::call::Scope::default())?);
    }
    Ok(params)
}

fn crf<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    input: &Input,
    space: SpaceId,
    gold: Option<NodeId>,
    chain: &[ParamId],
    at: Span,
) -> Checked<Built> {
    let width = Width::from(space);
    let logits = heads::project(c, head, input, width.clone(), at)?;
    let node = |op, inputs, ty| Node {
        op,
        inputs,
        attrs: attrs([("space", space.0.into())]),
        params: chain.to_vec(),
        ty,
        span: at,
        path: head.path.as_str().into(),
        draw: None,
        vocab: None,
    };
    let label = node("crf_decode", vec![logits], Ty::Label(input.on.clone(), space));
    let probs = node("crf_probs", vec![logits], Ty::Vector(input.on.clone(), width));
    let loss = gold.map(|g| node("crf_loss", vec![logits, g], Ty::Vector(input.on.examples(), 1.into())));
    let (label, probs) = (c.graph.add(label), c.graph.add(probs));
    let loss = loss.map(|l| c.graph.add(l));
    let (hidden, width, on) = (input.node, input.width.clone(), input.on.clone());
    Ok(Built { on, hidden, width, logits, probs: Some(probs), label, gold, loss })
}
