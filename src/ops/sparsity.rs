//! `sparsity(x)`: how far a value is from zeros.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// `sparsity(x)`.
pub struct Sparsity;

static SPARSITY: Signature = Signature {
    name: "sparsity",
    group: Group::Loss,
    doc: "Σ |xᵢ| / d: the mean absolute value over the width, at each place.",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for Sparsity {
    fn signature(&self) -> &'static Signature {
        &SPARSITY
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, _) = c.vector(call, 0)?;
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![], Ty::Vector(on, 1.into()))))
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        Ok(Value::float(x.abs()?.mean_keepdim(1)?, rows))
    }
}
