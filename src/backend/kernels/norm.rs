//! Layer normalisation (Ba et al., 2016), alone and together with the residual sum before it.
//!
//! Nothing is saved: the backward pass finds mean and deviation of a row again, which costs
//! less than writing them.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use super::buffer::{add, anchor, floats, is_fused, operand, par_rows, result, sum_rows, tensor};
use super::simd::{self, lanes, simd};
use crate::backend::param::Param;

/// Normalises each row of `x [N, d]` to mean 0 and variance 1, then scales it by `gamma [d]`
/// and shifts it by `beta [d]`.
pub fn layer_norm(x: &Tensor, gamma: &Param, beta: &Param, eps: f64) -> Result<Tensor> {
    layer_norm_of(x, gamma, Some(beta), eps)
}

/// [`layer_norm`], which shifts only where there is a `beta`.
pub fn layer_norm_of(x: &Tensor, gamma: &Param, beta: Option<&Param>, eps: f64) -> Result<Tensor> {
    check(x, gamma, beta)?;
    if !is_fused(x) {
        return layer_norm_plain(x, gamma, beta, eps);
    }
    let params: Vec<&Param> = [gamma].into_iter().chain(beta).collect();
    x.contiguous()?.apply_op2(&anchor(&params), Norm::new(gamma, beta, eps))
}

/// `layer_norm(x + residual)` in one operation.
pub fn add_norm(x: &Tensor, residual: &Tensor, gamma: &Param, beta: &Param, eps: f64) -> Result<Tensor> {
    check(x, gamma, Some(beta))?;
    if x.shape() != residual.shape() {
        bail!("a residual of {:?} with {:?}", residual.shape(), x.shape());
    }
    if !is_fused(x) {
        return layer_norm_plain(&(x + residual)?, gamma, Some(beta), eps);
    }
    let operand = anchor(&[gamma, beta]);
    x.contiguous()?.apply_op3(&residual.contiguous()?, &operand, Norm::new(gamma, Some(beta), eps))
}

/// [`layer_norm`] out of Candle's operations.
pub fn layer_norm_plain(x: &Tensor, gamma: &Param, beta: Option<&Param>, eps: f64) -> Result<Tensor> {
    let wide = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let y = x.to_dtype(wide)?;
    let centred = y.broadcast_sub(&y.mean_keepdim(1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(1)? + eps)?.sqrt()?;
    let y = centred.broadcast_div(&deviation)?.to_dtype(x.dtype())?;
    let y = y.broadcast_mul(&gamma.tensor())?;
    beta.map_or_else(|| Ok(y.clone()), |beta| y.broadcast_add(&beta.tensor()))
}

fn check(x: &Tensor, gamma: &Param, beta: Option<&Param>) -> Result<()> {
    let (_, width) = x.dims2()?;
    if gamma.len() != width || beta.is_some_and(|beta| beta.len() != width) {
        bail!("{} scales {} numbers, not {width}", gamma.name, gamma.len());
    }
    Ok(())
}

/// The normalisation with its parameters. Other operations use it as a part.
pub(super) struct Norm {
    gamma: Param,
    beta: Option<Param>,
    eps: f32,
}

impl Norm {
    pub(super) fn new(gamma: &Param, beta: Option<&Param>, eps: f64) -> Self {
        Self { gamma: gamma.clone(), beta: beta.cloned(), eps: eps as f32 }
    }

    pub(super) fn params(&self) -> impl Iterator<Item = &Param> {
        [&self.gamma].into_iter().chain(&self.beta)
    }

    /// Normalises the rows of `numbers` in place.
    pub(super) fn forward(&self, numbers: &mut [f32]) -> Result<()> {
        let gamma = floats(self.gamma.var.as_tensor())?;
        let beta = self.beta.as_ref().map(|beta| Ok::<_, candle_core::Error>(floats(beta.var.as_tensor())?.to_vec()));
        let width = gamma.len();
        let beta = beta.unwrap_or_else(|| Ok(vec![0.0; width]))?;
        par_rows(numbers, width, |_, rows| {
            for row in rows.chunks_exact_mut(width.max(1)) {
                normalise(row, &gamma, &beta, self.eps);
            }
        });
        Ok(())
    }

    /// Adds the gradients of `gamma` and `beta`, given the rows `x` and the gradient `g`.
    pub(super) fn parameters(&self, x: &[f32], g: &[f32]) {
        let width = self.gamma.len();
        if width == 0 || !self.params().any(|param| param.trainable) {
            return;
        }
        let mut sums = vec![0.0; 2 * width];
        sum_rows(x.len() / width, &mut sums, |range, sums| {
            let (slopes, shifts) = sums.split_at_mut(width);
            for at in range.map(|row| row * width) {
                row_parameters(&x[at..at + width], &g[at..at + width], self.eps, slopes, shifts);
            }
        });
        for (param, sums) in self.params().zip(sums.chunks_exact(width)) {
            if param.trainable {
                param.sink.add_with(|into| simd::add(into, sums));
            }
        }
    }

    /// Turns the gradient of the result into that of the rows `x`, in place.
    pub(super) fn input(&self, x: &[f32], grad: &mut [f32]) -> Result<()> {
        let gamma = floats(self.gamma.var.as_tensor())?;
        let width = gamma.len();
        par_rows(grad, width, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
                let at = (first + i) * width;
                row_gradient(&x[at..at + width], &gamma, self.eps, row);
            }
        });
        Ok(())
    }

    fn backward(&self, x: &[f32], grad: &Tensor, wanted: bool) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let g = floats(&grad)?;
        self.parameters(x, &g);
        if !wanted {
            return Ok(None);
        }
        let mut out = g.to_vec();
        self.input(x, &mut out)?;
        Ok(Some(tensor(out, grad.shape())?))
    }
}

