//! Long short-term memory (Hochreiter & Schmidhuber 1997), with gates in PyTorch's order: input,
//! forget, cell, output.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::super::activation::{sigmoid, tanh};
use super::super::simd::{LANES, fused, load, sigmoid_one, simd, store, tanh_one};
use super::labels::{Fed, Labels};
use super::pass::{Step, StepBack};
use super::weights::Weights;
use super::{Cell, Direction, Input, Layer};
use crate::backend::kernels::feedback::Head;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// States `[N, h]` over packed sequences `x [N, i]`, each read from its first row, or from its
/// last if `reverse`: `w_ih [4h, i]`, `w_hh [4h, h]`, `bias [4h]`.
pub fn lstm<'x>(
    x: impl Into<Input<'x>>,
    offsets: &Offsets,
    w_ih: &Param,
    w_hh: &Param,
    bias: &Param,
    reverse: bool,
) -> Result<Tensor> {
    let direction = direction(offsets, [w_ih, w_hh, bias], reverse);
    Layer { directions: vec![direction] }.apply(x, offsets)
}

/// States of both directions side by side, `[N, 2h]`, computed at the same time. The parameters
/// of each are those of [`lstm`].
pub fn bi<'x>(
    x: impl Into<Input<'x>>,
    offsets: &Offsets,
    forward: [&Param; 3],
    backward: [&Param; 3],
) -> Result<Tensor> {
    let directions = vec![direction(offsets, forward, false), direction(offsets, backward, true)];
    Layer { directions }.apply(x, offsets)
}

/// [`lstm`] from the first row on, where the gates read the label before each place too:
/// `rows[n]` is its row in the table of `labels`, whose weight is `[4h, d]`.
pub fn fed(x: &Tensor, offsets: &Offsets, p: [&Param; 3], labels: Labels, rows: &Arc<Vec<u32>>) -> Result<Tensor> {
    let mut direction = direction(offsets, p, false);
    direction.weights.labels = Some(Fed { labels, rows: rows.clone() });
    Layer { directions: vec![direction] }.apply(x, offsets)
}

/// The labels that `head` finds best one after another, each of which [`fed`] reads in the next
/// place.
pub fn greedy(x: &Tensor, offsets: &Offsets, p: [&Param; 3], labels: &Labels, head: &Head) -> Result<Vec<u32>> {
    super::greedy::greedy(&direction(offsets, p, false), x, labels, head)
}

fn direction(offsets: &Offsets, [w_ih, w_hh, bias]: [&Param; 3], reverse: bool) -> Direction<Lstm> {
    let weights =
        Weights { w_ih: w_ih.clone(), w_hh: w_hh.clone(), bias: bias.clone(), state_bias: None, labels: None };
    Direction::new(weights, offsets, reverse)
}

struct Lstm;

impl Cell for Lstm {
    const GATES: usize = 4;
    const NAME: &'static str = "lstm";
    const CARRIES: bool = false;

    fn step(step: &mut Step<'_>) {
        forward(step);
    }

    fn step_back(step: &mut StepBack<'_>) {
        backward(step);
    }

    fn step_plain(weights: &Weights, gates: &Tensor, (state, cell): &(Tensor, Tensor)) -> Result<(Tensor, Tensor)> {
        let h = weights.hidden();
        let gates = (gates + state.matmul(&weights.w_hh.tensor().t()?)?)?;
        let gate = |i: usize| gates.narrow(1, i * h, h)?.contiguous();
        let kept = (sigmoid(&gate(1)?)? * cell)?;
        let cell = (kept + (sigmoid(&gate(0)?)? * tanh(&gate(2)?)?)?)?;
        Ok(((sigmoid(&gate(3)?)? * tanh(&cell)?)?, cell))
    }
}

/// The four gates of a row.
#[inline(always)]
fn gates(row: &[f32], h: usize) -> [&[f32]; 4] {
    [&row[..h], &row[h..2 * h], &row[2 * h..3 * h], &row[3 * h..4 * h]]
}

/// The four gates of a row.
#[inline(always)]
fn gates_mut(row: &mut [f32], h: usize) -> [&mut [f32]; 4] {
    let (a, rest) = row.split_at_mut(h);
    let (b, rest) = rest.split_at_mut(h);
    let (c, d) = rest.split_at_mut(h);
    [a, b, c, &mut d[..h]]
}

