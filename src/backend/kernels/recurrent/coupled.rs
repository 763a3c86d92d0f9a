//! LSTMs whose candidate memory reads the state of another recurrence one step before, through a
//! gate: the coupled and the shared layers of Liu et al. 2016.
//!
//! For a cell with input x, state h and what it reads r, where σ and tanh act on each number:
//!
//! ```text
//! i, f, o = σ(W x_t + U h_{t-1} + b)
//! g = σ(W_g x_t + U_g h_{t-1} + b_g)        g' = σ(W_g x_t + V_g r_{t-1} + b_g)
//! z = tanh(W_c x_t + g ⊙ U_c h_{t-1} + g' ⊙ V_c r_{t-1} + b_c)
//! c_t = f ⊙ c_{t-1} + i ⊙ z                 h_t = o ⊙ tanh(c_t)
//! ```
//!
//! Cells that read each other go through time together.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::super::buffer::{anchor, floats, is_fused, operand, result, tensor};
use super::super::steps::Steps;
use super::super::views::{Into, Target, View, product};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The recurrent part of a cell of h units.
pub struct Cell<'a> {
    /// `[4h, h]`: input gate, forget gate, candidate, output gate.
    pub w_hh: &'a Param,
    /// `[h, h]`: the gate in front of the candidate's own part.
    pub w_hg: &'a Param,
    /// The cell of r units whose state is read, and `[2h, r]`, the candidate's part of it and the
    /// gate in front of that; `None` if what is read is known before, and part of the input.
    pub reads: Option<(usize, &'a Param)>,
}

/// Numbers of a unit in the input: five gates, and two of what is read if that is known.
const GATES: usize = 5;
/// Numbers kept of a unit: i, f, z, o, g, g', the two parts that g and g' let in, c.
const KEPT: usize = 9;

