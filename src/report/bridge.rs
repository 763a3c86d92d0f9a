//! From what the training loop says to what watchers hear.

use std::path::Path;

use super::watch::{Epoch, Figure, Finished, Loss, Stage, Step, Watchers};
use crate::diagnostics::Diagnostic;
use crate::train::events::{self, Events, Scored};

impl From<&Scored> for Figure {
    fn from(scored: &Scored) -> Self {
        Self { name: scored.name.clone(), value: scored.value, higher_is_better: scored.higher_is_better }
    }
}

fn figures(scored: &[Scored]) -> Vec<Figure> {
    scored.iter().map(Figure::from).collect()
}

impl From<&events::StageStarted> for Stage {
    fn from(stage: &events::StageStarted) -> Self {
        Self {
            index: stage.stage,
            count: stage.stages,
            name: stage.name.clone(),
            epochs: stage.epochs,
            steps_per_epoch: stage.steps_per_epoch,
            trainable: stage.trainable,
            frozen: stage.frozen,
            tasks: stage.tasks.clone(),
            done: stage.from.step,
            done_epochs: stage.from.epoch,
            total_done: stage.from.total_step,
        }
    }
}

impl From<&events::StepDone> for Step {
    fn from(step: &events::StepDone) -> Self {
        let loss = |loss: &events::NamedLoss| Loss {
            name: loss.name.to_string(),
            value: loss.value,
            factor: loss.factor,
            examples: loss.examples,
        };
        Self {
            epoch: step.position.epoch,
            step: step.position.step,
            total_step: step.position.total_step,
            step_in_epoch: step.position.step_in_epoch,
            steps_in_epoch: step.steps_in_epoch,
            losses: step.losses.iter().map(loss).collect(),
            total: step.total,
            lr: step.lr,
            grad_norm: step.grad_norm,
            tokens: step.tokens,
            seconds: step.seconds,
        }
    }
}

impl From<&events::EpochDone> for Epoch {
    fn from(epoch: &events::EpochDone) -> Self {
        Self {
            stage: epoch.stage.clone(),
            epoch: epoch.position.epoch,
            total_step: epoch.position.total_step,
            train: epoch.train.iter().map(|(name, loss)| (name.to_string(), *loss)).collect(),
            dev: figures(&epoch.dev),
            right: epoch.right.iter().map(|(task, labels)| (task.to_string(), labels.clone())).collect(),
            selected_by: epoch.selected_by.as_ref().map(Figure::from),
            best: epoch.best,
            train_seconds: epoch.train_seconds,
            dev_seconds: epoch.dev_seconds,
            tokens: epoch.tokens,
        }
    }
}

impl From<&events::Finished> for Finished {
    fn from(finished: &events::Finished) -> Self {
        Self {
            total_step: finished.position.total_step,
            epochs: finished.history.len(),
            dev: figures(&finished.best),
            seconds: finished.seconds,
        }
    }
}

impl Events for Watchers {
    fn stage_started(&mut self, stage: &events::StageStarted) {
        self.stage(&stage.into());
    }

    fn step_done(&mut self, step: &events::StepDone) {
        self.step(&step.into());
    }

    fn epoch_done(&mut self, epoch: &events::EpochDone) {
        self.epoch(&epoch.into());
    }

    fn checkpoint_written(&mut self, path: &Path, _position: &events::Position) {
        self.checkpoint(path);
    }

    fn warning(&mut self, diagnostic: &Diagnostic) {
        Watchers::warning(self, diagnostic);
    }

    fn finished(&mut self, finished: &events::Finished) {
        Watchers::finished(self, &finished.into());
    }
}