/// Mean and reciprocal deviation of a row.
#[inline(always)]
fn moments(row: &[f32], eps: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row, row, |x, _| x) / count;
    let variance = sum(row, row, |x, _| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + eps).sqrt())
}

#[inline(always)]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    lanes(a, b, 0.0, |sum, a, b| sum + term(a, b), |a, b| a + b)
}

simd! {
    /// Normalises a row in place.
    pub(super) fn normalise(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
        let (mean, scale) = moments(row, eps);
        for ((x, g), b) in row.iter_mut().zip(gamma).zip(beta) {
            *x = (*x - mean) * scale * g + b;
        }
    }
}

simd! {
    /// Turns the gradient of a result into that of its row, in place. With `x^` the normalised
    /// row and `h = g * gamma`: `dx = (h - mean(h) - x^ * mean(h * x^)) / deviation`.
    fn row_gradient(x: &[f32], gamma: &[f32], eps: f32, out: &mut [f32]) {
        let (mean, scale) = moments(x, eps);
        for (h, w) in out.iter_mut().zip(gamma) {
            *h *= w;
        }
        let count = x.len() as f32;
        let level = sum(out, x, |h, _| h) / count;
        let slope = sum(out, x, |h, x| h * (x - mean)) * scale / count;
        for (h, x) in out.iter_mut().zip(x) {
            *h = (*h - level - (x - mean) * scale * slope) * scale;
        }
    }
}

simd! {
    /// Adds a row's part of the gradients of `gamma` and `beta`.
    fn row_parameters(x: &[f32], g: &[f32], eps: f32, slopes: &mut [f32], shifts: &mut [f32]) {
        let (mean, scale) = moments(x, eps);
        for (((a, b), x), g) in slopes.iter_mut().zip(shifts).zip(x).zip(g) {
            *a += g * ((x - mean) * scale);
            *b += g;
        }
    }
}

/// `layer_norm(x)` with the operand that ties the parameters to the graph.
impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = operand(x, l)?.to_vec();
        self.forward(&mut y)?;
        result(y, l.shape().clone())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward(&floats(x)?, grad, x.track_op())?, None))
    }
}

/// `layer_norm(x + residual)`.
impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "add_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l: &Layout,
        residual: &CpuStorage,
        lr: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut y = added(operand(x, l)?, operand(residual, lr)?);
        self.forward(&mut y)?;
        result(y, l.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        residual: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sum = added(&floats(x)?, &floats(residual)?);
        let both = self.backward(&sum, grad, x.track_op() || residual.track_op())?;
        let of = |t: &Tensor| both.clone().filter(|_| t.track_op());
        Ok((of(x), of(residual), None))
    }
}

fn added(a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut out = a.to_vec();
    add(&mut out, b);
    out
}
