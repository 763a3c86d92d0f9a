//! How far predicted and gold label sets overlap.

use super::{Context, Metric, ratio, sets};
use crate::train::trainee::Judged;

/// The mean over examples of |P ∩ G| / |P ∪ G|, and 1 for an example where both are empty, since
/// nothing is what is right there (as SemEval-2018's task 1 counts it).
pub struct Jaccard;

impl Metric for Jaccard {
    fn name(&self) -> &'static str {
        "jaccard"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["multilabel"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let sets = sets(items);
        let overlap = |(predicted, gold): &(&[u32], &[u32])| {
            let both = predicted.iter().filter(|label| gold.contains(label)).count();
            let either = predicted.len() + gold.len() - both;
            if either == 0 { 1.0 } else { both as f64 / either as f64 }
        };
        ratio(sets.iter().map(overlap).sum(), sets.len() as f64)
    }
}
