//! Visits every expression of a tree.

use crate::syntax::ast::*;

/// Calls `f` on each expression of an item, inner ones too.
pub fn item<'a>(item: &'a Item, f: &mut dyn FnMut(&'a Expr)) {
    match &item.kind {
        ItemKind::Use(_) => {}
        ItemKind::Const(c) => expr(&c.value, f),
        ItemKind::Data(d) => {
            settings(&d.settings, f);
            for field in &d.fields {
                args(&field.args, f);
                field.template.iter().for_each(|t| expr(t, f));
            }
        }
        ItemKind::Layer(l) => {
            expr(&l.body, f);
            l.lets.iter().for_each(|l| expr(&l.value, f));
        }
        ItemKind::Def(d) => {
            expr(&d.body, f);
            d.lets.iter().for_each(|l| expr(&l.value, f));
            d.params.iter().filter_map(|p| p.default.as_ref()).for_each(|e| expr(e, f));
        }
        ItemKind::Let(l) => expr(&l.value, f),
        ItemKind::Task(t) => {
            args(&t.gold, f);
            expr(&t.input, f);
            settings(&t.settings, f);
        }
        ItemKind::Loss(l) => {
            expr(&l.value, f);
            settings(&l.settings, f);
        }
        ItemKind::Metric(m) => expr(&m.value, f),
        ItemKind::Train(t) => train(t, f),
        ItemKind::For(l) => {
            expr(&l.list, f);
            l.items.iter().for_each(|i| self::item(i, f));
        }
    }
}

fn train<'a>(t: &'a Train, f: &mut dyn FnMut(&'a Expr)) {
    settings(&t.settings, f);
    for entry in &t.stages {
        match entry {
            StageEntry::Stage(s) => settings(&s.settings, f),
            StageEntry::For { list, stages, .. } => {
                expr(list, f);
                stages.iter().for_each(|s| settings(&s.settings, f));
            }
        }
    }
}

fn settings<'a>(settings: &'a [Setting], f: &mut dyn FnMut(&'a Expr)) {
    settings.iter().for_each(|s| expr(&s.value, f));
}

fn args<'a>(args: &'a [Arg], f: &mut dyn FnMut(&'a Expr)) {
    args.iter().for_each(|a| expr(&a.value, f));
}

/// Calls `f` on an expression and on each inside it.
pub fn expr<'a>(e: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    f(e);
    match &e.kind {
        ExprKind::List(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|p| expr(p, f)),
        ExprKind::Call { callee, args: a } => {
            expr(callee, f);
            args(a, f);
        }
        ExprKind::Index { base, indices } => {
            expr(base, f);
            indices.iter().for_each(|i| expr(i, f));
        }
        ExprKind::Member { base, .. } => expr(base, f),
        ExprKind::Pipe { value, into } => {
            expr(value, f);
            expr(into, f);
        }
        ExprKind::Negate(inner) | ExprKind::Size(inner) => expr(inner, f),
        ExprKind::Binary { left, right, .. } => {
            expr(left, f);
            expr(right, f);
        }
        _ => {}
    }
}
