//! `shift(x, n)`: what stands some places before.

use super::signature::*;
use super::{Operation, attrs};
use crate::plan::Attr;
use crate::sema::call::{ArgVal, Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// `shift(x, n)`.
pub struct Shift;

static SHIFT: Signature = Signature {
    name: "shift",
    group: Group::Combine,
    doc: "Each place reads the one n places before, along the innermost axis; with a negative n, the one after. Zeros stand where there is none.",
    inputs: &[input("x")],
    args: &[required("n", Kind::Int(-1_000_000, 1_000_000), "Places to the right.")],
};

impl Operation for Shift {
    fn signature(&self) -> &'static Signature {
        &SHIFT
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        let n = match call.args.get("n") {
            Some((ArgVal::Int(n), _)) => *n,
            _ => 0,
        };
        Ok(Val::Node(c.emit(call, vec![x], attrs([("n", Attr::Int(n))]), vec![], Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        Ok(Value::float(kernels::segment::rows_or_zeros(x, shifted(offsets, run.float("n") as i64))?, rows))
    }
}

/// The row that each row reads, `u32::MAX` for none.
#[cfg(feature = "train")]
pub(super) fn shifted(offsets: &[u32], n: i64) -> Vec<u32> {
    let row = |at: i64, start: u32, end: u32| {
        let from = at - n;
        if (i64::from(start)..i64::from(end)).contains(&from) { from as u32 } else { u32::MAX }
    };
    let segments = offsets.windows(2);
    segments.flat_map(|w| (w[0]..w[1]).map(move |at| row(i64::from(at), w[0], w[1]))).collect()
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::shifted;

    #[test]
    fn no_place_reads_another_text() {
        const NONE: u32 = u32::MAX;
        assert_eq!(shifted(&[0, 3, 3, 5], 1), [NONE, 0, 1, NONE, 3]);
        assert_eq!(shifted(&[0, 3, 3, 5], -2), [2, NONE, NONE, NONE, NONE]);
        assert_eq!(shifted(&[0, 3], 0), [0, 1, 2]);
        assert_eq!(shifted(&[0, 1], 9), [NONE]);
    }
}
