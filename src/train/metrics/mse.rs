//! Mean squared error.

use super::{Context, Metric, numbers, ratio};
use crate::train::trainee::Judged;

/// Σ (p - g)² / n.
pub struct Mse;

impl Metric for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["regress"]
    }

    fn higher_is_better(&self) -> bool {
        false
    }

    fn is_share(&self) -> bool {
        false
    }

    fn value(&self, items: &[Judged], _context: &Context) -> f64 {
        let (predicted, gold) = numbers(items);
        let squares = predicted.iter().zip(&gold).map(|(p, g)| (p - g) * (p - g));
        ratio(squares.sum(), gold.len() as f64)
    }
}
