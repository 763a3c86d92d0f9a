//! Taggers that read the label before each place. In training that label is known, so that all
//! places are computed at once; otherwise it is what was chosen one place before.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::buffer::{floats, is_fused, operand, par_rows, result, tensor};
use super::crf::{Rules, greedy::numbers};
use super::simd;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The last projection, and how a label follows from it.
pub struct Head<'a> {
    /// `[C, i]`
    pub weight: &'a Param,
    /// `[C]`
    pub bias: &'a Param,
    /// What may follow what.
    pub rules: Rules,
}

impl Head<'_> {
    /// The number of labels.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }
}

/// For each place the label before it, as a row of a table with a row for each of `classes`
/// labels and one more: for a first place, and where the label before is none of them.
pub fn previous(labels: &[u32], offsets: &Offsets, classes: usize) -> Arc<Vec<u32>> {
    let known = |label: u32| label.min(classes as u32);
    let mut rows: Vec<u32> = std::iter::once(classes as u32).chain(labels.iter().map(|l| known(*l))).collect();
    rows.truncate(labels.len());
    for first in offsets.iter().filter(|first| (**first as usize) < labels.len()) {
        rows[*first as usize] = classes as u32;
    }
    rows.into()
}

/// Row `rows[n]` of `table [V, d]` beside row `n` of `x [N, i]`: `[N, i + d]`.
pub fn beside(x: &Tensor, rows: &Arc<Vec<u32>>, table: &Param) -> Result<Tensor> {
    let ((places, _), (count, _)) = (x.dims2()?, table.var.dims2()?);
    if rows.len() != places || rows.iter().any(|row| *row as usize >= count) {
        bail!("{} rows of {}, which has {count}, for {places} places", rows.len(), table.name);
    }
    if !is_fused(x) {
        return beside_plain(x, rows, table);
    }
    x.contiguous()?.apply_op2(&table.tensor(), Beside { rows: rows.clone(), table: table.clone() })
}

/// [`beside`] out of Candle's operations.
pub fn beside_plain(x: &Tensor, rows: &[u32], table: &Param) -> Result<Tensor> {
    Tensor::cat(&[x, &table.tensor().index_select(&Tensor::new(rows, x.device())?, 0)?], 1)
}

/// The labels that are best one after another where the head reads [`beside`]: one product for
/// all places and one for all labels, and a step adds a row of each.
pub fn greedy(x: &Tensor, table: &Param, head: &Head, offsets: &Offsets) -> Result<Vec<u32>> {
    let ((places, i), (count, d), c) = (x.dims2()?, table.var.dims2()?, head.classes());
    if head.weight.var.dims2()? != (c, i + d) || count != c + 1 {
        bail!("{} {:?} for {i} numbers and labels of {d}", head.weight.name, head.weight.var.dims());
    }
    if offsets.last().copied().unwrap_or(0) as usize != places {
        bail!("{places} rows for sequences that end at {:?}", offsets.last());
    }
    let w = head.weight.var.as_detached_tensor();
    let part = |of: &Tensor, first, width| of.matmul(&w.narrow(1, first, width)?.contiguous()?.t()?);
    let of_x = part(&x.detach(), 0, i)?.broadcast_add(&head.bias.var.as_detached_tensor())?;
    let (of_x, of_labels) = (numbers(&of_x)?, numbers(&part(&table.var.as_detached_tensor(), i, d)?)?);
    let one = |ends: &[u32]| {
        let mut labels: Vec<u32> = Vec::with_capacity((ends[1] - ends[0]) as usize);
        let mut scores = vec![0.0; c];
        for place in ends[0]..ends[1] {
            let before = labels.last().copied();
            scores.copy_from_slice(&of_x[place as usize * c..][..c]);
            simd::add(&mut scores, &of_labels[before.map_or(c, |l| l as usize) * c..][..c]);
            labels.push(head.rules.best(&scores, before, place + 1 == ends[1]));
        }
        labels
    };
    let all: Vec<Vec<u32>> = offsets.par_windows(2).map(one).collect();
    Ok(all.concat())
}

struct Beside {
    rows: Arc<Vec<u32>>,
    table: Param,
}

impl CustomOp2 for Beside {
    fn name(&self) -> &'static str {
        "beside"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, t: &CpuStorage, lt: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, table, (places, i), d) = (operand(x, lx)?, operand(t, lt)?, lx.shape().dims2()?, lt.dims()[1]);
        let mut out = vec![0.0; places * (i + d)];
        par_rows(&mut out, i + d, |first, out| {
            for (row, out) in out.chunks_exact_mut((i + d).max(1)).enumerate() {
                let at = first + row;
                out[..i].copy_from_slice(&x[at * i..][..i]);
                out[i..].copy_from_slice(&table[self.rows[at] as usize * d..][..d]);
            }
        });
        result(out, (places, i + d))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let ((places, i), d, grad) = (x.dims2()?, self.table.var.dims()[1], grad.contiguous()?);
        let g = floats(&grad)?;
        let g: &[f32] = &g;
        if self.table.trainable {
            self.table.sink.add_with(|into| {
                for (row, g) in self.rows.iter().zip(g.chunks_exact((i + d).max(1))) {
                    simd::add(&mut into[*row as usize * d..][..d], &g[i..]);
                }
            });
        }
        if !x.track_op() {
            return Ok((None, None));
        }
        let mut dx = vec![0.0; places * i];
        par_rows(&mut dx, i, |first, dx| {
            for (row, dx) in dx.chunks_exact_mut(i.max(1)).enumerate() {
                dx.copy_from_slice(&g[(first + row) * (i + d)..][..i]);
            }
        });
        Ok((Some(tensor(dx, x.shape())?), None))
    }
}

#[cfg(test)]
mod tests {
    use super::previous;
    use crate::backend::NO_LABEL;
    use crate::backend::rows::offsets_of;

    #[test]
    fn labels_move_one_place_on() {
        let labels = [2, 0, NO_LABEL, 1, 0, 2];
        assert_eq!(*previous(&labels, &offsets_of([4, 0, 2]), 3), [3, 2, 0, 3, 3, 0]);
        assert_eq!(*previous(&labels, &offsets_of([1, 1, 4, 0]), 3), [3, 3, 3, 3, 1, 0]);
        assert!(previous(&[], &offsets_of([0, 0]), 3).is_empty());
    }
}
