//! Which data set or task each step takes: a file for each way and one table, [`sampler_of`].
//!
//! A sampler gives the steps of an epoch as a pure function of the seed and the position. Which
//! batch of a data set a step takes is the business of the data set's own cursor, which runs
//! on over epochs: a small set that is drawn often is shuffled anew whenever it is through.

mod all;
mod ordered;
mod proportional;
mod ratio;
mod round_robin;
mod temperature;
#[cfg(test)]
mod tests;
mod uniform;

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::plan::SamplePlan;

/// What there is to draw from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// Batches of each data set that has something to train in the stage; no entry is 0.
    pub batches: BTreeMap<usize, usize>,
    /// The data sets that each task of the stage is trained on.
    pub tasks: BTreeMap<usize, Vec<usize>>,
}

impl Supply {
    /// Batches of all train sets together: the steps of an epoch.
    pub fn total(&self) -> usize {
        self.batches.values().sum()
    }

    /// Batches of the data sets of a task.
    fn of_task(&self, task: usize) -> Vec<(usize, usize)> {
        let sets = self.tasks.get(&task).map(Vec::as_slice).unwrap_or_default();
        sets.iter().filter_map(|data| Some((*data, *self.batches.get(data)?))).collect()
    }
}

/// A batch to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of this data set.
    pub data: usize,
    /// Train only this task with it, and not every task that has gold there.
    pub only: Option<usize>,
}

/// The batches of one draw; one, except under `all`.
pub type Draw = Vec<Part>;

/// A way to choose.
pub trait Sampler: Send + Sync {
    /// The draws of an epoch, in turns. Only `ordered` has more than one turn.
    fn epoch(&self, supply: &Supply, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>>;
}

/// The table of ways to sample.
pub fn sampler_of(plan: &SamplePlan) -> Box<dyn Sampler> {
    match plan.clone() {
        SamplePlan::Proportional => Box::new(proportional::Proportional),
        SamplePlan::Uniform => Box::new(uniform::Uniform),
        SamplePlan::RoundRobin => Box::new(round_robin::RoundRobin),
        SamplePlan::Ordered { tasks } => Box::new(ordered::Ordered { tasks }),
        SamplePlan::Ratio { tasks, weights } => Box::new(ratio::Ratio { tasks, weights }),
        SamplePlan::Temperature { t } => Box::new(temperature::Temperature { t }),
        SamplePlan::All => Box::new(all::All),
    }
}

/// Splits `steps` by weights, to the nearest whole number (largest remainders first), so that an
/// epoch has the frequencies that were asked for and not just nearly.
pub fn quotas(steps: usize, weights: &[f64]) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    if weights.is_empty() || sum.is_nan() || sum <= 0.0 {
        return vec![0; weights.len()];
    }
    let exact: Vec<f64> = weights.iter().map(|w| w / sum * steps as f64).collect();
    let mut quotas: Vec<usize> = exact.iter().map(|e| e.floor() as usize).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    let left = steps.saturating_sub(quotas.iter().sum());
    order.iter().take(left).for_each(|i| quotas[*i] += 1);
    quotas
}

/// So many draws of each part, in random order.
fn shuffled(counts: impl IntoIterator<Item = (Part, usize)>, rng: &mut ChaCha8Rng) -> Vec<Draw> {
    let counted = counts.into_iter().flat_map(|(part, count)| std::iter::repeat_n(part, count));
    let mut draws: Vec<Draw> = counted.map(|part| vec![part]).collect();
    for last in (1..draws.len()).rev() {
        draws.swap(last, rng.random_range(0..=last));
    }
    draws
}

/// An epoch over data sets drawn by these weights.
fn by_weight(supply: &Supply, weight: impl Fn(usize) -> f64, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
    let weights: Vec<f64> = supply.batches.values().map(|n| weight(*n)).collect();
    let quotas = quotas(supply.total(), &weights);
    let parts = supply.batches.keys().map(|data| Part { data: *data, only: None });
    vec![shuffled(parts.zip(quotas), rng)]
}
