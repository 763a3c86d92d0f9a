//! Dev figures and the best epoch.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::stage::Stage;
use super::{Run, broken};
use crate::data::ahead::ahead;
use crate::diagnostics::{Diagnostic, codes};
use crate::train::checkpoint::Best;
use crate::train::events::Scored;
use crate::train::feed::{Feed, Portion};
use crate::train::metrics::confusion::right_labels;
use crate::train::metrics::figure::{Judge, Verdicts, higher_is_better, written};
use crate::train::metrics::metric;
use crate::train::trainee::Trainee;

/// What the dev sets say about an epoch.
pub(super) struct Judged {
    /// Every figure.
    pub(super) dev: Vec<Scored>,
    /// What selects, where there is a dev set.
    pub(super) score: Option<Scored>,
    /// Each task's labels that were predicted right somewhere.
    pub(super) right: Vec<(Arc<str>, Vec<u32>)>,
}

/// Judges a model on a split: the predictions of `tasks` on every data set that has it.
pub fn evaluate<M: Trainee, F: Feed<Batch = M::Batch>>(
    model: &M,
    feed: &F,
    portion: Portion,
    batch: crate::plan::BatchPlan,
    tasks_on: impl Fn(usize) -> Vec<usize>,
    sets: impl IntoIterator<Item = usize>,
) -> Result<Verdicts, Diagnostic> {
    let asked = sets.into_iter().map(|data| (data, tasks_on(data)));
    let asked: Vec<(usize, Vec<usize>)> =
        asked.filter(|(data, tasks)| !tasks.is_empty() && feed.size(*data, portion) > 0).collect();
    let made = asked.iter().flat_map(|(data, tasks)| {
        let fetch = move |examples: Vec<u32>| (*data, tasks, feed.fetch(*data, portion, &examples));
        feed.plan_eval(*data, portion, batch).into_iter().map(fetch)
    });
    ahead(made, |made| {
        let mut verdicts = Verdicts::default();
        for (data, tasks, batch) in made {
            let outcomes = model.outcomes(data, &batch?, tasks);
            let outcomes = outcomes.map_err(|error| broken("predicting", &error))?;
            outcomes.into_iter().for_each(|outcome| verdicts.add(data, outcome));
        }
        Ok(verdicts)
    })
}

impl<M: Trainee, F: Feed<Batch = M::Batch>> Run<'_, M, F> {
    /// The dev figures of the weights as they are.
    pub(super) fn judge(&self, stage: &Stage) -> Result<Judged, Diagnostic> {
        let sets: BTreeSet<usize> = (0..self.plan.datasets.len()).collect();
        let tasks_on = |data| stage.tasks_on(data);
        let batch = stage.plan.batch;
        let verdicts = evaluate(self.model, self.feed, Portion::Dev, batch, tasks_on, sets)?;
        let judge = Judge { plan: self.plan, labels: &self.labels, verdicts: &verdicts };
        let dev = judge.everything(&stage.plan.tasks);
        let right = stage.plan.tasks.iter().map(|task| self.right(*task, &verdicts)).collect();
        Ok(Judged { score: self.select(stage, &judge), dev, right })
    }

    /// The labels that a task with classes or tags got right.
    fn right(&self, task: usize, verdicts: &Verdicts) -> (Arc<str>, Vec<u32>) {
        let task_plan = &self.plan.tasks[task];
        (task_plan.name.as_str().into(), right_labels(&verdicts.items(task)))
    }

    /// The figure that selects: the program's, else the mean of the first metrics that are
    /// shares, else the sum of the dev losses.
    fn select(&self, stage: &Stage, judge: &Judge) -> Option<Scored> {
        if let Some(figure) = &stage.plan.select {
            let name = written(self.plan, figure);
            let higher_is_better = higher_is_better(self.plan, figure);
            return Some(Scored { name, value: judge.figure(figure)?, higher_is_better });
        }
        let first = |task: &usize| {
            let name = self.plan.tasks[*task].metrics.first()?;
            metric(name).filter(|metric| metric.is_share())?;
            judge.measure(*task, name)
        };
        let shares: Vec<f64> = stage.plan.tasks.iter().filter_map(first).collect();
        if !shares.is_empty() {
            let value = shares.iter().sum::<f64>() / shares.len() as f64;
            return Some(Scored { name: "mean of metrics".into(), value, higher_is_better: true });
        }
        let losses = stage.plan.tasks.iter().filter_map(|task| judge.verdicts.loss(*task));
        let value = losses.reduce(|a, b| a + b)?;
        Some(Scored { name: "sum of losses".into(), value, higher_is_better: false })
    }

    /// Compares an epoch with the best one, and keeps its weights when it is better.
    pub(super) fn note_best(
        &mut self,
        stage: &Stage,
        score: Option<&Scored>,
        dev: &[Scored],
    ) -> Result<bool, Diagnostic> {
        let Some(score) = score else { return Ok(false) };
        let before = self.state.best.as_ref().map(|best| best.score.value);
        if !is_better(score, before) {
            self.state.since_best += 1;
            return Ok(false);
        }
        let epoch = self.state.position.epoch;
        let file = self.write_weights(format!("weights-s{}-e{epoch}", stage.index))?;
        let (score, dev) = (score.clone(), dev.to_vec());
        self.state.best = Some(Best { score, dev, epoch, file });
        self.state.since_best = 0;
        Ok(true)
    }
}

/// W0903, where the best that a stage of so many epochs reached is nothing.
pub(super) fn told_nothing(best: &Scored, epochs: usize) -> Option<Diagnostic> {
    if epochs < 2 || !best.higher_is_better || best.value != 0.0 {
        return None;
    }
    let name = &best.name;
    let message = format!("`{name}` was 0 on dev after each of {epochs} epochs, so the weights of the first are kept");
    let other = match name.strip_suffix(".bleu") {
        Some(task) => format!(", such as `select: {task}.rouge` where texts have fewer than four words"),
        None => String::new(),
    };
    let d = Diagnostic::placeless(codes::NOTHING_TOLD_APART, message);
    Some(d.help(format!("choose by a figure that tells them apart{other}")))
}

/// Whether a score beats the best so far; one that is not a number never does.
fn is_better(score: &Scored, before: Option<f64>) -> bool {
    match before {
        None => !score.value.is_nan(),
        Some(before) if score.higher_is_better => score.value > before,
        Some(before) => score.value < before,
    }
}
