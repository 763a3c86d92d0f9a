//! What the training loop asks of the data.

use serde::{Deserialize, Serialize};

use crate::diagnostics::Diagnostic;
use crate::plan::BatchPlan;

/// A split of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// What is learned from.
    Train,
    /// What picks the best epoch.
    Dev,
    /// What is judged once, at the end.
    Test,
}

/// A source of batches. Data sets are indices into [`crate::plan::Plan::datasets`], examples
/// are positions in a split.
///
/// Batches are fetched on another thread, ahead of their use.
pub trait Feed: Sync {
    /// A batch as the model takes it.
    type Batch: Send;

    /// Examples of a split; 0 when the data set does not have it.
    fn size(&self, data: usize, portion: Portion) -> usize;

    /// The batches of one pass over the train split, shuffled: a pure function of the
    /// arguments. Every example stands in one batch.
    fn plan_epoch(&self, data: usize, size: BatchPlan, seed: u64, epoch: u64) -> Vec<Vec<u32>>;

    /// The batches of a split for evaluation, in any fixed order.
    fn plan_eval(&self, data: usize, portion: Portion, size: BatchPlan) -> Vec<Vec<u32>>;

    /// These examples as a batch.
    fn fetch(&self, data: usize, portion: Portion, examples: &[u32]) -> Result<Self::Batch, Diagnostic>;

    /// Tokens of a batch, for reports; 0 where that means nothing.
    fn tokens(&self, _batch: &Self::Batch) -> usize {
        0
    }

    /// The labels of a space ([`crate::plan::Plan::spaces`]), in the order of their indices.
    fn labels(&self, _space: usize) -> Vec<String> {
        Vec::new()
    }
}
