//! `heads`: each token selects others with each label on its own (Bekoulis et al. 2018).

use std::sync::Arc;

use candle_core::Result;

use super::pairs::{ends, ordered};
use crate::backend::exec::{Run, numbers};
use crate::backend::kernels::{loss, segment};
use crate::backend::rows::offsets_of;
use crate::backend::{Offsets, Rows, Value};
use crate::data::{Labelled, Relation};
use crate::ops::tasks::heads::by_example;

/// Row `i` of the first value plus row `j` of the second, for all tokens `i` and `j` of a text.
pub fn run_table(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let ((a, rows), (b, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let texts = || offsets.windows(2).map(|text| text[0]..text[1]);
    let first = texts().flat_map(|text| text.clone().flat_map(move |i| text.clone().map(move |_| i)));
    let second = texts().flat_map(|text| text.clone().flat_map(move |_| text.clone()));
    let (first, second): (Vec<u32>, Vec<u32>) = (first.collect(), second.collect());
    let sums = (segment::gather_rows(a, &first.into())? + segment::gather_rows(b, &second.into())?)?;
    let mut below = Rows::clone(rows);
    below.levels.push(offsets_of(texts().flat_map(|text| text.clone().map(move |_| text.len()))));
    Ok(Value::float(sums, &below.into()))
}

/// Calls `f(example, span, span, row)` with the row of a table that each ordered pair of spans
/// has: that of the last token of the one and of the other.
fn rows_of_pairs(each: &[Option<Vec<Labelled>>], tokens: &Offsets, mut f: impl FnMut(usize, usize, usize, usize)) {
    let mut start = 0;
    for (example, (spans, text)) in each.iter().zip(tokens.windows(2)).enumerate() {
        let n = (text[1] - text[0]) as usize;
        let spans = spans.as_deref().unwrap_or_default();
        for (i, j) in ordered(spans.len()) {
            let (a, b) = (ends(0, &spans[i]).1 as usize, ends(0, &spans[j]).1 as usize);
            f(example, i, j, start + a * n + b);
        }
        start += n * n;
    }
}

/// 1 for each label of a pair of last tokens, 0 elsewhere, NaN where nothing is known.
fn targets(
    each: &[Option<Vec<Relation>>],
    spans: &[Option<Vec<Labelled>>],
    tokens: &Offsets,
    labels: usize,
) -> Vec<f32> {
    let mut targets = Vec::new();
    for (pairs, text) in each.iter().zip(tokens.windows(2)) {
        let n = (text[1] - text[0]) as usize;
        targets.resize(targets.len() + n * n * labels, if pairs.is_some() { 0.0 } else { f32::NAN });
    }
    rows_of_pairs(spans, tokens, |example, i, j, row| {
        let pairs = each[example].iter().flatten();
        let own = pairs.filter(|r| (r.head as usize, r.tail as usize) == (i, j) && (r.label as usize) < labels);
        own.for_each(|r| targets[row * labels + r.label as usize] = 1.0);
    });
    targets
}

pub fn run_loss(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Relations { each, spans, .. }, Some(tokens)) = (&inputs[1], rows.levels.first()) else {
        return run.wrong_input();
    };
    let targets = targets(each, spans, tokens, x.dim(1)?);
    by_example(&loss::sigmoid_bce(x, &Arc::new(targets))?, rows)
}

pub fn run_relations(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Spans { each: spans, rows: examples }, Some(tokens)) = (&inputs[1], rows.levels.first()) else {
        return run.wrong_input();
    };
    let (labels, logits) = (x.dim(1)?, numbers(x)?);
    let p = run.float_or("threshold", 0.5);
    let least = (p / (1.0 - p)).ln() as f32;
    let mut each: Vec<Option<Vec<Relation>>> = spans.iter().map(|s| s.as_ref().map(|_| Vec::new())).collect();
    rows_of_pairs(spans, tokens, |example, i, j, row| {
        let reached = (0..labels).filter(|label| logits[row * labels + label] >= least);
        let found = reached.map(|label| Relation { head: i as u32, tail: j as u32, label: label as u32 });
        each[example].iter_mut().for_each(|all| all.extend(found.clone()));
    });
    Ok(Value::Relations { each: Arc::new(each), spans: spans.clone(), rows: examples.clone() })
}
