//! Packed rows by segment: pooling, softmax within a segment, repeating and gathering rows.
//! An empty segment pools to zeros.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::buffer::{floats, is_fused};
use super::mapped::mapped;
use super::select::{add_up, select};
use super::simd::{self, simd};
use crate::backend::rows::Offsets;

fn check(x: &Tensor, offsets: &Offsets) -> Result<(usize, usize, usize)> {
    let (n, d) = x.dims2()?;
    if offsets.last().copied().unwrap_or(0) as usize != n {
        bail!("{n} rows for segments that end at {:?}", offsets.last());
    }
    Ok((n, d, offsets.len() - 1))
}

fn range(offsets: &[u32], s: usize) -> std::ops::Range<usize> {
    offsets[s] as usize..offsets[s + 1] as usize
}

fn parents(offsets: &[u32]) -> Vec<u32> {
    (0..offsets.len() - 1).flat_map(|s| range(offsets, s).map(move |_| s as u32)).collect()
}

/// Σ of the rows of each segment: `x [N, d]` to `[S, d]`.
pub fn sum(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    scaled_sum(x, offsets, "segment_sum", |_| 1.0)
}

/// The mean of the rows of each segment: `x [N, d]` to `[S, d]`.
pub fn mean(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    scaled_sum(x, offsets, "segment_mean", |count| 1.0 / count.max(1) as f32)
}

fn scaled_sum(x: &Tensor, offsets: &Offsets, name: &'static str, scale: fn(usize) -> f32) -> Result<Tensor> {
    let (n, d, s) = check(x, offsets)?;
    if !is_fused(x) {
        let factors: Vec<f32> = (0..s).map(|i| scale(range(offsets, i).len())).collect();
        let factors = Tensor::from_vec(factors, (s, 1), x.device())?.to_dtype(x.dtype())?;
        return add_up(x, parents(offsets), s)?.broadcast_mul(&factors);
    }
    let (o, back) = (offsets.clone(), offsets.clone());
    mapped(
        x,
        name,
        (s, d),
        move |x| {
            let mut out = vec![0.0; s * d];
            for (i, row) in out.chunks_exact_mut(d.max(1)).enumerate() {
                let rows = range(&o, i);
                let factor = scale(rows.len());
                for x in x[rows.start * d..rows.end * d].chunks_exact(d) {
                    simd::add_scaled(row, factor, x);
                }
            }
            out
        },
        move |_, _, g| {
            let mut out = vec![0.0; n * d];
            for (i, g) in g.chunks_exact(d.max(1)).enumerate() {
                let rows = range(&back, i);
                let factor = scale(rows.len());
                for row in out[rows.start * d..rows.end * d].chunks_exact_mut(d) {
                    row.iter_mut().zip(g).for_each(|(a, b)| *a = factor * b);
                }
            }
            out
        },
    )
}

/// The greatest number of each column in each segment; of equals, the first gets the gradient.
pub fn max(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let (_, d, s) = check(x, offsets)?;
    let x = x.contiguous()?;
    let wide = x.detach().to_dtype(candle_core::DType::F32)?.to_device(&candle_core::Device::Cpu)?;
    let numbers = floats(&wide)?;
    // Position of the maximum; an empty segment has none.
    let mut best = vec![u32::MAX; s * d];
    let mut values = vec![0.0; d];
    for (i, best) in best.chunks_exact_mut(d.max(1)).enumerate() {
        let rows = range(offsets, i);
        best_rows(&numbers[rows.start * d..rows.end * d], rows.start * d, &mut values, best);
    }
    drop(numbers);
    pick(&x, best, (s, d))
}

simd! {
    /// The flat position, from `start` on, of the greatest number of each column of `rows`.
    fn best_rows(rows: &[f32], start: usize, values: &mut [f32], best: &mut [u32]) {
        let d = best.len();
        for (row, numbers) in rows.chunks_exact(d.max(1)).enumerate() {
            let first = (start + row * d) as u32;
            if row == 0 {
                values.copy_from_slice(numbers);
                for (j, at) in best.iter_mut().enumerate() {
                    *at = first + j as u32;
                }
                continue;
            }
            for (j, ((value, at), x)) in values.iter_mut().zip(&mut *best).zip(numbers).enumerate() {
                let more = *x > *value;
                *at = if more { first + j as u32 } else { *at };
                *value = if more { *x } else { *value };
            }
        }
    }
}

/// The first row of each segment: `x [N, d]` to `[S, d]`.
pub fn first(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    end(x, offsets, |rows| rows.start)
}

/// The last row of each segment: `x [N, d]` to `[S, d]`.
pub fn last(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    end(x, offsets, |rows| rows.end - 1)
}

fn end(x: &Tensor, offsets: &Offsets, which: fn(std::ops::Range<usize>) -> usize) -> Result<Tensor> {
    let (_, d, s) = check(x, offsets)?;
    let mut at = Vec::with_capacity(s * d);
    for i in 0..s {
        let rows = range(offsets, i);
        let row = if rows.is_empty() { None } else { Some(which(rows)) };
        at.extend((0..d).map(|j| row.map_or(u32::MAX, |r| (r * d + j) as u32)));
    }
    pick(x, at, (s, d))
}

