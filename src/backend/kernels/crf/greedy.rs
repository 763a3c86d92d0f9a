//! One label after another, each the best after the one before.

use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::{Constraint, Scores};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// What a label costs after another, as the first, and as the last.
#[derive(Clone, Debug)]
pub struct Rules {
    transitions: Vec<f32>,
    start: Vec<f32>,
    end: Vec<f32>,
}

impl Rules {
    /// Under `params`: transitions `[C, C]` (from, to), start `[C]` and end `[C]`, or zeros; what
    /// `constraint` does not allow costs more than anything else.
    pub fn new(c: usize, params: Option<[&Param; 3]>, constraint: Option<&Constraint>) -> Result<Self> {
        let [mut transitions, mut start, mut end] = match params {
            Some([t, s, e]) => [numbers(t.var.as_tensor())?, numbers(s.var.as_tensor())?, numbers(e.var.as_tensor())?],
            None => [vec![0.0; c * c], vec![0.0; c], vec![0.0; c]],
        };
        if transitions.len() != c * c || start.len() != c || end.len() != c {
            bail!("transitions between {} labels for {c}", start.len());
        }
        if let Some(allowed) = constraint {
            if allowed.start.len() != c {
                bail!("a constraint on {} labels for {c}", allowed.start.len());
            }
            forbid(&mut transitions, &allowed.next);
            forbid(&mut start, &allowed.start);
            forbid(&mut end, &allowed.end);
        }
        Ok(Self { transitions, start, end })
    }

    pub(super) fn scores(&self) -> Scores<'_> {
        Scores { transitions: &self.transitions, start: &self.start, end: &self.end }
    }

    /// The best label for `scores [C]` after `previous`, or of a first place; of equals, the
    /// first.
    pub fn best(&self, scores: &[f32], previous: Option<u32>, last: bool) -> u32 {
        let c = self.start.len();
        let before = previous.map_or(&self.start[..], |from| &self.transitions[from as usize * c..][..c]);
        let mut best = (0, f32::NEG_INFINITY);
        for (label, (score, before)) in scores.iter().zip(before).enumerate() {
            let sum = score + before + if last { self.end[label] } else { 0.0 };
            if sum > best.1 {
                best = (label as u32, sum);
            }
        }
        best.0
    }
}

/// The labels of each sequence of `emissions [N, C]`, on any device.
pub fn greedy(emissions: &Tensor, rules: &Rules, offsets: &Offsets) -> Result<Vec<u32>> {
    let (rows, c) = emissions.dims2()?;
    if offsets.last().copied().unwrap_or(0) as usize != rows || c != rules.start.len() {
        bail!("{rows} rows of {c} for sequences that end at {:?}", offsets.last());
    }
    let x = numbers(emissions)?;
    let one = |ends: &[u32]| {
        let mut labels: Vec<u32> = Vec::with_capacity((ends[1] - ends[0]) as usize);
        for place in ends[0]..ends[1] {
            let scores = &x[place as usize * c..][..c];
            labels.push(rules.best(scores, labels.last().copied(), place + 1 == ends[1]));
        }
        labels
    };
    let all: Vec<Vec<u32>> = offsets.par_windows(2).map(one).collect();
    Ok(all.concat())
}

/// The numbers of a tensor on any device.
pub(in crate::backend::kernels) fn numbers(t: &Tensor) -> Result<Vec<f32>> {
    t.detach().to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

/// What a forbidden step costs: more than scores add up to, and yet a number, so that where no
/// sequence is allowed there is one with as few such steps as can be.
pub(super) const FORBIDDEN: f32 = -1e12;

fn forbid(scores: &mut [f32], allowed: &[bool]) {
    scores.iter_mut().zip(allowed).filter(|(_, allowed)| !**allowed).for_each(|(s, _)| *s = FORBIDDEN);
}
