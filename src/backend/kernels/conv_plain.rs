//! Convolution out of Candle's operations.

use candle_core::{Result, Tensor};

use super::activation::Activation;
use super::linear::linear_plain;
use super::select::select;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// As `conv::conv1d`.
pub(super) fn conv1d(x: &Tensor, offsets: &Offsets, w: &Param, b: &Param, k: usize, act: Activation) -> Result<Tensor> {
    let (rows, inputs) = x.dims2()?;
    let mut taps = Vec::with_capacity(rows * k);
    for segment in offsets.windows(2) {
        for row in segment[0] as usize..segment[1] as usize {
            let sources = (row..row + k).map(|at| at.checked_sub((k - 1) / 2));
            let inside = |at: &usize| (segment[0] as usize..segment[1] as usize).contains(at);
            taps.extend(sources.map(|at| at.filter(inside).unwrap_or(rows) as u32));
        }
    }
    let windows = select(&with_row(x, 0.0)?, taps)?.reshape((rows, k * inputs))?;
    linear_plain(&windows, w, Some(b), act)
}

/// As `conv::conv_max`.
pub(super) fn conv_max(
    x: &Tensor,
    offsets: &Offsets,
    w: &Param,
    b: &Param,
    k: usize,
    act: Activation,
) -> Result<Tensor> {
    let y = conv1d(x, offsets, w, b, k, act)?;
    let (rows, width) = y.dims2()?;
    let lengths: Vec<u32> = offsets.windows(2).map(|s| s[1] - s[0]).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if longest == 0 {
        return Tensor::zeros((lengths.len(), width), y.dtype(), y.device());
    }
    let place = |s: &[u32], i| if s[0] + i < s[1] { s[0] + i } else { rows as u32 };
    let places: Vec<u32> = offsets.windows(2).flat_map(|s| (0..longest).map(move |i| place(s, i))).collect();
    let padded = select(&with_row(&y, -3e4)?, places)?.reshape((lengths.len(), longest as usize, width))?;
    let peaks = padded.detach().argmax_keepdim(1)?.contiguous()?;
    let full: Vec<f32> = lengths.iter().map(|l| f32::from(*l > 0)).collect();
    let full = Tensor::from_vec(full, (lengths.len(), 1), y.device())?.to_dtype(y.dtype())?;
    padded.gather(&peaks, 1)?.squeeze(1)?.broadcast_mul(&full)
}

/// `x` and one more row, filled with `value`.
fn with_row(x: &Tensor, value: f64) -> Result<Tensor> {
    let row = Tensor::zeros((1, x.dim(1)?), x.dtype(), x.device())?.affine(1.0, value)?;
    Tensor::cat(&[x, &row], 0)
}
