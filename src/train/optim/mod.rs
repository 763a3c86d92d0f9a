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

use std::ops::Range;

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use crate::backend::{Param, Written};
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

impl Place {
    fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len
    }
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

    /// One step of the parameters that were written to, whose gradients are those of the flat array
    /// times `scale`. Leaves these gradients zero.
    pub fn step(&mut self, params: &[Param], flat: &mut [f32], written: &[Written], lr: f64, scale: f32) -> Result<()> {
        let those: Vec<usize> = (0..params.len()).filter(|index| written[*index] != Written::Nothing).collect();
        let steps: Vec<At> = those.iter().map(|index| self.count(*index, lr, scale)).collect();
        if those.iter().any(|index| !self.on_host(params[*index].var.device())) {
            for (index, at) in those.iter().zip(&steps) {
                let grad = &mut flat[self.places[*index].range()];
                self.step_on_device(*index, &params[*index], grad, at)?;
                grad.fill(0.0);
            }
            return Ok(());
        }
        let ranges: Vec<Range<usize>> = those.iter().map(|index| self.places[*index].range()).collect();
        let mut state = self.flat.iter_mut().map(|all| pieces(all, &ranges));
        let [a, b] = [(); 2].map(|()| state.next().unwrap_or_else(|| pieces(&mut [], &[])));
        let passes = pieces(flat, &ranges).zip(steps).zip(a.zip(b)).zip(&those);
        let passes = passes.map(|(((grad, at), (a, b)), index)| {
            (index, Pass::new(self.rule.as_ref(), at, &written[*index], [grad, a, b]))
        });
        let run = |(index, pass): &(&usize, Pass)| params[**index].var.as_tensor().inplace_op1(pass);
        let passes: Vec<(&usize, Pass)> = passes.collect();
        match ranges.iter().map(Range::len).sum::<usize>() < pass::CHUNK {
            true => passes.iter().try_for_each(run),
            false => passes.par_iter().try_for_each(run),
        }
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

/// The parts of an array at these ranges, which go up, and then empty ones.
fn pieces<'a>(mut all: &'a mut [f32], ranges: &[Range<usize>]) -> impl Iterator<Item = &'a mut [f32]> + use<'a> {
    let (mut parts, mut before) = (Vec::with_capacity(ranges.len()), 0);
    for range in ranges {
        let (here, rest) = all.split_at_mut(range.end - before);
        parts.push(&mut here[range.start - before..]);
        (all, before) = (rest, range.end);
    }
    parts.into_iter().chain(std::iter::repeat_with(Default::default))
}

/// A parameter's part of the flat state.
fn state_of<'a>(flat: &'a mut [Vec<f32>], place: &Place) -> (&'a mut [f32], &'a mut [f32]) {
    let range = place.range();
    match flat {
        [] => (&mut [], &mut []),
        [a] => (&mut a[range], &mut []),
        [a, b, ..] => (&mut a[range.clone()], &mut b[range]),
    }
}
