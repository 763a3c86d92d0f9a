//! Convolution along packed rows: windows laid out side by side, then one product.
//!
//! Segments do not see each other: what a window reaches beyond its segment is 0.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::Activation;
use super::buffer::{anchor, floats, is_fused, operand, par_rows, result, tensor};
use super::conv_plain;
use super::linear::Linear;
use super::simd::simd;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// Marks the maximum of an empty segment.
const NOWHERE: u32 = u32::MAX;

/// Convolution of `x [N, i]` with `w [o, k * i]` (tap by tap, each `i` inputs) and `b [o]`:
/// `[N, o]`. Of the `k` taps, `(k - 1) / 2` lie before the place.
pub fn conv1d(x: &Tensor, offsets: &Offsets, w: &Param, b: &Param, k: usize, act: Activation) -> Result<Tensor> {
    check(x, offsets, w, b, k)?;
    if !is_fused(x) {
        return conv_plain::conv1d(x, offsets, w, b, k, act);
    }
    x.contiguous()?.apply_op2(&anchor(&[w, b]), Conv::new(w, b, act, offsets, k, false))
}

/// The largest of [`conv1d`] in each segment: `[S, o]`. The gradient goes to the first of
/// equals; an empty segment gives 0.
pub fn conv_max(x: &Tensor, offsets: &Offsets, w: &Param, b: &Param, k: usize, act: Activation) -> Result<Tensor> {
    check(x, offsets, w, b, k)?;
    if !is_fused(x) {
        return conv_plain::conv_max(x, offsets, w, b, k, act);
    }
    x.contiguous()?.apply_op2(&anchor(&[w, b]), Conv::new(w, b, act, offsets, k, true))
}

fn check(x: &Tensor, offsets: &Offsets, w: &Param, b: &Param, k: usize) -> Result<()> {
    let ((rows, inputs), (outputs, window)) = (x.dims2()?, w.var.dims2()?);
    if k == 0 || window != k * inputs || b.len() != outputs {
        bail!("{} is not {k} taps of {inputs} numbers, or {} does not fit it", w.name, b.name);
    }
    if offsets.last().map_or(0, |o| *o as usize) != rows {
        bail!("offsets that do not cover {rows} rows");
    }
    Ok(())
}

struct Conv {
    linear: Linear,
    act: Activation,
    offsets: Offsets,
    /// First row and end of the segment of each row.
    spans: Vec<[u32; 2]>,
    k: usize,
    /// Whether only the maximum of each segment is kept.
    max: bool,
    /// The row of each maximum, `[S, o]`.
    peaks: OnceLock<Vec<u32>>,
}

impl Conv {
    fn new(w: &Param, b: &Param, act: Activation, offsets: &Offsets, k: usize, max: bool) -> Self {
        let spans = offsets.windows(2).flat_map(|s| (s[0]..s[1]).map(move |_| [s[0], s[1]])).collect();
        // Before a maximum, a monotone activation can wait until after it.
        let inner = if max && act.is_monotone() { Activation::None } else { act };
        let linear = Linear::new(w, Some(b), inner);
        Self { linear, act, offsets: offsets.clone(), spans, k, max, peaks: OnceLock::new() }
    }

    /// For `row` and tap `j`, the row that the tap reads, if it is in the segment.
    fn source(&self, row: usize, tap: usize) -> Option<usize> {
        self.inside(row, (row + tap).checked_sub((self.k - 1) / 2)?)
    }

    /// For `row` and tap `j`, the row whose tap `j` reads it.
    fn reader(&self, row: usize, tap: usize) -> Option<usize> {
        self.inside(row, (row + (self.k - 1) / 2).checked_sub(tap)?)
    }

    fn inside(&self, row: usize, other: usize) -> Option<usize> {
        let [start, end] = self.spans[row];
        (start as usize..end as usize).contains(&other).then_some(other)
    }

    /// All windows, `[N, k * i]`.
    fn unfold(&self, x: &[f32], inputs: usize) -> Vec<f32> {
        let width = self.k * inputs;
        let mut out = vec![0.0; self.spans.len() * width];
        par_rows(&mut out, width, |first, group| {
            for (n, window) in group.chunks_exact_mut(width.max(1)).enumerate() {
                for (tap, place) in window.chunks_exact_mut(inputs).enumerate() {
                    if let Some(row) = self.source(first + n, tap) {
                        place.copy_from_slice(&x[row * inputs..][..inputs]);
                    }
                }
            }
        });
        out
    }

