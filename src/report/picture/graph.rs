//! A plan as a graph of data sets, layers, tasks and loss items.

use std::collections::BTreeSet;

use super::build::Builder;
use crate::plan::Plan;

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A data set.
    Data,
    /// A layer with parameters.
    Layer,
    /// A task with what is written inline in it.
    Task,
    /// A `loss` item.
    Loss,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// Its name.
    pub name: String,
    /// A second line: fields, operations, kind of task.
    pub detail: String,
    /// What it stands for.
    pub kind: Kind,
    /// Tasks that read it; a layer of two or more is shared.
    pub readers: usize,
}

impl Vertex {
    /// Whether it is a layer that several tasks read.
    pub fn is_shared(&self) -> bool {
        self.kind == Kind::Layer && self.readers > 1
    }
}

/// An arrow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Index of a vertex.
    pub from: usize,
    /// Index of another one.
    pub to: usize,
    /// What goes along: `label`, `probs`, `embedding`; empty for plain values.
    pub label: String,
    /// Parameters or gold rather than values.
    pub weak: bool,
}

/// Boxes and arrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Boxes: data sets, layers, tasks, losses.
    pub vertices: Vec<Vertex>,
    /// Arrows, each once.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// The graph of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut graph = Builder::new(plan).build();
        graph.count_readers();
        graph
    }

    /// For each vertex, the tasks that its value reaches before another task.
    fn count_readers(&mut self) {
        for at in 0..self.vertices.len() {
            let (mut seen, mut tasks, mut open) = (BTreeSet::from([at]), 0, vec![at]);
            while let Some(from) = open.pop() {
                for edge in self.edges.iter().filter(|edge| edge.from == from && !edge.weak) {
                    if !seen.insert(edge.to) {
                        continue;
                    }
                    match self.vertices[edge.to].kind {
                        Kind::Task => tasks += members(&self.vertices[edge.to].name),
                        _ => open.push(edge.to),
                    }
                }
            }
            self.vertices[at].readers = tasks;
        }
    }
}

/// How many members a box stands for: 16 of `sentiment ×16`.
fn members(name: &str) -> usize {
    name.rsplit_once(" ×").and_then(|(_, count)| count.parse().ok()).unwrap_or(1)
}
