//! Gated recurrent units (Cho et al. 2014) in PyTorch's form: gates reset, update, new, where
//! the reset gate applies after the state's part of the new gate, which so has its own bias.

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
/// last if `reverse`: `w_ih [3h, i]`, `w_hh [3h, h]`, `b_ih [3h]`, `b_hh [3h]`.
pub fn gru<'x>(
    x: impl Into<Input<'x>>,
    offsets: &Offsets,
    w_ih: &Param,
    w_hh: &Param,
    b_ih: &Param,
    b_hh: &Param,
    reverse: bool,
) -> Result<Tensor> {
    let direction = direction(offsets, [w_ih, w_hh, b_ih, b_hh], reverse);
    Layer { directions: vec![direction] }.apply(x, offsets)
}

/// States of both directions side by side, `[N, 2h]`, computed at the same time. The parameters
/// of each are those of [`gru`].
pub fn bi<'x>(
    x: impl Into<Input<'x>>,
    offsets: &Offsets,
    forward: [&Param; 4],
    backward: [&Param; 4],
) -> Result<Tensor> {
    let directions = vec![direction(offsets, forward, false), direction(offsets, backward, true)];
    Layer { directions }.apply(x, offsets)
}

/// [`gru`] from the first row on, where the gates read the label before each place too:
/// `rows[n]` is its row in the table of `labels`, whose weight is `[3h, d]`.
pub fn fed(x: &Tensor, offsets: &Offsets, p: [&Param; 4], labels: Labels, rows: &Arc<Vec<u32>>) -> Result<Tensor> {
    let mut direction = direction(offsets, p, false);
    direction.weights.labels = Some(Fed { labels, rows: rows.clone() });
    Layer { directions: vec![direction] }.apply(x, offsets)
}

/// The labels that `head` finds best one after another, each of which [`fed`] reads in the next
/// place.
pub fn greedy(x: &Tensor, offsets: &Offsets, p: [&Param; 4], labels: &Labels, head: &Head) -> Result<Vec<u32>> {
    super::greedy::greedy(&direction(offsets, p, false), x, labels, head)
}

fn direction(offsets: &Offsets, [w_ih, w_hh, b_ih, b_hh]: [&Param; 4], reverse: bool) -> Direction<Gru> {
    let (w_ih, w_hh, bias) = (w_ih.clone(), w_hh.clone(), b_ih.clone());
    Direction::new(Weights { w_ih, w_hh, bias, state_bias: Some(b_hh.clone()), labels: None }, offsets, reverse)
}

struct Gru;

