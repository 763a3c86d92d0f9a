//! What is wrong, as the editor shows it: on each file what its programs say about it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gen_lsp_types as lsp;

use super::view::{location, range};
use super::workspace::{Program, Workspace};
use crate::diagnostics::{Diagnostic, Severity, codes};
use crate::source::FileId;

/// Diagnostics by file; each file of a program is there.
pub type Published = BTreeMap<PathBuf, Vec<lsp::Diagnostic>>;

/// What there is to say of all files of all programs. What several say is said once, and nothing
/// is unused that one of them uses.
pub fn all(workspace: &Workspace) -> Published {
    let mut published = Published::new();
    for program in workspace.programs() {
        for (_, file) in program.checked.sources.files() {
            published.entry(file.path.clone()).or_default();
        }
        for diagnostic in &program.checked.diagnostics {
            let (path, shown) = placed(workspace, program, diagnostic);
            let known = published.entry(path.clone()).or_default();
            let others = workspace.programs().iter().filter(|p| p.has(&path));
            let agreed = diagnostic.code != codes::UNUSED || others.into_iter().all(|p| says(p, diagnostic));
            if agreed && !known.contains(&shown) {
                known.push(shown);
            }
        }
    }
    published
}

/// Whether a program says the same at its place.
fn says(program: &Program, d: &Diagnostic) -> bool {
    program.checked.diagnostics.iter().any(|o| o.code == d.code && o.message == d.message)
}

/// A diagnostic with the file it is shown in: that of its place, else the program's first.
fn placed(workspace: &Workspace, program: &Program, d: &Diagnostic) -> (PathBuf, lsp::Diagnostic) {
    let file = d.span.map_or(FileId(0), |s| s.file);
    let sources = &program.checked.sources;
    let path = if sources.has(file) { sources.file(file).path.clone() } else { program.entry.clone() };
    (path, shown(workspace, program, d))
}

/// A diagnostic in the protocol's words.
pub fn shown(workspace: &Workspace, program: &Program, d: &Diagnostic) -> lsp::Diagnostic {
    let sources = &program.checked.sources;
    let related = d.labels.iter().filter_map(|l| {
        let location = location(workspace, sources, l.span)?;
        Some(lsp::DiagnosticRelatedInformation { location, message: l.message.clone() })
    });
    let related: Vec<_> = related.collect();
    lsp::Diagnostic {
        range: d.span.map(|s| range(sources, s)).unwrap_or_default(),
        severity: Some(match d.severity() {
            Severity::Error => lsp::DiagnosticSeverity::Error,
            Severity::Warning => lsp::DiagnosticSeverity::Warning,
        }),
        code: Some(lsp::Code::String(d.code.0.into())),
        code_description: page(d).map(|href| lsp::CodeDescription { href }),
        source: Some("mtlc".into()),
        message: lsp::Message::String(message(d)),
        tags: (d.code == codes::UNUSED).then(|| vec![lsp::DiagnosticTag::Unnecessary]),
        related_information: (!related.is_empty()).then_some(related),
        data: None,
    }
}

/// The sentence, what stands under the place, and what to write.
fn message(d: &Diagnostic) -> String {
    let mut text = d.message.clone();
    if !d.label.is_empty() {
        text += &format!("\n{}", d.label);
    }
    if let Some(help) = &d.help {
        text += &format!("\nhelp: {help}");
    }
    text
}

/// The page of a code.
fn page(d: &Diagnostic) -> Option<lsp::Uri> {
    let site = option_env!("CARGO_PKG_REPOSITORY").filter(|r| !r.is_empty())?;
    lsp::Uri::parse(&format!("{site}/blob/main/docs/errors/{}.md", d.code)).ok()
}