/// States `[N, Σh]` of cells side by side over packed sequences. The input `pre` has for each cell
/// `[N, 5h]`, what its input adds to i, f, z, o and g with the biases, and `[N, 2h]` behind it, what
/// is read by such a `[2h, r]`, if that is no state of these cells.
pub fn coupled(pre: &Tensor, offsets: &Offsets, cells: &[Cell<'_>]) -> Result<Tensor> {
    let sizes: Vec<Size> = cells.iter().map(Size::of).collect::<Result<_>>()?;
    let width: usize = sizes.iter().map(Size::input).sum();
    if pre.dims2()? != (offsets.last().copied().unwrap_or(0) as usize, width) {
        bail!("{:?} as the input of cells that take {width} numbers", pre.shape());
    }
    let steps = Steps::new(offsets, false);
    if !is_fused(pre) {
        return plain(pre, &steps, cells, &sizes);
    }
    let weights = |c: &Cell<'_>| [Some(c.w_hh), Some(c.w_hg), c.reads.map(|r| r.1)].map(Option::<&Param>::cloned);
    let weights: Vec<[Option<Param>; 3]> = cells.iter().map(weights).collect();
    let anchor = anchor(&weights.iter().flatten().flatten().collect::<Vec<_>>());
    pre.contiguous()?.apply_op2(&anchor, Coupled { steps, sizes, weights, saved: OnceLock::new() })
}

/// The sizes of a cell.
#[derive(Clone, Copy)]
struct Size {
    h: usize,
    /// Width of what is read.
    r: usize,
    reads: Option<usize>,
}

impl Size {
    fn of(cell: &Cell<'_>) -> Result<Self> {
        let (all, h) = cell.w_hh.var.dims2()?;
        let (two, r) = cell.reads.map_or(Ok((2 * h, 0)), |(_, w)| w.var.dims2())?;
        if all != 4 * h || two != 2 * h || cell.w_hg.var.dims2()? != (h, h) {
            bail!("{}: {:?} and {:?}", cell.w_hh.name, cell.w_hh.var.dims(), cell.w_hg.var.dims());
        }
        Ok(Self { h, r, reads: cell.reads.map(|r| r.0) })
    }

    /// Numbers of the input.
    fn input(&self) -> usize {
        self.h * if self.reads.is_some() { GATES } else { GATES + 2 }
    }
}

/// Out of Candle's operations.
fn plain(pre: &Tensor, steps: &Steps, cells: &[Cell<'_>], sizes: &[Size]) -> Result<Tensor> {
    let timed = steps.gather_tensor(pre)?;
    let zeros = |s: &Size| Tensor::zeros((steps.running(0), s.h), pre.dtype(), pre.device());
    let mut states = sizes.iter().map(zeros).collect::<Result<Vec<_>>>()?;
    let mut memories = states.clone();
    let mut all = Vec::with_capacity(steps.count());
    for t in 0..steps.count() {
        let n = steps.running(t);
        let now = timed.narrow(0, steps.at(t).start, n)?;
        let before = states.iter().map(|h| h.narrow(0, 0, n)?.contiguous()).collect::<Result<Vec<_>>>()?;
        let mut column = 0;
        for (k, (cell, size)) in cells.iter().zip(sizes).enumerate() {
            let input = now.narrow(1, column, size.input())?;
            column += size.input();
            let read = match cell.reads {
                Some((other, w)) => before[other].matmul(&w.tensor().t()?)?,
                None => input.narrow(1, GATES * size.h, 2 * size.h)?,
            };
            let memory = memories[k].narrow(0, 0, n)?;
            (states[k], memories[k]) = step_plain(cell, size.h, &input, (&before[k], &memory), &read)?;
        }
        all.push(Tensor::cat(&states, 1)?);
    }
    match all.is_empty() {
        true => Tensor::zeros((0, sizes.iter().map(|s| s.h).sum()), pre.dtype(), pre.device()),
        false => steps.scatter_tensor(&Tensor::cat(&all, 0)?),
    }
}

fn step_plain(
    cell: &Cell<'_>,
    h: usize,
    input: &Tensor,
    (state, memory): (&Tensor, &Tensor),
    read: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let gate = |n: usize| input.narrow(1, n * h, h);
    let own = state.matmul(&cell.w_hh.tensor().t()?)?;
    let own = |n: usize| own.narrow(1, n * h, h);
    let sigmoid = candle_nn::ops::sigmoid;
    let [i, f, o] = [0, 1, 3].map(|n| sigmoid(&(gate(n)? + own(n)?)?));
    let g = sigmoid(&(gate(4)? + state.matmul(&cell.w_hg.tensor().t()?)?)?)?;
    let other = sigmoid(&(gate(4)? + read.narrow(1, h, h)?)?)?;
    let z = ((gate(2)? + (g * own(2)?)?)? + (other * read.narrow(1, 0, h)?)?)?.tanh()?;
    let c = ((f? * memory)? + (i? * z)?)?;
    Ok(((o? * c.tanh()?)?, c))
}

struct Coupled {
    steps: Steps,
    sizes: Vec<Size>,
    /// `w_hh`, `w_hg` and what is read by.
    weights: Vec<[Option<Param>; 3]>,
    saved: OnceLock<Vec<Saved>>,
}

/// What a cell's way back needs, in the order of time.
struct Saved {
    /// `[N, h]`
    states: Vec<f32>,
    /// `[N, 9h]`
    kept: Vec<f32>,
}

/// The weights of a cell as the products take them.
struct Loaded {
    /// `[5h, h]`: of the four gates and of g.
    own: Vec<f32>,
    /// `[2h, r]`
    read: Vec<f32>,
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `rows w^T` of `n` rows, `[n, out]`.
fn project(rows: &[f32], n: usize, w: &[f32], out: usize) -> Vec<f32> {
    let (mut y, inputs) = (vec![0.0; n * out], rows.len() / n.max(1));
    product(Target::new(&mut y, n, out), Into::Set, 1.0, View::new(rows, n, inputs), View::new(w, out, inputs).t());
    y
}

impl Coupled {
    fn width(&self) -> usize {
        self.sizes.iter().map(|s| s.h).sum()
    }

    fn load(&self) -> Result<Vec<Loaded>> {
        let numbers = |param: &Option<Param>| -> Result<Vec<f32>> {
            let Some(param) = param else { return Ok(Vec::new()) };
            Ok(floats(param.var.as_tensor())?.to_vec())
        };
        let load = |[w_hh, w_hg, read]: &[Option<Param>; 3]| {
            Ok(Loaded { own: [numbers(w_hh)?, numbers(w_hg)?].concat(), read: numbers(read)? })
        };
        self.weights.iter().map(load).collect()
    }

    /// The rows of the step before, of those that still run: none in the first.
    fn before<'s>(&self, states: &'s [f32], h: usize, t: usize) -> &'s [f32] {
        let start = if t == 0 { return &[] } else { self.steps.at(t - 1).start };
        &states[start * h..(start + self.steps.running(t)) * h]
    }

    fn forward(&self, pre: &[f32]) -> Result<Vec<Saved>> {
        let (rows, loaded) = (self.steps.rows(), self.load()?);
        let width: usize = self.sizes.iter().map(Size::input).sum();
        let timed = self.steps.gather(pre, width);
        let room = |s: &Size| Saved { states: vec![0.0; rows * s.h], kept: vec![0.0; rows * KEPT * s.h] };
        let mut saved: Vec<Saved> = self.sizes.iter().map(room).collect();
        for t in 0..self.steps.count() {
            let (at, n) = (self.steps.at(t), self.steps.running(t));
            let mut column = 0;
            for (k, size) in self.sizes.iter().enumerate() {
                let h = size.h;
                let own = project(self.before(&saved[k].states, h, t), n, &loaded[k].own, GATES * h);
                let read = match size.reads {
                    Some(j) => project(self.before(&saved[j].states, size.r, t), n, &loaded[k].read, 2 * h),
                    None => Vec::new(),
                };
                for slot in 0..n {
                    let row = at.start + slot;
                    let input = &timed[row * width + column..][..size.input()];
                    let read = if read.is_empty() { &input[GATES * h..] } else { &read[slot * 2 * h..][..2 * h] };
                    let memory = (t > 0).then(|| (self.steps.at(t - 1).start + slot) * KEPT * h + 8 * h);
                    saved[k].step(h, row, memory, (input, &own[slot * GATES * h..], read));
                }
                column += size.input();
            }
        }
        Ok(saved)
    }

    /// The gradient of the input, `[N, W]` in the order of time; adds those of the weights.
    fn backward(&self, saved: &[Saved], grad: &[f32]) -> Result<Vec<f32>> {
        let (rows, loaded, slots) = (self.steps.rows(), self.load()?, self.steps.running(0));
        let width: usize = self.sizes.iter().map(Size::input).sum();
        let mut inputs = vec![0.0; rows * width];
        let room = |times: usize| -> Vec<Vec<f32>> { self.sizes.iter().map(|s| vec![0.0; times * s.h]).collect() };
        // In front of the recurrent parts, and by slot what comes from later states.
        let (mut own, mut read) = (room(rows * GATES), room(rows * 2));
        let (mut states, mut memories) = (room(slots), room(slots));
        for t in (0..self.steps.count()).rev() {
            let (at, n) = (self.steps.at(t), self.steps.running(t));
            let (mut column, mut out) = (0, 0);
            for (k, size) in self.sizes.iter().enumerate() {
                let h = size.h;
                for slot in 0..n {
                    let row = at.start + slot;
                    let mut back = Back {
                        state: &states[k][slot * h..][..h],
                        memory: &mut memories[k][slot * h..][..h],
                        before: (t > 0).then(|| (self.steps.at(t - 1).start + slot) * KEPT * h + 8 * h),
                        input: &mut inputs[row * width + column..][..GATES * h],
                        own: &mut own[k][row * GATES * h..][..GATES * h],
                        read: &mut read[k][row * 2 * h..][..2 * h],
                    };
                    saved[k].step_back(h, row, &grad[row * self.width() + out..][..h], &mut back);
                    if size.reads.is_none() {
                        let to = row * width + column + GATES * h;
                        inputs[to..to + 2 * h].copy_from_slice(&read[k][row * 2 * h..][..2 * h]);
                    }
                }
                (column, out) = (column + size.input(), out + h);
            }
            self.carry(&loaded, (&own, &read), (at.start, n), &mut states);
        }
        self.add_gradients(saved, (&own, &read));
        Ok(inputs)
    }

    /// What the states of the step before get from this step.
    fn carry(
        &self,
        loaded: &[Loaded],
        (own, read): (&[Vec<f32>], &[Vec<f32>]),
        (start, n): (usize, usize),
        states: &mut [Vec<f32>],
    ) {
        states.iter_mut().for_each(|s| s.fill(0.0));
        let mut add = |k: usize, (d, w): (&[f32], &[f32]), outs: usize, h: usize| {
            let d = View::new(&d[start * outs..(start + n) * outs], n, outs);
            product(Target::new(&mut states[k], n, h), Into::Add, 1.0, d, View::new(w, outs, h));
        };
        for (k, size) in self.sizes.iter().enumerate() {
            add(k, (&own[k], &loaded[k].own), GATES * size.h, size.h);
            if let Some(other) = size.reads {
                add(other, (&read[k], &loaded[k].read), 2 * size.h, size.r);
            }
        }
    }

    fn add_gradients(&self, saved: &[Saved], (own, read): (&[Vec<f32>], &[Vec<f32>])) {
        let later = self.steps.rows() - self.steps.running(0);
        // Rows after the first step; the first begins with zeros.
        let rest = |d: &[f32], outs: usize| d[(self.steps.rows() - later) * outs..].to_vec();
        let add = |param: &Option<Param>, d: &[f32], of: &[f32], (first, outs, all): (usize, usize, usize)| {
            if let Some(param) = param.as_ref().filter(|p| p.trainable && later > 0) {
                let inputs = of.len() / later;
                let d = View::strided(&d[first..], later, outs, all).t();
                let add = |into: &mut [f32]| {
                    product(Target::new(into, outs, inputs), Into::Add, 1.0, d, View::new(of, later, inputs))
                };
                param.sink.add_with(add);
            }
        };
        for (k, (size, [w_hh, w_hg, w_r])) in self.sizes.iter().zip(&self.weights).enumerate() {
            let (h, all) = (size.h, GATES * size.h);
            let (before, d) = (self.steps.previous(&saved[k].states, h), rest(&own[k], all));
            add(w_hh, &d, &before, (0, 4 * h, all));
            add(w_hg, &d, &before, (4 * h, h, all));
            if let Some(other) = size.reads {
                let before = self.steps.previous(&saved[other].states, size.r);
                add(w_r, &rest(&read[k], 2 * h), &before, (0, 2 * h, 2 * h));
            }
        }
    }
}

/// Where a row's gradients come from and go to.
struct Back<'a> {
    /// Of its state, from later steps.
    state: &'a [f32],
    /// Of its memory, from later steps, then of the one before.
    memory: &'a mut [f32],
    /// Where the memory before is kept; it is 0 in the first step.
    before: Option<usize>,
    input: &'a mut [f32],
    own: &'a mut [f32],
    read: &'a mut [f32],
}

