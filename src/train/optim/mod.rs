//! Optimisers: one fused pass over each parameter that the step touched.
//!
//! A rule is a file with its formula, written once over slices (the fused pass on the CPU) and
//! once over tensors (any other device), and one line in [`rule_of`]. [`Optimizer`] keeps the
//! rule's state in flat arrays, counts steps for each parameter, and leaves a parameter that
//! the step did not touch exactly as it is: no decay, no momentum.

mod adagrad;
mod adam;
mod adamw;
mod pass;
mod radam;
mod sgd;
mod state;
#[cfg(test)]
mod tests;

use candle_core::{DType, Device, Result, Tensor};

use crate::backend::Param;
use crate::plan::OptimizerPlan;
use pass::Pass;

pub use state::Slot;

/// What a rule is told about the step of one parameter.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The learning rate, with the parameter's factor.
    pub lr: f64,
    /// Which step of this parameter it is, from 1.
    pub step: u64,
    /// What the gradient is multiplied by first: clipping and averaging.
    pub scale: f32,
}

/// The formula of an optimiser.
pub trait Rule: Send + Sync {
    /// Names of its state arrays, at most two, each as large as the parameter.
    fn slots(&self) -> &'static [&'static str];

    /// One step over a stretch of a parameter; `a` and `b` are the state arrays, empty where
    /// the rule has none. Numbers are independent of each other.
    fn pass(&self, at: &At, theta: &mut [f32], grad: &[f32], a: &mut [f32], b: &mut [f32]);

    /// The same step in tensors (`grad` is scaled already): the new values and the new state.
    fn tensors(&self, at: &At, theta: &Tensor, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)>;
}

/// The table of optimisers.
pub fn rule_of(plan: &OptimizerPlan) -> Box<dyn Rule> {
    match plan.clone() {
        OptimizerPlan::Sgd { momentum, nesterov, weight_decay, .. } => {
            Box::new(sgd::Sgd { momentum, nesterov, weight_decay })
        }
        OptimizerPlan::Adam { beta1, beta2, eps, weight_decay, .. } => {
            Box::new(adam::Adam { beta1, beta2, eps, weight_decay })
        }
        OptimizerPlan::Adamw { beta1, beta2, eps, weight_decay, .. } => {
            Box::new(adamw::AdamW { beta1, beta2, eps, weight_decay })
        }
        OptimizerPlan::Adagrad { eps, weight_decay, .. } => Box::new(adagrad::Adagrad { eps, weight_decay }),
        OptimizerPlan::Radam { beta1, beta2, eps, weight_decay, .. } => {
            Box::new(radam::RAdam { beta1, beta2, eps, weight_decay })
        }
    }
}

/// The same optimiser without decay, for numbers that mean nothing when they shrink.
pub fn without_decay(plan: &OptimizerPlan) -> OptimizerPlan {
    let mut plan = plan.clone();
    match &mut plan {
        OptimizerPlan::Sgd { weight_decay, .. }
        | OptimizerPlan::Adam { weight_decay, .. }
        | OptimizerPlan::Adamw { weight_decay, .. }
        | OptimizerPlan::Adagrad { weight_decay, .. }
        | OptimizerPlan::Radam { weight_decay, .. } => *weight_decay = 0.0,
    }
    plan
}

/// Where a parameter lies in the flat arrays.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    shape: Vec<usize>,
    offset: usize,
    len: usize,
}

/// A rule with its state for all parameters.
pub struct Optimizer {
    rule: Box<dyn Rule>,
    places: Vec<Place>,
    steps: Vec<u64>,
    factors: Vec<f64>,
    /// Flat state for parameters on the CPU; zero pages that nobody touches cost nothing.
    flat: Vec<Vec<f32>>,
    /// State of parameters on other devices.
    device: Vec<Vec<Tensor>>,
    #[cfg(test)]
    through_tensors: bool,
}

impl Optimizer {
    /// Fresh state for these parameters.
    pub fn new(plan: &OptimizerPlan, params: &[Param]) -> Self {
        let shapes = params.iter().map(|p| (p.name.to_string(), p.var.dims().to_vec()));
        Self::over(plan, shapes.collect())
    }

    /// Fresh state for arrays of these names and shapes, one after another.
    pub fn over(plan: &OptimizerPlan, named: Vec<(String, Vec<usize>)>) -> Self {
        let rule = rule_of(plan);
        let (mut places, mut offset) = (Vec::with_capacity(named.len()), 0);
        for (name, shape) in named {
            let len = shape.iter().product();
            places.push(Place { name, shape, offset, len });
            offset += len;
        }
        let count = places.len();
        Self {
            flat: vec![vec![0.0; offset]; rule.slots().len()],
            device: vec![Vec::new(); count],
            steps: vec![0; count],
            factors: vec![1.0; count],
            rule,
            places,
            #[cfg(test)]
            through_tensors: false,
        }
    }

    /// Multiplies the learning rate of parameter `index`.
    pub fn set_factor(&mut self, index: usize, factor: f64) {
        self.factors[index] = factor;
    }

    /// One step of parameter `index`, whose gradient is `grad` times `scale`. Leaves `grad` zero.
    pub fn step(&mut self, index: usize, param: &Param, grad: &mut [f32], lr: f64, scale: f32) -> Result<()> {
        let at = self.count(index, lr, scale);
        if !self.on_host(param.var.device()) {
            self.step_on_device(index, param, grad, &at)?;
            grad.fill(0.0);
            return Ok(());
        }
        let (a, b) = state_of(&mut self.flat, &self.places[index]);
        param.var.as_tensor().inplace_op1(&Pass::new(self.rule.as_ref(), at, grad, a, b))
    }

    /// One step over an array of our own, such as the learned weights of a balancer.
    pub fn step_slice(&mut self, index: usize, theta: &mut [f32], grad: &[f32], lr: f64) {
        let at = self.count(index, lr, 1.0);
        let (a, b) = state_of(&mut self.flat, &self.places[index]);
        self.rule.pass(&at, theta, grad, a, b);
    }

    fn count(&mut self, index: usize, lr: f64, scale: f32) -> At {
        self.steps[index] += 1;
        At { lr: lr * self.factors[index], step: self.steps[index], scale }
    }

    fn on_host(&self, device: &Device) -> bool {
        #[cfg(test)]
        if self.through_tensors {
            return false;
        }
        device.is_cpu()
    }

    fn step_on_device(&mut self, index: usize, param: &Param, grad: &[f32], at: &At) -> Result<()> {
        let theta = param.var.as_detached_tensor().to_dtype(DType::F32)?;
        let grad = Tensor::from_slice(grad, theta.shape(), theta.device())?;
        let grad = (grad * f64::from(at.scale))?;
        if self.device[index].is_empty() {
            let zeros = || theta.zeros_like();
            self.device[index] = self.rule.slots().iter().map(|_| zeros()).collect::<Result<_>>()?;
        }
        let (theta, state) = self.rule.tensors(at, &theta, &grad, &self.device[index])?;
        self.device[index] = state;
        param.var.set(&theta.to_dtype(param.var.dtype())?)
    }
}

/// A parameter's part of the flat state.
fn state_of<'a>(flat: &'a mut [Vec<f32>], place: &Place) -> (&'a mut [f32], &'a mut [f32]) {
    let range = place.offset..place.offset + place.len;
    match flat {
        [] => (&mut [], &mut []),
        [a] => (&mut a[range], &mut []),
        [a, b, ..] => (&mut a[range.clone()], &mut b[range]),
    }
}
