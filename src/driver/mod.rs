//! A command as the phases that it calls, in order. Nothing is printed here.

pub mod check;
pub mod compile;
#[cfg(feature = "train")]
pub mod feed;
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
