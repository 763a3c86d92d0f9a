//! The label before each place as a second input of a recurrent layer: as if the layer read
//! `[x; e(label)]`, but with one product for each label instead of one for each place.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use crate::backend::kernels::buffer::{floats, par_rows, sum_rows};
use crate::backend::kernels::simd;
use crate::backend::kernels::views::{Into, Target, View, par_product};
use crate::backend::param::Param;

/// Embeddings of labels, and how the gates read them.
#[derive(Clone)]
pub struct Labels {
    /// `[C + 1, d]`, the last for a place whose previous label is not known.
    pub table: Param,
    /// `[gh, d]`
    pub weight: Param,
}

impl Labels {
    /// What each label adds to the gates, `[C + 1, gh]`.
    pub(super) fn parts(&self) -> Result<Vec<f32>> {
        let ((count, d), width) = (self.table.var.dims2()?, self.weight.var.dims()[0]);
        let (table, w) = (floats(self.table.var.as_tensor())?, floats(self.weight.var.as_tensor())?);
        let mut parts = vec![0.0; count * width];
        let (table, w) = (View::new(&table, count, d), View::new(&w, width, d).t());
        par_product(Target::new(&mut parts, count, width), Into::Set, table, w);
        Ok(parts)
    }

    /// [`Labels::parts`] out of Candle's operations.
    pub(super) fn parts_plain(&self) -> Result<Tensor> {
        self.table.tensor().matmul(&self.weight.tensor().t()?)
    }

    /// Whether the shapes fit gates of `width`.
    pub(super) fn check(&self, width: usize) -> Result<()> {
        if self.weight.var.dims2()? != (width, self.table.var.dims2()?.1) {
            let (table, weight) = (self.table.var.dims(), self.weight.var.dims());
            bail!("{} {weight:?} for labels {table:?} and gates of {width}", self.weight.name);
        }
        Ok(())
    }
}

/// The label of each row.
pub(super) struct Fed {
    pub labels: Labels,
    /// Its row in the table.
    pub rows: Arc<Vec<u32>>,
}

impl Fed {
    pub fn params(&self) -> [&Param; 2] {
        [&self.labels.table, &self.labels.weight]
    }

    pub fn check(&self, rows: usize, width: usize) -> Result<()> {
        let count = self.labels.table.var.dims()[0];
        if self.rows.len() != rows || self.rows.iter().any(|row| *row as usize >= count) {
            bail!("{} rows of {}, which has {count}, for {rows} places", self.rows.len(), self.labels.table.name);
        }
        self.labels.check(width)
    }

    /// Adds what the labels add to gates `[N, gh]`.
    pub fn add_to(&self, gates: &mut [f32]) -> Result<()> {
        let (parts, width) = (self.labels.parts()?, self.labels.weight.var.dims()[0]);
        par_rows(gates, width, |first, gates| {
            for (gates, row) in gates.chunks_exact_mut(width.max(1)).zip(&self.rows[first..]) {
                simd::add(gates, &parts[*row as usize * width..][..width]);
            }
        });
        Ok(())
    }

    /// [`Fed::add_to`] out of Candle's operations: what is added.
    pub fn plain(&self) -> Result<Tensor> {
        let parts = self.labels.parts_plain()?;
        parts.index_select(&Tensor::new(&self.rows[..], parts.device())?, 0)
    }

    /// Adds the gradients of the table and the weight, given those in front of the gates.
    pub fn add_gradients(&self, gates: &[f32]) -> Result<()> {
        let Labels { table, weight } = &self.labels;
        let ((count, d), width) = (table.var.dims2()?, weight.var.dims()[0]);
        let mut sums = vec![0.0; count * width];
        sum_rows(self.rows.len(), &mut sums, |range, sums| {
            for at in range {
                simd::add(&mut sums[self.rows[at] as usize * width..][..width], &gates[at * width..][..width]);
            }
        });
        let (sums, e) = (View::new(&sums, count, width), floats(table.var.as_tensor())?);
        let w = floats(weight.var.as_tensor())?;
        if weight.trainable {
            let e = View::new(&e, count, d);
            weight.sink.add_with(|into| par_product(Target::new(into, width, d), Into::Add, sums.t(), e));
        }
        if table.trainable {
            let w = View::new(&w, width, d);
            table.sink.add_with(|into| par_product(Target::new(into, count, d), Into::Add, sums, w));
        }
        Ok(())
    }
}
