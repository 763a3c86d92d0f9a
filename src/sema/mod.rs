//! Checking: names, types, axes and the dependency graph. Trees become a typed graph; no tensor
//! exists and no data is read here.

pub mod analysis;
pub mod bind;
pub mod call;
pub mod checker;
pub mod consts;
pub mod coupling;
mod data;
pub mod encoders;
pub mod eval;
mod excuse;
mod expand;
pub mod families;
mod figures;
pub mod graph;
pub mod items;
pub mod known;
pub mod layers;
mod lints;
pub mod model;
mod outputs;
mod paths;
pub mod references;
pub mod runs;
mod signatures;
pub mod suggest;
pub mod symbols;
pub mod tasks;
mod training;
pub mod types;
pub mod walk;

pub use analysis::{Analysis, Program, check, read};
pub use lints::allow;
