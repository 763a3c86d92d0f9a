//! The tokens of a text with what is known of each: its partner, and whether a blank stands
//! before it.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use crate::source::Span;
use crate::syntax::{Comment, Token, TokenKind, tokens};

/// What a `-` or `|` does; other marks have one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Plain,
    /// A sign, or the `|` that opens a size.
    Opens,
    /// The `|` that closes a size.
    Closes,
}

/// A text as the layout reads it. Ranges of tokens are ranges of their indices.
pub struct Stream<'a> {
    /// The text.
    pub text: &'a str,
    tokens: Vec<Token>,
    comments: &'a [Comment],
    partners: Vec<usize>,
    roles: Vec<Role>,
}

impl<'a> Stream<'a> {
    /// Reads a text whose comments are known.
    pub fn new(text: &'a str, comments: &'a [Comment]) -> Self {
        let tokens = tokens(text);
        let (partners, roles) = (partners(text, &tokens), roles(text, &tokens));
        Self { text, tokens, comments, partners, roles }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The bytes of a token.
    pub fn bytes(&self, i: usize) -> Range<usize> {
        self.tokens.get(i).map_or(self.text.len()..self.text.len(), |t| t.start..t.end)
    }

    /// The text of a token.
    pub fn word(&self, i: usize) -> &'a str {
        self.text.get(self.bytes(i)).unwrap_or("")
    }

    /// Whether a token is this mark.
    pub fn is(&self, i: usize, mark: &str) -> bool {
        self.word(i) == mark
    }

    /// The tokens of a span.
    pub fn range(&self, span: Span) -> Range<usize> {
        let at = |offset: u32| self.tokens.partition_point(|t| t.start < offset as usize);
        at(span.start)..at(span.end)
    }

    /// The bracket that closes the one at `i`, or `i` itself.
    pub fn partner(&self, i: usize) -> usize {
        self.partners.get(i).copied().unwrap_or(i)
    }

    /// The first token of a range that fits, outside of the brackets in it.
    pub fn find(&self, range: Range<usize>, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut i = range.start;
        while i < range.end {
            if fits(i) {
                return Some(i);
            }
            i = self.partner(i).max(i) + 1;
        }
        None
    }

    /// The ranges between the tokens that fit.
    pub fn split(&self, range: Range<usize>, fits: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
        let (mut parts, mut from) = (Vec::new(), range.start);
        while let Some(at) = self.find(from..range.end, &fits) {
            parts.push(from..at);
            from = at + 1;
        }
        parts.push(from..range.end);
        parts
    }

    /// Whether a token is `+`, `-` or `*` between two values.
    pub fn infix(&self, i: usize) -> bool {
        matches!(self.word(i), "+" | "-" | "*") && self.roles.get(i) == Some(&Role::Plain)
    }

    /// Whether a blank stands between a token and the one before.
    pub fn blank(&self, i: usize) -> bool {
        let before = i.saturating_sub(1);
        if self.roles.get(before) == Some(&Role::Opens) || self.roles.get(i) == Some(&Role::Closes) {
            return false;
        }
        match (self.word(before), self.word(i)) {
            (_, "," | ":" | ")" | "]" | ".") | ("." | "(" | "[", _) => false,
            (_, "(" | "[") => !self.operand(before),
            _ => true,
        }
    }

    /// Whether a token ends a value: what follows it is a call, an index or an operator.
    fn operand(&self, i: usize) -> bool {
        ends_value(self.text, &self.tokens, i) || self.roles.get(i) == Some(&Role::Closes)
    }

    /// The comments between two offsets.
    pub fn comments(&self, range: Range<usize>) -> &'a [Comment] {
        let at = |offset: usize| self.comments.partition_point(|c| (c.span.start as usize) < offset);
        let (from, to) = (at(range.start), at(range.end));
        self.comments.get(from..to).unwrap_or(&[])
    }

    /// Line breaks between two offsets.
    pub fn newlines(&self, from: usize, to: usize) -> usize {
        self.text.get(from..to).map_or(0, |between| between.matches('\n').count())
    }

    /// Whether the author put a token on a new line.
    pub fn on_new_line(&self, i: usize) -> bool {
        i.checked_sub(1).is_some_and(|before| self.newlines(self.bytes(before).end, self.bytes(i).start) > 0)
    }

    /// The column of an offset, and how many blanks stand before it.
    pub fn column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or("");
        let line = before.rfind('\n').map_or(before, |at| &before[at + 1..]);
        (line.width(), line.len() - line.trim_end().len())
    }
}

fn partners(text: &str, tokens: &[Token]) -> Vec<usize> {
    let mut partners: Vec<usize> = (0..tokens.len()).collect();
    let mut open: Vec<usize> = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, t)| t.kind == TokenKind::Punct) {
        match token.text(text) {
            "(" | "[" | "{" => open.push(i),
            ")" | "]" | "}" => {
                if let Some(at) = open.pop() {
                    partners[at] = i;
                }
            }
            _ => {}
        }
    }
    partners
}

fn roles(text: &str, tokens: &[Token]) -> Vec<Role> {
    let mut roles = vec![Role::Plain; tokens.len()];
    for i in 0..tokens.len() {
        let before = i.checked_sub(1);
        let value = before.is_some_and(|b| ends_value(text, tokens, b) || roles[b] == Role::Closes);
        roles[i] = match tokens[i].text(text) {
            "-" | "|" if !value => Role::Opens,
            "|" => Role::Closes,
            _ => Role::Plain,
        };
    }
    roles
}

fn ends_value(text: &str, tokens: &[Token], i: usize) -> bool {
    let word = |i: usize| tokens.get(i).map_or("", |t| t.text(text));
    match tokens.get(i).map(|t| t.kind) {
        Some(TokenKind::Word) => !matches!(word(i), "let" | "for" | "in") || i > 0 && word(i - 1) == ".",
        Some(TokenKind::Number | TokenKind::Str) => true,
        _ => matches!(word(i), ")" | "]"),
    }
}
