//! The `train` block and its stages.

use std::collections::{BTreeMap, HashMap};

use super::call::{ArgVal, Bound, Checked, Reported, Scope};
use super::checker::Checker;
use super::consts::Const;
use super::suggest;
use super::symbols::{SymbolKind, unroll};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::{self, Signature, training as sigs};
use crate::plan::{BalancePlan, BatchPlan, Figure, Length, MetricPlan, OptimizerPlan, SamplePlan, SchedulePlan, StagePlan, TrainPlan};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, Stage, StageEntry};

impl<'a> Checker<'a> {
    /// The training that the program asks for, or sound defaults.
    pub(super) fn training(&mut self, metrics: &[MetricPlan]) -> Option<TrainPlan> {
        let scope = Scope::default();
        let train = self.symbols.train;
        let bound = match train {
            Some(t) => self.bind_settings(&sigs::TRAIN, &t.settings, &scope),
            None => Bound::none(&sigs::TRAIN),
        };
        let known: Vec<&str> = metrics.iter().map(|m| m.name.as_str()).collect();
        let base = self.stage_plan(&bound, None, "", &scope, &known);
        let mut stages: Vec<StagePlan> = Vec::new();
        let mut at: HashMap<String, (usize, Span)> = HashMap::new();
        for (stage, scope) in train.map(|t| self.stages(&t.stages)).unwrap_or_default() {
            let name = stage_name(stage, &scope);
            if let Some((_, first)) = at.get(&name) {
                let d = Diagnostic::new(codes::DUPLICATE_NAME, stage.decl.span, format!("the stage '{name}' is declared twice"));
                self.error(d.also(*first, "first declared here"));
                continue;
            }
            let own = self.bind_settings(&sigs::STAGE, &stage.settings, &scope);
            let mut plan = self.stage_plan(&own, Some(&base), &name, &scope, &known);
            plan.after = own.any("after").and_then(|e| self.after(e, &at, &scope));
            at.insert(name, (stages.len(), stage.decl.span));
            stages.push(plan);
        }
        if stages.is_empty() {
            stages.push(base);
        }
        let device = bound.any("device").map_or_else(|| "auto".to_string(), |e| self.device(e, &scope));
        Some(TrainPlan {
            seed: bound.int("seed").unwrap_or(1) as u64,
            device,
            precision: bound.word("precision").unwrap_or("f32").to_string(),
            stages,
        })
    }

    fn stages(&mut self, entries: &'a [StageEntry]) -> Vec<(&'a Stage, Scope<'a>)> {
        let mut found = Vec::new();
        for entry in entries {
            match entry {
                StageEntry::Stage(stage) => found.push((stage, Scope::default())),
                StageEntry::For { binder, list, stages, .. } => {
                    let Ok(values) = self.constant(list, &Scope::default()) else { continue };
                    match unroll(binder, &values, list.span, &Default::default()) {
                        Ok(family) => {
                            for loops in family.members {
                                let scope = Scope { loops, ..Scope::default() };
                                found.extend(stages.iter().map(|s| (s, scope.clone())));
                            }
                        }
                        Err(d) => {
                            self.error(d);
                        }
                    }
                }
            }
        }
        found
    }

    fn after(&mut self, e: &'a Expr, at: &HashMap<String, (usize, Span)>, s: &Scope<'a>) -> Option<usize> {
        let name = match &e.kind {
            ExprKind::Name(n) => n.text.clone(),
            ExprKind::Index { base, indices } => match &base.kind {
                ExprKind::Name(n) => {
                    let words: Vec<String> = indices.iter().filter_map(|i| self.constant(i, s).ok()).map(|c| c.word()).collect();
                    format!("{}.{}", n.text, words.join("."))
                }
                _ => String::new(),
            },
            _ => String::new(),
        };
        if let Some((i, _)) = at.get(&name) {
            return Some(*i);
        }
        let mut d = Diagnostic::new(codes::TRAIN, e.span, format!("no stage before this one is named '{name}'"));
        if let Some(near) = suggest::nearest(&name, at.keys().map(String::as_str)) {
            d = d.fix(e.span, near, format!("did you mean '{near}'?"));
        }
        self.error_in(s, d);
        None
    }

