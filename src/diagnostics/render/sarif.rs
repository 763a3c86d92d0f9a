//! SARIF 2.1.0, the format that code hosts and editors read.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::word;
use crate::diagnostics::{Code, Diagnostic, Fix, codes, explain};
use crate::source::{FileId, SourceMap, Span};

/// A SARIF log with one run.
pub fn sarif(map: &SourceMap, diagnostics: &[Diagnostic]) -> Value {
    let rules: Vec<Value> = codes::ALL.iter().map(|(code, title)| rule(*code, title)).collect();
    let results: Vec<Value> = diagnostics.iter().map(|d| result(map, d)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code, title: &str) -> Value {
    let mut rule = json!({
        "id": code.0,
        "shortDescription": { "text": title },
        "defaultConfiguration": { "level": word(code.severity()) },
    });
    if let Some(page) = explain::page(code.0) {
        rule["help"] = json!({ "text": page, "markdown": page });
    }
    rule
}

fn result(map: &SourceMap, d: &Diagnostic) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".into(), json!(d.code.0));
    if let Some(index) = codes::ALL.iter().position(|(code, _)| *code == d.code) {
        result.insert("ruleIndex".into(), json!(index));
    }
    result.insert("level".into(), json!(word(d.severity())));
    let message = match &d.help {
        Some(help) => format!("{}\nhelp: {help}", d.message),
        None => d.message.clone(),
    };
    result.insert("message".into(), json!({ "text": message }));
    if let Some(span) = d.span {
        result.insert("locations".into(), json!([{ "physicalLocation": place(map, span) }]));
    }
    if !d.labels.is_empty() {
        let related: Vec<Value> =
            d.labels.iter().enumerate().map(|(i, l)| related(map, i, l.span, &l.message)).collect();
        result.insert("relatedLocations".into(), json!(related));
    }
    if let Some(fix) = &d.fix {
        result.insert("fixes".into(), json!([change(map, fix)]));
    }
    Value::Object(result)
}

fn related(map: &SourceMap, id: usize, span: Span, message: &str) -> Value {
    json!({ "id": id, "physicalLocation": place(map, span), "message": { "text": message } })
}

fn change(map: &SourceMap, fix: &Fix) -> Value {
    json!({
        "description": { "text": fix.message },
        "artifactChanges": [{
            "artifactLocation": artifact(map, fix.span.file),
            "replacements": [{
                "deletedRegion": region(map, fix.span),
                "insertedContent": { "text": fix.replacement },
            }],
        }],
    })
}

fn place(map: &SourceMap, span: Span) -> Value {
    json!({ "artifactLocation": artifact(map, span.file), "region": region(map, span) })
}

fn region(map: &SourceMap, span: Span) -> Value {
    let (start, end) = (map.place(span.file, span.start), map.place(span.file, span.end));
    json!({
        "startLine": start.line + 1,
        "startColumn": start.column + 1,
        "endLine": end.line + 1,
        "endColumn": end.column + 1,
    })
}

fn artifact(map: &SourceMap, file: FileId) -> Value {
    json!({ "uri": uri(&map.file(file).path) })
}

/// A path as a URI reference.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut out = String::new();
    if path.is_absolute() {
        out.push_str(if text.starts_with('/') { "file://" } else { "file:///" });
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
