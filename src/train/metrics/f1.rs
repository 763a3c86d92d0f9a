//! F1 of labels: 2TP / (2TP + FP + FN).

use std::collections::BTreeMap;

use super::{Context, Metric, labels, ratio, sets};
use crate::train::trainee::Judged;

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    both: usize,
    predicted: usize,
    gold: usize,
}

impl Counts {
    fn f1(self) -> f64 {
        ratio(2.0 * self.both as f64, (self.predicted + self.gold) as f64)
    }
}

/// Counts of each label that occurs.
fn count(items: &[Judged]) -> BTreeMap<u32, Counts> {
    let mut counts: BTreeMap<u32, Counts> = BTreeMap::new();
    let classes = labels(items);
    let single = classes.iter().map(|(p, g)| (std::slice::from_ref(p), std::slice::from_ref(g)));
    for (predicted, gold) in single.chain(sets(items)) {
        for label in predicted {
            let entry = counts.entry(*label).or_default();
            entry.predicted += 1;
            entry.both += usize::from(gold.contains(label));
        }
        gold.iter().for_each(|label| counts.entry(*label).or_default().gold += 1);
    }
    counts
}

/// The mean of the labels' F1. For classes and tags over the labels that occur in gold or
/// prediction; for label sets over the whole space, as scikit-learn does with an indicator
/// matrix.
pub struct MacroF1;

impl Metric for MacroF1 {
    fn name(&self) -> &'static str {
        "macro_f1"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["classify", "multilabel", "tag"]
    }

    fn value(&self, items: &[Judged], context: &Context) -> f64 {
        let counts = count(items);
        let absent = |label: &u32| !counts.contains_key(label);
        let absent = match sets(items).is_empty() {
            true => 0,
            false => (0..context.classes as u32).filter(absent).count(),
        };
        let sum: f64 = counts.values().map(|label| label.f1()).sum();
        ratio(sum, (counts.len() + absent) as f64)
    }
}

/// F1 of all labels together.
pub struct MicroF1;

impl Metric for MicroF1 {
    fn name(&self) -> &'static str {
        "micro_f1"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["classify", "multilabel", "tag"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let mut all = Counts::default();
        for label in count(items).values() {
            all.both += label.both;
            all.predicted += label.predicted;
            all.gold += label.gold;
        }
        all.f1()
    }
}
