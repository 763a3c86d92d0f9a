//! What a program declares: names, families and their members, before anything is evaluated.

use litemap::LiteMap;
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::consts::Const;
use super::suggest;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, Decl, Item, ItemKind};

/// What kind of thing a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SymbolKind {
    Const,
    Data,
    Layer,
    Def,
    Let,
    Task,
    Loss,
    Metric,
    Run,
}

impl SymbolKind {
    /// With its article, for messages.
    pub fn noun(self) -> &'static str {
        match self {
            SymbolKind::Const => "a const",
            SymbolKind::Data => "a data set",
            SymbolKind::Layer => "a layer",
            SymbolKind::Def => "a recipe",
            SymbolKind::Let => "a value",
            SymbolKind::Task => "a task",
            SymbolKind::Loss => "a loss",
            SymbolKind::Metric => "a metric",
            SymbolKind::Run => "a trained run",
        }
    }
}

/// The loop names around an item, and every choice of words for them.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// One map from loop name to word for each member.
    pub members: Vec<LiteMap<String, String>>,
    /// Where each member stands in the list that the innermost loop runs over.
    pub at: Vec<Span>,
}

impl Family {
    /// One member without loop names.
    pub fn alone() -> Rc<Self> {
        Rc::new(Self { members: vec![LiteMap::new()], at: Vec::new() })
    }
}

/// A declared name.
#[derive(Clone, Debug)]
pub struct Symbol<'a> {
    /// The name.
    pub name: &'a str,
    /// What it is.
    pub kind: SymbolKind,
    /// Where the name stands.
    pub span: Span,
    /// The item.
    pub item: &'a Item,
    /// Which of a tuple's names it is.
    pub part: usize,
    /// Loop names in the order of the index, when it is a family.
    pub index: Vec<&'a str>,
    /// The members, one with no loop names for a plain item.
    pub family: Rc<Family>,
}

impl Symbol<'_> {
    /// Whether it comes from a trained run: no name in a program has a point.
    pub fn is_of_run(&self) -> bool {
        self.name.contains('.')
    }

    /// Whether it exists once for each member of a loop.
    pub fn is_family(&self) -> bool {
        !self.index.is_empty()
    }

    /// The words that index member `m`.
    pub fn words(&self, m: usize) -> Vec<String> {
        self.index.iter().map(|v| self.family.members[m].get(*v).cloned().unwrap_or_default()).collect()
    }

    /// Where member `m` stands in the list of its loop.
    pub fn member_at(&self, m: usize) -> Option<Span> {
        self.family.at.get(m).copied().filter(|_| self.is_family())
    }

    /// The members with distinct words, as positions in the family.
    pub fn distinct(&self) -> Vec<usize> {
        if self.family.members.len() == 1 {
            return vec![0];
        }
        let mut seen = FxHashSet::default();
        (0..self.family.members.len()).filter(|m| seen.insert(self.words(*m))).collect()
    }
}

/// All names of a program.
#[derive(Debug, Default)]
pub struct Symbols<'a> {
    /// By name, in the order declared.
    pub by_name: IndexMap<&'a str, Symbol<'a>, FxBuildHasher>,
    /// The `train` block, when there is one.
    pub train: Option<&'a ast::Train>,
    /// The trained runs whose programs some files are.
    pub runs: FxHashMap<FileId, String>,
}

impl<'a> Symbols<'a> {
    /// What `name` means where it is written: in the program of a run, one of the run's items, or
    /// a data set of this program.
    pub fn named(&self, name: &str, at: Span) -> Option<&Symbol<'a>> {
        let Some(run) = self.runs.get(&at.file) else { return self.by_name.get(name) };
        let data = || self.by_name.get(name).filter(|s| s.kind == SymbolKind::Data);
        self.by_name.get(format!("{run}.{name}").as_str()).or_else(data)
    }

    /// The items of the program itself.
    pub fn own(&self) -> impl Iterator<Item = &Symbol<'a>> {
        self.by_name.values().filter(|s| !s.is_of_run())
    }

    /// The names closest to `name` among those that `fits`.
    pub fn nearest(&self, name: &str, fits: impl Fn(SymbolKind) -> bool) -> Option<&'a str> {
        suggest::nearest(name, self.by_name.values().filter(|s| fits(s.kind)).map(|s| s.name))
    }
}

