//! How far predicted and gold label sets overlap.

use super::{Context, Metric, ratio, sets};
use crate::train::trainee::Judged;

/// The mean over examples of |P ∩ G| / |P ∪ G|, 0 where both are empty, as scikit-learn's
/// `jaccard_score(average="samples")`.
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
            ratio(both as f64, (predicted.len() + gold.len() - both) as f64)
        };
        ratio(sets.iter().map(overlap).sum(), sets.len() as f64)
    }
}
