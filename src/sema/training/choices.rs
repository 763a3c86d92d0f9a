//! Settings that are one of several words, some of them with arguments: optimiser, schedule,
//! batch, sampling, balancing, device.

use crate::diagnostics::{Diagnostic, codes};
use crate::ops::{self, Signature, training as sigs};
use crate::plan::{BalancePlan, BatchPlan, Length, OptimizerPlan, SamplePlan, SchedulePlan};
use crate::sema::call::{Bound, Checked, Reported, Scope};
use crate::sema::checker::Checker;
use crate::sema::consts::Const;
use crate::sema::model::Balance;
use crate::sema::suggest;
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

impl<'a> Checker<'a> {
    pub(super) fn optimizer(&mut self, b: &Bound<'a>) -> OptimizerPlan {
        let n = |name: &str| b.float(name).unwrap_or(0.0);
        let (lr, eps, weight_decay, momentum) = (n("lr"), n("eps"), n("weight_decay"), n("momentum"));
        let (beta1, beta2) = self.betas(b);
        let nesterov = b.bool("nesterov");
        if let (true, 0.0, Some(span)) = (nesterov, momentum, b.span("nesterov")) {
            let d = Diagnostic::new(codes::BAD_ARGUMENT, span, "Nesterov's momentum needs a 'momentum' greater than 0");
            self.error(d.help("write `sgd(lr: 0.1, momentum: 0.9, nesterov: true)`"));
        }
        match b.signature.name {
            "sgd" => OptimizerPlan::Sgd { lr, momentum, nesterov, weight_decay },
            "adam" => OptimizerPlan::Adam { lr, beta1, beta2, eps, weight_decay },
            "adagrad" => OptimizerPlan::Adagrad { lr, eps, weight_decay },
            "radam" => OptimizerPlan::Radam { lr, beta1, beta2, eps, weight_decay },
            _ => OptimizerPlan::Adamw { lr, beta1, beta2, eps, weight_decay },
        }
    }

