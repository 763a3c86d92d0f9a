//! How far up a ranking the right members stand.

use super::{Context, Metric, judged, ratio};
use crate::train::trainee::{Answer, Judged};

/// The mean of 1 / rank of the first right member.
pub struct Mrr;

impl Metric for Mrr {
    fn name(&self) -> &'static str {
        "mrr"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["rank"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        mean(items, |ranked| {
            let first = ranked.iter().position(|right| *right);
            first.map_or(0.0, |place| 1.0 / (place + 1) as f64)
        })
    }
}

/// The mean share of the right members that stand among the first k.
pub struct RecallAtK;

impl Metric for RecallAtK {
    fn name(&self) -> &'static str {
        "recall_at_k"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["rank"]
    }

    fn value(&self, items: &[Judged], context: &Context) -> f64 {
        mean(items, |ranked| {
            let right = |places: &[bool]| places.iter().filter(|right| **right).count() as f64;
            ratio(right(&ranked[..context.k.min(ranked.len())]), right(ranked))
        })
    }
}

/// The mean of a figure over examples that have a right member: it gets which members are right
/// (have a grade above 0), from the best score to the worst; of equal scores the first goes first.
fn mean(items: &[Judged], figure: impl Fn(&[bool]) -> f64) -> f64 {
    let mut sum = 0.0;
    let mut count = 0.0;
    for pair in judged(items) {
        let (Answer::Scores(scores), Answer::Scores(grades)) = pair else { continue };
        let mut order: Vec<usize> = (0..scores.len().min(grades.len())).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let ranked: Vec<bool> = order.into_iter().map(|i| grades[i] > 0.0).collect();
        if ranked.contains(&true) {
            sum += figure(&ranked);
            count += 1.0;
        }
    }
    ratio(sum, count)
}
