//! The fused pass: parameter, gradient and state are read and written once, in parallel, and the
//! gradient is left zero for the next step.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, bail};
use rayon::prelude::*;

use super::{At, Rule};

/// Numbers that one piece of work covers. Fixed, though nothing depends on it: rules treat
/// numbers independently, so the result is the same for any number of threads.
pub(super) const CHUNK: usize = 1 << 15;

/// A rule on its way over one parameter.
pub(super) struct Pass<'a> {
    rule: &'a dyn Rule,
    at: At,
    /// Gradient and state.
    arrays: Mutex<[&'a mut [f32]; 3]>,
}

impl<'a> Pass<'a> {
    /// Over state `a` and `b`, which may be empty.
    pub(super) fn new(rule: &'a dyn Rule, at: At, grad: &'a mut [f32], a: &'a mut [f32], b: &'a mut [f32]) -> Self {
        Self { rule, at, arrays: Mutex::new([grad, a, b]) }
    }

    fn run(&self, theta: &mut [f32]) -> Result<()> {
        let mut arrays = self.arrays.lock().unwrap_or_else(PoisonError::into_inner);
        let [grad, a, b] = &mut *arrays;
        if theta.len() != grad.len() {
            bail!("a gradient of {} numbers for a parameter of {}", grad.len(), theta.len());
        }
        if theta.len() <= CHUNK {
            self.rule.pass(&self.at, theta, grad, a, b);
            grad.fill(0.0);
            return Ok(());
        }
        let count = theta.len().div_ceil(CHUNK);
        let states = chunks(a, count).into_par_iter().zip(chunks(b, count));
        let work = theta.par_chunks_mut(CHUNK).zip(grad.par_chunks_mut(CHUNK)).zip(states);
        work.for_each(|((theta, grad), (a, b))| {
            self.rule.pass(&self.at, theta, grad, a, b);
            grad.fill(0.0);
        });
        Ok(())
    }
}

/// Pieces of an array, or as many empty ones.
fn chunks(array: &mut [f32], count: usize) -> Vec<&mut [f32]> {
    if array.is_empty() {
        return (0..count).map(|_| Default::default()).collect();
    }
    array.chunks_mut(CHUNK).collect()
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
