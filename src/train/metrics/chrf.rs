//! chrF: n-grams of characters that a text and its reference have in common.

use super::ngrams::{common, count, is_space};
use super::{Context, Metric, ratio, texts};
use crate::train::trainee::Judged;

/// The longest n-gram that counts.
const ORDER: usize = 6;

/// chrF2 (Popović 2015) between 0 and 1: F₂ of the mean precision and the mean recall of n-grams of one to six
/// characters without white space, over all texts together; orders that one side has no n-gram of are left out,
/// as in sacreBLEU.
pub struct Chrf;

impl Metric for Chrf {
    fn name(&self) -> &'static str {
        "chrf"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["generate"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        // Of each order the predicted n-grams, those of the references, and those in both.
        let mut counts = [[0usize; 3]; ORDER];
        for (predicted, gold) in texts(items) {
            let (predicted, gold) = (letters(&predicted.text), letters(&gold.text));
            for (n, [written, wanted, both]) in (1..).zip(&mut counts) {
                let in_gold = count(&gold, n);
                // An n-gram cannot be wrong where the reference is too short to have one.
                *written += if in_gold > 0 { count(&predicted, n) } else { 0 };
                *wanted += in_gold;
                *both += common(&predicted, &gold, n);
            }
        }
        score(&counts)
    }
}

fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| !is_space(*c)).collect()
}

fn score(counts: &[[usize; 3]]) -> f64 {
    let used = counts.iter().filter(|[written, wanted, _]| *written > 0 && *wanted > 0);
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for [written, wanted, both] in used {
        precision += *both as f64 / *written as f64;
        recall += *both as f64 / *wanted as f64;
        orders += 1.0;
    }
    let (precision, recall) = (ratio(precision, orders), ratio(recall, orders));
    ratio(5.0 * precision * recall, 4.0 * precision + recall)
}
