//! What a training run tells whoever watches it: a progress bar, a log, a report.
//!
//! Every method has an empty body, so a listener implements only what it shows. Values are
//! given by name; nobody who listens needs the plan.

use std::path::Path;
use std::sync::Arc;

use super::trainee::LossSource;
use crate::diagnostics::Diagnostic;

/// A listener. The loop calls it from its own thread, in order.
pub trait Events {
    /// A stage begins, or goes on where a checkpoint left it.
    fn stage_started(&mut self, _stage: &StageStarted) {}

    /// The optimiser has made a step.
    fn step_done(&mut self, _step: &StepDone) {}

    /// An epoch is over and the dev sets have been judged.
    fn epoch_done(&mut self, _epoch: &EpochDone) {}

    /// A checkpoint lies on the disk, complete.
    fn checkpoint_written(&mut self, _path: &Path, _position: &Position) {}

    /// Something looks wrong, but training goes on.
    fn warning(&mut self, _diagnostic: &Diagnostic) {}

    /// Training is over; not called when it ends in an error or is interrupted.
    fn finished(&mut self, _finished: &Finished) {}
}

/// A listener that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {}

/// How far a run is. All counts are of what is done: at the start of a run all are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Index of the stage, from 0.
    pub stage: usize,
    /// Epochs done in the stage.
    pub epoch: usize,
    /// Optimiser steps done in the epoch that runs.
    pub step_in_epoch: usize,
    /// Optimiser steps done in the stage.
    pub step: usize,
    /// Optimiser steps done in the run.
    pub total_step: usize,
}

/// A stage begins.
#[derive(Clone, Debug, PartialEq)]
pub struct StageStarted {
    /// Index of the stage.
    pub stage: usize,
    /// Number of stages.
    pub stages: usize,
    /// Its name, empty for the only one.
    pub name: String,
    /// Epochs that it has at most.
    pub epochs: usize,
    /// Optimiser steps of one epoch (of the next one, where epochs differ by a step or two).
    pub steps_per_epoch: usize,
    /// Numbers in trainable parameters.
    pub trainable: usize,
    /// Numbers in frozen parameters.
    pub frozen: usize,
    /// Names of the tasks trained.
    pub tasks: Vec<String>,
    /// Where the stage goes on from; all 0 but the stage itself unless the run was resumed.
    pub from: Position,
}

/// The loss of one task or `loss` item in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLoss {
    /// Which it is.
    pub source: LossSource,
    /// Name of the task or item.
    pub name: Arc<str>,
    /// Mean over the examples with gold, before any weight.
    pub value: f64,
    /// The factor that it was multiplied by (weight and balance together).
    pub factor: f64,
    /// Examples with gold.
    pub examples: usize,
}

/// An optimiser step is done.
#[derive(Clone, Debug, PartialEq)]
pub struct StepDone {
    /// Position after the step.
    pub position: Position,
    /// Optimiser steps of this epoch.
    pub steps_in_epoch: usize,
    /// The losses of its batches. One that several batches have is averaged over their examples.
    pub losses: Vec<NamedLoss>,
    /// What was minimised: the weighted sum.
    pub total: f64,
    /// Learning rate, without the tasks' own factors.
    pub lr: f64,
    /// Norm of the gradient before clipping, where the step measured it (it does when it clips).
    pub grad_norm: Option<f64>,
    /// Examples in the batches.
    pub examples: usize,
    /// Tokens in the batches; 0 where the feed cannot tell.
    pub tokens: usize,
    /// Seconds that the step took.
    pub seconds: f64,
    /// Names of the data sets whose batches it took.
    pub data: Vec<Arc<str>>,
}

/// A figure by name.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scored {
    /// `intent.accuracy`, `slots.loss`, or the name of a `metric` item.
    pub name: String,
    /// Its value.
    #[serde(with = "crate::train::bits")]
    pub value: f64,
    /// Whether more of it is better.
    pub higher_is_better: bool,
}

/// An epoch is done.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochDone {
    /// Position after the epoch: `epoch` counts it already.
    pub position: Position,
    /// Name of the stage.
    pub stage: String,
    /// Mean train loss of each task and loss item that took part, by name.
    pub train: Vec<(Arc<str>, f64)>,
    /// The figures on dev; empty when no data set has one.
    pub dev: Vec<Scored>,
    /// Labels of each task with classes or tags that dev shows predicted right, ascending.
    pub right: Vec<(Arc<str>, Vec<u32>)>,
    /// What selects the best epoch, where there is a dev set.
    pub selected_by: Option<Scored>,
    /// Whether this is the best epoch of the stage so far.
    pub best: bool,
    /// Epochs since the best one.
    pub since_best: usize,
    /// Seconds of training.
    pub train_seconds: f64,
    /// Seconds of evaluation.
    pub dev_seconds: f64,
    /// Tokens trained on.
    pub tokens: usize,
}

/// A run is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Where it ended.
    pub position: Position,
    /// Every epoch, in order.
    pub history: Vec<EpochRecord>,
    /// Dev figures of the weights that the run ends with, where there is a dev set.
    pub best: Vec<Scored>,
    /// Seconds since the process began the run or went on with it.
    pub seconds: f64,
}

/// What checkpoints keep of an epoch.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRecord {
    /// Name of the stage.
    pub stage: String,
    /// Number of the epoch in its stage, from 1.
    pub epoch: usize,
    /// Optimiser steps of the run up to its end.
    pub total_step: usize,
    /// Mean train losses by name.
    pub train: Vec<(String, f64)>,
    /// Dev figures.
    pub dev: Vec<Scored>,
    /// Whether it was the best so far.
    pub best: bool,
}
