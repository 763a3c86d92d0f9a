//! Names in expressions.

use super::resolve::{Resolver, Scope};
use super::{DefId, DefKind, Target};
use crate::ops::{self, Kind, Signature};
use crate::sema::symbols::SymbolKind;
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// What stands before a `.`.
enum Base {
    Data(Vec<DefId>),
    Task(Vec<DefId>),
    Other,
}

impl<'a> Resolver<'a> {
    /// The names of an expression.
    pub(super) fn expr(&mut self, e: &'a Expr, s: &Scope<'a>) {
        match &e.kind {
            ExprKind::Name(name) => self.name(name, s),
            ExprKind::Call { callee, args } => self.call(callee, args, s),
            ExprKind::Member { base, name } => self.member(base, name, s),
            ExprKind::Index { base, indices } => {
                self.expr(base, s);
                for index in indices {
                    self.words(index, s);
                }
            }
            ExprKind::Str(_) => self.text(e.span, s),
            ExprKind::Share { of, .. } => self.mark(of.span, Target::Word),
            ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|p| self.expr(p, s)),
            ExprKind::Pipe { value: left, into: right } | ExprKind::Binary { left, right, .. } => {
                self.expr(left, s);
                self.expr(right, s);
            }
            ExprKind::Negate(inner) | ExprKind::Size(inner) => self.expr(inner, s),
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Percent(_) | ExprKind::Bool(_) | ExprKind::Error => {}
        }
    }

    /// The declarations of a name and, for a loop name, the items that it stands for.
    pub(super) fn named(&self, name: &str, s: &Scope<'a>) -> Option<(Vec<DefId>, Vec<DefId>)> {
        if let Some((_, def)) = s.locals.iter().rev().find(|(n, _)| *n == name) {
            return Some((vec![*def], vec![*def]));
        }
        if let Some((_, def, items)) = s.loops.iter().rev().find(|(n, ..)| *n == name) {
            return Some((vec![*def], items.clone()));
        }
        self.items.get(name).map(|def| (vec![*def], vec![*def]))
    }

    pub(super) fn name(&mut self, name: &'a Ident, s: &Scope<'a>) {
        let target = match (self.named(&name.text, s), ops::find(&name.text)) {
            (Some((defs, _)), _) => Target::Defs(defs),
            (None, Some(op)) => Target::Signature(op.signature()),
            (None, None) => Target::Word,
        };
        self.mark(name.span, target);
    }

    fn call(&mut self, callee: &'a Expr, args: &'a [Arg], s: &Scope<'a>) {
        if let ExprKind::Member { base, name } = &callee.kind {
            self.member(base, name, s);
            let output = ops::tasks::OUTPUTS.iter().find(|o| o.name == name.text);
            return self.args(output.copied(), args, s);
        }
        self.expr(callee, s);
        let ExprKind::Name(name) = &callee.kind else { return self.args(None, args, s) };
        match self.named(&name.text, s) {
            Some((_, items)) => self.args_of_item(&items, args, s),
            None => self.args(ops::find(&name.text).map(|op| op.signature()), args, s),
        }
    }

    /// Arguments of a declared layer or recipe, which may name its parameters.
    fn args_of_item(&mut self, items: &[DefId], args: &'a [Arg], s: &Scope<'a>) {
        for arg in args {
            if let Some(name) = &arg.name {
                let params = items.iter().filter_map(|i| self.params.get(&(*i, name.text.as_str())).copied());
                let params: Vec<DefId> = params.collect();
                if !params.is_empty() {
                    self.mark(name.span, Target::Defs(params));
                }
            }
            self.expr(&arg.value, s);
        }
    }

    /// Arguments of what has a signature.
    pub(super) fn args(&mut self, signature: Option<&'static Signature>, args: &'a [Arg], s: &Scope<'a>) {
        for arg in args {
            let known = arg.name.as_ref().and_then(|n| signature?.arg(&n.text));
            match (&arg.name, signature, known) {
                (Some(name), Some(signature), Some(known)) => {
                    self.mark(name.span, Target::Argument(signature, known));
                    self.value(known.kind, &arg.value, s);
                }
                (Some(name), ..) => {
                    self.mark(name.span, Target::Word);
                    self.expr(&arg.value, s);
                }
                (None, Some(signature), _) => self.positional(signature, &arg.value, s),
                (None, None, _) => self.expr(&arg.value, s),
            }
        }
    }

    fn positional(&mut self, signature: &'static Signature, e: &'a Expr, s: &Scope<'a>) {
        let said = word_of(e).map(|n| n.text.as_str());
        let takes = |kind: &Kind| match kind {
            Kind::Word(words) => said.is_some_and(|w| words.contains(&w)),
            Kind::Call(calls) => said.is_some_and(|w| calls.iter().any(|c| c.name == w)),
            _ => false,
        };
        match signature.args.iter().find(|a| takes(&a.kind)) {
            Some(arg) => self.value(arg.kind, e, s),
            None => self.expr(e, s),
        }
    }

    /// A value of a kind: its words come before what they would name elsewhere.
    pub(super) fn value(&mut self, kind: Kind, e: &'a Expr, s: &Scope<'a>) {
        match (kind, &e.kind) {
            (Kind::Word(words), ExprKind::Name(name)) if words.contains(&name.text.as_str()) => {
                let format = ops::formats::FORMATS.iter().find(|f| f.name == name.text);
                let format = format.filter(|_| words == ops::formats::NAMES);
                self.mark(name.span, format.map_or(Target::Word, |f| Target::Signature(f)));
            }
            (Kind::Call(calls), _) => self.choice(calls, e, s),
            _ => self.expr(e, s),
        }
    }

    /// A word of a table, with its arguments.
    pub(super) fn choice(&mut self, table: &[&'static Signature], e: &'a Expr, s: &Scope<'a>) {
        let signature = word_of(e).and_then(|word| table.iter().copied().find(|t| t.name == word.text));
        let (Some(word), Some(signature)) = (word_of(e), signature) else { return self.expr(e, s) };
        self.mark(word.span, Target::Signature(signature));
        if let ExprKind::Call { args, .. } = &e.kind {
            self.args(Some(signature), args, s);
        }
    }

    /// `data.field`, `task.output`, `layer.part`.
    pub(super) fn member(&mut self, base: &'a Expr, name: &'a Ident, s: &Scope<'a>) {
        self.expr(base, s);
        let target = match self.base(base, s) {
            Base::Data(items) => {
                let fields = items.iter().filter_map(|d| self.fields.get(&(*d, name.text.as_str())).copied());
                Target::Defs(fields.collect())
            }
            Base::Task(items) => self.output(&items, &name.text),
            Base::Other => Target::Word,
        };
        if !matches!(&target, Target::Defs(defs) if defs.is_empty()) {
            self.mark(name.span, target);
        }
    }

    fn output(&self, tasks: &[DefId], name: &str) -> Target {
        if let Some(output) = ops::tasks::OUTPUTS.iter().find(|o| o.name == name) {
            return Target::Signature(output);
        }
        let kinds = tasks.iter().filter_map(|t| self.kinds.get(t).copied().flatten());
        if kinds.flat_map(|k| k.metrics()).any(|m| *m == name) { Target::Metric } else { Target::Word }
    }

    fn base(&self, e: &'a Expr, s: &Scope<'a>) -> Base {
        match &e.kind {
            ExprKind::Name(name) => self.base_of(self.named(&name.text, s).map_or_else(Vec::new, |n| n.1)),
            ExprKind::Index { base, .. } => self.base(base, s),
            ExprKind::Call { callee, .. } => match self.base(callee, s) {
                Base::Task(tasks) => Base::Task(tasks),
                _ => Base::Other,
            },
            _ => Base::Other,
        }
    }

    fn base_of(&self, items: Vec<DefId>) -> Base {
        match items.first().map(|d| self.kind(*d)) {
            Some(DefKind::Item(SymbolKind::Data)) => Base::Data(items),
            Some(DefKind::Item(SymbolKind::Task)) => Base::Task(items),
            _ => Base::Other,
        }
    }

    /// Names in the braces of a string: loop names, or fields of the data set around.
    pub(super) fn text(&mut self, span: Span, s: &Scope<'a>) {
        let text = self.sources.text(span);
        for (open, _) in text.match_indices('{') {
            let Some(len) = text[open..].find('}') else { continue };
            let name = &text[open + 1..open + len];
            let def = match s.loops.iter().rev().find(|(n, ..)| *n == name) {
                Some((_, def, _)) => Some(*def),
                None => s.data.and_then(|d| self.fields.get(&(d, name)).copied()),
            };
            if let Some(def) = def {
                let start = span.start as usize + open + 1;
                self.mark_def(Span::new(span.file, start, start + name.len()), def);
            }
        }
    }
}

/// The word that an expression is, or is a call of.
pub(super) fn word_of(e: &Expr) -> Option<&Ident> {
    match &e.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}
