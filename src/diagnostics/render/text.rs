//! Text for people: the source with carets, or one line each.

use std::fmt::Write;

use codespan_reporting::diagnostic as codespan;
use codespan_reporting::term::termcolor::Buffer;
use codespan_reporting::term::{Config, emit_into_string, emit_to_write_style};

use super::word;
use crate::diagnostics::{Diagnostic, Severity};
use crate::source::{FileId, SourceMap, Span};

/// Diagnostics with the source they are about, in colour if asked.
pub fn human(map: &SourceMap, diagnostics: &[Diagnostic], color: bool) -> String {
    diagnostics.iter().map(|d| one(map, d, color).unwrap_or_else(|| line(map, d) + &help(d))).collect()
}

/// One line each: `path:line:column: error[E0201]: message`.
pub fn short(map: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| line(map, d)).collect()
}

fn line(map: &SourceMap, diagnostic: &Diagnostic) -> String {
    let mut out = String::new();
    if let Some(span) = diagnostic.span {
        let place = map.place(span.file, span.start);
        let path = map.file(span.file).path.display();
        let _ = write!(out, "{path}:{}:{}: ", place.line + 1, place.column + 1);
    }
    let _ = writeln!(out, "{}[{}]: {}", word(diagnostic.severity()), diagnostic.code, readable(&diagnostic.message));
    out
}

/// Characters of a message that are shown, and bytes of a line of source.
const LONGEST: usize = 400;
const LONGEST_LINE: usize = 4000;

/// A message for a terminal: what it quotes is cut short, and control characters are spelt out.
fn readable(message: &str) -> String {
    let spelt = |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    let count = message.chars().count();
    if count <= LONGEST {
        return message.chars().map(spelt).collect();
    }
    let (start, end) = (message.chars().take(LONGEST / 2), message.chars().skip(count - LONGEST / 2));
    format!("{}…{}", start.map(spelt).collect::<String>(), end.map(spelt).collect::<String>())
}

fn help(diagnostic: &Diagnostic) -> String {
    notes(diagnostic).iter().map(|note| format!(" = {note}\n")).collect()
}

/// Whether the lines of the places are short enough to be shown.
fn fits(map: &SourceMap, diagnostic: &Diagnostic) -> bool {
    let spans = diagnostic.span.into_iter().chain(diagnostic.labels.iter().map(|l| l.span));
    let line = |span: Span| map.line_range(span.file, map.place(span.file, span.start).line);
    spans.filter_map(line).all(|line| line.len() <= LONGEST_LINE)
}

fn one(map: &SourceMap, diagnostic: &Diagnostic, color: bool) -> Option<String> {
    if !fits(map, diagnostic) {
        return None;
    }
    let config = Config::default();
    let converted = convert(diagnostic);
    if !color {
        return emit_into_string(&config, map, &converted).ok();
    }
    let mut buffer = Buffer::ansi();
    emit_to_write_style(&mut buffer, &config, map, &converted).ok()?;
    String::from_utf8(buffer.into_inner()).ok()
}

fn convert(diagnostic: &Diagnostic) -> codespan::Diagnostic<FileId> {
    let severity = match diagnostic.severity() {
        Severity::Error => codespan::Severity::Error,
        Severity::Warning => codespan::Severity::Warning,
    };
    let primary = diagnostic.span.map(|span| label(codespan::LabelStyle::Primary, span, &diagnostic.label));
    let others = diagnostic.labels.iter();
    let others = others.map(|l| label(codespan::LabelStyle::Secondary, l.span, &l.message));
    codespan::Diagnostic::new(severity)
        .with_code(diagnostic.code)
        .with_message(readable(&diagnostic.message))
        .with_labels_iter(primary.into_iter().chain(others))
        .with_notes_iter(notes(diagnostic))
}

fn label(style: codespan::LabelStyle, span: Span, message: &str) -> codespan::Label<FileId> {
    codespan::Label::new(style, span.file, span.range()).with_message(message)
}

/// The help, and the fix where it says something else.
fn notes(diagnostic: &Diagnostic) -> Vec<String> {
    let help = diagnostic.help.as_deref();
    let fix = diagnostic.fix.as_ref().map(|f| f.message.as_str()).filter(|fix| Some(*fix) != help);
    let notes = help.into_iter().chain(fix);
    notes.map(|note| format!("help: {}", note.replace('\n', "\n      "))).collect()
}
