//! What a run tells its watchers, in plain structs, and the list of watchers.

use std::path::{Path, PathBuf};

use crate::diagnostics::Diagnostic;

/// Who shows or records a run. Every method has an empty body; `Err` stops nothing: the first
/// trouble of a watcher is kept in [`Watchers::trouble`].
pub trait Watch: Send {
    /// A stage begins, or goes on where a checkpoint left it.
    fn stage(&mut self, _stage: &Stage) -> std::io::Result<()> {
        Ok(())
    }

    /// An optimiser step is done.
    fn step(&mut self, _step: &Step) -> std::io::Result<()> {
        Ok(())
    }

    /// An epoch is done.
    fn epoch(&mut self, _epoch: &Epoch) -> std::io::Result<()> {
        Ok(())
    }

    /// A checkpoint lies on the disk.
    fn checkpoint(&mut self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }

    /// Something looks wrong.
    fn warning(&mut self, _diagnostic: &Diagnostic) -> std::io::Result<()> {
        Ok(())
    }

    /// Training is over.
    fn finished(&mut self, _finished: &Finished) -> std::io::Result<()> {
        Ok(())
    }

    /// Test sets have been judged.
    fn test(&mut self, _test: &Test) -> std::io::Result<()> {
        Ok(())
    }
}

/// A figure by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// `intent.accuracy`, `slots.loss`, or the name of a `metric` item.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Whether more of it is better.
    pub higher_is_better: bool,
}

impl Figure {
    /// A figure of which more is better.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value, higher_is_better: true }
    }

    /// The task and its measure: `sentiment.books` and `accuracy`; no task for a `metric` item.
    pub fn parts(&self) -> (Option<&str>, &str) {
        parts(&self.name)
    }

    /// Whether it is a loss.
    pub fn is_loss(&self) -> bool {
        self.parts().1 == "loss"
    }
}

/// The task and measure of a figure's name.
pub fn parts(name: &str) -> (Option<&str>, &str) {
    match name.rsplit_once('.') {
        Some((task, measure)) => (Some(task), measure),
        None => (None, name),
    }
}

/// A stage begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// Its index.
    pub index: usize,
    /// Number of stages.
    pub count: usize,
    /// Its name, empty for the only one.
    pub name: String,
    /// Epochs that it has at most.
    pub epochs: usize,
    /// Optimiser steps of an epoch.
    pub steps_per_epoch: usize,
    /// Numbers in trainable parameters.
    pub trainable: usize,
    /// Numbers in frozen parameters.
    pub frozen: usize,
    /// Names of the tasks trained.
    pub tasks: Vec<String>,
    /// Steps of the stage done before: more than 0 when a run was resumed.
    pub done: usize,
    /// Epochs of the stage done before.
    pub done_epochs: usize,
    /// Steps of the run done before.
    pub total_done: usize,
}

/// The loss of a task or `loss` item in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Whose it is.
    pub name: String,
    /// Mean over examples, before any weight.
    pub value: f64,
    /// The factor that it had.
    pub factor: f64,
    /// Examples.
    pub examples: usize,
}

/// A step is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Epochs done in the stage.
    pub epoch: usize,
    /// Steps done in the stage.
    pub step: usize,
    /// Steps done in the run.
    pub total_step: usize,
    /// Steps done in the epoch.
    pub step_in_epoch: usize,
    /// Steps of the epoch.
    pub steps_in_epoch: usize,
    /// Losses.
    pub losses: Vec<Loss>,
    /// What was minimised.
    pub total: f64,
    /// Learning rate.
    pub lr: f64,
    /// Norm of the gradient, where it was measured.
    pub grad_norm: Option<f64>,
    /// Tokens in the batches; 0 where nobody counted.
    pub tokens: usize,
    /// Seconds that it took.
    pub seconds: f64,
}

