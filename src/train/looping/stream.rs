//! The batches of a data set, pass after pass.

use crate::plan::BatchPlan;
use crate::train::checkpoint::Cursor;
use crate::train::feed::Feed;
use crate::train::seed::seed_of;

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
