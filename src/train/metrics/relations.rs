//! F1 of relations, over those of all examples together.

use super::{Context, Metric, judged, ratio};
use crate::train::trainee::{Answer, Judged, Labelled, Linked};

/// 2·right / (predicted + gold), where a gold relation is matched by one predicted at most.
fn f1(items: &[Judged], matches: impl Fn(&Linked, &Linked) -> bool) -> f64 {
    let (mut right, mut all) = (0, 0);
    for pair in judged(items) {
        let (Answer::Relations(predicted), Answer::Relations(gold)) = pair else { continue };
        let (predicted, mut left) = (distinct(predicted), distinct(gold));
        all += predicted.len() + left.len();
        for relation in &predicted {
            if let Some(at) = left.iter().position(|gold| matches(relation, gold)) {
                left.remove(at);
                right += 1;
            }
        }
    }
    ratio(2.0 * right as f64, all as f64)
}

fn distinct(relations: &[Linked]) -> Vec<Linked> {
    let mut found = Vec::with_capacity(relations.len());
    relations.iter().for_each(|r| {
        if !found.contains(r) {
            found.push(*r)
        }
    });
    found
}

/// A relation is right if its label and the boundaries and types of both spans are.
pub struct Strict;

impl Metric for Strict {
    fn name(&self) -> &'static str {
        "strict_f1"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["relate"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        f1(items, |predicted, gold| predicted == gold)
    }
}

/// A relation is right if its label is and each of its spans has a token and the type in common
/// with the gold one: a span of several tokens counts when one of them is found (as Bekoulis et al.
/// 2018 count entities in their relaxed setting).
pub struct Relaxed;

impl Metric for Relaxed {
    fn name(&self) -> &'static str {
        "relaxed_f1"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["relate"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let meet = |a: &Labelled, b: &Labelled| {
            let (x, y) = (a.range, b.range);
            a.label == b.label && x.member == y.member && x.start < y.end && y.start < x.end
        };
        f1(items, |p, g| p.label == g.label && meet(&p.head, &g.head) && meet(&p.tail, &g.tail))
    }
}
