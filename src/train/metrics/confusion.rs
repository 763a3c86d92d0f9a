//! Which labels are taken for which.

use std::collections::BTreeSet;

use super::{Judged, UNSEEN, labels};

/// Counts of gold labels (rows) by predicted labels (columns).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// Size of the label space.
    pub classes: usize,
    /// `classes + 1` rows of `classes` columns; the last row is of gold labels that train
    /// never had.
    pub counts: Vec<usize>,
}

impl Confusion {
    /// How often `gold` was taken for `predicted`.
    pub fn at(&self, gold: u32, predicted: u32) -> usize {
        let row = if gold == UNSEEN { self.classes } else { gold as usize };
        self.counts.get(row * self.classes + predicted as usize).copied().unwrap_or(0)
    }
}

/// The labels that were predicted right at least once, ascending.
pub fn right_labels(items: &[Judged]) -> Vec<u32> {
    let right: BTreeSet<u32> = labels(items).into_iter().filter(|(p, g)| p == g).map(|(p, _)| p).collect();
    right.into_iter().collect()
}

/// The confusion matrix of a task with classes or tags.
pub fn confusion(items: &[Judged], classes: usize) -> Confusion {
    let mut counts = vec![0; (classes + 1) * classes];
    for (predicted, gold) in labels(items) {
        let row = (gold as usize).min(classes);
        if (predicted as usize) < classes {
            counts[row * classes + predicted as usize] += 1;
        }
    }
    Confusion { classes, counts }
}
