//! A linear map with its bias and activation as one operation.

use std::borrow::Cow;
use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::activation::Activation;
use super::buffer::{anchor, floats, is_fused, operand, par_rows, result, sum_columns, tensor};
use super::few;
use super::views::{Into, Target, View, par_product};
use crate::backend::param::Param;

/// `act(x w^T + b)` for `x [N, i]`, `w [o, i]`, `b [o]`: `[N, o]`.
pub fn linear(x: &Tensor, w: &Param, b: Option<&Param>, act: Activation) -> Result<Tensor> {
    let (outputs, inputs) = w.var.dims2()?;
    if x.dims2()?.1 != inputs {
        bail!("{} takes {inputs} numbers, not {:?}", w.name, x.shape());
    }
    if let Some(b) = b.filter(|b| b.len() != outputs) {
        bail!("{} has {} numbers for {outputs} outputs", b.name, b.len());
    }
    if !is_fused(x) {
        return linear_plain(x, w, b, act);
    }
    let operand = match b {
        Some(b) => anchor(&[w, b]),
        None => w.tensor(),
    };
    x.contiguous()?.apply_op2(&operand, Linear::new(w, b, act))
}

/// A projection with another operation's table `[o, i]`: `x table^T`.
pub fn tied(x: &Tensor, table: &Param) -> Result<Tensor> {
    linear(x, table, None, Activation::None)
}

/// [`linear`] out of Candle's operations.
pub fn linear_plain(x: &Tensor, w: &Param, b: Option<&Param>, act: Activation) -> Result<Tensor> {
    // On CUDA, products take rows that lie in one piece.
    let mut y = x.contiguous()?.matmul(&w.tensor().t()?)?;
    if let Some(b) = b {
        y = y.broadcast_add(&b.tensor())?;
    }
    act.apply_plain(&y)
}

/// The map, with what its backward pass needs. Other operations use it as a part.
pub(super) struct Linear {
    w: Param,
    b: Option<Param>,
    act: Activation,
    /// Inputs of the activation, where its derivative needs them.
    inputs: OnceLock<Vec<f32>>,
}

impl Linear {
    pub(super) fn new(w: &Param, b: Option<&Param>, act: Activation) -> Self {
        Self { w: w.clone(), b: b.cloned(), act, inputs: OnceLock::new() }
    }

    pub(super) fn outputs(&self) -> usize {
        self.w.var.dims()[0]
    }

    pub(super) fn params(&self) -> impl Iterator<Item = &Param> {
        [&self.w].into_iter().chain(&self.b)
    }

    pub(super) fn trainable(&self) -> bool {
        self.w.trainable || self.b.as_ref().is_some_and(|b| b.trainable)
    }

    /// `x w^T + b` for `rows` rows, without the activation.
    pub(super) fn affine(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let (outputs, inputs) = self.w.var.dims2()?;
        let w = floats(self.w.var.as_tensor())?;
        let mut y = vec![0.0; rows * outputs];
        let mut how = Into::Set;
        if let Some(b) = &self.b {
            let b = floats(b.var.as_tensor())?;
            par_rows(&mut y, outputs, |_, rows| {
                rows.chunks_exact_mut(outputs.max(1)).for_each(|row| row.copy_from_slice(&b));
            });
            how = Into::Add;
        }
        if rows <= few::MOST {
            few::add_few(x, rows, &w, &mut y, true);
            return Ok(y);
        }
        par_product(
            Target::new(&mut y, rows, outputs),
            how,
            View::new(x, rows, inputs),
            View::new(&w, outputs, inputs).t(),
        );
        Ok(y)
    }

    /// All of it; keeps what [`Linear::activation_gradient`] needs.
    pub(super) fn forward(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let mut y = self.affine(x, rows)?;
        if self.act.saves_input() {
            let _ = self.inputs.set(y.clone());
        }
        self.act.forward(&mut y);
        Ok(y)
    }

    /// The gradient in front of the activation.
    pub(super) fn activation_gradient<'a>(&self, y: &[f32], grad: &'a [f32]) -> Cow<'a, [f32]> {
        if self.act == Activation::None {
            return Cow::Borrowed(grad);
        }
        let mut dz = grad.to_vec();
        self.act.backward(self.inputs.get().map_or(y, |z| z), &mut dz);
        Cow::Owned(dz)
    }

    /// Adds the gradients of `w` and `b`, given the one in front of the activation.
    pub(super) fn parameters(&self, x: &[f32], dz: &[f32], rows: usize) -> Result<()> {
        let (outputs, inputs) = self.w.var.dims2()?;
        if self.w.trainable {
            let (dz, x) = (View::new(dz, rows, outputs).t(), View::new(x, rows, inputs));
            self.w.sink.add_with(|into| par_product(Target::new(into, outputs, inputs), Into::Add, dz, x));
        }
        if let Some(b) = self.b.as_ref().filter(|b| b.trainable) {
            b.sink.add_with(|into| sum_columns(dz, into));
        }
        Ok(())
    }

    /// The gradient of `x`, given the one in front of the activation.
    pub(super) fn input(&self, dz: &[f32], rows: usize) -> Result<Vec<f32>> {
        let (outputs, inputs) = self.w.var.dims2()?;
        let w = floats(self.w.var.as_tensor())?;
        let mut dx = vec![0.0; rows * inputs];
        let (dz, w) = (View::new(dz, rows, outputs), View::new(&w, outputs, inputs));
        par_product(Target::new(&mut dx, rows, inputs), Into::Set, dz, w);
        Ok(dx)
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = l.dims()[0];
        result(self.forward(operand(x, l)?, rows)?, (rows, self.outputs()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (grad, rows) = (grad.contiguous()?, x.dim(0)?);
        let g = floats(&grad)?;
        let dz = self.activation_gradient(&floats(y)?, &g);
        if self.trainable() {
            self.parameters(&floats(x)?, &dz, rows)?;
        }
        if !x.track_op() {
            return Ok((None, None));
        }
        Ok((Some(tensor(self.input(&dz, rows)?, x.shape())?), None))
    }
}
