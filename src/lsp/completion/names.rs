//! Names: items by kind, locals, built-ins, and arguments.

use gen_lsp_types as lsp;

use super::{Completer, Rank};
use crate::lsp::cursor::is_value;
use crate::lsp::markup::{argument, default, markdown};
use crate::lsp::signature::{Callable, parts};
use crate::ops::{self, Default, Group, Signature};
use crate::sema::references::{Def, DefKind};
use crate::sema::symbols::SymbolKind;

impl Completer<'_, '_> {
    /// What may stand in an expression; behind `|>` only what takes a value.
    pub(super) fn expression(&mut self) {
        let piped = self.cursor.back(0) == "|>";
        if !piped {
            for name in self.cursor.locals() {
                self.word(name, lsp::CompletionItemKind::Variable, Rank::Local);
            }
        }
        let takes = |k: SymbolKind| matches!(k, SymbolKind::Layer | SymbolKind::Def | SymbolKind::Task);
        self.items_that(|k| if piped { takes(k) } else { is_value(k) });
        self.built_ins();
    }

    /// The items of some kinds.
    pub(super) fn items_that(&mut self, fits: impl Fn(SymbolKind) -> bool) {
        let references = self.view.references();
        for def in &references.defs {
            if let DefKind::Item(kind) = def.kind
                && fits(kind)
            {
                self.item(def, kind);
            }
        }
    }

    fn item(&mut self, def: &Def, kind: SymbolKind) {
        // What is being typed is no name yet.
        if self.items.iter().any(|i| i.label == def.name) || self.is_typed(def) {
            return;
        }
        let detail = self.view.known().types_at(def.span).into_iter().next();
        let docs = def.docs.clone();
        let shown = crate::lsp::markup::head(self.view, def);
        let item = self.add(&def.name, &def.name, item_kind(kind), Rank::Item);
        item.detail = Some(detail.unwrap_or_else(|| kind.noun().to_string()));
        let text = docs.map_or(shown.clone(), |d| format!("{shown}\n\n{d}"));
        item.documentation = Some(lsp::Documentation::MarkupContent(markdown(text)));
    }

    fn is_typed(&self, def: &Def) -> bool {
        def.span.file == self.view.file && def.span.range() == self.cursor.word
    }

    fn built_ins(&mut self) {
        for s in ops::all().map(|op| op.signature()).filter(|s| s.group != Group::Internal) {
            if !self.items.iter().any(|i| i.label == s.name) {
                self.signature(s, lsp::CompletionItemKind::Function, Rank::BuiltIn);
            }
        }
    }

    /// The arguments of a call that it does not have yet.
    pub(super) fn arguments(&mut self, callable: Callable) {
        match callable {
            Callable::Known(s) => s.args.iter().for_each(|a| self.argument(s, a)),
            Callable::Declared(_) => {
                for part in parts(self.view, callable) {
                    let insert = format!("{}: ", part.name);
                    self.add(&format!("{}:", part.name), &insert, lsp::CompletionItemKind::Property, Rank::Own);
                }
            }
        }
    }

    fn argument(&mut self, s: &'static Signature, a: &'static ops::Arg) {
        let shown = default(a);
        let insert = self.with_default(a.name, shown.as_deref());
        let snippet = self.snippets && shown.is_some();
        let kind =
            if matches!(a.kind, ops::Kind::Any) { a.doc.trim_end_matches('.').to_string() } else { a.kind.words() };
        let item = self.add(&format!("{}:", a.name), &insert, lsp::CompletionItemKind::Property, Rank::Own);
        item.filter_text = Some(a.name.to_string());
        item.detail = Some(match (a.default, shown) {
            (Default::Required, _) => format!("{kind}; required"),
            (_, Some(value)) => format!("{kind}; {value}"),
            _ => kind,
        });
        item.documentation = Some(lsp::Documentation::MarkupContent(markdown(argument(s, a))));
        item.insert_text_format = snippet.then_some(lsp::InsertTextFormat::Snippet);
    }

    /// `name: value`, the value selected where the editor can.
    fn with_default(&self, name: &str, value: Option<&str>) -> String {
        match value.filter(|_| self.snippets) {
            Some(value) => format!("{name}: ${{1:{value}}}"),
            None => format!("{name}: "),
        }
    }

    /// The settings of a block that it does not have yet.
    pub(super) fn settings(&mut self, signature: &'static Signature) {
        self.settings_but(signature, None);
    }

    /// The settings of a block, without those that it has and those of `other`.
    pub(super) fn settings_but(&mut self, signature: &'static Signature, other: Option<&'static Signature>) {
        let open = self.cursor.block().1.unwrap_or(0);
        for a in signature.args {
            let given = self.cursor.said(open, a.name).is_some();
            if !given && other.is_none_or(|o| o.arg(a.name).is_none()) {
                self.argument(signature, a);
            }
        }
    }
}

fn item_kind(kind: SymbolKind) -> lsp::CompletionItemKind {
    use lsp::CompletionItemKind as K;
    match kind {
        SymbolKind::Const => K::Constant,
        SymbolKind::Data => K::Struct,
        SymbolKind::Layer | SymbolKind::Def => K::Function,
        SymbolKind::Let => K::Variable,
        SymbolKind::Task => K::Class,
        SymbolKind::Loss | SymbolKind::Metric => K::Value,
        SymbolKind::Run => K::Module,
    }
}
