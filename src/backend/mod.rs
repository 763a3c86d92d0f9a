//! Tensors: packed values, parameters with flat gradients, and the kernels that operations are
//! made of. This room knows nothing of the language.
//!
//! A value along a token axis is stored *packed*: the places of all examples one after another,
//! `[places, width]`, with offsets ([`rows::Rows`]) that say where each example begins. Nothing
//! is padded, so nothing has to be masked.

pub mod exec;
pub mod kernels;
pub mod looked;
pub mod model;
pub mod param;
pub mod params;
pub mod perturb;
pub mod rows;
pub mod run;
mod schedule;
mod split;
pub mod value;
pub mod votes;

pub use param::{Grads, Param, Sink, Written};
pub use rows::{Offsets, Rows};
pub use value::Value;

/// The label of a place that has none, and of a label that train never had.
pub const NO_LABEL: u32 = u32::MAX;
