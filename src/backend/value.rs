//! What flows between operations while a batch is computed.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::rows::Rows;
use crate::data::lexicon::Lexicon;

/// A computed value with its rows.
#[derive(Clone, Debug)]
pub enum Value {
    /// Vectors, `[places, width]`, f32.
    Float {
        /// The numbers.
        tensor: Tensor,
        /// How places group.
        rows: Arc<Rows>,
    },
    /// One label for each place, [`super::NO_LABEL`] where there is none.
    Label {
        /// Indices into the label space.
        ids: Arc<Vec<u32>>,
        /// Size of the label space.
        space: usize,
        /// How places group.
        rows: Arc<Rows>,
    },
    /// Words, as indices into the run's lexicon.
    Tokens {
        /// Indices into the lexicon.
        ids: Arc<Vec<u32>>,
        /// The words.
        lexicon: Arc<Lexicon>,
        /// How places group.
        rows: Arc<Rows>,
    },
    /// A number that belongs to no example, such as `l2(layer)`; shape `[]`.
    Scalar(Tensor),
}

impl Value {
    /// A vector value.
    pub fn float(tensor: Tensor, rows: &Arc<Rows>) -> Self {
        Value::Float { tensor, rows: rows.clone() }
    }

    /// The numbers and rows of a vector value.
    pub fn as_float(&self) -> Result<(&Tensor, &Arc<Rows>)> {
        match self {
            Value::Float { tensor, rows } => Ok((tensor, rows)),
            _ => candle_core::bail!("vectors are needed here"),
        }
    }

    /// The numbers of a vector value or scalar.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Value::Float { tensor, .. } | Value::Scalar(tensor) => Ok(tensor),
            _ => candle_core::bail!("numbers are needed here"),
        }
    }

    /// The same rows with other numbers.
    pub fn with_tensor(&self, tensor: Tensor) -> Value {
        match self.rows() {
            Some(rows) => Value::Float { tensor, rows: rows.clone() },
            None => Value::Scalar(tensor),
        }
    }

    /// The rows, unless it is a scalar.
    pub fn rows(&self) -> Option<&Arc<Rows>> {
        match self {
            Value::Float { rows, .. } | Value::Label { rows, .. } | Value::Tokens { rows, .. } => Some(rows),
            Value::Scalar(_) => None,
        }
    }
}
