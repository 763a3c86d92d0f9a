//! The data room as the training loop sees it.

use crate::data::{Batch, BatchSize, Corpus, Portion as Split, Schema};
use crate::diagnostics::Diagnostic;
use crate::plan::BatchPlan;
use crate::train::feed::{Feed, Portion};

/// A corpus that feeds the loop.
pub struct CorpusFeed<'a> {
    /// The examples.
    pub corpus: &'a Corpus,
    /// Their labels.
    pub schema: &'a Schema,
}

/// The data room's name of a split.
pub fn split(portion: Portion) -> Split {
    match portion {
        Portion::Train => Split::Train,
        Portion::Dev => Split::Dev,
        Portion::Test => Split::Test,
    }
}

fn size_of(size: BatchPlan) -> BatchSize {
    match size {
        BatchPlan::Examples(n) => BatchSize::Examples(n),
        BatchPlan::Tokens(n) => BatchSize::Tokens(n),
    }
}

impl Feed for CorpusFeed<'_> {
    type Batch = Batch;

    fn size(&self, data: usize, portion: Portion) -> usize {
        self.corpus.datasets[data].size(split(portion))
    }

    fn plan_epoch(&self, data: usize, size: BatchPlan, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
        self.corpus.datasets[data].epoch_batches(Split::Train, size_of(size), seed, epoch)
    }

    fn plan_eval(&self, data: usize, portion: Portion, size: BatchPlan) -> Vec<Vec<u32>> {
        self.corpus.datasets[data].evaluation_batches(split(portion), size_of(size))
    }

    fn fetch(&self, data: usize, portion: Portion, examples: &[u32]) -> Result<Batch, Diagnostic> {
        self.corpus.datasets[data].batch(split(portion), examples)
    }

    fn tokens(&self, batch: &Batch) -> usize {
        batch.tokens()
    }

    fn labels(&self, space: usize) -> Vec<String> {
        self.schema.spaces.get(space).map(|s| s.labels.clone()).unwrap_or_default()
    }
}
