//! The difference loss between two representations of the same places.

use candle_core::{Result, Tensor};

use super::buffer::is_fused;
use super::segment;
use crate::backend::rows::Offsets;

/// `‖Aᵀ B‖²_F` of the rows of each segment, `[S, 1]`, for `a [N, p]` and `b [N, q]` with rows
/// scaled to length 1 (Bousmalis et al. 2016, the implementation that Liu et al. 2017 follow).
pub fn orthogonal(a: &Tensor, b: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let unit = |x: &Tensor| -> Result<Tensor> {
        let length = x.sqr()?.sum_keepdim(1)?.affine(1.0, 1e-12)?.sqrt()?;
        x.broadcast_div(&length)
    };
    let (a, b) = (unit(a)?, unit(b)?);
    let mut sums = Vec::with_capacity(offsets.len() - 1);
    for pair in offsets.windows(2) {
        let (start, len) = (pair[0] as usize, (pair[1] - pair[0]) as usize);
        if len == 0 {
            sums.push(Tensor::zeros((1, 1), a.dtype(), a.device())?);
            continue;
        }
        // ‖Aᵀ B‖² = Σ (A Aᵀ) ∘ (B Bᵀ): len² numbers instead of p q.
        let (x, y) = (rows(&a, start, len)?, rows(&b, start, len)?);
        let (x, y) = (x.matmul(&x.t()?)?, y.matmul(&y.t()?)?);
        sums.push((x * y)?.sum_all()?.reshape((1, 1))?);
    }
    if sums.is_empty() {
        return Tensor::zeros((0, 1), a.dtype(), a.device());
    }
    Tensor::cat(&sums, 0)
}

/// Rows `start..start + len`, with a gradient that costs what the rows cost.
fn rows(x: &Tensor, start: usize, len: usize) -> Result<Tensor> {
    if !is_fused(x) {
        return x.narrow(0, start, len);
    }
    segment::gather_rows(x, &std::sync::Arc::new((start as u32..(start + len) as u32).collect()))
}
