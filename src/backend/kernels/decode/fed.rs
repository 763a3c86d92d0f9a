//! The vectors of the words that a decoder reads.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::words::{END, Table};
use crate::backend::kernels::buffer::{anchor, floats, is_fused, par_rows, result};
use crate::backend::kernels::embedding::lookup;
use crate::backend::kernels::select::select;
use crate::backend::kernels::simd;
use crate::backend::param::Param;

/// Row `rows[n]` of a table for each `n`, that of the end of a text for [`END`]: `[N, width]`.
pub fn fed(rows: &[u32], table: &Table) -> Result<Tensor> {
    if let Some(row) = rows.iter().find(|row| **row != END && **row as usize >= table.rows()) {
        bail!("row {row} of {}, which has {}", table.param.name, table.rows());
    }
    let places: Vec<u32> = rows.iter().map(|row| table.place(*row)).collect();
    let Some(end) = &table.end else { return lookup(&Arc::new(places), &table.param) };
    if !is_fused(table.param.var.as_tensor()) {
        return select(&table.tensor()?, places);
    }
    let op = Fed { rows: rows.to_vec(), table: table.param.clone(), end: end.clone() };
    anchor(&[&table.param, end]).apply_op1(op)
}

struct Fed {
    rows: Vec<u32>,
    table: Param,
    end: Param,
}

impl CustomOp1 for Fed {
    fn name(&self) -> &'static str {
        "fed_words"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let (table, end) = (floats(self.table.var.as_tensor())?, floats(self.end.var.as_tensor())?);
        let (table, end): (&[f32], &[f32]) = (&table, &end);
        let width = end.len();
        let mut out = vec![0.0; self.rows.len() * width];
        par_rows(&mut out, width, |first, rows| {
            for (i, into) in rows.chunks_exact_mut(width.max(1)).enumerate() {
                let row = self.rows[first + i];
                into.copy_from_slice(if row == END { end } else { &table[row as usize * width..][..width] });
            }
        });
        result(out, (self.rows.len(), width))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (width, g) = (grad.dim(1)?, floats(&grad)?);
        let pairs = || g.chunks_exact(width.max(1)).zip(&self.rows);
        if self.table.trainable {
            let known: Vec<u32> = self.rows.iter().copied().filter(|row| *row != END).collect();
            self.table.sink.add_rows(&known, width, |into| {
                for (g, row) in pairs().filter(|(_, row)| **row != END) {
                    simd::add(&mut into[*row as usize * width..][..width], g);
                }
            });
        }
        if self.end.trainable {
            self.end
                .sink
                .add_with(|into| pairs().filter(|(_, row)| **row == END).for_each(|(g, _)| simd::add(into, g)));
        }
        Ok(None)
    }
}
