//! Softmax and its logarithm over the last dimension, with gradients.

use candle_core::{D, Result, Tensor};

use super::buffer::{is_fused, par_rows};
use super::mapped::mapped;
use super::simd;

/// eˣ / Σ eˣ over each row of `x [N, C]`.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if !is_fused(x) {
        return softmax_plain(x);
    }
    let width = x.dim(D::Minus1)?.max(1);
    mapped(
        x,
        "softmax",
        x.shape(),
        move |x| {
            let mut y = x.to_vec();
            par_rows(&mut y, width, |_, rows| rows.chunks_exact_mut(width).for_each(simd::softmax));
            y
        },
        move |_, y, g| {
            let mut out = g.to_vec();
            par_rows(&mut out, width, |first, rows| {
                for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                    let at = (first + i) * width;
                    simd::softmax_gradient(&y[at..at + width], row);
                }
            });
            out
        },
    )
}

/// [`softmax`] out of Candle's operations.
pub fn softmax_plain(x: &Tensor) -> Result<Tensor> {
    let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}

/// log softmax over each row of `x [N, C]`.
pub fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    centred.broadcast_sub(&centred.exp()?.sum_keepdim(D::Minus1)?.log()?)
}