    /// The gradient of `x` from that of the windows.
    fn fold(&self, windows: &[f32], inputs: usize) -> Vec<f32> {
        let mut out = vec![0.0; self.spans.len() * inputs];
        par_rows(&mut out, inputs, |first, group| {
            for (n, row) in group.chunks_exact_mut(inputs.max(1)).enumerate() {
                for tap in 0..self.k {
                    let Some(reader) = self.reader(first + n, tap) else { continue };
                    let window = &windows[(reader * self.k + tap) * inputs..][..inputs];
                    row.iter_mut().zip(window).for_each(|(a, b)| *a += b);
                }
            }
        });
        out
    }

    /// The largest of each column in each segment, and its row.
    fn maxima(&self, y: &[f32], width: usize) -> (Vec<f32>, Vec<u32>) {
        let segments = self.offsets.len() - 1;
        let mut best = vec![0.0; segments * width];
        let mut rows = vec![NOWHERE; segments * width];
        let width = width.max(1);
        let pairs = best.par_chunks_mut(width).zip(rows.par_chunks_mut(width)).with_min_len(16);
        pairs.enumerate().for_each(|(s, (best, rows))| {
            let [start, end] = [0, 1].map(|i| self.offsets[s + i] as usize);
            if start < end {
                best.copy_from_slice(&y[start * width..][..width]);
                rows.fill(start as u32);
                (start + 1..end).for_each(|row| raise(&y[row * width..][..width], row as u32, best, rows));
            }
        });
        (best, rows)
    }

    fn forward(&self, x: &[f32], inputs: usize) -> Result<(Vec<f32>, usize)> {
        let rows = self.spans.len();
        let y = self.linear.forward(&self.unfold(x, inputs), rows)?;
        if !self.max {
            return Ok((y, rows));
        }
        let (mut best, peaks) = self.maxima(&y, self.linear.outputs());
        if self.act.is_monotone() {
            self.act.forward(&mut best);
            best.iter_mut().zip(&peaks).filter(|(_, p)| **p == NOWHERE).for_each(|(b, _)| *b = 0.0);
        }
        let _ = self.peaks.set(peaks);
        Ok((best, self.offsets.len() - 1))
    }

    /// The gradient in front of the activation for all rows, `[N, o]`.
    fn dense_gradient(&self, y: &[f32], grad: &[f32]) -> Vec<f32> {
        let Some(peaks) = self.peaks.get() else { return self.linear.activation_gradient(y, grad).into_owned() };
        let mut g = grad.to_vec();
        if self.act.is_monotone() {
            self.act.backward(y, &mut g);
        }
        let width = self.linear.outputs();
        let mut dense = vec![0.0; self.spans.len() * width];
        for (i, (g, peak)) in g.iter().zip(peaks).enumerate().filter(|(_, (_, p))| **p != NOWHERE) {
            dense[*peak as usize * width + i % width] = *g;
        }
        if self.act.is_monotone() {
            return dense;
        }
        self.linear.activation_gradient(&[], &dense).into_owned()
    }
}

simd! {
    /// Takes over the numbers of `row` that are larger than the best so far.
    fn raise(y: &[f32], row: u32, best: &mut [f32], rows: &mut [u32]) {
        for ((y, best), at) in y.iter().zip(best).zip(rows) {
            if *y > *best || y.is_nan() {
                *best = *y;
                *at = row;
            }
        }
    }
}

impl CustomOp2 for Conv {
    fn name(&self) -> &'static str {
        "conv1d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let (y, rows) = self.forward(operand(x, l)?, l.dims()[1])?;
        result(y, (rows, self.linear.outputs()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (grad, (rows, inputs)) = (grad.contiguous()?, x.dims2()?);
        let dz = self.dense_gradient(&floats(y)?, &floats(&grad)?);
        if self.linear.trainable() {
            self.linear.parameters(&self.unfold(&floats(x)?, inputs), &dz, rows)?;
        }
        if !x.track_op() {
            return Ok((None, None));
        }
        let dx = self.fold(&self.linear.input(&dz, rows)?, inputs);
        Ok((Some(tensor(dx, x.shape())?), None))
    }
}
