//! Parameter paths: a layer, a task, or a part of one, as `freeze`, `updates` and `l2` name them.

use super::call::{Checked, Func, Reported, Scope, Val};
use super::checker::{Checker, Key, State};
use super::consts::Const;
use super::graph::ParamId;
use super::suggest;
use super::symbols::{Symbol, SymbolKind};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::list_words;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Ident};
use rustc_hash::FxHashSet;

impl<'a> Checker<'a> {
    /// The parameters that a path or a list of paths names, each once.
    pub fn paths(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<ParamId>> {
        self.make_params();
        let mut found = Vec::new();
        let mut broken = false;
        let parts: &'a [Expr] = match &e.kind {
            ExprKind::List(parts) => parts,
            _ => std::slice::from_ref(e),
        };
        for part in parts {
            match self.path(part, s) {
                Ok(params) => found.extend(params),
                Err(Reported) => broken = true,
            }
        }
        let mut seen = FxHashSet::default();
        found.retain(|p| seen.insert(*p));
        if broken { Err(Reported) } else { Ok(found) }
    }

    /// A layer gets its parameters when it is first applied: evaluates what tasks and lets apply.
    fn make_params(&mut self) {
        if self.params_made {
            return;
        }
        let lets_alone = self.stack.iter().all(|(k, _)| self.symbols.by_name[k.name].kind == SymbolKind::Let);
        if !lets_alone {
            return;
        }
        let symbols: Vec<Symbol<'a>> = self.symbols.own().cloned().collect();
        for symbol in symbols {
            for member in symbol.distinct() {
                let open = matches!(self.memo.get(&Key { name: symbol.name, member, head: false }), Some(State::Open));
                match symbol.kind {
                    SymbolKind::Let if !open => {
                        self.item(symbol.name, Some(member), symbol.span, &Scope::default());
                    }
                    SymbolKind::Task if !open => {
                        if let Ok(id) = self.task_head(&symbol, member, symbol.span) {
                            let _ = self.built(id, symbol.span);
                        }
                    }
                    _ => {}
                }
            }
        }
        self.params_made = self.stack.is_empty();
    }

    /// Whether mistakes elsewhere may have kept a layer from getting its parameters.
    fn is_partial(&self) -> bool {
        self.diagnostics.iter().any(|d| d.is_error() && d.code != codes::PATH)
    }

