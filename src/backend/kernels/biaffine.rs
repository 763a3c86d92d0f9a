//! Biaffine maps of two values as one operation (Dozat & Manning 2017, eq. 3).
//!
//! One product gives `b Uᵀ` for all places, `[N, d·da]`; each of its rows then meets the row of
//! `a`. The backward pass goes the same way: what flows into `b Uᵀ` is the gradient times `a`,
//! and the gradients of `U` and of `b` are one product each from there.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::buffer::{anchor, floats, is_fused, operand, par_rows, result, sum_columns, tensor};
use super::simd;
use super::views::{Into, Shared, Target, View, par_product};
use crate::backend::param::Param;

/// `aᵀ U b + W [a; b] + c` for each row of `a [N, da]` and `b [N, db]`, with `U [d, da, db]`,
/// `W [d, da + db]` and `c [d]`: `[N, d]`.
pub fn biaffine(a: &Tensor, b: &Tensor, u: &Param, w: &Param, c: &Param) -> Result<Tensor> {
    let ((rows, da), (rows_b, db), (d, ..)) = (a.dims2()?, b.dims2()?, u.var.dims3()?);
    if rows != rows_b || u.var.dims3()? != (d, da, db) {
        bail!("{} {:?} for {:?} and {:?}", u.name, u.var.dims(), a.dims(), b.dims());
    }
    if w.var.dims2()? != (d, da + db) || c.len() != d {
        bail!("{} {:?} and {} numbers for {d} outputs of {}", w.name, w.var.dims(), c.len(), da + db);
    }
    if !is_fused(a) || !is_fused(b) {
        return biaffine_plain(a, b, u, w, c);
    }
    let op = Biaffine { u: u.clone(), w: w.clone(), c: c.clone(), sizes: (d, da, db), met: OnceLock::new() };
    a.contiguous()?.apply_op3(&b.contiguous()?, &anchor(&[u, w, c]), op)
}

/// [`biaffine`] out of Candle's operations.
pub fn biaffine_plain(a: &Tensor, b: &Tensor, u: &Param, w: &Param, c: &Param) -> Result<Tensor> {
    let (d, da, db) = u.var.dims3()?;
    let met = b.matmul(&u.tensor().reshape((d * da, db))?.t()?)?.reshape((b.dim(0)?, d, da))?;
    let both = met.broadcast_mul(&a.unsqueeze(1)?)?.sum(2)?;
    let each = Tensor::cat(&[a, b], 1)?.matmul(&w.tensor().t()?)?;
    (both + each)?.broadcast_add(&c.tensor())
}

struct Biaffine {
    u: Param,
    w: Param,
    c: Param,
    /// `d`, `da` and `db`.
    sizes: (usize, usize, usize),
    /// `b Uᵀ`, `[N, d·da]`.
    met: OnceLock<Vec<f32>>,
}

impl Biaffine {
    /// `W [a; b] + c`.
    fn affine(&self, a: &[f32], b: &[f32], rows: usize) -> Result<Vec<f32>> {
        let (d, da, db) = self.sizes;
        let (w, c) = (floats(self.w.var.as_tensor())?, floats(self.c.var.as_tensor())?);
        let mut y = Vec::with_capacity(rows * d);
        (0..rows).for_each(|_| y.extend_from_slice(&c));
        let [of_a, of_b] = halves(&w, d, da, db);
        par_product(Target::new(&mut y, rows, d), Into::Add, View::new(a, rows, da), of_a.t());
        par_product(Target::new(&mut y, rows, d), Into::Add, View::new(b, rows, db), of_b.t());
        Ok(y)
    }

    /// Adds the gradients of the parameters, given what flows into `b Uᵀ`.
    fn parameters(&self, a: &[f32], b: &[f32], into_met: &[f32], g: &[f32], rows: usize) {
        let (d, da, db) = self.sizes;
        let (a, b) = (View::new(a, rows, da), View::new(b, rows, db));
        if self.u.trainable {
            let met = View::new(into_met, rows, d * da).t();
            self.u.sink.add_with(|into| par_product(Target::new(into, d * da, db), Into::Add, met, b));
        }
        if self.w.trainable {
            self.w.sink.add_with(|into| {
                let (g, into) = (View::new(g, rows, d).t(), Shared::new(into));
                // SAFETY: two blocks of columns that do not overlap.
                let (of_a, of_b) = unsafe { (into.block(0, d, da, da + db), into.block(da, d, db, da + db)) };
                par_product(of_a, Into::Add, g, a);
                par_product(of_b, Into::Add, g, b);
            });
        }
        if self.c.trainable {
            self.c.sink.add_with(|into| sum_columns(g, into));
        }
    }

