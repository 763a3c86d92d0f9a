//! What flows between operations while a batch is computed.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::looked::Looked;
use super::rows::{Offsets, Rows};
use crate::data::lexicon::Lexicon;
use crate::data::pretrained::pieces::Split;
use crate::data::value::{Labelled, Relation};

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
    /// Vectors too, as rows of a table.
    Looked {
        /// The rows of the table.
        looked: Arc<Looked>,
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
    /// A tree over the tokens of each text: for each its head, counted from 1, with 0 for the
    /// root and [`super::NO_LABEL`] where it is not known, and the label of the arc.
    Tree {
        /// The heads.
        heads: Arc<Vec<u32>>,
        /// Indices into the label space.
        ids: Arc<Vec<u32>>,
        /// Size of the label space.
        space: usize,
        /// How tokens group.
        rows: Arc<Rows>,
    },
    /// Labelled spans of each example, `None` where they are not known.
    Spans {
        /// Those of each example.
        each: Arc<Vec<Option<Vec<Labelled>>>>,
        /// The tokens that they lie in, or the examples alone.
        rows: Arc<Rows>,
    },
    /// Labelled ordered pairs of spans of each example, `None` where they are not known.
    Relations {
        /// Those of each example.
        each: Arc<Vec<Option<Vec<Relation>>>>,
        /// The spans that they are of.
        spans: Arc<Vec<Option<Vec<Labelled>>>>,
        /// The examples.
        rows: Arc<Rows>,
    },
    /// States of the pieces of a pretrained encoder, special ones with them.
    Encoded {
        /// `[pieces, width]`.
        states: Tensor,
        /// Which pieces are which words.
        split: Arc<Split>,
        /// The windows that pieces look around in.
        windows: Offsets,
        /// How words group.
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
    /// What a decoder wrote about each example, the best first.
    Written {
        /// The texts of each example.
        each: Arc<Vec<Vec<Text>>>,
        /// The words.
        lexicon: Arc<Lexicon>,
        /// The examples.
        rows: Arc<Rows>,
    },
    /// A number that belongs to no example, such as `l2(layer)`; shape `[]`.
    Scalar(Tensor),
}

/// A text that a decoder wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// Its words, as indices into the run's lexicon.
    pub words: Vec<u32>,
    /// log p of its words and its end.
    pub log_p: f32,
    /// By what it is ranked.
    pub score: f32,
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
            Value::Looked { looked, rows } => Ok((looked.numbers()?, rows)),
            _ => candle_core::bail!("vectors are needed here"),
        }
    }

    /// The numbers of a vector value or scalar.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Value::Float { tensor, .. } | Value::Scalar(tensor) => Ok(tensor),
            Value::Looked { looked, .. } => looked.numbers(),
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
            Value::Float { rows, .. }
            | Value::Looked { rows, .. }
            | Value::Label { rows, .. }
            | Value::Tree { rows, .. }
            | Value::Spans { rows, .. }
            | Value::Relations { rows, .. }
            | Value::Encoded { rows, .. }
            | Value::Tokens { rows, .. }
            | Value::Written { rows, .. } => Some(rows),
            Value::Scalar(_) => None,
        }
    }

    /// Words of several batches, one after another.
    pub fn join(parts: &[Value]) -> Result<Value> {
        let (mut all, mut places) = (Vec::new(), Vec::with_capacity(parts.len()));
        let mut words = None;
        for part in parts {
            let Value::Tokens { ids, lexicon, rows } = part else { candle_core::bail!("only words can be joined") };
            all.extend_from_slice(ids);
            places.push(&**rows);
            words = Some(lexicon.clone());
        }
        match words {
            Some(lexicon) => Ok(Value::Tokens { ids: all.into(), lexicon, rows: Rows::join(&places).into() }),
            None => candle_core::bail!("there is nothing to join"),
        }
    }

    /// The value of these examples alone.
    pub fn cut(&self, examples: Range<usize>) -> Result<Value> {
        let Some((rows, places)) = self.rows().map(|rows| rows.cut(examples.clone())) else {
            return Ok(self.clone());
        };
        let rows = Arc::new(rows);
        Ok(match self {
            Value::Float { tensor, .. } => Value::Float { tensor: tensor.narrow(0, places.start, places.len())?, rows },
            Value::Looked { looked, .. } => {
                Value::Looked { looked: Looked::new(looked.table(), looked.at()[places].to_vec().into()).into(), rows }
            }
            Value::Label { ids, space, .. } => Value::Label { ids: ids[places].to_vec().into(), space: *space, rows },
            Value::Tree { heads, ids, space, .. } => Value::Tree {
                heads: heads[places.clone()].to_vec().into(),
                ids: ids[places].to_vec().into(),
                space: *space,
                rows,
            },
            Value::Spans { each, .. } => Value::Spans { each: each[examples].to_vec().into(), rows },
            Value::Relations { each, spans, .. } => {
                let (each, spans) = (each[examples.clone()].to_vec(), spans[examples].to_vec());
                Value::Relations { each: each.into(), spans: spans.into(), rows }
            }
            Value::Encoded { .. } => candle_core::bail!("the states of pieces cannot be cut"),
            Value::Tokens { ids, lexicon, .. } => {
                Value::Tokens { ids: ids[places].to_vec().into(), lexicon: lexicon.clone(), rows }
            }
            Value::Written { each, lexicon, .. } => {
                Value::Written { each: each[examples].to_vec().into(), lexicon: lexicon.clone(), rows }
            }
            Value::Scalar(_) => self.clone(),
        })
    }
}
