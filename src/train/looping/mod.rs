//! The training loop.
//!
//! A run is a function of the program, the data, the seed and the position: every draw is
//! seeded by where it stands ([`super::seed`]), and a checkpoint holds all the rest, so a run
//! that was stopped and resumed ends with the same bits as one that was not.
//!
//! - `stage`: what a stage trains, on what, and with which optimiser.
//! - `stream`: the batches of a data set, pass after pass, and those of an epoch.
//! - `step`: one optimiser step.
//! - `watch`: are all losses and gradients finite, and does every parameter get one?
//! - `judge`: dev figures and the best epoch.
//! - `keep`: to checkpoints and back.

mod judge;
mod keep;
mod stage;
mod step;
mod stream;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::checkpoint::{Arrays, Checkpoints, LossSum, RunState, write_arrays};
use super::events::{EpochDone, EpochRecord, Events, Finished, Position, Scored, StageStarted};
use super::feed::Feed;
use super::trainee::Trainee;
use crate::data::ahead::ahead;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;
use judge::Judged;
pub use judge::evaluate;
use stage::{EpochPlan, Stage};
use stream::{Batches, batches};

/// How a run is run, beside what the program says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The run's folder.
    pub out_dir: PathBuf,
    /// Go on from the newest whole checkpoint; without one, begin.
    pub resume: bool,
    /// Epochs of every stage, over the program's.
    pub epochs: Option<usize>,
    /// When to write checkpoints within epochs; one is written after every epoch.
    pub every: Every,
    /// Set from elsewhere (Ctrl-C), it ends the run after the step that runs, with a checkpoint.
    pub stop: Arc<AtomicBool>,
}

/// How often to write a checkpoint within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Every {
    /// After so many seconds.
    pub seconds: Option<f64>,
    /// After so many steps.
    pub steps: Option<usize>,
}

impl Options {
    /// A new run in `out_dir`, with a checkpoint after every epoch and every ten minutes.
    pub fn new(out_dir: impl Into<PathBuf>) -> Self {
        Self {
            out_dir: out_dir.into(),
            resume: false,
            epochs: None,
            every: Every { seconds: Some(600.0), steps: None },
            stop: Arc::default(),
        }
    }
}

/// What a run ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Where it ended.
    pub position: Position,
    /// Every epoch.
    pub history: Vec<EpochRecord>,
    /// Dev figures of the final weights.
    pub best: Vec<Scored>,
    /// The final weights, which the model holds too.
    pub weights: PathBuf,
}

/// Trains `model` as `plan` says. At the end, and after an interruption, everything needed is
/// in `options.out_dir`: `weights.safetensors` and `checkpoints/`.
pub fn train<M: Trainee, F: Feed<Batch = M::Batch>>(
    plan: &Plan,
    model: &mut M,
    feed: &F,
    events: &mut dyn Events,
    options: &Options,
) -> Result<Trained, Diagnostic> {
    let mut run = Run::open(plan, model, feed, events, options)?;
    while let Some(mut stage) = run.next_stage()? {
        run.train_stage(&mut stage)?;
    }
    run.finish()
}

/// A run on its way.
struct Run<'a, M: Trainee, F> {
    plan: &'a Plan,
    model: &'a mut M,
    feed: &'a F,
    events: &'a mut dyn Events,
    options: &'a Options,
    store: Checkpoints,
    state: RunState,
    /// First values of the parameters that a stage resets.
    initial: BTreeMap<usize, Vec<f32>>,
    /// Labels of each space.
    labels: Vec<Vec<String>>,
    /// What a checkpoint holds for the stage that it was written in.
    arrays: Option<Arrays>,
    begun: Instant,
    saved: Instant,
}

/// How an epoch ended.
struct Epoch {
    tokens: usize,
    seconds: f64,
}