/// An epoch is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Epoch {
    /// Name of the stage.
    pub stage: String,
    /// Number of the epoch in the stage, from 1.
    pub epoch: usize,
    /// Steps done in the run.
    pub total_step: usize,
    /// Mean train losses by name.
    pub train: Vec<(String, f64)>,
    /// Dev figures.
    pub dev: Vec<Figure>,
    /// Labels of each task that dev shows predicted right.
    pub right: Vec<(String, Vec<u32>)>,
    /// What selects the best epoch.
    pub selected_by: Option<Figure>,
    /// Whether it is the best so far.
    pub best: bool,
    /// Seconds of training.
    pub train_seconds: f64,
    /// Seconds of evaluation.
    pub dev_seconds: f64,
    /// Tokens trained on.
    pub tokens: usize,
}

/// Training is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    /// Steps of the run.
    pub total_step: usize,
    /// Epochs, in order, with those before a resumption.
    pub epochs: usize,
    /// Dev figures of the final weights.
    pub dev: Vec<Figure>,
    /// Seconds.
    pub seconds: f64,
}

/// The test sets have been judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Test {
    /// Steps of the run; 0: as many as the watcher has heard of.
    pub total_step: usize,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Seconds of evaluation.
    pub seconds: f64,
}

/// Several watchers of one run, told in order.
#[derive(Default)]
pub struct Watchers {
    list: Vec<(PathBuf, Box<dyn Watch>)>,
    /// The first trouble: a full disk, a closed terminal; with the path of what was written.
    pub trouble: Option<(PathBuf, std::io::Error)>,
}

impl Watchers {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; `path` is what it writes, to be named when that fails.
    pub fn add(&mut self, path: impl Into<PathBuf>, watch: impl Watch + 'static) {
        self.list.push((path.into(), Box::new(watch)));
    }

    /// Tells all that a stage begins.
    pub fn stage(&mut self, stage: &Stage) {
        self.tell(|watch| watch.stage(stage));
    }

    /// Tells all that a step is done.
    pub fn step(&mut self, step: &Step) {
        self.tell(|watch| watch.step(step));
    }

    /// Tells all that an epoch is done.
    pub fn epoch(&mut self, epoch: &Epoch) {
        self.tell(|watch| watch.epoch(epoch));
    }

    /// Tells all that a checkpoint is written.
    pub fn checkpoint(&mut self, path: &Path) {
        self.tell(|watch| watch.checkpoint(path));
    }

    /// Tells all that something looks wrong.
    pub fn warning(&mut self, diagnostic: &Diagnostic) {
        self.tell(|watch| watch.warning(diagnostic));
    }

    /// Tells all that training is over.
    pub fn finished(&mut self, finished: &Finished) {
        self.tell(|watch| watch.finished(finished));
    }

    /// Tells all of the test figures.
    pub fn test(&mut self, test: &Test) {
        self.tell(|watch| watch.test(test));
    }

    /// Calls each; the first trouble is kept, and training goes on.
    fn tell(&mut self, mut call: impl FnMut(&mut dyn Watch) -> std::io::Result<()>) {
        for (path, watch) in &mut self.list {
            if let Err(error) = call(watch.as_mut()) {
                self.trouble.get_or_insert_with(|| (path.clone(), error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Watch for Full {
        fn test(&mut self, _: &Test) -> std::io::Result<()> {
            Err(std::io::Error::other("the disk is full"))
        }
    }

    #[test]
    fn trouble_is_kept_and_stops_nobody() {
        let mut watchers = Watchers::new();
        watchers.add("metrics.jsonl", Full);
        watchers.test(&Test::default());
        let (path, error) = watchers.trouble.unwrap();
        assert_eq!((path, error.to_string().as_str()), ("metrics.jsonl".into(), "the disk is full"));
    }

    #[test]
    fn names_of_figures() {
        assert_eq!(parts("sentiment.books.accuracy"), (Some("sentiment.books"), "accuracy"));
        assert_eq!(parts("sentence"), (None, "sentence"));
        assert!(Figure::new("slots.loss", 1.0).is_loss());
    }
}
