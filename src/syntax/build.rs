//! The tree from pest's pairs: what all nodes need, blocks, and slices that did not parse.

use rustc_hash::FxHashSet;
use std::ops::Range;

use pest::Parser;
use pest::iterators::{Pair, Pairs};

use super::ast::{Ident, Item, ItemKind, Setting};
use super::docs::Docs;
use super::errors;
use super::grammar::{MtlParser, Rule};
use super::lexer::{Kind, Lexed};
use crate::diagnostics::{Diagnostic, codes};
use crate::source::{FileId, Span};

/// A file as the parser sees it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub file: FileId,
    pub text: &'a str,
    /// The text that pest sees, without comments.
    pub blanked: &'a str,
    pub lexed: &'a Lexed,
    pub docs: &'a Docs,
}

/// Builds the tree of one file.
pub(super) struct Builder<'a> {
    pub file: FileId,
    pub text: &'a str,
    /// The text that pest sees, without comments.
    pub blanked: &'a str,
    pub lexed: &'a Lexed,
    pub docs: &'a Docs,
    pub tolerated: FxHashSet<String>,
    pub diagnostics: Vec<Diagnostic>,
    /// How many `}` will stand alone because of what was reported already.
    debt: usize,
    /// Where the text that pairs count from begins in the file.
    pub base: usize,
}

/// The pair of a slice parsed on its own, and where the slice begins.
pub(super) struct Whole<'a> {
    base: usize,
    pair: Pair<'a, Rule>,
}

impl<'a> Builder<'a> {
    /// A builder that has seen nothing.
    pub fn new(source: Source<'a>) -> Self {
        let Source { file, text, blanked, lexed, docs } = source;
        let (tolerated, diagnostics) = Default::default();
        Self { file, text, blanked, lexed, docs, tolerated, diagnostics, debt: 0, base: 0 }
    }

    /// The items of a file.
    pub fn file(&mut self, pairs: Pairs<'_, Rule>) -> Vec<Item> {
        let mut items = Vec::new();
        for pair in pairs.flat_map(Pair::into_inner) {
            match pair.as_rule() {
                Rule::stray => self.stray(&pair),
                Rule::EOI => {}
                _ => items.extend(self.item(pair)),
            }
        }
        items
    }

    /// An item with its docs; `None` for a slice that did not parse, which is reported.
    pub fn item(&mut self, pair: Pair<'_, Rule>) -> Option<Item> {
        let span = self.span(&pair);
        let docs = self.docs.before(span.start as usize);
        let kind = match pair.as_rule() {
            Rule::use_item => ItemKind::Use(self.use_item(pair)?),
            Rule::const_item => ItemKind::Const(self.const_item(pair)?),
            Rule::data_item => ItemKind::Data(self.data_item(pair)?),
            Rule::layer_item => ItemKind::Layer(self.layer_item(pair)?),
            Rule::def_item => ItemKind::Def(self.def_item(pair)?),
            Rule::let_item => ItemKind::Let(self.let_item(pair)?),
            Rule::task_item => ItemKind::Task(self.task_item(pair)?),
            Rule::loss_item => ItemKind::Loss(self.loss_item(pair)?),
            Rule::metric_item => ItemKind::Metric(self.metric_item(pair)?),
            Rule::train_item => ItemKind::Train(self.train_item(pair)),
            Rule::for_item => ItemKind::For(self.for_item(pair)?),
            _ => {
                let whole = self.bad(&pair)?;
                return self.rebased(whole, |b, p| b.item(p));
            }
        };
        Some(Item { docs, span, kind })
    }

