//! The best sequence of labels (Viterbi 1967).

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::greedy::{Rules, numbers};
use super::{Constraint, Scores};
use crate::backend::kernels::simd::simd;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The best labels of each sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// One for each place.
    pub labels: Vec<u32>,
    /// The score of each sequence; 0 for an empty one.
    pub scores: Vec<f32>,
}

/// The labels of [`best_paths`].
pub fn viterbi(
    emissions: &Tensor,
    params: Option<(&Param, &Param, &Param)>,
    constraint: Option<&Constraint>,
    offsets: &Offsets,
) -> Result<Vec<u32>> {
    Ok(best_paths(emissions, params, constraint, offsets)?.labels)
}

/// The best labels for `emissions [N, C]`, on any device, under `params`: transitions `[C, C]`
/// (from, to), start `[C]` and end `[C]`, or zeros; of those that `constraint` allows, if any is.
pub fn best_paths(
    emissions: &Tensor,
    params: Option<(&Param, &Param, &Param)>,
    constraint: Option<&Constraint>,
    offsets: &Offsets,
) -> Result<Decoded> {
    let (rows, c) = emissions.dims2()?;
    if offsets.last().copied().unwrap_or(0) as usize != rows {
        bail!("{rows} rows for sequences that end at {:?}", offsets.last());
    }
    let rules = Rules::new(c, params.map(|(t, s, e)| [t, s, e]), constraint)?;
    let x = numbers(emissions)?;
    let scores = rules.scores();
    let one = |s: usize| best_path(&x[offsets[s] as usize * c..offsets[s + 1] as usize * c], scores);
    let all: Vec<(Vec<u32>, f32)> = (0..offsets.len() - 1).into_par_iter().map(one).collect();
    let scores = all.iter().map(|(_, score)| *score).collect();
    Ok(Decoded { labels: all.into_iter().flat_map(|(labels, _)| labels).collect(), scores })
}

/// The best labels of one sequence `x [n, C]`, and their score. Of equals, the first.
fn best_path(x: &[f32], s: Scores) -> (Vec<u32>, f32) {
    let c = s.start.len();
    if x.is_empty() {
        return (Vec::new(), 0.0);
    }
    let mut from = vec![0u32; x.len()];
    let mut best: Vec<f32> = s.start.iter().zip(x).map(|(s, x)| s + x).collect();
    let (mut next, mut score) = (vec![0.0; c], 0.0);
    for (x, from) in x.chunks_exact(c).zip(from.chunks_exact_mut(c)).skip(1) {
        next.fill(f32::NEG_INFINITY);
        for (i, (best, transitions)) in best.iter().zip(s.transitions.chunks_exact(c)).enumerate() {
            improve(&mut next, from, transitions, *best, i as u32);
        }
        // Scores are kept near 0, where they are finest.
        let top = next.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        score += f64::from(top);
        best.iter_mut().zip(next.iter().zip(x)).for_each(|(best, (next, x))| *best = next - top + x);
    }
    best.iter_mut().zip(s.end).for_each(|(best, end)| *best += end);
    let mut last = 0;
    (0..c).for_each(|j| last = if best[j] > best[last] { j } else { last });
    score += f64::from(best[last]);
    let mut labels = vec![last as u32; x.len() / c];
    for row in (1..labels.len()).rev() {
        labels[row - 1] = from[row * c + labels[row] as usize];
    }
    (labels, score as f32)
}

simd! {
    /// Takes the paths through label `i`, with score `best`, where they are better.
    fn improve(next: &mut [f32], from: &mut [u32], transitions: &[f32], best: f32, i: u32) {
        for ((next, from), transition) in next.iter_mut().zip(from).zip(transitions) {
            let score = best + transition;
            *from = if score > *next { i } else { *from };
            *next = if score > *next { score } else { *next };
        }
    }
}
