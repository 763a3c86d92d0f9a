//! Long short-term memory (Hochreiter & Schmidhuber 1997), with gates in PyTorch's order: input,
//! forget, cell, output.

use candle_core::{Result, Tensor};

use super::super::activation::{sigmoid, tanh};
use super::super::buffer::floats;
use super::super::simd::{sigmoid_one, simd, tanh_one};
use super::super::steps::Steps;
use super::super::views::{Into, Target, View, product};
use super::{Cell, Direction, Gradients, Layer, Weights};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// States `[N, h]` over packed sequences `x [N, i]`, each read from its first row, or from its
/// last if `reverse`: `w_ih [4h, i]`, `w_hh [4h, h]`, `bias [4h]`.
pub fn lstm(x: &Tensor, offsets: &Offsets, w_ih: &Param, w_hh: &Param, bias: &Param, reverse: bool) -> Result<Tensor> {
    let direction = direction(offsets, [w_ih, w_hh, bias], reverse);
    Layer { directions: vec![direction] }.apply(x, offsets)
}

/// States of both directions side by side, `[N, 2h]`, computed at the same time. The parameters
/// of each are those of [`lstm`].
pub fn bi(x: &Tensor, offsets: &Offsets, forward: [&Param; 3], backward: [&Param; 3]) -> Result<Tensor> {
    let directions = vec![direction(offsets, forward, false), direction(offsets, backward, true)];
    Layer { directions }.apply(x, offsets)
}

fn direction(offsets: &Offsets, [w_ih, w_hh, bias]: [&Param; 3], reverse: bool) -> Direction<Lstm> {
    let weights = Weights { w_ih: w_ih.clone(), w_hh: w_hh.clone(), bias: bias.clone(), state_bias: None };
    Direction::new(weights, offsets, reverse)
}

struct Lstm;

/// All in the order of time.
struct Saved {
    /// Gates after their activations, `[N, 4h]`.
    gates: Vec<f32>,
    /// Cells, `[N, h]`.
    cells: Vec<f32>,
    /// tanh of the cells, `[N, h]`.
    squashed: Vec<f32>,
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const NAME: &'static str = "lstm";
    type Saved = Saved;

    fn forward(weights: &Weights, mut gates: Vec<f32>, steps: &Steps) -> Result<(Vec<f32>, Saved)> {
        let (h, width, w) = (weights.hidden(), weights.width(), weights.transposed()?);
        let [mut states, mut cells, mut squashed] = [(); 3].map(|()| vec![0.0; steps.rows() * h]);
        let nothing = vec![0.0; steps.running(0) * h];
        for t in 0..steps.count() {
            let (at, n) = (steps.at(t), steps.running(t));
            let (states_before, state) = states.split_at_mut(at.start * h);
            let (cells_before, cell) = cells.split_at_mut(at.start * h);
            let gates = &mut gates[at.start * width..at.end * width];
            let mut before = &nothing[..];
            if t > 0 {
                let last = steps.at(t - 1).start * h;
                before = &cells_before[last..];
                let state = View::new(&states_before[last..], n, h);
                product(Target::new(gates, n, width), Into::Add, 1.0, state, View::new(&w, h, width));
            }
            let squashed = &mut squashed[at.start * h..at.end * h];
            step(h, gates, before, cell, squashed, state);
        }
        Ok((states, Saved { gates, cells, squashed }))
    }

    fn backward(w: &Weights, _: &[f32], saved: &Saved, grad: &mut [f32], steps: &Steps) -> Result<Gradients> {
        let (h, width, w_hh) = (w.hidden(), w.width(), floats(w.w_hh.var.as_tensor())?);
        let mut inputs = vec![0.0; steps.rows() * width];
        let mut cell_grad = vec![0.0; steps.running(0) * h];
        let nothing = vec![0.0; steps.running(0) * h];
        for t in (0..steps.count()).rev() {
            let (at, later) = (steps.at(t), steps.running(t + 1));
            let (here, after) = inputs.split_at_mut(at.end * width);
            let grad = &mut grad[at.start * h..at.end * h];
            let g = View::new(after, later, width);
            product(Target::new(grad, later, h), Into::Add, 1.0, g, View::new(&w_hh, width, h));
            let before = if t > 0 { &saved.cells[steps.at(t - 1).start * h..] } else { &nothing[..] };
            let gates = &saved.gates[at.start * width..at.end * width];
            let squashed = &saved.squashed[at.start * h..at.end * h];
            step_back(h, gates, before, squashed, grad, &mut cell_grad, &mut here[at.start * width..]);
        }
        Ok(Gradients { inputs, states: None })
    }

