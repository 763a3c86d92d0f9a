//! Correlation of numbers.

use super::{Context, Metric, numbers, ratio};
use crate::train::trainee::Judged;

/// Pearson's r: Σ (p - p̄)(g - ḡ) / √(Σ (p - p̄)² Σ (g - ḡ)²), 0 where one of them is constant.
pub struct Pearson;

impl Metric for Pearson {
    fn name(&self) -> &'static str {
        "pearson"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["regress"]
    }

    fn is_share(&self) -> bool {
        false
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let (predicted, gold) = numbers(items);
        pearson(&predicted, &gold)
    }
}

/// Spearman's ρ: Pearson's r of the ranks, with ties at their mean rank.
pub struct Spearman;

impl Metric for Spearman {
    fn name(&self) -> &'static str {
        "spearman"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["regress"]
    }

    fn is_share(&self) -> bool {
        false
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let (predicted, gold) = numbers(items);
        pearson(&ranks(&predicted), &ranks(&gold))
    }
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let is_constant = |x: &[f64]| x.windows(2).all(|pair| pair[0] == pair[1]);
    if is_constant(a) || is_constant(b) {
        return 0.0;
    }
    let (a, b) = (centred(a), centred(b));
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    ratio(dot(&a, &b), dot(&a, &a).sqrt() * dot(&b, &b).sqrt()).clamp(-1.0, 1.0)
}

fn centred(x: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|value| value - mean).collect()
}

fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
    let mut ranks = vec![0.0; x.len()];
    let mut start = 0;
    for tied in order.chunk_by(|a, b| x[*a] == x[*b]) {
        let mean = start as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|place| ranks[*place] = mean);
        start += tied.len();
    }
    ranks
}
