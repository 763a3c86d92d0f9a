//! The words that a decoder reads and those that it writes.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::backend::kernels::buffer::{floats, is_fused};
use crate::backend::kernels::select::select;
use crate::backend::kernels::transformer::Dense;
use crate::backend::param::Param;

/// Stands for the end of a text, which is also what a decoder reads before the first word.
pub const END: u32 = u32::MAX;

/// A table of vectors with a row for the end of a text.
#[derive(Clone, Debug)]
pub struct Table {
    /// `[rows, width]`.
    pub param: Param,
    /// `[1, width]`; without it, the last row of `param` is that of the end.
    pub end: Option<Param>,
}

impl Table {
    /// Rows without that of the end.
    pub fn rows(&self) -> usize {
        self.param.var.dims()[0] - usize::from(self.end.is_none())
    }

    /// Width of the vectors.
    pub fn width(&self) -> usize {
        self.param.var.dims()[1]
    }

    /// All rows, that of the end last, as an operand.
    pub(super) fn tensor(&self) -> Result<Tensor> {
        match &self.end {
            Some(end) => Tensor::cat(&[self.param.tensor(), end.tensor()], 0),
            None => Ok(self.param.tensor()),
        }
    }

    /// The number of a row, where [`END`] is the last.
    pub(super) fn place(&self, row: u32) -> u32 {
        if row == END { self.rows() as u32 } else { row }
    }

    /// The parameters.
    pub(super) fn params(&self) -> impl Iterator<Item = &Param> {
        std::iter::once(&self.param).chain(&self.end)
    }
}

/// The vocabulary of a decoder. Word 0 is the unknown one, and the last is the end of a text.
#[derive(Clone, Debug)]
pub struct Words {
    /// Vectors of the words before each place.
    pub input: Table,
    /// Vectors that states are multiplied by.
    pub output: Table,
    /// `[words]`, that of the end last.
    pub bias: Param,
    /// The row of `output` of each word but the end; without it, the word itself.
    pub rows: Option<Arc<Vec<u32>>>,
    /// From the width of `input` to that of the decoder, where they differ.
    pub inward: Option<Dense>,
    /// From the width of the decoder to that of `output`.
    pub outward: Option<Dense>,
    /// What states are multiplied by first: a table that words are read from too has vectors
    /// of length √d, so it is 1/√d there.
    pub factor: f32,
}

impl Words {
    /// How many there are, the unknown one and the end included.
    pub fn count(&self) -> usize {
        self.bias.len()
    }

    /// The number of the end.
    pub fn end(&self) -> u32 {
        self.count() as u32 - 1
    }

    /// Rows of the table of the output, in the order of words.
    pub(super) fn order(&self) -> Vec<u32> {
        let end = self.output.rows() as u32;
        match &self.rows {
            Some(rows) => rows.iter().copied().chain([end]).collect(),
            None => (0..=end).collect(),
        }
    }

    /// The vectors of the words, that of the end last, `[words, width]`.
    pub(super) fn matrix(&self) -> Result<Vec<f32>> {
        let width = self.output.width();
        let table = numbers(&self.output.param)?;
        let end = self.output.end.as_ref().map(numbers).transpose()?;
        if self.rows.is_none() && end.is_none() {
            return Ok(table);
        }
        let mut all = Vec::with_capacity(self.count() * width);
        for row in self.order() {
            let at = row as usize * width;
            match &end {
                Some(end) if at == table.len() => all.extend_from_slice(end),
                _ => all.extend_from_slice(&table[at..at + width]),
            }
        }
        Ok(all)
    }

    /// [`Words::matrix`] as an operand.
    pub(super) fn tensor(&self) -> Result<Tensor> {
        let all = self.output.tensor()?;
        if self.rows.is_none() { Ok(all) } else { select(&all, self.order()) }
    }

    /// Whether fused kernels apply to the output.
    pub(super) fn is_fused(&self, states: &Tensor) -> bool {
        is_fused(states) && is_fused(self.output.param.var.as_tensor())
    }
}

/// The numbers of a parameter, wherever it is.
pub(super) fn numbers(param: &Param) -> Result<Vec<f32>> {
    let tensor = param.var.as_tensor();
    match is_fused(tensor) {
        true => Ok(floats(tensor)?.to_vec()),
        false => crate::backend::exec::numbers(&tensor.to_dtype(candle_core::DType::F32)?),
    }
}
