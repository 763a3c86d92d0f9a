//! Labels chosen one after another, each read by the layer in the next place: all sequences that
//! still run take a step together.

use candle_core::{Result, Tensor, bail};

use super::labels::Labels;
use super::pass::Step;
use super::{Cell, Direction};
use crate::backend::kernels::buffer::{floats, is_fused};
use crate::backend::kernels::crf::greedy::numbers;
use crate::backend::kernels::feedback::Head;
use crate::backend::kernels::simd;
use crate::backend::kernels::steps::Steps;
use crate::backend::kernels::views::{Into, Target, View, product};

/// The labels of packed sequences `x [N, i]`.
pub(super) fn greedy<C: Cell>(direction: &Direction<C>, x: &Tensor, labels: &Labels, head: &Head) -> Result<Vec<u32>> {
    let (weights, size) = (&direction.weights, x.dims2()?);
    weights.check(size, C::GATES)?;
    labels.check(weights.width())?;
    let classes = head.classes();
    if head.weight.var.dims2()? != (classes, weights.hidden()) || labels.table.var.dims()[0] != classes + 1 {
        bail!("{} {:?} for {} units", head.weight.name, head.weight.var.dims(), weights.hidden());
    }
    if direction.steps.rows() != size.0 {
        bail!("{} rows for sequences of {}", size.0, direction.steps.rows());
    }
    let x = x.detach().contiguous()?;
    if is_fused(&x) { fused(direction, &x, labels, head) } else { plain(direction, &x, labels, head) }
}

/// What was chosen so far.
struct Chosen<'a> {
    steps: &'a Steps,
    head: &'a Head<'a>,
    /// By packed row.
    labels: Vec<u32>,
    /// By slot, the row of the table to read next.
    rows: Vec<u32>,
}

impl<'a> Chosen<'a> {
    fn new(steps: &'a Steps, head: &'a Head<'a>) -> Self {
        let rows = vec![head.classes() as u32; steps.running(0)];
        Self { steps, head, labels: vec![0; steps.rows()], rows }
    }

    /// Chooses for step `t`, given the scores `[n, C]` by slot.
    fn step(&mut self, t: usize, scores: &[f32]) {
        let going_on = self.steps.running(t + 1);
        let scores = scores.chunks_exact(self.head.classes().max(1));
        for (slot, (row, scores)) in self.steps.rows_at(t).iter().zip(scores).enumerate() {
            let before = (t > 0).then_some(self.rows[slot]);
            self.rows[slot] = self.head.rules.best(scores, before, slot >= going_on);
            self.labels[*row as usize] = self.rows[slot];
        }
    }
}

/// The head's numbers: weight `[h, C]`, this way round for products with states, and bias.
struct Scorer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Scorer {
    fn new(head: &Head) -> Result<Self> {
        let (classes, h) = head.weight.var.dims2()?;
        let weight = simd::transposed(&floats(head.weight.var.as_tensor())?, classes, h);
        Ok(Self { weight, bias: floats(head.bias.var.as_tensor())?.to_vec() })
    }

    /// Scores `[n, C]` of states `[n, h]`.
    fn score(&self, states: &[f32], n: usize) -> Vec<f32> {
        let (classes, h) = (self.bias.len(), states.len() / n.max(1));
        let mut scores = self.bias.repeat(n);
        let (states, weight) = (View::new(states, n, h), View::new(&self.weight, h, classes));
        product(Target::new(&mut scores, n, classes), Into::Add, 1.0, states, weight);
        scores
    }
}

fn fused<C: Cell>(direction: &Direction<C>, x: &Tensor, labels: &Labels, head: &Head) -> Result<Vec<u32>> {
    let (weights, steps, scorer) = (&direction.weights, &direction.steps, Scorer::new(head)?);
    let (h, width, w) = (weights.hidden(), weights.width(), weights.transposed()?);
    let (mut gates, parts) = (weights.project(&floats(x)?, steps.rows(), true)?, labels.parts()?);
    let bias = weights.state_bias.as_ref().map(|b| floats(b.var.as_tensor())).transpose()?;
    let bias: &[f32] = bias.as_deref().unwrap_or_default();
    let mut units = vec![0.0; steps.rows() * h];
    let [mut states, mut cells] = [(); 2].map(|()| vec![0.0; steps.running(0) * h]);
    let mut sums = vec![0.0; steps.running(0) * width];
    let mut chosen = Chosen::new(steps, head);
    for t in 0..steps.count() {
        let rows = steps.rows_at(t);
        let n = rows.len();
        if t > 0 {
            let before = View::new(&states, n, h);
            product(Target::new(&mut sums, n, width), Into::Set, 1.0, before, View::new(&w, h, width));
        }
        for (row, label) in rows.iter().zip(&chosen.rows) {
            simd::add(&mut gates[*row as usize * width..][..width], &parts[*label as usize * width..][..width]);
        }
        let (states, cells) = (&mut states[..n * h], &mut cells[..n * h]);
        let (gates, units) = (&mut gates[..], &mut units[..]);
        C::step(&mut Step { h, rows, gates, sums: &sums, bias, states, cells, units });
        chosen.step(t, &scorer.score(states, n));
    }
    Ok(chosen.labels)
}

/// The same out of Candle's operations.
fn plain<C: Cell>(direction: &Direction<C>, x: &Tensor, labels: &Labels, head: &Head) -> Result<Vec<u32>> {
    let (weights, steps) = (&direction.weights, &direction.steps);
    let gates = x.matmul(&weights.w_ih.tensor().t()?)?.broadcast_add(&weights.bias.tensor())?;
    let (gates, parts) = (steps.gather_tensor(&gates)?.detach(), labels.parts_plain()?.detach());
    let (out, bias) = (head.weight.tensor().t()?, head.bias.tensor());
    let zeros = Tensor::zeros((steps.running(0), weights.hidden()), x.dtype(), x.device())?;
    let mut now = (zeros.clone(), zeros);
    let mut chosen = Chosen::new(steps, head);
    for t in 0..steps.count() {
        let (at, n) = (steps.at(t), steps.running(t));
        let before = (now.0.narrow(0, 0, n)?.contiguous()?, now.1.narrow(0, 0, n)?.contiguous()?);
        let of_labels = parts.index_select(&Tensor::new(&chosen.rows[..n], x.device())?, 0)?;
        let gates = (gates.narrow(0, at.start, n)? + of_labels)?;
        now = C::step_plain(weights, &gates, &before)?;
        now = (now.0.detach(), now.1.detach());
        chosen.step(t, &numbers(&now.0.matmul(&out)?.broadcast_add(&bias)?)?);
    }
    Ok(chosen.labels)
}
