//! The graph of a plan as a picture: data sets, layers, tasks and loss items, with what the tasks
//! share and which of them reads whose output.

mod build;
mod dot;
mod graph;
mod layout;
mod mermaid;
pub mod owner;
mod svg;
#[cfg(test)]
pub(crate) mod tests;

pub use dot::dot;
pub use graph::{Edge, Graph, Kind, Vertex};
pub use mermaid::mermaid;
pub use svg::svg;
