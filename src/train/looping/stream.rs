//! The batches of a data set, pass after pass.

use std::collections::BTreeMap;

use super::stage::EpochPlan;
use crate::data::ahead::Ahead;
use crate::diagnostics::Diagnostic;
use crate::plan::BatchPlan;
use crate::train::checkpoint::Cursor;
use crate::train::feed::{Feed, Portion};
use crate::train::seed::seed_of;

/// The train batches of each data set of a stage.
pub(super) type Streams = BTreeMap<usize, Stream>;

/// The batches of an epoch, made ahead.
pub(super) type Batches<'a, B> = Ahead<'a, Fetched<B>>;

/// A batch of train, and which examples it has.
pub(super) struct Fetched<B> {
    pub(super) examples: Vec<u32>,
    pub(super) batch: Result<B, Diagnostic>,
}

/// The batches of an epoch in the order of its plan; those of the first `done` steps are passed
/// over.
pub(super) fn batches<'a, F: Feed>(
    feed: &'a F,
    streams: &'a mut Streams,
    plan: &'a EpochPlan,
    done: usize,
) -> impl Iterator<Item = Fetched<F::Batch>> + Send + 'a {
    let groups = plan.turns.iter().flatten().enumerate();
    let parts = groups.flat_map(|(step, group)| group.iter().flatten().map(move |part| (step, part.data)));
    parts.filter_map(move |(step, data)| {
        let examples = streams.get_mut(&data).map(|stream| stream.next(feed)).unwrap_or_default();
        (step >= done).then(|| Fetched { batch: feed.fetch(data, Portion::Train, &examples), examples })
    })
}

/// A data set's train batches without end: when a pass is through, the next one is shuffled
/// anew.
pub(super) struct Stream {
    data: usize,
    size: BatchPlan,
    seed: u64,
    cursor: Cursor,
    pass: Option<(u64, Vec<Vec<u32>>)>,
}

impl Stream {
    /// The batches of data set `data` in a stage, from its first.
    pub(super) fn new(data: usize, size: BatchPlan, seed: u64, stage: usize) -> Self {
        let seed = seed_of(seed, "batches", &[stage as u64, data as u64]);
        Self { data, size, seed, cursor: Cursor::default(), pass: None }
    }

    /// Where it is.
    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Goes on from there.
    pub(super) fn seek(&mut self, cursor: Cursor) {
        self.cursor = cursor;
    }

    /// Batches of the pass that the next batch is of.
    pub(super) fn pass_len<F: Feed>(&mut self, feed: &F) -> usize {
        self.settle(feed);
        self.pass.as_ref().map_or(0, |(_, batches)| batches.len())
    }

    /// The examples of the next batch.
    pub(super) fn next<F: Feed>(&mut self, feed: &F) -> Vec<u32> {
        self.settle(feed);
        let batches = self.pass.as_ref().map(|(_, batches)| batches.as_slice());
        let batch = batches.and_then(|batches| batches.get(self.cursor.index)).cloned();
        self.cursor.index += 1;
        batch.unwrap_or_default()
    }

    /// Loads the pass of the cursor, or the next one where that is through.
    fn settle<F: Feed>(&mut self, feed: &F) {
        self.load(feed);
        let len = self.pass.as_ref().map_or(0, |(_, batches)| batches.len());
        if self.cursor.index >= len && self.cursor.index > 0 {
            self.cursor = Cursor { pass: self.cursor.pass + 1, index: 0 };
            self.load(feed);
        }
    }

    fn load<F: Feed>(&mut self, feed: &F) {
        let pass = self.cursor.pass;
        if self.pass.as_ref().is_none_or(|(loaded, _)| *loaded != pass) {
            self.pass = Some((pass, feed.plan_epoch(self.data, self.size, self.seed, pass)));
        }
    }
}
