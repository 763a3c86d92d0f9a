//! The fused pass: parameter, gradient and state are read and written once, in parallel, and the
//! gradient is left zero for the next step. Rows of a table that nothing was added to have a
//! gradient of zero; their part of the gradient is not looked at.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, bail};
use rayon::prelude::*;

use super::{At, Rule};
use crate::backend::Written;

/// Numbers that one piece of work covers. Nothing depends on it: rules treat numbers
/// independently, so the result is the same for any number of threads.
pub(super) const CHUNK: usize = 1 << 15;

/// The gradient of rows that nothing was added to.
static ZEROS: [f32; 1 << 12] = [0.0; 1 << 12];

/// A rule on its way over one parameter.
pub(super) struct Pass<'a> {
    rule: &'a dyn Rule,
    at: At,
    written: &'a Written,
    /// Gradient and state.
    arrays: Mutex<[&'a mut [f32]; 3]>,
}

/// The same stretch of parameter, gradient and state, which may be empty.
struct Piece<'a> {
    theta: &'a mut [f32],
    grad: &'a mut [f32],
    a: &'a mut [f32],
    b: &'a mut [f32],
}

impl<'a> Pass<'a> {
    /// Over a gradient and state `a` and `b`, which may be empty.
    pub(super) fn new(rule: &'a dyn Rule, at: At, written: &'a Written, arrays: [&'a mut [f32]; 3]) -> Self {
        Self { rule, at, written, arrays: Mutex::new(arrays) }
    }

    fn run(&self, theta: &mut [f32]) -> Result<()> {
        let mut arrays = self.arrays.lock().unwrap_or_else(PoisonError::into_inner);
        let [grad, a, b] = &mut *arrays;
        if theta.len() != grad.len() {
            bail!("a gradient of {} numbers for a parameter of {}", grad.len(), theta.len());
        }
        let chunk = match self.written {
            Written::Rows { width, .. } => (CHUNK / width).max(1) * width,
            _ => CHUNK,
        };
        let count = theta.len().div_ceil(chunk);
        if count <= 1 {
            self.piece(0, Piece { theta, grad, a, b });
            return Ok(());
        }
        let states = chunks(a, chunk, count).into_par_iter().zip(chunks(b, chunk, count));
        let work = theta.par_chunks_mut(chunk).zip(grad.par_chunks_mut(chunk)).zip(states).enumerate();
        work.for_each(|(i, ((theta, grad), (a, b)))| self.piece(i * chunk, Piece { theta, grad, a, b }));
        Ok(())
    }

    /// A stretch that begins at number `start`.
    fn piece(&self, start: usize, mut piece: Piece) {
        let Written::Rows { width, rows } = self.written else { return self.step(&mut piece) };
        let (first, end) = (start / width, (start + piece.theta.len()) / width);
        let from = rows.partition_point(|row| (*row as usize) < first);
        let mut at = first;
        for row in rows[from..].iter().map(|row| *row as usize).take_while(|row| *row < end) {
            self.idle(&mut piece.part((at - first) * width..(row - first) * width));
            self.step(&mut piece.part((row - first) * width..(row - first + 1) * width));
            at = row + 1;
        }
        self.idle(&mut piece.part((at - first) * width..(end - first) * width));
    }

    /// The step, which leaves the gradient zero.
    fn step(&self, piece: &mut Piece) {
        self.rule.pass(&self.at, piece.theta, piece.grad, piece.a, piece.b);
        piece.grad.fill(0.0);
    }

    /// The step where the gradient is zero.
    fn idle(&self, piece: &mut Piece) {
        let count = piece.theta.len();
        for start in (0..count).step_by(ZEROS.len()) {
            let part = piece.part(start..(start + ZEROS.len()).min(count));
            self.rule.pass(&self.at, part.theta, &ZEROS[..part.grad.len()], part.a, part.b);
        }
    }
}

impl Piece<'_> {
    fn part(&mut self, range: Range<usize>) -> Piece<'_> {
        let of = |state: &Range<usize>, len: usize| if len == 0 { 0..0 } else { state.clone() };
        let (a, b) = (of(&range, self.a.len()), of(&range, self.b.len()));
        Piece {
            theta: &mut self.theta[range.clone()],
            grad: &mut self.grad[range],
            a: &mut self.a[a],
            b: &mut self.b[b],
        }
    }
}

/// Pieces of an array, or as many empty ones.
fn chunks(array: &mut [f32], chunk: usize, count: usize) -> Vec<&mut [f32]> {
    if array.is_empty() {
        return (0..count).map(|_| Default::default()).collect();
    }
    array.chunks_mut(chunk).collect()
}

impl InplaceOp1 for Pass<'_> {
    fn name(&self) -> &'static str {
        "optimizer step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(all), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("a parameter that is not a contiguous f32 tensor");
        };
        self.run(&mut all[start..end])
    }
}
