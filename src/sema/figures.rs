//! Figures over tasks: `metric` items, what `select` names, and lists of tasks.

use std::collections::BTreeSet;

use super::call::{Checked, Reported, Scope, TaskId, Val};
use super::checker::{Checker, Key};
use super::consts::Const;
use super::suggest;
use super::symbols::{Symbol, SymbolKind};
use super::types::DataId;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::list_words;
use crate::plan::{Figure, MetricPlan};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, ItemKind};

/// The functions of figures.
const FUNCTIONS: &[&str] = &["mean", "min", "all_correct"];

/// The first of many words, and how many there are.
fn first_words(words: &[&str]) -> String {
    const SHOWN: usize = 8;
    match words.len() {
        0..=SHOWN => list_words(words).replace(" or ", " and "),
        many => format!("{} and {} more", list_words(&words[..SHOWN]).replace(" or ", ", "), many - SHOWN),
    }
}

impl<'a> Checker<'a> {
    /// A `metric` item, when nothing in it is wrong.
    pub(super) fn metric_item(&mut self, symbol: &Symbol<'a>, member: usize) -> Option<MetricPlan> {
        let ItemKind::Metric(metric) = &symbol.item.kind else { return None };
        let scope = self.item_scope(symbol, member, symbol.name);
        if !self.metric_is_sound(symbol, member, symbol.span) {
            return None;
        }
        let figure = self.figure(&metric.value, &scope)?;
        Some(MetricPlan { name: scope.owner.unwrap_or_default().to_string(), figure })
    }

    /// Checks a `metric` item once; one that reads itself is a cycle.
    fn metric_is_sound(&mut self, symbol: &Symbol<'a>, member: usize, span: Span) -> bool {
        let ItemKind::Metric(metric) = &symbol.item.kind else { return false };
        let scope = self.item_scope(symbol, member, symbol.name);
        let key = Key { name: symbol.name, member, head: false };
        let value = self.evaluate(key, span, |c| match c.figure(&metric.value, &scope) {
            Some(_) => Val::Const(Const::Bool(true)),
            None => Val::Error,
        });
        !matches!(value, Val::Error)
    }

