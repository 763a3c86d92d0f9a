//! Recurrent layers: `lstm`, `gru` and their bidirectional forms, a whole sequence as one operation.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::ParamId;
use crate::sema::types::{Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{
    Param, Value,
    exec::Run,
    kernels::recurrent::{gru, lstm},
};

/// A recurrent layer.
pub struct Recurrent {
    signature: Signature,
    gates: usize,
    both: bool,
}

const fn recurrent(name: &'static str, doc: &'static str, gates: usize, both: bool) -> Recurrent {
    let signature = Signature { name, group: Group::Recurrent, doc, inputs: X, args: ARGS };
    Recurrent { signature, gates, both }
}

const X: &[Input] = &[input("x")];
const ARGS: &[Arg] = &[
    required("d", COUNT, "Width of what comes out; a bidirectional layer has half of it in each direction."),
    arg("layers", Kind::Int(1, 64), Default::Int(1), "How many are stacked."),
    arg("dropout", Kind::Share, Default::Float(0.0), "Dropout between the stacked layers."),
    arg(
        "reads",
        Kind::Any,
        Default::Unset,
        "Of `lstm`: a layer whose states on the same text, which is what the layer written here is applied to, the candidate memory reads one step before, through a gate; layers may read each other (Liu et al. 2016).",
    ),
];

/// `lstm(d)`.
pub static LSTM: Recurrent = recurrent(
    "lstm",
    "States of a long short-term memory from left to right (Hochreiter & Schmidhuber 1997).",
    4,
    false,
);
/// `gru(d)`.
pub static GRU: Recurrent =
    recurrent("gru", "States of gated recurrent units from left to right (Cho et al. 2014).", 3, false);
/// `bilstm(d)`.
pub static BILSTM: Recurrent = recurrent("bilstm", "States of two LSTMs, one in each direction, end to end.", 4, true);
/// `bigru(d)`.
pub static BIGRU: Recurrent = recurrent("bigru", "States of two GRUs, one in each direction, end to end.", 3, true);

impl Operation for Recurrent {
    fn signature(&self) -> &'static Signature {
        // The four layers are statics, so their signatures live as long as the program.
        match (self.gates, self.both) {
            (4, false) => &LSTM.signature,
            (4, true) => &BILSTM.signature,
            (_, false) => &GRU.signature,
            (_, true) => &BIGRU.signature,
        }
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (mut x, on, mut width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        if call.args.any("reads").is_some() {
            return super::reads::states(c, call, (x, on, width)).map(Val::Node);
        }
        let d = call.args.int("d").unwrap_or(1);
        let h = if self.both { halves(c, call, d)? } else { d };
        let dropout = call.args.float("dropout").unwrap_or(0.0);
        for layer in 0..call.args.int("layers").unwrap_or(1) {
            let ty = Ty::Vector(on.clone(), d.into());
            if layer > 0 && dropout > 0.0 {
                let mut between = call.clone();
                between.site = c.sub_call(call, call.op, vec![], layer as u32).site;
                x = c.emit_random(&between, "dropout", vec![x], attrs([("p", dropout.into())]), ty.clone());
            }
            let suffix = if layer == 0 { String::new() } else { format!("_l{layer}") };
            let mut params = self.params(c, call, &suffix, &width, h)?;
            if self.both {
                params.extend(self.params(c, call, &format!("{suffix}_reverse"), &width, h)?);
            }
            x = c.emit(call, vec![x], attrs([]), params, ty);
            width = d.into();
        }
        Ok(Val::Node(x))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = run.recurrent_input(&inputs[0])?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let p = |i: usize| -> &Param { run.param(i) };
        let y = match (self.gates, self.both) {
            (4, false) => lstm::lstm(x, offsets, p(0), p(1), p(2), false)?,
            (4, true) => lstm::bi(x, offsets, [p(0), p(1), p(2)], [p(3), p(4), p(5)])?,
            (_, false) => gru::gru(x, offsets, p(0), p(1), p(2), p(3), false)?,
            (_, true) => gru::bi(x, offsets, [p(0), p(1), p(2), p(3)], [p(4), p(5), p(6), p(7)])?,
        };
        Ok(Value::float(y, rows))
    }
}

impl Recurrent {
    fn params<'a>(
        &self,
        c: &mut Checker<'a>,
        call: &Call<'a>,
        suffix: &str,
        width: &Width,
        h: usize,
    ) -> Checked<Vec<ParamId>> {
        if self.gates == 4 {
            return lstm_params(c, call, suffix, width, h, UNKNOWN);
        }
        let init = Init::Uniform(1.0 / (h as f32).sqrt());
        let mut one =
            |name: &str, shape: Vec<Width>, init: Init| c.param(call, &format!("{name}{suffix}"), shape, init);
        Ok(vec![
            one("w_ih", vec![(3 * h).into(), width.clone()], init.clone())?,
            one("w_hh", vec![(3 * h).into(), h.into()], init)?,
            one("b_ih", vec![(3 * h).into()], Init::Chrono { gates: 3, steps: UNKNOWN })?,
            one("b_hh", vec![(3 * h).into()], Init::Zeros)?,
        ])
    }
}

/// Stands for the lengths of texts until data is read.
pub(super) const UNKNOWN: f32 = 0.0;

/// Parameters of one direction of an LSTM of `h` units: `w_ih [4h, in]`, `w_hh [4h, h]`, `bias [4h]`.
/// Its memories begin with lengths of up to `steps`.
pub fn lstm_params<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    suffix: &str,
    width: &Width,
    h: usize,
    steps: f32,
) -> Checked<Vec<ParamId>> {
    let init = Init::Uniform(1.0 / (h as f32).sqrt());
    let mut one = |name: &str, shape: Vec<Width>, init: Init| c.param(call, &format!("{name}{suffix}"), shape, init);
    Ok(vec![
        one("w_ih", vec![(4 * h).into(), width.clone()], init.clone())?,
        one("w_hh", vec![(4 * h).into(), h.into()], init)?,
        // Gates that begin with memories as long as the texts: a state that forgets over a few
        // steps learns nothing from the beginning of a review.
        one("bias", vec![(4 * h).into()], Init::Chrono { gates: 4, steps })?,
    ])
}

/// The width of each direction.
pub fn halves<'a>(c: &mut Checker<'a>, call: &Call<'a>, d: usize) -> Checked<usize> {
    if d.is_multiple_of(2) {
        return Ok(d / 2);
    }
    let at = call.args.span("d").unwrap_or(call.span);
    let message = format!("the two directions of '{}' share its width, so {d} must be even", call.name());
    Err(c.error_in(
        &call.scope,
        Diagnostic::new(codes::BAD_ARGUMENT, at, message).help(format!("write {} or {}", d - 1, d + 1)),
    ))
}