impl Weights {
    fn state_bias(&self) -> &Param {
        self.state_bias.as_ref().unwrap_or(&self.bias)
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const NAME: &'static str = "gru";
    const CARRIES: bool = true;

    fn step(step: &mut Step<'_>) {
        forward(step);
    }

    fn step_back(step: &mut StepBack<'_>) {
        backward(step);
    }

    fn step_plain(weights: &Weights, gates: &Tensor, (state, cell): &(Tensor, Tensor)) -> Result<(Tensor, Tensor)> {
        let h = weights.hidden();
        let w = weights.w_hh.tensor().t()?;
        let sums = state.matmul(&w)?.broadcast_add(&weights.state_bias().tensor())?;
        let gate = |of: &Tensor, i: usize| of.narrow(1, i * h, h)?.contiguous();
        let reset = sigmoid(&(gate(gates, 0)? + gate(&sums, 0)?)?)?;
        let update = sigmoid(&(gate(gates, 1)? + gate(&sums, 1)?)?)?;
        let new = tanh(&(gate(gates, 2)? + (reset * gate(&sums, 2)?)?)?)?;
        Ok(((&new + (update * (state - &new)?)?)?, cell.clone()))
    }
}

/// The three gates of a row.
#[inline(always)]
fn gates(row: &[f32], h: usize) -> [&[f32]; 3] {
    [&row[..h], &row[h..2 * h], &row[2 * h..3 * h]]
}

/// The three gates of a row.
#[inline(always)]
fn gates_mut(row: &mut [f32], h: usize) -> [&mut [f32]; 3] {
    let (a, rest) = row.split_at_mut(h);
    let (b, c) = rest.split_at_mut(h);
    [a, b, &mut c[..h]]
}

simd! {
    /// Gates and states of one step.
    fn forward(s: &mut Step<'_>) {
        let h = s.h;
        for (slot, row) in s.rows.iter().enumerate() {
            let row = *row as usize;
            let sums = gates(&s.sums[slot * 3 * h..][..3 * h], h);
            let of_row = gates_mut(&mut s.gates[row * 3 * h..][..3 * h], h);
            units::<FMA>(of_row, sums, gates(s.bias, h), &mut s.units[row * h..][..h], &mut s.states[slot * h..][..h]);
        }
    }
}

#[inline(always)]
fn units<const FMA: bool>(
    gates: [&mut [f32]; 3],
    sums: [&[f32]; 3],
    bias: [&[f32]; 3],
    parts: &mut [f32],
    states: &mut [f32],
) {
    for at in (0..states.len()).step_by(LANES) {
        let (mut r, mut z, mut n) = (load(gates[0], at), load(gates[1], at), load(gates[2], at));
        let sums = [load(sums[0], at), load(sums[1], at), load(sums[2], at)];
        let bias = [load(bias[0], at), load(bias[1], at), load(bias[2], at)];
        let (mut part, mut state) = ([0.0; LANES], load(states, at));
        for k in 0..LANES {
            r[k] = sigmoid_one::<FMA>(r[k] + (sums[0][k] + bias[0][k]));
            z[k] = sigmoid_one::<FMA>(z[k] + (sums[1][k] + bias[1][k]));
            part[k] = sums[2][k] + bias[2][k];
            n[k] = tanh_one::<FMA>(fused::<FMA>(r[k], part[k], n[k]));
            state[k] = fused::<FMA>(z[k], state[k] - n[k], n[k]);
        }
        for (g, numbers) in [r, z, n].iter().enumerate() {
            store(numbers, gates[g], at);
        }
        store(&part, parts, at);
        store(&state, states, at);
    }
}

simd! {
    /// Gradients in front of the gates of one step, and what goes past them to the states before.
    fn backward(s: &mut StepBack<'_>) {
        let h = s.h;
        for (slot, row) in s.rows.iter().enumerate() {
            let row = *row as usize;
            units_back::<FMA>(
                gates(&s.saved.gates[row * 3 * h..][..3 * h], h),
                [&s.saved.units[row * h..][..h], &s.before[row * h..][..h], &s.grad[row * s.stride + s.column..][..h]],
                &mut s.carried[slot * h..][..h],
                gates_mut(&mut s.inputs[row * 3 * h..][..3 * h], h),
                gates_mut(&mut s.sums[slot * 3 * h..][..3 * h], h),
            );
        }
    }
}

#[inline(always)]
fn units_back<const FMA: bool>(
    gates: [&[f32]; 3],
    [parts, before, grad]: [&[f32]; 3],
    carried: &mut [f32],
    inputs: [&mut [f32]; 3],
    states: [&mut [f32]; 3],
) {
    for at in (0..carried.len()).step_by(LANES) {
        let (r, z, n) = (load(gates[0], at), load(gates[1], at), load(gates[2], at));
        let (part, before, grad) = (load(parts, at), load(before, at), load(grad, at));
        let mut carry = load(carried, at);
        let mut d = [[0.0; LANES]; 4];
        for k in 0..LANES {
            let dh = grad[k] + carry[k];
            d[2][k] = dh * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
            d[1][k] = dh * (before[k] - n[k]) * z[k] * (1.0 - z[k]);
            d[0][k] = d[2][k] * part[k] * r[k] * (1.0 - r[k]);
            d[3][k] = d[2][k] * r[k];
            carry[k] = dh * z[k];
        }
        for (g, numbers) in d[..3].iter().enumerate() {
            store(numbers, inputs[g], at);
            store(if g == 2 { &d[3] } else { numbers }, states[g], at);
        }
        store(&carry, carried, at);
    }
}
