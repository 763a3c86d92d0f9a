//! Random numbers as pure functions of a seed and a counter, and the dropouts made of them.
//!
//! Nothing is stored between the forward and the backward pass: a mask is computed again from
//! its counter. The hash is two rounds of `lowbias32` (Wellons, "Prospecting for hash
//! functions", 2018) keyed by both halves of the mixed seed.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::buffer::{floats, is_fused, operand, par_chunks, par_rows, result, tensor};
use super::simd::simd;

/// A stream of random numbers, addressed by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Draw {
    /// Names the stream.
    pub seed: u64,
}

impl Draw {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// An independent stream for part `index` of a computation (a step, a layer, a head).
    pub fn part(self, index: u64) -> Self {
        Self { seed: mix64(self.seed ^ mix64(index.wrapping_add(0x51AF_D7ED_558C_CD00))) }
    }

    /// 32 random bits.
    pub fn bits(self, i: u64) -> u32 {
        hash(i as u32, self.keys((i >> 32) as u32))
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-24.
    pub fn uniform(self, i: u64) -> f32 {
        (self.bits(i) >> 8) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// Normal with mean 0 and variance 1 (Box and Muller).
    pub fn normal(self, i: u64) -> f32 {
        let radius = (f64::from(self.bits(i)) + 0.5) / 4_294_967_296.0;
        let angle = f64::from(self.part(u64::MAX).bits(i)) / 4_294_967_296.0 * std::f64::consts::TAU;
        ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    }

    /// True with probability `p`.
    pub fn bernoulli(self, i: u64, p: f32) -> bool {
        u64::from(self.bits(i)) < threshold(p)
    }

    /// Multiplies `row` by an inverted dropout mask: number `j` becomes 0 where
    /// `bernoulli(start + j, p)` holds, and is divided by `1 - p` elsewhere.
    pub fn mask(self, start: u64, p: f32, row: &mut [f32]) {
        if p >= 1.0 {
            return row.fill(0.0);
        }
        let limit = threshold(p).min(u64::from(u32::MAX)) as u32;
        let left = (1 << 32) - (start & 0xFFFF_FFFF);
        let (low, high) = row.split_at_mut((left as usize).min(row.len()));
        mask_row(start as u32, self.keys((start >> 32) as u32), limit, 1.0 / (1.0 - p), low);
        if !high.is_empty() {
            self.mask(start + left, p, high);
        }
    }

    /// Keys of the hash for counters whose upper half is `high`.
    fn keys(self, high: u32) -> (u32, u32) {
        let mixed = mix64(self.seed);
        (mixed as u32 ^ lowbias32(high), (mixed >> 32) as u32)
    }
}

/// Below which of 2^32 values an event of probability `p` happens.
fn threshold(p: f32) -> u64 {
    (f64::from(p.clamp(0.0, 1.0)) * 4_294_967_296.0) as u64
}

/// The finaliser of splitmix64.
fn mix64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline(always)]
fn lowbias32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[inline(always)]
fn hash(i: u32, (first, second): (u32, u32)) -> u32 {
    lowbias32(lowbias32(i.wrapping_add(first)) ^ second)
}

simd! {
    /// [`Draw::mask`] where the counters share their upper half.
    fn mask_row(start: u32, keys: (u32, u32), limit: u32, scale: f32, row: &mut [f32]) {
        for (j, x) in row.iter_mut().enumerate() {
            let keep = hash(start.wrapping_add(j as u32), keys) >= limit;
            *x = if keep { *x * scale } else { 0.0 };
        }
    }
}

/// Inverted dropout: zeroes each number with probability `p` and divides the others by
/// `1 - p`. Number `i` (row-major) uses position `i` of `draw`.
pub fn dropout(x: &Tensor, p: f32, draw: Draw) -> Result<Tensor> {
    masked(x, Mask { p, draw, rows: false })
}

/// Zeroes whole rows of `x [N, d]` with probability `p`, without rescaling (word dropout).
pub fn row_dropout(x: &Tensor, p: f32, draw: Draw) -> Result<Tensor> {
    masked(x, Mask { p, draw, rows: true })
}

/// Both dropouts out of Candle's operations.
pub fn dropout_plain(x: &Tensor, p: f32, draw: Draw, rows: bool) -> Result<Tensor> {
    let dims = if rows { vec![x.dim(0)?, 1] } else { x.dims().to_vec() };
    let mut mask = vec![1.0; dims.iter().product()];
    Mask { p, draw, rows }.apply(&mut mask, 1);
    let mask = Tensor::from_vec(mask, dims, x.device())?.to_dtype(x.dtype())?;
    x.broadcast_mul(&mask)
}

fn masked(x: &Tensor, mask: Mask) -> Result<Tensor> {
    if !(0.0..=1.0).contains(&mask.p) {
        bail!("a dropout of {} is not a probability", mask.p);
    }
    if mask.p == 0.0 {
        return Ok(x.clone());
    }
    if !is_fused(x) {
        return dropout_plain(x, mask.p, mask.draw, mask.rows);
    }
    x.contiguous()?.apply_op1(mask)
}

/// Multiplication by a mask that is computed from a counter, forward and backward alike.
pub(super) struct Mask {
    p: f32,
    draw: Draw,
    rows: bool,
}

impl Mask {
    /// Inverted dropout of each number.
    pub(super) fn each(p: f32, draw: Draw) -> Self {
        Self { p, draw, rows: false }
    }

    /// Multiplies rows, `width` wide, by the mask.
    pub(super) fn apply(&self, numbers: &mut [f32], width: usize) {
        if self.rows {
            par_rows(numbers, width, |first, rows| self.drop_rows(first, width, rows));
        } else {
            par_chunks(numbers, |first, chunk| self.draw.mask(first as u64, self.p, chunk));
        }
    }

    fn drop_rows(&self, first: usize, width: usize, rows: &mut [f32]) {
        for (i, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
            if self.draw.bernoulli((first + i) as u64, self.p) {
                row.fill(0.0);
            }
        }
    }
}

impl CustomOp1 for Mask {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = operand(storage, layout)?.to_vec();
        self.apply(&mut out, layout.dims().last().copied().unwrap_or(1));
        result(out, layout.shape().clone())
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut out = floats(&grad.contiguous()?)?.to_vec();
        self.apply(&mut out, x.dims().last().copied().unwrap_or(1));
        Ok(Some(tensor(out, x.shape())?))
    }
}
