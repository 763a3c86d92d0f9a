//! Items to values: consts, lets, tasks and the members of families by name; cycles are found here.

use litemap::LiteMap;
use std::rc::Rc;

use super::call::{Checked, Func, Reported, Scope, Val};
use super::checker::{Checker, Key, State};
use super::symbols::{Symbol, SymbolKind};
use super::types::{DataId, Example, On};
use crate::diagnostics::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{ItemKind, Let};

impl<'a> Checker<'a> {
    /// What the item `name` means where it is named at `span`; a family without an index is the
    /// union of its members.
    pub(super) fn item(&mut self, name: &'a str, member: Option<usize>, span: Span, s: &Scope<'a>) -> Val<'a> {
        let symbol = self.symbols.by_name[name].clone();
        if let Err(Reported) = self.allowed(&symbol, span, s) {
            return Val::Error;
        }
        match member {
            Some(m) => self.member_value(&symbol, m, span, s),
            None if !symbol.is_family() => self.member_value(&symbol, 0, span, s),
            None => self.union(&symbol, span, s),
        }
    }

    fn allowed(&mut self, symbol: &Symbol<'a>, span: Span, s: &Scope<'a>) -> Checked<()> {
        let Some(inside) = s.closed else { return Ok(()) };
        if !matches!(symbol.kind, SymbolKind::Data | SymbolKind::Let) {
            return Ok(());
        }
        let message = format!(
            "'{inside}' reads {} '{}', so it could run on that data set alone",
            symbol.kind.noun(),
            symbol.name
        );
        if self.diagnostics.iter().any(|d| d.code == codes::MISPLACED && d.message == message) {
            return Err(Reported);
        }
        let d = Diagnostic::new(codes::MISPLACED, span, message)
            .also(symbol.span, format!("'{}' is declared here", symbol.name))
            .help("make it a parameter, as in `layer reader(x, y) = …`, and pass the value where the layer is used");
        Err(self.error(d))
    }

    fn member_value(&mut self, symbol: &Symbol<'a>, member: usize, span: Span, s: &Scope<'a>) -> Val<'a> {
        match symbol.kind {
            SymbolKind::Const => self.const_item(symbol),
            SymbolKind::Data => match self.data_at.get(&(symbol.name, member)) {
                Some(&id) => Val::Data(On::of(self.example(id))),
                None => Val::Error,
            },
            SymbolKind::Layer => Val::Func(Rc::new(Func::Layer { name: symbol.name, member, rest: vec![], span })),
            SymbolKind::Def => {
                let ItemKind::Def(def) = &symbol.item.kind else { return Val::Error };
                self.recipe(def, &[], None, span, s)
            }
            SymbolKind::Let => self.let_value(symbol, member, span),
            SymbolKind::Task => self.task_head(symbol, member, span).map_or(Val::Error, Val::Task),
            SymbolKind::Loss | SymbolKind::Metric => {
                let message = format!("'{}' is {}, where a value is needed", symbol.name, symbol.kind.noun());
                self.fail(
                    s,
                    Diagnostic::new(codes::WRONG_KIND, span, message)
                        .also(symbol.span, "declared here")
                        .help("a loss or metric is reported as it is; name the values that it is made of"),
                )
            }
            SymbolKind::Run => self.run_as_value(symbol, span, s),
        }
    }

    fn const_item(&mut self, symbol: &Symbol<'a>) -> Val<'a> {
        if let Some(value) = self.overrides.get(symbol.name) {
            return Val::Const(value.clone());
        }
        let ItemKind::Const(c) = &symbol.item.kind else { return Val::Error };
        self.evaluate(Key { name: symbol.name, member: 0, head: false }, c.name.span, |c2| {
            c2.constant(&c.value, &Scope::default()).map_or(Val::Error, Val::Const)
        })
    }

    /// The example axis of one data set.
    pub(super) fn example(&self, id: DataId) -> Example {
        self.declared[id.0].2.clone()
    }

    pub(super) fn let_value(&mut self, symbol: &Symbol<'a>, member: usize, span: Span) -> Val<'a> {
        let ItemKind::Let(l) = &symbol.item.kind else { return Val::Error };
        let first = &l.names[0].name.text;
        let key = Key { name: first, member, head: false };
        let value = self.evaluate(key, span, |c| {
            let scope = c.item_scope(symbol, member, first);
            c.eval(&l.value, &scope)
        });
        let value = self.part_of(value, l, symbol.part, &Scope::default());
        self.note(symbol.span, &value);
        value
    }

    pub(super) fn part_of(&mut self, value: Val<'a>, l: &'a Let, part: usize, s: &Scope<'a>) -> Val<'a> {
        if !l.tuple {
            return match value {
                Val::Func(_) => {
                    let d = Diagnostic::new(
                        codes::NOT_A_VALUE,
                        l.value.span,
                        "this is a function that still waits for its input, not a value",
                    )
                    .help("write `layer` instead of `let` to name a function");
                    self.fail(s, d)
                }
                other => other,
            };
        }
        match value {
            Val::Tuple(parts) if parts.len() == l.names.len() => parts[part].clone(),
            Val::Error => Val::Error,
            Val::Tuple(parts) => {
                let message = format!("{} names take a tuple of {} apart", l.names.len(), parts.len());
                let d = Diagnostic::new(codes::WRONG_INPUT, l.value.span, message);
                self.fail(s, d.help(format!("write {} names between the parentheses", parts.len())))
            }
            _ => {
                let message = "this is no tuple, so it cannot be taken apart";
                let d = Diagnostic::new(codes::WRONG_INPUT, l.value.span, message);
                self.fail(s, d.help("write `let name = …`, without parentheses around the name"))
            }
        }
    }

    /// The scope of an item's body: its loop names, and itself as the owner of what is inline.
    pub(super) fn item_scope(&self, symbol: &Symbol<'a>, member: usize, name: &str) -> Scope<'a> {
        if !symbol.is_family() {
            return Scope { owner: Some(name.into()), ..Scope::default() };
        }
        let loops: LiteMap<String, String> = symbol.family.members.get(member).cloned().unwrap_or_default();
        let mut owner = name.to_string();
        for word in symbol.words(member) {
            owner.push('.');
            owner.push_str(&word);
        }
        Scope { loops, owner: Some(owner.into()), ..Scope::default() }
    }

    /// Evaluates an item once; meeting it again while it is open is a cycle.
    pub(super) fn evaluate(&mut self, key: Key<'a>, span: Span, f: impl FnOnce(&mut Self) -> Val<'a>) -> Val<'a> {
        match self.memo.get(&key) {
            Some(State::Done(value)) => return value.clone(),
            Some(State::Open) => {
                self.report_cycle(key, span);
                return Val::Error;
            }
            None => {}
        }
        self.memo.insert(key, State::Open);
        self.stack.push((key, span));
        let value = f(self);
        self.stack.pop();
        self.memo.insert(key, State::Done(value.clone()));
        value
    }

    pub(super) fn report_cycle(&mut self, key: Key<'a>, span: Span) {
        let Some(start) = self.stack.iter().position(|(k, _)| *k == key) else { return };
        let names: Vec<&str> = self.stack[start..].iter().map(|(k, _)| k.name).collect();
        let mut edges: Vec<(Span, String)> = Vec::new();
        for (i, (k, at)) in self.stack[start..].iter().enumerate().skip(1) {
            edges.push((*at, format!("'{}' reads '{}'", names[i - 1], k.name)));
        }
        edges.push((span, format!("'{}' reads '{}'", names[names.len() - 1], key.name)));
        edges.sort();
        let message = match names.as_slice() {
            [one] => format!("'{one}' reads itself"),
            _ => format!(
                "a cycle: {} and '{}' read each other",
                quoted(&names[..names.len() - 1]),
                names[names.len() - 1]
            ),
        };
        let mut edges = edges.into_iter();
        let Some((at, label)) = edges.next() else { return };
        let mut d = Diagnostic::new(codes::CYCLE, at, message).label(label);
        for (at, label) in edges {
            d = d.also(at, label);
        }
        self.error(d.help("cut one of these edges; for mutual refinement use `repeat(n, f)`, and to read a state one step before, `reads:`"));
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
}
