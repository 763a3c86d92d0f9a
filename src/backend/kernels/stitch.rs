//! Columns of each row mixed by one matrix.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::buffer::{anchor, floats, is_fused, operand, par_rows, result, tensor};
use super::simd;
use crate::backend::param::Param;

/// `y_p = Σ_q α_pq x_q` for each row of `x [N, P w]`, whose P parts lie side by side, and
/// `alpha [P, P]`: `[N, P w]`.
pub fn stitch(x: &Tensor, alpha: &Param) -> Result<Tensor> {
    let ((_, all), (parts, columns)) = (x.dims2()?, alpha.var.dims2()?);
    if parts != columns || parts == 0 || !all.is_multiple_of(parts) {
        bail!("{} of {parts} by {columns} for rows of {all}", alpha.name);
    }
    if !is_fused(x) {
        return plain(x, alpha);
    }
    x.contiguous()?.apply_op2(&anchor(&[alpha]), Stitch { alpha: alpha.clone() })
}

/// The same out of Candle's operations.
fn plain(x: &Tensor, alpha: &Param) -> Result<Tensor> {
    let ((rows, all), parts) = (x.dims2()?, alpha.var.dims()[0]);
    if rows == 0 {
        return Ok(x.clone());
    }
    let x = x.reshape((rows, parts, all / parts))?;
    alpha.tensor().unsqueeze(0)?.broadcast_matmul(&x)?.reshape((rows, all))
}

struct Stitch {
    alpha: Param,
}

/// Adds `Σ_q α_pq x_q`, or with the transpose of α, to each row of `into`.
fn mix(alpha: &[f32], x: &[f32], into: &mut [f32], parts: usize, turned: bool) {
    let width = into.len() / parts;
    for (p, into) in into.chunks_exact_mut(width.max(1)).enumerate() {
        for (q, x) in x.chunks_exact(width.max(1)).enumerate() {
            let factor = if turned { alpha[q * parts + p] } else { alpha[p * parts + q] };
            simd::add_scaled(into, factor, x);
        }
    }
}

fn mixed(alpha: &[f32], x: &[f32], all: usize, parts: usize, turned: bool) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    par_rows(&mut y, all, |first, rows| {
        let x = &x[first * all..][..rows.len()];
        rows.chunks_exact_mut(all).zip(x.chunks_exact(all)).for_each(|(y, x)| mix(alpha, x, y, parts, turned));
    });
    y
}

impl CustomOp2 for Stitch {
    fn name(&self) -> &'static str {
        "stitch"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let (alpha, parts) = (floats(self.alpha.var.as_tensor())?, self.alpha.var.dims()[0]);
        result(mixed(&alpha, operand(x, l)?, l.dims()[1].max(1), parts, false), l.shape().clone())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (parts, all) = (self.alpha.var.dims()[0], x.dim(1)?.max(1));
        let (alpha, numbers, g) = (floats(self.alpha.var.as_tensor())?, floats(x)?, floats(&grad)?);
        if self.alpha.trainable {
            self.alpha.sink.add_with(|into| add_products(&numbers, &g, all, parts, into));
        }
        let dx = || tensor(mixed(&alpha, &g, all, parts, true), x.shape());
        Ok((x.track_op().then(dx).transpose()?, None))
    }
}

/// Adds `Σ g_p · x_q` over all rows to number `p, q`.
fn add_products(x: &[f32], g: &[f32], all: usize, parts: usize, into: &mut [f32]) {
    let width = all / parts;
    for (x, g) in x.chunks_exact(all).zip(g.chunks_exact(all)) {
        for (p, g) in g.chunks_exact(width.max(1)).enumerate() {
            for (q, x) in x.chunks_exact(width.max(1)).enumerate() {
                into[p * parts + q] += simd::dot(x, g);
            }
        }
    }
}