    fn device(&mut self, e: &'a Expr, s: &Scope<'a>) -> String {
        let text = match &e.kind {
            ExprKind::Name(n) => n.text.clone(),
            _ => self.constant(e, s).map_or_else(|_| "auto".into(), |c| c.word()),
        };
        let ok = matches!(text.as_str(), "auto" | "cpu" | "cuda" | "metal") || text.strip_prefix("cuda:").is_some_and(|n| n.parse::<u32>().is_ok());
        if !ok {
            let d = Diagnostic::new(codes::BAD_SETTING, e.span, format!("'device' is `auto`, `cpu`, `cuda`, `\"cuda:1\"` or `metal`, not '{text}'"));
            self.error_in(s, d);
        }
        text
    }

    fn stage_plan(&mut self, b: &Bound<'a>, base: Option<&StagePlan>, name: &str, s: &Scope<'a>, metrics: &[&str]) -> StagePlan {
        let own = |setting: &str| b.get(setting).is_some() || base.is_none();
        let old = |f: fn(&StagePlan) -> usize, setting: &str| {
            if own(setting) { b.int(setting).unwrap_or(1) } else { base.map_or(1, f) }
        };
        let all_tasks: Vec<usize> = (0..self.tasks.len()).collect();
        let tasks = match b.any("tasks") {
            Some(e) => self.task_list(e, s),
            None => base.map_or(all_tasks, |p| p.tasks.clone()),
        };
        let batch = match b.any("batch") {
            Some(e) => self.batch(e, s),
            None => base.map_or(BatchPlan::Examples(32), |p| p.batch),
        };
        let sample = match b.any("sample") {
            Some(e) => self.sample(e, s),
            None => base.map_or(SamplePlan::Proportional, |p| p.sample.clone()),
        };
        let balance = match b.any("balance") {
            Some(e) => self.balance(e, s),
            None => base.map_or(BalancePlan::Weighted { weights: vec![] }, |p| p.balance.clone()),
        };
        let select = match b.any("select") {
            Some(e) => self.figure(e, s).and_then(|f| self.known_figure(f, e, metrics, s)),
            // Without one, the loop takes the mean of the tasks' main metrics that are shares.
            None => base.filter(|_| b.get("tasks").is_none()).and_then(|p| p.select.clone()),
        };
        let patience = if own("patience") { b.int("patience") } else { base.and_then(|p| p.patience) };
        if let Some(span) = b.span("patience")
            && !self.datasets.is_empty()
            && self.datasets.iter().all(|d| d.dev.is_none())
        {
            let d = Diagnostic::new(codes::TRAIN, span, "'patience' needs a dev split, and no data set has one");
            self.error_in(s, d.help("write `dev: 10% of train` in a data block"));
        }
        StagePlan {
            name: name.to_string(),
            after: None,
            epochs: old(|p| p.epochs, "epochs"),
            batch,
            accumulate: old(|p| p.accumulate, "accumulate"),
            optimizer: match (b.call("optimizer"), base) {
                (None, Some(p)) => p.optimizer.clone(),
                (call, _) => optimizer(call),
            },
            schedule: match (b.call("schedule"), base) {
                (None, Some(p)) => p.schedule.clone(),
                (call, _) => schedule(call),
            },
            clip: if own("clip") { b.float("clip") } else { base.and_then(|p| p.clip) },
            sample,
            balance,
            select,
            patience,
            tasks,
            losses: (0..self.losses.len()).collect(),
            freeze: self.path_setting(b, "freeze", s),
            reset: self.path_setting(b, "reset", s),
        }
    }

    fn path_setting(&mut self, b: &Bound<'a>, name: &str, s: &Scope<'a>) -> Vec<usize> {
        let paths = b.any(name).map(|e| self.paths(e, s));
        paths.and_then(Result::ok).unwrap_or_default().into_iter().map(|p| p.0).collect()
    }

