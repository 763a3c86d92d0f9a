//! The graph for Mermaid, which GitHub shows in Markdown.

use std::fmt::Write;

use super::{Graph, Kind, Vertex};

/// The text of a Mermaid flow chart.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    for (i, vertex) in graph.vertices.iter().enumerate() {
        let (open, close) = shape(vertex);
        let (name, detail) = (escape(&vertex.name), escape(&vertex.detail));
        let class = if vertex.is_shared() { ":::shared" } else { "" };
        let _ = writeln!(text, "  n{i}{open}\"{name}<br/>{detail}\"{close}{class}");
    }
    for edge in &graph.edges {
        let arrow = if edge.weak { "-.->" } else { "-->" };
        let label = if edge.label.is_empty() { String::new() } else { format!("|{}|", escape(&edge.label)) };
        let _ = writeln!(text, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    text.push_str("  classDef shared stroke:#d08700,stroke-width:3px\n");
    text
}

fn shape(vertex: &Vertex) -> (&'static str, &'static str) {
    match vertex.kind {
        Kind::Data => ("[(", ")]"),
        Kind::Layer if vertex.is_shared() => ("[[", "]]"),
        Kind::Layer => ("[", "]"),
        Kind::Task => ("([", "])"),
        Kind::Loss => ("{{", "}}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;").replace('\n', " ")
}
