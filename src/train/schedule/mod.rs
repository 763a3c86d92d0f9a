//! How the learning rate runs: a file for each shape and one table, [`schedule_of`].
//!
//! Every schedule gives a factor of the optimiser's rate for the step that is about to be made,
//! counted from 0. The warm-up climbs linearly and reaches 1 with its last step, so that no step
//! is wasted on a rate of 0; what falls to 0 gets there when the last step is done.

mod constant;
mod cosine;
mod exponential;
mod inverse_sqrt;
mod linear;
mod plateau;
mod step;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::plan::{Length, SchedulePlan};

/// Where training stands, for a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Steps done in the stage.
    pub step: usize,
    /// Steps that the stage will have.
    pub steps: usize,
    /// Steps of warm-up.
    pub warmup: usize,
    /// Epochs done in the stage.
    pub epoch: usize,
    /// How often the rate was reduced for want of improvement.
    pub reductions: usize,
}

impl Time {
    /// The share of the way from the end of the warm-up to the last step, in `0..=1`.
    fn way(&self) -> f64 {
        let all = self.steps.saturating_sub(self.warmup).max(1);
        (self.step.saturating_sub(self.warmup) as f64 / all as f64).min(1.0)
    }
}

/// A shape, after the warm-up.
pub trait Schedule: Send + Sync {
    /// The factor at this time.
    fn factor(&self, time: &Time) -> f64;

    /// For a schedule that waits for improvement: the epochs it waits.
    fn patience(&self) -> Option<usize> {
        None
    }
}

/// The table of schedules, each with its warm-up.
pub fn schedule_of(plan: &SchedulePlan) -> (Box<dyn Schedule>, Length) {
    match *plan {
        SchedulePlan::Constant { warmup } => (Box::new(constant::Constant), warmup),
        SchedulePlan::Linear { warmup } => (Box::new(linear::Linear), warmup),
        SchedulePlan::Cosine { warmup } => (Box::new(cosine::Cosine), warmup),
        SchedulePlan::InverseSqrt { warmup } => (Box::new(inverse_sqrt::InverseSqrt), warmup),
        SchedulePlan::Step { every, gamma, warmup } => (Box::new(step::Step { every, gamma }), warmup),
        SchedulePlan::Exponential { gamma, warmup } => (Box::new(exponential::Exponential { gamma }), warmup),
        SchedulePlan::Plateau { factor, patience, warmup } => (Box::new(plateau::Plateau { factor, patience }), warmup),
    }
}

/// Steps of a length of time within a stage of `steps` steps.
pub fn steps_of(length: Length, steps: usize) -> usize {
    match length {
        Length::Steps(steps) => steps,
        Length::Share(share) => (share * steps as f64).round() as usize,
    }
}

/// A schedule on its way through a stage.
pub struct Pace {
    shape: Box<dyn Schedule>,
    warmup: usize,
    steps: usize,
    state: PaceState,
}

/// What a checkpoint keeps of a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceState {
    /// Reductions so far.
    pub reductions: usize,
    /// Epochs since the last improvement or reduction.
    pub waited: usize,
}

impl Pace {
    /// The schedule of a stage of `steps` steps.
    pub fn new(plan: &SchedulePlan, steps: usize) -> Self {
        let (shape, warmup) = schedule_of(plan);
        Self { shape, warmup: steps_of(warmup, steps), steps, state: PaceState::default() }
    }

    /// The factor for the step that comes after `step` steps and `epoch` epochs.
    pub fn factor(&self, step: usize, epoch: usize) -> f64 {
        let (warmup, reductions) = (self.warmup, self.state.reductions);
        let time = Time { step, steps: self.steps, warmup, epoch, reductions };
        let climb = if step < warmup { (step + 1) as f64 / warmup as f64 } else { 1.0 };
        climb * self.shape.factor(&time)
    }

    /// Hears whether an epoch with a dev set brought improvement.
    pub fn epoch_judged(&mut self, improved: bool) {
        let Some(patience) = self.shape.patience() else {
            return;
        };
        self.state.waited = if improved { 0 } else { self.state.waited + 1 };
        if self.state.waited >= patience.max(1) {
            self.state = PaceState { reductions: self.state.reductions + 1, waited: 0 };
        }
    }

    /// For checkpoints.
    pub fn state(&self) -> PaceState {
        self.state
    }

    /// Goes on from a checkpoint.
    pub fn resume(&mut self, state: PaceState) {
        self.state = state;
    }
}
