//! Fixed weights.

use super::Balancer;
use crate::plan::Plan;

/// Σ λᵢ Lᵢ with the tasks' own weights, or those that the `train` block gives instead.
pub struct Weighted {
    weights: Vec<f64>,
}

impl Weighted {
    /// The tasks' weights; `instead` replaces those it names.
    pub fn new(plan: &Plan, instead: &[(usize, f64)]) -> Self {
        let mut weights: Vec<f64> = plan.tasks.iter().map(|task| task.weight).collect();
        instead.iter().for_each(|(task, weight)| weights[*task] = *weight);
        Self { weights }
    }
}

impl Balancer for Weighted {
    fn factor(&self, task: usize) -> f64 {
        self.weights[task]
    }
}