impl Saved {
    /// One row forward. `memory` says where that of the step before is kept.
    fn step(&mut self, h: usize, row: usize, memory: Option<usize>, (input, own, read): (&[f32], &[f32], &[f32])) {
        for u in 0..h {
            let sum = |n: usize| input[n * h + u] + own[n * h + u];
            let [i, f, o, g] = [sum(0), sum(1), sum(3), sum(4)].map(sigmoid);
            let other = sigmoid(input[4 * h + u] + read[h + u]);
            let z = (input[2 * h + u] + g * own[2 * h + u] + other * read[u]).tanh();
            let before = memory.map_or(0.0, |at| self.kept[at + u]);
            let c = f * before + i * z;
            let kept = [i, f, z, o, g, other, own[2 * h + u], read[u], c];
            let at = row * KEPT * h + u;
            kept.iter().enumerate().for_each(|(n, x)| self.kept[at + n * h] = *x);
            self.states[row * h + u] = o * c.tanh();
        }
    }

    /// One row back.
    fn step_back(&self, h: usize, row: usize, grad: &[f32], to: &mut Back<'_>) {
        for u in 0..h {
            let at = row * KEPT * h + u;
            let [i, f, z, o, g, other, own, read, c] = std::array::from_fn(|n| self.kept[at + n * h]);
            let before = to.before.map_or(0.0, |at| self.kept[at + u]);
            let (dh, squashed) = (grad[u] + to.state[u], c.tanh());
            let dc = dh * o * (1.0 - squashed * squashed) + to.memory[u];
            to.memory[u] = dc * f;
            let dz = dc * i * (1.0 - z * z);
            let [di, df] = [dc * z * i * (1.0 - i), dc * before * f * (1.0 - f)];
            let d_o = dh * squashed * o * (1.0 - o);
            let [dg, d_other] = [dz * own * g * (1.0 - g), dz * read * other * (1.0 - other)];
            let put = |into: &mut [f32], numbers: &[f32]| {
                numbers.iter().enumerate().for_each(|(n, x)| into[n * h + u] = *x);
            };
            put(to.input, &[di, df, dz, d_o, dg + d_other]);
            put(to.own, &[di, df, dz * g, d_o, dg]);
            put(to.read, &[dz * other, d_other]);
        }
    }
}

