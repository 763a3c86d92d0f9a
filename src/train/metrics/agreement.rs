//! How far a student and its teacher agree.

use super::{Context, Metric, labels, numbers, ratio};
use crate::train::trainee::Judged;

/// The share of places where both give the same label; without labels, the mean of how alike
/// their vectors are.
pub struct Agreement;

impl Metric for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["distill"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let (alike, _) = numbers(items);
        if !alike.is_empty() {
            return alike.iter().sum::<f64>() / alike.len() as f64;
        }
        let pairs = labels(items);
        let same = pairs.iter().filter(|(student, teacher)| student == teacher).count();
        ratio(same as f64, pairs.len() as f64)
    }
}
