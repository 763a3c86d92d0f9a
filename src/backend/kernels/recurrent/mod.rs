//! Recurrent layers over packed sequences: a layer, with both its directions if it has two, is
//! one operation with its own backward pass.
//!
//! The input projection of all tokens is one matrix product. The recurrence goes through
//! `Steps`, one product a step for the sequences still running; the gradients of the weights
//! are again one product each over all tokens. Everything that is kept lies where its token
//! lies, so nothing is brought in order and back; what a step works on is small. Each direction
//! has a thread of its own, forward and backward.

pub mod coupled;
mod greedy;
pub mod gru;
mod labels;
pub mod lstm;
mod pass;
mod plain;
mod weights;
mod words;

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

pub use self::labels::Labels;
use self::pass::{Gates, Gradients, Saved, backward, forward};
use self::weights::Weights;
use self::words::Words;
pub use self::words::{Input, Projections};
use super::buffer::{anchor, floats, is_fused, operand, result, tensor};
use super::steps::Steps;
use super::views::{Into, Shared};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// What makes an LSTM or a GRU.
trait Cell: Send + Sync + 'static {
    /// Gates of a unit.
    const GATES: usize;
    /// The operation's name.
    const NAME: &'static str;
    /// Whether a state reaches the next one past the gates too.
    const CARRIES: bool;

    /// One step of the rows that still run.
    fn step(step: &mut pass::Step<'_>);

    /// One step of the gradients of those rows.
    fn step_back(step: &mut pass::StepBack<'_>);

    /// One step out of Candle's operations: the projected inputs `[n, gh]`, and the states and
    /// cells `[n, h]` before and after.
    fn step_plain(weights: &Weights, gates: &Tensor, before: &(Tensor, Tensor)) -> Result<(Tensor, Tensor)>;
}

/// A layer in one direction.
struct Direction<C: Cell> {
    weights: Weights,
    steps: Steps,
    reverse: bool,
    saved: OnceLock<Saved>,
    cell: std::marker::PhantomData<C>,
}

impl<C: Cell> Direction<C> {
    fn new(weights: Weights, offsets: &Offsets, reverse: bool) -> Self {
        let steps = Steps::new(offsets, reverse);
        Self { weights, steps, reverse, saved: OnceLock::new(), cell: std::marker::PhantomData }
    }

    /// Multiplications on the way through time.
    fn work(&self) -> usize {
        self.steps.rows() * self.weights.width() * self.weights.hidden()
    }

    fn saved(&self) -> Result<&Saved> {
        match self.saved.get() {
            Some(saved) => Ok(saved),
            None => bail!("the backward pass of {} came before the forward pass", C::NAME),
        }
    }
}

/// Multiplications from which on a direction is given to another thread: less is done before that
/// one is awake.
const WORTH_A_THREAD: usize = 1 << 19;

/// A layer in one direction or in two.
struct Layer<C: Cell> {
    directions: Vec<Direction<C>>,
}

impl<C: Cell> Layer<C> {
    fn width(&self) -> usize {
        self.directions.iter().map(|d| d.weights.hidden()).sum()
    }

    /// Runs `f(direction, its first column, whether others run at the same time)` for all.
    fn each<T: Send>(&self, f: impl Fn(&Direction<C>, usize, bool) -> Result<T> + Sync) -> Result<Vec<T>> {
        match &self.directions[..] {
            [a, b] if a.work() >= WORTH_A_THREAD => {
                // With more threads than directions each may use several.
                let alone = rayon::current_num_threads() > 2;
                let (a, b) = rayon::join(|| f(a, 0, alone), || f(b, a.weights.hidden(), alone));
                Ok(vec![a?, b?])
            }
            all => {
                let mut column = 0;
                let mut next = |d: &Direction<C>| {
                    column += d.weights.hidden();
                    f(d, column - d.weights.hidden(), true)
                };
                all.iter().map(&mut next).collect()
            }
        }
    }

    /// Applies the layer to `x [N, i]`: `[N, h]`, or `[N, 2h]` for two directions.
    fn apply<'x>(self, x: impl std::convert::Into<Input<'x>>, offsets: &Offsets) -> Result<Tensor> {
        match x.into() {
            Input::Numbers(x) => self.apply_to(x, offsets),
            Input::Rows(looked, kept) => {
                self.check((looked.at().len(), looked.table().var.dims2()?.1), offsets)?;
                match Words::of(looked, kept, self.directions[0].weights.width())? {
                    Some(words) => self.apply_to_words(&words, looked.at().len()),
                    None => self.apply_to(looked.numbers()?, offsets),
                }
            }
        }
    }

    /// Whether `rows` rows of `inputs` fit the sequences and the parameters.
    fn check(&self, (rows, inputs): (usize, usize), offsets: &Offsets) -> Result<()> {
        if offsets.last().copied().unwrap_or(0) as usize != rows {
            bail!("{rows} rows for sequences that end at {:?}", offsets.last());
        }
        self.directions.iter().try_for_each(|d| d.weights.check((rows, inputs), C::GATES))
    }

    fn apply_to_words(self, words: &Words, rows: usize) -> Result<Tensor> {
        let y = self.states(rows, |direction, alone| words.project(&direction.weights, alone))?;
        tensor(y, (rows, self.width()))
    }

    fn apply_to(self, x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
        self.check(x.dims2()?, offsets)?;
        if !is_fused(x) {
            return plain::layer(&self, x);
        }
        let params: Vec<&Param> = self.directions.iter().flat_map(|d| d.weights.all()).collect();
        let anchor = anchor(&params);
        x.contiguous()?.apply_op2(&anchor, self)
    }

    /// The states of `rows` rows, from the input's part of the gates.
    fn states<'g>(
        &self,
        rows: usize,
        project: impl Fn(&Direction<C>, bool) -> Result<Gates<'g>> + Sync,
    ) -> Result<Vec<f32>> {
        let width = self.width();
        let mut y = vec![0.0; rows * width];
        let states = Shared::new(&mut y);
        self.each(|direction, column, alone| {
            let gates = project(direction, alone)?;
            let saved = forward::<C>(&direction.weights, &direction.steps, gates, (&states, width, column))?;
            let _ = direction.saved.set(saved);
            Ok(())
        })?;
        Ok(y)
    }
}

impl<C: Cell> CustomOp2 for Layer<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, rows) = (operand(x, l)?, l.dims()[0]);
        let y = self.states(rows, |direction, alone| Ok(Gates::Packed(direction.weights.project(x, rows, alone)?)))?;
        result(y, (rows, self.width()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, inputs) = x.dims2()?;
        let grad = grad.contiguous()?;
        let (x_numbers, y, g) = (floats(x)?, floats(y)?, floats(&grad)?);
        let (x_numbers, y, g): (&[f32], &[f32], &[f32]) = (&x_numbers, &y, &g);
        let width = self.width();
        let gates: Vec<Gradients> = self.each(|direction, column, alone| {
            let gates = backward(direction, (y, width, column), g)?;
            direction.weights.add_gradients(x_numbers, &gates, rows, alone)?;
            Ok(gates)
        })?;
        if !x.track_op() {
            return Ok((None, None));
        }
        let mut dx = vec![0.0; rows * inputs];
        for (i, (direction, gates)) in self.directions.iter().zip(&gates).enumerate() {
            let how = if i == 0 { Into::Set } else { Into::Add };
            direction.weights.input_gradient(&gates.inputs, rows, how, &mut dx)?;
        }
        Ok((Some(tensor(dx, x.shape())?), None))
    }
}
