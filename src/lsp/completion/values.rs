//! Values of settings and arguments, by what they may be.

use gen_lsp_types as lsp;

use super::{Completer, Rank};
use crate::lsp::markup::{listed, markdown};
use crate::lsp::signature::{Callable, setting_table, words};
use crate::ops::{Kind, Signature, fields, formats, training};
use crate::sema::references::DefKind;
use crate::sema::symbols::SymbolKind;

/// The functions of figures.
const FIGURES: &[&str] = &["mean", "min", "all_correct"];

impl Completer<'_, '_> {
    /// The values of the setting or argument `name`.
    pub(super) fn value_of(&mut self, of: &'static Signature, name: &str, task: Option<&'static Signature>) {
        let Some(arg) = of.arg(name) else { return self.expression() };
        if let Kind::Call(calls) = arg.kind {
            return self.signatures(calls, lsp::CompletionItemKind::Function);
        }
        if std::ptr::eq(of, &fields::DATA) && name == "format" {
            return self.signatures(formats::FORMATS, lsp::CompletionItemKind::EnumMember);
        }
        let fixed = words(arg.kind);
        if !fixed.is_empty() {
            return fixed.iter().for_each(|w| self.word(w, lsp::CompletionItemKind::EnumMember, Rank::Own));
        }
        match arg.kind {
            Kind::Any => self.open_value(of, name, task),
            _ => self.items_that(|k| k == SymbolKind::Const),
        }
    }

    /// A value that is more than one of a few words.
    fn open_value(&mut self, of: &'static Signature, name: &str, task: Option<&'static Signature>) {
        if let Some(table) = setting_table(name) {
            return self.signatures(table, lsp::CompletionItemKind::Function);
        }
        let owners = |k| matches!(k, SymbolKind::Layer | SymbolKind::Task | SymbolKind::Let);
        match name {
            "tasks" => self.items_that(|k| k == SymbolKind::Task),
            "freeze" | "reset" | "updates" => self.items_that(owners),
            "select" => self.figures(),
            "after" => self.stages(),
            "device" => self.any_of(training::DEVICES),
            "tokens" => self.any_of(&["space", "words", "chars", "bytes", "bpe"]),
            "dev" | "test" => self.word("10% of train", lsp::CompletionItemKind::Value, Rank::Own),
            "metric" => self.metrics(task),
            "class_weights" => self.class_weights(),
            "head" => {
                let forms: &[&str] = if task.is_some_and(|t| t.name == "tag") { &["softmax", "crf"] } else { &[] };
                self.any_of(forms);
                self.items_that(|k| k == SymbolKind::Task);
            }
            "of" => self.own_fields(),
            "as" => self.items_that(|k| k == SymbolKind::Data),
            _ if std::ptr::eq(of, &fields::DATA) => {}
            _ => self.expression(),
        }
    }

    fn any_of(&mut self, words: &[&str]) {
        words.iter().for_each(|w| self.word(w, lsp::CompletionItemKind::EnumMember, Rank::Own));
    }

    fn figures(&mut self) {
        self.any_of(FIGURES);
        self.items_that(|k| matches!(k, SymbolKind::Task | SymbolKind::Metric));
    }

    /// In a call that nothing is known of: of a figure in `select` or a `metric`, else of values.
    pub(super) fn figure_or_expression(&mut self) {
        match self.is_figure() {
            true => self.figures(),
            false => self.expression(),
        }
    }

    pub(super) fn is_figure(&self) -> bool {
        let selects = self.cursor.setting().is_some_and(|s| self.cursor.token(s) == "select");
        let head = self.cursor.header(self.cursor.before.len());
        selects || head.is_some_and(|h| self.cursor.token(h) == "metric")
    }

    fn stages(&mut self) {
        let references = self.view.references();
        for def in references.defs.iter().filter(|d| d.kind == DefKind::Stage) {
            self.word(&def.name, lsp::CompletionItemKind::Event, Rank::Own);
        }
    }

    fn metrics(&mut self, task: Option<&'static Signature>) {
        let kind = task.and_then(|t| crate::ops::task_kind(t.name));
        self.any_of(kind.map(|k| k.metrics()).unwrap_or_default());
    }

    /// `balanced`, or a weight for each label of the task's gold.
    fn class_weights(&mut self) {
        self.any_of(&["balanced"]);
        let labels = self.gold_labels();
        if labels.is_empty() {
            return;
        }
        let weights = format!("[{}]", vec!["1.0"; labels.len()].join(", "));
        let item = self.add(&weights, &weights, lsp::CompletionItemKind::Value, Rank::Local);
        item.detail = Some(format!("a weight for each of {} labels", labels.len()));
        item.documentation = Some(lsp::Documentation::MarkupContent(markdown(listed(&labels))));
    }

    /// The labels of the field that the task around learns.
    fn gold_labels(&self) -> Vec<String> {
        let Some(open) = self.cursor.block().1 else { return Vec::new() };
        let Some(head) = self.cursor.header(open) else { return Vec::new() };
        let dot = (head..open).find(|i| self.cursor.token(*i) == ".");
        let base = dot.and_then(|d| Some((self.cursor.base(d.checked_sub(1)?)?, d)));
        let Some((base, dot)) = base else { return Vec::new() };
        let (data, field) = (self.cursor.token(base), self.cursor.token(dot + 1));
        self.view.workspace.samples.labels(self.view, data, field)
    }

    /// The fields of the data set around.
    fn own_fields(&mut self) {
        let Some(open) = self.cursor.block().1 else { return };
        let name = self.cursor.header_of_block(open).map(|h| self.cursor.token(h + 1)).unwrap_or("");
        let references = self.view.references();
        let data = references.all().find(|(_, d)| d.name == name && d.kind == DefKind::Item(SymbolKind::Data));
        if let Some((id, _)) = data {
            self.fields_of(id);
        }
    }

    /// What may be given without a name.
    pub(super) fn positional(&mut self, callable: Callable) {
        let Callable::Known(s) = callable else { return self.expression() };
        for arg in s.args {
            self.any_of(&words(arg.kind));
        }
        let in_field = fields::FIELD_TYPES.iter().any(|t| std::ptr::eq(*t, s));
        let in_training = training::SAMPLES.iter().chain(training::BALANCES).any(|t| std::ptr::eq(*t, s));
        match (in_field, in_training) {
            (true, _) => self.own_fields(),
            (_, true) => self.items_that(|k| k == SymbolKind::Task),
            _ => self.figure_or_expression(),
        }
    }
}
