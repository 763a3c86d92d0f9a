//! The best sequence of labels (Viterbi 1967).

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::greedy::{FORBIDDEN, Rules, numbers};
use super::{Constraint, Scores};
use crate::backend::kernels::simd::{self, simd};
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

/// The best labels for `emissions [N, C]` without transitions: the greatest of each place, or
/// where `constraint` does not allow those, the best that it allows.
pub fn best_labels(emissions: &Tensor, constraint: &Constraint, offsets: &Offsets) -> Result<Vec<u32>> {
    let (rows, c) = emissions.dims2()?;
    if offsets.last().copied().unwrap_or(0) as usize != rows || constraint.start.len() != c {
        bail!("{rows} rows of {c} labels for sequences that end at {:?}", offsets.last());
    }
    let x = numbers(emissions)?;
    let mut labels: Vec<u32> = x.chunks_exact(c.max(1)).map(|row| simd::greatest(row) as u32).collect();
    let odd = |s: &usize| !constraint.allows(&labels[offsets[*s] as usize..offsets[s + 1] as usize]);
    let odd: Vec<usize> = (0..offsets.len() - 1).filter(odd).collect();
    let one = |s: &usize| bound_path(&x[offsets[*s] as usize * c..offsets[s + 1] as usize * c], constraint);
    let mended: Vec<Vec<u32>> = odd.par_iter().map(one).collect();
    for (s, path) in odd.iter().zip(mended) {
        labels[offsets[*s] as usize..offsets[s + 1] as usize].copy_from_slice(&path);
    }
    Ok(labels)
}

/// The best labels of one sequence without transitions. Few labels are bound to what is before
/// them; all others follow the best path so far.
fn bound_path(x: &[f32], allowed: &Constraint) -> Vec<u32> {
    let c = allowed.start.len();
    let edge = |allowed: &[bool], x: &[f32]| -> Vec<f32> {
        x.iter().zip(allowed).map(|(x, allowed)| if *allowed { *x } else { x + FORBIDDEN }).collect()
    };
    let mut best = edge(&allowed.start, &x[..c]);
    let mut from = vec![0u32; x.len()];
    for (x, from) in x.chunks_exact(c).zip(from.chunks_exact_mut(c)).skip(1) {
        let first = simd::greatest(&best);
        let top = best[first];
        from.fill(first as u32);
        let mut next = x.to_vec();
        for (j, before) in &allowed.bound {
            let mut least = FORBIDDEN;
            for i in before {
                let score = best[*i as usize] - top;
                from[*j as usize] = if score > least { *i } else { from[*j as usize] };
                least = least.max(score);
            }
            next[*j as usize] += least;
        }
        best = next;
    }
    let mut last = simd::greatest(&edge(&allowed.end, &best));
    let mut labels = vec![last as u32; x.len() / c];
    for row in (1..labels.len()).rev() {
        last = from[row * c + last] as usize;
        labels[row - 1] = last as u32;
    }
    labels
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
        let top = next[simd::greatest(&next)];
        score += f64::from(top);
        add_apart(&mut best, &next, top, x);
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
    /// `best = next - top + x`.
    fn add_apart(best: &mut [f32], next: &[f32], top: f32, x: &[f32]) {
        for ((best, next), x) in best.iter_mut().zip(next).zip(x) {
            *best = next - top + x;
        }
    }
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
