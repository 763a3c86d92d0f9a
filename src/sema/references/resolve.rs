//! Second pass: what each use of a name means, item by item.

use rustc_hash::FxHashMap;
use std::path::Path;

use super::{DefId, DefKind, References, Target, Use};
use crate::ops::TaskKind;
use crate::sema::analysis::plain;
use crate::source::{SourceMap, Span};
use crate::syntax::Parse;
use crate::syntax::ast::{Binder, Decl, Dims, Expr, ExprKind, Ident, Item, ItemKind, Layer, Let, Param, Sig};

/// Finds declarations and uses.
pub(super) struct Resolver<'a> {
    pub files: &'a [Parse],
    pub sources: &'a SourceMap,
    pub found: References,
    pub items: FxHashMap<&'a str, DefId>,
    pub fields: FxHashMap<(DefId, &'a str), DefId>,
    pub params: FxHashMap<(DefId, &'a str), DefId>,
    pub stages: FxHashMap<&'a str, DefId>,
    pub kinds: FxHashMap<DefId, Option<&'static dyn TaskKind>>,
    pub consts: FxHashMap<&'a str, &'a Expr>,
    /// Declarations inside of items, by the place of their names.
    pub inner: FxHashMap<Span, DefId>,
}

/// What names mean inside an item, beyond items.
#[derive(Clone, Default)]
pub(super) struct Scope<'a> {
    /// Parameters and local lets, the later hiding the earlier.
    pub locals: Vec<(&'a str, DefId)>,
    /// Loop names, with the items that they stand for.
    pub loops: Vec<(&'a str, DefId, Vec<DefId>)>,
    /// The data set around.
    pub data: Option<DefId>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(files: &'a [Parse], sources: &'a SourceMap) -> Self {
        Self {
            files,
            sources,
            found: References::default(),
            items: FxHashMap::default(),
            fields: FxHashMap::default(),
            params: FxHashMap::default(),
            stages: FxHashMap::default(),
            kinds: FxHashMap::default(),
            consts: FxHashMap::default(),
            inner: FxHashMap::default(),
        }
    }

    pub(super) fn run(mut self) -> References {
        for file in self.files {
            self.declare_items(&file.ast.items);
        }
        for file in self.files {
            self.resolve_items(&file.ast.items, &Scope::default());
        }
        self.found
    }

    /// Records what the text at a place means.
    pub(super) fn mark(&mut self, span: Span, target: Target) {
        self.found.uses.push(Use { span, target, spelled: false });
    }

    pub(super) fn mark_def(&mut self, span: Span, def: DefId) {
        self.mark(span, Target::Defs(vec![def]));
    }

    pub(super) fn kind(&self, def: DefId) -> DefKind {
        self.found.defs[def.0].kind
    }

    fn resolve_items(&mut self, items: &'a [Item], s: &Scope<'a>) {
        for item in items {
            self.resolve_item(item, s);
        }
    }

    fn resolve_item(&mut self, item: &'a Item, s: &Scope<'a>) {
        match &item.kind {
            ItemKind::Use(u) => {
                if u.run_as.is_none() {
                    self.used_file(&u.path, u.path_span);
                }
            }
            ItemKind::Const(c) => self.words(&c.value, s),
            ItemKind::Data(d) => self.data(d, s),
            ItemKind::Layer(l) => self.layer(l, s),
            ItemKind::Def(d) => self.body(&d.params, &d.lets, &d.body, s),
            ItemKind::Let(l) => {
                l.names.iter().for_each(|d| self.index_names(d, s));
                self.expr(&l.value, s);
            }
            ItemKind::Task(t) => self.task(t, s),
            ItemKind::Loss(l) => {
                self.index_names(&l.decl, s);
                self.expr(&l.value, s);
                self.settings(&crate::ops::training::LOSS, &l.settings, s);
            }
            ItemKind::Metric(m) => {
                self.index_names(&m.decl, s);
                self.figure(&m.value, s);
            }
            ItemKind::Train(t) => self.train(t),
            ItemKind::For(f) => {
                let inside = self.looped(&f.binder, &f.list, s);
                self.resolve_items(&f.items, &inside);
            }
        }
    }

    fn used_file(&mut self, path: &str, span: Span) {
        let folder = self.sources.file(span.file).path.parent().unwrap_or(Path::new(""));
        self.mark(span, Target::File(plain(&folder.join(path))));
    }

    /// The loop names in the index of a declaration.
    pub(super) fn index_names(&mut self, decl: &'a Decl, s: &Scope<'a>) {
        for name in &decl.index {
            if let Some((_, def, _)) = s.loops.iter().rev().find(|(n, ..)| *n == name.text) {
                self.mark_def(name.span, *def);
            }
        }
    }

    fn layer(&mut self, l: &'a Layer, s: &Scope<'a>) {
        self.index_names(&l.decl, s);
        l.sig.iter().for_each(|sig| self.sig(sig));
        self.body(l.params.as_deref().unwrap_or_default(), &l.lets, &l.body, s);
    }

    fn body(&mut self, params: &'a [Param], lets: &'a [Let], body: &'a Expr, s: &Scope<'a>) {
        let mut inside = s.clone();
        for p in params {
            p.default.iter().for_each(|d| self.expr(d, s));
            self.bring(&mut inside, &p.name);
        }
        for l in lets {
            self.expr(&l.value, &inside);
            l.names.iter().for_each(|d| self.bring(&mut inside, &d.name));
        }
        self.expr(body, &inside);
    }

    fn bring(&self, s: &mut Scope<'a>, name: &'a Ident) {
        if let Some(def) = self.inner.get(&name.span) {
            s.locals.push((&name.text, *def));
        }
    }

    fn sig(&mut self, sig: &'a Sig) {
        for dim in sig.inputs.iter().chain([&sig.output]).flat_map(|Dims { dims, .. }| dims) {
            if let ExprKind::Name(name) = &dim.kind {
                let item = self.items.get(name.text.as_str()).copied();
                self.mark(name.span, item.map_or(Target::Word, |def| Target::Defs(vec![def])));
            }
        }
    }

    /// The scope inside a loop.
    pub(super) fn looped(&mut self, binder: &'a Binder, list: &'a Expr, s: &Scope<'a>) -> Scope<'a> {
        self.words(list, s);
        let mut inside = s.clone();
        for (i, name) in binder.names.iter().enumerate() {
            let items = self.members(list, i, 0);
            if let Some(def) = self.inner.get(&name.span) {
                self.found.defs[def.0].stands_for = items.clone();
                inside.loops.push((&name.text, *def, items));
            }
        }
        inside
    }

    /// The items that part `part` of each member of a list names.
    fn members(&self, list: &'a Expr, part: usize, depth: usize) -> Vec<DefId> {
        let parts = match &list.kind {
            ExprKind::List(parts) => parts,
            ExprKind::Name(name) if depth < 8 => {
                let value = self.consts.get(name.text.as_str());
                return value.map_or_else(Vec::new, |e| self.members(e, part, depth + 1));
            }
            _ => return Vec::new(),
        };
        let one = |e: &'a Expr| match &e.kind {
            ExprKind::Tuple(parts) => parts.get(part).and_then(name_of),
            _ => name_of(e),
        };
        let mut items: Vec<DefId> = parts.iter().filter_map(one).filter_map(|n| self.items.get(n).copied()).collect();
        items.dedup();
        items
    }

    /// Names that are words: of a list of a `for`, of a const. One may be an item's, too.
    pub(super) fn words(&mut self, e: &'a Expr, s: &Scope<'a>) {
        match &e.kind {
            ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|p| self.words(p, s)),
            ExprKind::Name(name) => self.word(name, s),
            _ => self.expr(e, s),
        }
    }

    pub(super) fn word(&mut self, name: &'a Ident, s: &Scope<'a>) {
        let target = match self.named(&name.text, s) {
            Some((defs, _)) => Target::Defs(defs),
            None => Target::Word,
        };
        let is_const = |d: &DefId| self.kind(*d) == DefKind::Item(crate::sema::symbols::SymbolKind::Const);
        let spelled = !matches!(&target, Target::Defs(defs) if defs.iter().all(is_const) || s.is_local(&name.text));
        self.found.uses.push(Use { span: name.span, target, spelled });
    }
}

impl Scope<'_> {
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|(n, _)| *n == name) || self.loops.iter().any(|(n, ..)| *n == name)
    }
}

fn name_of(e: &Expr) -> Option<&str> {
    match &e.kind {
        ExprKind::Name(n) => Some(&n.text),
        _ => None,
    }
}
