//! Figures over tasks: what selects the best epoch, and `metric` items.

use std::collections::BTreeMap;

use super::{Context, is_correct, metric};
use crate::plan::{Figure, Plan};
use crate::train::events::Scored;
use crate::train::trainee::{Judged, Outcome};

/// Everything that was predicted on a split.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// By task and data set.
    of: BTreeMap<(usize, usize), Verdict>,
}

/// What one task predicted on one data set.
#[derive(Clone, Debug, Default)]
struct Verdict {
    examples: Vec<u32>,
    items: Vec<Judged>,
    loss: f64,
}

impl Verdicts {
    /// Adds what a batch of data set `data` gave.
    pub fn add(&mut self, data: usize, outcome: Outcome) {
        let verdict = self.of.entry((outcome.task, data)).or_default();
        verdict.examples.extend(outcome.examples);
        verdict.items.extend(outcome.items);
        verdict.loss += outcome.loss;
    }

    /// All judged examples of a task, over its data sets.
    pub fn items(&self, task: usize) -> Vec<Judged> {
        self.of_task(task).flat_map(|(_, verdict)| verdict.items.iter().cloned()).collect()
    }

    /// Mean loss of a task over the examples with gold; `None` when none has.
    pub fn loss(&self, task: usize) -> Option<f64> {
        let judged = |v: &Verdict| v.items.iter().filter(|item| item.gold.is_some()).count();
        let (mut sum, mut count) = (0.0, 0);
        for (_, verdict) in self.of_task(task) {
            sum += verdict.loss;
            count += judged(verdict);
        }
        (count > 0).then(|| sum / count as f64)
    }

    /// The sum of a task's losses.
    pub fn total_loss(&self, task: usize) -> f64 {
        self.of_task(task).map(|(_, verdict)| verdict.loss).sum()
    }

    fn of_task(&self, task: usize) -> impl Iterator<Item = (usize, &Verdict)> {
        self.of.range((task, 0)..=(task, usize::MAX)).map(|((_, data), verdict)| (*data, verdict))
    }

    /// The share of examples on which all tasks are right everywhere, of those that have gold
    /// for all of them; `None` when there is no such example.
    pub fn all_correct(&self, tasks: &[usize]) -> Option<f64> {
        let mut seen: BTreeMap<(usize, u32), (usize, bool)> = BTreeMap::new();
        for (data, verdict) in tasks.iter().flat_map(|task| self.of_task(*task)) {
            for (example, item) in verdict.examples.iter().zip(&verdict.items) {
                let Some(right) = is_correct(item) else {
                    continue;
                };
                let entry = seen.entry((data, *example)).or_insert((0, true));
                *entry = (entry.0 + 1, entry.1 && right);
            }
        }
        let complete: Vec<bool> = seen.into_values().filter(|(count, _)| *count == tasks.len()).map(|s| s.1).collect();
        let right = complete.iter().filter(|right| **right).count();
        (!complete.is_empty()).then(|| right as f64 / complete.len() as f64)
    }
}

/// Judges figures of a plan.
pub struct Judge<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Labels of each space.
    pub labels: &'a [Vec<String>],
    /// What was predicted.
    pub verdicts: &'a Verdicts,
}

impl Judge<'_> {
    /// A task's measure; `None` without gold, or when there is no such measure.
    pub fn measure(&self, task: usize, name: &str) -> Option<f64> {
        if name == "loss" {
            return self.verdicts.loss(task);
        }
        let items = self.verdicts.items(task);
        items.iter().find(|item| item.gold.is_some())?;
        let space = self.plan.tasks[task].space;
        let labels = space.and_then(|s| self.labels.get(s)).map(Vec::as_slice).unwrap_or_default();
        let classes = space.and_then(|s| self.plan.space_sizes.get(s)).copied().unwrap_or(0);
        let loss = self.verdicts.total_loss(task);
        Some(metric(name)?.value(&items, &Context { labels, classes, loss, k: self.plan.tasks[task].k }))
    }

    /// A figure; `None` when no example has what it needs. Means and minima are over what
    /// there is, since a data set without a split takes no part.
    pub fn figure(&self, figure: &Figure) -> Option<f64> {
        match figure {
            Figure::Metric { task, metric } => self.measure(*task, metric),
            Figure::Named(name) => {
                let item = self.plan.metrics.iter().find(|metric| metric.name == *name)?;
                self.figure(&item.figure)
            }
            Figure::AllCorrect(tasks) => self.verdicts.all_correct(tasks),
            Figure::Mean(figures) => {
                let values = self.all(figures);
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            }
            Figure::Min(figures) => self.all(figures).into_iter().reduce(f64::min),
        }
    }

    fn all(&self, figures: &[Figure]) -> Vec<f64> {
        figures.iter().filter_map(|figure| self.figure(figure)).collect()
    }

    /// Every measure and loss of these tasks, and every `metric` item, where it is defined.
    pub fn everything(&self, tasks: &[usize]) -> Vec<Scored> {
        let mut scores = Vec::new();
        for task in tasks {
            let plan = &self.plan.tasks[*task];
            for name in plan.metrics.iter().map(String::as_str).chain(["loss"]) {
                let higher = metric(name).is_some_and(|m| m.higher_is_better());
                let value = self.measure(*task, name);
                scores.push((format!("{}.{name}", plan.name), value, higher));
            }
        }
        for item in &self.plan.metrics {
            let higher = higher_is_better(self.plan, &item.figure);
            scores.push((item.name.clone(), self.figure(&item.figure), higher));
        }
        let scored = scores
            .into_iter()
            .filter_map(|(name, value, higher_is_better)| Some(Scored { name, value: value?, higher_is_better }));
        scored.collect()
    }
}

/// Whether more of a figure is better. Of a mean, its first part decides.
pub fn higher_is_better(plan: &Plan, figure: &Figure) -> bool {
    match figure {
        Figure::Metric { metric: name, .. } => metric(name).is_some_and(|m| m.higher_is_better()),
        Figure::Named(name) => {
            let item = plan.metrics.iter().find(|metric| metric.name == *name);
            item.is_none_or(|item| higher_is_better(plan, &item.figure))
        }
        Figure::AllCorrect(_) => true,
        Figure::Mean(figures) | Figure::Min(figures) => {
            figures.first().is_none_or(|figure| higher_is_better(plan, figure))
        }
    }
}

/// How a program would write a figure.
pub fn written(plan: &Plan, figure: &Figure) -> String {
    let list = |figures: &[Figure]| figures.iter().map(|figure| written(plan, figure)).collect::<Vec<_>>().join(", ");
    match figure {
        Figure::Metric { task, metric } => format!("{}.{metric}", plan.tasks[*task].name),
        Figure::Named(name) => name.clone(),
        Figure::AllCorrect(tasks) => {
            let names: Vec<&str> = tasks.iter().map(|t| plan.tasks[*t].name.as_str()).collect();
            format!("all_correct({})", names.join(", "))
        }
        Figure::Mean(figures) => format!("mean({})", list(figures)),
        Figure::Min(figures) => format!("min({})", list(figures)),
    }
}
