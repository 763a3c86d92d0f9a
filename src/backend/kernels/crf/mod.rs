//! Linear-chain conditional random fields (Lafferty et al. 2001) over packed sequences: the
//! loss and the posterior as one operation each, decoding, and constraints on label sequences.
//!
//! Sums over paths run in scaled probabilities, one matrix product a step for all sequences
//! still running (`scaled`); a sequence whose numbers are too far apart for that is done again
//! with logarithms (`exact`).

mod constraint;
mod exact;
pub(super) mod greedy;
mod plain;
mod scaled;
mod viterbi;

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, Var, bail};

pub use constraint::Constraint;
pub use greedy::{Rules, greedy};
pub use plain::{crf_nll_plain, marginals_plain};
pub use viterbi::{Decoded, best_labels, best_paths, viterbi};

use super::buffer::{anchor, floats, is_fused, operand, result, tensor};
use super::steps::Steps;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;
use scaled::{Forward, Tables};

/// -log p of each sequence of gold labels, `[B, 1]`, for `emissions [N, C]`, `transitions
/// [C, C]` (from, to), `start [C]` and `end [C]`. A sequence with a label that is no class
/// (`NO_LABEL`), and an empty one, gives 0 and no gradient.
pub fn crf_nll(
    emissions: &Tensor,
    transitions: &Param,
    start: &Param,
    end: &Param,
    gold: &Arc<Vec<u32>>,
    offsets: &Offsets,
) -> Result<Tensor> {
    let chain = Chain::new(emissions, [transitions, start, end], offsets)?;
    if gold.len() != emissions.dim(0)? {
        bail!("{} gold labels for {} places", gold.len(), emissions.dim(0)?);
    }
    if !is_fused(emissions) {
        return crf_nll_plain(emissions, transitions, start, end, gold, offsets);
    }
    let op = Nll { known: chain.known(gold), gold: gold.clone(), chain, sums: OnceLock::new() };
    let anchor = anchor(&op.chain.params.each_ref());
    emissions.contiguous()?.apply_op2(&anchor, op)
}

/// The probability of each label at each place given the whole sequence, `[N, C]`, for the same
/// parameters as [`crf_nll`]. Its gradient costs far more than its value.
pub fn marginals(
    emissions: &Tensor,
    transitions: &Param,
    start: &Param,
    end: &Param,
    offsets: &Offsets,
) -> Result<Tensor> {
    let chain = Chain::new(emissions, [transitions, start, end], offsets)?;
    if !is_fused(emissions) {
        return marginals_plain(emissions, transitions, start, end, offsets);
    }
    let anchor = anchor(&chain.params.each_ref());
    emissions.contiguous()?.apply_op2(&anchor, Marginals { chain })
}

/// The parameters and the sequences they apply to.
struct Chain {
    /// Transitions, start, end.
    params: [Param; 3],
    offsets: Offsets,
    steps: Steps,
    classes: usize,
}

/// The numbers of the parameters.
#[derive(Clone, Copy)]
struct Scores<'a> {
    /// `[C, C]`, from and to.
    transitions: &'a [f32],
    start: &'a [f32],
    end: &'a [f32],
}

impl Chain {
    fn new(emissions: &Tensor, params: [&Param; 3], offsets: &Offsets) -> Result<Self> {
        let (rows, c) = emissions.dims2()?;
        if offsets.last().copied().unwrap_or(0) as usize != rows {
            bail!("{rows} rows for sequences that end at {:?}", offsets.last());
        }
        if params[0].var.dims2()? != (c, c) || params[1].len() != c || params[2].len() != c {
            bail!("{} is for another number of labels than {c}", params[0].name);
        }
        let steps = Steps::new(offsets, false);
        Ok(Self { params: params.map(Clone::clone), offsets: offsets.clone(), steps, classes: c })
    }

    /// Calls `f` with the numbers of the parameters.
    fn with_scores<T>(&self, f: impl FnOnce(Scores) -> T) -> Result<T> {
        let [t, s, e] = &self.params;
        let (t, s, e) = (floats(t.var.as_tensor())?, floats(s.var.as_tensor())?, floats(e.var.as_tensor())?);
        Ok(f(Scores { transitions: &t, start: &s, end: &e }))
    }

    /// Rows of sequence `s`.
    fn range(&self, s: usize) -> std::ops::Range<usize> {
        self.offsets[s] as usize..self.offsets[s + 1] as usize
    }

    /// Whether each sequence has a label at every place.
    fn known(&self, gold: &[u32]) -> Vec<bool> {
        let all = |s| gold[self.range(s)].iter().all(|y| (*y as usize) < self.classes);
        (0..self.offsets.len() - 1).map(all).collect()
    }

    /// The score of the labels `gold` of sequence `s`.
    fn score(&self, x: &[f32], scores: Scores, gold: &[u32], s: usize) -> f64 {
        let (c, range) = (self.classes, self.range(s));
        let gold = &gold[range.clone()];
        let (Some(&first), Some(&last)) = (gold.first(), gold.last()) else { return 0.0 };
        let places: f64 = range.zip(gold).map(|(row, &y)| f64::from(x[row * c + y as usize])).sum();
        let pairs = gold.windows(2).map(|y| f64::from(scores.transitions[y[0] as usize * c + y[1] as usize]));
        places + pairs.sum::<f64>() + f64::from(scores.start[first as usize]) + f64::from(scores.end[last as usize])
    }

    /// Adds `grad` to the gradient of parameter `i`.
    fn add(&self, i: usize, grad: &[f32]) {
        if self.params[i].trainable {
            self.params[i].sink.add_with(|into| into.iter_mut().zip(grad).for_each(|(a, b)| *a += b));
        }
    }

