//! Products of few rows: `x w^T` where `x` has so few rows that rearranging `w` for a large
//! product takes longer than the product. Both are read as they lie, `w` once.

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{LANES, fused, simd};
use super::views::Shared;

/// Rows up to which this is the faster way.
pub(super) const MOST: usize = 16;

/// Multiplications that one piece of work covers.
const PIECE: usize = 1 << 20;

/// Adds `x w^T` to `out`: `x [rows, k]`, `w [n, k]`, `out [rows, n]`; on all threads if `parallel`.
pub(super) fn add_few(x: &[f32], rows: usize, w: &[f32], out: &mut [f32], parallel: bool) {
    if rows == 0 || x.is_empty() {
        return;
    }
    let (k, n) = (x.len() / rows, out.len() / rows);
    assert!(x.len() == rows * k && out.len() == rows * n && w.len() == n * k, "matrix sizes");
    let shared = Shared::new(out);
    let columns = (PIECE / (rows * k)).max(1).next_multiple_of(TILE);
    if !parallel || columns >= n {
        return columns_of(x, rows, w, 0..n, &shared, n);
    }
    let pieces = (0..n.div_ceil(columns)).into_par_iter();
    pieces.for_each(|i| columns_of(x, rows, w, i * columns..((i + 1) * columns).min(n), &shared, n));
}

/// Rows and columns that are computed together.
const TILE: usize = 4;

simd! {
    /// Adds these columns of the product.
    fn columns_of(x: &[f32], rows: usize, w: &[f32], columns: Range<usize>, out: &Shared<'_>, n: usize) {
        let k = x.len() / rows;
        let mut column = columns.start;
        while column < columns.end {
            let wide = if columns.end - column >= TILE { TILE } else { 1 };
            let w = &w[column * k..(column + wide) * k];
            for row in (0..rows).step_by(TILE) {
                let high = TILE.min(rows - row);
                let x = &x[row * k..(row + high) * k];
                let mut tile = [[0.0; TILE]; TILE];
                match (high, wide) {
                    (4, 4) => dots::<FMA, 4, 4>(x, w, k, &mut tile),
                    (3, 4) => dots::<FMA, 3, 4>(x, w, k, &mut tile),
                    (2, 4) => dots::<FMA, 2, 4>(x, w, k, &mut tile),
                    (1, 4) => dots::<FMA, 1, 4>(x, w, k, &mut tile),
                    (4, _) => dots::<FMA, 4, 1>(x, w, k, &mut tile),
                    (3, _) => dots::<FMA, 3, 1>(x, w, k, &mut tile),
                    (2, _) => dots::<FMA, 2, 1>(x, w, k, &mut tile),
                    _ => dots::<FMA, 1, 1>(x, w, k, &mut tile),
                }
                for (i, sums) in tile.iter().enumerate().take(high) {
                    // SAFETY: no other piece has these columns.
                    let into = unsafe { out.numbers((row + i) * n + column, wide) };
                    for (a, b) in into.iter_mut().zip(sums) {
                        *a += b;
                    }
                }
            }
            column += wide;
        }
    }
}

/// Products of `M` rows of `x` with `O` rows of `w`, all `k` long.
// Sums that are walked through by index stay in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn dots<const FMA: bool, const M: usize, const O: usize>(
    x: &[f32],
    w: &[f32],
    k: usize,
    out: &mut [[f32; TILE]; TILE],
) {
    assert!(x.len() == M * k && w.len() == O * k);
    let mut sums = [[[0.0; LANES]; O]; M];
    let whole = k / LANES * LANES;
    let mut at = 0;
    while at < whole {
        for o in 0..O {
            // SAFETY: `o < O` and `at + LANES <= k`. A check here would keep the sums in memory.
            let w = unsafe { w.as_ptr().add(o * k + at).cast::<[f32; LANES]>().read_unaligned() };
            for m in 0..M {
                // SAFETY: as above, with `m < M`.
                let x = unsafe { x.as_ptr().add(m * k + at).cast::<[f32; LANES]>().read_unaligned() };
                for lane in 0..LANES {
                    sums[m][o][lane] = fused::<FMA>(x[lane], w[lane], sums[m][o][lane]);
                }
            }
        }
        at += LANES;
    }
    for m in 0..M {
        for o in 0..O {
            let mut total = total(sums[m][o]);
            for i in whole..k {
                total = fused::<FMA>(x[m * k + i], w[o * k + i], total);
            }
            out[m][o] = total;
        }
    }
}

/// The sum of all lanes, by halves.
#[inline(always)]
fn total(lanes: [f32; LANES]) -> f32 {
    let mut eight = [0.0; 8];
    for i in 0..8 {
        eight[i] = lanes[i] + lanes[i + 8];
    }
    let mut four = [0.0; 4];
    for i in 0..4 {
        four[i] = eight[i] + eight[i + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::random::Draw;
    use crate::backend::kernels::views::{Into, Target, View, product};

    #[test]
    fn as_large_products() {
        for (rows, n, k) in [(1, 1, 1), (1, 9, 33), (3, 4, 16), (5, 7, 40), (16, 130, 384), (11, 2048, 300)] {
            let numbers = |seed: u64, count: usize| -> Vec<f32> {
                (0..count as u64).map(|i| Draw::new(seed).normal(i)).collect()
            };
            let (x, w, start) = (numbers(1, rows * k), numbers(2, n * k), numbers(3, rows * n));
            let mut expected = start.clone();
            let (a, b) = (View::new(&x, rows, k), View::new(&w, n, k).t());
            product(Target::new(&mut expected, rows, n), Into::Add, 1.0, a, b);
            for parallel in [false, true] {
                let mut got = start.clone();
                add_few(&x, rows, &w, &mut got, parallel);
                for (g, e) in got.iter().zip(&expected) {
                    assert!((g - e).abs() < 2e-5 * (k as f32).sqrt(), "{rows} {n} {k}: {g} for {e}");
                }
            }
        }
    }
}
