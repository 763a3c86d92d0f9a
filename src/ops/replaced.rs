//! A text whose corrupted words a masked language model has drawn anew, and which of them are
//! others now (Clark et al. 2020).

use super::Operation;
use super::signature::*;
use crate::plan::Attrs;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, SpaceSource};
use crate::sema::types::{On, SpaceId, Ty};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run};

/// An operation on the words that a masked language model has drawn.
pub struct Redrawn {
    signature: &'static Signature,
    #[cfg(feature = "train")]
    run: fn(&Run<'_>, &[Value]) -> candle_core::Result<Value>,
}

static REWRITTEN_SIGNATURE: Signature = Signature {
    name: "rewritten",
    group: Group::Internal,
    doc: "A text with other words where they were corrupted; at prediction, the text.",
    inputs: &[input("text"), input("chosen"), input("drawn")],
    args: &[],
};

static REPLACED_SIGNATURE: Signature = Signature {
    name: "replaced",
    group: Group::Internal,
    doc: "Whether each word is another than the original.",
    inputs: &[input("chosen"), input("drawn")],
    args: &[],
};

/// A text with other words where they were corrupted.
pub static REWRITTEN: Redrawn = Redrawn {
    signature: &REWRITTEN_SIGNATURE,
    #[cfg(feature = "train")]
    run: rewritten,
};

/// Whether each word is another than the original.
pub static REPLACED: Redrawn = Redrawn {
    signature: &REPLACED_SIGNATURE,
    #[cfg(feature = "train")]
    run: replaced,
};

impl Operation for Redrawn {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        (self.run)(run, inputs)
    }
}

/// `g.sample` of a masked language model: its text, with the chosen words drawn anew.
pub fn text_of(c: &mut Checker<'_>, chosen: NodeId, drawn: NodeId, space: SpaceId, on: &On, span: Span) -> NodeId {
    let text = c.graph.node(chosen).inputs[0];
    let attrs = Attrs::from_iter([("space".to_string(), space.0.into())]);
    c.plain("rewritten", vec![text, chosen, drawn], attrs, Ty::Tokens(on.clone()), span)
}

/// `g.replaced`.
pub fn flags_of(c: &mut Checker<'_>, chosen: NodeId, drawn: NodeId, on: &On, span: Span) -> NodeId {
    let space = c.space("replaced", SpaceSource::List(vec!["original".into(), "replaced".into()]));
    c.plain("replaced", vec![chosen, drawn], Attrs::new(), Ty::Label(on.clone(), space), span)
}

#[cfg(feature = "train")]
fn rewritten(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let [Value::Tokens { ids, lexicon, rows }, Value::Label { ids: chosen, .. }, Value::Label { ids: drawn, .. }] =
        inputs
    else {
        return run.wrong_input();
    };
    if !run.training && !run.bool("judged") {
        return Ok(inputs[0].clone());
    }
    let words = run.words_of(drawn);
    let each = ids.iter().zip(words).zip(chosen.iter());
    let ids: Vec<u32> = each.map(|((word, other), chosen)| if *chosen == NO_LABEL { *word } else { other }).collect();
    Ok(Value::Tokens { ids: ids.into(), lexicon: lexicon.clone(), rows: rows.clone() })
}

#[cfg(feature = "train")]
fn replaced(run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
    let [Value::Label { ids: chosen, rows, .. }, Value::Label { ids: drawn, .. }] = inputs else {
        return run.wrong_input();
    };
    let is_other = |(chosen, drawn): (&u32, &u32)| u32::from(*chosen != NO_LABEL && chosen != drawn);
    let ids: Vec<u32> = chosen.iter().zip(drawn.iter()).map(is_other).collect();
    Ok(Value::Label { ids: ids.into(), space: 2, rows: rows.clone() })
}
