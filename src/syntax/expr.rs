//! Expressions from pairs: which operator binds tighter is decided here.

use std::iter::Peekable;

use pest::iterators::{Pair, Pairs};

use super::ast::{Arg, BinaryOp, Expr, ExprKind};
use super::build::Builder;
use super::grammar::Rule;
use super::numbers;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::Span;

type Flat<'i> = Peekable<Pairs<'i, Rule>>;

impl Builder<'_> {
    /// An expression: sums joined by `|>`.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let whole = self.span(&pair);
        let mut flat = pair.into_inner().peekable();
        let mut value = self.sum(&mut flat, whole);
        while next_if(&mut flat, Rule::pipe).is_some() {
            let into = self.postfix(&mut flat, whole);
            let span = value.span.to(into.span);
            value = Expr { span, kind: ExprKind::Pipe { value: Box::new(value), into: Box::new(into) } };
        }
        value
    }

    fn sum(&mut self, flat: &mut Flat<'_>, whole: Span) -> Expr {
        let mut left = self.product(flat, whole);
        loop {
            let op = match flat.peek().map(Pair::as_rule) {
                Some(Rule::plus) => BinaryOp::Add,
                Some(Rule::minus) => BinaryOp::Sub,
                _ => return left,
            };
            flat.next();
            let right = self.product(flat, whole);
            left = binary(op, left, right);
        }
    }

    fn product(&mut self, flat: &mut Flat<'_>, whole: Span) -> Expr {
        let mut left = self.unary(flat, whole);
        while next_if(flat, Rule::star).is_some() {
            let right = self.unary(flat, whole);
            left = binary(BinaryOp::Mul, left, right);
        }
        left
    }

    fn unary(&mut self, flat: &mut Flat<'_>, whole: Span) -> Expr {
        match next_if(flat, Rule::neg) {
            Some(sign) => {
                let inner = self.postfix(flat, whole);
                let span = self.span(&sign).to(inner.span);
                Expr { span, kind: ExprKind::Negate(Box::new(inner)) }
            }
            None => self.postfix(flat, whole),
        }
    }

    /// A primary with the calls, indices and members after it.
    fn postfix(&mut self, flat: &mut Flat<'_>, whole: Span) -> Expr {
        let Some(first) = flat.next() else { return Expr { span: whole, kind: ExprKind::Error } };
        let mut base = self.primary(first);
        loop {
            base = match flat.peek().map(Pair::as_rule) {
                Some(Rule::call | Rule::index | Rule::member | Rule::of) => match flat.next() {
                    Some(suffix) => self.suffix(base, suffix),
                    None => return base,
                },
                _ => return base,
            };
        }
    }

    fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::name => ExprKind::Name(self.ident(&pair)),
            Rule::number => self.number(&pair),
            Rule::string => ExprKind::Str(self.string(&pair)),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::list => ExprKind::List(self.exprs(pair)),
            Rule::tuple => return self.tuple(pair, span),
            Rule::size => {
                let mut flat = pair.into_inner().peekable();
                next_if(&mut flat, Rule::bar);
                ExprKind::Size(Box::new(self.postfix(&mut flat, span)))
            }
            _ => ExprKind::Error,
        };
        Expr { span, kind }
    }

    /// `(a, b)`, or the parentheses around one value, which leave only their span.
    fn tuple(&mut self, pair: Pair<'_, Rule>, span: Span) -> Expr {
        let mut members = self.exprs(pair);
        match members.pop() {
            Some(only) if members.is_empty() => Expr { span, kind: only.kind },
            Some(last) => {
                members.push(last);
                Expr { span, kind: ExprKind::Tuple(members) }
            }
            None => Expr { span, kind: ExprKind::Error },
        }
    }

    fn suffix(&mut self, base: Expr, pair: Pair<'_, Rule>) -> Expr {
        let at = self.span(&pair);
        let span = base.span.to(at);
        let boxed = |base| Box::new(base);
        let kind = match pair.as_rule() {
            Rule::call => ExprKind::Call { args: self.args(pair), callee: boxed(base) },
            Rule::member => match pair.into_inner().find(|p| p.as_rule() == Rule::word) {
                Some(word) => ExprKind::Member { name: self.ident(&word), base: boxed(base) },
                None => ExprKind::Error,
            },
            Rule::of => self.share(base, pair),
            _ if base.span.end < at.start => self.spaced_index(&base, at),
            _ => ExprKind::Index { indices: self.exprs(pair), base: boxed(base) },
        };
        Expr { span, kind }
    }

    /// `10% of train`.
    fn share(&mut self, base: Expr, pair: Pair<'_, Rule>) -> ExprKind {
        let word = pair.into_inner().find(|p| p.as_rule() == Rule::word);
        match (base.kind, word) {
            (ExprKind::Percent(share), Some(word)) => ExprKind::Share { share, of: self.ident(&word) },
            _ => {
                let found = self.quote(base.span);
                let message = format!("expected a percentage before `of`, found `{found}`");
                self.diagnostics.push(Diagnostic::new(codes::SYNTAX, base.span, message));
                ExprKind::Error
            }
        }
    }

    /// `ordered [a]`: blanks stand before `[` only by mistake, most often for a call.
    fn spaced_index(&mut self, base: &Expr, at: Span) -> ExprKind {
        let (name, list) = (self.quote(base.span), self.quote(at));
        let problem = Diagnostic::new(codes::SYNTAX, at, format!("expected `(` after `{name}`, found `[`"))
            .label("a call needs parentheses")
            .help(format!("write `{name}({list})`; a member of a family has no blank before its `[`"));
        self.diagnostics.push(problem);
        self.tolerate(base.span.to(at).range());
        ExprKind::Error
    }

    fn exprs(&mut self, pair: Pair<'_, Rule>) -> Vec<Expr> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::expr).map(|p| self.expr(p)).collect()
    }

    /// The arguments of a call.
    pub(super) fn args(&mut self, pair: Pair<'_, Rule>) -> Vec<Arg> {
        let args = pair.into_inner().filter(|p| p.as_rule() == Rule::arg).filter_map(|p| self.arg(p));
        let mut args: Vec<Arg> = args.collect();
        // Most calls have one or two, and a vector begins with room for four.
        args.shrink_to_fit();
        args
    }

    fn arg(&mut self, pair: Pair<'_, Rule>) -> Option<Arg> {
        let mut name = None;
        let mut value = None;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::word => name = Some(self.ident(&inner)),
                _ => value = Some(self.expr(inner)),
            }
        }
        let value = value?;
        let span = name.as_ref().map_or(value.span, |n| n.span.to(value.span));
        Some(Arg { name, value, span })
    }

    fn number(&mut self, pair: &Pair<'_, Rule>) -> ExprKind {
        numbers::number(pair.as_str()).unwrap_or_else(|| {
            let message = format!("the number `{}` is too large", pair.as_str());
            self.diagnostics.push(Diagnostic::new(codes::BAD_NUMBER, self.span(pair), message));
            ExprKind::Error
        })
    }

    /// The text of a string, escapes resolved.
    pub(super) fn string(&mut self, pair: &Pair<'_, Rule>) -> String {
        let (value, unknown) = numbers::string(pair.as_str());
        let base = self.span(pair).start as usize;
        for (start, end) in unknown {
            let span = Span::new(self.file, base + start, base + end);
            let message = format!("unknown escape `{}` in a string", self.quote(span));
            let help = r#"the escapes are `\"`, `\\`, `\n`, `\t` and `\r`; write `\\` for a backslash"#;
            self.diagnostics.push(Diagnostic::new(codes::SYNTAX, span, message).help(help));
        }
        value
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { span, kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) } }
}

fn next_if<'i>(flat: &mut Flat<'i>, rule: Rule) -> Option<Pair<'i, Rule>> {
    flat.next_if(|p| p.as_rule() == rule)
}
