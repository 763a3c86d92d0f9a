//! Markdown for hovers and completions, made from signatures, declarations and types.

use gen_lsp_types as lsp;

use super::view::View;
use crate::ops::{Arg, Default, Signature};
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

/// An argument's kind and default in a line.
pub fn kind_line(arg: &Arg) -> String {
    let kind = arg.kind.words();
    match (arg.default, default(arg)) {
        (Default::Required, _) => format!("{kind}; required"),
        (_, Some(value)) => format!("{kind}; `{value}` when left out"),
        _ => kind,
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
        text += &format!("\n- `{}`: {} ({})", a.name, a.doc, kind_line(a));
    }
    text
}

/// What an argument or setting is for.
pub fn argument(of: &Signature, a: &Arg) -> String {
    let shown = default(a).map_or_else(|| a.name.to_string(), |d| format!("{}: {d}", a.name));
    format!("{}\n\n{}\n\nOf `{}`: {}", code(&shown), a.doc, of.name, kind_line(a))
}

/// A declaration without its block, lines after the first as they stand.
pub fn head(view: &View<'_>, def: &Def) -> String {
    code(view.sources().text(def.head).trim_end())
}

/// `1,234 + 64 × |words.embed|`.
pub fn size(known: &Known, size: &Size) -> String {
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
    if terms.is_empty() { "0".into() } else { terms.join(" + ") }
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
