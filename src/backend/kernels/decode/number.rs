//! Layers in plain numbers, for a few rows at a time.

use candle_core::Result;

use super::words::numbers;
use crate::backend::kernels::few;
use crate::backend::kernels::simd::{self, LANES, fused, load, simd};
use crate::backend::kernels::transformer::{Dense, EPS, NormParams};
use crate::backend::kernels::views::{Into, Target, View, par_product};

/// A linear map.
pub struct Map {
    w: Vec<f32>,
    b: Vec<f32>,
    /// Width of what comes out.
    pub outputs: usize,
}

impl Map {
    /// That of these parameters.
    pub fn of(dense: &Dense) -> Result<Self> {
        Ok(Self::new(numbers(&dense.w)?, numbers(&dense.b)?))
    }

    /// With `w [outputs, inputs]` and `b [outputs]`.
    pub fn new(w: Vec<f32>, b: Vec<f32>) -> Self {
        let outputs = b.len();
        Self { w, b, outputs }
    }

    /// `x wᵀ + b` for `x [rows, inputs]`.
    pub fn apply(&self, x: &[f32], rows: usize) -> Vec<f32> {
        let mut y = Vec::with_capacity(rows * self.outputs);
        (0..rows).for_each(|_| y.extend_from_slice(&self.b));
        self.add(x, rows, &mut y);
        y
    }

    /// Adds `x wᵀ` to `y`.
    pub fn add(&self, x: &[f32], rows: usize, y: &mut [f32]) {
        if rows <= few::MOST {
            return few::add_few(x, rows, &self.w, y, true);
        }
        let inputs = x.len() / rows;
        let w = View::new(&self.w, self.outputs, inputs).t();
        par_product(Target::new(y, rows, self.outputs), Into::Add, View::new(x, rows, inputs), w);
    }
}

/// A layer norm.
pub struct Normal {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Normal {
    /// That of these parameters.
    pub fn of(norm: &NormParams) -> Result<Self> {
        Ok(Self { gamma: numbers(&norm.gamma)?, beta: numbers(&norm.beta)? })
    }

    /// The rows of `x`, normalised.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut y = x.to_vec();
        for row in y.chunks_exact_mut(self.gamma.len().max(1)) {
            crate::backend::kernels::norm::normalise(row, &self.gamma, &self.beta, EPS as f32);
        }
        y
    }
}

/// Adds `more` to `x`.
pub fn plus(mut x: Vec<f32>, more: &[f32]) -> Vec<f32> {
    simd::add(&mut x, more);
    x
}

simd! {
    /// What a query finds at these rows of keys and values `[_, 2d]`, head by head, in `out`;
    /// zeros where there is no row. `p` is room for the probabilities.
    pub fn look(q: &[f32], kv: &[f32], rows: &[u32], heads: usize, p: &mut Vec<f32>, out: &mut [f32]) {
        let (d, n) = (q.len(), rows.len());
        let width = d / heads;
        let scale = 1.0 / (width as f32).sqrt();
        out.fill(0.0);
        p.clear();
        p.resize(heads * n, 0.0);
        for (j, row) in rows.iter().enumerate() {
            let k = &kv[*row as usize * 2 * d..][..d];
            for h in 0..heads {
                p[h * n + j] = scale * short_dot::<FMA>(&q[h * width..][..width], &k[h * width..][..width]);
            }
        }
        if n == 0 {
            return;
        }
        for row in p.chunks_exact_mut(n) {
            simd::softmax(row);
        }
        for (j, row) in rows.iter().enumerate() {
            let v = &kv[*row as usize * 2 * d + d..][..d];
            for h in 0..heads {
                let weight = p[h * n + j];
                for (y, x) in out[h * width..][..width].iter_mut().zip(&v[h * width..][..width]) {
                    *y += weight * x;
                }
            }
        }
    }
}

/// Σ a b.
#[inline(always)]
pub fn short_dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for at in (0..a.len()).step_by(LANES) {
        let (x, y) = (load(a, at), load(b, at));
        for k in 0..LANES {
            sums[k] = fused::<FMA>(x[k], y[k], sums[k]);
        }
    }
    sums.iter().sum()
}
