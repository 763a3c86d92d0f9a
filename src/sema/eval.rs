//! Expressions to values: the abstract interpreter that types a program by building its graph.

use std::rc::Rc;

use super::call::{Func, Reported, Scope, Val};
use super::checker::Checker;
use super::consts::Const;
use super::suggest;
use super::symbols::SymbolKind;
use super::types::Ty;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops;
use crate::plan::{Attr, Attrs};
use crate::source::Span;
use crate::syntax::ast::{Arg, BinaryOp, Expr, ExprKind, Ident};

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// Anything that an expression can be.
    Value,
    /// A layer, a recipe, a built-in or a task's head.
    Function,
}

impl<'a> Checker<'a> {
    /// What an expression means in a scope.
    pub fn eval(&mut self, e: &'a Expr, s: &Scope<'a>) -> Val<'a> {
        let value = self.value_of(e, s);
        self.note(e.span, &value);
        value
    }

    fn value_of(&mut self, e: &'a Expr, s: &Scope<'a>) -> Val<'a> {
        match &e.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::List(_) => self.constant(e, s).map_or(Val::Error, Val::Const),
            ExprKind::Tuple(parts) => Val::Tuple(parts.iter().map(|p| self.eval(p, s)).collect()),
            ExprKind::Name(name) => self.name(name, s),
            ExprKind::Call { callee, args } => self.call(callee, args, None, s),
            ExprKind::Index { base, indices } => self.index(base, indices, s),
            ExprKind::Member { base, name } => self.member(base, name, &[], s),
            ExprKind::Pipe { value, into } => self.pipe(value, into, s),
            ExprKind::Negate(inner) => self.negate(inner, e.span, s),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, e.span, s),
            ExprKind::Size(_) => {
                let d = Diagnostic::new(codes::NOT_A_VALUE, e.span, "a size stands only where a width is needed");
                self.fail(s, d)
            }
            ExprKind::Share { .. } => {
                let d =
                    Diagnostic::new(codes::NOT_A_VALUE, e.span, "a share of a split stands only in `dev` and `test`");
                self.fail(s, d)
            }
            ExprKind::Error => Val::Error,
        }
    }

    /// Remembers the value of what is written at a place.
    pub(super) fn note(&mut self, span: Span, value: &Val<'a>) {
        if let Val::Node(node) = value {
            self.noted.push((span, *node));
        }
    }

    /// Reports and gives the value that says nothing more.
    pub(super) fn fail(&mut self, s: &Scope<'a>, d: Diagnostic) -> Val<'a> {
        self.error_in(s, d);
        Val::Error
    }

    fn pipe(&mut self, value: &'a Expr, into: &'a Expr, s: &Scope<'a>) -> Val<'a> {
        let input = self.eval(value, s);
        if let Val::Func(first) = &input {
            return match self.function(into, s) {
                Val::Func(second) => Val::Func(Rc::new(Func::Compose(first.clone(), second))),
                Val::Error => Val::Error,
                other => self.not_a_function(&other, into.span, s),
            };
        }
        let inputs = match input {
            Val::Tuple(parts) => parts.into_iter().map(|p| (p, value.span)).collect(),
            one => vec![(one, value.span)],
        };
        match &into.kind {
            ExprKind::Call { callee, args } => self.call(callee, args, Some(inputs), s),
            _ => {
                let f = self.function(into, s);
                self.apply(f, inputs, into.span, s)
            }
        }
    }

    /// What stands behind `|>`: a function, so that nothing else is offered for a misspelt name.
    fn function(&mut self, e: &'a Expr, s: &Scope<'a>) -> Val<'a> {
        match &e.kind {
            ExprKind::Name(name) => self.known(name, s).unwrap_or_else(|| self.unknown(name, Meant::Function, s)),
            _ => self.eval(e, s),
        }
    }

    /// A name: a parameter or loop name, else an item, else a built-in.
    pub(super) fn name(&mut self, name: &'a Ident, s: &Scope<'a>) -> Val<'a> {
        self.known(name, s).unwrap_or_else(|| self.unknown(name, Meant::Value, s))
    }

    /// What a name means, if it means anything.
    fn known(&mut self, name: &'a Ident, s: &Scope<'a>) -> Option<Val<'a>> {
        if let Some((_, value)) = s.locals.iter().rev().find(|(n, _)| *n == name.text) {
            return Some(value.clone());
        }
        if let Some(word) = s.loops.get(&name.text) {
            return Some(match self.symbols.named(word, name.span) {
                Some(symbol) => {
                    let key = symbol.name;
                    self.item(key, None, name.span, s)
                }
                None => Val::Const(Const::of_word(word)),
            });
        }
        if let Some(symbol) = self.symbols.named(&name.text, name.span) {
            let key = symbol.name;
            return Some(self.item(key, None, name.span, s));
        }
        ops::find(&name.text).map(|op| self.bind_builtin(op, &[], None, name.span, s))
    }

    /// Reports a name that nothing declares, unless it stood in a slice that did not parse.
    pub(super) fn unknown(&mut self, name: &'a Ident, meant: Meant, s: &Scope<'a>) -> Val<'a> {
        if self.tolerated.contains(&name.text) {
            return Val::Error;
        }
        let is_fit = |(_, v): &&(&str, Val<'a>)| meant == Meant::Value || matches!(v, Val::Func(_) | Val::Error);
        let mut known: Vec<String> = s.locals.iter().filter(is_fit).map(|(n, _)| n.to_string()).collect();
        let fits = |x: &&super::symbols::Symbol<'a>| match x.kind {
            SymbolKind::Metric | SymbolKind::Loss => false,
            SymbolKind::Data | SymbolKind::Let => s.closed.is_none() && meant == Meant::Value,
            SymbolKind::Const | SymbolKind::Run => meant == Meant::Value,
            _ => true,
        };
        // What is being read cannot be what it reads.
        let open = |n: &str| self.stack.iter().any(|(k, _)| k.name == n);
        known.extend(self.symbols.by_name.values().filter(fits).filter(|x| !open(x.name)).map(|x| x.name.to_string()));
        known.extend(ops::names().map(str::to_string));
        let near = suggest::nearest(&name.text, known.iter().map(String::as_str));
        let mut d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("nothing is named '{}'", name.text));
        if let Some(near) = near {
            d = d.fix(name.span, near, format!("did you mean '{near}'?"));
        }
        self.fail(s, d)
    }

    fn not_a_function(&mut self, value: &Val<'a>, span: Span, s: &Scope<'a>) -> Val<'a> {
        let what = match value {
            Val::Error => return Val::Error,
            Val::Const(c) => c.noun().to_string(),
            Val::Data(_) => "a data set".into(),
            Val::Tuple(_) => "a tuple".into(),
            Val::Node(id) => format!("a value ({})", self.show(&self.graph.ty(*id).clone())),
            _ => "no function".into(),
        };
        let d =
            Diagnostic::new(codes::WRONG_KIND, span, format!("this is {what}, where a layer or function is needed"));
        self.fail(s, d.help("after `|>`, and before `(`, stands a layer; values meet in `concat(a, b)` or `a + b`"))
    }

    /// Applies a function, or a task's head, to values.
    pub(crate) fn apply(&mut self, f: Val<'a>, inputs: Vec<(Val<'a>, Span)>, span: Span, s: &Scope<'a>) -> Val<'a> {
        match f {
            Val::Func(func) => self.apply_func(&func, inputs, s),
            Val::Task(task) => self.apply_head(task, inputs, span, s),
            other => self.not_a_function(&other, span, s),
        }
    }

    fn apply_func(&mut self, func: &Func<'a>, inputs: Vec<(Val<'a>, Span)>, s: &Scope<'a>) -> Val<'a> {
        match func {
            Func::Builtin(call) => {
                let mut call = call.clone();
                call.scope.applied = if s.applied.is_empty() { call.scope.applied } else { s.applied.clone() };
                call.inputs.splice(0..0, inputs);
                call.waiting = false;
                self.finish(call)
            }
            Func::Layer { name, member, rest, span } => {
                let inputs = inputs.into_iter().chain(rest.iter().cloned()).collect();
                self.apply_layer(name, *member, inputs, *span, s)
            }
            Func::Recipe { def, args, span, scope } => self.recipe(def, args, Some(inputs), *span, scope),
            Func::Compose(first, second) => {
                let at = inputs.first().map(|i| i.1);
                match self.apply_func(first, inputs, s) {
                    Val::Error => Val::Error,
                    Val::Tuple(parts) => {
                        let parts = parts.into_iter().map(|p| (p, at.unwrap_or_default())).collect();
                        self.apply_func(second, parts, s)
                    }
                    value => self.apply_func(second, vec![(value, at.unwrap_or_default())], s),
                }
            }
        }
    }

    /// A call `callee(args)`, with the values that `|>` puts before its arguments.
    pub(super) fn call(
        &mut self,
        callee: &'a Expr,
        args: &'a [Arg],
        piped: Option<Vec<(Val<'a>, Span)>>,
        s: &Scope<'a>,
    ) -> Val<'a> {
        match &callee.kind {
            ExprKind::Member { base, name } if piped.is_none() => self.member(base, name, args, s),
            ExprKind::Name(name) => self.call_name(name, args, piped, s),
            _ => {
                let f = self.eval(callee, s);
                self.call_value(f, callee.span, args, piped, s)
            }
        }
    }

    fn call_name(
        &mut self,
        name: &'a Ident,
        args: &'a [Arg],
        piped: Option<Vec<(Val<'a>, Span)>>,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let local = s.locals.iter().any(|(n, _)| *n == name.text) || s.loops.contains_key(&name.text);
        if !local {
            if name.text == "index" && self.symbols.named("index", name.span).is_none() {
                return self.family_index(name, args, s);
            }
            match self.symbols.named(&name.text, name.span) {
                Some(symbol) if symbol.kind == SymbolKind::Def => {
                    let crate::syntax::ast::ItemKind::Def(def) = &symbol.item.kind else { return Val::Error };
                    return self.recipe(def, args, piped, name.span, s);
                }
                Some(_) => {}
                None => match ops::find(&name.text) {
                    Some(op) => return self.bind_builtin(op, args, piped, name.span, s),
                    None => {
                        for arg in args {
                            self.eval(&arg.value, s);
                        }
                        return self.unknown(name, Meant::Function, s);
                    }
                },
            }
        }
        let f = self.name(name, s);
        self.call_value(f, name.span, args, piped, s)
    }

    pub(super) fn call_value(
        &mut self,
        f: Val<'a>,
        span: Span,
        args: &'a [Arg],
        piped: Option<Vec<(Val<'a>, Span)>>,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let was_piped = piped.is_some();
        let mut inputs = piped.unwrap_or_default();
        let params = self.layer_params(&f);
        let mut named: Vec<(usize, (Val<'a>, Span))> = Vec::new();
        for arg in args {
            let place = |n: &'a Ident| params.and_then(|p| p.iter().position(|q| q.name.text == n.text));
            if let Some(place) = arg.name.as_ref().and_then(place) {
                named.push((place, (self.eval(&arg.value, s), arg.value.span)));
                continue;
            }
            if let Some(name) = &arg.name {
                let mut d =
                    Diagnostic::new(codes::UNKNOWN_ARGUMENT, name.span, format!("no input is named '{}'", name.text));
                if let Some(params) = params {
                    let known: Vec<&str> = params.iter().map(|p| p.name.text.as_str()).collect();
                    d = match suggest::nearest(&name.text, known.iter().copied()) {
                        Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
                        None => d.help(format!("the inputs are {}", ops::list_words(&known))),
                    };
                }
                self.error_in(s, d);
            }
            inputs.push((self.eval(&arg.value, s), arg.value.span));
        }
        named.sort_by_key(|(place, _)| *place);
        for (place, value) in named {
            inputs.insert(place.min(inputs.len()), value);
        }
        if let (Val::Func(func), Some(params), false) = (&f, params, was_piped)
            && let Func::Layer { name, member, .. } = &**func
            && inputs.len() + 1 == params.len()
        {
            return Val::Func(Rc::new(Func::Layer { name, member: *member, rest: inputs, span }));
        }
        self.apply(f, inputs, span, s)
    }

    fn negate(&mut self, inner: &'a Expr, span: Span, s: &Scope<'a>) -> Val<'a> {
        match self.eval(inner, s) {
            Val::Const(Const::Int(v)) => Val::Const(Const::Int(-v)),
            Val::Const(Const::Float(v)) => Val::Const(Const::Float(-v)),
            Val::Const(Const::Share(v)) => Val::Const(Const::Share(-v)),
            value => match self.operand(&value, inner.span, s) {
                Ok(node) => {
                    let ty = self.graph.ty(node).clone();
                    let attrs = Attrs::from_iter([("by".to_string(), Attr::Float(-1.0))]);
                    Val::Node(self.plain("scale", vec![node], attrs, ty, span))
                }
                Err(Reported) => Val::Error,
            },
        }
    }

    fn operand(&mut self, value: &Val<'a>, span: Span, s: &Scope<'a>) -> Result<super::graph::NodeId, Reported> {
        let node = self.value_node(value, span, s)?;
        if *self.graph.ty(node) == Ty::Scalar {
            return Ok(node);
        }
        Ok(self.as_vector(node, span, span, "arithmetic", s)?.0)
    }

    fn binary(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr, span: Span, s: &Scope<'a>) -> Val<'a> {
        let (a, b) = (self.eval(left, s), self.eval(right, s));
        if let (Val::Const(x), Val::Const(y)) = (&a, &b)
            && let Some(value) = arithmetic(op, x, y)
        {
            return Val::Const(value);
        }
        let (Ok(x), Ok(y)) = (self.operand(&a, left.span, s), self.operand(&b, right.span, s)) else {
            return Val::Error;
        };
        self.combine(op, (x, left.span), (y, right.span), span, s).map_or(Val::Error, Val::Node)
    }

    /// `a + b` and the like: a missing axis is repeated, widths are equal or 1.
    pub(crate) fn combine(
        &mut self,
        op: BinaryOp,
        a: (super::graph::NodeId, Span),
        b: (super::graph::NodeId, Span),
        span: Span,
        s: &Scope<'a>,
    ) -> Result<super::graph::NodeId, Reported> {
        let name = match op {
            BinaryOp::Add => "add",
            BinaryOp::Sub => "subtract",
            BinaryOp::Mul => "multiply",
        };
        let (tx, ty) = (self.graph.ty(a.0).clone(), self.graph.ty(b.0).clone());
        let result = match (&tx, &ty) {
            (Ty::Scalar, Ty::Scalar) => Ty::Scalar,
            (Ty::Scalar, other) | (other, Ty::Scalar) => other.clone(),
            (Ty::Vector(on_a, wa), Ty::Vector(on_b, wb)) => {
                let on = self.meet(&[(on_a.clone(), a.1), (on_b.clone(), b.1)], span, s)?;
                let width = if wa == wb || wb.known() == Some(1) {
                    wa.clone()
                } else if wa.known() == Some(1) {
                    wb.clone()
                } else {
                    let (x, y) = (self.show_width(wa), self.show_width(wb));
                    let d = Diagnostic::new(
                        codes::WIDTH_MISMATCH,
                        span,
                        format!("values of width {x} and {y} cannot be combined"),
                    )
                    .also(a.1, format!("width {x}"))
                    .also(b.1, format!("width {y}"))
                    .help("widths must be equal, or one of them 1; `linear(d)` changes a width");
                    return Err(self.error_in(s, d));
                };
                Ty::Vector(on, width)
            }
            _ => return Err(Reported),
        };
        let (mut x, mut y) = (a.0, b.0);
        if let (Some(on_a), Some(on_b)) = (tx.on(), ty.on()) {
            if on_a.axes.len() < on_b.axes.len() {
                x = self.align(x, y, a.1);
            } else if on_b.axes.len() < on_a.axes.len() {
                y = self.align(y, x, b.1);
            }
        }
        Ok(self.plain(name, vec![x, y], Attrs::new(), result, span))
    }
}

/// Arithmetic on numbers known before training.
pub(super) fn arithmetic(op: BinaryOp, x: &Const, y: &Const) -> Option<Const> {
    if let (Const::Int(a), Const::Int(b)) = (x, y) {
        let value = match op {
            BinaryOp::Add => a.checked_add(*b),
            BinaryOp::Sub => a.checked_sub(*b),
            BinaryOp::Mul => a.checked_mul(*b),
        };
        return value.map(Const::Int);
    }
    let (a, b) = (x.number()?, y.number()?);
    Some(Const::Float(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
    }))
}
