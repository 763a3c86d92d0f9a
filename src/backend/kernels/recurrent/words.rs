//! Inputs that are rows of a table: what the gates read of a word is the same wherever the word
//! stands, so it is found once for each word, and once for all where parameters stay as they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor};

use super::pass::Gates;
use super::weights::Weights;
use crate::backend::exec::distinct;
use crate::backend::kernels::buffer::floats;
use crate::backend::looked::Looked;
use crate::backend::param::Param;

/// What a recurrent layer reads.
pub enum Input<'a> {
    /// Rows `[N, i]`.
    Numbers(&'a Tensor),
    /// Rows of a table, and where to keep what the gates read of them, if parameters stay.
    Rows(&'a Looked, Option<&'a Projections>),
}

impl<'a> From<&'a Tensor> for Input<'a> {
    fn from(x: &'a Tensor) -> Self {
        Self::Numbers(x)
    }
}

/// What the gates of layers read of all rows of tables, as long as no parameter changes.
#[derive(Debug, Default)]
pub struct Projections {
    /// By the places of table and weights among the parameters.
    made: Mutex<HashMap<(usize, usize), Kept>>,
}

/// `table w_ih^T + bias`, `[V, gh]`, and `w_hh^T`, `[h, gh]`.
type Kept = [Arc<Vec<f32>>; 2];

impl Projections {
    /// Numbers up to which a table's part is kept: 64 MB.
    const MOST: usize = 1 << 24;

    fn of(&self, weights: &Weights, table: &Param) -> Result<Kept> {
        let place = (table.sink.offset(), weights.w_ih.sink.offset());
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = made().get(&place) {
            return Ok(kept.clone());
        }
        // Not while the lock is held: a thread that waits for others takes on other work. Two that
        // begin at the same time find the same numbers.
        let numbers = floats(table.var.as_tensor())?;
        let found = [weights.project(&numbers, table.var.dims()[0], false)?.into(), weights.transposed()?.into()];
        made().insert(place, found.clone());
        Ok(found)
    }
}

/// The words of a batch.
pub(super) enum Words<'a> {
    /// Of a table that is projected as a whole.
    Kept(&'a Looked, &'a Projections),
    /// The distinct ones `[k, d]`, and which of them stands at each place.
    Distinct(Vec<f32>, Arc<Vec<u32>>),
}

impl<'a> Words<'a> {
    /// The words of these rows, where something can be saved for gates of `width` numbers.
    pub fn of(looked: &'a Looked, kept: Option<&'a Projections>, width: usize) -> Result<Option<Self>> {
        let (rows, d) = looked.check()?;
        if let Some(kept) = kept.filter(|_| rows * width <= Projections::MOST) {
            return Ok(Some(Self::Kept(looked, kept)));
        }
        let (found, places) = distinct(looked.at());
        if 2 * found.len() > places.len() {
            return Ok(None);
        }
        let table = floats(looked.table().var.as_tensor())?;
        let mut numbers = Vec::with_capacity(found.len() * d);
        found.iter().for_each(|row| numbers.extend_from_slice(&table[*row as usize * d..][..d]));
        Ok(Some(Self::Distinct(numbers, places)))
    }

    /// The input's part of the gates.
    pub fn project(&self, weights: &Weights, alone: bool) -> Result<Gates<'_>> {
        Ok(match self {
            Self::Kept(looked, kept) => {
                let [table, transposed] = kept.of(weights, looked.table())?;
                Gates::Rows { table, at: looked.at(), transposed: Some(transposed) }
            }
            Self::Distinct(numbers, places) => {
                let rows = numbers.len() / weights.w_ih.var.dims()[1].max(1);
                let table = weights.project(numbers, rows, alone)?.into();
                Gates::Rows { table, at: places, transposed: None }
            }
        })
    }
}
