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

/// A picture of a program, in three languages.
#[derive(Debug, Serialize)]
pub struct TaskGraph {
    /// The program.
    pub name: String,
    /// As an image.
    pub svg: String,
    /// As a Mermaid flow chart.
    pub mermaid: String,
    /// For Graphviz.
    pub dot: String,
}

/// The graph of the program that a file is part of; nothing while there are mistakes in it.
pub fn task_graph(view: &View<'_>) -> Option<TaskGraph> {
    let model = view.program.checked.model.as_ref()?;
    let graph = graph(model, view.known());
    Some(TaskGraph {
        name: model.name.clone(),
        svg: picture::svg(&graph),
        mermaid: picture::mermaid(&graph),
        dot: picture::dot(&graph),
    })
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
