//! The way through time, forward and back.

use std::sync::Arc;

use candle_core::Result;

use super::weights::Weights;
use super::{Cell, Direction};
use crate::backend::kernels::buffer::floats;
use crate::backend::kernels::few::{FEWEST, add_few, put_turned};
use crate::backend::kernels::steps::Steps;
use crate::backend::kernels::views::{Into, Shared, Target, View, product};

/// What the backward pass needs besides the states, packed.
pub(super) struct Saved {
    /// Gates after their activations, `[N, gh]`.
    pub gates: Vec<f32>,
    /// One more number for each unit, `[N, h]`: an LSTM's cells, a GRU's state's part of the new
    /// gate.
    pub units: Vec<f32>,
}

/// Gradients in front of the gates, packed.
pub(super) struct Gradients {
    /// Of the input's part, `[N, gh]`.
    pub inputs: Vec<f32>,
    /// Of the state's part, where it differs.
    pub states: Option<Vec<f32>>,
    /// The state that each row began with, `[N, h]`.
    pub before: Vec<f32>,
}

/// A step forward.
pub(super) struct Step<'a> {
    /// Units.
    pub h: usize,
    /// For each slot that runs, its row among the gates and units.
    pub rows: &'a [u32],
    /// The input's part of the gates; becomes the activations.
    pub gates: &'a mut [f32],
    /// The state's part of the gates, by slot.
    pub sums: &'a [f32],
    /// What is added to the state's part.
    pub bias: &'a [f32],
    /// States by slot, before and after.
    pub states: &'a mut [f32],
    /// Cells by slot, before and after.
    pub cells: &'a mut [f32],
    /// What is kept of each unit.
    pub units: &'a mut [f32],
}

/// A step back.
pub(super) struct StepBack<'a> {
    /// Units.
    pub h: usize,
    /// The packed row of each slot that runs.
    pub rows: &'a [u32],
    /// From a row to the one before it in time; `None` in the first step.
    pub back: Option<isize>,
    /// What the forward pass kept.
    pub saved: &'a Saved,
    /// The state that each row began with, packed.
    pub before: &'a [f32],
    /// The gradient of the states: packed rows `stride` wide, at `column`.
    pub grad: &'a [f32],
    pub stride: usize,
    pub column: usize,
    /// By slot, what comes from later states, and then what goes past the gates to earlier ones.
    pub carried: &'a mut [f32],
    /// By slot, the gradient of the cells.
    pub cells: &'a mut [f32],
    /// By slot, the gradient in front of the state's part of the gates.
    pub sums: &'a mut [f32],
    /// The gradient in front of the input's part, packed.
    pub inputs: &'a mut [f32],
}

/// The input's part of the gates.
pub(super) enum Gates<'a> {
    /// Packed `[N, gh]`; kept for the way back.
    Packed(Vec<f32>),
    /// Rows of a table, one for each packed row. There is no way back.
    Rows {
        /// `[V, gh]`
        table: Arc<Vec<f32>>,
        at: &'a [u32],
        /// `w_hh^T`, if it is known.
        transposed: Option<Arc<Vec<f32>>>,
    },
}

impl Gates<'_> {
    /// Room for the gates and units of `rows` packed rows, or of `slots` sequences if none is kept.
    fn room(&mut self, (rows, slots): (usize, usize), (width, h): (usize, usize)) -> Saved {
        match self {
            Self::Packed(gates) => Saved { gates: std::mem::take(gates), units: vec![0.0; rows * h] },
            Self::Rows { .. } => Saved { gates: vec![0.0; slots * width], units: vec![0.0; slots * h] },
        }
    }

    /// Where the gates of these rows are: put into `room`, if they are not there.
    fn bring<'r>(&self, rows: &'r [u32], slots: &'r [u32], room: &mut [f32], width: usize) -> &'r [u32] {
        let Self::Rows { table, at, .. } = self else { return rows };
        for (into, row) in room.chunks_exact_mut(width).zip(rows) {
            into.copy_from_slice(&table[at[*row as usize] as usize * width..][..width]);
        }
        &slots[..rows.len()]
    }
}

