//! The graph for Graphviz.

use std::fmt::Write;

use super::{Graph, Kind};

/// The text of a `.dot` file.
pub fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph mtlc {\n  rankdir=LR;\n  bgcolor=transparent;\n");
    text.push_str("  node [fontname=\"sans-serif\", fontsize=11, style=\"filled,rounded\", fillcolor=white];\n");
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=9, color=gray40];\n");
    for (i, vertex) in graph.vertices.iter().enumerate() {
        let shape = match vertex.kind {
            Kind::Data => "shape=cylinder, style=filled, fillcolor=\"#dbe9fb\"",
            Kind::Layer if vertex.is_shared() => "shape=box, peripheries=2, fillcolor=\"#fdecc8\"",
            Kind::Layer => "shape=box, fillcolor=\"#eeeeee\"",
            Kind::Task => "shape=box, fillcolor=\"#d7f0dc\"",
            Kind::Loss => "shape=hexagon, style=filled, fillcolor=\"#fbdede\"",
        };
        let (name, detail) = (escape(&vertex.name), escape(&vertex.detail));
        let _ = writeln!(text, "  n{i} [label=\"{name}\\n{detail}\", {shape}];");
    }
    for edge in &graph.edges {
        let style = if edge.weak { ", style=dashed" } else { "" };
        let _ = writeln!(text, "  n{} -> n{} [label=\"{}\"{style}];", edge.from, edge.to, escape(&edge.label));
    }
    text.push_str("}\n");
    text
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}