    /// A figure over tasks: `intent.accuracy`, `mean(…)`, `min(…)`, `all_correct(…)`, or a metric's name.
    pub(super) fn figure(&mut self, e: &'a Expr, s: &Scope<'a>) -> Option<Figure> {
        match &e.kind {
            ExprKind::Error => None,
            ExprKind::Member { base, name } => self.task_figure(base, name, s),
            ExprKind::Name(name) => self.named_figure(name, None, s),
            ExprKind::Index { base, indices } => match &base.kind {
                ExprKind::Name(name) => self.named_figure(name, Some(indices), s),
                _ => self.no_figure(e, s),
            },
            ExprKind::Call { callee, args } => match &callee.kind {
                ExprKind::Name(f) => self.figure_of(f, args, s),
                _ => self.no_figure(e, s),
            },
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
        if !FUNCTIONS.contains(&f.text.as_str()) {
            let message = format!("'{}' is no function of figures", f.text);
            let mut d = Diagnostic::new(codes::UNKNOWN_NAME, f.span, message);
            d = match suggest::nearest(&f.text, FUNCTIONS.iter().copied()) {
                Some(near) => d.fix(f.span, near, format!("did you mean '{near}'?")),
                None => d.help(format!("figures are combined by {}", list_words(FUNCTIONS))),
            };
            self.error_in(s, d);
            return None;
        }
        let of_tasks = f.text == "all_correct";
        if args.is_empty() {
            let what = if of_tasks { "a task" } else { "a figure" };
            let d = Diagnostic::new(codes::MISSING_ARGUMENT, f.span, format!("'{}' needs at least {what}", f.text));
            self.error_in(s, d.help(format!("name {what}")));
            return None;
        }
        if let Some(name) = args.iter().find_map(|a| a.name.as_ref()) {
            let message = format!("'{}' has no argument '{}'", f.text, name.text);
            let help = "give figures without names, separated by commas";
            self.error_in(s, Diagnostic::new(codes::UNKNOWN_ARGUMENT, name.span, message).help(help));
            return None;
        }
        if of_tasks {
            return self.all_correct(args, s);
        }
        let figures: Vec<Option<Figure>> = args.iter().map(|a| self.figure(&a.value, s)).collect();
        let figures: Vec<Figure> = figures.into_iter().collect::<Option<_>>()?;
        Some(match (f.text.as_str(), <[Figure; 1]>::try_from(figures)) {
            ("mean", Ok([family @ Figure::Mean(_)])) => family,
            ("mean", figures) => Figure::Mean(figures.map_or_else(|all| all, Vec::from)),
            // The mean that a family stands for gives way to its least member.
            (_, Ok([Figure::Mean(family)])) if matches!(args[0].value.kind, ExprKind::Member { .. }) => {
                Figure::Min(family)
            }
            (_, figures) => Figure::Min(figures.map_or_else(|all| all, Vec::from)),
        })
    }

    /// The share of examples on which all tasks are right; for families, the mean of it over data sets.
    fn all_correct(&mut self, args: &'a [Arg], s: &Scope<'a>) -> Option<Figure> {
        let given: Vec<Checked<Vec<TaskId>>> = args.iter().map(|a| self.tasks_named(&a.value, s)).collect();
        let given: Vec<Vec<TaskId>> = given.into_iter().collect::<Checked<_>>().ok()?;
        let mut common = self.data_of(given.first()?)?;
        for (tasks, arg) in given.iter().zip(args).skip(1) {
            let data = self.data_of(tasks)?;
            if common.is_disjoint(&data) {
                let (first, this) = (self.sources.text(args[0].value.span), self.sources.text(arg.value.span));
                let message =
                    format!("`all_correct` takes tasks on the same examples, and '{this}' is on others than '{first}'");
                let on = |c: &Self, data: &BTreeSet<DataId>| {
                    let names: Vec<&str> = data.iter().map(|d| c.datasets[d.0].name.as_str()).collect();
                    format!("on {}", list_words(&names).replace(" or ", " and "))
                };
                let d = Diagnostic::new(codes::EXAMPLE_MISMATCH, arg.value.span, message)
                    .label(on(self, &data))
                    .also(args[0].value.span, on(self, &common));
                self.error_in(s, d);
                return None;
            }
            common = common.intersection(&data).copied().collect();
        }
        if given.iter().all(|tasks| tasks.len() == 1) {
            return Some(Figure::AllCorrect(given.iter().flatten().map(|t| t.0).collect()));
        }
        let on = |d: DataId| {
            let here = given.iter().flatten().filter(|t| self.data_of(&[**t]).is_some_and(|data| data.contains(&d)));
            Figure::AllCorrect(here.map(|t| t.0).collect())
        };
        Some(Figure::Mean(common.into_iter().map(on).collect()))
    }

    /// The data sets whose examples tasks predict on; `None` when one of the tasks has a mistake.
    fn data_of(&self, tasks: &[TaskId]) -> Option<BTreeSet<DataId>> {
        let mut data = BTreeSet::new();
        for task in tasks {
            data.extend(self.tasks[task.0].built.as_ref()?.on.example.members());
        }
        Some(data)
    }

    /// The figure of a `metric` item; a family without an index gives the mean of its members.
    fn named_figure(&mut self, name: &'a Ident, indices: Option<&'a [Expr]>, s: &Scope<'a>) -> Option<Figure> {
        let word = s.loops.get(&name.text).unwrap_or(&name.text);
        let Some(symbol) = self.symbols.by_name.get(word.as_str()).cloned() else {
            if !self.tolerated.contains(&name.text) {
                let near = self.symbols.nearest(word, |k| matches!(k, SymbolKind::Metric | SymbolKind::Task));
                let mut d =
                    Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("no metric or task is named '{word}'"));
                if let Some(near) = near {
                    d = d.fix(name.span, near, format!("did you mean '{near}'?"));
                }
                self.error_in(s, d);
            }
            return None;
        };
        match symbol.kind {
            SymbolKind::Metric => {}
            SymbolKind::Task => return self.bare_task(&symbol, name.span, s),
            kind => {
                let message = format!("'{word}' is {}, where a metric is needed", kind.noun());
                self.error_in(s, Diagnostic::new(codes::WRONG_KIND, name.span, message));
                return None;
            }
        }
        let members = match indices {
            Some(indices) => vec![self.member_position(&symbol, indices, name.span, s).ok()?],
            None => symbol.distinct(),
        };
        let mut figures = Vec::new();
        for member in members {
            if !self.metric_is_sound(&symbol, member, name.span) {
                return None;
            }
            let words = symbol.words(member);
            figures.push(Figure::Named([&[symbol.name.to_string()], words.as_slice()].concat().join(".")));
        }
        if figures.len() == 1 { figures.pop() } else { Some(Figure::Mean(figures)) }
    }

