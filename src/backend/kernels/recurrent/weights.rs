//! The parameters of one direction, and the products over all tokens.

use candle_core::{Result, bail};

use super::labels::Fed;
use super::pass::Gradients;
use crate::backend::kernels::buffer::{floats, sum_columns};
use crate::backend::kernels::views::{Into, Target, View, par_product, product};
use crate::backend::kernels::{few, simd};
use crate::backend::param::Param;

/// The parameters of one direction with `g` gates of `h` units.
pub(super) struct Weights {
    /// `[gh, i]`
    pub w_ih: Param,
    /// `[gh, h]`
    pub w_hh: Param,
    /// `[gh]`, added to the input's part.
    pub bias: Param,
    /// `[gh]`, added to the part of the state, where that is apart.
    pub state_bias: Option<Param>,
    /// The labels that the gates read beside the input.
    pub labels: Option<Fed>,
}

/// `target (+)= a b`, on all threads if nobody else computes.
fn multiply(alone: bool, target: Target, how: Into, a: View, b: View) {
    if alone {
        par_product(target, how, a, b);
    } else {
        product(target, how, 1.0, a, b);
    }
}

impl Weights {
    /// Units.
    pub fn hidden(&self) -> usize {
        self.w_hh.var.dims()[1]
    }

    /// All gates together.
    pub fn width(&self) -> usize {
        self.bias.len()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Param> {
        let labels = self.labels.iter().flat_map(Fed::params);
        [&self.w_ih, &self.w_hh, &self.bias].into_iter().chain(&self.state_bias).chain(labels)
    }

    /// Whether their shapes fit `rows` rows of `inputs`.
    pub fn check(&self, (rows, inputs): (usize, usize), gates: usize) -> Result<()> {
        let h = self.w_hh.var.dims2()?.1;
        if self.w_ih.var.dims2()? != (gates * h, inputs) || self.w_hh.var.dims2()?.0 != gates * h {
            bail!("{}: {:?} and {:?} for {inputs} inputs", self.w_ih.name, self.w_ih.var.dims(), self.w_hh.var.dims());
        }
        if let Some(b) = [&self.bias].into_iter().chain(&self.state_bias).find(|b| b.len() != gates * h) {
            bail!("{} has {} numbers for {gates} gates of {h}", b.name, b.len());
        }
        self.labels.as_ref().map_or(Ok(()), |labels| labels.check(rows, gates * h))
    }

    /// `x w_ih^T + bias`, and what the labels add, `[N, gh]`.
    pub fn project(&self, x: &[f32], rows: usize, alone: bool) -> Result<Vec<f32>> {
        let (width, inputs) = self.w_ih.var.dims2()?;
        let (w, bias) = (floats(self.w_ih.var.as_tensor())?, floats(self.bias.var.as_tensor())?);
        let mut gates = Vec::with_capacity(rows * width);
        (0..rows).for_each(|_| gates.extend_from_slice(&bias));
        if rows <= few::MOST {
            few::add_few(x, rows, &w, &mut gates, alone);
        } else {
            let (x, w) = (View::new(x, rows, inputs), View::new(&w, width, inputs).t());
            multiply(alone, Target::new(&mut gates, rows, width), Into::Add, x, w);
        }
        if let Some(labels) = &self.labels {
            labels.add_to(&mut gates)?;
        }
        Ok(gates)
    }

    /// `w_hh^T`, `[h, gh]`: this way round no step has to rearrange it.
    pub fn transposed(&self) -> Result<Vec<f32>> {
        let (width, h) = self.w_hh.var.dims2()?;
        Ok(simd::transposed(&floats(self.w_hh.var.as_tensor())?, width, h))
    }

    /// Adds the gradients of the parameters.
    pub fn add_gradients(&self, x: &[f32], gates: &Gradients, rows: usize, alone: bool) -> Result<()> {
        let (width, h) = (self.width(), self.hidden());
        let of_states = gates.states.as_ref().unwrap_or(&gates.inputs);
        let add = |param: &Param, g: &[f32], of: &[f32], columns: usize| {
            if param.trainable {
                let (g, of) = (View::new(g, rows, width).t(), View::new(of, rows, columns));
                param.sink.add_with(|into| multiply(alone, Target::new(into, width, columns), Into::Add, g, of));
            }
        };
        add(&self.w_ih, &gates.inputs, x, self.w_ih.var.dims()[1]);
        add(&self.w_hh, of_states, &gates.before, h);
        if self.bias.trainable {
            self.bias.sink.add_with(|into| sum(alone, &gates.inputs, into));
        }
        if let Some(b) = self.state_bias.as_ref().filter(|b| b.trainable) {
            b.sink.add_with(|into| sum(alone, of_states, into));
        }
        self.labels.as_ref().map_or(Ok(()), |labels| labels.add_gradients(&gates.inputs))
    }

    /// Puts the gradient of the input, or adds it.
    pub fn input_gradient(&self, gates: &[f32], rows: usize, how: Into, dx: &mut [f32]) -> Result<()> {
        let (width, inputs) = self.w_ih.var.dims2()?;
        let w = floats(self.w_ih.var.as_tensor())?;
        let (g, w) = (View::new(gates, rows, width), View::new(&w, width, inputs));
        par_product(Target::new(dx, rows, inputs), how, g, w);
        Ok(())
    }
}

fn sum(alone: bool, rows: &[f32], into: &mut [f32]) {
    if alone {
        sum_columns(rows, into);
    } else {
        simd::add_rows(into, rows);
    }
}
