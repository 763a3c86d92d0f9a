//! Rows of a table that no gradient goes through, put together only where the numbers themselves
//! are needed: an operation that treats every place alike can work on the rows of the table.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Tensor, bail};

use super::kernels::embedding::lookup;
use super::param::Param;

/// Row `at[n]` of a table `[V, d]` for each `n`.
#[derive(Debug)]
pub struct Looked {
    table: Param,
    at: Arc<Vec<u32>>,
    numbers: OnceLock<Tensor>,
}

impl Looked {
    /// These rows of `table`.
    pub fn new(table: &Param, at: Arc<Vec<u32>>) -> Self {
        Self { table: table.clone(), at, numbers: OnceLock::new() }
    }

    /// The table.
    pub fn table(&self) -> &Param {
        &self.table
    }

    /// The rows.
    pub fn at(&self) -> &[u32] {
        &self.at
    }

    /// The size of the table, which has all these rows.
    pub fn check(&self) -> Result<(usize, usize)> {
        let (rows, width) = self.table.var.dims2()?;
        match self.at.iter().find(|row| **row as usize >= rows) {
            Some(row) => bail!("row {row} of {}, which has {rows}", self.table.name),
            None => Ok((rows, width)),
        }
    }

    /// The numbers, `[N, d]`.
    pub fn numbers(&self) -> Result<&Tensor> {
        if let Some(numbers) = self.numbers.get() {
            return Ok(numbers);
        }
        let numbers = lookup(&self.at, &self.table)?;
        Ok(self.numbers.get_or_init(|| numbers))
    }
}
