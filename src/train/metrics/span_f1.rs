//! F1 of labelled spans that tags stand for, as the CoNLL shared tasks count them.

use std::collections::HashSet;

use super::{Context, Metric, judged, ratio};
use crate::backend::NO_LABEL;
use crate::train::trainee::{Answer, Judged, Labelled};

/// A span of places `start..end` with its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chunk<'a> {
    /// First place.
    pub start: usize,
    /// The place after the last.
    pub end: usize,
    /// `PER`.
    pub kind: &'a str,
}

/// The spans of a sequence of tags, by the rules of `conlleval` and `seqeval`: BIO, IOB and
/// BIOES, and in sequences that are none of these an `I-` after `O` or after another type
/// begins a span.
pub fn chunks<'a>(tags: &[&'a str]) -> Vec<Chunk<'a>> {
    let mut chunks = Vec::new();
    let (mut before, mut start) = (("O", ""), 0);
    for (place, tag) in tags.iter().copied().chain(["O"]).enumerate() {
        let tag = split(tag);
        if ends(before, tag) {
            chunks.push(Chunk { start, end: place, kind: before.1 });
        }
        if begins(before, tag) {
            start = place;
        }
        before = tag;
    }
    chunks
}

/// `B-PER` into `B` and `PER`; a tag without a type has the type `_`.
fn split(tag: &str) -> (&str, &str) {
    let first = tag.chars().next().map_or(0, char::len_utf8);
    let (prefix, rest) = tag.split_at(first);
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (prefix, if kind.is_empty() { "_" } else { kind })
}

fn is_outside(prefix: &str) -> bool {
    matches!(prefix, "O" | "." | "")
}

fn ends(before: (&str, &str), now: (&str, &str)) -> bool {
    match before.0 {
        "E" | "S" => true,
        "B" | "I" if matches!(now.0, "B" | "S" | "O") => true,
        prefix => !is_outside(prefix) && before.1 != now.1,
    }
}

fn begins(before: (&str, &str), now: (&str, &str)) -> bool {
    match now.0 {
        "B" | "S" => true,
        "E" | "I" if matches!(before.0, "E" | "S" | "O") => true,
        prefix => !is_outside(prefix) && before.1 != now.1,
    }
}

/// 2·right / (predicted + gold), over the spans of all examples together. A place without gold
/// is passed over; a gold tag that train never had is a span that nothing matches.
pub struct SpanF1;

/// A tag of a type that no prediction has.
const NEVER: &str = "B-\u{0}";

impl Metric for SpanF1 {
    fn name(&self) -> &'static str {
        "span_f1"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["tag", "spans"]
    }

    fn value(&self, items: &[Judged], context: &Context) -> f64 {
        let name = |label: u32| context.labels.get(label as usize).map_or(NEVER, String::as_str);
        let (mut right, mut all) = (0, 0);
        for pair in judged(items) {
            if let (Answer::Spans(predicted), Answer::Spans(gold)) = pair {
                let wanted: HashSet<&Labelled> = gold.iter().collect();
                right += predicted.iter().filter(|span| wanted.contains(span)).count();
                all += predicted.len() + wanted.len();
                continue;
            }
            let (Answer::Tags(predicted), Answer::Tags(gold)) = pair else {
                continue;
            };
            let places = predicted.iter().zip(gold).filter(|(_, gold)| **gold != NO_LABEL);
            let (predicted, gold): (Vec<&str>, Vec<&str>) = places.map(|(p, g)| (name(*p), name(*g))).unzip();
            let (found, wanted) = (chunks(&predicted), chunks(&gold));
            let wanted: HashSet<&Chunk> = wanted.iter().collect();
            right += found.iter().filter(|chunk| wanted.contains(chunk)).count();
            all += found.len() + wanted.len();
        }
        ratio(2.0 * right as f64, all as f64)
    }
}
