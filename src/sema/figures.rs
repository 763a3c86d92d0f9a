//! Figures over tasks: `metric` items, `select`, and the parameter paths that settings name.

use super::call::{Checked, Reported, Scope, TaskId, Val};
use super::checker::Checker;
use super::graph::ParamId;
use super::suggest;
use super::symbols::{Symbol, SymbolKind};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Figure, MetricPlan};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, ItemKind};

impl<'a> Checker<'a> {
    /// A `metric` item.
    pub(super) fn metric_item(&mut self, symbol: &Symbol<'a>, member: usize) -> Option<MetricPlan> {
        let ItemKind::Metric(metric) = &symbol.item.kind else { return None };
        let scope = self.item_scope(symbol, member, symbol.name);
        let figure = self.figure(&metric.value, &scope)?;
        Some(MetricPlan { name: scope.owner.unwrap_or_default().to_string(), figure })
    }

    /// A figure over tasks: `intent.accuracy`, `mean(…)`, `min(…)`, `all_correct(…)`, or a metric's name.
    pub(super) fn figure(&mut self, e: &'a Expr, s: &Scope<'a>) -> Option<Figure> {
        match &e.kind {
            ExprKind::Member { base, name } => self.task_figure(base, name, s),
            ExprKind::Name(name) => self.named_figure(name, s),
            ExprKind::Index { .. } => {
                let d = Diagnostic::new(codes::WRONG_KIND, e.span, "a figure names a metric, such as `.accuracy`");
                self.error_in(s, d);
                None
            }
            ExprKind::Call { callee, args } => match &callee.kind {
                ExprKind::Name(f) => self.figure_of(f, args, s),
                _ => self.no_figure(e, s),
            },
            ExprKind::Error => None,
            _ => self.no_figure(e, s),
        }
    }

    fn no_figure(&mut self, e: &Expr, s: &Scope<'a>) -> Option<Figure> {
        let d = Diagnostic::new(codes::WRONG_KIND, e.span, "this is no figure over tasks")
            .help("write `intent.accuracy`, `mean(intent.accuracy, slots.span_f1)` or `all_correct(intent, slots)`");
        self.error_in(s, d);
        None
    }

    fn figure_of(&mut self, f: &'a Ident, args: &'a [Arg], s: &Scope<'a>) -> Option<Figure> {
        match f.text.as_str() {
            "mean" | "min" => {
                let figures: Option<Vec<Figure>> = args.iter().map(|a| self.figure(&a.value, s)).collect();
                let figures = figures.filter(|f| !f.is_empty())?;
                Some(if f.text == "mean" { Figure::Mean(figures) } else { Figure::Min(figures) })
            }
            "all_correct" => self.all_correct(f, args, s),
            other => {
                let mut d = Diagnostic::new(codes::UNKNOWN_NAME, f.span, format!("'{other}' is no function of figures"));
                d = match suggest::nearest(other, ["mean", "min", "all_correct"]) {
                    Some(near) => d.fix(f.span, near, format!("did you mean '{near}'?")),
                    None => d.help("figures are combined by `mean`, `min` and `all_correct`"),
                };
                self.error_in(s, d);
                None
            }
        }
    }

    fn all_correct(&mut self, f: &'a Ident, args: &'a [Arg], s: &Scope<'a>) -> Option<Figure> {
        let mut tasks = Vec::new();
        for arg in args {
            tasks.extend(self.tasks_named(&arg.value, s).ok()?);
        }
        let first = tasks.first()?;
        let examples = |c: &Self, t: &TaskId| c.tasks[t.0].built.as_ref().map(|b| b.on.example.clone());
        let (first, known) = (examples(self, first), tasks.iter().all(|t| examples(self, t).is_some()));
        if let Some(other) = tasks.iter().find(|t| examples(self, t) != first).filter(|_| known) {
            let message = format!("`all_correct` takes tasks on the same examples, and '{}' is on others", self.tasks[other.0].name);
            let d = Diagnostic::new(codes::EXAMPLE_MISMATCH, f.span, message).also(self.tasks[other.0].span, "declared here");
            self.error_in(s, d);
            return None;
        }
        Some(Figure::AllCorrect(tasks.iter().map(|t| t.0).collect()))
    }

