//! What a decoder copies words from: a text, and the memory along its places.

use super::layers::Layers;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::tasks::heads::Input;
use crate::plan::Init;
use crate::sema::call::{Checked, Scope};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, ParamId};
use crate::sema::model::Head;
use crate::sema::types::{Ty, Width};
use crate::source::Span;

/// What is copied from.
pub struct Copying {
    /// The memory, in the width of the decoder.
    pub memory: NodeId,
    /// The words at its places.
    pub text: NodeId,
    /// The parameters, in the backend's order.
    pub params: Vec<ParamId>,
    /// Whether the attention reads its coverage.
    pub coverage: bool,
}

/// Which of the values that a task reads runs along the text of `copy`, and that text.
pub fn source<'a>(
    c: &mut Checker<'a>,
    head: &Head<'a>,
    memories: &[Input],
    at: Span,
) -> Checked<Option<(usize, NodeId)>> {
    let Some(e) = head.settings.any("copy") else { return Ok(None) };
    let value = c.eval(e, &head.scope);
    let text = c.value_node(&value, e.span, &head.scope)?;
    let ty = c.graph.ty(text).clone();
    let Ty::Tokens(on) = &ty else {
        let message = format!("words are copied from a text, and this is {} ({})", ty.noun(), c.show(&ty));
        let d = Diagnostic::new(codes::BAD_SETTING, e.span, message);
        return Err(c.error(d.help("name the text itself, before `embed`: `copy: data.field`")));
    };
    if let Some(index) = memories.iter().position(|m| m.on == *on) {
        return Ok(Some((index, text)));
    }
    let shown: Vec<String> = memories.iter().map(|m| c.show(&Ty::Vector(m.on.clone(), m.width.clone()))).collect();
    let message = format!("the task reads no value along the places of this text ({})", c.show(&ty));
    let d =
        Diagnostic::new(codes::AXIS_MISMATCH, e.span, message).also(at, format!("it reads {}", shown.join(" and ")));
    Err(c.error(d.help("words are copied from where the decoder looks: let it read the states of that text too")))
}

/// The parameters of copying.
pub fn params<'a>(c: &mut Checker<'a>, head: &Head<'a>, layers: &Layers<'a>, at: Span) -> Checked<Vec<ParamId>> {
    let d = Width::from(layers.width);
    let mut one = |name: &str, shape: Vec<Width>, init: Init| {
        c.param_at(format!("{}.copy_{name}", head.path), shape, init, at, &Scope::default())
    };
    let mut params = vec![
        one("query_weight", vec![d.clone(), d.clone()], Init::Xavier)?,
        one("query_bias", vec![d.clone()], Init::Zeros)?,
        one("memory_weight", vec![d.clone(), d.clone()], Init::Xavier)?,
        one("memory_bias", vec![d.clone()], Init::Zeros)?,
        one("score", vec![d.clone()], Init::Uniform(1.0 / (layers.width as f32).sqrt()))?,
        one("gate_weight", vec![1.into(), d.times(2)], Init::Xavier)?,
        one("gate_bias", vec![1.into()], Init::Zeros)?,
        one("out_weight", vec![d.clone(), d.times(2)], Init::Xavier)?,
        one("out_bias", vec![d.clone()], Init::Zeros)?,
    ];
    if head.settings.bool("coverage") {
        params.push(one("coverage", vec![d], Init::Uniform(1.0 / (layers.width as f32).sqrt()))?);
    }
    Ok(params)
}
