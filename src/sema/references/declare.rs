//! First pass: everything that is declared.

use super::resolve::Resolver;
use super::{Def, DefId, DefKind};
use crate::ops;
use crate::sema::symbols::SymbolKind;
use crate::source::Span;
use crate::syntax::ast::{Data, Ident, Item, ItemKind, Let, Param, StageEntry, Train};

/// A declaration in the making.
pub(super) struct New<'a> {
    pub name: &'a Ident,
    pub kind: DefKind,
    pub head: Span,
    pub docs: Option<&'a String>,
}

impl<'a> Resolver<'a> {
    /// Declares the items of a file or loop.
    pub(super) fn declare_items(&mut self, items: &'a [Item]) {
        for item in items {
            self.declare_item(item);
        }
    }

    fn declare_item(&mut self, item: &'a Item) {
        let docs = item.docs.as_ref();
        let until = |end: Span| item.span.to(end).clip(end.end);
        let new = |name: &'a Ident, kind: SymbolKind, end: Span| New {
            name,
            kind: DefKind::Item(kind),
            head: until(end),
            docs,
        };
        match &item.kind {
            ItemKind::Use(u) => {
                if let Some(name) = &u.run_as {
                    self.item(new(name, SymbolKind::Run, item.span));
                }
            }
            ItemKind::Const(c) => {
                self.item(new(&c.name, SymbolKind::Const, c.value.span));
                self.consts.insert(&c.name.text, &c.value);
            }
            ItemKind::Data(d) => {
                let id = self.item(new(&d.decl.name, SymbolKind::Data, d.decl.span));
                self.declare_fields(id, d);
            }
            ItemKind::Layer(l) => {
                let id = self.item(new(&l.decl.name, SymbolKind::Layer, l.body.span));
                self.declare_params(id, l.params.iter().flatten(), item.span);
                self.declare_locals(id, &l.lets, item.span);
            }
            ItemKind::Def(d) => {
                let id = self.item(new(&d.name, SymbolKind::Def, d.body.span));
                self.declare_params(id, d.params.iter(), item.span);
                self.declare_locals(id, &d.lets, item.span);
            }
            ItemKind::Let(l) => {
                for decl in &l.names {
                    self.item(new(&decl.name, SymbolKind::Let, l.span));
                }
            }
            ItemKind::Task(t) => {
                let id = self.item(new(&t.decl.name, SymbolKind::Task, t.head_span));
                self.kinds.insert(id, ops::task_kind(&t.kind.text));
            }
            ItemKind::Loss(l) => {
                self.item(new(&l.decl.name, SymbolKind::Loss, l.value.span));
            }
            ItemKind::Metric(m) => {
                self.item(new(&m.decl.name, SymbolKind::Metric, m.value.span));
            }
            ItemKind::Train(t) => self.declare_stages(t),
            ItemKind::For(f) => {
                let whole = item.span;
                for name in &f.binder.names {
                    let head = whole.clip(f.list.span.end);
                    let id = self.add(New { name, kind: DefKind::Loop, head, docs: None }, Some(whole), None);
                    self.inner.insert(name.span, id);
                }
                self.declare_items(&f.items);
            }
        }
    }

    /// Declares an item; of two of one name the first is meant everywhere.
    fn item(&mut self, new: New<'a>) -> DefId {
        let name = new.name.text.as_str();
        let id = self.add(new, None, None);
        self.items.entry(name).or_insert(id);
        id
    }

    fn add(&mut self, new: New<'a>, scope: Option<Span>, owner: Option<DefId>) -> DefId {
        let New { name, kind, head, docs } = new;
        let (name, span) = (name.text.clone(), name.span);
        self.found.defs.push(Def { name, kind, span, head, scope, owner, stands_for: vec![], docs: docs.cloned() });
        DefId(self.found.defs.len() - 1)
    }

    fn declare_fields(&mut self, data: DefId, d: &'a Data) {
        for field in &d.fields {
            let new = New { name: &field.name, kind: DefKind::Field, head: field.span, docs: field.docs.as_ref() };
            let id = self.add(new, None, Some(data));
            self.fields.entry((data, &field.name.text)).or_insert(id);
        }
    }

    fn declare_params(&mut self, layer: DefId, params: impl Iterator<Item = &'a Param>, whole: Span) {
        for p in params {
            let head = p.default.as_ref().map_or(p.name.span, |d| p.name.span.to(d.span));
            let new = New { name: &p.name, kind: DefKind::Param, head, docs: None };
            let id = self.add(new, Some(whole), Some(layer));
            self.params.entry((layer, &p.name.text)).or_insert(id);
            self.inner.insert(p.name.span, id);
        }
    }

    fn declare_locals(&mut self, layer: DefId, lets: &'a [Let], whole: Span) {
        for (l, decl) in lets.iter().flat_map(|l| l.names.iter().map(move |d| (l, d))) {
            let new = New { name: &decl.name, kind: DefKind::Local, head: l.span, docs: None };
            let id = self.add(new, Some(whole), Some(layer));
            self.inner.insert(decl.name.span, id);
        }
    }

    fn declare_stages(&mut self, t: &'a Train) {
        for entry in &t.stages {
            let stages = match entry {
                StageEntry::Stage(stage) => std::slice::from_ref(stage),
                StageEntry::For { binder, list, stages, span } => {
                    for name in &binder.names {
                        let head = span.clip(list.span.end);
                        let id = self.add(New { name, kind: DefKind::Loop, head, docs: None }, Some(*span), None);
                        self.inner.insert(name.span, id);
                    }
                    stages
                }
            };
            for stage in stages {
                let head = stage.span.clip(stage.decl.span.end);
                let id = self.add(New { name: &stage.decl.name, kind: DefKind::Stage, head, docs: None }, None, None);
                self.stages.entry(&stage.decl.name.text).or_insert(id);
            }
        }
    }
}

impl Span {
    /// The part before a byte.
    fn clip(self, end: u32) -> Span {
        Span { end: end.clamp(self.start, self.end), ..self }
    }
}
