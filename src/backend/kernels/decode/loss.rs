//! −log p of each word of a text, from the states that predict it.
//!
//! The logits of all places times all words are never held: a block of places at a time, the
//! forward pass finds their probabilities and from these the gradients of the states, the table
//! and the bias, as they are where every place's loss counts once. The backward pass only scales
//! them, or goes through the blocks again where places count differently.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::words::Words;
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::buffer::{anchor, floats, operand, par_rows, result, sum_columns, tensor};
use crate::backend::kernels::linear::linear;
use crate::backend::kernels::loss::{row_loss, softmax_cross_entropy};
use crate::backend::kernels::simd;
use crate::backend::kernels::views::{Into, Target, View, par_product};
use crate::backend::param::Param;

/// Logits that a block holds.
const BLOCK: usize = 1 << 21;

/// What words are compared with: states in the width of the output's table, times its factor.
pub(super) fn outward(states: &Tensor, words: &Words) -> Result<Tensor> {
    match &words.outward {
        Some(dense) => linear(states, &dense.w, Some(&dense.b), Activation::None),
        None => Ok(states.clone()),
    }
}

/// Logits of all words at each place, `[N, words]`.
pub fn logits(states: &Tensor, words: &Words) -> Result<Tensor> {
    let states = outward(states, words)?;
    if words.rows.is_none() && words.output.end.is_none() && words.factor == 1.0 {
        return linear(&states, &words.output.param, Some(&words.bias), Activation::None);
    }
    let scaled = (states * f64::from(words.factor))?;
    scaled.matmul(&words.tensor()?.t()?)?.broadcast_add(&words.bias.tensor())
}

/// Cross-entropy of each place's word, with label smoothing (Szegedy et al. 2016): `[N, 1]`. A
/// gold word that is none gives 0. `train` says whether gradients will be asked for.
pub fn word_loss(states: &Tensor, words: &Words, gold: &Arc<Vec<u32>>, smoothing: f32, train: bool) -> Result<Tensor> {
    if states.dim(0)? != gold.len() {
        bail!("{} gold words for {} states", gold.len(), states.dim(0)?);
    }
    if !words.is_fused(states) {
        return softmax_cross_entropy(&logits(states, words)?, gold, smoothing, None);
    }
    let states = outward(states, words)?;
    let params: Vec<&Param> = words.output.params().chain([&words.bias]).collect();
    let anchor = anchor(&params);
    let op = WordLoss { words: words.clone(), gold: gold.clone(), smoothing, train, found: OnceLock::new() };
    states.contiguous()?.apply_op2(&anchor, op)
}

struct WordLoss {
    words: Words,
    gold: Arc<Vec<u32>>,
    smoothing: f32,
    train: bool,
    found: OnceLock<Found>,
}

/// Gradients where the loss of every place counts once.
struct Found {
    /// `[N, width]`
    states: Vec<f32>,
    /// `[words, width]`
    table: Vec<f32>,
    /// `[words]`
    bias: Vec<f32>,
}

impl WordLoss {
    fn blocks(&self, rows: usize) -> impl Iterator<Item = Range<usize>> {
        let step = (BLOCK / self.words.count().max(1)).clamp(16, rows.max(16));
        (0..rows).step_by(step).map(move |first| first..(first + step).min(rows))
    }

    /// `z = factor x Wᵀ + b` for a block of states that are scaled already.
    fn logits(&self, x: &[f32], matrix: &[f32], bias: &[f32], z: &mut Vec<f32>) {
        let (width, count) = (self.words.output.width(), self.words.count());
        let rows = x.len() / width.max(1);
        z.resize(rows * count, 0.0);
        z.chunks_exact_mut(count).for_each(|row| row.copy_from_slice(bias));
        let w = View::new(matrix, count, width).t();
        par_product(Target::new(z, rows, count), Into::Add, View::new(x, rows, width), w);
    }

    /// The losses, and in a block's logits their gradients times `weights`, if there are any.
    fn rows(&self, at: Range<usize>, z: &mut [f32], weights: Option<&[f32]>, loss: &mut [f32]) {
        let count = self.words.count();
        let (gold, smoothing) = (&self.gold[at], self.smoothing);
        let known = |i: usize| (gold[i] as usize) < count;
        let each = |first: usize, rows: &mut [f32]| -> Vec<f32> {
            let one = |(i, row): (usize, &mut [f32])| {
                if !known(first + i) {
                    row.fill(0.0);
                    return 0.0;
                }
                let word = gold[first + i] as usize;
                match weights {
                    Some(weights) => loss_and_gradient(row, word, smoothing, weights[first + i]),
                    None => row_loss(row, word, smoothing),
                }
            };
            rows.chunks_exact_mut(count).enumerate().map(one).collect()
        };
        let losses = crate::backend::kernels::views::Shared::new(loss);
        par_rows(z, count, |first, rows| {
            let found = each(first, rows);
            // SAFETY: each group of rows has its own losses.
            unsafe { losses.numbers(first, found.len()) }.copy_from_slice(&found);
        });
    }

