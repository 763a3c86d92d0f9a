//! Gated recurrent units (Cho et al. 2014) in PyTorch's form: gates reset, update, new, where
//! the reset gate applies after the state's part of the new gate, which so has its own bias.

use candle_core::{Result, Tensor};

use super::super::activation::{sigmoid, tanh};
use super::super::simd::{sigmoid_one, simd, tanh_one};
use super::pass::{Step, StepBack};
use super::weights::Weights;
use super::{Cell, Direction, Layer};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// States `[N, h]` over packed sequences `x [N, i]`, each read from its first row, or from its
/// last if `reverse`: `w_ih [3h, i]`, `w_hh [3h, h]`, `b_ih [3h]`, `b_hh [3h]`.
pub fn gru(
    x: &Tensor,
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
pub fn bi(x: &Tensor, offsets: &Offsets, forward: [&Param; 4], backward: [&Param; 4]) -> Result<Tensor> {
    let directions = vec![direction(offsets, forward, false), direction(offsets, backward, true)];
    Layer { directions }.apply(x, offsets)
}

fn direction(offsets: &Offsets, [w_ih, w_hh, b_ih, b_hh]: [&Param; 4], reverse: bool) -> Direction<Gru> {
    let (w_ih, w_hh, bias) = (w_ih.clone(), w_hh.clone(), b_ih.clone());
    Direction::new(Weights { w_ih, w_hh, bias, state_bias: Some(b_hh.clone()) }, offsets, reverse)
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
            units(of_row, sums, gates(s.bias, h), &mut s.units[row * h..][..h], &mut s.states[slot * h..][..h]);
        }
    }
}

#[inline(always)]
fn units([r, z, n]: [&mut [f32]; 3], sums: [&[f32]; 3], bias: [&[f32]; 3], parts: &mut [f32], states: &mut [f32]) {
    let h = states.len();
    let [r, z, n, parts] = [&mut r[..h], &mut z[..h], &mut n[..h], &mut parts[..h]];
    let (sums, bias) = (sums.map(|s| &s[..h]), bias.map(|b| &b[..h]));
    for k in 0..h {
        r[k] = sigmoid_one(r[k] + (sums[0][k] + bias[0][k]));
        z[k] = sigmoid_one(z[k] + (sums[1][k] + bias[1][k]));
        parts[k] = sums[2][k] + bias[2][k];
        n[k] = tanh_one(n[k] + r[k] * parts[k]);
        states[k] = n[k] + z[k] * (states[k] - n[k]);
    }
}

simd! {
    /// Gradients in front of the gates of one step, and what goes past them to the states before.
    fn backward(s: &mut StepBack<'_>) {
        let h = s.h;
        for (slot, row) in s.rows.iter().enumerate() {
            let row = *row as usize;
            units_back(
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
fn units_back(
    [r, z, n]: [&[f32]; 3],
    [parts, before, grad]: [&[f32]; 3],
    carried: &mut [f32],
    [dr, dz, dn]: [&mut [f32]; 3],
    [sr, sz, sn]: [&mut [f32]; 3],
) {
    let h = carried.len();
    let [r, z, n, parts, before, grad] = [r, z, n, parts, before, grad].map(|x| &x[..h]);
    let [dr, dz, dn] = [&mut dr[..h], &mut dz[..h], &mut dn[..h]];
    let [sr, sz, sn] = [&mut sr[..h], &mut sz[..h], &mut sn[..h]];
    for k in 0..h {
        let dh = grad[k] + carried[k];
        dn[k] = dh * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
        dz[k] = dh * (before[k] - n[k]) * z[k] * (1.0 - z[k]);
        dr[k] = dn[k] * parts[k] * r[k] * (1.0 - r[k]);
        sr[k] = dr[k];
        sz[k] = dz[k];
        sn[k] = dn[k] * r[k];
        carried[k] = dh * z[k];
    }
}
