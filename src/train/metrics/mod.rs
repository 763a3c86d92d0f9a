//! What a task's predictions are judged by: a file for each measure and one table, [`TABLE`].
//!
//! A measure sees all judged examples of a split at once. Where it is undefined (no example,
//! no positive, constant numbers) it is 0, as in scikit-learn. A gold label that train never
//! had ([`UNSEEN`]) is no label that a model could give, so it counts as wrong.

mod accuracy;
mod agreement;
mod bleu;
mod chrf;
pub mod confusion;
mod correlation;
mod f1;
pub mod figure;
mod jaccard;
mod mse;
mod ngrams;
mod perplexity;
mod ranking;
mod relations;
mod rouge;
pub mod span_f1;
#[cfg(test)]
mod tests;
mod tree;

use super::trainee::{Answer, Judged, Written};
use crate::backend::NO_LABEL;

/// The gold label of a place whose label train never had.
pub const UNSEEN: u32 = NO_LABEL - 1;

/// What a measure may need to know of the task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Labels of the task's space by index; empty where it has none.
    pub labels: &'a [String],
    /// Size of the space.
    pub classes: usize,
    /// The sum of the examples' losses.
    pub loss: f64,
    /// How many of a ranking `recall_at_k` looks at.
    pub k: usize,
}

/// A measure.
pub trait Metric: Sync {
    /// Its name in programs.
    fn name(&self) -> &'static str;

    /// Kinds of tasks that it measures.
    fn kinds(&self) -> &'static [&'static str];

    /// Whether more is better.
    fn higher_is_better(&self) -> bool {
        true
    }

    /// Whether it lies between 0 and 1, so that means over tasks make sense.
    fn is_share(&self) -> bool {
        true
    }

    /// Its value; examples without gold are passed over.
    fn value(&self, items: &[Judged], context: &Context) -> f64;

    /// Its value for one example, which another loss or task may read.
    fn of_one(&self, item: &Judged, context: &Context) -> f64 {
        self.value(std::slice::from_ref(item), context)
    }
}

/// The table of measures.
pub static TABLE: &[&dyn Metric] = &[
    &accuracy::Accuracy,
    &f1::MacroF1,
    &f1::MicroF1,
    &jaccard::Jaccard,
    &correlation::Pearson,
    &correlation::Spearman,
    &mse::Mse,
    &span_f1::SpanF1,
    &relations::Strict,
    &relations::Relaxed,
    &tree::Las,
    &tree::Uas,
    &perplexity::Perplexity,
    &agreement::Agreement,
    &ranking::Mrr,
    &ranking::RecallAtK,
    &bleu::Bleu,
    &chrf::Chrf,
    &rouge::ROUGE,
    &rouge::ROUGE_1,
    &rouge::ROUGE_2,
    &rouge::ROUGE_L,
];

/// The measure of that name.
pub fn metric(name: &str) -> Option<&'static dyn Metric> {
    TABLE.iter().copied().find(|metric| metric.name() == name)
}

/// Predictions beside gold, of the examples that have it.
fn judged(items: &[Judged]) -> impl Iterator<Item = (&Answer, &Answer)> {
    items.iter().filter_map(|item| Some((&item.predicted, item.gold.as_ref()?)))
}

/// Predicted and gold label of every example or place that has gold.
fn labels(items: &[Judged]) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    for pair in judged(items) {
        match pair {
            (Answer::Class(predicted), Answer::Class(gold)) => all.push((*predicted, *gold)),
            (Answer::Tags(predicted), Answer::Tags(gold)) => {
                all.extend(predicted.iter().copied().zip(gold.iter().copied()));
            }
            (Answer::Scores(scores), Answer::Scores(grades)) => all.push((1, u32::from(is_best(scores, grades)))),
            _ => {}
        }
    }
    all.retain(|(_, gold)| *gold != NO_LABEL);
    all
}

/// Whether the member with the greatest score is one with the greatest grade.
fn is_best(scores: &[f32], grades: &[f32]) -> bool {
    let best = (0..scores.len()).reduce(|a, b| if scores[b] > scores[a] { b } else { a });
    let greatest = grades.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    best.is_some_and(|best| grades.get(best) == Some(&greatest))
}

/// Predicted and gold label sets.
fn sets(items: &[Judged]) -> Vec<(&[u32], &[u32])> {
    let sets = judged(items).filter_map(|pair| match pair {
        (Answer::Labels(predicted), Answer::Labels(gold)) => Some((&predicted[..], &gold[..])),
        _ => None,
    });
    sets.collect()
}

/// Predicted and gold numbers.
fn numbers(items: &[Judged]) -> (Vec<f64>, Vec<f64>) {
    let pairs = judged(items).filter_map(|pair| match pair {
        (Answer::Number(predicted), Answer::Number(gold)) => Some((f64::from(*predicted), f64::from(*gold))),
        _ => None,
    });
    pairs.unzip()
}

/// Predicted and gold texts.
fn texts(items: &[Judged]) -> impl Iterator<Item = (&Written, &Written)> {
    judged(items).filter_map(|pair| match pair {
        (Answer::Text(predicted), Answer::Text(gold)) => Some((predicted, gold)),
        _ => None,
    })
}

/// a/b, and 0 where b is 0.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Whether two lists have the same members.
fn same_set<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.iter().all(|x| b.contains(x)) && b.iter().all(|x| a.contains(x))
}

/// Whether a prediction is right everywhere; `None` without gold.
pub fn is_correct(item: &Judged) -> Option<bool> {
    let right = match (&item.predicted, item.gold.as_ref()?) {
        (Answer::Tags(predicted), Answer::Tags(gold)) => {
            let places = predicted.iter().zip(gold).filter(|(_, gold)| **gold != NO_LABEL);
            predicted.len() == gold.len() && places.into_iter().all(|(p, g)| p == g)
        }
        (Answer::Scores(scores), Answer::Scores(grades)) => is_best(scores, grades),
        (Answer::Tree(predicted), Answer::Tree(gold)) => {
            let places = predicted.iter().zip(gold).filter(|(_, gold)| gold.head != NO_LABEL);
            predicted.len() == gold.len() && places.into_iter().all(|(p, g)| p == g)
        }
        (Answer::Relations(predicted), Answer::Relations(gold)) => same_set(predicted, gold),
        (Answer::Spans(predicted), Answer::Spans(gold)) => same_set(predicted, gold),
        (Answer::Text(predicted), Answer::Text(gold)) => predicted.text == gold.text,
        (Answer::Class(_), Answer::Class(NO_LABEL)) => return None,
        (predicted, gold) => predicted == gold,
    };
    Some(right)
}
