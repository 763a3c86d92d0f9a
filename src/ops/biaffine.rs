//! `biaffine(a, b, d)`: a map of two values that is linear in each.

use super::signature::*;
use super::{Operation, attrs, combine};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// `biaffine(a, b, d)`.
pub struct Biaffine;

static BIAFFINE: Signature = Signature {
    name: "biaffine",
    group: Group::Dense,
    doc: "aᵀ U b + W [a; b] + c at each place (Dozat & Manning 2017, eq. 3), with U `[d, |a|, |b|]`, W `[d, |a| + |b|]` and a bias c `[d]`; a value that lacks an axis is repeated along it.",
    inputs: &[input("a"), input("b")],
    args: &[required("d", Kind::Width, "Width of what comes out.")],
};

impl Operation for Biaffine {
    fn signature(&self) -> &'static Signature {
        &BIAFFINE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (nodes, on, widths) = combine::meeting(c, call)?;
        let d = call.args.width("d").unwrap_or_default();
        let (a, b) = (&widths[0], &widths[1]);
        let params = vec![
            c.param(call, "both", vec![d.clone(), a.clone(), b.clone()], Init::FanIn)?,
            c.param(call, "weight", vec![d.clone(), a.plus(b)], Init::FanIn)?,
            c.param(call, "bias", vec![d.clone()], Init::Zeros)?,
        ];
        Ok(Val::Node(c.emit(call, nodes, attrs([]), params, Ty::Vector(on, d))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((a, rows), (b, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let [both, weight, bias] = [0, 1, 2].map(|i| run.param(i));
        Ok(Value::float(kernels::biaffine::biaffine(a, b, both, weight, bias)?, rows))
    }
}
