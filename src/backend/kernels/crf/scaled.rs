//! Sums over paths in probabilities that are scaled at every step (Rabiner 1989), for all
//! sequences of a batch at a time.
//!
//! A number below [`FAINT`] may be lost to f32, relative to others that are at most 1. What all
//! that is lost can amount to is bounded as the steps go by, and a sequence for which that is
//! more than [`TOLERANCE`] is marked as `apart`.

use super::Scores;
use crate::backend::kernels::simd::{dot, exp_one, lanes, simd};
use crate::backend::kernels::steps::Steps;
use crate::backend::kernels::views::{Into, Target, View, product};

/// What f32 holds with room to spare.
const FAINT: f32 = 1e-30;

/// The share of a sum that may be missing.
const TOLERANCE: f32 = 1e-8;

/// Exponentials of the parameters, relative to their maximum.
pub struct Tables {
    pairs: Vec<f32>,
    pairs_top: f32,
    start: Vec<f32>,
    start_top: f32,
    end: Vec<f32>,
    end_top: f32,
}

impl Tables {
    pub fn new(scores: Scores) -> Self {
        let [mut pairs, mut start, mut end] = [scores.transitions, scores.start, scores.end].map(<[f32]>::to_vec);
        let [pairs_top, start_top, end_top] = [&mut pairs, &mut start, &mut end].map(|x| exponentials(x).0);
        Self { pairs, pairs_top, start, start_top, end, end_top }
    }

    fn classes(&self) -> usize {
        self.start.len()
    }

    /// What faint numbers of a row can amount to.
    fn faint(&self, least: f32) -> f32 {
        if least < FAINT { self.classes() as f32 * FAINT } else { 0.0 }
    }
}

/// The forward pass.
pub struct Forward {
    /// Exponentials of emissions relative to the row's maximum, `[N, C]` in the order of time.
    emissions: Vec<f32>,
    /// Share of the paths so far that end in each label, `[N, C]` in the order of time.
    paths: Vec<f32>,
    /// The logarithm of the sum over all paths, by slot.
    pub log_sums: Vec<f64>,
    /// The most that is missing from a row of `paths`, by slot.
    missing: Vec<f32>,
    /// Sequences whose sum has to be found otherwise, by slot.
    pub apart: Vec<bool>,
}

/// Sums from the first place on, for packed emissions `x [N, C]`.
pub fn forward(x: &[f32], tables: &Tables, steps: &Steps) -> Forward {
    let (c, slots) = (tables.classes(), steps.segments().len());
    let mut all = Forward {
        emissions: steps.gather(x, c),
        paths: vec![0.0; steps.rows() * c],
        log_sums: vec![0.0; slots],
        missing: vec![0.0; slots],
        apart: vec![false; slots],
    };
    let mut missing = vec![0.0; slots];
    for t in 0..steps.count() {
        let (at, n) = (steps.at(t), steps.running(t));
        let (before, here) = all.paths.split_at_mut(at.start * c);
        let here = &mut here[..n * c];
        if t == 0 {
            here.chunks_exact_mut(c).for_each(|row| row.copy_from_slice(&tables.start));
        } else {
            let before = View::new(&before[steps.at(t - 1).start * c..], n, c);
            product(Target::new(here, n, c), Into::Set, 1.0, before, View::new(&tables.pairs, c, c));
        }
        let top = if t == 0 { tables.start_top } else { tables.pairs_top };
        let rows = here.chunks_exact_mut(c).zip(all.emissions[at.start * c..].chunks_exact_mut(c));
        for (slot, (row, emission)) in rows.enumerate() {
            let (own, spread) = exponentials(emission);
            let (sum, least) = weigh(row, emission);
            scale(row, 1.0 / sum);
            missing[slot] = (missing[slot] * spread + tables.faint(least)) / sum;
            all.missing[slot] = worse(all.missing[slot], missing[slot]);
            all.log_sums[slot] += f64::from(sum).ln() + f64::from(top) + f64::from(own);
        }
        for slot in steps.running(t + 1)..n {
            let sum = dot(&here[slot * c..(slot + 1) * c], &tables.end);
            all.apart[slot] = is_apart(all.missing[slot], sum);
            all.log_sums[slot] += f64::from(sum).ln() + f64::from(tables.end_top);
        }
    }
    all
}

/// Whether a sum from which `missing` may be missing has to be found otherwise; so it has if
/// either is not a number.
fn is_apart(missing: f32, sum: f32) -> bool {
    !(missing / sum < TOLERANCE && sum > FAINT.sqrt())
}