    fn path(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<ParamId>> {
        let prefixes = self.path_prefixes(e, s)?;
        let params = self.graph.params.iter().enumerate();
        let found: Vec<ParamId> = params
            .filter(|(_, p)| prefixes.iter().any(|x| below(&p.name, x).is_some()))
            .map(|(i, _)| ParamId(i))
            .collect();
        if found.is_empty() && !self.is_partial() {
            let message = format!("'{}' has no parameters of its own", self.sources.text(e.span));
            let d = Diagnostic::new(codes::PATH, e.span, message);
            return Err(self.error_in(s, d.help("name the layers that it applies, and the tasks")));
        }
        Ok(found)
    }

    /// How the names of the parameters begin. A task gives its own name and its head's, which
    /// another task may have made; a const list gives what it names.
    fn path_prefixes(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<String>> {
        match &e.kind {
            ExprKind::Error => Err(Reported),
            ExprKind::Name(name) => self.owner_prefixes(name, s),
            ExprKind::Member { base, name } => {
                if let Some(symbol) = self.of_run(base, name, s) {
                    let symbol = symbol?;
                    return Ok(symbol.distinct().into_iter().flat_map(|m| self.member_prefixes(&symbol, m)).collect());
                }
                let owners = self.path_prefixes(base, s)?;
                self.part_prefixes(&owners, base.span, name, s)
            }
            ExprKind::Index { base, indices } if matches!(base.kind, ExprKind::Name(_)) => {
                let ExprKind::Name(name) = &base.kind else { return Err(Reported) };
                let symbol = self.owner_symbol(&name.text, name.span, s)?;
                let member = self.member_position(&symbol, indices, name.span, s)?;
                Ok(self.member_prefixes(&symbol, member))
            }
            // Layers that are counted: `bert.encoder.layer[0]`.
            ExprKind::Index { base, indices }
                if matches!(indices.as_slice(), [Expr { kind: ExprKind::Int(_), .. }]) =>
            {
                let owners = self.path_prefixes(base, s)?;
                let number = Ident { text: self.sources.text(indices[0].span).into(), span: indices[0].span };
                self.part_prefixes(&owners, base.span, &number, s)
            }
            _ => {
                let d = Diagnostic::new(codes::PATH, e.span, "this is no path of parameters")
                    .help("name a layer, a task, or a part of one such as `reader.bilstm` or `private[books]`");
                Err(self.error_in(s, d))
            }
        }
    }

    fn owner_prefixes(&mut self, name: &'a Ident, s: &Scope<'a>) -> Checked<Vec<String>> {
        match s.locals.iter().rev().find(|(n, _)| *n == name.text).map(|(_, v)| v) {
            Some(Val::Func(f)) => {
                if let Func::Layer { name, member, .. } = &**f {
                    let symbol = self.symbols.by_name[*name].clone();
                    return Ok(self.member_prefixes(&symbol, *member));
                }
            }
            Some(Val::Task(t)) => {
                let task = self.task(*t);
                return Ok(vec![task.name.clone(), task.head.path.clone()]);
            }
            _ => {}
        }
        let word = s.loops.get(&name.text).unwrap_or(&name.text).clone();
        let words = match self.symbols.by_name.get(word.as_str()) {
            Some(symbol) if symbol.kind == SymbolKind::Const => {
                let key = symbol.name;
                match self.item(key, None, name.span, s) {
                    Val::Const(Const::List(words)) => words.iter().map(Const::word).collect(),
                    Val::Error => return Err(Reported),
                    _ => vec![word],
                }
            }
            _ => vec![word],
        };
        let mut prefixes = Vec::new();
        for word in words {
            let symbol = self.owner_symbol(&word, name.span, s)?;
            let members = symbol.distinct().into_iter().flat_map(|m| self.member_prefixes(&symbol, m));
            // Members lie below the name of their family.
            prefixes.extend(members.filter(|m| below(m, &word).is_none()).collect::<Vec<_>>());
            prefixes.push(word);
        }
        Ok(prefixes)
    }

    /// What a path may begin with: a layer, a task, or a value or loss with layers written inline.
    fn owner_symbol(&mut self, word: &str, at: Span, s: &Scope<'a>) -> Checked<Symbol<'a>> {
        let owns = |k| matches!(k, SymbolKind::Layer | SymbolKind::Task | SymbolKind::Let | SymbolKind::Loss);
        let message = match self.symbols.by_name.get(word) {
            Some(symbol) if owns(symbol.kind) => return Ok(symbol.clone()),
            Some(symbol) => format!("'{word}' is {}, where a layer or task is needed", symbol.kind.noun()),
            None if self.tolerated.contains(word) => return Err(Reported),
            None => format!("no layer or task is named '{word}'"),
        };
        let mut d = Diagnostic::new(codes::PATH, at, message);
        if let Some(near) = self.symbols.nearest(word, |k| matches!(k, SymbolKind::Layer | SymbolKind::Task)) {
            d = d.fix(at, near, format!("did you mean '{near}'?"));
        }
        Err(self.error_in(s, d))
    }

    fn member_prefixes(&self, symbol: &Symbol<'a>, member: usize) -> Vec<String> {
        let mut name = symbol.name.to_string();
        for word in symbol.words(member) {
            name.push('.');
            name.push_str(&word);
        }
        let head = self.tasks.iter().find(|t| t.name == name && symbol.kind == SymbolKind::Task);
        let head = head.map(|t| t.head.path.clone()).filter(|path| below(path, &name).is_none());
        std::iter::once(name).chain(head).collect()
    }

    /// `bilstm` of `reader`: a part that the parameters of the owner have.
    fn part_prefixes(&mut self, owners: &[String], base: Span, part: &Ident, s: &Scope<'a>) -> Checked<Vec<String>> {
        let params = self.graph.params.iter();
        let rests = params.flat_map(|p| owners.iter().filter_map(|o| below(&p.name, o)));
        let mut parts: Vec<&str> = rests.filter_map(|rest| rest.split('.').next()).filter(|p| !p.is_empty()).collect();
        parts.sort_unstable();
        parts.dedup();
        if parts.contains(&part.text.as_str()) {
            return Ok(owners.iter().map(|o| format!("{o}.{}", part.text)).collect());
        }
        if self.is_partial() {
            return Err(Reported);
        }
        let message = format!("'{}' has no part '{}' with parameters", self.sources.text(base), part.text);
        let mut d = Diagnostic::new(codes::PATH, part.span, message);
        d = match suggest::nearest(&part.text, parts.iter().copied()) {
            Some(near) => d.fix(part.span, near, format!("did you mean '{near}'?")),
            None if parts.is_empty() => d.help("it has no parameters of its own"),
            None => d.help(format!("its parts are {}", list_words(&parts))),
        };
        Err(self.error_in(s, d))
    }
}

/// The rest of a parameter's name below a path.
fn below<'n>(name: &'n str, path: &str) -> Option<&'n str> {
    match name.strip_prefix(path)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    }
}
