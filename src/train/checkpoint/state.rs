//! Where a run stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::train::events::{EpochRecord, Position, Scored};
use crate::train::schedule::PaceState;

/// Everything about a run that is not an array of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The run's seed.
    pub seed: u64,
    /// What is done.
    pub position: Position,
    /// Where each data set stood when the epoch began.
    pub cursors: BTreeMap<usize, Cursor>,
    /// Steps of each parameter.
    pub optimizer_steps: Vec<u64>,
    /// Steps of what the balancer learns.
    pub balance_steps: Vec<u64>,
    /// The schedule's memory.
    pub pace: PaceState,
    /// The best epoch of the stage.
    pub best: Option<Best>,
    /// Epochs since then.
    pub since_best: usize,
    /// The weights that each finished stage ended with, for stages that later ones come after.
    pub ends: BTreeMap<usize, String>,
    /// Train losses of the epoch that runs.
    pub sums: BTreeMap<String, LossSum>,
    /// Every epoch so far.
    pub history: Vec<EpochRecord>,
}

impl RunState {
    /// Files of weights that this state refers to.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let best = self.best.as_ref().map(|best| best.file.as_str());
        best.into_iter().chain(self.ends.values().map(String::as_str))
    }
}

/// A place in a data set: which pass over it, and the next batch of the pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Passes done.
    pub pass: u64,
    /// Batches taken of the pass that runs.
    pub index: usize,
}

/// The best epoch so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// What selects.
    pub score: Scored,
    /// All dev figures.
    pub dev: Vec<Scored>,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Its weights.
    pub file: String,
}

/// A mean in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSum {
    /// Sum of losses times examples.
    #[serde(with = "crate::train::bits")]
    pub sum: f64,
    /// Examples.
    pub examples: usize,
}

impl LossSum {
    /// Adds a mean over so many examples.
    pub fn add(&mut self, mean: f64, examples: usize) {
        self.sum += mean * examples as f64;
        self.examples += examples;
    }

    /// The mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        if self.examples == 0 { 0.0 } else { self.sum / self.examples as f64 }
    }
}
