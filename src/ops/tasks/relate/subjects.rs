//! `tags`: a sequence of tags for each subject, which mark the spans related to it. Label `r` is
//! `B-r` as tag `1 + 2r` and `I-r` as `2 + 2r`; tag 0 is outside.

use std::sync::Arc;

use candle_core::Result;

use super::pairs::ends;
use crate::backend::exec::Run;
use crate::backend::kernels::crf::{Constraint, best_labels};
use crate::backend::kernels::{loss, segment, shape};
use crate::backend::rows::offsets_of;
use crate::backend::{NO_LABEL, Rows, Value};
use crate::data::{Labelled, Relation};
use crate::ops::tasks::heads::by_example;

/// For each span of a text its tokens, each beside the first and last state of the span.
pub fn run_rows(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Spans { each, .. }, Some(offsets)) = (&inputs[1], rows.inner()) else { return run.wrong_input() };
    let (mut at, mut lengths) = ([const { Vec::new() }; 3], Vec::new());
    for (spans, text) in each.iter().zip(offsets.windows(2)) {
        for span in spans.iter().flatten() {
            let (first, last) = ends(text[0], span);
            (text[0]..text[1]).for_each(|token| at.iter_mut().zip([token, first, last]).for_each(|(a, i)| a.push(i)));
            lengths.push((text[1] - text[0]) as usize);
        }
    }
    let parts = at.into_iter().map(|at| segment::gather_rows(x, &Arc::new(at))).collect::<Result<Vec<_>>>()?;
    let spans = offsets_of(each.iter().map(|spans| spans.as_ref().map_or(0, Vec::len)));
    let levels = vec![spans, offsets_of(lengths)];
    Ok(Value::float(shape::concat_cols(&parts)?, &Rows { batch: each.len(), levels }.into()))
}

/// The tags of a subject's objects in a text of `n` tokens. Of objects that overlap, the first stands.
fn tags(subject: usize, pairs: &[Relation], spans: &[Labelled], labels: u32, n: usize) -> Vec<u32> {
    let mut tags = vec![0; n];
    for pair in pairs.iter().filter(|r| r.head as usize == subject) {
        let range = spans[pair.tail as usize].range;
        let places = &mut tags[range.start as usize..range.end as usize];
        if places.iter().any(|tag| *tag != 0) {
            continue;
        }
        let known = pair.label < labels;
        places.fill(if known { 2 + 2 * pair.label } else { NO_LABEL });
        if let (true, Some(first)) = (known, places.first_mut()) {
            *first = 1 + 2 * pair.label;
        }
    }
    tags
}

pub fn run_loss(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Relations { each, spans, .. }, Some(tokens)) = (&inputs[1], rows.inner()) else {
        return run.wrong_input();
    };
    let labels = (x.dim(1)? as u32 - 1) / 2;
    let (mut gold, mut lengths) = (Vec::with_capacity(x.dim(0)?), tokens.windows(2).map(|w| w[1] - w[0]));
    for (pairs, spans) in each.iter().zip(spans.iter()) {
        let (Some(pairs), Some(spans)) = (pairs, spans) else { continue };
        for (subject, n) in (0..spans.len()).zip(lengths.by_ref()) {
            gold.extend(tags(subject, pairs, spans, labels, n as usize));
        }
    }
    by_example(&loss::softmax_cross_entropy(x, &gold.into(), 0.0, None)?, rows)
}

/// The runs that well-formed tags mark, as start, end and label.
fn marked(tags: &[u32]) -> Vec<(u32, u32, u32)> {
    let mut found: Vec<(u32, u32, u32)> = Vec::new();
    for (i, tag) in (0u32..).zip(tags).filter(|(_, tag)| **tag != 0) {
        match found.last_mut().filter(|_| tag % 2 == 0) {
            Some(last) => last.1 = i + 1,
            None => found.push((i, i + 1, (tag - 1) / 2)),
        }
    }
    found
}

pub fn run_relations(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    let (Value::Spans { each: spans, rows: examples }, Some(tokens)) = (&inputs[1], rows.inner()) else {
        return run.wrong_input();
    };
    let names = (0..(x.dim(1)? - 1) / 2).flat_map(|r| [format!("B-{r}"), format!("I-{r}")]);
    let names: Vec<String> = std::iter::once("O".to_string()).chain(names).collect();
    let Some(constraint) = Constraint::bio(&names) else { return run.wrong_input() };
    let best = best_labels(&x.detach(), &constraint, tokens)?;
    let mut sequences = tokens.windows(2).map(|w| marked(&best[w[0] as usize..w[1] as usize]));
    let each = spans.iter().map(|spans| {
        let (spans, mut found) = (spans.as_ref()?, Vec::new());
        for (subject, runs) in (0..spans.len()).zip(sequences.by_ref()) {
            found.extend(runs.into_iter().filter_map(|run| object(subject, run, spans)));
        }
        Some(found)
    });
    Ok(Value::Relations { each: Arc::new(each.collect()), spans: spans.clone(), rows: examples.clone() })
}

/// The relation of a subject to the span that a run is.
fn object(subject: usize, (start, end, label): (u32, u32, u32), spans: &[Labelled]) -> Option<Relation> {
    let is_it = |(i, span): (usize, &Labelled)| i != subject && (span.range.start, span.range.end) == (start, end);
    let tail = spans.iter().enumerate().position(is_it)?;
    Some(Relation { head: subject as u32, tail: tail as u32, label })
}
