//! Where examples wait until enough of them make a batch.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::data::FieldValue;

/// The fields of an example.
pub type Row = Vec<FieldValue>;

/// Batches that wait at most; the stream is not read further before one is taken.
const WAITING: usize = 4;

/// Examples in their order, put in by one thread and taken out by several.
pub struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
    /// Examples of a batch.
    most: usize,
    /// How long an example waits for others; without it, until the batch is full or the stream
    /// is at its end, so that batches do not depend on time.
    patience: Option<Duration>,
}

#[derive(Default)]
struct State {
    rows: VecDeque<Row>,
    /// When the first of them began to wait.
    since: Option<Instant>,
    closed: bool,
    batches: usize,
    examples: u32,
}

/// Some examples that follow each other.
pub struct Taken {
    /// Which batch of the stream it is, from 0.
    pub number: usize,
    /// Which example of the stream its first is, from 0.
    pub first: u32,
    /// The examples; there is at least one.
    pub rows: Vec<Row>,
}

impl Inbox {
    /// An empty one.
    pub fn new(most: usize, patience: Option<Duration>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), most: most.max(1), patience }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an example in as soon as there is room; says whether anybody still wants one.
    pub fn put(&self, row: Row) -> bool {
        let full = |state: &mut State| state.rows.len() >= self.most * WAITING && !state.closed;
        let mut state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return false;
        }
        state.rows.push_back(row);
        state.since.get_or_insert_with(Instant::now);
        // Takers wait for the first example, to look at the clock, and for whole batches.
        if state.rows.len() == 1 || state.rows.len().is_multiple_of(self.most) {
            self.changed.notify_all();
        }
        true
    }

    /// No example comes any more. Those that wait are still taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// No example comes any more, and none is taken.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.rows.clear();
        self.changed.notify_all();
    }

    /// The next batch, when it is full or has waited long enough; `None` at the end.
    pub fn take(&self) -> Option<Taken> {
        let mut state = self.lock();
        loop {
            let waited = state.since.map(|since| since.elapsed());
            let left = self.patience.zip(waited).map(|(most, waited)| most.saturating_sub(waited));
            if state.rows.len() >= self.most || state.closed || left.is_some_and(|left| left.is_zero()) {
                break;
            }
            state = match left {
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let count = state.rows.len().min(self.most);
        if count == 0 {
            return None;
        }
        let rows: Vec<Row> = state.rows.drain(..count).collect();
        let taken = Taken { number: state.batches, first: state.examples, rows };
        state.batches += 1;
        state.examples = state.examples.wrapping_add(count as u32);
        state.since = (!state.rows.is_empty()).then(Instant::now);
        self.changed.notify_all();
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{scope, sleep};

    use super::*;

    fn row(n: u32) -> Row {
        vec![FieldValue::Class(n)]
    }

    #[test]
    fn batches_are_whole_but_for_the_last() {
        let inbox = Inbox::new(3, None);
        scope(|threads| {
            threads.spawn(|| {
                (0..32).for_each(|n| assert!(inbox.put(row(n))));
                inbox.close();
            });
            let mut seen = Vec::new();
            while let Some(taken) = inbox.take() {
                assert_eq!((taken.number * 3, taken.first as usize), (seen.len(), seen.len()));
                assert_eq!(taken.rows.len(), if taken.number < 10 { 3 } else { 2 });
                seen.extend(taken.rows);
            }
            assert_eq!(seen, (0..32).map(row).collect::<Vec<_>>());
        });
        assert!(!inbox.put(row(0)));
    }

    #[test]
    fn an_example_does_not_wait_long_for_others() {
        let inbox = Inbox::new(100, Some(Duration::from_millis(5)));
        inbox.put(row(1));
        assert_eq!(inbox.take().map(|taken| taken.rows.len()), Some(1));
        scope(|threads| {
            let later = threads.spawn(|| inbox.take().map(|taken| taken.rows.len()));
            sleep(Duration::from_millis(20));
            inbox.put(row(2));
            assert_eq!(later.join().unwrap(), Some(1));
        });
    }

    #[test]
    fn few_examples_wait_and_an_abandoned_inbox_frees_both_sides() {
        let inbox = Inbox::new(2, None);
        scope(|threads| {
            let put = threads.spawn(|| (0..1000).take_while(|n| inbox.put(row(*n))).count());
            sleep(Duration::from_millis(20));
            inbox.abandon();
            assert_eq!(put.join().unwrap(), 2 * WAITING);
        });
        assert!(inbox.take().is_none());
    }
}