impl<M: Trainee, F: Feed<Batch = M::Batch>> Run<'_, M, F> {
    fn train_stage(&mut self, stage: &mut Stage) -> Result<(), Diagnostic> {
        self.announce(stage);
        while self.state.position.epoch < stage.epochs && !self.has_lost_patience(stage) {
            let epoch = self.train_epoch(stage)?;
            self.end_epoch(stage, epoch)?;
            self.save(Some(stage))?;
        }
        self.end_stage(stage)
    }

    fn has_lost_patience(&self, stage: &Stage) -> bool {
        let waited = self.state.since_best;
        self.state.best.is_some() && stage.plan.patience.is_some_and(|most| waited >= most.max(1))
    }

    fn announce(&mut self, stage: &mut Stage) {
        let params = self.model.params();
        let count = |trainable| {
            let those = params.iter().filter(|param| param.trainable == trainable);
            those.map(|param| param.len()).sum()
        };
        let (trainable, frozen) = (count(true), count(false));
        let name = |task: &usize| self.plan.tasks[*task].name.clone();
        let started = StageStarted {
            stage: stage.index,
            stages: self.plan.train.stages.len(),
            name: stage.plan.name.clone(),
            epochs: stage.epochs,
            steps_per_epoch: stage.epoch_plan(self.feed, &self.state).steps(),
            trainable,
            frozen,
            tasks: stage.plan.tasks.iter().map(name).collect(),
            from: self.state.position,
        };
        self.events.stage_started(&started);
    }

    /// The steps of an epoch, or what a checkpoint left of it.
    fn train_epoch(&mut self, stage: &mut Stage) -> Result<Epoch, Diagnostic> {
        let begun = Instant::now();
        let plan = stage.epoch_plan(self.feed, &self.state);
        let done = self.state.position.step_in_epoch;
        // The streams run ahead of the training; where they stand counts again when the epoch is
        // through, and checkpoints within it hold where they stood when it began.
        let mut streams = std::mem::take(&mut stage.streams);
        let made = batches(self.feed, &mut streams, &plan, done);
        let tokens = ahead(made, |made| self.train_turns(stage, &plan, made))?;
        stage.streams = streams;
        Ok(Epoch { tokens, seconds: begun.elapsed().as_secs_f64() })
    }

    /// Trains the steps of an epoch that are not done, and gives the tokens they took.
    fn train_turns(
        &mut self,
        stage: &mut Stage,
        plan: &EpochPlan,
        batches: &mut Batches<'_, M::Batch>,
    ) -> Result<usize, Diagnostic> {
        let (mut number, mut tokens) = (0, 0);
        for turn in &plan.turns {
            for (place, group) in turn.iter().enumerate() {
                number += 1;
                if number <= self.state.position.step_in_epoch {
                    continue;
                }
                self.stop_if_asked(stage)?;
                tokens += self.step(stage, group, plan.steps(), batches)?;
                if place + 1 == turn.len() {
                    // Before the checkpoint, so that none stands between the two.
                    self.model.turn_ended().map_err(|error| broken("a turn's end", &error))?;
                }
                self.save_if_due(stage)?;
            }
        }
        Ok(tokens)
    }

    fn stop_if_asked(&mut self, stage: &Stage) -> Result<(), Diagnostic> {
        if !self.options.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.save(Some(stage))?;
        let position = self.state.position;
        let message = format!("training was interrupted after {} steps", position.total_step);
        let dir = self.options.out_dir.display();
        Err(Diagnostic::placeless(codes::INTERRUPTED, message)
            .help(format!("its checkpoint is in `{dir}`; run it again with `--out {dir} --resume`")))
    }

    fn save_if_due(&mut self, stage: &Stage) -> Result<(), Diagnostic> {
        let Every { seconds, steps } = self.options.every;
        let by_steps = steps.is_some_and(|every| self.state.position.total_step.is_multiple_of(every.max(1)));
        if by_steps || seconds.is_some_and(|every| self.saved.elapsed().as_secs_f64() >= every) {
            self.save(Some(stage))?;
        }
        Ok(())
    }

    /// Judges the epoch, notes it down and tells about it.
    fn end_epoch(&mut self, stage: &mut Stage, epoch: Epoch) -> Result<(), Diagnostic> {
        let begun = Instant::now();
        let Judged { dev, score, right } = self.judge(stage)?;
        let dev_seconds = begun.elapsed().as_secs_f64();
        self.state.position.epoch += 1;
        self.state.position.step_in_epoch = 0;
        self.state.cursors = stage.cursors();
        let best = self.note_best(stage, score.as_ref(), &dev)?;
        if score.is_some() {
            stage.pace.epoch_judged(best);
        }
        let sums = std::mem::take(&mut self.state.sums);
        let train: Vec<(String, f64)> = sums.iter().map(|(name, sum)| (name.clone(), LossSum::mean(sum))).collect();
        let position = self.state.position;
        self.state.history.push(EpochRecord {
            stage: stage.plan.name.clone(),
            epoch: position.epoch,
            total_step: position.total_step,
            train: train.clone(),
            dev: dev.clone(),
            best,
        });
        self.events.epoch_done(&EpochDone {
            position,
            stage: stage.plan.name.clone(),
            train: train.into_iter().map(|(name, mean)| (name.into(), mean)).collect(),
            dev,
            right,
            selected_by: score,
            best,
            since_best: self.state.since_best,
            train_seconds: epoch.seconds,
            dev_seconds,
            tokens: epoch.tokens,
        });
        Ok(())
    }

    /// Takes the best weights, keeps them for stages that come after, and moves on.
    fn end_stage(&mut self, stage: &Stage) -> Result<(), Diagnostic> {
        let best = self.state.best.take();
        if let Some(best) = &best {
            self.put_weights(&self.store.read_weights(&best.file)?)?;
            if let Some(warning) = judge::told_nothing(&best.score, self.state.position.epoch) {
                self.events.warning(&warning);
            }
        }
        self.model.turn_ended().map_err(|error| broken("a stage's end", &error))?;
        let stages = &self.plan.train.stages;
        if stages.iter().skip(stage.index + 1).any(|later| later.after == Some(stage.index)) {
            let file = match best {
                Some(best) => best.file,
                None => self.write_weights(format!("weights-s{}-end", stage.index))?,
            };
            self.state.ends.insert(stage.index, file);
        }
        let position = self.state.position;
        self.state.position =
            Position { stage: stage.index + 1, total_step: position.total_step, ..Position::default() };
        self.state.since_best = 0;
        self.state.cursors.clear();
        self.state.pace = Default::default();
        self.save(None)
    }

    fn finish(self) -> Result<Trained, Diagnostic> {
        let weights = self.options.out_dir.join("weights.safetensors");
        write_arrays(&weights, "{}", &self.weights()?)?;
        let history = self.state.history;
        let stage = history.last().map(|record| record.stage.clone());
        let of_stage = || history.iter().rev().take_while(|r| Some(&r.stage) == stage.as_ref());
        let chosen = of_stage().find(|record| record.best).or(history.last());
        let best = chosen.map(|record| record.dev.clone()).unwrap_or_default();
        let finished =
            Finished { position: self.state.position, history, best, seconds: self.begun.elapsed().as_secs_f64() };
        self.events.finished(&finished);
        let Finished { position, history, best, .. } = finished;
        Ok(Trained { position, history, best, weights })
    }
}

/// A tensor operation that failed.
fn broken(at: &str, error: &candle_core::Error) -> Diagnostic {
    Diagnostic::placeless(codes::BUG, format!("{at} failed: {error}"))
}
