//! Rows of a table, by index.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::buffer::{floats, is_fused, operand, par_rows, result};
use super::select::select;
use super::simd;
use crate::backend::param::Param;

/// Row `ids[n]` of `table [V, d]` for each `n`: `[N, d]`. The backward pass touches only the
/// rows that were read.
pub fn lookup(ids: &Arc<Vec<u32>>, table: &Param) -> Result<Tensor> {
    let operand = table.tensor();
    let (rows, _) = operand.dims2()?;
    if let Some(id) = ids.iter().find(|id| **id as usize >= rows) {
        bail!("row {id} of {}, which has {rows}", table.name);
    }
    if !is_fused(&operand) {
        return lookup_plain(ids, table);
    }
    operand.apply_op1(Lookup { ids: ids.clone(), table: table.clone() })
}

/// [`lookup`] out of Candle's operations.
pub fn lookup_plain(ids: &[u32], table: &Param) -> Result<Tensor> {
    select(&table.tensor(), ids.to_vec())
}

struct Lookup {
    ids: Arc<Vec<u32>>,
    table: Param,
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
            for (row, id) in rows.chunks_exact_mut(width.max(1)).zip(&self.ids[first..]) {
                row.copy_from_slice(&table[*id as usize * width..][..width]);
            }
        });
        result(out, (self.ids.len(), width))
    }

    fn bwd(&self, _table: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        if self.table.trainable {
            let grad = grad.contiguous()?;
            let (width, g) = (grad.dim(1)?, floats(&grad)?);
            self.table.sink.add_rows(&self.ids, width, |sink| {
                for (row, id) in g.chunks_exact(width.max(1)).zip(self.ids.iter()) {
                    simd::add(&mut sink[*id as usize * width..][..width], row);
                }
            });
        }
        Ok(None)
    }
}