/// The greater of two, or the one that is not a number.
fn worse(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// What [`backward`] finds.
pub struct Backward {
    /// The probability of each label, `[N, C]` in the order of time.
    pub places: Vec<f32>,
    /// The sum of the probabilities of pairs of neighbours, times the sequence's factor.
    pub pairs: Vec<f32>,
    /// Sequences that have to be done otherwise, by slot; they are not in `pairs`.
    pub apart: Vec<bool>,
}

/// Probabilities given whole sequences, with a factor for each sequence.
pub fn backward(tables: &Tables, sums: &Forward, steps: &Steps, factors: &[f32]) -> Backward {
    let c = tables.classes();
    let (mut places, mut apart) = (sums.paths.clone(), sums.apart.clone());
    let mut missing = vec![0.0f32; apart.len()];
    // At a step in work, the share of the paths from each label on. At the steps after it,
    // times the emission and over the probability of the sequence, to the scale of `paths`.
    let mut onward = vec![0.0; places.len()];
    for t in (0..steps.count()).rev() {
        let (at, n, later) = (steps.at(t), steps.running(t), steps.running(t + 1));
        let (here, after) = onward.split_at_mut(at.end * c);
        let here = &mut here[at.start * c..];
        let (from, pairs) = (View::new(after, later, c), View::new(&tables.pairs, c, c).t());
        product(Target::new(here, later, c), Into::Set, 1.0, from, pairs);
        here[later * c..].chunks_exact_mut(c).for_each(|row| row.copy_from_slice(&tables.end));
        for slot in 0..n {
            let at = (at.start + slot) * c..(at.start + slot + 1) * c;
            let (row, place) = (&mut here[slot * c..(slot + 1) * c], &mut places[at.clone()]);
            if slot < later {
                scale(&mut after[slot * c..(slot + 1) * c], 1.0 / dot(place, row));
                missing[slot] *= c as f32;
            }
            let (sum, least) = total(row);
            scale(row, 1.0 / sum);
            missing[slot] = (missing[slot] + tables.faint(least)) / sum;
            let together = weigh(place, row).0;
            scale(place, 1.0 / together);
            apart[slot] |= is_apart(sums.missing[slot] + missing[slot], together);
            missing[slot] += tables.faint(weigh(row, &sums.emissions[at]).1);
        }
    }
    let pairs = pairs(tables, sums, steps, onward, factors, &apart);
    Backward { places, pairs, apart }
}

/// Sums the probabilities of neighbours.
fn pairs(
    tables: &Tables,
    sums: &Forward,
    steps: &Steps,
    mut onward: Vec<f32>,
    factors: &[f32],
    apart: &[bool],
) -> Vec<f32> {
    let c = tables.classes();
    let (first, mut pairs) = (steps.running(0), vec![0.0; c * c]);
    if factors.iter().all(|f| *f == 0.0) {
        return pairs;
    }
    let mut before = steps.previous(&sums.paths, c);
    let onward = &mut onward[first * c..];
    let rows = before.chunks_exact_mut(c).zip(onward.chunks_exact_mut(c));
    for ((before, onward), slot) in rows.zip(steps.slots().skip(first)) {
        scale(onward, factors[steps.segments()[slot] as usize]);
        if apart[slot] {
            before.fill(0.0);
            onward.fill(0.0);
        }
    }
    let count = steps.rows() - first;
    let (before, onward) = (View::new(&before, count, c).t(), View::new(onward, count, c));
    product(Target::new(&mut pairs, c, c), Into::Set, 1.0, before, onward);
    weigh(&mut pairs, &tables.pairs);
    pairs
}

simd! {
    /// `x = exp(x - max(x))`; returns the maximum and the sum.
    fn exponentials(x: &mut [f32]) -> (f32, f32) {
        let top = lanes(x, x, f32::MIN, |top, x, _| if x > top { x } else { top }, f32::max);
        for x in &mut *x {
            *x = exp_one::<FMA>(*x - top);
        }
        (top, lanes(x, x, 0.0, |sum, x, _| sum + x, |a, b| a + b))
    }
}

simd! {
    /// Multiplies `x` by `weights`; returns the sum and the least.
    fn weigh(x: &mut [f32], weights: &[f32]) -> (f32, f32) {
        for (x, w) in x.iter_mut().zip(weights) {
            *x *= w;
        }
        let least = lanes(x, x, f32::MAX, |least, x, _| if x < least { x } else { least }, f32::min);
        (lanes(x, x, 0.0, |sum, x, _| sum + x, |a, b| a + b), least)
    }
}

simd! {
    /// The sum and the least.
    fn total(x: &[f32]) -> (f32, f32) {
        let least = lanes(x, x, f32::MAX, |least, x, _| if x < least { x } else { least }, f32::min);
        (lanes(x, x, 0.0, |sum, x, _| sum + x, |a, b| a + b), least)
    }
}

simd! {
    fn scale(x: &mut [f32], factor: f32) {
        for x in x {
            *x *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(scale: f32) -> (Vec<bool>, Vec<bool>) {
        let x: Vec<f32> = (0..21).map(|i| ((i * 5 + i * i) % 7) as f32 * scale).collect();
        let [transitions, edge] = [9, 3].map(|n| (0..n).map(|i| (i * 3 % 5) as f32 * scale).collect::<Vec<_>>());
        let tables = Tables::new(Scores { transitions: &transitions, start: &edge, end: &edge });
        let steps = Steps::new(&[0, 4, 4, 7], false);
        let sums = forward(&x, &tables, &steps);
        let apart = backward(&tables, &sums, &steps, &[1.0; 3]).apart;
        (sums.apart, apart)
    }

    #[test]
    fn only_what_f32_cannot_hold_is_apart() {
        for scale in [0.0, 1.0, 5.0] {
            assert_eq!(marked(scale), (vec![false; 3], vec![false; 3]));
        }
        for scale in [1e3, f32::NAN] {
            assert_eq!(marked(scale).1, [true, true, false]);
        }
    }
}
