//! Layers in plain numbers, for a few rows at a time.

use candle_core::Result;
use rayon::prelude::*;

use super::decoder::Cross;
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

/// How hypotheses look at the memories of their examples.
pub struct Look {
    /// The norm and the queries, unless each memory has one place.
    query: Option<(Option<Normal>, Map)>,
    /// Keys and values of the memory, `[M, 2d]`; values alone where it has one place.
    keys: Vec<f32>,
    width: usize,
}

impl Look {
    /// At a memory `[rows, d]`.
    pub fn of(cross: &Cross, memory: &[f32], rows: usize) -> Result<Self> {
        match cross {
            Cross::Places { norm, query, memory: keys } => {
                let norm = norm.as_ref().map(Normal::of).transpose()?;
                let (query, keys) = (Map::of(query)?, Map::of(keys)?.apply(memory, rows));
                Ok(Self { width: query.outputs, query: Some((norm, query)), keys })
            }
            Cross::One { value } => {
                let value = Map::of(value)?;
                Ok(Self { query: None, keys: value.apply(memory, rows), width: value.outputs })
            }
        }
    }

    /// What states `x [n, d]` find, each at its rows.
    pub fn apply<'r>(&self, x: &[f32], n: usize, heads: usize, rows: impl Fn(usize) -> &'r [u32] + Sync) -> Vec<f32> {
        let d = self.width;
        let Some((norm, query)) = &self.query else {
            let row = |i: usize| rows(i).first().map(|row| &self.keys[*row as usize * d..][..d]);
            let zeros = vec![0.0; d];
            return (0..n).flat_map(|i| row(i).unwrap_or(&zeros).to_vec()).collect();
        };
        let q = match norm {
            Some(norm) => query.apply(&norm.apply(x), n),
            None => query.apply(x, n),
        };
        look_all(&q, d, heads, &self.keys, rows)
    }
}

/// Queries that one thread looks for at a time.
const LOOKING: usize = 8;

/// What each of the queries `[n, d]` finds at its rows of `kv`.
pub fn look_all<'r>(
    q: &[f32],
    d: usize,
    heads: usize,
    kv: &[f32],
    rows: impl Fn(usize) -> &'r [u32] + Sync,
) -> Vec<f32> {
    let mut out = vec![0.0; q.len()];
    let group = |(g, (out, q)): (usize, (&mut [f32], &[f32]))| {
        let mut p = Vec::new();
        for (i, (out, q)) in out.chunks_exact_mut(d).zip(q.chunks_exact(d)).enumerate() {
            look(q, kv, rows(g * LOOKING + i), heads, &mut p, out);
        }
    };
    let size = LOOKING * d;
    match q.len() > 4 * size {
        true => out.par_chunks_mut(size).zip(q.par_chunks(size)).enumerate().for_each(group),
        false => out.chunks_mut(size).zip(q.chunks(size)).enumerate().for_each(group),
    }
    out
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
