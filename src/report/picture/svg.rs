//! The graph as SVG, legible on light and dark ground, alone and inside a page.

use std::fmt::Write;

use super::layout::{Input, Layout, layout};
use super::{Edge, Graph, Kind, Vertex};
use crate::report::html::escape;

/// Columns of a name in a box at most.
const MOST: usize = 30;

/// Columns of the smaller line below it.
const MOST_DETAIL: usize = 38;

const STYLE: &str = "
.mtlc-graph{--ink:#1b1f24;--soft:#59636e;--line:#8b949e;--ground:#fff;font-family:ui-sans-serif,system-ui,sans-serif}
.mtlc-graph text{fill:var(--ink);font-size:13px;text-anchor:middle}
.mtlc-graph .detail{fill:var(--soft);font-size:11px}
.mtlc-graph .label{fill:var(--soft);font-size:10.5px;font-style:italic;paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}
.mtlc-graph path{fill:none;stroke:var(--line);stroke-width:1.4}
.mtlc-graph .weak{stroke-dasharray:4 4}
.mtlc-graph .head{fill:var(--line);stroke:none}
.mtlc-graph rect{stroke-width:1.4}
.mtlc-graph .data{fill:#dbe9fb;stroke:#3b78c3}
.mtlc-graph .layer{fill:#eff1f3;stroke:#818b96}
.mtlc-graph .shared{fill:#fdecc8;stroke:#b97a00}
.mtlc-graph .inner{fill:none}
.mtlc-graph .task{fill:#d8f2de;stroke:#2c8a46}
.mtlc-graph .loss{fill:#fbdfdf;stroke:#c24545;stroke-dasharray:5 3}
@media (prefers-color-scheme:dark){
.mtlc-graph{--ink:#e8ebee;--soft:#a4adb7;--line:#768390;--ground:#14171b}
.mtlc-graph .data{fill:#16304f;stroke:#5b9be6}
.mtlc-graph .layer{fill:#262b31;stroke:#7d8792}
.mtlc-graph .shared{fill:#4a3508;stroke:#e2a832}
.mtlc-graph .inner{fill:none}
.mtlc-graph .task{fill:#12381d;stroke:#4bb569}
.mtlc-graph .loss{fill:#471c1c;stroke:#e57373}
}
";

/// The picture.
pub fn svg(graph: &Graph) -> String {
    let sizes: Vec<(f64, f64)> = graph.vertices.iter().map(size).collect();
    let edges: Vec<(usize, usize)> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let places = layout(&Input { sizes: &sizes, edges: &edges });
    let (width, height) = (places.width.max(1.0).ceil(), places.height.max(1.0).ceil());
    let mut text = String::new();
    let _ = write!(
        text,
        "<svg class=\"mtlc-graph\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"data sets, layers and tasks\">\n\
         <style>{STYLE}</style>\n"
    );
    for (edge, route) in graph.edges.iter().zip(&places.routes) {
        draw_edge(&mut text, edge, route);
    }
    for (vertex, (center, size)) in graph.vertices.iter().zip(places.centers.iter().zip(&sizes)) {
        draw_box(&mut text, vertex, *center, *size);
    }
    draw_labels(&mut text, graph, &places);
    text.push_str("</svg>\n");
    text
}

/// Text as it fits into a box.
fn cut(text: &str, most: usize) -> String {
    console::truncate_str(text, most, "…").into_owned()
}

/// Width and height of a box.
fn size(vertex: &Vertex) -> (f64, f64) {
    let name = console::measure_text_width(&cut(&vertex.name, MOST)) as f64 * 7.6;
    let detail = console::measure_text_width(&cut(&vertex.detail, MOST_DETAIL)) as f64 * 6.3;
    (name.max(detail).max(56.0) + 26.0, 44.0)
}

fn draw_box(text: &mut String, vertex: &Vertex, (x, y): (f64, f64), (width, height): (f64, f64)) {
    let (class, radius) = match vertex.kind {
        Kind::Data => ("data", 3.0),
        Kind::Layer if vertex.is_shared() => ("shared", 9.0),
        Kind::Layer => ("layer", 9.0),
        Kind::Task => ("task", 22.0),
        Kind::Loss => ("loss", 9.0),
    };
    let readers = if vertex.is_shared() { format!(", read by {} tasks", vertex.readers) } else { String::new() };
    let _ = write!(text, "<g><title>{}: {}{readers}</title>", escape(&vertex.name), escape(&vertex.detail));
    rect(text, class, (x, y), (width, height), radius);
    if vertex.is_shared() {
        rect(text, "shared inner", (x, y), (width - 7.0, height - 7.0), radius - 3.0);
    }
    let _ = write!(text, "<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", y - 3.0, escape(&cut(&vertex.name, MOST)));
    let _ = writeln!(
        text,
        "<text class=\"detail\" x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>",
        y + 13.0,
        escape(&cut(&vertex.detail, MOST_DETAIL))
    );
}

fn rect(text: &mut String, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), radius: f64) {
    let _ = write!(
        text,
        "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>",
        x - width / 2.0,
        y - height / 2.0
    );
}

/// A curve that leaves and arrives level, and a head that points where it goes.
fn draw_edge(text: &mut String, edge: &Edge, route: &[(f64, f64)]) {
    let (Some(first), Some(last)) = (route.first(), route.last()) else { return };
    let right = first.0 <= last.0;
    let back = if right { -7.0 } else { 7.0 };
    let mut path = format!("M{:.1} {:.1}", first.0, first.1);
    for (i, pair) in route.windows(2).enumerate() {
        let end = if i + 2 == route.len() { pair[1].0 + back } else { pair[1].0 };
        let half = (end - pair[0].0) / 2.0;
        let _ = write!(
            path,
            "C{:.1} {:.1} {:.1} {:.1} {end:.1} {:.1}",
            pair[0].0 + half,
            pair[0].1,
            end - half,
            pair[1].1,
            pair[1].1
        );
    }
    let class = if edge.weak { " class=\"weak\"" } else { "" };
    let (x, y) = *last;
    let _ = writeln!(
        text,
        "<path{class} d=\"{path}\"/><path class=\"head\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}Z\"/>",
        x + back * 1.2,
        y - 4.0,
        x + back * 1.2,
        y + 4.0
    );
}

/// What goes along an arrow, in the middle of its first part, above all lines.
fn draw_labels(text: &mut String, graph: &Graph, places: &Layout) {
    for (edge, route) in graph.edges.iter().zip(&places.routes) {
        let [a, b, ..] = route[..] else { continue };
        if !edge.label.is_empty() {
            let (x, y) = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0 - 3.0);
            let _ = writeln!(text, "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(&edge.label));
        }
    }
}
