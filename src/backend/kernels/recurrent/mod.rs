//! Recurrent layers over packed sequences: a layer, with both its directions if it has two, is
//! one operation with its own backward pass.
//!
//! The input projection of all tokens is one matrix product. The recurrence goes through
//! `Steps`, one product a step for the sequences still running; the gradients of the weights
//! are again one product each over all tokens.

pub mod gru;
pub mod lstm;
mod plain;

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::buffer::{anchor, floats, is_fused, operand, par_rows, result, sum_columns, tensor};
use super::steps::Steps;
use super::views::{Into, Target, View, par_product};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The parameters of one direction with `g` gates of `h` units.
struct Weights {
    /// `[gh, i]`
    w_ih: Param,
    /// `[gh, h]`
    w_hh: Param,
    /// `[gh]`, added to the input's part.
    bias: Param,
    /// `[gh]`, added to the part of the state, where that is apart.
    state_bias: Option<Param>,
}

impl Weights {
    fn hidden(&self) -> usize {
        self.w_hh.var.dims()[1]
    }

    fn width(&self) -> usize {
        self.bias.len()
    }

    fn all(&self) -> impl Iterator<Item = &Param> {
        [&self.w_ih, &self.w_hh, &self.bias].into_iter().chain(&self.state_bias)
    }

    fn check(&self, inputs: usize, gates: usize) -> Result<()> {
        let h = self.w_hh.var.dims2()?.1;
        if self.w_ih.var.dims2()? != (gates * h, inputs) || self.w_hh.var.dims2()?.0 != gates * h {
            bail!("{}: {:?} and {:?} for {inputs} inputs", self.w_ih.name, self.w_ih.var.dims(), self.w_hh.var.dims());
        }
        if let Some(b) = [&self.bias].into_iter().chain(&self.state_bias).find(|b| b.len() != gates * h) {
            bail!("{} has {} numbers for {gates} gates of {h}", b.name, b.len());
        }
        Ok(())
    }

    /// `x w_ih^T + bias`, `[N, gh]`.
    fn project(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let (width, inputs) = self.w_ih.var.dims2()?;
        let (w, bias) = (floats(self.w_ih.var.as_tensor())?, floats(self.bias.var.as_tensor())?);
        let mut gates = vec![0.0; rows * width];
        par_rows(&mut gates, width, |_, rows| repeat(&bias, rows));
        let (x, w) = (View::new(x, rows, inputs), View::new(&w, width, inputs).t());
        par_product(Target::new(&mut gates, rows, width), Into::Add, x, w);
        Ok(gates)
    }

    /// `w_hh^T`, `[h, gh]`: this way round no step has to rearrange it.
    fn transposed(&self) -> Result<Vec<f32>> {
        const BLOCK: usize = 16;
        let (width, h) = self.w_hh.var.dims2()?;
        let w = floats(self.w_hh.var.as_tensor())?;
        let mut out = vec![0.0; h * width];
        for (from, to) in (0..width).step_by(BLOCK).map(|j| (j, (j + BLOCK).min(width))) {
            for k in 0..h {
                for j in from..to {
                    out[k * width + j] = w[j * h + k];
                }
            }
        }
        Ok(out)
    }

    /// Adds the gradients of the parameters. `x` and `states` are in the order of time.
    fn add_gradients(&self, x: &[f32], states: &[f32], gates: &Gradients, steps: &Steps) -> Result<()> {
        let (rows, width, h) = (steps.rows(), self.width(), self.hidden());
        let of_states = gates.states.as_ref().unwrap_or(&gates.inputs);
        if self.w_ih.trainable {
            let inputs = self.w_ih.var.dims()[1];
            let (g, x) = (View::new(&gates.inputs, rows, width).t(), View::new(x, rows, inputs));
            self.w_ih.sink.add_with(|into| par_product(Target::new(into, width, inputs), Into::Add, g, x));
        }
        if self.w_hh.trainable {
            let (later, first) = (rows - steps.running(0), steps.running(0) * width);
            let before = steps.previous(states, h);
            let (g, before) = (View::new(&of_states[first..], later, width).t(), View::new(&before, later, h));
            self.w_hh.sink.add_with(|into| par_product(Target::new(into, width, h), Into::Add, g, before));
        }
        if self.bias.trainable {
            self.bias.sink.add_with(|into| sum_columns(&gates.inputs, into));
        }
        if let Some(b) = self.state_bias.as_ref().filter(|b| b.trainable) {
            b.sink.add_with(|into| sum_columns(of_states, into));
        }
        Ok(())
    }

    /// The gradient of the input, in the order of time.
    fn input_gradient(&self, gates: &Gradients, rows: usize) -> Result<Vec<f32>> {
        let (width, inputs) = self.w_ih.var.dims2()?;
        let w = floats(self.w_ih.var.as_tensor())?;
        let mut dx = vec![0.0; rows * inputs];
        let (g, w) = (View::new(&gates.inputs, rows, width), View::new(&w, width, inputs));
        par_product(Target::new(&mut dx, rows, inputs), Into::Set, g, w);
        Ok(dx)
    }
}

/// Fills rows with copies of `row`.
fn repeat(row: &[f32], rows: &mut [f32]) {
    rows.chunks_exact_mut(row.len().max(1)).for_each(|r| r.copy_from_slice(row));
}

