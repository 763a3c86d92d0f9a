//! ROUGE: words and runs of words that a text and its reference have in common.

use super::ngrams::{common, count};
use super::{Context, Metric, ratio, texts};
use crate::train::trainee::Judged;

/// What two texts are compared by.
#[derive(Clone, Copy)]
enum Unit {
    /// n-grams of words.
    Grams(usize),
    /// The longest common subsequence of words.
    Longest,
}

/// ROUGE (Lin 2004) between 0 and 1: the mean F1 of the pairs, over lower-case runs of ASCII letters and digits
/// without stemming, as the package `rouge_score` has it. Its plain name is the mean of the three.
pub struct Rouge {
    name: &'static str,
    of: &'static [Unit],
}

/// ROUGE-1: single words.
pub static ROUGE_1: Rouge = Rouge { name: "rouge_1", of: &[Unit::Grams(1)] };
/// ROUGE-2: pairs of words.
pub static ROUGE_2: Rouge = Rouge { name: "rouge_2", of: &[Unit::Grams(2)] };
/// ROUGE-L: the longest common subsequence.
pub static ROUGE_L: Rouge = Rouge { name: "rouge_l", of: &[Unit::Longest] };
/// The mean of ROUGE-1, ROUGE-2 and ROUGE-L.
pub static ROUGE: Rouge = Rouge { name: "rouge", of: &[Unit::Grams(1), Unit::Grams(2), Unit::Longest] };

impl Metric for Rouge {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["generate"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (predicted, gold) in texts(items) {
            let (predicted, gold) = (predicted.text.to_lowercase(), gold.text.to_lowercase());
            let (predicted, gold) = (words(&predicted), words(&gold));
            sum += self.of.iter().map(|unit| unit.f1(&predicted, &gold)).sum::<f64>() / self.of.len() as f64;
            pairs += 1.0;
        }
        ratio(sum, pairs)
    }
}

fn words(lower: &str) -> Vec<&str> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    lower.split(|c| !word(c)).filter(|word| !word.is_empty()).collect()
}

impl Unit {
    /// 2·both / (predicted + gold), which is F1.
    fn f1(self, predicted: &[&str], gold: &[&str]) -> f64 {
        let (both, n) = match self {
            Unit::Grams(n) => (common(predicted, gold, n), n),
            Unit::Longest => (longest(predicted, gold), 1),
        };
        ratio(2.0 * both as f64, (count(predicted, n) + count(gold, n)) as f64)
    }
}

/// The length of the longest common subsequence, in a row of the table for each word of `a`.
fn longest(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