/// Collects the names of all files.
pub struct Collector<'a, 'd> {
    /// What was found.
    pub symbols: Symbols<'a>,
    /// Values of consts, for the lists that loops run over.
    pub consts: &'d dyn Fn(&'a ast::Expr) -> Result<Const, Diagnostic>,
    /// The family of what stands in no loop.
    pub alone: Rc<Family>,
    /// Mistakes.
    pub diagnostics: &'d mut Vec<Diagnostic>,
    /// Names that a mistake in their `for` or index left undeclared: nothing more is said of them.
    pub tolerated: FxHashSet<String>,
}

impl<'a> Collector<'a, '_> {
    /// Collects the items of a file or loop whose loop names are bound in `family`.
    pub fn items(&mut self, items: &'a [Item], family: &Rc<Family>) {
        for item in items {
            self.item(item, family);
        }
    }

    fn item(&mut self, item: &'a Item, family: &Rc<Family>) {
        match &item.kind {
            ItemKind::Use(u) => {
                if let Some(name) = &u.run_as {
                    self.declare(name, &[], SymbolKind::Run, item, 0, family);
                }
            }
            ItemKind::Const(c) => self.declare(&c.name, &[], SymbolKind::Const, item, 0, &Rc::default()),
            ItemKind::Data(d) => self.decl(&d.decl, SymbolKind::Data, item, 0, family),
            ItemKind::Layer(l) => self.decl(&l.decl, SymbolKind::Layer, item, 0, family),
            ItemKind::Def(d) => self.declare(&d.name, &[], SymbolKind::Def, item, 0, family),
            ItemKind::Let(l) => {
                for (part, decl) in l.names.iter().enumerate() {
                    self.decl(decl, SymbolKind::Let, item, part, family);
                }
            }
            ItemKind::Task(t) => self.decl(&t.decl, SymbolKind::Task, item, 0, family),
            ItemKind::Loss(l) => self.decl(&l.decl, SymbolKind::Loss, item, 0, family),
            ItemKind::Metric(m) => self.decl(&m.decl, SymbolKind::Metric, item, 0, family),
            ItemKind::Train(t) => self.train(t, family),
            ItemKind::For(f) => self.family(f, family),
        }
    }

    fn train(&mut self, train: &'a ast::Train, family: &Rc<Family>) {
        if !family.members.is_empty() {
            let message = "a `train` block cannot stand inside a `for`";
            self.diagnostics.push(
                Diagnostic::new(codes::MISPLACED, train.keyword, message)
                    .help("write it once, outside; a `for` around stages goes inside the `train` block"),
            );
        } else if let Some(first) = self.symbols.train {
            self.diagnostics.push(
                Diagnostic::new(codes::DUPLICATE_NAME, train.keyword, "a second `train` block")
                    .also(first.keyword, "the first is here")
                    .help("put the settings of both into one block"),
            );
        } else {
            self.symbols.train = Some(train);
        }
    }

    fn family(&mut self, f: &'a ast::For, outer: &Rc<Family>) {
        let family =
            (self.consts)(&f.list).and_then(|list| unroll(&f.binder, &list, &places(&f.list, &self.symbols), outer));
        match family {
            Ok(family) => self.items(&f.items, &Rc::new(family)),
            Err(d) => {
                self.diagnostics.push(d);
                self.tolerate(&f.items);
            }
        }
    }

    fn tolerate(&mut self, items: &'a [Item]) {
        for item in items {
            let names: Vec<&'a ast::Ident> = match &item.kind {
                ItemKind::Use(_) | ItemKind::Train(_) => vec![],
                ItemKind::Const(c) => vec![&c.name],
                ItemKind::Def(d) => vec![&d.name],
                ItemKind::Data(d) => vec![&d.decl.name],
                ItemKind::Layer(l) => vec![&l.decl.name],
                ItemKind::Task(t) => vec![&t.decl.name],
                ItemKind::Loss(l) => vec![&l.decl.name],
                ItemKind::Metric(m) => vec![&m.decl.name],
                ItemKind::Let(l) => l.names.iter().map(|d| &d.name).collect(),
                ItemKind::For(f) => {
                    self.tolerate(&f.items);
                    vec![]
                }
            };
            self.tolerated.extend(names.into_iter().map(|n| n.text.clone()));
        }
    }

    fn decl(&mut self, decl: &'a Decl, kind: SymbolKind, item: &'a Item, part: usize, family: &Rc<Family>) {
        self.declare(&decl.name, &decl.index, kind, item, part, family);
    }

    fn declare(
        &mut self,
        name: &'a ast::Ident,
        index: &'a [ast::Ident],
        kind: SymbolKind,
        item: &'a Item,
        part: usize,
        family: &Rc<Family>,
    ) {
        let bound = family.members.first();
        for var in index {
            if !bound.is_some_and(|m| m.contains_key(&var.text)) {
                self.tolerated.insert(name.text.clone());
                let message = format!("no `for` around this binds '{}'", var.text);
                if self.diagnostics.iter().any(|d| d.message == message) {
                    return;
                }
                let d = Diagnostic::new(codes::UNKNOWN_NAME, var.span, message);
                let known = bound.into_iter().flat_map(|m| m.keys()).map(String::as_str);
                self.diagnostics.push(match suggest::nearest(&var.text, known) {
                    Some(near) => d.fix(var.span, near, format!("did you mean '{near}'?")),
                    None => d.help(format!("write it inside `for {} in […] {{ … }}`", var.text)),
                });
                return;
            }
        }
        if index.is_empty() && bound.is_some() && !matches!(kind, SymbolKind::Const | SymbolKind::Def) {
            let vars: Vec<&str> = bound.into_iter().flat_map(|m| m.keys()).map(String::as_str).collect();
            let message =
                format!("'{}' stands inside a `for` but has no index, so its members would share one name", name.text);
            let indexed = format!("{}[{}]", name.text, vars.join(", "));
            self.diagnostics.push(Diagnostic::new(codes::MISPLACED, name.span, message).fix(
                name.span,
                indexed.clone(),
                format!("write `{indexed}`"),
            ));
        }
        if let Some(first) = self.symbols.by_name.get(name.text.as_str()) {
            let message = format!("'{}' is declared twice", name.text);
            self.diagnostics.push(
                Diagnostic::new(codes::DUPLICATE_NAME, name.span, message).also(first.span, "first declared here"),
            );
            return;
        }
        let alone = family.members.is_empty() || index.is_empty();
        let family = if alone { self.alone.clone() } else { family.clone() };
        let index = index.iter().map(|v| v.text.as_str()).collect();
        let symbol = Symbol { name: &name.text, kind, span: name.span, item, part, index, family };
        self.symbols.by_name.insert(&name.text, symbol);
    }
}

