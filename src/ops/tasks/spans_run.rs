//! The tensor code of `spans`.

use std::cmp::Ordering;
use std::sync::Arc;

use candle_core::Result;

use super::heads::by_example;
use crate::backend::exec::{Run, numbers};
use crate::backend::kernels::{loss, simd};
use crate::backend::{NO_LABEL, Value};
use crate::data::{Labelled, Range};
use crate::ops::spans::{all, place, tokens};

/// The type of each span, `none` for one that is no gold span.
fn gold(spans: &[Labelled], n: usize, max: usize, none: u32, labels: &mut [u32]) {
    for span in spans {
        let at = place(n, max, span.range.start as usize, span.range.end as usize);
        if let Some(label) = at.and_then(|at| labels.get_mut(at)) {
            *label = if span.label < none { span.label } else { NO_LABEL };
        }
    }
}

pub fn run_loss(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let ((x, rows), max) = (inputs[0].as_float()?, run.int("max"));
    let (Value::Spans { each, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let none = x.dim(1)? as u32 - 1;
    let mut labels = vec![NO_LABEL; x.dim(0)?];
    for (spans, text) in each.iter().zip(offsets.windows(2)) {
        let Some(spans) = spans else { continue };
        let labels = &mut labels[text[0] as usize..text[1] as usize];
        labels.fill(none);
        gold(spans, tokens(labels.len(), max), max, none, labels);
    }
    by_example(&loss::softmax_cross_entropy(x, &labels.into(), 0.0, None)?, rows)
}

/// How many spans stay, and which.
struct Pruning {
    max: usize,
    keep: f64,
    nested: bool,
}

impl Pruning {
    /// The spans of a text by the probabilities of their types, none being the last.
    fn choose(&self, probs: &[f32], width: usize) -> Vec<Labelled> {
        let n = tokens(probs.len() / width, self.max);
        let spans = all(n, self.max).zip(probs.chunks_exact(width)).map(|(span, row)| (span, simd::greatest(row), row));
        let mut likely: Vec<_> = spans.filter(|(_, label, _)| label + 1 < width).collect();
        likely.sort_by(|a, b| b.2[b.1].partial_cmp(&a.2[a.1]).unwrap_or(Ordering::Equal));
        let mut kept: Vec<(usize, usize, usize)> = Vec::new();
        for ((start, end), label, _) in likely {
            let free = self.nested || kept.iter().all(|(s, e, _)| end <= *s || *e <= start);
            if free && kept.len() < (self.keep * n as f64).ceil() as usize {
                kept.push((start, end, label));
            }
        }
        kept.sort_unstable();
        let range = |start: usize, end: usize| Range { member: 0, start: start as u32, end: end as u32 };
        kept.iter().map(|(start, end, label)| Labelled { range: range(*start, *end), label: *label as u32 }).collect()
    }
}

pub fn run_chosen(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (p, rows) = inputs[0].as_float()?;
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let pruning = Pruning { max: run.int("max"), keep: run.float("keep"), nested: run.bool("nested") };
    let (probs, width) = (numbers(p)?, p.dim(1)?);
    let of = |text: &[u32]| Some(pruning.choose(&probs[text[0] as usize * width..text[1] as usize * width], width));
    let each = offsets.windows(2).map(of).collect::<Vec<_>>();
    Ok(Value::Spans { each: Arc::new(each), rows: Arc::new(rows.outer()) })
}
