//! What could be written at a byte.

mod members;
mod names;
mod strings;
mod values;

use gen_lsp_types as lsp;

use super::cursor::{Block, Cursor};
use super::dispatch::Answer;
use super::markup::markdown;
use super::signature::Callable;
use super::view::{View, position};
use crate::ops::{self, Signature, fields, training};

/// Where completions are put, and what they may be.
pub(super) struct Completer<'v, 'w> {
    view: &'v View<'w>,
    cursor: Cursor<'w>,
    snippets: bool,
    items: Vec<lsp::CompletionItem>,
}

/// The completions at a byte.
pub fn complete(view: &View<'_>, at: u32, snippets: bool) -> Answer<Option<lsp::CompletionList>> {
    let cursor = Cursor::new(view.text(), at as usize);
    let mut completer = Completer { view, cursor, snippets, items: Vec::new() };
    if !completer.cursor.mute {
        completer.fill();
    }
    let Completer { items, .. } = completer;
    Ok(Some(lsp::CompletionList { is_incomplete: false, item_defaults: None, apply_kind: None, items }))
}

/// The order of completions: what belongs here first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Own,
    Local,
    Item,
    BuiltIn,
    Keyword,
}

impl Completer<'_, '_> {
    fn fill(&mut self) {
        if self.cursor.in_string {
            return self.in_string();
        }
        match self.cursor.back(0) {
            "." => return self.members(),
            "from" => return self.columns(true),
            _ => {}
        }
        if let Some(open) = self.cursor.call()
            && self.cursor.innermost() == Some(open)
        {
            return self.in_call(open);
        }
        if let Some(called) = self.list_of_tasks() {
            return self.positional(called);
        }
        let (block, open) = self.cursor.block();
        let inside = self.cursor.innermost() != open;
        match block {
            Block::Items => self.in_items(inside),
            Block::Lets => self.in_lets(),
            Block::Data => self.in_data(inside),
            Block::Task(kind) => self.in_task(kind, inside),
            Block::Train => self.in_settings(&training::TRAIN, &["stage", "for"], inside),
            Block::Stage => self.in_settings(&training::STAGE, &[], inside),
            Block::Loss => self.in_settings(&training::LOSS, &[], inside),
        }
    }

    /// The way of training whose list of tasks, as in `ordered([a, b])`, is being written.
    fn list_of_tasks(&self) -> Option<Callable> {
        let list = self.cursor.innermost().filter(|i| self.cursor.token(*i) == "[")?;
        let open = self.cursor.call().filter(|open| open + 1 == list)?;
        let called = super::signature::callable(self.view, &self.cursor, open);
        called.filter(|c| matches!(c, Callable::Known(s) if training::SAMPLES.iter().any(|t| std::ptr::eq(*t, *s))))
    }

    /// Between items, or in the expression of one.
    fn in_items(&mut self, inside: bool) {
        let (last, before) = (self.cursor.back(0), self.cursor.back(2));
        match (last, before) {
            (":", "task") => self.task_kinds(),
            _ if inside || !self.cursor.is_complete() => self.expression(),
            _ => {
                self.keywords(crate::syntax::ITEM_KEYWORDS);
                self.expression_after_value();
            }
        }
    }

    /// A pipe may follow a value; nothing else that is a name.
    fn expression_after_value(&mut self) {
        if self.cursor.prefix.is_empty() && !self.cursor.before.is_empty() {
            self.word("|>", lsp::CompletionItemKind::Operator, Rank::Keyword);
        }
    }

    fn in_lets(&mut self) {
        if self.cursor.is_complete() {
            self.keywords(&["let"]);
        } else {
            self.expression();
        }
    }

    fn in_data(&mut self, inside: bool) {
        let field = self.cursor.back(0) == ":" && self.cursor.back(2) == "field";
        match field {
            true => self.signatures(fields::FIELD_TYPES, lsp::CompletionItemKind::TypeParameter),
            false => self.in_settings(&fields::DATA, &["field", "from"], inside),
        }
    }

