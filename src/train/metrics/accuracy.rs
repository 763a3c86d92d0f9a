//! The share of labels that are right.

use super::{Context, Metric, labels, ratio};
use crate::train::trainee::Judged;

/// Right labels over all labels; for tags, over all places of all examples together.
pub struct Accuracy;

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["classify", "tag", "rank", "detect", "lm", "mlm"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let pairs = labels(items);
        let right = pairs.iter().filter(|(predicted, gold)| predicted == gold).count();
        ratio(right as f64, pairs.len() as f64)
    }
}
