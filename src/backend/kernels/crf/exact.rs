//! Sums over the paths of one sequence with logarithms in double precision.

use super::Scores;

/// log Σ exp of what `terms` gives.
fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY { top } else { top + terms.map(|x| (x - top).exp()).sum::<f64>().ln() }
}

/// `[n, C]`: the logarithm of the sum of all paths that end in each label.
fn ahead(x: &[f32], s: Scores) -> Vec<f64> {
    let c = s.start.len();
    let mut sums = Vec::with_capacity(x.len());
    sums.extend((0..c).map(|j| f64::from(s.start[j]) + f64::from(x[j])));
    for row in 1..x.len() / c {
        for j in 0..c {
            let before = &sums[(row - 1) * c..row * c];
            let paths = before.iter().enumerate().map(|(i, b)| b + f64::from(s.transitions[i * c + j]));
            let sum = log_sum_exp(paths) + f64::from(x[row * c + j]);
            sums.push(sum);
        }
    }
    sums
}

/// `[n, C]`: the logarithm of the sum of all paths from each label on, without its emission.
fn onward(x: &[f32], s: Scores) -> Vec<f64> {
    let c = s.start.len();
    let n = x.len() / c;
    let mut sums = vec![0.0; x.len()];
    sums[(n - 1) * c..].iter_mut().zip(s.end).for_each(|(a, b)| *a = f64::from(*b));
    for row in (0..n - 1).rev() {
        for i in 0..c {
            let next = |j: usize| sums[(row + 1) * c + j] + f64::from(x[(row + 1) * c + j]);
            sums[row * c + i] = log_sum_exp((0..c).map(|j| f64::from(s.transitions[i * c + j]) + next(j)));
        }
    }
    sums
}

fn total(ahead: &[f64], s: Scores) -> f64 {
    let last = &ahead[ahead.len() - s.end.len()..];
    log_sum_exp(last.iter().zip(s.end).map(|(a, e)| a + f64::from(*e)))
}

/// The logarithm of the sum over all paths through `x [n, C]`, n > 0.
pub fn log_sum(x: &[f32], s: Scores) -> f64 {
    total(&ahead(x, s), s)
}

/// Sets `places [n, C]` to the probability of each label, and adds `factor` times that of each
/// pair of neighbours to `pairs [C, C]`.
pub fn posterior(x: &[f32], s: Scores, factor: f32, places: &mut [f32], pairs: &mut [f32]) {
    let c = s.start.len();
    let (ahead, onward) = (ahead(x, s), onward(x, s));
    let all = total(&ahead, s);
    for (p, (a, b)) in places.iter_mut().zip(ahead.iter().zip(&onward)) {
        *p = (a + b - all).exp() as f32;
    }
    if factor == 0.0 {
        return;
    }
    for row in 1..x.len() / c {
        for (i, j) in (0..c).flat_map(|i| (0..c).map(move |j| (i, j))) {
            let next = f64::from(x[row * c + j]) + onward[row * c + j];
            let path = ahead[(row - 1) * c + i] + f64::from(s.transitions[i * c + j]) + next;
            pairs[i * c + j] += factor * (path - all).exp() as f32;
        }
    }
}