    fn in_task(&mut self, kind: Option<usize>, inside: bool) {
        let kind = kind.and_then(|k| ops::task_kind(self.cursor.token(k))).map(|k| k.signature());
        if self.at_name(inside) {
            kind.into_iter().for_each(|k| self.settings(k));
            self.settings_but(&ops::tasks::COMMON, kind);
            return;
        }
        let name = self.cursor.setting().map(|s| self.cursor.token(s)).unwrap_or("");
        let own = kind.filter(|k| k.arg(name).is_some()).unwrap_or(&ops::tasks::COMMON);
        self.value_of(own, name, kind);
    }

    fn in_settings(&mut self, signature: &'static Signature, keywords: &[&str], inside: bool) {
        if self.at_name(inside) {
            self.settings(signature);
            return self.keywords(keywords);
        }
        let name = self.cursor.setting().map(|s| self.cursor.token(s)).unwrap_or("");
        self.value_of(signature, name, None);
    }

    /// Whether the name of a setting is written here, rather than a value.
    fn at_name(&self, inside: bool) -> bool {
        let opened = self.cursor.block().1.is_some_and(|o| o + 1 == self.cursor.before.len());
        !inside && (opened || self.cursor.is_complete())
    }

    /// Inside of a call's brackets: its arguments by name, and values.
    fn in_call(&mut self, open: usize) {
        let callable = super::signature::callable(self.view, &self.cursor, open);
        let named = (self.cursor.back(0) == ":").then(|| self.cursor.back(1));
        match (callable, named) {
            (Some(Callable::Known(s)), Some(name)) => self.value_of(s, name, None),
            (_, Some(_)) => self.expression(),
            (Some(callable), None) => {
                if matches!(self.cursor.back(0), "(" | ",") {
                    self.arguments(callable);
                }
                self.positional(callable);
            }
            (None, None) => self.figure_or_expression(),
        }
    }

    // ---- items ----

    /// Adds a completion in the place of what is being typed.
    fn add(
        &mut self,
        label: &str,
        insert: &str,
        kind: lsp::CompletionItemKind,
        rank: Rank,
    ) -> &mut lsp::CompletionItem {
        let range = lsp::Range {
            start: position(self.view.sources(), self.view.file, self.cursor.word.start as u32),
            end: position(self.view.sources(), self.view.file, self.cursor.word.end as u32),
        };
        let edit = lsp::TextEdit { range, new_text: insert.to_string() };
        self.items.push(lsp::CompletionItem {
            label: label.to_string(),
            kind: Some(kind),
            sort_text: Some(format!("{}{label}", rank as u8)),
            text_edit: Some(lsp::CompletionItemTextEdit::TextEdit(edit)),
            ..Default::default()
        });
        let last = self.items.len() - 1;
        &mut self.items[last]
    }

    fn word(&mut self, word: &str, kind: lsp::CompletionItemKind, rank: Rank) {
        if !self.items.iter().any(|i| i.label == word) {
            self.add(word, word, kind, rank);
        }
    }

    fn keywords(&mut self, words: &[&str]) {
        for word in words {
            let insert = format!("{word} ");
            self.add(word, &insert, lsp::CompletionItemKind::Keyword, Rank::Keyword);
        }
    }

    /// What has a signature, by name.
    fn signatures(&mut self, table: &[&'static Signature], kind: lsp::CompletionItemKind) {
        table.iter().for_each(|s| self.signature(s, kind, Rank::Own));
    }

    fn signature(&mut self, s: &'static Signature, kind: lsp::CompletionItemKind, rank: Rank) {
        let item = self.add(s.name, s.name, kind, rank);
        item.detail = Some(s.usage()).filter(|u| !u.ends_with("()"));
        item.documentation = Some(lsp::Documentation::MarkupContent(markdown(super::markup::signature(s))));
    }

    fn task_kinds(&mut self) {
        for kind in ops::TASKS {
            self.signature(kind.signature(), lsp::CompletionItemKind::TypeParameter, Rank::Own);
        }
    }
}
