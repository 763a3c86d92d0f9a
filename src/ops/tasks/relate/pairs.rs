//! `pairs`: a label, or none, for each ordered pair of spans.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::backend::exec::{Run, numbers};
use crate::backend::kernels::{loss, segment, shape, simd};
use crate::backend::rows::offsets_of;
use crate::backend::{NO_LABEL, Offsets, Rows, Value};
use crate::data::{Labelled, Relation};
use crate::ops::spans::{place, tokens};
use crate::ops::tasks::heads::by_example;

/// First and last row of a span in a text that begins at `base`.
pub fn ends(base: u32, span: &Labelled) -> (u32, u32) {
    (base + span.range.start, base + span.range.end - 1)
}

/// Every ordered pair of `n` spans.
pub fn ordered(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (0..n).filter(move |j| *j != i).map(move |j| (i, j)))
}

/// Rows of a value that pairs are read from.
#[derive(Default)]
struct Places {
    ends: [Vec<u32>; 4],
    between: Vec<u32>,
    /// Rows between the two spans of each pair.
    apart: Vec<usize>,
    /// Pairs of each example.
    pairs: Vec<usize>,
}

impl Places {
    fn new(each: &[Option<Vec<Labelled>>], offsets: &Offsets) -> Self {
        let mut places = Self::default();
        for (spans, text) in each.iter().zip(offsets.windows(2)) {
            let spans = spans.as_deref().unwrap_or_default();
            ordered(spans.len()).for_each(|(i, j)| places.add(ends(text[0], &spans[i]), ends(text[0], &spans[j])));
            places.pairs.push(spans.len() * spans.len().saturating_sub(1));
        }
        places
    }

    fn add(&mut self, a: (u32, u32), b: (u32, u32)) {
        self.ends.iter_mut().zip([a.0, a.1, b.0, b.1]).for_each(|(all, at)| all.push(at));
        let between = a.1.min(b.1) + 1..a.0.max(b.0);
        self.apart.push(between.len());
        self.between.extend(between);
    }
}

/// First and last state of both spans, and the greatest of those between them, 0 where there is none.
pub fn run_vectors(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Spans { each, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let Places { ends, between, apart, pairs } = Places::new(each, offsets);
    let mut parts: Vec<Tensor> =
        ends.into_iter().map(|at| segment::gather_rows(x, &Arc::new(at))).collect::<Result<_>>()?;
    parts.push(segment::max(&segment::gather_rows(x, &Arc::new(between))?, &offsets_of(apart))?);
    Ok(Value::float(shape::concat_cols(&parts)?, &Rows::along(offsets_of(pairs)).into()))
}

/// The vectors of both spans, zeros for one that is longer than those enumerated.
pub fn run_span_pairs(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let ((x, rows), max) = (inputs[0].as_float()?, run.int("max"));
    let (Value::Spans { each, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let (mut first, mut second, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for (spans, text) in each.iter().zip(offsets.windows(2)) {
        let (spans, n) = (spans.as_deref().unwrap_or_default(), tokens((text[1] - text[0]) as usize, max));
        let at = |i: usize| {
            let place = place(n, max, spans[i].range.start as usize, spans[i].range.end as usize);
            place.map_or(x.dims()[0] as u32, |place| text[0] + place as u32)
        };
        ordered(spans.len()).for_each(|(i, j)| {
            first.push(at(i));
            second.push(at(j));
        });
        pairs.push(spans.len() * spans.len().saturating_sub(1));
    }
    let all = Tensor::cat(&[x, &Tensor::zeros((1, x.dim(1)?), x.dtype(), x.device())?], 0)?;
    let parts = [segment::gather_rows(&all, &first.into())?, segment::gather_rows(&all, &second.into())?];
    Ok(Value::float(shape::concat_cols(&parts)?, &Rows::along(offsets_of(pairs)).into()))
}

/// The label of each pair of gold spans; `none` where they are not related.
fn gold(each: &[Option<Vec<Relation>>], spans: &[Option<Vec<Labelled>>], none: u32) -> Vec<u32> {
    let mut labels = Vec::new();
    for (pairs, spans) in each.iter().zip(spans) {
        let (Some(pairs), Some(spans)) = (pairs, spans) else { continue };
        let label = |(i, j): (usize, usize)| {
            let found = pairs.iter().find(|r| (r.head as usize, r.tail as usize) == (i, j));
            found.map_or(none, |r| if r.label < none { r.label } else { NO_LABEL })
        };
        labels.extend(ordered(spans.len()).map(label));
    }
    labels
}

pub fn run_loss(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let Value::Relations { each, spans, .. } = &inputs[1] else { return run.wrong_input() };
    let labels = gold(each, spans, x.dim(1)? as u32 - 1).into();
    by_example(&loss::softmax_cross_entropy(x, &labels, 0.0, None)?, rows)
}

pub fn run_relations(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, _) = inputs[0].as_float()?;
    let Value::Spans { each: spans, rows } = &inputs[1] else { return run.wrong_input() };
    let (width, logits) = (x.dim(1)?, numbers(x)?);
    let mut best = logits.chunks_exact(width).map(|row| simd::greatest(row) as u32);
    let each = spans.iter().map(|spans| {
        let spans = spans.as_ref()?;
        let pairs = ordered(spans.len()).zip(best.by_ref().take(spans.len() * spans.len().saturating_sub(1)));
        let found = pairs.filter(|(_, label)| *label + 1 < width as u32);
        Some(found.map(|((i, j), label)| Relation { head: i as u32, tail: j as u32, label }).collect())
    });
    Ok(Value::Relations { each: Arc::new(each.collect()), spans: spans.clone(), rows: rows.clone() })
}
