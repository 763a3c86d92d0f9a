//! The likeliest words of a row of scores.

use crate::backend::kernels::simd::{LANES, load, simd};

simd! {
    /// Whether any of the numbers from `at` on, a block of them, is above `least`.
    fn any_above(x: &[f32], least: f32) -> bool {
        let mut top = [f32::NEG_INFINITY; LANES];
        for at in (0..x.len() / LANES * LANES).step_by(LANES) {
            let x = load(x, at);
            for k in 0..LANES {
                top[k] = if x[k] > top[k] { x[k] } else { top[k] };
            }
        }
        let rest = &x[x.len() / LANES * LANES..];
        top.iter().chain(rest).any(|x| *x > least)
    }
}

/// Numbers that are looked over at a time.
const BLOCK: usize = 256;

/// The `k` greatest numbers of `row` with their places, the greatest first; of equals, the first.
/// Those that are minus infinity are none.
pub fn greatest(row: &[f32], k: usize) -> Vec<(f32, u32)> {
    let mut found: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    let mut least = f32::NEG_INFINITY;
    for (block, numbers) in row.chunks(BLOCK).enumerate() {
        if k == 0 || !any_above(numbers, least) {
            continue;
        }
        for (i, x) in numbers.iter().enumerate().filter(|(_, x)| **x > f32::NEG_INFINITY) {
            if found.len() == k && *x <= least {
                continue;
            }
            let at = found.partition_point(|(y, _)| y >= x);
            found.insert(at, (*x, (block * BLOCK + i) as u32));
            found.truncate(k);
            if found.len() == k {
                least = found[k - 1].0;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::greatest;
    use crate::backend::kernels::random::Draw;

    #[test]
    fn as_by_sorting() {
        let draw = Draw::new(3);
        // Rounded, so that some are equal.
        let row: Vec<f32> = (0..1000).map(|i| (draw.normal(i) * 8.0).round() + 0.0).collect();
        let mut sorted: Vec<(f32, u32)> = row.iter().copied().zip(0..).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for k in [0, 1, 2, 7, 300, 1000] {
            assert_eq!(greatest(&row, k), sorted[..k]);
        }
        assert_eq!(greatest(&[f32::NEG_INFINITY, 1.0], 5), [(1.0, 1)]);
    }
}
