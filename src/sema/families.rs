//! Members of families: unions, indices, and which member one is.

use std::rc::Rc;

use super::call::{Checked, Reported, Scope, Val};
use super::checker::Checker;
use super::graph::{NodeId, SpaceSource};
use super::symbols::{Symbol, SymbolKind};
use super::types::{DataId, Example, On, Ty};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Attrs;
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

impl<'a> Checker<'a> {
    /// What a family means without an index.
    pub(super) fn union(&mut self, symbol: &Symbol<'a>, span: Span, s: &Scope<'a>) -> Val<'a> {
        match symbol.kind {
            SymbolKind::Layer => {
                let words = symbol.words(0).join(", ");
                let message = format!("'{}' is a family of layers; say which member", symbol.name);
                let d = Diagnostic::new(codes::WRONG_KIND, span, message)
                    .also(symbol.span, "declared here")
                    .help(format!("write `{}[{words}]`, or index it with a loop name", symbol.name));
                self.fail(s, d)
            }
            SymbolKind::Data => {
                let ids: Vec<DataId> =
                    symbol.distinct().iter().filter_map(|m| self.data_at.get(&(symbol.name, *m)).copied()).collect();
                if ids.is_empty() {
                    return Val::Error;
                }
                Val::Data(On::of(Example::Union(ids.into(), symbol.name.into())))
            }
            SymbolKind::Task => {
                let members = symbol.distinct();
                Val::Tasks(members.iter().filter_map(|m| self.task_head(symbol, *m, span).ok()).collect())
            }
            SymbolKind::Let => {
                let members = symbol.distinct();
                let values = members.iter().map(|m| self.let_value(symbol, *m, span)).collect();
                self.union_of(values, symbol.name, span, s)
            }
            _ => Val::Error,
        }
    }

    /// One value over the examples of all members.
    pub(super) fn union_of(&mut self, values: Vec<Val<'a>>, name: &str, span: Span, s: &Scope<'a>) -> Val<'a> {
        let mut nodes = Vec::new();
        for value in values {
            match value {
                Val::Node(id) if *self.graph.ty(id) != Ty::Error => nodes.push(id),
                Val::Error | Val::Node(_) => return Val::Error,
                other => {
                    if let Err(Reported) = self.value_node(&other, span, s) {
                        return Val::Error;
                    }
                }
            }
        }
        match self.union_type(&nodes, name, span, s) {
            Ok(ty) => Val::Node(self.plain("union", nodes, Attrs::new(), ty, span)),
            Err(Reported) => Val::Error,
        }
    }

    fn union_type(&mut self, nodes: &[NodeId], name: &str, span: Span, s: &Scope<'a>) -> Checked<Ty> {
        let Some(&first) = nodes.first() else { return Err(Reported) };
        let mut members: Vec<DataId> = Vec::new();
        let mut over: Option<Rc<str>> = None;
        for id in nodes {
            if let Some(on) = self.graph.ty(*id).on() {
                members.extend(on.example.members());
                over = over.or_else(|| on.example.name().split('.').next().map(Rc::from));
            }
        }
        let example = Example::Union(members.into(), over.unwrap_or_else(|| name.into()));
        let ty = self.relabelled(nodes, first, &example, name);
        for id in nodes {
            let this = self.relabelled(nodes, *id, &example, name);
            if this != ty {
                let (x, y) = (self.show(&ty), self.show(&this));
                let message = format!("the members of '{name}' have different types: {x} and {y}");
                let d = Diagnostic::new(codes::WIDTH_MISMATCH, span, message)
                    .also(self.graph.node(first).span, x)
                    .also(self.graph.node(*id).span, y);
                return Err(self.error_in(s, d));
            }
        }
        Ok(ty)
    }

    /// A member's type as it is on the union; label spaces of fields become their union's.
    fn relabelled(&mut self, nodes: &[NodeId], id: NodeId, example: &Example, name: &str) -> Ty {
        let mut ty = self.graph.ty(id).clone();
        if let Ty::Tokens(on) | Ty::Vector(on, _) | Ty::Label(on, _) | Ty::Gold(on, ..) = &mut ty {
            on.example = example.clone();
        }
        if let Ty::Label(_, space) = &mut ty {
            let mut fields = Vec::new();
            for node in nodes {
                if let Ty::Label(_, s) = self.graph.ty(*node)
                    && let SpaceSource::Fields(f) = &self.spaces.all[s.0].from
                {
                    fields.extend(f.iter().copied());
                }
            }
            if fields.len() > 1 {
                *space = self.space(name, SpaceSource::Fields(fields));
            }
        }
        ty
    }

    /// `reviews[books]`, `private[domain]`.
    pub(super) fn index(&mut self, base: &'a Expr, indices: &'a [Expr], s: &Scope<'a>) -> Val<'a> {
        let symbol = match &base.kind {
            ExprKind::Name(name) => match self.symbols.named(&name.text, name.span).cloned() {
                Some(symbol) => Some(Ok(symbol)),
                None => return self.unknown(name, super::eval::Meant::Value, s),
            },
            ExprKind::Member { base, name } => self.of_run(base, name, s),
            _ => None,
        };
        let Some(symbol) = symbol else {
            self.eval(base, s);
            return self.fail(s, Diagnostic::new(codes::WRONG_KIND, base.span, "only a family can be indexed"));
        };
        let Ok(symbol) = symbol else { return Val::Error };
        match self.member_position(&symbol, indices, base.span, s) {
            Ok(member) => self.item(symbol.name, Some(member), base.span, s),
            Err(Reported) => Val::Error,
        }
    }

    /// Which member of a family the indices name.
    pub(super) fn member_position(
        &mut self,
        symbol: &Symbol<'a>,
        indices: &'a [Expr],
        span: Span,
        s: &Scope<'a>,
    ) -> Checked<usize> {
        if !symbol.is_family() {
            let message = format!("'{}' is no family, so it has no members to index", symbol.name);
            let d = Diagnostic::new(codes::WRONG_KIND, span, message).also(symbol.span, "declared here");
            return Err(self.error_in(s, d.help(format!("write `{}` without an index", symbol.name))));
        }
        let words: Vec<String> = indices.iter().map(|e| self.index_word(e, s)).collect();
        let named = |m: &usize| {
            let bound = &symbol.family.members[*m];
            symbol.index.len() == words.len() && symbol.index.iter().zip(&words).all(|(v, w)| bound.get(*v) == Some(w))
        };
        if let Some(member) = (0..symbol.family.members.len()).find(named) {
            return Ok(member);
        }
        let members: Vec<String> = symbol.distinct().iter().take(8).map(|m| symbol.words(*m).join(", ")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let at = indices.first().map_or(span, |i| i.span);
        let message = format!("'{}' has no member '{}'", symbol.name, words.join(", "));
        let d = Diagnostic::new(codes::UNKNOWN_NAME, at, message)
            .also(symbol.span, "the family is declared here")
            .help(format!("its members are {}", crate::ops::list_words(&members)));
        Err(self.error_in(s, d))
    }

    fn index_word(&mut self, e: &'a Expr, s: &Scope<'a>) -> String {
        match &e.kind {
            ExprKind::Name(n) => match s.loops.get(&n.text) {
                Some(word) => word.clone(),
                None => match s.locals.iter().rev().find(|(l, _)| *l == n.text) {
                    Some((_, Val::Const(c))) => c.word(),
                    _ => n.text.clone(),
                },
            },
            _ => self.constant(e, s).map_or_else(|_| String::new(), |c| c.word()),
        }
    }

    /// `index(reviews)`: which member an example belongs to.
    pub(super) fn family_index(&mut self, name: &'a Ident, args: &'a [Arg], s: &Scope<'a>) -> Val<'a> {
        let [arg] = args else {
            let d = Diagnostic::new(codes::MISSING_ARGUMENT, name.span, "`index` takes one family of data sets");
            return self.fail(s, d.help("write `index(reviews)`"));
        };
        let on = match self.eval(&arg.value, s) {
            Val::Data(on) if matches!(on.example, Example::Union(..)) => on,
            Val::Error => return Val::Error,
            _ => {
                let d = Diagnostic::new(codes::WRONG_KIND, arg.value.span, "`index` takes a family of data sets");
                return self.fail(s, d.help("a family is declared inside a `for`, and named without an index"));
            }
        };
        let family = on.example.name().to_string();
        let words: Vec<String> = on
            .example
            .members()
            .iter()
            .map(|d| {
                let full = &self.datasets[d.0].name;
                full.strip_prefix(&format!("{family}.")).unwrap_or(full).to_string()
            })
            .collect();
        let space = self.space(&family, SpaceSource::List(words));
        Val::Node(self.plain("index", vec![], Attrs::new(), Ty::Label(on, space), name.span))
    }
}
