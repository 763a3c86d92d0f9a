//! `t.METRIC`: a task's measure of each example.

use super::Operation;
use super::signature::*;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// A measure of each example, without gradient; 0 where there is no gold.
pub struct Figure;

static FIGURE: Signature = Signature {
    name: "figure",
    group: Group::Internal,
    doc: "A metric of each example.",
    inputs: &[input("label"), input("gold")],
    args: &[],
};

impl Operation for Figure {
    fn signature(&self) -> &'static Signature {
        &FIGURE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        run.figure(&inputs[0], &inputs[1])
    }
}
