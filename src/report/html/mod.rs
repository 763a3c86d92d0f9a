//! `report.html`: one file without any other, light or dark as the reader likes it.

mod chart;
mod curves;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Write;
use std::path::Path;

use super::metrics_log::Line;
use super::numbers::{duration, short, thousands};
use super::picture::{Graph, svg};
use super::summary::{LayerRow, layers};
use super::watch::Figure;
use super::{Confusion, Environment};
use crate::plan::Plan;
use crate::source::SourceMap;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Everything that a report shows. What is empty is left out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Name of the program.
    pub name: String,
    /// What the run told.
    pub lines: Vec<Line>,
    /// Test figures.
    pub test: Vec<Figure>,
    /// What is taken for what, on test.
    pub confusions: Vec<Confusion>,
    /// The graph.
    pub graph: Graph,
    /// Parameters by layer.
    pub layers: Vec<LayerRow>,
    /// Where and how.
    pub environment: Environment,
    /// Path and text of each source file.
    pub sources: Vec<(String, String)>,
    /// Seconds of training, where somebody counted.
    pub seconds: Option<f64>,
}

impl Report {
    /// A report of a plan, without figures yet.
    pub fn of(plan: &Plan) -> Self {
        Self { name: plan.name.clone(), graph: Graph::of(plan), layers: layers(plan), ..Self::default() }
    }

    /// Takes the texts of a program.
    pub fn with_sources(mut self, sources: &SourceMap) -> Self {
        let text = |file: &crate::source::SourceFile| (file.path.display().to_string(), file.text.to_string());
        self.sources = sources.files().map(|(_, file)| text(file)).collect();
        self
    }

    /// Writes the file whole, or not at all.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        super::results::write_whole(path, self.render().as_bytes())
    }

    /// The page.
    pub fn render(&self) -> String {
        let sections = [
            ("figures", "Test figures", tables::figures(&self.test)),
            ("curves", "Curves", curves::curves(&self.lines)),
            ("labels", "Labels", tables::labels(&self.confusions)),
            ("graph", "Graph", self.picture()),
            ("layers", "Parameters", tables::layers(&self.layers)),
            ("epochs", "Epochs", tables::epochs(&self.lines)),
            ("environment", "Environment", tables::environment(&self.environment)),
            ("source", "Source", tables::sources(&self.sources)),
        ];
        let shown = || sections.iter().filter(|(_, _, body)| !body.is_empty());
        let name = escape(&self.name);
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n\
             <title>{name} · mtlc</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{name}</h1>\n<p class=\"soft\">{}</p>\n<nav>",
            self.tagline()
        );
        for (id, title, _) in shown() {
            let _ = write!(page, "<a href=\"#{id}\">{title}</a> ");
        }
        page.push_str("</nav>\n</header>\n<main>\n");
        for (id, title, body) in shown() {
            let _ = write!(page, "<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>\n");
        }
        let _ = write!(page, "</main>\n<div id=\"tip\" hidden></div>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
        page
    }

    fn picture(&self) -> String {
        if self.graph.vertices.is_empty() {
            return String::new();
        }
        let shared = self.graph.vertices.iter().filter(|vertex| vertex.is_shared()).count();
        let note = match shared {
            0 => "No layer is read by more than one task.".to_string(),
            1 => "The layer with a double border is shared: more than one task reads it.".to_string(),
            _ => "Layers with a double border are shared: more than one task reads them.".to_string(),
        };
        let mut body = format!("<div class=\"wide\">\n{}</div>\n<p class=\"soft key\">", svg(&self.graph));
        for (class, name) in
            [("data", "data set"), ("layer", "layer"), ("shared", "shared layer"), ("task", "task"), ("loss", "loss")]
        {
            let _ = write!(body, "<span class=\"swatch {class}\"></span>{name} ");
        }
        let _ = write!(body, "</p>\n<p class=\"soft\">{note}</p>\n");
        body
    }

    /// When, how long, how many steps, how large.
    fn tagline(&self) -> String {
        let steps = self.lines.iter().map(Line::step).max().unwrap_or(0);
        let epochs = self.lines.iter().filter(|line| matches!(line, Line::Epoch { .. })).count();
        let numbers: usize = self.layers.iter().map(|row| row.numbers).sum();
        let count = |n: usize, noun: &str| {
            (n > 0).then(|| format!("{} {noun}{}", thousands(n as u64), if n == 1 { "" } else { "s" }))
        };
        let parts = [
            (!self.environment.started.is_empty()).then(|| escape(&self.environment.started)),
            self.seconds.map(|seconds| format!("trained in {}", duration(seconds))),
            count(epochs, "epoch"),
            count(steps, "step"),
            count(numbers, "parameter"),
            (!self.environment.device.is_empty()).then(|| escape(&self.environment.device)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// Text as HTML, also inside of attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A figure as the tables show it.
fn figure(value: f64) -> String {
    short(value)
}
