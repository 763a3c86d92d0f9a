//! A command as the phases that it calls, in order. Nothing is printed here.
//!
//! This is also the way in for a program that uses mtlc as a library: [`check()`] says what is
//! wrong with a program, [`load()`] reads its data too and compiles it, `training::train` trains it
//! into a run directory, `run::Folder` reads that back, and `predict::texts` asks it.
//! `examples/library.rs` does all of it.

mod brought;
pub mod check;
pub mod compile;
pub mod encoders;
#[cfg(feature = "train")]
pub mod export;
pub mod failure;
#[cfg(feature = "train")]
pub mod feed;
#[cfg(feature = "train")]
mod foresee;
mod hub;
pub mod load;
#[cfg(feature = "train")]
pub mod predict;
#[cfg(feature = "train")]
pub mod resume;
#[cfg(feature = "train")]
pub mod run;
mod sound;
#[cfg(feature = "train")]
pub mod training;

pub use check::{Checked, Settings, check};
pub use compile::{Compiled, compile};
pub use failure::Failure;
pub use load::{Loaded, load};