/// Rows of `x [N, d]` by index: `[n, d]`; `u32::MAX` gives zeros. No row is taken twice.
pub fn rows_or_zeros(x: &Tensor, ids: Vec<u32>) -> Result<Tensor> {
    let (n, d) = x.dims2()?;
    if !is_fused(x) {
        let all = Tensor::cat(&[x, &Tensor::zeros((1, d), x.dtype(), x.device())?], 0)?;
        return select(&all, ids.iter().map(|id| (*id).min(n as u32)).collect());
    }
    let ids = Arc::new(ids);
    let back = ids.clone();
    mapped(
        x,
        "rows_or_zeros",
        (ids.len(), d),
        move |x| {
            let mut y = vec![0.0; ids.len() * d];
            moves(&ids, n, d).for_each(|(to, from)| y[to..to + d].copy_from_slice(&x[from..from + d]));
            y
        },
        move |x, _, g| {
            let mut out = vec![0.0; x.len()];
            moves(&back, n, d).for_each(|(from, to)| out[to..to + d].copy_from_slice(&g[from..from + d]));
            out
        },
    )
}

/// For each row that is taken, where it goes and where it is.
fn moves(ids: &[u32], n: usize, d: usize) -> impl Iterator<Item = (usize, usize)> {
    let taken = ids.iter().enumerate().filter(move |(_, id)| (**id as usize) < n);
    taken.map(move |(row, id)| (row * d, *id as usize * d))
}

/// The numbers at flat positions of `x`; `u32::MAX` gives 0.
fn pick(x: &Tensor, at: Vec<u32>, shape: (usize, usize)) -> Result<Tensor> {
    let n = x.elem_count();
    if !is_fused(x) {
        let flat = Tensor::cat(&[&x.flatten_all()?, &Tensor::zeros(1, x.dtype(), x.device())?], 0)?;
        let at: Vec<u32> = at.iter().map(|i| if *i == u32::MAX { n as u32 } else { *i }).collect();
        return select(&flat, at)?.reshape(shape);
    }
    let at = Arc::new(at);
    let back = at.clone();
    mapped(
        x,
        "pick",
        shape,
        move |x| at.iter().map(|&i| x.get(i as usize).copied().unwrap_or(0.0)).collect(),
        move |x, _, g| {
            let mut out = vec![0.0; x.len()];
            for (&i, g) in back.iter().zip(g) {
                if let Some(o) = out.get_mut(i as usize) {
                    *o += g;
                }
            }
            out
        },
    )
}

/// Softmax of each column of `scores [N, k]` within each segment.
pub fn segment_softmax(scores: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let (n, k, s) = check(scores, offsets)?;
    if !is_fused(scores) {
        let top = gather_rows(&max(&scores.detach(), offsets)?, &Arc::new(parents(offsets)))?;
        let e = (scores - top)?.exp()?;
        let total = gather_rows(&sum(&e, offsets)?, &Arc::new(parents(offsets)))?;
        return e / total;
    }
    let (o, back) = (offsets.clone(), offsets.clone());
    mapped(
        scores,
        "segment_softmax",
        (n, k),
        move |x| {
            let mut y = x.to_vec();
            for (i, j) in (0..s).flat_map(|i| (0..k).map(move |j| (i, j))) {
                let top = range(&o, i).map(|r| y[r * k + j]).fold(f32::NEG_INFINITY, f32::max);
                let mut total = 0.0;
                for r in range(&o, i) {
                    y[r * k + j] = (y[r * k + j] - top).exp();
                    total += y[r * k + j];
                }
                range(&o, i).for_each(|r| y[r * k + j] /= total);
            }
            y
        },
        move |_, y, g| {
            let mut out = g.to_vec();
            for (i, j) in (0..s).flat_map(|i| (0..k).map(move |j| (i, j))) {
                let dot: f32 = range(&back, i).map(|r| y[r * k + j] * g[r * k + j]).sum();
                range(&back, i).for_each(|r| out[r * k + j] = y[r * k + j] * (g[r * k + j] - dot));
            }
            out
        },
    )
}

/// Σ wᵢ xᵢ over each segment: `weights [N, 1]`, `x [N, d]` to `[S, d]`.
pub fn weighted_sum(weights: &Tensor, x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    sum(&super::shape::mul_rows(x, weights)?, offsets)
}

/// Row `i` of `x [S, d]` for each row of segment `i`: `[N, d]`.
pub fn repeat_rows(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    gather_rows(x, &Arc::new(parents(offsets)))
}

/// Rows of `x [S, d]` by index: `[n, d]`; the gradient of a row taken twice is the sum.
pub fn gather_rows(x: &Tensor, ids: &Arc<Vec<u32>>) -> Result<Tensor> {
    let (s, d) = x.dims2()?;
    if let Some(bad) = ids.iter().find(|i| **i as usize >= s) {
        bail!("row {bad} of {s}");
    }
    if !is_fused(x) {
        return select(x, ids.to_vec());
    }
    let (ids, back) = (ids.clone(), ids.clone());
    mapped(
        x,
        "gather_rows",
        (ids.len(), d),
        move |x| {
            let mut y = Vec::with_capacity(ids.len() * d);
            ids.iter().for_each(|&i| y.extend_from_slice(&x[i as usize * d..(i as usize + 1) * d]));
            y
        },
        move |x, _, g| {
            let mut out = vec![0.0; x.len()];
            for (&i, g) in back.iter().zip(g.chunks_exact(d.max(1))) {
                simd::add(&mut out[i as usize * d..(i as usize + 1) * d], g);
            }
            out
        },
    )
}
