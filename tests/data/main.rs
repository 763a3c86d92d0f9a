//! Reading data, spaces, vocabularies and batches.

mod batches;
mod formats;
mod mutations;
mod pieces;
mod predict;
mod real;
mod spaces;
mod support;
