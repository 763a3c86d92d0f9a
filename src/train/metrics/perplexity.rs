//! How many words a language model or a decoder hesitates between.

use super::{Context, Metric, labels, texts};
use crate::train::trainee::Judged;

/// exp of the mean loss of a word.
pub struct Perplexity;

impl Metric for Perplexity {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["lm", "mlm", "generate"]
    }

    fn higher_is_better(&self) -> bool {
        false
    }

    fn is_share(&self) -> bool {
        false
    }

    fn value(&self, items: &[Judged], context: &Context) -> f64 {
        let words = labels(items).len() + texts(items).map(|(_, gold)| gold.pieces).sum::<usize>();
        if words == 0 { 0.0 } else { (context.loss / words as f64).exp() }
    }
}
