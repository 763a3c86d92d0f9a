//! The difference loss between two representations of the same places.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::buffer::{floats, is_fused, operand, result, tensor};
use super::views::{Into, Target, View, product};
use crate::backend::rows::Offsets;

/// `‖Aᵀ B‖²_F / (p q)` of the rows of each segment, `[S, 1]`, for `a [N, p]` and `b [N, q]` with
/// rows scaled to length 1: the mean of the squared entries, as in the published implementation
/// of Bousmalis et al. 2016, which Liu et al. 2017 follow. The paper's formula is the plain sum;
/// over the widths of real layers that outweighs every task.
pub fn orthogonal(a: &Tensor, b: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let entries = (a.dim(1)? * b.dim(1)?).max(1) as f64;
    let (a, b) = (unit_rows(a)?, unit_rows(b)?);
    let sums = if is_fused(&a) {
        a.contiguous()?.apply_op2(&b.contiguous()?, Products { offsets: offsets.clone() })?
    } else {
        plain(&a, &b, offsets)?
    };
    sums / entries
}

fn unit_rows(x: &Tensor) -> Result<Tensor> {
    let length = x.sqr()?.sum_keepdim(1)?.affine(1.0, 1e-12)?.sqrt()?;
    x.broadcast_div(&length)
}

/// The same out of Candle's operations.
fn plain(a: &Tensor, b: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let mut sums = Vec::with_capacity(offsets.len() - 1);
    for pair in offsets.windows(2) {
        let (start, len) = (pair[0] as usize, (pair[1] - pair[0]) as usize);
        if len == 0 {
            sums.push(Tensor::zeros((1, 1), a.dtype(), a.device())?);
        } else {
            let m = a.narrow(0, start, len)?.t()?.matmul(&b.narrow(0, start, len)?)?;
            sums.push(m.sqr()?.sum_all()?.reshape((1, 1))?);
        }
    }
    if sums.is_empty() { Tensor::zeros((0, 1), a.dtype(), a.device()) } else { Tensor::cat(&sums, 0) }
}

/// `‖A_sᵀ B_s‖²_F` of each segment `s`. With M = AᵀB: dA = 2 g B Mᵀ and dB = 2 g A M.
struct Products {
    offsets: Offsets,
}

impl Products {
    fn segments(&self) -> impl IndexedParallelIterator<Item = std::ops::Range<usize>> + '_ {
        self.offsets.par_windows(2).map(|w| w[0] as usize..w[1] as usize)
    }
}

/// `AᵀB` of some rows.
fn cross(a: &[f32], b: &[f32], len: usize, p: usize, q: usize) -> Vec<f32> {
    let mut m = vec![0.0; p * q];
    product(Target::new(&mut m, p, q), Into::Set, 1.0, View::new(a, len, p).t(), View::new(b, len, q));
    m
}

impl CustomOp2 for Products {
    fn name(&self) -> &'static str {
        "orthogonal"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((_, p), (_, q)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let (a, b) = (operand(a, la)?, operand(b, lb)?);
        let norm = |rows: std::ops::Range<usize>| {
            let m = cross(&a[rows.start * p..rows.end * p], &b[rows.start * q..rows.end * q], rows.len(), p, q);
            m.iter().map(|x| x * x).sum::<f32>()
        };
        let sums: Vec<f32> = self.segments().map(norm).collect();
        let count = sums.len();
        result(sums, (count, 1))
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let ((n, p), (_, q)) = (a.dims2()?, b.dims2()?);
        let grad = grad.contiguous()?;
        let (x, y, g) = (floats(a)?, floats(b)?, floats(&grad)?);
        let (x, y, g): (&[f32], &[f32], &[f32]) = (&x, &y, &g);
        let both = self.segments().enumerate().map(|(s, rows)| {
            let (xs, ys) = (&x[rows.start * p..rows.end * p], &y[rows.start * q..rows.end * q]);
            let m = cross(xs, ys, rows.len(), p, q);
            let (mut da, mut db) = (vec![0.0; rows.len() * p], vec![0.0; rows.len() * q]);
            let (len, m) = (rows.len(), View::new(&m, p, q));
            product(Target::new(&mut da, len, p), Into::Set, 2.0 * g[s], View::new(ys, len, q), m.t());
            product(Target::new(&mut db, len, q), Into::Set, 2.0 * g[s], View::new(xs, len, p), m);
            (da, db)
        });
        let parts: Vec<(Vec<f32>, Vec<f32>)> = both.collect();
        let (mut da, mut db) = (Vec::with_capacity(n * p), Vec::with_capacity(n * q));
        for (a, b) in parts {
            da.extend(a);
            db.extend(b);
        }
        Ok((Some(tensor(da, (n, p))?), Some(tensor(db, (n, q))?)))
    }
}
