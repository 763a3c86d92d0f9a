//! What stands behind a `.`: fields, outputs and metrics, parts of layers.

use gen_lsp_types as lsp;

use super::{Completer, Rank};
use crate::lsp::markup::{head, markdown};
use crate::ops;
use crate::sema::references::{DefId, DefKind};
use crate::sema::symbols::SymbolKind;

impl Completer<'_, '_> {
    pub(super) fn members(&mut self) {
        let Some(last) = self.cursor.before.len().checked_sub(2) else { return };
        let Some(base) = self.cursor.base(last) else { return };
        if base > 0 && self.cursor.token(base - 1) == "." {
            return;
        }
        for id in self.items_named(self.cursor.token(base)) {
            match self.view.references().def(id).kind {
                DefKind::Item(SymbolKind::Data) => self.fields_of(id),
                DefKind::Item(SymbolKind::Task) => self.outputs_of(id),
                DefKind::Item(SymbolKind::Layer | SymbolKind::Let) => self.parts_of(id),
                _ => {}
            }
        }
    }

    /// The items of a name, or those that a loop name stands for.
    fn items_named(&self, name: &str) -> Vec<DefId> {
        let references = self.view.references();
        let local = self.cursor.locals().contains(&name);
        let mut found = Vec::new();
        for (id, def) in references.all().filter(|(_, d)| d.name == name) {
            match def.kind {
                DefKind::Loop if local => found.extend(&def.stands_for),
                DefKind::Item(_) if !local => found.push(id),
                _ => {}
            }
        }
        found
    }

    pub(super) fn fields_of(&mut self, data: DefId) {
        let references = self.view.references();
        for def in references.defs.iter().filter(|d| d.owner == Some(data) && d.kind == DefKind::Field) {
            if self.items.iter().any(|i| i.label == def.name) {
                continue;
            }
            let shown = head(self.view, def);
            let ty = self.view.sources().text(def.head).split_once(':').map(|(_, t)| t.trim().to_string());
            let item = self.add(&def.name, &def.name, lsp::CompletionItemKind::Field, Rank::Own);
            item.detail = ty;
            let text = def.docs.as_ref().map_or(shown.clone(), |d| format!("{shown}\n\n{d}"));
            item.documentation = Some(lsp::Documentation::MarkupContent(markdown(text)));
        }
    }

    fn outputs_of(&mut self, task: DefId) {
        let span = self.view.references().def(task).span;
        let kind = self.view.known().tasks.iter().find(|t| t.span == span).map(|t| t.kind);
        // In `select` and a `metric` a task stands for its figures alone.
        let outputs = if self.is_figure() { &[] } else { ops::tasks::OUTPUTS };
        for output in outputs {
            if !self.items.iter().any(|i| i.label == output.name) {
                self.signature(output, lsp::CompletionItemKind::Method, Rank::Own);
            }
        }
        for metric in kind.map(|k| k.metrics()).unwrap_or_default() {
            self.word(metric, lsp::CompletionItemKind::Value, Rank::Local);
        }
    }

    /// The operations of a layer that have parameters.
    fn parts_of(&mut self, layer: DefId) {
        let known = self.view.known();
        let name = &self.view.references().def(layer).name;
        let below = known.params_below(std::slice::from_ref(name));
        let mut parts: Vec<String> = Vec::new();
        for param in below {
            let path = &known.graph.params[param.0].name;
            let part = path[name.len()..].trim_start_matches('.').split('.').next().unwrap_or_default();
            if !part.is_empty() && !parts.iter().any(|p| p == part) {
                parts.push(part.to_string());
            }
        }
        parts.iter().for_each(|p| self.word(p, lsp::CompletionItemKind::Field, Rank::Own));
    }
}