impl CustomOp2 for Coupled {
    fn name(&self) -> &'static str {
        "coupled"
    }

    fn cpu_fwd(&self, pre: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let saved = self.forward(operand(pre, l)?)?;
        let (rows, width) = (self.steps.rows(), self.width());
        let mut timed = vec![0.0; rows * width];
        let mut column = 0;
        for (size, saved) in self.sizes.iter().zip(&saved) {
            for (row, state) in saved.states.chunks_exact(size.h).enumerate() {
                timed[row * width + column..][..size.h].copy_from_slice(state);
            }
            column += size.h;
        }
        let mut y = vec![0.0; rows * width];
        self.steps.scatter(&timed, width, &mut y);
        let _ = self.saved.set(saved);
        result(y, (rows, width))
    }

    fn bwd(&self, pre: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(saved) = self.saved.get() else { bail!("the backward pass of cells came before the forward pass") };
        let grad = grad.contiguous()?;
        let timed = self.steps.gather(&floats(&grad)?, self.width());
        let inputs = self.backward(saved, &timed)?;
        if !pre.track_op() {
            return Ok((None, None));
        }
        let mut dx = vec![0.0; inputs.len()];
        self.steps.scatter(&inputs, pre.dim(1)?, &mut dx);
        Ok((Some(tensor(dx, pre.shape())?), None))
    }
}
