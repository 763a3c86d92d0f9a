//! A command as the phases that it calls, in order. Nothing is printed here.

pub mod check;
pub mod compile;

pub use check::{Checked, Settings, check};
pub use compile::{Compiled, compile};
