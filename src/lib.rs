//! mtlc, a compiler for multi-task models.
//!
//! A `.mtl` file says what a model is; the rooms of this crate turn it into a trained one:
//! [`syntax`] parses, `sema` checks, `plan` lowers, `backend` computes and `train`
//! optimises. `driver` calls them in order.
#![warn(missing_docs)]

#[cfg(feature = "train")]
pub mod backend;
pub mod cli;
pub mod data;
pub mod diagnostics;
pub mod driver;
pub mod ops;
pub mod plan;
pub mod report;
pub mod sema;
pub mod source;
pub mod syntax;
#[cfg(feature = "train")]
pub mod train;
