//! JSON for programs.

use serde_json::{Value, json};

use super::word;
use crate::diagnostics::{Diagnostic, Fix, Label};
use crate::source::{FileId, SourceMap, Span};

/// An array with an object for each diagnostic: `code`, `severity`, `message`, `file`, `start` and
/// `end` (`line`, `column`, `offset`), `label`, `labels`, `help` and `fix`. Lines and columns count
/// from 1, columns in characters, offsets in bytes from 0.
pub fn json(map: &SourceMap, diagnostics: &[Diagnostic]) -> Value {
    diagnostics.iter().map(|d| diagnostic(map, d)).collect()
}

fn diagnostic(map: &SourceMap, d: &Diagnostic) -> Value {
    json!({
        "code": d.code.0,
        "severity": word(d.severity()),
        "message": d.message,
        "file": d.span.map(|s| path(map, s.file)),
        "start": d.span.map(|s| place(map, s.file, s.start)),
        "end": d.span.map(|s| place(map, s.file, s.end)),
        "label": Some(&d.label).filter(|l| !l.is_empty()),
        "labels": d.labels.iter().map(|l| label(map, l)).collect::<Vec<_>>(),
        "help": d.help,
        "fix": d.fix.as_ref().map(|f| fix(map, f)),
    })
}

fn path(map: &SourceMap, file: FileId) -> String {
    map.file(file).path.display().to_string()
}

fn place(map: &SourceMap, file: FileId, offset: u32) -> Value {
    let place = map.place(file, offset);
    json!({ "line": place.line + 1, "column": place.column + 1, "offset": place.offset })
}

/// `file`, `start`, `end` and one more key.
fn spanned(map: &SourceMap, span: Span, message: &str) -> Value {
    json!({
        "file": path(map, span.file),
        "start": place(map, span.file, span.start),
        "end": place(map, span.file, span.end),
        "message": message,
    })
}

fn label(map: &SourceMap, label: &Label) -> Value {
    spanned(map, label.span, &label.message)
}

fn fix(map: &SourceMap, fix: &Fix) -> Value {
    let mut value = spanned(map, fix.span, &fix.message);
    value["replacement"] = json!(fix.replacement);
    value
}