    /// Reports a task where one of its metrics is needed.
    fn bare_task(&mut self, symbol: &Symbol<'a>, span: Span, s: &Scope<'a>) -> Option<Figure> {
        let task = self.task_head(symbol, symbol.distinct().first().copied()?, span).ok()?;
        let metrics = self.tasks[task.0].kind.metrics();
        let written = self.sources.text(span);
        let d = Diagnostic::new(
            codes::WRONG_KIND,
            span,
            format!("'{written}' is a task, where one of its metrics is needed"),
        )
        .help(format!("write `{written}.{}`; its metrics are {}", metrics.first()?, list_words(metrics)));
        self.error_in(s, d);
        None
    }

    /// A task's metric, or the mean of it over a family. `loss` is the loss on the examples judged.
    fn task_figure(&mut self, base: &'a Expr, metric: &'a Ident, s: &Scope<'a>) -> Option<Figure> {
        let tasks = self.tasks_named(base, s).ok()?;
        let kind = self.tasks[tasks.first()?.0].kind;
        if metric.text != "loss" {
            self.measures(metric, kind, s).ok()?;
        }
        let figure = |t: &TaskId| Figure::Metric { task: t.0, metric: metric.text.clone() };
        Some(match tasks.as_slice() {
            [one] => figure(one),
            many => Figure::Mean(many.iter().map(figure).collect()),
        })
    }

    /// Reports a metric that does not measure tasks of this kind.
    fn measures(&mut self, metric: &Ident, kind: &'static dyn crate::ops::TaskKind, s: &Scope<'a>) -> Checked<()> {
        let known = kind.metrics();
        if known.contains(&metric.text.as_str()) {
            return Ok(());
        }
        let message = format!("'{}' does not measure a `{}` task", metric.text, kind.signature().name);
        let mut d = Diagnostic::new(codes::TASK_METRIC, metric.span, message);
        d = match suggest::nearest(&metric.text, known.iter().copied()) {
            Some(near) => d.fix(metric.span, near, format!("did you mean '{near}'?")),
            None => d.help(format!("its metrics are {}", list_words(known))),
        };
        Err(self.error_in(s, d))
    }

    /// The tasks that an expression names: one, the members of a family, or those of a const list.
    pub(super) fn tasks_named(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Vec<TaskId>> {
        match &e.kind {
            ExprKind::Error => Err(Reported),
            ExprKind::Name(name) => self.task_members(name, s),
            ExprKind::Index { base, indices } if matches!(base.kind, ExprKind::Name(_)) => {
                let ExprKind::Name(name) = &base.kind else { return Err(Reported) };
                let symbol = self.task_of_name(&name.text, name.span, s)?;
                let member = self.member_position(&symbol, indices, name.span, s)?;
                Ok(vec![self.task_head(&symbol, member, name.span)?])
            }
            _ => {
                let d = Diagnostic::new(codes::WRONG_KIND, e.span, "this is no task");
                Err(self
                    .error_in(s, d.help("name a task, or a member of a family of tasks such as `sentiment[books]`")))
            }
        }
    }

    /// The tasks of a name: a family gives its members, a const list those that it names.
    pub(super) fn task_members(&mut self, name: &'a Ident, s: &Scope<'a>) -> Checked<Vec<TaskId>> {
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
        let mut tasks = Vec::new();
        for word in words {
            let symbol = self.task_of_name(&word, name.span, s)?;
            for member in symbol.distinct() {
                tasks.push(self.task_head(&symbol, member, name.span)?);
            }
        }
        Ok(tasks)
    }

    fn task_of_name(&mut self, word: &str, at: Span, s: &Scope<'a>) -> Checked<Symbol<'a>> {
        let known = self.symbols.by_name.get(word).cloned();
        let (code, message) = match known.as_ref().map(|x| x.kind) {
            Some(SymbolKind::Task) => return known.ok_or(Reported),
            None if self.tolerated.contains(word) => return Err(Reported),
            Some(kind) => (codes::WRONG_KIND, format!("'{word}' is {}, where a task is needed", kind.noun())),
            None => (codes::UNKNOWN_NAME, format!("no task is named '{word}'")),
        };
        let mut d = Diagnostic::new(code, at, message);
        let tasks = self.symbols.by_name.values().filter(|x| x.kind == SymbolKind::Task);
        let tasks: Vec<&str> = tasks.map(|x| x.name).collect();
        d = match self.symbols.nearest(word, |k| k == SymbolKind::Task) {
            Some(near) => d.fix(at, near, format!("did you mean '{near}'?")),
            None if tasks.is_empty() => d.help("the program has no task yet"),
            None => d.help(format!("its tasks are {}", first_words(&tasks))),
        };
        Err(self.error_in(s, d))
    }
}