/// Gradients in front of the gates, in the order of time.
struct Gradients {
    /// Of the input's part, `[N, gh]`.
    inputs: Vec<f32>,
    /// Of the state's part, where it differs.
    states: Option<Vec<f32>>,
}

/// What makes an LSTM or a GRU.
trait Cell: Send + Sync + 'static {
    /// Gates of a unit.
    const GATES: usize;
    /// The operation's name.
    const NAME: &'static str;
    /// What the backward pass needs besides the states.
    type Saved: Send + Sync;

    /// The states `[N, h]` from the projected inputs `[N, gh]`, both in the order of time.
    fn forward(weights: &Weights, gates: Vec<f32>, steps: &Steps) -> Result<(Vec<f32>, Self::Saved)>;

    /// Back through time: `grad [N, h]` is the gradient of the states, which this adds to.
    fn backward(w: &Weights, s: &[f32], saved: &Self::Saved, grad: &mut [f32], steps: &Steps) -> Result<Gradients>;

    /// One step out of Candle's operations: the projected inputs `[n, gh]`, and the states and
    /// cells `[n, h]` before and after.
    fn step(weights: &Weights, gates: &Tensor, before: &(Tensor, Tensor)) -> Result<(Tensor, Tensor)>;
}

/// A layer in one direction.
struct Direction<C: Cell> {
    weights: Weights,
    steps: Steps,
    saved: OnceLock<(Vec<f32>, C::Saved)>,
}

impl<C: Cell> Direction<C> {
    fn new(weights: Weights, offsets: &Offsets, reverse: bool) -> Self {
        Self { weights, steps: Steps::new(offsets, reverse), saved: OnceLock::new() }
    }

    fn forward(&self, x: &[f32]) -> Result<()> {
        let inputs = self.weights.w_ih.var.dims()[1];
        let x = self.steps.gather(x, inputs);
        let gates = self.weights.project(&x, self.steps.rows())?;
        let _ = self.saved.set(C::forward(&self.weights, gates, &self.steps)?);
        Ok(())
    }

    fn saved(&self) -> Result<&(Vec<f32>, C::Saved)> {
        match self.saved.get() {
            Some(saved) => Ok(saved),
            None => bail!("the backward pass of {} came before the forward pass", C::NAME),
        }
    }

    /// Gradients in front of the gates, given that of columns `column..` of the result.
    fn gates(&self, grad: &[f32], stride: usize, column: usize) -> Result<Gradients> {
        let mut grad = self.steps.gather_part(grad, stride, column, self.weights.hidden());
        let (states, saved) = self.saved()?;
        C::backward(&self.weights, states, saved, &mut grad, &self.steps)
    }
}

/// A layer in one direction or in two.
struct Layer<C: Cell> {
    directions: Vec<Direction<C>>,
}

impl<C: Cell> Layer<C> {
    fn width(&self) -> usize {
        self.directions.iter().map(|d| d.weights.hidden()).sum()
    }

    /// Runs `f(direction, its first column)` for all directions at the same time.
    fn each<T: Send>(&self, f: impl Fn(&Direction<C>, usize) -> Result<T> + Sync) -> Result<Vec<T>> {
        match &self.directions[..] {
            [a, b] => {
                let (a, b) = rayon::join(|| f(a, 0), || f(b, a.weights.hidden()));
                Ok(vec![a?, b?])
            }
            all => all.iter().map(|d| f(d, 0)).collect(),
        }
    }

    /// Applies the layer to `x [N, i]`: `[N, h]`, or `[N, 2h]` for two directions.
    fn apply(self, x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
        let (rows, inputs) = x.dims2()?;
        if offsets.last().copied().unwrap_or(0) as usize != rows {
            bail!("{rows} rows for sequences that end at {:?}", offsets.last());
        }
        self.directions.iter().try_for_each(|d| d.weights.check(inputs, C::GATES))?;
        if !is_fused(x) {
            return plain::layer(&self, x);
        }
        let params: Vec<&Param> = self.directions.iter().flat_map(|d| d.weights.all()).collect();
        let anchor = anchor(&params);
        x.contiguous()?.apply_op2(&anchor, self)
    }
}

impl<C: Cell> CustomOp2 for Layer<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = operand(x, l)?;
        self.each(|direction, _| direction.forward(x))?;
        let (rows, width) = (l.dims()[0], self.width());
        let mut y = vec![0.0; rows * width];
        let mut column = 0;
        for direction in &self.directions {
            let h = direction.weights.hidden();
            direction.steps.scatter(&direction.saved()?.0, h, &mut y, width, column);
            column += h;
        }
        result(y, (rows, width))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, inputs) = x.dims2()?;
        let grad = grad.contiguous()?;
        let (numbers, g) = (floats(x)?, floats(&grad)?);
        let g: &[f32] = &g;
        let gates = self.each(|direction, column| direction.gates(g, self.width(), column))?;
        let mut dx = vec![0.0; if x.track_op() { rows * inputs } else { 0 }];
        for (d, gates) in self.directions.iter().zip(&gates) {
            if d.weights.all().any(|p| p.trainable) {
                let timed = d.steps.gather(&numbers, inputs);
                d.weights.add_gradients(&timed, &d.saved()?.0, gates, &d.steps)?;
            }
            if x.track_op() {
                d.steps.scatter_add(&d.weights.input_gradient(gates, rows)?, inputs, &mut dx);
            }
        }
        let dx = if x.track_op() { Some(tensor(dx, x.shape())?) } else { None };
        Ok((dx, None))
    }
}
