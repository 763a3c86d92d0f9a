//! Words that are copied from a text (See et al. 2017): p(w) = g P(w) + (1 - g) Σ a over the places
//! of w, with a the attention of [`super::pointer`], P over the words of the decoder from tanh(W
//! [context; state] + b), and g a sigmoid of context and state.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::loss::word_loss;
use super::number::Map;
use super::pointer::{self, Pairs};
use super::words::{Words, numbers};
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::linear::linear;
use crate::backend::kernels::segment;
use crate::backend::kernels::shape::concat_cols;
use crate::backend::kernels::transformer::Dense;
use crate::backend::param::Param;

/// The parameters of copying.
#[derive(Clone, Debug)]
pub struct Copier {
    /// Queries of states.
    pub query: Dense,
    /// Keys of the memory.
    pub memory: Dense,
    /// `[d]`, which scores are products with.
    pub score: Param,
    /// `[d]`, where coverage is read.
    pub coverage: Option<Param>,
    /// `[1, 2d]`: whether a word is written or copied.
    pub gate: Dense,
    /// `[d, 2d]`: what words are written from.
    pub mix: Dense,
}

/// What may be copied at each place of texts.
#[derive(Clone, Debug)]
pub struct Golds {
    /// The words, 0 for one that the decoder does not know.
    pub words: Arc<Vec<u32>>,
    /// 1 where the decoder can write the word: it knows it, or it is to write the unknown one
    /// because the memory does not have it either.
    pub known: Vec<f32>,
    /// For each place of a text and each of its memory, 1 where the word stands there.
    pub matches: Vec<f32>,
}

/// What a decoder's states look at to copy from.
struct Looked {
    p: Tensor,
    /// What words are written from, `[N, d]`.
    states: Tensor,
    /// `[N, 1]`
    gate: Tensor,
}

impl Copier {
    fn look(&self, states: &Tensor, memory: &Tensor, pairs: &Pairs) -> Result<Looked> {
        let apply = |x: &Tensor, dense: &Dense, act| linear(x, &dense.w, Some(&dense.b), act);
        let q = apply(states, &self.query, Activation::None)?;
        let k = apply(memory, &self.memory, Activation::None)?;
        let p = pointer::attention(&q, &k, &self.score, self.coverage.as_ref(), pairs)?;
        let both = concat_cols(&[pointer::context(&p, memory, pairs)?, states.clone()])?;
        let gate = apply(&both, &self.gate, Activation::Sigmoid)?;
        Ok(Looked { p, states: apply(&both, &self.mix, Activation::Tanh)?, gate })
    }
}

/// −log p of each place's word, and with `coverage` the loss of looking at places again: `[N, 1]`.
pub fn copy_loss(
    (words, copier): (&Words, &Copier),
    (states, memory): (&Tensor, &Tensor),
    pairs: &Pairs,
    golds: &Golds,
    (coverage, train): (bool, bool),
) -> Result<Tensor> {
    let Looked { p, states, gate } = copier.look(states, memory, pairs)?;
    let like =
        |numbers: &[f32]| Tensor::from_slice(numbers, (numbers.len(), 1), states.device())?.to_dtype(states.dtype());
    let written = word_loss(&states, words, &golds.words, 0.0, train)?.neg()?.exp()?;
    let written = (&gate * written)?.mul(&like(&golds.known)?)?;
    let copied = segment::sum(&p.mul(&like(&golds.matches)?)?, &pairs.by_place())?;
    let copied = gate.affine(-1.0, 1.0)?.mul(&copied)?;
    let loss = ((written + copied)? + 1e-20)?.log()?.neg()?;
    if coverage { loss + pointer::coverage_loss(&p, pairs)? } else { Ok(loss) }
}

/// The same in numbers, one place at a time.
pub(super) struct Copying {
    query: Map,
    score: [Vec<f32>; 2],
    gate: Map,
    mix: Map,
    /// Keys of the memory, `[M, d]`.
    keys: Vec<f32>,
    /// What was looked at by each hypothesis, where coverage is read.
    seen: Vec<Vec<f32>>,
}

/// What copying gives for a hypothesis.
pub(super) struct Copied {
    /// The share of what is written.
    pub gate: f32,
    /// The attention to each place of the memory.
    pub p: Vec<f32>,
}

impl Copying {
    pub fn new(copier: &Copier, memory: &[f32], rows: usize) -> Result<Self> {
        let coverage = copier.coverage.as_ref().map(numbers).transpose()?;
        Ok(Self {
            query: Map::of(&copier.query)?,
            score: [numbers(&copier.score)?, coverage.unwrap_or_default()],
            gate: Map::of(&copier.gate)?,
            mix: Map::of(&copier.mix)?,
            keys: Map::of(&copier.memory)?.apply(memory, rows),
            seen: Vec::new(),
        })
    }

    /// What hypotheses with these parents look at among `rows` of the memory, and what they write
    /// from, given their states `[n, d]`.
    pub fn look(
        &mut self,
        states: &[f32],
        memory: &[f32],
        places: &[super::search::Place],
        rows: impl Fn(u32) -> std::ops::Range<usize>,
    ) -> (Vec<Copied>, Vec<f32>) {
        let (n, d) = (places.len(), self.query.outputs);
        let q = self.query.apply(states, n);
        let mut both = Vec::with_capacity(2 * n * d);
        let mut found = Vec::with_capacity(n);
        let mut seen = Vec::with_capacity(n);
        for ((q, state), place) in q.chunks_exact(d).zip(states.chunks_exact(d)).zip(places) {
            let at = rows(place.example);
            let before = self.seen.get(place.parent as usize).cloned().unwrap_or_else(|| vec![0.0; at.len()]);
            let mut p = vec![0.0; at.len()];
            let [v, w] = &self.score;
            pointer::look(q, &self.keys[at.start * d..at.end * d], [v, w], &before, &mut p);
            let mut context = vec![0.0; d];
            for (p, m) in p.iter().zip(memory[at.start * d..at.end * d].chunks_exact(d)) {
                crate::backend::kernels::simd::add_scaled(&mut context, *p, m);
            }
            both.extend_from_slice(&context);
            both.extend_from_slice(state);
            seen.push(super::number::plus(before, &p));
            found.push(p);
        }
        self.seen = seen;
        let (mut gates, mut states) = (self.gate.apply(&both, n), self.mix.apply(&both, n));
        Activation::Sigmoid.forward(&mut gates);
        Activation::Tanh.forward(&mut states);
        (found.into_iter().zip(gates).map(|(p, gate)| Copied { gate, p }).collect(), states)
    }
}
