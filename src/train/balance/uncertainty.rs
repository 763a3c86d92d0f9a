//! Weights learned from the tasks' own noise.

use candle_core::{Device, Result};

use super::Balancer;
use crate::plan::{OptimizerPlan, Plan};
use crate::train::optim::{Optimizer, Slot, without_decay};

/// Σ exp(-sᵢ) λᵢLᵢ + sᵢ/2 with learned sᵢ = log σᵢ², from 0 (Kendall, Gal & Cipolla 2018).
///
/// The sᵢ are trained by the stage's optimiser, without weight decay and outside the clipped
/// norm; only those of tasks in the step move: ∂/∂s = 1/2 - exp(-s) λL.
pub struct Uncertainty {
    names: Vec<String>,
    weights: Vec<f64>,
    s: Vec<f32>,
    grads: Vec<Option<f64>>,
    optimizer: Optimizer,
}

const STATE: &str = "optimizer";

impl Uncertainty {
    /// s = 0 for every task.
    pub fn new(plan: &Plan, optimizer: &OptimizerPlan) -> Self {
        let named = plan.tasks.iter().map(|task| format!("balance.uncertainty.{}", task.name));
        let names: Vec<String> = named.collect();
        let shapes = names.iter().map(|name| (name.clone(), vec![1])).collect();
        Self {
            weights: plan.tasks.iter().map(|task| task.weight).collect(),
            s: vec![0.0; names.len()],
            grads: vec![None; names.len()],
            optimizer: Optimizer::over(&without_decay(optimizer), shapes),
            names,
        }
    }
}

impl Balancer for Uncertainty {
    fn factor(&self, task: usize) -> f64 {
        self.weights[task] * f64::from(-self.s[task]).exp()
    }

    fn penalty(&self, task: usize) -> f64 {
        f64::from(self.s[task]) / 2.0
    }

    fn observe(&mut self, task: usize, loss: f64, share: f64) {
        let grad = share * (0.5 - self.factor(task) * loss);
        *self.grads[task].get_or_insert(0.0) += grad;
    }

    fn step(&mut self, lr: f64) {
        for task in 0..self.s.len() {
            if let Some(grad) = self.grads[task].take() {
                self.optimizer.step_slice(task, &mut self.s[task..=task], &[grad as f32], lr);
            }
        }
    }

    fn save(&self) -> Result<(Vec<Slot>, Vec<u64>)> {
        let value = |(name, s): (&String, &f32)| Slot { name: name.clone(), shape: vec![1], data: vec![*s] };
        let mut slots: Vec<Slot> = self.names.iter().zip(&self.s).map(value).collect();
        slots.extend(self.optimizer.save(STATE)?);
        Ok((slots, self.optimizer.steps().to_vec()))
    }

    fn load(&mut self, steps: &[u64], find: &dyn Fn(&str) -> Option<Vec<f32>>) -> Result<()> {
        for (name, s) in self.names.iter().zip(&mut self.s) {
            match find(name).as_deref() {
                Some([value]) => *s = *value,
                _ => candle_core::bail!("`{name}` is missing"),
            }
        }
        self.optimizer.load(STATE, steps, |_| Device::Cpu, find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::toy;

    #[test]
    fn follows_the_formula() {
        let plan = toy::plan();
        let sgd = OptimizerPlan::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.5 };
        let mut balance = Uncertainty::new(&plan, &sgd);
        assert_eq!((balance.factor(0), balance.penalty(0)), (1.0, 0.0));
        let mut s = 0.0f64;
        for loss in [2.0, 1.0, 0.25] {
            balance.observe(0, loss, 1.0);
            balance.step(0.1);
            s -= 0.1 * (0.5 - (-s).exp() * loss);
            assert!((balance.penalty(0) - s / 2.0).abs() < 1e-6);
            assert!((balance.factor(0) - (-s).exp()).abs() < 1e-6);
        }
        assert_eq!(balance.penalty(1), 0.0, "a task that took no part stays put");
    }

    #[test]
    fn minimum_is_the_noise() {
        // For a constant loss L, exp(-s) L + s/2 is least where exp(s) = 2L.
        let plan = toy::plan();
        let sgd = OptimizerPlan::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let mut balance = Uncertainty::new(&plan, &sgd);
        for _ in 0..500 {
            balance.observe(0, 1.5, 0.5);
            balance.observe(0, 1.5, 0.5);
            balance.step(0.1);
        }
        assert!((balance.factor(0) - 1.0 / 3.0).abs() < 1e-4);
    }

    #[test]
    fn comes_back() {
        let plan = toy::plan();
        let adam = OptimizerPlan::Adam { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
        let mut first = Uncertainty::new(&plan, &adam);
        first.observe(0, 2.0, 1.0);
        first.step(0.1);
        let (slots, steps) = first.save().unwrap();
        assert!(slots.iter().any(|s| s.name == "balance.uncertainty.height"));
        let mut second = Uncertainty::new(&plan, &adam);
        let find = |name: &str| slots.iter().find(|s| s.name == name).map(|s| s.data.clone());
        second.load(&steps, &find).unwrap();
        for balance in [&mut first, &mut second] {
            balance.observe(0, 0.5, 1.0);
            balance.step(0.1);
        }
        assert_eq!(first.s, second.s);
    }
}
