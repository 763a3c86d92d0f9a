//! `spans_of(x, max)` and `pairs(x, y)`: vectors of all spans of a text, and of all pairs of places.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::{On, Ty, Width};

#[cfg(feature = "train")]
use crate::backend::rows::offsets_of;
#[cfg(feature = "train")]
use crate::backend::{Rows, Value, exec::Run, kernels::segment, kernels::shape};
#[cfg(feature = "train")]
use std::sync::Arc;

/// `spans_of(x, max)`.
pub struct SpansOf;

static SPANS_OF: Signature = Signature {
    name: "spans_of",
    group: Group::Structure,
    doc: "Vectors of all spans of up to `max` tokens: the values at both ends, and an embedding of how many tokens the span has (Lee et al. 2017). They run along an axis of their own, `T.spans(max)`, from the first token on and from short to long.",
    inputs: &[input("x")],
    args: &[
        arg("max", COUNT, Default::Int(8), "Longest span."),
        arg("width", COUNT, Default::Int(20), "Width of the embedding of a span's length."),
    ],
};

/// The axis of the spans of an axis.
pub fn axis_of(tokens: &str, max: usize) -> String {
    format!("{tokens}.spans({max})")
}

/// The axis whose spans an axis is of, and the most tokens that a span has.
pub fn under(axis: &str) -> Option<(&str, usize)> {
    let (tokens, rest) = axis.rsplit_once(".spans(")?;
    Some((tokens, rest.strip_suffix(')')?.parse().ok()?))
}

/// The spans of a text of `n` tokens, as start and end.
pub fn all(n: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |start| (start + 1..=n.min(start + max)).map(move |end| (start, end)))
}

/// How many spans a text of `n` tokens has.
pub fn count(n: usize, max: usize) -> usize {
    let short = max.min(n);
    short * n - short * short.saturating_sub(1) / 2
}

/// The tokens of a text that has so many spans.
pub fn tokens(spans: usize, max: usize) -> usize {
    (0..).find(|n| count(*n, max) >= spans).unwrap_or(0)
}

/// The place of a span among those of its text.
pub fn place(n: usize, max: usize, start: usize, end: usize) -> Option<usize> {
    let inside = start < end && end <= n && end - start <= max;
    inside.then(|| count(n, max) - count(n - start, max) + end - start - 1)
}

impl Operation for SpansOf {
    fn signature(&self) -> &'static Signature {
        &SPANS_OF
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let axis = c.axis(call, 0, &on)?;
        let number = |name| call.args.int(name).unwrap_or(1);
        let (max, d) = (number("max"), number("width"));
        let table = c.param(call, "length", vec![max.into(), d.into()], Init::Normal(0.1))?;
        let mut axes = on.outer().axes.to_vec();
        axes.push(axis_of(&axis, max).into());
        let ty = Ty::Vector(On { example: on.example, axes: axes.into() }, width.times(2).plus(&Width::from(d)));
        Ok(Val::Node(c.emit(call, vec![x], attrs([("max", max.into())]), vec![table], ty)))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((x, rows), max) = (inputs[0].as_float()?, run.int("max"));
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let (mut starts, mut ends, mut lengths, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for text in offsets.windows(2) {
            let n = (text[1] - text[0]) as usize;
            for (start, end) in all(n, max) {
                starts.push(text[0] + start as u32);
                ends.push(text[0] + end as u32 - 1);
                lengths.push((end - start - 1) as u32);
            }
            counts.push(count(n, max));
        }
        let table = run.param(0).tensor();
        let rows_of = |of: &candle_core::Tensor, at: Vec<u32>| segment::gather_rows(of, &Arc::new(at));
        let parts = [rows_of(x, starts)?, rows_of(x, ends)?, rows_of(&table, lengths)?];
        let mut levels = rows.outer().levels;
        levels.push(offsets_of(counts));
        Ok(Value::float(shape::concat_cols(&parts)?, &Rows { batch: rows.batch, levels }.into()))
    }
}

/// `pairs(x, y)`.
pub struct Pairs;

static PAIRS: Signature = Signature {
    name: "pairs",
    group: Group::Structure,
    doc: "[x; y] of each place of the one with each of the other, along the axis of x and below it that of y.",
    inputs: &[input("x"), input("y")],
    args: &[],
};

impl Operation for Pairs {
    fn signature(&self) -> &'static Signature {
        &PAIRS
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let ((x, on, width), (y, below, more)) = (c.vector(call, 0)?, c.vector(call, 1)?);
        let axes = [c.axis(call, 0, &on)?, c.axis(call, 1, &below)?];
        let examples = [(on.examples(), call.inputs[0].1), (below.examples(), call.inputs[1].1)];
        let meeting = c.meet(&examples, call.span, &call.scope)?;
        if let Some(at) = [&on, &below].iter().position(|on| on.axes.len() > 1) {
            let message = "'pairs' takes values along one axis each, and this runs along several";
            return Err(c.error_in(&call.scope, Diagnostic::new(codes::AXIS_MISMATCH, call.inputs[at].1, message)));
        }
        let inner = if axes[0] == axes[1] { format!("{}.other", axes[1]).into() } else { axes[1].clone() };
        let on = On { example: meeting.example, axes: [axes[0].clone(), inner].into() };
        Ok(Val::Node(c.emit(call, vec![x, y], attrs([]), vec![], Ty::Vector(on, width.plus(&more)))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((x, rows), (y, others)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let (Some(a), Some(b)) = (rows.inner(), others.inner()) else { return run.wrong_input() };
        let (mut first, mut second, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (a, b) in a.windows(2).zip(b.windows(2)) {
            for i in a[0]..a[1] {
                first.extend(std::iter::repeat_n(i, (b[1] - b[0]) as usize));
                second.extend(b[0]..b[1]);
                counts.push((b[1] - b[0]) as usize);
            }
        }
        let parts = [segment::gather_rows(x, &first.into())?, segment::gather_rows(y, &second.into())?];
        let levels = vec![a.clone(), offsets_of(counts)];
        Ok(Value::float(shape::concat_cols(&parts)?, &Rows { batch: rows.batch, levels }.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_and_found() {
        for (n, max) in (0..9).flat_map(|n| (1..12).map(move |max| (n, max))) {
            let spans: Vec<_> = all(n, max).collect();
            assert_eq!((spans.len(), tokens(spans.len(), max)), (count(n, max), n));
            for (at, (start, end)) in spans.iter().enumerate() {
                assert_eq!(place(n, max, *start, *end), Some(at));
            }
            assert_eq!(place(n, max, 0, n + 1), None);
            assert_eq!(place(n, max, 0, max + 1), None);
        }
        assert_eq!(under(&axis_of("d.text", 8)), Some(("d.text", 8)));
        assert_eq!(under("text"), None);
    }
}
