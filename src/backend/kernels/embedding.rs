//! Rows of a table, by index.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::buffer::{floats, is_fused, operand, par_rows, result};
use super::random::{Draw, dropout};
use super::select::select;
use super::simd;
use crate::backend::param::Param;

/// Row `ids[n]` of `table [V, d]` for each `n`: `[N, d]`. The backward pass touches only the
/// rows that were read.
pub fn lookup(ids: &Arc<Vec<u32>>, table: &Param) -> Result<Tensor> {
    lookup_dropped(ids, table, None)
}

/// [`lookup`], then [`dropout`] where its share and draw are given: the same bits in one pass.
pub fn lookup_dropped(ids: &Arc<Vec<u32>>, table: &Param, drop: Option<(f32, Draw)>) -> Result<Tensor> {
    let operand = table.tensor();
    let (rows, _) = operand.dims2()?;
    if let Some(id) = ids.iter().find(|id| **id as usize >= rows) {
        bail!("row {id} of {}, which has {rows}", table.name);
    }
    if !is_fused(&operand) {
        let rows = lookup_plain(ids, table)?;
        return drop.map_or(Ok(rows.clone()), |(p, draw)| dropout(&rows, p, draw));
    }
    operand.apply_op1(Lookup { ids: ids.clone(), table: table.clone(), drop })
}

/// [`lookup`] out of Candle's operations.
pub fn lookup_plain(ids: &[u32], table: &Param) -> Result<Tensor> {
    select(&table.tensor(), ids.to_vec())
}

struct Lookup {
    ids: Arc<Vec<u32>>,
    table: Param,
    drop: Option<(f32, Draw)>,
}

impl Lookup {
    /// Drops numbers of row `at`.
    fn mask(&self, at: usize, row: &mut [f32]) {
        if let Some((p, draw)) = self.drop {
            draw.mask((at * row.len()) as u64, p, row);
        }
    }
}

impl CustomOp1 for Lookup {
    fn name(&self) -> &'static str {
        "lookup"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let table = operand(storage, layout)?;
        let width = layout.dims()[1];
        let mut out = vec![0.0; self.ids.len() * width];
        par_rows(&mut out, width, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
                row.copy_from_slice(&table[self.ids[first + i] as usize * width..][..width]);
                self.mask(first + i, row);
            }
        });
        result(out, (self.ids.len(), width))
    }

    fn bwd(&self, _table: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        if self.table.trainable {
            let grad = grad.contiguous()?;
            let (width, g) = (grad.dim(1)?, floats(&grad)?);
            let mut row = vec![0.0; width];
            self.table.sink.add_rows(&self.ids, width, |sink| {
                for (at, (from, id)) in g.chunks_exact(width.max(1)).zip(self.ids.iter()).enumerate() {
                    row.copy_from_slice(from);
                    self.mask(at, &mut row);
                    simd::add(&mut sink[*id as usize * width..][..width], &row);
                }
            });
        }
        Ok(None)
    }
}
