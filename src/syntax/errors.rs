//! What is wrong with a slice that did not parse: it is parsed again on its own, and the furthest
//! place that pest reached, with the rules it tried there, makes the message.

use std::ops::Range;

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};

use super::describe::{Expected, expected, join};
use super::grammar::{MtlParser, Rule};
use super::lexer::{Kind, Lexed, Token};
use super::near;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::{FileId, Span};

/// A part of a file that did not parse.
pub(super) struct Slice<'a> {
    pub file: FileId,
    pub text: &'a str,
    /// The text that pest sees, without comments.
    pub blanked: &'a str,
    pub lexed: &'a Lexed,
    pub range: Range<usize>,
}

impl Slice<'_> {
    /// The tokens of the slice.
    pub fn tokens(&self) -> &[Token] {
        let from = self.lexed.at_or_after(self.range.start);
        let to = self.lexed.at_or_after(self.range.end).max(from);
        &self.lexed.tokens[from..to]
    }

    /// The text of a token.
    pub fn word(&self, token: Token) -> &str {
        token.text(self.text)
    }

    /// The place of a token.
    pub fn span(&self, token: Token) -> Span {
        Span::new(self.file, token.start, token.end)
    }

    /// How many `{` of the slice it does not close.
    pub fn unclosed_braces(&self) -> usize {
        let mut open = 0usize;
        for token in self.tokens().iter().filter(|t| t.kind == Kind::Punct) {
            match self.word(*token) {
                "{" => open += 1,
                "}" => open = open.saturating_sub(1),
                _ => {}
            }
        }
        open
    }
}

/// The place where a slice stops making sense.
pub(super) struct Miss<'a> {
    pub slice: &'a Slice<'a>,
    /// The rule the slice should have matched.
    pub alone: Rule,
    /// The rules pest tried there.
    pub tried: Vec<Rule>,
    /// The token there, and its index in the file.
    pub found: Option<Token>,
    pub index: usize,
    /// The token before, if it belongs to the slice.
    pub prev: Option<Token>,
}

impl Miss<'_> {
    /// The text of the token that was found.
    pub fn found_text(&self) -> &str {
        self.found.map_or("", |t| self.slice.word(t))
    }

    /// The text of the token before.
    pub fn prev_text(&self) -> &str {
        self.prev.map_or("", |t| self.slice.word(t))
    }

    /// The smallest place to blame: what was found, or what stands before it when that is on an
    /// earlier line.
    pub fn span(&self) -> Span {
        match (self.prev, self.found) {
            (Some(prev), Some(found)) if self.same_line(prev, found) => self.slice.span(found),
            (Some(prev), _) => self.slice.span(prev),
            (None, Some(found)) => self.slice.span(found),
            (None, None) => Span::new(self.slice.file, self.slice.range.start, self.slice.range.start),
        }
    }

    fn same_line(&self, a: Token, b: Token) -> bool {
        self.slice.text.get(a.end..b.start).is_some_and(|between| !between.contains('\n'))
    }
}

/// The one diagnostic of a slice.
pub(super) fn explain(slice: &Slice<'_>, alone: Rule) -> Diagnostic {
    let (offset, tried) = furthest(slice, alone);
    let index = slice.lexed.at_or_after(offset);
    let first = slice.lexed.at_or_after(slice.range.start);
    let prev = index.checked_sub(1).filter(|i| *i >= first).map(|i| slice.lexed.tokens[i]);
    let found = slice.lexed.tokens.get(index).copied();
    let miss = Miss { slice, alone, tried, found, index, prev };
    near::miss(&miss).unwrap_or_else(|| plain(&miss))
}

/// Where a slice that begins with a whole item or entry goes on with something else on a new line:
/// the end of the first, and the start of the rest.
pub(super) fn whole_before(slice: &Slice<'_>, alone: Rule) -> Option<(usize, usize)> {
    let (offset, tried) = furthest(slice, alone);
    let index = slice.lexed.at_or_after(offset);
    let found = slice.lexed.tokens.get(index).filter(|t| t.kind == Kind::Word && t.start < slice.range.end)?;
    let prev = slice.lexed.tokens.get(index.checked_sub(1)?).filter(|t| t.start >= slice.range.start)?;
    let new_line = slice.text.get(prev.end..found.start)?.contains('\n');
    (new_line && expected(&tried) == Expected::Nothing).then_some((prev.end, found.start))
}

/// How far the slice parses, and what was tried there.
fn furthest(slice: &Slice<'_>, alone: Rule) -> (usize, Vec<Rule>) {
    let text = slice.blanked.get(slice.range.clone()).unwrap_or("");
    let Err(error) = MtlParser::parse(alone, text) else { return (slice.range.start, Vec::new()) };
    let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
    let tried = match error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => Vec::new(),
    };
    (slice.range.start + at, tried)
}

/// A message from the rules that were tried.
fn plain(miss: &Miss<'_>) -> Diagnostic {
    let problem = |message| Diagnostic::new(codes::SYNTAX, miss.span(), message);
    let found = shorten(miss.found_text());
    let after = match miss.prev {
        Some(_) => format!(" after `{}`", shorten(miss.prev_text())),
        None => String::new(),
    };
    match expected(&miss.tried) {
        Expected::OneOf(words) if !words.is_empty() => {
            let expected = special_name(miss).map_or_else(|| join(&words), str::to_owned);
            match miss.prev {
                None => problem(format!("expected {expected}, found `{found}`")),
                Some(_) => problem(format!("expected {expected}{after}")).label(format!("expected {expected}")),
            }
        }
        _ => match miss.found {
            Some(token) => {
                let message = format!("unexpected `{found}`{after}");
                Diagnostic::new(codes::SYNTAX, miss.slice.span(token), message)
            }
            None => problem(format!("unexpected end of the file{after}")),
        },
    }
}

/// What a name after `:` is in a field or a task.
fn special_name(miss: &Miss<'_>) -> Option<&'static str> {
    let name = miss.tried.iter().all(|rule| matches!(rule, Rule::name | Rule::ftype));
    match miss.alone {
        _ if !name || miss.prev_text() != ":" => None,
        Rule::field_alone => Some("a field type"),
        _ => Some("a task kind"),
    }
}

/// A text on one line, cut after some forty characters.
pub(super) fn shorten(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= 40 {
        return line;
    }
    line.chars().take(37).chain("...".chars()).collect()
}