/// The list of a loop and each member in it: those of the const where it names one.
pub fn places(list: &ast::Expr, symbols: &Symbols<'_>) -> Places {
    let named = match &list.kind {
        ast::ExprKind::Name(name) => symbols.by_name.get(name.text.as_str()).map(|s| &s.item.kind),
        _ => None,
    };
    let written = match named {
        Some(ItemKind::Const(known)) => &known.value,
        _ => list,
    };
    match &written.kind {
        ast::ExprKind::List(parts) => Places { list: list.span, members: parts.iter().map(|p| p.span).collect() },
        _ => Places { list: list.span, members: Vec::new() },
    }
}

/// Where the list of a loop stands, and where its members do.
pub struct Places {
    list: Span,
    members: Vec<Span>,
}

/// Every choice of words that a loop inside `outer` binds.
pub fn unroll(binder: &ast::Binder, list: &Const, places: &Places, outer: &Family) -> Result<Family, Diagnostic> {
    let at = places.list;
    let Const::List(members) = list else {
        return Err(Diagnostic::new(codes::BAD_ARGUMENT, at, "a `for` runs over a list")
            .help("write a list such as `[books, dvd]`, or the name of a const that is one"));
    };
    let plain = vec![LiteMap::new()];
    let outer = if outer.members.is_empty() { &plain } else { &outer.members };
    let mut family = Family::default();
    for bound in outer {
        for (nth, member) in members.iter().enumerate() {
            let words: Vec<String> = match member {
                Const::Tuple(parts) => parts.iter().map(Const::word).collect(),
                one => vec![one.word()],
            };
            if words.len() != binder.names.len() {
                let (names, parts) = (binder.names.len(), words.len());
                let plural = |n: usize| if n == 1 { "" } else { "s" };
                let message = format!(
                    "this `for` binds {names} name{}, but a member has {parts} part{}",
                    plural(names),
                    plural(parts)
                );
                return Err(Diagnostic::new(codes::BAD_ARGUMENT, binder.span, message)
                    .also(places.members.get(nth).copied().unwrap_or(at), "this member")
                    .help("write as many names as each member has parts"));
            }
            let mut bound = bound.clone();
            bound.extend(binder.names.iter().map(|n| n.text.clone()).zip(words));
            family.members.push(bound);
            family.at.push(places.members.get(nth).copied().unwrap_or(at));
        }
    }
    Ok(family)
}