    /// `betas: (0.9, 0.999)`, or `beta1` and `beta2`.
    fn betas(&mut self, b: &Bound<'a>) -> (f64, f64) {
        let mut betas = (b.float("beta1").unwrap_or(0.0), b.float("beta2").unwrap_or(0.0));
        let mut places = vec![(betas.0, b.span("beta1")), (betas.1, b.span("beta2"))];
        if let Some(e) = b.any("betas") {
            match self.constant(e, &Scope::default()).map(|c| pair(&c)) {
                Ok(Some(both)) => {
                    betas = both;
                    places = vec![(both.0.max(both.1), Some(e.span)), (both.0.min(both.1), Some(e.span))];
                }
                Ok(None) => {
                    let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, "'betas' are two numbers");
                    self.error(d.help("write `betas: (0.9, 0.999)`"));
                }
                Err(Reported) => {}
            }
        }
        for (beta, span) in places {
            if let (false, Some(span)) = ((0.0..1.0).contains(&beta), span) {
                let d = Diagnostic::new(codes::BAD_ARGUMENT, span, "a beta is at least 0 and less than 1");
                self.error(d.help("the usual values are `(0.9, 0.999)`"));
            }
        }
        betas
    }

    pub(super) fn schedule(&mut self, b: &Bound<'a>) -> SchedulePlan {
        let warmup = b.length("warmup").unwrap_or(Length::Steps(0));
        let (gamma, factor) = (b.float("gamma").unwrap_or(1.0), b.float("factor").unwrap_or(1.0));
        match b.signature.name {
            "linear" => SchedulePlan::Linear { warmup },
            "cosine" => SchedulePlan::Cosine { warmup },
            "inverse_sqrt" => SchedulePlan::InverseSqrt { warmup },
            "step" => SchedulePlan::Step { every: b.int("every").unwrap_or(1), gamma, warmup },
            "exponential" => SchedulePlan::Exponential { gamma, warmup },
            "plateau" => SchedulePlan::Plateau { factor, patience: b.int("patience").unwrap_or(0), warmup },
            _ => SchedulePlan::Constant { warmup },
        }
    }

    pub(super) fn batch(&mut self, e: &'a Expr, s: &Scope<'a>) -> BatchPlan {
        let default = BatchPlan::Examples(32);
        if matches!(e.kind, ExprKind::Call { .. }) {
            let Ok((signature, word, args)) = self.choice("batch", e, sigs::BATCHES, s) else { return default };
            let bound = self.bind_args(signature, args, word.span, s);
            return bound.int("n").map_or(default, BatchPlan::Tokens);
        }
        match self.constant(e, s) {
            Ok(Const::Int(n @ 1..)) => BatchPlan::Examples(n as usize),
            Ok(_) => {
                let message = "'batch' is a number of examples, at least 1, or `tokens(4096)`";
                self.error_in(s, Diagnostic::new(codes::BAD_SETTING, e.span, message).help("write `batch: 32`"));
                default
            }
            Err(Reported) => default,
        }
    }

    pub(super) fn device(&mut self, e: &'a Expr, s: &Scope<'a>) -> String {
        let text = match &e.kind {
            ExprKind::Name(n) => n.text.clone(),
            _ => match self.constant(e, s) {
                Ok(value) => value.word(),
                Err(Reported) => return "auto".into(),
            },
        };
        let numbered = text.strip_prefix("cuda:").is_some_and(|n| n.parse::<u32>().is_ok());
        if !numbered && !sigs::DEVICES.contains(&text.as_str()) {
            let message = format!("'device' is `auto`, `cpu`, `cuda`, `\"cuda:1\"` or `metal`, not '{text}'");
            let mut d = Diagnostic::new(codes::BAD_SETTING, e.span, message);
            let near = suggest::nearest(&text, sigs::DEVICES.iter().copied());
            if let Some(near) = if text == "gpu" { Some("cuda") } else { near } {
                d = d.fix(e.span, near, format!("did you mean '{near}'?"));
            }
            self.error_in(s, d);
        }
        text
    }

    /// The word of a setting among those it may be, with its arguments.
    fn choice(
        &mut self,
        what: &str,
        e: &'a Expr,
        table: &'static [&'static Signature],
        s: &Scope<'a>,
    ) -> Checked<(&'static Signature, &'a Ident, &'a [Arg])> {
        let names: Vec<&str> = table.iter().map(|t| t.name).collect();
        let (word, args): (Option<&'a Ident>, &'a [Arg]) = match &e.kind {
            ExprKind::Error => return Err(Reported),
            ExprKind::Name(n) => (Some(n), &[]),
            ExprKind::Call { callee, args } => match &callee.kind {
                ExprKind::Name(n) => (Some(n), args),
                _ => (None, &[]),
            },
            _ => (None, &[]),
        };
        let Some(word) = word else {
            let d = Diagnostic::new(codes::BAD_SETTING, e.span, format!("'{what}' is {}", ops::list_words(&names)));
            return Err(self.error_in(s, d));
        };
        if let Some(signature) = table.iter().find(|t| t.name == word.text) {
            return Ok((signature, word, args));
        }
        let message = format!("'{what}' is {}, not '{}'", ops::list_words(&names), word.text);
        let mut d = Diagnostic::new(codes::BAD_SETTING, word.span, message);
        if let Some(near) = suggest::nearest(&word.text, names.iter().copied()) {
            d = d.fix(word.span, near, format!("did you mean '{near}'?"));
        }
        Err(self.error_in(s, d))
    }

    /// Reports what the language has and this build does not train with.
    fn not_yet(&mut self, word: &Ident, s: &Scope<'a>) {
        let d = Diagnostic::new(codes::NOT_RUN_YET, word.span, format!("this build does not run '{}' yet", word.text));
        self.not_yet += 1;
        self.error_in(s, d);
    }

    pub(super) fn sample(&mut self, e: &'a Expr, s: &Scope<'a>) -> SamplePlan {
        let Ok((signature, word, args)) = self.choice("sample", e, sigs::SAMPLES, s) else {
            return SamplePlan::Proportional;
        };
        if !sigs::runs(signature.name) {
            self.not_yet(word, s);
            return SamplePlan::Proportional;
        }
        if signature.name == "ratio" {
            return self.ratio(word, args, s);
        }
        let bound = self.bind_args(signature, args, word.span, s);
        match signature.name {
            "uniform" => SamplePlan::Uniform,
            "round_robin" => SamplePlan::RoundRobin,
            "all" => SamplePlan::All,
            "temperature" => {
                let t = bound.float("t").unwrap_or(1.0);
                if let (0.0, Some(at)) = (t, bound.span("t")) {
                    let d = Diagnostic::new(codes::BAD_ARGUMENT, at, "a temperature is greater than 0");
                    self.error_in(s, d.help("write `temperature(5)`; the larger, the more evenly data sets are drawn"));
                }
                SamplePlan::Temperature { t }
            }
            "ordered" => SamplePlan::Ordered { tasks: bound.any("tasks").map_or_else(Vec::new, |e| self.turns(e, s)) },
            _ => SamplePlan::Proportional,
        }
    }

    /// The tasks of `ordered`, each once.
    fn turns(&mut self, e: &'a Expr, s: &Scope<'a>) -> Vec<usize> {
        let before = self.diagnostics.len();
        let tasks = self.task_list(e, s);
        if tasks.is_empty() && self.diagnostics.len() == before {
            let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, "`ordered` takes a list of tasks");
            self.error_in(s, d.help("write `ordered([first, second])`"));
        }
        let twice = tasks.iter().enumerate().find(|(i, t)| tasks[..*i].contains(t));
        if let Some((_, task)) = twice {
            let message = format!("`ordered` names '{}' twice", self.tasks[*task].name);
            self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, e.span, message));
        }
        tasks
    }

    /// `ratio(a: 3, b: 1)`; a family shares its number evenly among its members.
    fn ratio(&mut self, word: &Ident, args: &'a [Arg], s: &Scope<'a>) -> SamplePlan {
        let before = self.diagnostics.len();
        let given = self.named_weights(args, s);
        for (_, weight, at) in given.iter().filter(|(_, w, _)| *w < 0.0) {
            let message = format!("a ratio is a number, at least 0, not `{weight}`");
            let d = Diagnostic::new(codes::BAD_ARGUMENT, *at, message);
            self.error_in(s, d.help("write `0` for a task that takes no steps"));
        }
        let positive = given.iter().any(|(_, weight, _)| *weight > 0.0);
        if !positive && self.diagnostics.len() == before {
            let d =
                Diagnostic::new(codes::BAD_ARGUMENT, word.span, "`ratio` needs a task with a number greater than 0");
            self.error_in(s, d.help("write `ratio(intent: 3, slots: 1)`"));
        }
        let shares =
            given.iter().flat_map(|(tasks, weight, _)| tasks.iter().map(move |t| (*t, weight / tasks.len() as f64)));
        let (tasks, weights) = shares.unzip();
        SamplePlan::Ratio { tasks, weights }
    }

    pub(super) fn balance(&mut self, e: &'a Expr, tasks: &[usize], s: &Scope<'a>) -> BalancePlan {
        let none = BalancePlan::Weighted { weights: vec![] };
        let Ok((signature, word, args)) = self.choice("balance", e, sigs::BALANCES, s) else { return none };
        self.balances.push(Balance { word: signature.name, at: word.span, tasks: tasks.to_vec() });
        if !sigs::runs(signature.name) {
            self.not_yet(word, s);
            return none;
        }
        if signature.name == "uncertainty" {
            self.bind_args(signature, args, word.span, s);
            return BalancePlan::Uncertainty;
        }
        let given = self.named_weights(args, s);
        let weights = given.into_iter().flat_map(|(tasks, weight, _)| tasks.into_iter().map(move |t| (t, weight)));
        BalancePlan::Weighted { weights: weights.collect() }
    }

    /// `intent: 0.8`: a task, or the members of a family, with a number and its place.
    fn named_weights(&mut self, args: &'a [Arg], s: &Scope<'a>) -> Vec<(Vec<usize>, f64, Span)> {
        let mut given: Vec<(Vec<usize>, f64, Span)> = Vec::new();
        let mut seen: Vec<&'a Ident> = Vec::new();
        for arg in args {
            let Some(name) = &arg.name else {
                let d = Diagnostic::new(codes::BAD_ARGUMENT, arg.span, "a number here needs the name of its task");
                self.error_in(s, d.help("write `intent: 0.8`"));
                continue;
            };
            if let Some(first) = seen.iter().find(|n| n.text == name.text) {
                let d = Diagnostic::new(codes::DUPLICATE_SETTING, name.span, format!("'{}' is given twice", name.text));
                self.error_in(s, d.also(first.span, "first given here"));
                continue;
            }
            seen.push(name);
            let tasks = self.task_members(name, s);
            let Ok(value) = self.constant(&arg.value, s) else { continue };
            let Some(weight) = value.number() else {
                let message = format!("a weight is a number, and this is {}", value.noun());
                self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, arg.value.span, message));
                continue;
            };
            if let Ok(tasks) = tasks {
                given.push((tasks.into_iter().map(|t| t.0).collect(), weight, arg.value.span));
            }
        }
        given
    }
}

/// Two numbers, written as a tuple or list.
fn pair(value: &Const) -> Option<(f64, f64)> {
    match value {
        Const::Tuple(parts) | Const::List(parts) => match parts.as_slice() {
            [a, b] => Some((a.number()?, b.number()?)),
            _ => None,
        },
        _ => None,
    }
}
