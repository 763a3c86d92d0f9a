//! Markdown for hovers and completions, made from signatures, declarations and types.

use gen_lsp_types as lsp;

use super::view::View;
use crate::ops::{Arg, Default, Kind, Signature};
use crate::report::numbers::thousands;
use crate::sema::known::{Known, Size};
use crate::sema::references::Def;

/// Markdown, as the protocol has it.
pub fn markdown(value: impl Into<String>) -> lsp::MarkupContent {
    lsp::MarkupContent { kind: lsp::MarkupKind::Markdown, value: value.into() }
}

/// Code of the language.
pub fn code(text: &str) -> String {
    format!("```mtl\n{text}\n```")
}

/// What stands when an argument is left out.
pub fn default(arg: &Arg) -> Option<String> {
    match arg.default {
        Default::Required | Default::Unset => None,
        Default::Int(v) => Some(v.to_string()),
        Default::Float(v) => Some(v.to_string()),
        Default::Bool(v) => Some(v.to_string()),
        Default::Word(v) => Some(v.to_string()),
    }
}

/// An argument's kind and default in a line; empty where anything may stand.
pub fn kind_line(arg: &Arg) -> String {
    let kind = (!matches!(arg.kind, Kind::Any)).then(|| arg.kind.words());
    let absent = match (arg.default, default(arg)) {
        (Default::Required, _) => Some("required".to_string()),
        (_, Some(value)) => Some(format!("`{value}` when left out")),
        _ => None,
    };
    kind.into_iter().chain(absent).collect::<Vec<_>>().join("; ")
}

/// What an argument is for, its kind and its default.
pub fn argument_line(arg: &Arg) -> String {
    match kind_line(arg) {
        none if none.is_empty() => arg.doc.to_string(),
        kind => format!("{} ({kind})", arg.doc),
    }
}

/// How something is called, what it does, and its arguments.
pub fn signature(s: &Signature) -> String {
    let usage = if s.inputs.is_empty() && s.args.is_empty() { s.name.to_string() } else { s.usage() };
    let mut text = format!("{}\n\n{}", code(&usage), s.doc);
    if !s.args.is_empty() {
        text.push('\n');
    }
    for a in s.args {
        text += &format!("\n- `{}`: {}", a.name, argument_line(a));
    }
    text
}

/// What an argument or setting is for.
pub fn argument(of: &Signature, a: &Arg) -> String {
    let shown = default(a).map_or_else(|| a.name.to_string(), |d| format!("{}: {d}", a.name));
    let kind = kind_line(a);
    let kind = if kind.is_empty() { String::new() } else { format!(": {kind}") };
    format!("{}\n\n{}\n\nOf `{}`{kind}", code(&shown), a.doc, of.name)
}

/// A declaration without its block, lines after the first as they stand.
pub fn head(view: &View<'_>, def: &Def) -> String {
    code(view.sources().text(def.head).trim_end())
}

/// `1,234 + 64 × |words.embed|`.
pub fn size(known: &Known, size: &Size) -> String {
    terms(known, size).join(" + ")
}

/// The same in little room: `1,234 + …`.
pub fn brief_size(known: &Known, size: &Size) -> String {
    match terms(known, size).as_slice() {
        [first, _, _, ..] => format!("{first} + …"),
        few => few.join(" + "),
    }
}

fn terms(known: &Known, size: &Size) -> Vec<String> {
    let term = |(symbols, n): (&Vec<_>, &usize)| {
        let names: Vec<String> = symbols.iter().map(|s| known.symbol_name(*s)).collect();
        let count = thousands(*n as u64);
        match names.as_slice() {
            [] => count,
            _ if *n == 1 => names.join(" × "),
            _ => format!("{count} × {}", names.join(" × ")),
        }
    };
    let terms: Vec<String> = size.0.iter().filter(|(_, n)| **n > 0).map(term).collect();
    if terms.is_empty() { vec!["0".into()] } else { terms }
}

/// `a`, `b` and `c`; of many the first few.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 8;
    let mut quoted: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{}`", n.as_ref())).collect();
    if names.len() > SHOWN {
        return format!("{} and {} more", quoted.join(", "), names.len() - SHOWN);
    }
    match quoted.pop() {
        Some(last) if !quoted.is_empty() => format!("{} and {last}", quoted.join(", ")),
        Some(only) => only,
        None => String::new(),
    }
}
