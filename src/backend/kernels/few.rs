//! Products of few rows: `x w^T` where `x` has so few rows that rearranging `w` for a large
//! product takes longer than the product. Both are read as they lie, `w` once.

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{LANES, fused, prefetch, simd};
use super::views::Shared;

/// Rows up to which this is the faster way.
pub(super) const MOST: usize = 40;

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

/// Rows up to which [`put_turned`] is the faster way.
pub(super) const FEWEST: usize = 4;

simd! {
    /// Puts `x w` into `out`: `x [rows, k]` of up to [`FEWEST`] rows, `w [k, n]`, `out [rows, n]`.
    fn turned(x: &[f32], rows: usize, w: &[f32], out: &mut [f32]) {
        let (k, n) = (x.len() / rows, out.len() / rows);
        let mut at = 0;
        while at < n {
            let left = n - at;
            match rows {
                1 if left >= 4 * LANES => at += outer::<FMA, 1, 4>(x, k, w, n, at, out),
                1 if left >= LANES => at += outer::<FMA, 1, 1>(x, k, w, n, at, out),
                2 if left >= 4 * LANES => at += outer::<FMA, 2, 4>(x, k, w, n, at, out),
                2 if left >= LANES => at += outer::<FMA, 2, 1>(x, k, w, n, at, out),
                3 if left >= 4 * LANES => at += outer::<FMA, 3, 4>(x, k, w, n, at, out),
                3 if left >= LANES => at += outer::<FMA, 3, 1>(x, k, w, n, at, out),
                4 if left >= 4 * LANES => at += outer::<FMA, 4, 4>(x, k, w, n, at, out),
                4 if left >= LANES => at += outer::<FMA, 4, 1>(x, k, w, n, at, out),
                _ => {
                    for row in 0..rows {
                        let mut sum = 0.0;
                        for i in 0..k {
                            sum = fused::<FMA>(x[row * k + i], w[i * n + at], sum);
                        }
                        out[row * n + at] = sum;
                    }
                    at += 1;
                }
            }
        }
    }
}

/// Puts `x w` into `out`: `x [rows, k]` of up to [`FEWEST`] rows, `w [k, n]`, `out [rows, n]`. Only
/// columns are summed side by side, so that nothing has to be brought together in the end.
pub(super) fn put_turned(x: &[f32], rows: usize, w: &[f32], out: &mut [f32]) {
    assert!(rows <= FEWEST, "few rows");
    if rows == 0 || x.is_empty() {
        return out.fill(0.0);
    }
    assert!(w.len() * rows * rows == x.len() * out.len(), "matrix sizes");
    turned(x, rows, w, out);
}

/// The product in `C` vectors of columns from `at` on; returns how many columns that are.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn outer<const FMA: bool, const M: usize, const C: usize>(
    x: &[f32],
    k: usize,
    w: &[f32],
    n: usize,
    at: usize,
    out: &mut [f32],
) -> usize {
    assert!(x.len() == M * k && w.len() == k * n && out.len() == M * n && at + C * LANES <= n);
    let mut sums = [[[0.0; LANES]; C]; M];
    for i in 0..k {
        for c in 0..C {
            // SAFETY: row `i` of `w` has these columns. A check here would keep the sums in memory.
            let w = unsafe { w.as_ptr().add(i * n + at + c * LANES).cast::<[f32; LANES]>().read_unaligned() };
            for m in 0..M {
                // SAFETY: `m < M` and `i < k`.
                let x = unsafe { *x.get_unchecked(m * k + i) };
                for lane in 0..LANES {
                    sums[m][c][lane] = fused::<FMA>(x, w[lane], sums[m][c][lane]);
                }
            }
        }
    }
    for m in 0..M {
        for c in 0..C {
            out[m * n + at + c * LANES..][..LANES].copy_from_slice(&sums[m][c]);
        }
    }
    C * LANES
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
        let mut rows = [[0.0; LANES]; M];
        for m in 0..M {
            // SAFETY: `m < M` and `at + LANES <= k`. A check here would keep the sums in memory.
            rows[m] = unsafe { x.as_ptr().add(m * k + at).cast::<[f32; LANES]>().read_unaligned() };
        }
        for o in 0..O {
            // SAFETY: as above, with `o < O`.
            let place = unsafe { w.as_ptr().add(o * k + at) };
            // The same place of the next tile: rows are too short for the processor to see them coming.
            prefetch(place.wrapping_add(O * k));
            // SAFETY: as above.
            let w = unsafe { place.cast::<[f32; LANES]>().read_unaligned() };
            for m in 0..M {
                for lane in 0..LANES {
                    sums[m][o][lane] = fused::<FMA>(rows[m][lane], w[lane], sums[m][o][lane]);
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
        for (rows, n, k) in [
            (1, 1, 1),
            (1, 9, 33),
            (1, 210, 31),
            (2, 90, 17),
            (3, 4, 16),
            (3, 70, 9),
            (4, 84, 40),
            (5, 7, 40),
            (16, 130, 384),
            (11, 2048, 300),
        ] {
            let numbers = |seed: u64, count: usize| -> Vec<f32> {
                (0..count as u64).map(|i| Draw::new(seed).normal(i)).collect()
            };
            let (x, w, start) = (numbers(1, rows * k), numbers(2, n * k), numbers(3, rows * n));
            let mut expected = start.clone();
            let (a, b) = (View::new(&x, rows, k), View::new(&w, n, k).t());
            product(Target::new(&mut expected, rows, n), Into::Add, 1.0, a, b);
            if rows <= FEWEST {
                let turned: Vec<f32> = (0..k * n).map(|i| w[i % n * k + i / n]).collect();
                let mut got = vec![f32::NAN; rows * n];
                put_turned(&x, rows, &turned, &mut got);
                for ((g, e), s) in got.iter().zip(&expected).zip(&start) {
                    assert!((g + s - e).abs() < 2e-5 * (k as f32).sqrt(), "{rows} {n} {k}: {g} and {s} for {e}");
                }
            }
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
