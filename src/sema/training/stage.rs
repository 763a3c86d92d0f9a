//! What one stage does: the settings it has over those it inherits.

use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

use crate::diagnostics::{Diagnostic, codes};
use crate::ops::training as sigs;
use crate::plan::{BalancePlan, BatchPlan, Figure, MetricPlan, SamplePlan, StagePlan};
use crate::sema::call::{Bound, Scope, TaskId};
use crate::sema::checker::Checker;
use crate::sema::symbols::SymbolKind;
use crate::sema::walk;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, ItemKind};

impl<'a> Checker<'a> {
    /// Training as it is when a program says nothing. Without `select` the epoch with the best
    /// mean of first metrics that are shares wins, else the one with the least dev loss; which
    /// metrics those are is known once data is read.
    pub(super) fn default_stage(&mut self) -> StagePlan {
        let none = Bound::none(&sigs::TRAIN);
        StagePlan {
            name: String::new(),
            after: None,
            epochs: none.int("epochs").unwrap_or(20),
            batch: BatchPlan::Examples(none.int("batch").unwrap_or(32)),
            accumulate: none.int("accumulate").unwrap_or(1),
            optimizer: self.optimizer(&Bound::none(sigs::DEFAULT_OPTIMIZER)),
            schedule: self.schedule(&Bound::none(sigs::DEFAULT_SCHEDULE)),
            clip: None,
            sample: SamplePlan::Proportional,
            balance: BalancePlan::Weighted { weights: vec![] },
            select: None,
            patience: None,
            tasks: (0..self.tasks.len()).collect(),
            losses: (0..self.losses.len()).collect(),
            freeze: Vec::new(),
            reset: Vec::new(),
        }
    }

    /// Writes the settings that are given over those of `plan`.
    pub(super) fn stage_settings(
        &mut self,
        plan: &mut StagePlan,
        b: &Bound<'a>,
        s: &Scope<'a>,
        metrics: &[MetricPlan],
    ) {
        let whole = |name: &str| b.get(name).and_then(|_| b.int(name));
        plan.epochs = whole("epochs").unwrap_or(plan.epochs);
        plan.accumulate = whole("accumulate").unwrap_or(plan.accumulate);
        plan.patience = whole("patience").or(plan.patience);
        if let Some(span) = b.span("patience") {
            self.needs_dev("patience", span, s);
        }
        if let Some(e) = b.any("batch") {
            plan.batch = self.batch(e, s);
        }
        if let Some(call) = b.call("optimizer") {
            plan.optimizer = self.optimizer(call);
        }
        if let Some(call) = b.call("schedule") {
            plan.schedule = self.schedule(call);
            if let (Some(span), "plateau") = (b.span("schedule"), call.signature.name) {
                self.needs_dev("plateau", span, s);
            }
        }
        if let (Some(clip), Some(span)) = (b.float("clip"), b.span("clip")) {
            plan.clip = Some(clip);
            if clip == 0.0 {
                let d =
                    Diagnostic::new(codes::BAD_SETTING, span, "'clip' is greater than 0, or every gradient would be 0");
                self.error_in(s, d.help("leave it out to clip nothing"));
            }
        }
        self.stage_tasks(plan, b, s);
        if let Some(e) = b.any("balance") {
            plan.balance = self.balance(e, &plan.tasks, s);
        }
        self.stage_sample(plan, b, s);
        match b.any("select") {
            Some(e) => {
                plan.select = self.figure(e, s);
                let judged = plan.select.as_ref().is_none_or(|f| is_judged(f, &plan.tasks, metrics));
                if !judged && !plan.tasks.is_empty() {
                    let d =
                        Diagnostic::new(codes::TRAIN, e.span, "this selects by tasks that the stage does not train");
                    self.error_in(s, d.help("select by a task of the stage, or add those tasks to its `tasks`"));
                }
            }
            None => plan.select = plan.select.take().filter(|f| is_judged(f, &plan.tasks, metrics)),
        }
        plan.freeze = self.params_of(b, "freeze", s);
        plan.reset = self.params_of(b, "reset", s);
    }

    /// The tasks of a stage, and the loss items that go with them.
    fn stage_tasks(&mut self, plan: &mut StagePlan, b: &Bound<'a>, s: &Scope<'a>) {
        let Some(e) = b.any("tasks") else { return };
        let before = self.diagnostics.len();
        plan.tasks = self.task_list(e, s).into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        if plan.tasks.is_empty() && self.diagnostics.len() == before {
            let d = Diagnostic::new(codes::TRAIN, e.span, "a stage trains at least one task");
            self.error_in(s, d.help("name a task, or leave `tasks` out: then it trains all"));
        }
        let losses: Vec<usize> = (0..self.losses.len()).collect();
        plan.losses = losses
            .into_iter()
            .filter(|l| self.loss_tasks(*l).is_subset(&plan.tasks.iter().copied().collect()))
            .collect();
    }