    fn named_figure(&mut self, name: &'a Ident, s: &Scope<'a>) -> Option<Figure> {
        match self.symbols.by_name.get(name.text.as_str()).map(|s| s.kind) {
            Some(SymbolKind::Metric) => return Some(Figure::Named(name.text.clone())),
            Some(SymbolKind::Task) => {
                let d = Diagnostic::new(codes::WRONG_KIND, name.span, format!("'{}' is a task; name one of its metrics", name.text))
                    .help(format!("write `{}.accuracy`, or another of its metrics", name.text));
                self.error_in(s, d);
            }
            Some(kind) => {
                let message = format!("'{}' is {}, where a metric is needed", name.text, kind.noun());
                self.error_in(s, Diagnostic::new(codes::WRONG_KIND, name.span, message));
            }
            None if self.tolerated.contains(&name.text) => {}
            None => {
                let near = self.symbols.nearest(&name.text, |k| matches!(k, SymbolKind::Metric | SymbolKind::Task));
                let mut d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("no metric is named '{}'", name.text));
                if let Some(near) = near {
                    d = d.fix(name.span, near, format!("did you mean '{near}'?"));
                }
                self.error_in(s, d);
            }
        }
        None
    }

    fn task_figure(&mut self, base: &'a Expr, metric: &'a Ident, s: &Scope<'a>) -> Option<Figure> {
        let tasks = self.tasks_named(base, s).ok()?;
        let first = tasks.first()?;
        let kind = self.tasks[first.0].kind;
        if !kind.metrics().contains(&metric.text.as_str()) {
            let name = kind.signature().name;
            let mut d = Diagnostic::new(codes::TASK_METRIC, metric.span, format!("'{}' does not measure a `{name}` task", metric.text));
            d = match suggest::nearest(&metric.text, kind.metrics().iter().copied()) {
                Some(near) => d.fix(metric.span, near, format!("did you mean '{near}'?")),
                None => d.help(format!("its metrics are {}", crate::ops::list_words(kind.metrics()))),
            };
            self.error_in(s, d);
            return None;
        }
        let figure = |t: &TaskId| Figure::Metric { task: t.0, metric: metric.text.clone() };
        Some(match tasks.as_slice() {
            [one] => figure(one),
            many => Figure::Mean(many.iter().map(figure).collect()),
        })
    }

    /// The tasks that an expression names: one, or the members of a family.
    pub(super) fn tasks_named(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<TaskId>> {
        if let ExprKind::Name(name) = &e.kind
            && !s.loops.contains_key(&name.text)
        {
            match self.symbols.by_name.get(name.text.as_str()).map(|x| x.kind) {
                Some(SymbolKind::Task) => {}
                None if self.tolerated.contains(&name.text) => return Err(Reported),
                other => {
                    let message = match other {
                        Some(kind) => format!("'{}' is {}, where a task is needed", name.text, kind.noun()),
                        None => format!("no task is named '{}'", name.text),
                    };
                    let code = if other.is_some() { codes::WRONG_KIND } else { codes::UNKNOWN_NAME };
                    let mut d = Diagnostic::new(code, name.span, message);
                    if let Some(near) = self.symbols.nearest(&name.text, |k| k == SymbolKind::Task) {
                        d = d.fix(name.span, near, format!("did you mean '{near}'?"));
                    }
                    return Err(self.error_in(s, d));
                }
            }
        }
        match self.eval(e, s) {
            Val::Task(t) => Ok(vec![t]),
            Val::Tasks(members) => Ok(members),
            Val::Error => Err(Reported),
            _ => Err(self.error_in(s, Diagnostic::new(codes::WRONG_KIND, e.span, "this is no task"))),
        }
    }

    /// The parameters that a path or a list of paths names: a layer, a task, or a part of one.
    pub fn paths(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<ParamId>> {
        if let ExprKind::List(parts) = &e.kind {
            let mut all = Vec::new();
            for part in parts {
                all.extend(self.paths(part, s)?);
            }
            return Ok(all);
        }
        let prefixes = self.path_prefixes(e, s)?;
        let mut found = Vec::new();
        for prefix in &prefixes {
            let under = |name: &str| name == prefix || name.strip_prefix(prefix.as_str()).is_some_and(|r| r.starts_with('.'));
            let params = self.graph.params.iter().enumerate();
            found.extend(params.filter(|(_, p)| under(&p.name)).map(|(i, _)| ParamId(i)));
        }
        if found.is_empty() && !prefixes.is_empty() && !self.has_errors() {
            let known = self.symbols.by_name.contains_key(prefixes[0].split('.').next().unwrap_or(""));
            let message = if known { "has no parameters" } else { "names no layer or task" };
            let d = Diagnostic::new(codes::PATH, e.span, format!("'{}' {message}", prefixes[0]));
            let owners: Vec<String> = self.graph.params.iter().filter_map(|p| Some(p.name.rsplit_once('.')?.0.to_string())).collect();
            let d = match suggest::nearest(&prefixes[0], owners.iter().map(String::as_str)) {
                Some(near) => d.help(format!("did you mean '{near}'?")),
                None => d.help("a path is a layer, a task, or a part such as `reader.bilstm`"),
            };
            return Err(self.error_in(s, d));
        }
        Ok(found)
    }

    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// A path as it begins in checkpoints; a family without an index gives all members'.
    fn path_prefixes(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<String>> {
        match &e.kind {
            ExprKind::Name(name) => {
                let text = s.loops.get(&name.text).unwrap_or(&name.text);
                match self.symbols.by_name.get(text.as_str()) {
                    Some(symbol) if matches!(symbol.kind, SymbolKind::Layer | SymbolKind::Task | SymbolKind::Let) => {
                        Ok(vec![text.clone()])
                    }
                    Some(symbol) => {
                        let message = format!("'{text}' is {}, and has no parameters", symbol.kind.noun());
                        Err(self.error_in(s, Diagnostic::new(codes::PATH, name.span, message)))
                    }
                    None if self.tolerated.contains(text) => Err(Reported),
                    None => {
                        let near = self.symbols.nearest(text, |k| matches!(k, SymbolKind::Layer | SymbolKind::Task));
                        let mut d = Diagnostic::new(codes::PATH, name.span, format!("'{text}' names no layer or task"));
                        if let Some(near) = near {
                            d = d.fix(name.span, near, format!("did you mean '{near}'?"));
                        }
                        Err(self.error_in(s, d))
                    }
                }
            }
            ExprKind::Member { base, name } => {
                let base = self.path_prefixes(base, s)?;
                Ok(base.into_iter().map(|b| format!("{b}.{}", name.text)).collect())
            }
            ExprKind::Index { base, indices } => {
                let ExprKind::Name(name) = &base.kind else { return Err(self.no_path(e, s)) };
                let Some(symbol) = self.symbols.by_name.get(name.text.as_str()).cloned() else {
                    return Err(self.no_path(e, s));
                };
                let member = self.member_position(&symbol, indices, name.span, s)?;
                Ok(vec![format!("{}.{}", name.text, symbol.words(member).join("."))])
            }
            _ => Err(self.no_path(e, s)),
        }
    }

    fn no_path(&mut self, e: &Expr, s: &Scope<'a>) -> Reported {
        let d = Diagnostic::new(codes::PATH, e.span, "this is no path of parameters")
            .help("name a layer, a task, or a part of one such as `reader.bilstm` or `private[books]`");
        self.error_in(s, d)
    }
}