    /// The gradient of `a`.
    fn of_a(&self, g: &[f32], rows: usize) -> Result<Vec<f32>> {
        let (d, da, db) = self.sizes;
        let Some(met) = self.met.get() else { bail!("the backward pass of biaffine came before the forward pass") };
        let w = floats(self.w.var.as_tensor())?;
        let mut out = vec![0.0; rows * da];
        par_product(Target::new(&mut out, rows, da), Into::Set, View::new(g, rows, d), halves(&w, d, da, db)[0]);
        par_rows(&mut out, da, |first, out| {
            for (row, out) in out.chunks_exact_mut(da.max(1)).enumerate() {
                let at = first + row;
                let met = met[at * d * da..][..d * da].chunks_exact(da.max(1));
                met.zip(&g[at * d..][..d]).for_each(|(met, g)| simd::add_scaled(out, *g, met));
            }
        });
        Ok(out)
    }

    /// The gradient of `b`.
    fn of_b(&self, into_met: &[f32], g: &[f32], rows: usize) -> Result<Vec<f32>> {
        let (d, da, db) = self.sizes;
        let (u, w) = (floats(self.u.var.as_tensor())?, floats(self.w.var.as_tensor())?);
        let mut out = vec![0.0; rows * db];
        let (met, u) = (View::new(into_met, rows, d * da), View::new(&u, d * da, db));
        par_product(Target::new(&mut out, rows, db), Into::Set, met, u);
        par_product(Target::new(&mut out, rows, db), Into::Add, View::new(g, rows, d), halves(&w, d, da, db)[1]);
        Ok(out)
    }
}

/// The columns of `w [d, da + db]` for `a` and for `b`.
fn halves(w: &[f32], d: usize, da: usize, db: usize) -> [View<'_>; 2] {
    [View::strided(w, d, da, da + db), View::strided(&w[da.min(w.len())..], d, db, da + db)]
}

/// Each number of `g [N, d]` times the row of `a [N, da]`: `[N, d·da]`.
fn outer(a: &[f32], g: &[f32], (rows, d, da): (usize, usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; rows * d * da];
    par_rows(&mut out, d * da, |first, out| {
        for (row, out) in out.chunks_exact_mut((d * da).max(1)).enumerate() {
            let at = first + row;
            let a = &a[at * da..][..da];
            let numbers = out.chunks_exact_mut(da.max(1)).zip(&g[at * d..][..d]);
            numbers.for_each(|(out, g)| out.iter_mut().zip(a).for_each(|(out, a)| *out = g * a));
        }
    });
    out
}

impl CustomOp3 for Biaffine {
    fn name(&self) -> &'static str {
        "biaffine"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((d, da, db), rows) = (self.sizes, la.dims()[0]);
        let (a, b, u) = (operand(a, la)?, operand(b, lb)?, floats(self.u.var.as_tensor())?);
        let mut met = vec![0.0; rows * d * da];
        let (b_rows, u) = (View::new(b, rows, db), View::new(&u, d * da, db).t());
        par_product(Target::new(&mut met, rows, d * da), Into::Set, b_rows, u);
        let mut y = self.affine(a, b, rows)?;
        par_rows(&mut y, d, |first, y| {
            for (i, y) in y.iter_mut().enumerate() {
                let at = first * d + i;
                *y += simd::dot(&met[at * da..][..da], &a[at / d * da..][..da]);
            }
        });
        let _ = self.met.set(met);
        result(y, (rows, d))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((d, da, _), rows, grad) = (self.sizes, a.dim(0)?, grad.contiguous()?);
        let (a_rows, b_rows, g) = (floats(a)?, floats(b)?, floats(&grad)?);
        let into_met = outer(&a_rows, &g, (rows, d, da));
        self.parameters(&a_rows, &b_rows, &into_met, &g, rows);
        let of_a = a.track_op().then(|| tensor(self.of_a(&g, rows)?, a.shape())).transpose()?;
        let of_b = b.track_op().then(|| tensor(self.of_b(&into_met, &g, rows)?, b.shape())).transpose()?;
        Ok((of_a, of_b, None))
    }
}
