//! The spans that are related.

use crate::diagnostics::{Diagnostic, codes};
use crate::ops::attrs;
use crate::ops::tasks::heads::Input;
use crate::plan::Attrs;
use crate::sema::call::{Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::Head;
use crate::sema::types::{GoldKind, SpaceId, Ty};
use crate::source::Span;
use crate::syntax::ast::Expr;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run};
#[cfg(feature = "train")]
use crate::data::{Labelled, Range, value};
#[cfg(feature = "train")]
use candle_core::Result;

/// Spans, and the space of their types.
#[derive(Clone, Copy, Debug)]
pub struct Entities {
    /// The spans.
    pub node: NodeId,
    /// The space of their types.
    pub types: SpaceId,
}

impl Entities {
    /// The attribute by which a node knows the types.
    pub fn attrs(&self) -> Attrs {
        attrs([("types", self.types.0.into())])
    }
}

/// The spans of a task's `entities`, with gold in training; without, the gold spans.
pub fn of<'a>(c: &mut Checker<'a>, head: &Head<'a>, x: &Input, gold: Option<NodeId>, at: Span) -> Checked<Entities> {
    let asked = head.settings.any("entities");
    let known = match gold.or(head.gold.map(|(gold, _)| gold)) {
        Some(gold) => c.spans_under(gold, at)?,
        None => return Err(Reported),
    };
    let Some(e) = asked else {
        return match gold {
            Some(_) => Ok(Entities { node: known.0, types: known.1 }),
            None => Err(unknown(c, head, at)),
        };
    };
    let mut predicted = predicted(c, head, e, x, known.1)?;
    if gold.is_some() {
        let ty = c.graph.ty(known.0).clone();
        predicted = c.plain("given_spans", vec![predicted, known.0], attrs([]), ty, at);
    }
    Ok(Entities { node: predicted, types: known.1 })
}

fn unknown<'a>(c: &mut Checker<'a>, head: &Head<'a>, at: Span) -> Reported {
    let kind = head.settings.signature.name;
    let message = format!("a `{kind}` task without `entities` relates gold spans, and there are none here");
    c.error(Diagnostic::new(codes::TASK_GOLD, at, message).help("name the task that finds them: `entities: names`"))
}

/// The spans that a task finds.
fn predicted<'a>(c: &mut Checker<'a>, head: &Head<'a>, e: &'a Expr, x: &Input, types: SpaceId) -> Checked<NodeId> {
    let id = match c.eval(e, &head.scope) {
        Val::Task(id) => id,
        Val::Error => return Err(Reported),
        _ => {
            let d = Diagnostic::new(codes::WRONG_KIND, e.span, "`entities` names a task, and this is none");
            return Err(c.error(d.help("name the `tag` or `spans` task that finds the entities")));
        }
    };
    let built = c.built(id, e.span)?;
    let (ty, name) = (c.graph.ty(built.label).clone(), c.task(id).name.clone());
    if built.on.example != x.on.example {
        let (a, b) = (x.on.example.name(), built.on.example.name());
        let message = format!("the task reads examples of '{a}' and its entities are of '{b}'");
        return Err(c.error(Diagnostic::new(codes::EXAMPLE_MISMATCH, e.span, message)));
    }
    match ty {
        Ty::Gold(_, GoldKind::Spans, _) => Ok(built.label),
        Ty::Label(on, space) if on.axes == x.on.axes => {
            let how = attrs([("space", space.0.into()), ("types", types.0.into())]);
            let ty = Ty::Gold(on, GoldKind::Spans, Some(types));
            Ok(c.plain("label_spans", vec![built.label], how, ty, e.span))
        }
        _ => {
            let message = format!("'{name}' finds no spans along the tokens that are read here");
            let d = Diagnostic::new(codes::TASK_HEAD, e.span, message);
            Err(c.error(d.help("name a `tag` task with BIO labels or a `spans` task on the same text")))
        }
    }
}

/// The spans that labels such as `B-Loc I-Loc O` mark; a type that no gold span has matches none.
#[cfg(feature = "train")]
pub fn run_label_spans(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (Value::Label { ids, rows, .. }, Some(offsets)) = (&inputs[0], inputs[0].rows().and_then(|r| r.inner())) else {
        return run.wrong_input();
    };
    let (labels, types) = (run.labels("space"), run.labels("types"));
    let name = |id: &u32| labels.get(*id as usize).cloned().unwrap_or_else(|| "O".into());
    let spans = offsets.windows(2).map(|text| {
        let tags: Vec<String> = ids[text[0] as usize..text[1] as usize].iter().map(name).collect();
        let spans = value::from_bio(&tags).into_iter().map(|(start, end, kind)| Labelled {
            range: Range { member: 0, start: start as u32, end: end as u32 },
            label: types.iter().position(|t| t == kind).map_or(NO_LABEL, |at| at as u32),
        });
        Some(spans.collect())
    });
    Ok(Value::Spans { each: std::sync::Arc::new(spans.collect()), rows: rows.clone() })
}

#[cfg(feature = "train")]
pub fn run_given_spans(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    Ok(inputs[if run.training { inputs.len() - 1 } else { 0 }].clone())
}

#[cfg(feature = "train")]
pub fn run_related(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let Value::Relations { each, spans, rows } = &inputs[0] else { return run.wrong_input() };
    // Where relations are not known, no span is looked at.
    let known = each.iter().zip(spans.iter()).map(|(pairs, spans)| spans.clone().filter(|_| pairs.is_some()));
    Ok(Value::Spans { each: std::sync::Arc::new(known.collect()), rows: rows.clone() })
}
