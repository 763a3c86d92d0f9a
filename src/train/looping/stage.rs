//! What a stage trains, on what, and with what.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::{Stream, Streams};
use super::watch::Watch;
use super::{Run, broken};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Plan, StagePlan};
use crate::train::balance::{Balancer, balancer_of};
use crate::train::checkpoint::{Cursor, RunState};
use crate::train::feed::{Feed, Portion};
use crate::train::optim::Optimizer;
use crate::train::reach::own_params;
use crate::train::sample::{Draw, Sampler, Supply, sampler_of};
use crate::train::schedule::Pace;
use crate::train::seed::rng_of;
use crate::train::trainee::{LossSource, Trainee};

/// A stage on its way.
pub(super) struct Stage<'a> {
    pub(super) index: usize,
    pub(super) plan: &'a StagePlan,
    pub(super) epochs: usize,
    pub(super) optimizer: Optimizer,
    pub(super) balancer: Box<dyn Balancer>,
    pub(super) pace: Pace,
    pub(super) watch: Watch,
    sampler: Box<dyn Sampler>,
    pub(super) streams: Streams,
    tasks: BTreeMap<usize, Vec<usize>>,
    /// Loss items of each data set, and of none.
    items: BTreeMap<Option<usize>, Vec<usize>>,
    seed: u64,
}

/// The steps of an epoch: turns of groups of draws.
pub(super) struct EpochPlan {
    pub(super) turns: Vec<Vec<Vec<Draw>>>,
}

impl EpochPlan {
    /// How many steps it has.
    pub(super) fn steps(&self) -> usize {
        self.turns.iter().map(Vec::len).sum()
    }
}

impl<'a> Stage<'a> {
    /// The stage at its first step.
    fn new<M: Trainee, F: Feed>(plan: &'a Plan, index: usize, model: &M, feed: &F, epochs: Option<usize>) -> Self {
        let stage = &plan.train.stages[index];
        let has_batches = |data: &usize| feed.size(*data, Portion::Train) > 0;
        let (tasks, items) = (tasks_of(plan, stage, has_batches), items_of(plan, stage));
        let sets: BTreeSet<usize> = tasks.values().flatten().copied().collect();
        let sets = sets.into_iter().chain(items.keys().copied().flatten().filter(has_batches));
        let seed = plan.train.seed;
        let streams = sets.map(|data| (data, Stream::new(data, stage.batch, seed, index)));
        let mut built = Self {
            index,
            plan: stage,
            epochs: epochs.unwrap_or(stage.epochs),
            optimizer: optimizer_of(plan, stage, model),
            balancer: balancer_of(&stage.balance, &stage.optimizer, plan),
            pace: Pace::new(&stage.schedule, 0),
            watch: Watch::new(model.params().len()),
            sampler: sampler_of(&stage.sample),
            streams: streams.collect(),
            tasks,
            items,
            seed,
        };
        let steps = built.epoch_plan(feed, &RunState::default()).steps() * built.epochs;
        built.pace = Pace::new(&stage.schedule, steps);
        built
    }

    /// The steps of the epoch that `state` stands in.
    pub(super) fn epoch_plan<F: Feed>(&mut self, feed: &F, state: &RunState) -> EpochPlan {
        for (data, stream) in &mut self.streams {
            stream.seek(state.cursors.get(data).copied().unwrap_or_default());
        }
        let batches = self.streams.iter_mut().map(|(data, stream)| (*data, stream.pass_len(feed)));
        let batches = batches.filter(|(_, count)| *count > 0).collect();
        let supply = Supply { batches, tasks: self.tasks.clone() };
        let path = [self.index as u64, state.position.epoch as u64];
        let turns = self.sampler.epoch(&supply, &mut rng_of(self.seed, "sample", &path));
        let size = self.plan.accumulate.max(1);
        let grouped = |draws: Vec<Draw>| draws.chunks(size).map(<[Draw]>::to_vec).collect();
        EpochPlan { turns: turns.into_iter().map(grouped).collect() }
    }

    /// Where each data set stands.
    pub(super) fn cursors(&self) -> BTreeMap<usize, Cursor> {
        self.streams.iter().map(|(data, stream)| (*data, stream.cursor())).collect()
    }