    fn step(weights: &Weights, gates: &Tensor, (state, cell): &(Tensor, Tensor)) -> Result<(Tensor, Tensor)> {
        let h = weights.hidden();
        let gates = (gates + state.matmul(&weights.w_hh.tensor().t()?)?)?;
        let gate = |i: usize| gates.narrow(1, i * h, h)?.contiguous();
        let kept = (sigmoid(&gate(1)?)? * cell)?;
        let cell = (kept + (sigmoid(&gate(0)?)? * tanh(&gate(2)?)?)?)?;
        Ok(((sigmoid(&gate(3)?)? * tanh(&cell)?)?, cell))
    }
}

simd! {
    /// One step of as many rows as `gates` has, which get their activations.
    fn step(h: usize, gates: &mut [f32], before: &[f32], cells: &mut [f32], squashed: &mut [f32], states: &mut [f32]) {
        for (r, gates) in gates.chunks_exact_mut(4 * h).enumerate() {
            let (i, rest) = gates.split_at_mut(h);
            let (f, rest) = rest.split_at_mut(h);
            let (g, o) = rest.split_at_mut(h);
            let o = &mut o[..h];
            let before = &before[r * h..][..h];
            let cells = &mut cells[r * h..][..h];
            let squashed = &mut squashed[r * h..][..h];
            let states = &mut states[r * h..][..h];
            for k in 0..h {
                i[k] = sigmoid_one(i[k]);
                f[k] = sigmoid_one(f[k]);
                g[k] = tanh_one(g[k]);
                o[k] = sigmoid_one(o[k]);
                cells[k] = f[k] * before[k] + i[k] * g[k];
                squashed[k] = tanh_one(cells[k]);
                states[k] = o[k] * squashed[k];
            }
        }
    }
}

simd! {
    /// Gradients in front of the gates of one step, given that of its states and, in
    /// `cell_grad`, what the next step sends to its cells; `cell_grad` goes one step back.
    fn step_back(
        h: usize,
        gates: &[f32],
        before: &[f32],
        squashed: &[f32],
        grad: &[f32],
        cell_grad: &mut [f32],
        out: &mut [f32],
    ) {
        for (r, gates) in gates.chunks_exact(4 * h).enumerate() {
            let (i, rest) = gates.split_at(h);
            let (f, rest) = rest.split_at(h);
            let (g, o) = rest.split_at(h);
            let o = &o[..h];
            let (di, rest) = out[r * 4 * h..][..4 * h].split_at_mut(h);
            let (df, rest) = rest.split_at_mut(h);
            let (dg, d_o) = rest.split_at_mut(h);
            let d_o = &mut d_o[..h];
            let before = &before[r * h..][..h];
            let squashed = &squashed[r * h..][..h];
            let grad = &grad[r * h..][..h];
            let cell_grad = &mut cell_grad[r * h..][..h];
            for k in 0..h {
                let dc = cell_grad[k] + grad[k] * o[k] * (1.0 - squashed[k] * squashed[k]);
                di[k] = dc * g[k] * i[k] * (1.0 - i[k]);
                df[k] = dc * before[k] * f[k] * (1.0 - f[k]);
                dg[k] = dc * i[k] * (1.0 - g[k] * g[k]);
                d_o[k] = grad[k] * squashed[k] * o[k] * (1.0 - o[k]);
                cell_grad[k] = dc * f[k];
            }
        }
    }
}
