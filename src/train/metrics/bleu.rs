//! BLEU: how many n-grams of what was written stand in what should have been.

use super::ngrams::{common, count, is_space};
use super::{Context, Metric, texts};
use crate::train::trainee::Judged;

/// The longest n-gram that counts.
const ORDER: usize = 4;

/// Corpus BLEU (Papineni et al. 2002) between 0 and 1: bp · exp(¼ Σ log pₙ), over the n-grams of all texts
/// together, bp = exp(1 − r/c) where the c predicted words are fewer than the r of the references. As sacreBLEU
/// has it by default: 13a tokens, and an order without a match counts as half a match, the next such as a quarter,
/// and so on.
pub struct Bleu;

impl Metric for Bleu {
    fn name(&self) -> &'static str {
        "bleu"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["generate"]
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        Counts::of(items).score(false)
    }

    /// Sentence BLEU: over the orders that the prediction has n-grams of.
    fn of_one(&self, item: &Judged, _context: &Context) -> f64 {
        Counts::of(std::slice::from_ref(item)).score(true)
    }
}

/// The sufficient statistics of a corpus.
#[derive(Default)]
struct Counts {
    /// Predicted n-grams by order.
    predicted: [usize; ORDER],
    /// Those that the reference has.
    matched: [usize; ORDER],
    /// Predicted words.
    written: usize,
    /// Words of the references.
    wanted: usize,
}

impl Counts {
    fn of(items: &[Judged]) -> Self {
        let mut all = Self::default();
        for (predicted, gold) in texts(items) {
            let (predicted, gold) = (spaced(&predicted.text), spaced(&gold.text));
            let (predicted, gold) = (words(&predicted), words(&gold));
            all.written += predicted.len();
            all.wanted += gold.len();
            for n in 1..=ORDER {
                all.predicted[n - 1] += count(&predicted, n);
                all.matched[n - 1] += common(&predicted, &gold, n);
            }
        }
        all
    }

    fn score(&self, effective: bool) -> f64 {
        if self.matched.iter().all(|n| *n == 0) {
            return 0.0;
        }
        let orders = if effective { self.predicted.iter().take_while(|n| **n > 0).count() } else { ORDER };
        let (mut log, mut smoothed) = (0.0, 1.0);
        for (matched, predicted) in self.matched.iter().zip(self.predicted).take(orders) {
            if predicted == 0 {
                return 0.0;
            }
            let matched = if *matched == 0 {
                smoothed /= 2.0;
                smoothed
            } else {
                *matched as f64
            };
            log += (matched / predicted as f64).ln();
        }
        let short = (1.0 - self.wanted as f64 / self.written as f64).min(0.0);
        (short + log / orders as f64).exp()
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|word| !word.is_empty()).collect()
}

/// A text with spaces between its tokens, as mteval-v13a cuts it.
fn spaced(text: &str) -> String {
    let text = text.trim_end_matches(is_space).replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let mut marked = vec![' '];
    for c in text.chars() {
        let alone = c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.');
        if alone { marked.extend([' ', c, ' ']) } else { marked.push(c) }
    }
    marked.push(' ');
    let (digit, point) = (|c: char| c.is_ascii_digit(), |c: char| matches!(c, '.' | ','));
    // A point or comma stays only between digits, and a dash only where no digit is before it.
    let marked = pairs(&marked, |a, b| !digit(a) && point(b), |a, b| [a, ' ', b, ' ']);
    let marked = pairs(&marked, |a, b| point(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    let marked = pairs(&marked, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' ']);
    marked.into_iter().collect()
}

/// Writes pairs of neighbours anew, from left to right; no character is part of two.
fn pairs(text: &[char], found: impl Fn(char, char) -> bool, written: impl Fn(char, char) -> [char; 4]) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut i = 0;
    while i < text.len() {
        match text.get(i + 1) {
            Some(&next) if found(text[i], next) => {
                out.extend(written(text[i], next));
                i += 2;
            }
            _ => {
                out.push(text[i]);
                i += 1;
            }
        }
    }
    out
}
