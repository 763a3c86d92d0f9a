//! Access to the numbers of tensors on the CPU, and fixed partitions of work over them.
//!
//! Partitions depend on sizes only, never on the number of threads, so that sums come out the
//! same bits on every machine.

use std::cell::Cell;
use std::ops::Deref;

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

use super::simd;
use crate::backend::param::Param;

/// Numbers that one thread handles at a time in elementwise work.
pub const CHUNK: usize = 32 * 1024;

/// Numbers below which waking another thread takes longer than the work on each.
const WORTH_WAKING: usize = 8 * CHUNK;

/// Rows that one thread sums up at a time.
const SUM_ROWS: usize = 64;

thread_local! {
    static PLAIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the fused kernels apply: f32 on the CPU.
pub fn is_fused(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32 && !PLAIN.get()
}

/// Runs `f` with the plain forms of operations, which other devices run, wherever this thread
/// begins one: to compare them with the fused ones, or the time that both take.
pub fn plainly<T>(f: impl FnOnce() -> T) -> T {
    let before = PLAIN.replace(true);
    let result = f();
    PLAIN.set(before);
    result
}

/// The numbers of a contiguous f32 tensor on the CPU.
pub struct Floats<G> {
    storage: G,
    start: usize,
    end: usize,
}

impl<G: Deref<Target = Storage>> Deref for Floats<G> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(all)) => &all[self.start..self.end],
            _ => &[],
        }
    }
}

/// Borrows the numbers of `t`.
pub fn floats(t: &Tensor) -> Result<Floats<impl Deref<Target = Storage>>> {
    let (storage, layout) = t.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a fused kernel needs contiguous rows") };
    if !matches!(&*storage, Storage::Cpu(CpuStorage::F32(_))) {
        bail!("a fused kernel needs f32 on the CPU");
    }
    Ok(Floats { storage, start, end })
}

/// The numbers of an operand in `cpu_fwd`.
pub fn operand<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a fused kernel needs contiguous rows") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// A result of `cpu_fwd`.
pub fn result(numbers: Vec<f32>, dims: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(numbers), dims.into()))
}

/// A tensor of `numbers`, untracked.
pub fn tensor(numbers: Vec<f32>, dims: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(numbers, dims.into(), &candle_core::Device::Cpu)
}

/// The operand that ties an operation to the graph when it holds its parameters itself: a
/// trainable one if there is any.
pub fn anchor(params: &[&Param]) -> Tensor {
    params.iter().find(|p| p.trainable).unwrap_or(&params[0]).tensor()
}

/// Runs `f(first index, chunk)` over chunks of `out` in parallel.
pub fn par_chunks(out: &mut [f32], f: impl Fn(usize, &mut [f32]) + Sync) {
    if out.len() < WORTH_WAKING {
        f(0, out);
    } else {
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, chunk)| f(i * CHUNK, chunk));
    }
}

/// Adds `more` to `x`, in parallel.
pub fn add(x: &mut [f32], more: &[f32]) {
    par_chunks(x, |first, chunk| simd::add(chunk, &more[first..]));
}

/// Runs `f(first row, rows)` over groups of rows of `out`, `width` wide, in parallel.
pub fn par_rows(out: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let group = (CHUNK / width.max(1)).max(1);
    if out.len() < WORTH_WAKING {
        f(0, out);
    } else {
        out.par_chunks_mut(group * width).enumerate().for_each(|(i, rows)| f(i * group, rows));
    }
}

/// Adds to `into` what `add(rows, sums)` finds for each range of `count` rows. Groups of rows
/// are summed in parallel and added in order.
pub fn sum_rows(count: usize, into: &mut [f32], add: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync) {
    if count <= SUM_ROWS || count * into.len() < 2 * CHUNK {
        return add(0..count, into);
    }
    let group = SUM_ROWS.max(count.div_ceil(16));
    let parts: Vec<Vec<f32>> = (0..count.div_ceil(group))
        .into_par_iter()
        .map(|i| {
            let mut part = vec![0.0; into.len()];
            add(i * group..((i + 1) * group).min(count), &mut part);
            part
        })
        .collect();
    for part in parts {
        simd::add(into, &part);
    }
}

/// Adds the sum of each column of `rows` to `into`.
pub fn sum_columns(rows: &[f32], into: &mut [f32]) {
    let width = into.len();
    if width == 0 {
        return;
    }
    sum_rows(rows.len() / width, into, |range, sums| {
        simd::add_rows(sums, &rows[range.start * width..range.end * width]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_many_rows() {
        let rows: Vec<f32> = (0..1000).map(|i| (i % 4) as f32).collect();
        let mut sums = vec![1.0; 4];
        sum_columns(&rows, &mut sums);
        assert_eq!(sums, [1.0, 251.0, 501.0, 751.0]);
    }
}
