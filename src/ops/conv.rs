//! `conv`: a convolution along the tokens.

use super::signature::*;
use super::{Operation, attrs};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// `conv(d, width)`.
pub struct Conv;

static CONV: Signature = Signature {
    name: "conv",
    group: Group::Dense,
    doc: "A convolution over windows of tokens with as many places as its input, followed by an activation; beyond the ends stand zeros (Kim 2014).",
    inputs: &[input("x")],
    args: &[
        required("d", COUNT, "Number of filters."),
        arg("width", Kind::Int(1, 999), Default::Int(3), "Tokens in a window."),
        arg("act", Kind::Word(super::dense::ACTIVATIONS), Default::Word("relu"), "The activation."),
    ],
};

impl Operation for Conv {
    fn signature(&self) -> &'static Signature {
        &CONV
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        let d = call.args.int("d").unwrap_or(1);
        let k = call.args.int("width").unwrap_or(3);
        let weight = c.param(call, "weight", vec![d.into(), width.times(k)], Init::FanIn)?;
        let bias = c.param(call, "bias", vec![d.into()], Init::Zeros)?;
        let attributes = attrs([("width", k.into()), ("act", call.args.word("act").unwrap_or("relu").into())]);
        Ok(Val::Node(c.emit(call, vec![x], attributes, vec![weight, bias], Ty::Vector(on, d.into()))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let (w, b) = (run.param(0), run.param(1));
        let y = kernels::conv::conv1d(x, offsets, w, b, run.int("width"), run.activation("act"))?;
        Ok(Value::float(y, rows))
    }
}
