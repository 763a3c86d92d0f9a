//! Gated recurrent units (Cho et al. 2014) in PyTorch's form: gates reset, update, new, where
//! the reset gate applies after the state's part of the new gate, which so has its own bias.

use candle_core::{Result, Tensor};

use super::super::activation::{sigmoid, tanh};
use super::super::buffer::floats;
use super::super::simd::{sigmoid_one, simd, tanh_one};
use super::super::steps::Steps;
use super::super::views::{Into, Target, View, product};
use super::{Cell, Direction, Gradients, Layer, Weights, repeat};
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

/// All in the order of time.
struct Saved {
    /// Gates after their activations, `[N, 3h]`.
    gates: Vec<f32>,
    /// The state's part of the new gate, `[N, h]`.
    parts: Vec<f32>,
}

impl Weights {
    fn state_bias(&self) -> &Param {
        self.state_bias.as_ref().unwrap_or(&self.bias)
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const NAME: &'static str = "gru";
    type Saved = Saved;

    fn forward(weights: &Weights, mut gates: Vec<f32>, steps: &Steps) -> Result<(Vec<f32>, Saved)> {
        let (h, width, w) = (weights.hidden(), weights.width(), weights.transposed()?);
        let bias = floats(weights.state_bias().var.as_tensor())?;
        let [mut states, mut parts] = [(); 2].map(|()| vec![0.0; steps.rows() * h]);
        let nothing = vec![0.0; steps.running(0) * h];
        let mut sums = vec![0.0; steps.running(0) * width];
        for t in 0..steps.count() {
            let (at, n) = (steps.at(t), steps.running(t));
            let (states_before, state) = states.split_at_mut(at.start * h);
            let sums = &mut sums[..n * width];
            repeat(&bias, sums);
            let mut before = &nothing[..];
            if t > 0 {
                before = &states_before[steps.at(t - 1).start * h..];
                let (before, w) = (View::new(before, n, h), View::new(&w, h, width));
                product(Target::new(sums, n, width), Into::Add, 1.0, before, w);
            }
            let gates = &mut gates[at.start * width..at.end * width];
            step(h, gates, sums, before, &mut parts[at.start * h..at.end * h], state);
        }
        Ok((states, Saved { gates, parts }))
    }

    fn backward(w: &Weights, s: &[f32], saved: &Saved, grad: &mut [f32], steps: &Steps) -> Result<Gradients> {
        let (h, width, w_hh) = (w.hidden(), w.width(), floats(w.w_hh.var.as_tensor())?);
        let [mut inputs, mut states] = [(); 2].map(|()| vec![0.0; steps.rows() * width]);
        let mut carried = vec![0.0; steps.running(0) * h];
        let nothing = vec![0.0; steps.running(0) * h];
        for t in (0..steps.count()).rev() {
            let (at, later) = (steps.at(t), steps.running(t + 1));
            let grad = &mut grad[at.start * h..at.end * h];
            grad.iter_mut().zip(&carried[..later * h]).for_each(|(g, c)| *g += c);
            let (here, after) = states.split_at_mut(at.end * width);
            let g = View::new(after, later, width);
            product(Target::new(grad, later, h), Into::Add, 1.0, g, View::new(&w_hh, width, h));
            let before = if t > 0 { &s[steps.at(t - 1).start * h..] } else { &nothing[..] };
            let gates = &saved.gates[at.start * width..at.end * width];
            let parts = &saved.parts[at.start * h..at.end * h];
            let out = [&mut inputs[at.start * width..at.end * width], &mut here[at.start * width..]];
            step_back(h, gates, parts, before, grad, &mut carried, out);
        }
        Ok(Gradients { inputs, states: Some(states) })
    }

    fn step(weights: &Weights, gates: &Tensor, (state, cell): &(Tensor, Tensor)) -> Result<(Tensor, Tensor)> {
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

simd! {
    /// One step of as many rows as `gates` has, which get their activations; `sums` holds the
    /// state's part of the gates.
    fn step(h: usize, gates: &mut [f32], sums: &[f32], before: &[f32], parts: &mut [f32], states: &mut [f32]) {
        for (row, gates) in gates.chunks_exact_mut(3 * h).enumerate() {
            let (r, rest) = gates.split_at_mut(h);
            let (z, n) = rest.split_at_mut(h);
            let n = &mut n[..h];
            let sums = &sums[row * 3 * h..][..3 * h];
            let (sr, sz, sn) = (&sums[..h], &sums[h..2 * h], &sums[2 * h..][..h]);
            let before = &before[row * h..][..h];
            let parts = &mut parts[row * h..][..h];
            let states = &mut states[row * h..][..h];
            for k in 0..h {
                r[k] = sigmoid_one(r[k] + sr[k]);
                z[k] = sigmoid_one(z[k] + sz[k]);
                parts[k] = sn[k];
                n[k] = tanh_one(n[k] + r[k] * sn[k]);
                states[k] = n[k] + z[k] * (before[k] - n[k]);
            }
        }
    }
}

simd! {
    /// Gradients in front of the gates of one step, given that of its states; `carried` is what
    /// goes to the states one step before, not by way of the gates. Fills the gradients of the
    /// input's and of the state's parts.
    fn step_back(
        h: usize,
        gates: &[f32],
        parts: &[f32],
        before: &[f32],
        grad: &[f32],
        carried: &mut [f32],
        out: [&mut [f32]; 2],
    ) {
        let [inputs, states] = out;
        for (row, gates) in gates.chunks_exact(3 * h).enumerate() {
            let (r, z, n) = (&gates[..h], &gates[h..2 * h], &gates[2 * h..][..h]);
            let (dr, rest) = inputs[row * 3 * h..][..3 * h].split_at_mut(h);
            let (dz, dn) = rest.split_at_mut(h);
            let dn = &mut dn[..h];
            let (sr, rest) = states[row * 3 * h..][..3 * h].split_at_mut(h);
            let (sz, sn) = rest.split_at_mut(h);
            let sn = &mut sn[..h];
            let parts = &parts[row * h..][..h];
            let before = &before[row * h..][..h];
            let grad = &grad[row * h..][..h];
            let carried = &mut carried[row * h..][..h];
            for k in 0..h {
                dn[k] = grad[k] * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
                dz[k] = grad[k] * (before[k] - n[k]) * z[k] * (1.0 - z[k]);
                dr[k] = dn[k] * parts[k] * r[k] * (1.0 - r[k]);
                sr[k] = dr[k];
                sz[k] = dz[k];
                sn[k] = dn[k] * r[k];
                carried[k] = grad[k] * z[k];
            }
        }
    }
}