    /// What to train on a batch of `data`: its tasks (or just `only`), its loss items, and
    /// those that belong to no data set when `first` in its draw.
    pub(super) fn asked(&self, data: usize, only: Option<usize>, first: bool) -> Vec<LossSource> {
        let is_on = |task: &usize| self.tasks.get(task).is_some_and(|sets| sets.contains(&data));
        let tasks = match only {
            Some(task) => vec![task],
            None => self.plan.tasks.iter().copied().filter(is_on).collect(),
        };
        let items = |data| self.items.get(&data).cloned().unwrap_or_default();
        let free = if first { items(None) } else { Vec::new() };
        let tasks = tasks.into_iter().map(LossSource::Task);
        tasks.chain(items(Some(data)).into_iter().chain(free).map(LossSource::Item)).collect()
    }

    /// Tasks of the stage that are trained on a data set.
    pub(super) fn tasks_on(&self, data: usize) -> Vec<usize> {
        let on = |task: &usize| self.tasks.get(task).is_some_and(|sets| sets.contains(&data));
        self.plan.tasks.iter().copied().filter(on).collect()
    }
}

/// The data sets that each task of a stage has gold and batches on.
fn tasks_of(plan: &Plan, stage: &StagePlan, has_batches: impl Fn(&usize) -> bool) -> BTreeMap<usize, Vec<usize>> {
    let sets = |task: &usize| {
        let on = plan.tasks[*task].on.iter().filter(|on| on.loss.is_some());
        on.map(|on| on.data).filter(&has_batches).collect()
    };
    stage.tasks.iter().map(|task| (*task, sets(task))).collect()
}

fn items_of(plan: &Plan, stage: &StagePlan) -> BTreeMap<Option<usize>, Vec<usize>> {
    let mut items: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for item in &stage.losses {
        items.entry(plan.losses[*item].data).or_default().push(*item);
    }
    items
}

/// The stage's optimiser, with the factors that tasks give their own parameters.
fn optimizer_of<M: Trainee>(plan: &Plan, stage: &StagePlan, model: &M) -> Optimizer {
    let mut optimizer = Optimizer::new(&stage.optimizer, model.params());
    for (task, factor) in plan.tasks.iter().enumerate().filter_map(|(i, t)| Some((i, t.lr?))) {
        own_params(plan, task).for_each(|param| optimizer.set_factor(param, factor));
    }
    for (param, rate) in plan.params.iter().enumerate().filter_map(|(i, p)| Some((i, p.rate?))) {
        optimizer.set_factor(param, rate);
    }
    optimizer
}

impl<'a, M: Trainee, F: Feed<Batch = M::Batch>> Run<'a, M, F> {
    /// The stage that the run stands at, ready to go on; `None` when all are done.
    pub(super) fn next_stage(&mut self) -> Result<Option<Stage<'a>>, Diagnostic> {
        let index = self.state.position.stage;
        let Some(plan) = self.plan.train.stages.get(index) else {
            return Ok(None);
        };
        for (param, state) in self.model.params_mut().iter_mut().enumerate() {
            state.trainable = !plan.freeze.contains(&param);
        }
        if self.state.position.step == 0 && self.state.position.epoch == 0 {
            self.begin_from(plan)?;
        }
        let mut stage = Stage::new(self.plan, index, self.model, self.feed, self.options.epochs);
        if stage.streams.is_empty() {
            let message = format!("stage `{}` has no data to train on", plan.name);
            return Err(Diagnostic::placeless(codes::TRAIN, message));
        }
        self.restore_stage(&mut stage)?;
        Ok(Some(stage))
    }

    /// Takes the weights that a stage begins with.
    fn begin_from(&mut self, plan: &StagePlan) -> Result<(), Diagnostic> {
        if let Some(file) = plan.after.and_then(|after| self.state.ends.get(&after)).cloned() {
            self.put_weights(&self.store.read_weights(&file)?)?;
        }
        for param in &plan.reset {
            let Some(values) = self.initial.get(param) else {
                continue;
            };
            super::keep::put(&self.model.params()[*param], values).map_err(|error| broken("a reset", &error))?;
        }
        Ok(())
    }
}
