//! Numbers set to zero by a mask of ones and zeros that nothing learns.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::buffer::is_fused;
use super::mapped::mapped;

/// `x [N, d]` times a mask of `N` or `N · d` numbers: whole rows, or single numbers.
pub fn erase(x: &Tensor, mask: Vec<f32>) -> Result<Tensor> {
    let (n, d) = x.dims2()?;
    if !is_fused(x) {
        let width = mask.len() / n.max(1);
        let mask = Tensor::from_vec(mask, (n, width), x.device())?.to_dtype(x.dtype())?;
        return x.broadcast_mul(&mask);
    }
    let by_row = mask.len() == n && d != 1;
    let mask = Arc::new(mask);
    let again = mask.clone();
    let times = move |numbers: &[f32], mask: &[f32]| match by_row {
        true => numbers.chunks_exact(d.max(1)).zip(mask).flat_map(|(row, m)| row.iter().map(move |x| x * m)).collect(),
        false => numbers.iter().zip(mask).map(|(x, m)| x * m).collect(),
    };
    mapped(x, "erase", (n, d), move |x| times(x, &mask), move |_, _, grad| times(grad, &again))
}