    fn task_list(&mut self, e: &'a Expr, s: &Scope<'a>) -> Vec<usize> {
        let parts: Vec<&'a Expr> = match &e.kind {
            ExprKind::List(parts) => parts.iter().collect(),
            _ => vec![e],
        };
        let mut tasks = Vec::new();
        for part in parts {
            if let Ok(found) = self.tasks_named(part, s) {
                tasks.extend(found.into_iter().map(|t| t.0));
            }
        }
        tasks
    }

    fn batch(&mut self, e: &'a Expr, s: &Scope<'a>) -> BatchPlan {
        if let ExprKind::Call { callee, args } = &e.kind
            && let ExprKind::Name(n) = &callee.kind
            && n.text == "tokens"
        {
            let bound = self.bind_args(sigs::BATCHES[0], args, n.span, s);
            return BatchPlan::Tokens(bound.int("n").unwrap_or(4096));
        }
        match self.constant(e, s) {
            Ok(Const::Int(n @ 1..)) => BatchPlan::Examples(n as usize),
            Ok(_) => {
                let d = Diagnostic::new(codes::BAD_SETTING, e.span, "'batch' is a number of examples, at least 1, or `tokens(4096)`");
                self.error_in(s, d);
                BatchPlan::Examples(32)
            }
            Err(Reported) => BatchPlan::Examples(32),
        }
    }

    /// The word and arguments of a call, or of a bare word, among those that a setting may be.
    fn choice(&mut self, what: &str, e: &'a Expr, table: &'static [&'static Signature], s: &Scope<'a>) -> Checked<(&'static Signature, &'a Ident, &'a [Arg])> {
        let (name, args): (&'a Ident, &'a [Arg]) = match &e.kind {
            ExprKind::Name(n) => (n, &[]),
            ExprKind::Call { callee, args } if matches!(callee.kind, ExprKind::Name(_)) => match &callee.kind {
                ExprKind::Name(n) => (n, args),
                _ => return Err(Reported),
            },
            ExprKind::Error => return Err(Reported),
            _ => {
                let names: Vec<&str> = table.iter().map(|t| t.name).collect();
                let d = Diagnostic::new(codes::BAD_SETTING, e.span, format!("'{what}' is {}", ops::list_words(&names)));
                return Err(self.error_in(s, d));
            }
        };
        if let Some(signature) = table.iter().find(|t| t.name == name.text) {
            return Ok((signature, name, args));
        }
        let names: Vec<&str> = table.iter().map(|t| t.name).collect();
        let mut d = Diagnostic::new(codes::BAD_SETTING, name.span, format!("'{what}' is {}, not '{}'", ops::list_words(&names), name.text));
        if let Some(near) = suggest::nearest(&name.text, names.iter().copied()) {
            d = d.fix(name.span, near, format!("did you mean '{near}'?"));
        }
        Err(self.error_in(s, d))
    }

    fn not_yet(&mut self, word: &Ident, s: &Scope<'a>) {
        let d = Diagnostic::new(codes::NOT_RUN_YET, word.span, format!("this build does not run '{}' yet", word.text));
        self.error_in(s, d);
    }

    fn sample(&mut self, e: &'a Expr, s: &Scope<'a>) -> SamplePlan {
        let Ok((signature, word, args)) = self.choice("sample", e, sigs::SAMPLES, s) else { return SamplePlan::Proportional };
        match signature.name {
            "uniform" => SamplePlan::Uniform,
            "round_robin" => SamplePlan::RoundRobin,
            "all" => SamplePlan::All,
            "temperature" => {
                let bound = self.bind_args(signature, args, word.span, s);
                let t = bound.float("t").unwrap_or(1.0);
                if t <= 0.0 {
                    let at = bound.span("t").unwrap_or(word.span);
                    self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, at, "a temperature is greater than 0"));
                }
                SamplePlan::Temperature { t }
            }
            "ordered" => {
                let bound = self.bind_args(signature, args, word.span, s);
                SamplePlan::Ordered { tasks: bound.any("tasks").map(|e| self.task_list(e, s)).unwrap_or_default() }
            }
            "ratio" => {
                let weights = self.named_weights(args, s);
                let (tasks, weights) = weights.into_iter().unzip();
                SamplePlan::Ratio { tasks, weights }
            }
            "annealed" | "bandit" => {
                self.not_yet(word, s);
                SamplePlan::Proportional
            }
            _ => SamplePlan::Proportional,
        }
    }

    fn balance(&mut self, e: &'a Expr, s: &Scope<'a>) -> BalancePlan {
        let none = BalancePlan::Weighted { weights: vec![] };
        let Ok((signature, word, args)) = self.choice("balance", e, sigs::BALANCES, s) else { return none };
        match signature.name {
            "weighted" => BalancePlan::Weighted { weights: self.named_weights(args, s) },
            "uncertainty" => BalancePlan::Uncertainty,
            _ => {
                self.not_yet(word, s);
                none
            }
        }
    }

    /// `intent: 0.8`: tasks by name with a number each.
    fn named_weights(&mut self, args: &'a [Arg], s: &Scope<'a>) -> Vec<(usize, f64)> {
        let mut weights: BTreeMap<usize, f64> = BTreeMap::new();
        for arg in args {
            let Some(name) = &arg.name else {
                let d = Diagnostic::new(codes::BAD_ARGUMENT, arg.span, "weights are given by task: `intent: 0.8`");
                self.error_in(s, d);
                continue;
            };
            let Some(symbol) = self.symbols.by_name.get(name.text.as_str()).filter(|x| x.kind == SymbolKind::Task).cloned() else {
                let mut d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("no task is named '{}'", name.text));
                if let Some(near) = self.symbols.nearest(&name.text, |k| k == SymbolKind::Task) {
                    d = d.fix(name.span, near, format!("did you mean '{near}'?"));
                }
                self.error_in(s, d);
                continue;
            };
            let weight = self.constant(&arg.value, s).ok().and_then(|c| c.number());
            let Some(weight) = weight else {
                self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, arg.value.span, "a weight is a number"));
                continue;
            };
            for member in symbol.distinct() {
                if let Ok(task) = self.task_head(&symbol, member, name.span) {
                    weights.insert(task.0, weight);
                }
            }
        }
        weights.into_iter().collect()
    }

    fn known_figure(&mut self, figure: Figure, e: &Expr, metrics: &[&str], s: &Scope<'a>) -> Option<Figure> {
        if let Figure::Named(name) = &figure
            && !metrics.contains(&name.as_str())
            && self.symbols.by_name.get(name.as_str()).is_some_and(|x| x.is_family())
        {
            self.error_in(s, Diagnostic::new(codes::WRONG_KIND, e.span, format!("'{name}' is a family of metrics; take their `mean`")));
            return None;
        }
        Some(figure)
    }
}