    /// The place of a pair, without the blanks and comments that pest leaves at its end.
    pub fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        let (start, end) = (self.base + span.start(), self.base + span.end());
        let end = match pair.as_rule() {
            Rule::name | Rule::word | Rule::number | Rule::string => end,
            _ => self.lexed.trim_end(end).max(start),
        };
        Span::new(self.file, start, end)
    }

    /// A word with its place.
    pub fn ident(&self, pair: &Pair<'_, Rule>) -> Ident {
        Ident { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    /// What the user wrote there, on one line and not too long.
    pub fn quote(&self, span: Span) -> String {
        errors::shorten(self.text.get(span.range()).unwrap_or(""))
    }

    /// Counts the names of a slice as declared and used.
    pub fn tolerate(&mut self, range: Range<usize>) {
        let tokens = &self.lexed.tokens[self.lexed.at_or_after(range.start)..];
        for token in tokens.iter().take_while(|t| t.start < range.end).filter(|t| t.kind == Kind::Word) {
            self.tolerated.insert(token.text(self.text).to_owned());
        }
    }

    /// Reports a slice that did not parse. What stands whole at its beginning is given back.
    pub fn bad(&mut self, pair: &Pair<'_, Rule>) -> Option<Whole<'a>> {
        let range = self.span(pair).range();
        let alone = match pair.as_rule() {
            Rule::bad_field => Rule::field_alone,
            Rule::bad_setting => Rule::entry_alone,
            Rule::bad_stage => Rule::stage_alone,
            Rule::lost_field => Rule::entry_alone,
            Rule::bad_let => Rule::let_alone,
            Rule::bad_for => Rule::for_alone,
            _ => Rule::item_alone,
        };
        let (file, text, blanked, lexed) = (self.file, self.text, self.blanked, self.lexed);
        let slice = errors::Slice { file, text, blanked, lexed, range };
        let Some((end, rest)) = errors::whole_before(&slice, alone) else {
            self.report(&slice, alone);
            return None;
        };
        let after = match alone {
            Rule::item_alone | Rule::let_alone => alone,
            _ => Rule::entry_alone,
        };
        self.report(&errors::Slice { range: rest..slice.range.end, ..slice }, after);
        let base = slice.range.start;
        let pairs = MtlParser::parse(alone, blanked.get(base..end)?).ok()?;
        let pair = pairs.flat_map(Pair::into_inner).next()?;
        Some(Whole { base, pair })
    }

    fn report(&mut self, slice: &errors::Slice<'_>, alone: Rule) {
        self.debt += slice.unclosed_braces();
        self.diagnostics.push(errors::explain(slice, alone));
        self.tolerate(slice.range.clone());
    }

    /// Builds from a slice parsed on its own, whose pairs count from its start.
    pub fn rebased<T>(&mut self, whole: Whole<'a>, build: impl FnOnce(&mut Self, Pair<'a, Rule>) -> T) -> T {
        let before = std::mem::replace(&mut self.base, whole.base);
        let built = build(self, whole.pair);
        self.base = before;
        built
    }

    /// Reports a block without an end.
    pub fn unclosed(&mut self, open: Option<Span>, end: &Pair<'_, Rule>) {
        let Some(open) = open else { return };
        let end = self.base + end.as_span().start();
        let next = self.lexed.tokens.get(self.lexed.at_or_after(end));
        let mut problem = Diagnostic::new(codes::UNCLOSED, open, "this `{` is never closed").label("opened here");
        if let Some(next) = next {
            let place = Span::new(self.file, next.start, next.end);
            problem = problem.also(place, "expected `}` before this");
        }
        self.diagnostics.push(problem.help("write `}` after the last setting of the block"));
        self.debt += 1;
    }

    /// Reports a `}` that closes nothing, unless an earlier report explains it.
    fn stray(&mut self, pair: &Pair<'_, Rule>) {
        if self.debt > 0 {
            self.debt -= 1;
            return;
        }
        let span = self.span(pair);
        let problem = Diagnostic::new(codes::SYNTAX, span, "unexpected `}`, no block is open here");
        self.diagnostics.push(problem.fix(span, "", "remove it"));
    }

    /// `name: value`.
    pub fn setting(&mut self, pair: Pair<'_, Rule>) -> Option<Setting> {
        let mut name = None;
        let mut value = None;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::word => name = Some(self.ident(&inner)),
                Rule::expr => value = Some(self.expr(inner)),
                Rule::eq_for_colon => {
                    let span = self.span(&inner);
                    let of = name.as_ref().map_or("", |n| &n.text);
                    let message = format!("expected `:` after `{of}`, found `=`");
                    let problem = Diagnostic::new(codes::SYNTAX, span, message);
                    self.diagnostics.push(problem.fix(span, ":", "write `:` in its place"));
                }
                _ => {}
            }
        }
        let (name, value) = (name?, value?);
        let span = name.span.to(value.span);
        Some(Setting { name, value, span })
    }

    /// Reports a comma between settings.
    pub fn stray_comma(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.span(pair);
        let message = "unexpected `,`, nothing stands between settings";
        self.diagnostics.push(Diagnostic::new(codes::SYNTAX, span, message).fix(span, "", "remove it"));
    }
}