simd! {
    /// Gates, cells and states of one step.
    fn forward(s: &mut Step<'_>) {
        let h = s.h;
        for (slot, row) in s.rows.iter().enumerate() {
            let row = *row as usize;
            let sums = gates(&s.sums[slot * 4 * h..][..4 * h], h);
            let of_row = gates_mut(&mut s.gates[row * 4 * h..][..4 * h], h);
            let (cells, states) = (&mut s.cells[slot * h..][..h], &mut s.states[slot * h..][..h]);
            units::<FMA>(of_row, sums, cells, states);
            s.units[row * h..][..h].copy_from_slice(cells);
        }
    }
}

#[inline(always)]
fn units<const FMA: bool>(gates: [&mut [f32]; 4], sums: [&[f32]; 4], cells: &mut [f32], states: &mut [f32]) {
    for at in (0..cells.len()).step_by(LANES) {
        let (mut i, mut f, mut g, mut o) =
            (load(gates[0], at), load(gates[1], at), load(gates[2], at), load(gates[3], at));
        let sums = [load(sums[0], at), load(sums[1], at), load(sums[2], at), load(sums[3], at)];
        let (mut c, mut y) = (load(cells, at), [0.0; LANES]);
        for k in 0..LANES {
            i[k] = sigmoid_one::<FMA>(i[k] + sums[0][k]);
            f[k] = sigmoid_one::<FMA>(f[k] + sums[1][k]);
            g[k] = tanh_one::<FMA>(g[k] + sums[2][k]);
            o[k] = sigmoid_one::<FMA>(o[k] + sums[3][k]);
            c[k] = fused::<FMA>(f[k], c[k], i[k] * g[k]);
            y[k] = o[k] * tanh_one::<FMA>(c[k]);
        }
        for (n, numbers) in [i, f, g, o].iter().enumerate() {
            store(numbers, gates[n], at);
        }
        store(&c, cells, at);
        store(&y, states, at);
    }
}

simd! {
    /// Gradients in front of the gates of one step; that of the cells goes one step back.
    fn backward(s: &mut StepBack<'_>) {
        let h = s.h;
        let nothing = vec![0.0; h];
        for (slot, row) in s.rows.iter().enumerate() {
            let row = *row as usize;
            let before = match s.back {
                Some(back) => &s.saved.units[row.wrapping_add_signed(back) * h..][..h],
                None => &nothing[..],
            };
            let out = &mut s.sums[slot * 4 * h..][..4 * h];
            units_back::<FMA>(
                gates(&s.saved.gates[row * 4 * h..][..4 * h], h),
                [before, &s.saved.units[row * h..][..h]],
                [&s.grad[row * s.stride + s.column..][..h], &s.carried[slot * h..][..h]],
                &mut s.cells[slot * h..][..h],
                gates_mut(out, h),
            );
            s.inputs[row * 4 * h..][..4 * h].copy_from_slice(out);
        }
    }
}

#[inline(always)]
fn units_back<const FMA: bool>(
    gates: [&[f32]; 4],
    [before, now]: [&[f32]; 2],
    [grad, carried]: [&[f32]; 2],
    cells: &mut [f32],
    into: [&mut [f32]; 4],
) {
    for at in (0..cells.len()).step_by(LANES) {
        let (i, f, g, o) = (load(gates[0], at), load(gates[1], at), load(gates[2], at), load(gates[3], at));
        let (before, now) = (load(before, at), load(now, at));
        let (grad, carried) = (load(grad, at), load(carried, at));
        let mut dc = load(cells, at);
        let mut d = [[0.0; LANES]; 4];
        for k in 0..LANES {
            let (dh, squashed) = (grad[k] + carried[k], tanh_one::<FMA>(now[k]));
            let c = fused::<FMA>(dh * o[k], 1.0 - squashed * squashed, dc[k]);
            d[0][k] = c * g[k] * i[k] * (1.0 - i[k]);
            d[1][k] = c * before[k] * f[k] * (1.0 - f[k]);
            d[2][k] = c * i[k] * (1.0 - g[k] * g[k]);
            d[3][k] = dh * squashed * o[k] * (1.0 - o[k]);
            dc[k] = c * f[k];
        }
        for (n, numbers) in d.iter().enumerate() {
            store(numbers, into[n], at);
        }
        store(&dc, cells, at);
    }
}