    /// The tasks that a loss item names, in its own expression or through values: a stage that
    /// does not train all of them leaves the loss out.
    fn loss_tasks(&mut self, loss: usize) -> BTreeSet<usize> {
        let span = self.losses[loss].span;
        let item = self.symbols.by_name.values().find(|s| s.span == span).map(|s| &s.item.kind);
        let Some(ItemKind::Loss(item)) = item else { return BTreeSet::new() };
        let loops = self.losses[loss].scope.loops.clone();
        let (mut tasks, mut seen) = (BTreeSet::new(), FxHashSet::default());
        let mut open: Vec<&'a Expr> = vec![&item.value];
        while let Some(e) = open.pop() {
            walk::expr(e, &mut |e| {
                let ExprKind::Name(name) = &e.kind else { return };
                let word = loops.get(&name.text).unwrap_or(&name.text);
                let Some(symbol) = self.symbols.by_name.get(word.as_str()) else { return };
                if !seen.insert(symbol.name) {
                    return;
                }
                match &symbol.item.kind {
                    ItemKind::Let(l) => open.push(&l.value),
                    ItemKind::Task(_) => {
                        let named = |n: &str| {
                            n == symbol.name || n.strip_prefix(symbol.name).is_some_and(|r| r.starts_with('.'))
                        };
                        tasks.extend((0..self.tasks.len()).filter(|t| named(&self.tasks[*t].name)));
                    }
                    _ => {}
                }
            });
        }
        tasks
    }

    /// How a stage samples: what names tasks names those of the stage.
    fn stage_sample(&mut self, plan: &mut StagePlan, b: &Bound<'a>, s: &Scope<'a>) {
        let own = b.any("sample");
        if let Some(e) = own {
            plan.sample = self.sample(e, s);
        }
        let trained = |t: &usize| plan.tasks.contains(t);
        let named = match &mut plan.sample {
            SamplePlan::Ordered { tasks } | SamplePlan::Ratio { tasks, .. } => tasks,
            _ => return,
        };
        let stranger = named.iter().find(|t| !trained(t)).copied();
        if let (Some(e), Some(task)) = (own, stranger) {
            let message = format!("'sample' names '{}', which this stage does not train", self.tasks[task].name);
            self.error_in(s, Diagnostic::new(codes::TRAIN, e.span, message).help("add it to the stage's `tasks`"));
            return;
        }
        if !named.iter().any(trained) && !named.is_empty() {
            plan.sample = SamplePlan::Proportional;
            return;
        }
        match &mut plan.sample {
            SamplePlan::Ordered { tasks } => tasks.retain(trained),
            SamplePlan::Ratio { tasks, weights } => {
                let kept = tasks.iter().copied().zip(weights.iter().copied()).filter(|(t, _)| trained(t));
                (*tasks, *weights) = kept.unzip();
            }
            _ => {}
        }
    }

    /// Reports a setting that waits for improvement on dev in a program without a dev split.
    fn needs_dev(&mut self, what: &str, span: Span, s: &Scope<'a>) {
        let has_dev =
            |kind: &ItemKind| matches!(kind, ItemKind::Data(d) if d.settings.iter().any(|x| x.name.text == "dev"));
        let data = || self.symbols.by_name.values().filter(|x| x.kind == SymbolKind::Data);
        if data().count() == 0 || data().any(|x| has_dev(&x.item.kind)) || self.tolerated.contains("dev") {
            return;
        }
        let message = format!("'{what}' waits for improvement on dev, and no data set has a dev split");
        let d = Diagnostic::new(codes::TRAIN, span, message).help("write `dev: 10% of train` in a `data` block");
        self.error_in(s, d);
    }

    fn params_of(&mut self, b: &Bound<'a>, name: &str, s: &Scope<'a>) -> Vec<usize> {
        let Some(e) = b.any(name) else { return Vec::new() };
        self.paths(e, s).map_or_else(|_| Vec::new(), |params| params.into_iter().map(|p| p.0).collect())
    }

    /// The tasks of a list, in its order, families as their members.
    pub(super) fn task_list(&mut self, e: &'a Expr, s: &Scope<'a>) -> Vec<usize> {
        let parts: Vec<&'a Expr> = match &e.kind {
            ExprKind::List(parts) => parts.iter().collect(),
            _ => vec![e],
        };
        let mut tasks = Vec::new();
        for part in parts {
            if let Ok(found) = self.tasks_named(part, s) {
                tasks.extend(found.into_iter().map(|TaskId(t)| t));
            }
        }
        tasks
    }
}

/// Whether the tasks of a stage give a figure its value.
fn is_judged(figure: &Figure, tasks: &[usize], metrics: &[MetricPlan]) -> bool {
    match figure {
        Figure::Metric { task, .. } => tasks.contains(task),
        Figure::Named(name) => metrics.iter().any(|m| m.name == *name && is_judged(&m.figure, tasks, metrics)),
        Figure::AllCorrect(all) => all.iter().all(|t| tasks.contains(t)),
        Figure::Mean(parts) | Figure::Min(parts) => parts.iter().any(|p| is_judged(p, tasks, metrics)),
    }
}
