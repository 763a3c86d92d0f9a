//! Small operations on packed rows: side by side, one number to a row, gradients turned.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::buffer::{floats, is_fused, operand, par_chunks, par_rows, result, tensor};

/// Puts tensors `[N, d1]`, `[N, d2]`, .. side by side: `[N, d1 + d2 + ..]`. Candle's own
/// concatenation, one operation for any number, was measured faster than one of ours.
pub fn concat_cols(parts: &[Tensor]) -> Result<Tensor> {
    let Some(first) = parts.first() else { bail!("nothing to concatenate") };
    let rows = first.dim(0)?;
    if let Some(part) = parts.iter().find(|p| p.rank() != 2 || p.dims()[0] != rows) {
        bail!("cannot put {:?} beside {rows} rows", part.shape());
    }
    Tensor::cat(parts, 1)
}

/// What to do with a row and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Each {
    Add,
    Sub,
    Mul,
}

/// Row `n` of `x [N, d]` times number `n` of `r [N, 1]`.
pub fn mul_rows(x: &Tensor, r: &Tensor) -> Result<Tensor> {
    each(x, r, Each::Mul)
}

/// Row `n` of `x [N, d]` plus number `n` of `r [N, 1]`.
pub fn add_rows(x: &Tensor, r: &Tensor) -> Result<Tensor> {
    each(x, r, Each::Add)
}

/// Row `n` of `x [N, d]` minus number `n` of `r [N, 1]`.
pub fn sub_rows(x: &Tensor, r: &Tensor) -> Result<Tensor> {
    each(x, r, Each::Sub)
}

fn each(x: &Tensor, r: &Tensor, how: Each) -> Result<Tensor> {
    if r.dims() != [x.dim(0)?, 1] {
        bail!("{:?} is not one number for each row of {:?}", r.shape(), x.shape());
    }
    if is_fused(x) && is_fused(r) {
        return x.contiguous()?.apply_op2(&r.contiguous()?, how);
    }
    match how {
        Each::Add => x.broadcast_add(r),
        Each::Sub => x.broadcast_sub(r),
        Each::Mul => x.broadcast_mul(r),
    }
}

impl Each {
    fn apply(self, x: &mut [f32], r: f32) {
        match self {
            Each::Add => x.iter_mut().for_each(|x| *x += r),
            Each::Sub => x.iter_mut().for_each(|x| *x -= r),
            Each::Mul => x.iter_mut().for_each(|x| *x *= r),
        }
    }

    fn row_gradient(self, x: &[f32], g: &[f32]) -> f32 {
        match self {
            Each::Add => g.iter().sum(),
            Each::Sub => -g.iter().sum::<f32>(),
            Each::Mul => x.iter().zip(g).map(|(x, g)| x * g).sum(),
        }
    }
}

fn for_rows(numbers: &mut [f32], width: usize, r: &[f32], how: Each) {
    par_rows(numbers, width, |first, rows| {
        rows.chunks_exact_mut(width.max(1)).zip(&r[first..]).for_each(|(row, r)| how.apply(row, *r));
    });
}

impl CustomOp2 for Each {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, r: &CpuStorage, lr: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = operand(x, lx)?.to_vec();
        for_rows(&mut out, lx.dims()[1], operand(r, lr)?, *self);
        result(out, lx.shape().clone())
    }

    fn bwd(&self, x: &Tensor, r: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (xs, g, width) = (floats(x)?, floats(&grad)?, x.dim(1)?);
        let mut dx = None;
        if x.track_op() && *self == Each::Mul {
            let mut out = g.to_vec();
            for_rows(&mut out, width, &floats(r)?, Each::Mul);
            dx = Some(tensor(out, x.shape())?);
        } else if x.track_op() {
            dx = Some(grad.clone());
        }
        let mut dr = None;
        if r.track_op() {
            let sums = xs.chunks(width.max(1)).zip(g.chunks(width.max(1)));
            dr = Some(tensor(sums.map(|(x, g)| self.row_gradient(x, g)).collect(), r.shape())?);
        }
        Ok((dx, dr))
    }
}

/// `x` as it is; its gradient comes back times `-lambda` (Ganin and Lempitsky, 2015).
pub fn reverse_gradient(x: &Tensor, lambda: f64) -> Result<Tensor> {
    if !is_fused(x) {
        let reversed = x.affine(-lambda, 0.0)?;
        return &reversed + (x.detach() - reversed.detach())?;
    }
    x.contiguous()?.apply_op1(Factor { forward: 1.0, backward: -lambda as f32 })
}

/// `x` times `factor`.
pub fn scale(x: &Tensor, factor: f64) -> Result<Tensor> {
    if !is_fused(x) {
        return x.affine(factor, 0.0);
    }
    x.contiguous()?.apply_op1(Factor { forward: factor as f32, backward: factor as f32 })
}

/// Multiplication by one factor forward and one backward.
struct Factor {
    forward: f32,
    backward: f32,
}

fn times(x: &[f32], factor: f32) -> Vec<f32> {
    let mut out = x.to_vec();
    if factor != 1.0 {
        par_chunks(&mut out, |_, chunk| chunk.iter_mut().for_each(|x| *x *= factor));
    }
    out
}

impl CustomOp1 for Factor {
    fn name(&self) -> &'static str {
        "factor"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        result(times(operand(x, l)?, self.forward), l.shape().clone())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        tensor(times(&floats(&grad)?, self.backward), x.shape()).map(Some)
    }
}