    /// Adds a block's gradients.
    fn add(&self, at: Range<usize>, (x, matrix): (&[f32], &[f32]), z: &[f32], into: &mut Found) {
        let (width, count) = (self.words.output.width(), self.words.count());
        let rows = at.len();
        let dx = &mut into.states[at.start * width..at.end * width];
        let z_view = View::new(z, rows, count);
        par_product(Target::new(dx, rows, width), Into::Set, z_view, View::new(matrix, count, width));
        par_product(Target::new(&mut into.table, count, width), Into::Add, z_view.t(), View::new(x, rows, width));
        sum_columns(z, &mut into.bias);
    }

    fn nothing(&self, rows: usize) -> Found {
        let (width, count) = (self.words.output.width(), self.words.count());
        Found { states: vec![0.0; rows * width], table: vec![0.0; count * width], bias: vec![0.0; count] }
    }

    /// Goes through all blocks: the losses, and with `weights` of places the gradients too.
    fn pass(&self, states: &[f32], weights: Option<&[f32]>) -> Result<(Vec<f32>, Option<Found>)> {
        let (width, rows) = (self.words.output.width(), self.gold.len());
        let (matrix, bias) = (self.words.matrix()?, super::words::numbers(&self.words.bias)?);
        let scaled: Vec<f32> = states.iter().map(|x| x * self.words.factor).collect();
        let mut loss = vec![0.0; rows];
        let mut found = weights.map(|_| self.nothing(rows));
        let mut z = Vec::new();
        for at in self.blocks(rows) {
            let x = &scaled[at.start * width..at.end * width];
            self.logits(x, &matrix, &bias, &mut z);
            self.rows(at.clone(), &mut z, weights.map(|w| &w[at.clone()]), &mut loss[at.clone()]);
            if let Some(found) = &mut found {
                self.add(at, (x, &matrix), &z, found);
            }
        }
        Ok((loss, found))
    }

    /// Adds the gradients of the parameters, times `factor`.
    fn parameters(&self, found: &Found, factor: f32) {
        let (width, words) = (self.words.output.width(), &self.words);
        if words.bias.trainable {
            words.bias.sink.add_with(|into| simd::add_scaled(into, factor, &found.bias));
        }
        let (rows, end) = found.table.split_at(match words.output.end {
            Some(_) => found.table.len() - width,
            None => found.table.len(),
        });
        if words.output.param.trainable {
            words.output.param.sink.add_with(|into| match &words.rows {
                Some(places) => {
                    for (row, from) in places.iter().zip(rows.chunks_exact(width.max(1))) {
                        simd::add_scaled(&mut into[*row as usize * width..][..width], factor, from);
                    }
                }
                None => simd::add_scaled(&mut into[..rows.len()], factor, rows),
            });
        }
        if let Some(param) = words.output.end.as_ref().filter(|end| end.trainable) {
            param.sink.add_with(|into| simd::add_scaled(into, factor, end));
        }
    }
}

/// The loss of a row of logits, which become its gradient times `weight`.
fn loss_and_gradient(row: &mut [f32], gold: usize, smoothing: f32, weight: f32) -> f32 {
    let (of_gold, spread) = (row[gold], smoothing / row.len() as f32);
    let mean = if smoothing > 0.0 { smoothing * simd::sum(row) / row.len() as f32 } else { 0.0 };
    let (top, total) = simd::exp_sum(row);
    simd::scale_shift(row, weight / total, weight * spread);
    row[gold] -= weight * (1.0 - smoothing);
    total.ln() + top - (1.0 - smoothing) * of_gold - mean
}

impl CustomOp2 for WordLoss {
    fn name(&self) -> &'static str {
        "word_loss"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let ones = self.train.then(|| vec![1.0; self.gold.len()]);
        let (loss, found) = self.pass(operand(x, l)?, ones.as_deref())?;
        if let Some(found) = found {
            let _ = self.found.set(found);
        }
        result(loss, (self.gold.len(), 1))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let g: Vec<f32> = floats(&grad)?.to_vec();
        let all = g.first().copied().unwrap_or(0.0);
        let alike = g.iter().all(|one| *one == all);
        let (again, found, factor);
        match self.found.get().filter(|_| alike) {
            Some(once) => (found, factor) = (once, all),
            None => {
                again = self.pass(&floats(x)?, Some(&g))?.1;
                let Some(again) = &again else { bail!("no gradients were asked for") };
                (found, factor) = (again, 1.0);
            }
        }
        self.parameters(found, factor);
        if !x.track_op() {
            return Ok((None, None));
        }
        let factor = factor * self.words.factor;
        Ok((Some(tensor(found.states.iter().map(|x| x * factor).collect(), x.shape())?), None))
    }
}

/// Σ p(w) E(w) with E the vectors that words are read by, for `p [N, words]`: `[N, width]`.
pub fn expected(p: &Tensor, words: &Words) -> Result<Tensor> {
    let all = words.input.tensor()?;
    let table = match &words.rows {
        Some(rows) => {
            let end = words.input.rows() as u32;
            crate::backend::kernels::select::select(&all, rows.iter().copied().chain([end]).collect())?
        }
        None => all,
    };
    p.contiguous()?.matmul(&table)
}
