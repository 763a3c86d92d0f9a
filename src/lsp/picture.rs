//! The graph of tasks, drawn: what an editor shows beside the text.

use serde::Serialize;
use std::collections::BTreeSet;

use super::markup::size;
use super::view::View;
use crate::plan::lower::{self, Sizes};
use crate::report::picture::{self, Graph, Kind};
use crate::sema::graph::ParamId;
use crate::sema::known::Known;
use crate::sema::model::Model;

/// A picture of a program, in three languages; none while there are mistakes in it.
#[derive(Debug, Default, Serialize)]
pub struct TaskGraph {
    /// As an image.
    pub svg: Option<String>,
    /// As a Mermaid flow chart.
    pub mermaid: Option<String>,
    /// For Graphviz.
    pub dot: Option<String>,
}

/// The graph of the program that a file is part of.
pub fn task_graph(view: &View<'_>) -> TaskGraph {
    let Some(model) = &view.program.checked.model else { return TaskGraph::default() };
    let graph = graph(model, view.known());
    TaskGraph {
        svg: Some(picture::svg(&graph)),
        mermaid: Some(picture::mermaid(&graph)),
        dot: Some(picture::dot(&graph)),
    }
}

/// The graph without data: sizes that only data tells stay symbols.
fn graph(model: &Model, known: &Known) -> Graph {
    let plan = lower::lower(model, &Sizes::default(), std::path::Path::new(""));
    let mut graph = Graph::of(&plan);
    for vertex in graph.vertices.iter_mut().filter(|v| v.kind == Kind::Layer) {
        let name = vertex.name.split(" ×").next().unwrap_or(&vertex.name).to_string();
        let params: BTreeSet<ParamId> = known.params_below(&[name]);
        let count = known.size(params);
        let needs_data = count.0.keys().any(|symbols| !symbols.is_empty());
        if needs_data {
            let detail = vertex.detail.rsplit_once(" · ").map_or("", |(before, _)| before);
            let shown = size(known, &count);
            vertex.detail = if detail.is_empty() { shown } else { format!("{detail} · {shown}") };
        }
    }
    graph
}