    /// Posterior of sequences, and the sum of that of pairs of neighbours times each sequence's
    /// `factors`.
    fn posterior(&self, x: &[f32], scores: Scores, sums: &Forward, factors: &[f32]) -> Posterior {
        let c = self.classes;
        let timed = scaled::backward(&Tables::new(scores), sums, &self.steps, factors);
        let mut all = Posterior { places: vec![0.0; x.len()], pairs: timed.pairs };
        self.steps.scatter(&timed.places, c, &mut all.places);
        for (slot, &s) in self.steps.segments().iter().enumerate() {
            let range = self.range(s as usize);
            if timed.apart[slot] && !range.is_empty() {
                let range = range.start * c..range.end * c;
                exact::posterior(
                    &x[range.clone()],
                    scores,
                    factors[s as usize],
                    &mut all.places[range],
                    &mut all.pairs,
                );
            }
        }
        all
    }
}

/// Probabilities given whole sequences.
struct Posterior {
    /// `[N, C]`
    places: Vec<f32>,
    /// `[C, C]`
    pairs: Vec<f32>,
}

/// The operation of [`crf_nll`].
struct Nll {
    chain: Chain,
    gold: Arc<Vec<u32>>,
    known: Vec<bool>,
    sums: OnceLock<Forward>,
}

impl Nll {
    /// The loss of each sequence.
    fn losses(&self, x: &[f32], scores: Scores, sums: &Forward) -> Vec<f32> {
        let c = self.chain.classes;
        let mut losses = vec![0.0; self.known.len()];
        for (slot, &s) in self.chain.steps.segments().iter().enumerate() {
            let (s, range) = (s as usize, self.chain.range(s as usize));
            if range.is_empty() || !self.known[s] {
                continue;
            }
            let log_sum = match sums.apart[slot] {
                false => sums.log_sums[slot],
                true => exact::log_sum(&x[range.start * c..range.end * c], scores),
            };
            losses[s] = (log_sum - self.chain.score(x, scores, &self.gold, s)) as f32;
        }
        losses
    }

    /// Gradients of emissions and parameters, given that of the losses.
    fn gradients(&self, x: &[f32], scores: Scores, sums: &Forward, grad: &[f32]) -> [Vec<f32>; 4] {
        let c = self.chain.classes;
        let factors: Vec<f32> = grad.iter().zip(&self.known).map(|(g, known)| if *known { *g } else { 0.0 }).collect();
        let Posterior { mut places, mut pairs } = self.chain.posterior(x, scores, sums, &factors);
        let [mut start, mut end] = [(); 2].map(|()| vec![0.0; c]);
        for (s, factor) in factors.into_iter().enumerate() {
            let range = self.chain.range(s);
            let rows = &mut places[range.start * c..range.end * c];
            if !self.known[s] || rows.is_empty() {
                rows.fill(0.0);
                continue;
            }
            let gold = &self.gold[range];
            for (row, y) in rows.chunks_exact_mut(c).zip(gold) {
                row[*y as usize] -= 1.0;
                row.iter_mut().for_each(|p| *p *= factor);
            }
            gold.windows(2).for_each(|y| pairs[y[0] as usize * c + y[1] as usize] -= factor);
            start.iter_mut().zip(&rows[..c]).for_each(|(a, b)| *a += b);
            end.iter_mut().zip(&rows[rows.len() - c..]).for_each(|(a, b)| *a += b);
        }
        [places, pairs, start, end]
    }
}

impl CustomOp2 for Nll {
    fn name(&self) -> &'static str {
        "crf_nll"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = operand(x, l)?;
        let losses = self.chain.with_scores(|scores| {
            let sums = self.sums.get_or_init(|| scaled::forward(x, &Tables::new(scores), &self.chain.steps));
            self.losses(x, scores, sums)
        })?;
        result(losses, (self.known.len(), 1))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (numbers, g) = (floats(x)?, floats(&grad)?);
        let [places, pairs, start, end] = self.chain.with_scores(|scores| {
            let sums = self.sums.get_or_init(|| scaled::forward(&numbers, &Tables::new(scores), &self.chain.steps));
            self.gradients(&numbers, scores, sums, &g)
        })?;
        [pairs, start, end].iter().enumerate().for_each(|(i, grad)| self.chain.add(i, grad));
        let dx = if x.track_op() { Some(tensor(places, x.shape())?) } else { None };
        Ok((dx, None))
    }
}

/// The operation of [`marginals`].
struct Marginals {
    chain: Chain,
}

impl CustomOp2 for Marginals {
    fn name(&self) -> &'static str {
        "crf_marginals"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = operand(x, l)?;
        let places = self.chain.with_scores(|scores| {
            let sums = scaled::forward(x, &Tables::new(scores), &self.chain.steps);
            let factors = vec![0.0; self.chain.offsets.len() - 1];
            self.chain.posterior(x, scores, &sums, &factors).places
        })?;
        result(places, l.shape().clone())
    }

    /// Runs the plain form again, and Candle's backward pass through it.
    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut params = self.chain.params.clone();
        for p in &mut params {
            p.var = Var::from_tensor(&p.var.as_detached_tensor())?;
        }
        let emissions = Var::from_tensor(&x.detach())?;
        let [transitions, start, end] = &params;
        let p = marginals_plain(&emissions, transitions, start, end, &self.chain.offsets)?;
        let store = (p * grad.detach())?.sum_all()?.backward()?;
        for (i, p) in params.iter().enumerate() {
            if let Some(grad) = store.get(p.var.as_tensor()) {
                self.chain.add(i, &floats(&grad.contiguous()?)?);
            }
        }
        let dx = match store.get(emissions.as_tensor()) {
            Some(grad) => grad.clone(),
            None => x.zeros_like()?,
        };
        Ok((Some(dx), None))
    }
}
