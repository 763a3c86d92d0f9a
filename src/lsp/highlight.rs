//! Semantic tokens: each word coloured by what it means.

use std::collections::BTreeMap;

use gen_lsp_types as lsp;

use super::view::{View, position};
use crate::ops;
use crate::sema::references::{DefKind, Target};
use crate::sema::symbols::SymbolKind;
use crate::source::Span;
use crate::syntax::KEYWORDS;
use crate::syntax::lexer::{Kind, Token, lex};

/// The types of tokens, by their numbers.
const TYPES: &[&str] = &[
    "keyword",
    "comment",
    "string",
    "number",
    "operator",
    "function",
    "variable",
    "parameter",
    "property",
    "type",
    "class",
    "struct",
    "enumMember",
    "method",
];

/// The bits of tokens.
const MODIFIERS: &[&str] = &["declaration", "readonly", "defaultLibrary", "documentation"];

const DECLARATION: u32 = 1;
const READONLY: u32 = 2;
const LIBRARY: u32 = 4;
const DOCUMENTATION: u32 = 8;

/// What the numbers mean.
pub fn legend() -> lsp::SemanticTokensLegend {
    let owned = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
    lsp::SemanticTokensLegend { token_types: owned(TYPES), token_modifiers: owned(MODIFIERS) }
}

/// A piece of text with its type and bits.
type Piece = (usize, usize, &'static str, u32);

/// The tokens of a file.
pub fn tokens(view: &View<'_>) -> lsp::SemanticTokens {
    let names = names(view);
    let lexed = lex(view.text());
    let mut pieces: Vec<Piece> = Vec::new();
    for token in &lexed.tokens {
        piece(view, *token, &names, &mut pieces);
    }
    for &(start, end) in &lexed.comments {
        let doc = view.text()[start..end].starts_with("///");
        pieces.push((start, end, "comment", if doc { DOCUMENTATION } else { 0 }));
    }
    pieces.sort_unstable();
    lsp::SemanticTokens { result_id: None, data: encode(view, &pieces) }
}

/// The names of the file: where each ends, its type and its bits.
fn names(view: &View<'_>) -> BTreeMap<usize, (usize, &'static str, u32)> {
    let references = view.references();
    let mut names = BTreeMap::new();
    let mut add = |span: Span, kind: &'static str, bits: u32| {
        if span.file == view.file {
            names.insert(span.range().start, (span.range().end, kind, bits));
        }
    };
    for u in &references.uses {
        if let Some((kind, bits)) = used(view, &u.target) {
            add(u.span, kind, bits);
        }
    }
    for def in &references.defs {
        let (kind, bits) = declared(def.kind);
        add(def.span, kind, bits | DECLARATION);
    }
    names
}

fn used(view: &View<'_>, target: &Target) -> Option<(&'static str, u32)> {
    match target {
        Target::Defs(defs) => defs.first().map(|d| declared(view.references().def(*d).kind)),
        Target::Signature(s) if ops::find(s.name).is_some() => Some(("function", LIBRARY)),
        Target::Signature(s) if ops::tasks::OUTPUTS.iter().any(|o| std::ptr::eq(*o, *s)) => Some(("method", LIBRARY)),
        Target::Signature(_) => Some(("type", LIBRARY)),
        Target::Argument(..) => Some(("property", 0)),
        Target::Metric => Some(("method", LIBRARY)),
        Target::Word => Some(("enumMember", 0)),
        Target::File(_) => None,
    }
}

fn declared(kind: DefKind) -> (&'static str, u32) {
    match kind {
        DefKind::Item(SymbolKind::Const) => ("variable", READONLY),
        DefKind::Item(SymbolKind::Data) => ("struct", 0),
        DefKind::Item(SymbolKind::Layer | SymbolKind::Def) => ("function", 0),
        DefKind::Item(SymbolKind::Task) => ("class", 0),
        DefKind::Item(_) | DefKind::Local => ("variable", 0),
        DefKind::Field => ("property", 0),
        DefKind::Param | DefKind::Loop => ("parameter", 0),
        DefKind::Stage => ("class", 0),
    }
}

fn piece(view: &View<'_>, token: Token, names: &BTreeMap<usize, (usize, &'static str, u32)>, pieces: &mut Vec<Piece>) {
    let (start, end) = (token.start, token.end);
    match token.kind {
        Kind::Word => match names.get(&start) {
            Some((_, kind, bits)) => pieces.push((start, end, kind, *bits)),
            None if KEYWORDS.contains(&token.text(view.text())) => pieces.push((start, end, "keyword", 0)),
            None => {}
        },
        Kind::Number | Kind::BadNumber => pieces.push((start, end, "number", 0)),
        Kind::Str | Kind::BadStr => {
            let mut at = start;
            for (&from, &(to, kind, bits)) in names.range(start + 1..end).filter(|(_, n)| n.0 < end) {
                pieces.extend([(at, from, "string", 0), (from, to, kind, bits)]);
                at = to;
            }
            pieces.push((at, end, "string", 0));
        }
        Kind::Punct if matches!(token.text(view.text()), "|>" | "+" | "-" | "*" | "->") => {
            pieces.push((start, end, "operator", 0));
        }
        Kind::Punct | Kind::Other => {}
    }
}

/// Each token from the one before, as the protocol counts.
fn encode(view: &View<'_>, pieces: &[Piece]) -> Vec<lsp::SemanticToken> {
    let at = |byte: usize| position(view.sources(), view.file, byte as u32);
    let mut before = lsp::Position { line: 0, character: 0 };
    let mut data = Vec::with_capacity(pieces.len());
    for &(start, end, kind, bits) in pieces.iter().filter(|p| p.1 > p.0) {
        let (here, stop) = (at(start), at(end));
        let same_line = here.line == before.line;
        data.push(lsp::SemanticToken {
            delta_line: here.line - before.line,
            delta_start: if same_line { here.character - before.character } else { here.character },
            length: stop.character.saturating_sub(here.character),
            token_type: TYPES.iter().position(|t| *t == kind).unwrap_or(0) as u32,
            token_modifiers_bitset: bits,
        });
        before = here;
    }
    data
}
