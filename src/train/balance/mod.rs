//! How task losses are weighed against each other: a file for each way and one table,
//! [`balancer_of`]. `loss` items are never balanced.

mod uncertainty;
mod weighted;

use super::optim::Slot;
use crate::plan::{BalancePlan, OptimizerPlan, Plan};

/// A way to weigh.
pub trait Balancer {
    /// What the loss of a task is multiplied by, its own weight included.
    fn factor(&self, task: usize) -> f64;

    /// What is added to the total for a task that took part.
    fn penalty(&self, _task: usize) -> f64 {
        0.0
    }

    /// Hears the loss of a task before any factor; `share` is what the batch counts for in the
    /// step (less than 1 where a step has several draws).
    fn observe(&mut self, _task: usize, _loss: f64, _share: f64) {}

    /// The optimiser makes a step.
    fn step(&mut self, _lr: f64) {}

    /// Learned arrays and their optimiser's, for checkpoints, and the optimiser's step counts.
    fn save(&self) -> candle_core::Result<(Vec<Slot>, Vec<u64>)> {
        Ok(Default::default())
    }

    /// Takes up what [`Balancer::save`] gave.
    fn load(&mut self, _steps: &[u64], _find: &dyn Fn(&str) -> Option<Vec<f32>>) -> candle_core::Result<()> {
        Ok(())
    }
}

/// The table of ways to balance.
pub fn balancer_of(balance: &BalancePlan, optimizer: &OptimizerPlan, plan: &Plan) -> Box<dyn Balancer> {
    match balance {
        BalancePlan::Weighted { weights } => Box::new(weighted::Weighted::new(plan, weights)),
        BalancePlan::Uncertainty => Box::new(uncertainty::Uncertainty::new(plan, optimizer)),
    }
}