fn stage_name(stage: &Stage, s: &Scope<'_>) -> String {
    let mut name = stage.decl.name.text.clone();
    for var in &stage.decl.index {
        name.push('.');
        name.push_str(s.loops.get(&var.text).unwrap_or(&var.text));
    }
    name
}

fn optimizer(call: Option<&Bound<'_>>) -> OptimizerPlan {
    let default = Bound::none(sigs::OPTIMIZERS[2]);
    let b = call.unwrap_or(&default);
    let n = |name: &str| b.float(name).unwrap_or(0.0);
    let (lr, eps, weight_decay) = (n("lr"), n("eps"), n("weight_decay"));
    let (beta1, beta2) = (n("beta1"), n("beta2"));
    match b.signature.name {
        "sgd" => OptimizerPlan::Sgd { lr, momentum: n("momentum"), nesterov: b.bool("nesterov"), weight_decay },
        "adam" => OptimizerPlan::Adam { lr, beta1, beta2, eps, weight_decay },
        "adagrad" => OptimizerPlan::Adagrad { lr, eps, weight_decay },
        "radam" => OptimizerPlan::Radam { lr, beta1, beta2, eps, weight_decay },
        _ => OptimizerPlan::Adamw { lr, beta1, beta2, eps, weight_decay },
    }
}

fn schedule(call: Option<&Bound<'_>>) -> SchedulePlan {
    let Some(b) = call else { return SchedulePlan::Constant { warmup: Length::Steps(0) } };
    let warmup = match b.get("warmup") {
        Some((ArgVal::Length(l), _)) => *l,
        _ => Length::Steps(0),
    };
    let gamma = b.float("gamma").unwrap_or(0.1);
    match b.signature.name {
        "linear" => SchedulePlan::Linear { warmup },
        "cosine" => SchedulePlan::Cosine { warmup },
        "inverse_sqrt" => SchedulePlan::InverseSqrt { warmup },
        "step" => SchedulePlan::Step { every: b.int("every").unwrap_or(1), gamma, warmup },
        "exponential" => SchedulePlan::Exponential { gamma, warmup },
        "plateau" => SchedulePlan::Plateau {
            factor: b.float("factor").unwrap_or(0.5),
            patience: b.int("patience").unwrap_or(2),
            warmup,
        },
        _ => SchedulePlan::Constant { warmup },
    }
}