/// Goes through time with the input's part of the gates, and puts the states at a column of rows.
pub(super) fn forward<C: Cell>(
    weights: &Weights,
    steps: &Steps,
    mut gates: Gates,
    (into, stride, column): (&Shared, usize, usize),
) -> Result<Saved> {
    let (h, width) = (weights.hidden(), weights.width());
    let state_product = StateProduct::new(weights, &gates, steps.running(0))?;
    let bias = weights.state_bias.as_ref().map(|b| floats(b.var.as_tensor())).transpose()?;
    let bias: &[f32] = bias.as_deref().unwrap_or_default();
    let slots = steps.running(0);
    let mut room = gates.room((steps.rows(), slots), (width, h));
    let slots_of_all: Vec<u32> = (0..slots as u32).collect();
    let [mut states, mut cells] = [(); 2].map(|()| vec![0.0; slots * h]);
    let mut sums = vec![0.0; slots * width];
    for t in 0..steps.count() {
        let rows = steps.rows_at(t);
        let n = rows.len();
        if t > 0 {
            state_product.put(&states[..n * h], n, &mut sums[..n * width])?;
        }
        let (states, cells) = (&mut states[..n * h], &mut cells[..n * h]);
        let places = gates.bring(rows, &slots_of_all, &mut room.gates, width);
        let Saved { gates, units } = &mut room;
        C::step(&mut Step { h, rows: places, gates, sums: &sums, bias, states, cells, units });
        for (row, state) in rows.iter().zip(states.chunks_exact(h)) {
            // SAFETY: only this direction writes to these columns, one row after another.
            unsafe { into.numbers(*row as usize * stride + column, h) }.copy_from_slice(state);
        }
    }
    Ok(room)
}

/// Multiplication of states by the recurrent weights.
enum StateProduct<'a> {
    /// Of so few sequences that the weights are taken as they lie.
    Few(&'a Weights),
    /// With `w_hh^T`, `[h, gh]`.
    Many(Arc<Vec<f32>>),
}

impl<'a> StateProduct<'a> {
    fn new(weights: &'a Weights, gates: &Gates, sequences: usize) -> Result<Self> {
        Ok(match gates {
            Gates::Rows { transposed: Some(transposed), .. } => Self::Many(transposed.clone()),
            _ if sequences <= FEWEST => Self::Few(weights),
            _ => Self::Many(weights.transposed()?.into()),
        })
    }

    /// The state's part of the gates of `n` sequences.
    fn put(&self, states: &[f32], n: usize, sums: &mut [f32]) -> Result<()> {
        let (h, width) = (states.len() / n, sums.len() / n);
        match self {
            Self::Few(weights) => {
                sums.fill(0.0);
                add_few(states, n, &floats(weights.w_hh.var.as_tensor())?, sums, false);
            }
            Self::Many(w) if n <= FEWEST => put_turned(states, n, w, sums),
            Self::Many(w) => {
                let target = Target::new(sums, n, width);
                product(target, Into::Set, 1.0, View::new(states, n, h), View::new(w, h, width));
            }
        }
        Ok(())
    }
}

/// Goes back through time, given the states and their gradient as columns of rows.
pub(super) fn backward<C: Cell>(
    direction: &Direction<C>,
    (states, stride, column): (&[f32], usize, usize),
    grad: &[f32],
) -> Result<Gradients> {
    let (weights, steps, saved) = (&direction.weights, &direction.steps, direction.saved()?);
    let (h, width, w) = (weights.hidden(), weights.width(), floats(weights.w_hh.var.as_tensor())?);
    let back: isize = if direction.reverse { 1 } else { -1 };
    let before = states_before(steps, back, (states, stride, column), h);
    let slots = steps.running(0);
    let mut inputs = vec![0.0; steps.rows() * width];
    let mut of_states = C::CARRIES.then(|| vec![0.0; steps.rows() * width]);
    let [mut carried, mut cells] = [(); 2].map(|()| vec![0.0; slots * h]);
    let mut sums = vec![0.0; slots * width];
    for t in (0..steps.count()).rev() {
        let rows = steps.rows_at(t);
        let n = rows.len();
        C::step_back(&mut StepBack {
            h,
            rows,
            back: (t > 0).then_some(back),
            saved,
            before: &before,
            grad,
            stride,
            column,
            carried: &mut carried,
            cells: &mut cells,
            sums: &mut sums,
            inputs: &mut inputs,
        });
        if let Some(of_states) = &mut of_states {
            for (row, sums) in rows.iter().zip(sums.chunks_exact(width)) {
                of_states[*row as usize * width..][..width].copy_from_slice(sums);
            }
        }
        if t > 0 {
            let how = if C::CARRIES { Into::Add } else { Into::Set };
            let sums = View::new(&sums, n, width);
            product(Target::new(&mut carried, n, h), how, 1.0, sums, View::new(&w, width, h));
        }
    }
    Ok(Gradients { inputs, states: of_states, before })
}

/// The state that each row began with: 0 for the first of a sequence.
fn states_before(steps: &Steps, back: isize, (states, stride, column): (&[f32], usize, usize), h: usize) -> Vec<f32> {
    let mut before = vec![0.0; steps.rows() * h];
    for t in 1..steps.count() {
        for row in steps.rows_at(t) {
            let row = *row as usize;
            let from = row.wrapping_add_signed(back) * stride + column;
            before[row * h..(row + 1) * h].copy_from_slice(&states[from..from + h]);
        }
    }
    before
}
