//! The `train` block, and the stages that inherit what it sets.

mod choices;
mod stage;

use indexmap::IndexMap;

use super::call::{Bound, Scope};
use super::checker::Checker;
use super::model::StagePlaces;
use super::suggest;
use super::symbols::{Symbol, places, unroll};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::{list_words, training as sigs};
use crate::plan::{MetricPlan, StagePlan, TrainPlan};
use crate::source::Span;
use crate::syntax::ast::{Decl, Expr, ExprKind, ItemKind, Stage, StageEntry};

/// Stages by name, with their places, in order.
type Stages = IndexMap<String, Span>;

impl<'a> Checker<'a> {
    /// The training that the program asks for, or sound defaults; `metrics` are its `metric`
    /// items. Tasks and losses are numbered as in the checker.
    pub(super) fn training(&mut self, metrics: &[MetricPlan]) -> Option<TrainPlan> {
        let before = self.diagnostics.len();
        let scope = Scope::default();
        let train = self.symbols.train;
        let bound = match train {
            Some(t) => self.bind_settings(&sigs::TRAIN, &t.settings, &scope),
            None => Bound::none(&sigs::TRAIN),
        };
        let mut base = self.default_stage();
        self.stage_settings(&mut base, &bound, &scope, metrics);
        let places = StagePlaces::of(&bound, &StagePlaces::default());
        let mut stages = self.stage_plans(train.map_or(&[], |t| &t.stages), &base, &places, metrics);
        if stages.is_empty() {
            stages.push(base);
            self.stage_places.push(places);
        }
        let device = bound.any("device").map_or_else(|| "auto".to_string(), |e| self.device(e, &scope));
        self.check_updates();
        let sound = !self.diagnostics[before..].iter().any(|d| d.is_error() && d.code != codes::NOT_RUN_YET);
        sound.then(|| TrainPlan {
            seed: bound.int("seed").unwrap_or(1) as u64,
            device,
            precision: bound.word("precision").unwrap_or("f32").to_string(),
            stages,
        })
    }

    fn stage_plans(
        &mut self,
        entries: &'a [StageEntry],
        base: &StagePlan,
        places: &StagePlaces,
        metrics: &[MetricPlan],
    ) -> Vec<StagePlan> {
        let written = self.stages(entries);
        let all: Stages = written.iter().map(|(stage, s, _)| (stage_name(&stage.decl, s), stage.decl.span)).collect();
        let mut known = Stages::new();
        let mut plans: Vec<StagePlan> = Vec::new();
        for (stage, scope, member) in written {
            self.expanding = member.map(|member| (stage.span, member));
            let name = stage_name(&stage.decl, &scope);
            if let Some(first) = known.get(&name) {
                let message = format!("the stage '{name}' is declared twice");
                let d = Diagnostic::new(codes::DUPLICATE_NAME, stage.decl.span, message)
                    .also(*first, "first declared here");
                if *first != stage.decl.span {
                    self.error(d);
                }
                continue;
            }
            let bound = self.bind_settings(&sigs::STAGE, &stage.settings, &scope);
            let mut plan = StagePlan { name: name.clone(), ..base.clone() };
            self.stage_settings(&mut plan, &bound, &scope, metrics);
            plan.after = bound.any("after").and_then(|e| self.after(e, &known, &all, &scope));
            known.insert(name, stage.decl.span);
            plans.push(plan);
            self.stage_places.push(StagePlaces::of(&bound, places));
        }
        self.expanding = None;
        plans
    }

    /// The stages with their loop names and the place of their member, loops unrolled.
    fn stages(&mut self, entries: &'a [StageEntry]) -> Vec<(&'a Stage, Scope<'a>, Option<Span>)> {
        let mut found = Vec::new();
        for entry in entries {
            match entry {
                StageEntry::Stage(stage) => {
                    self.stage_index(&stage.decl, &[]);
                    found.push((stage, Scope::default(), None));
                }
                StageEntry::For { binder, list, stages, .. } => {
                    let bound: Vec<&str> = binder.names.iter().map(|n| n.text.as_str()).collect();
                    stages.iter().for_each(|stage| self.stage_index(&stage.decl, &bound));
                    let Ok(values) = self.constant(list, &Scope::default()) else { continue };
                    match unroll(binder, &values, &places(list, &self.symbols), &Default::default()) {
                        Ok(family) => {
                            for (loops, at) in family.members.into_iter().zip(family.at) {
                                let scope = Scope { loops, ..Scope::default() };
                                found.extend(stages.iter().map(|s| (s, scope.clone(), Some(at))));
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

    /// Checks that the index of a stage is made of the loop names around it.
    fn stage_index(&mut self, decl: &Decl, bound: &[&str]) {
        for var in decl.index.iter().filter(|v| !bound.contains(&v.text.as_str())) {
            let message = format!("no `for` around this binds '{}'", var.text);
            self.error(Diagnostic::new(codes::UNKNOWN_NAME, var.span, message));
        }
        if decl.index.is_empty() && !bound.is_empty() {
            let name = &decl.name.text;
            let message =
                format!("'{name}' stands inside a `for` but has no index, so its members would share one name");
            let indexed = format!("{name}[{}]", bound.join(", "));
            let d = Diagnostic::new(codes::MISPLACED, decl.name.span, message);
            self.error(d.fix(decl.name.span, indexed.clone(), format!("write `{indexed}`")));
        }
    }

    /// The stage that `after` names, which stands before.
    fn after(&mut self, e: &'a Expr, known: &Stages, all: &Stages, s: &Scope<'a>) -> Option<usize> {
        let name = match &e.kind {
            ExprKind::Name(n) => n.text.clone(),
            ExprKind::Index { base, indices } if matches!(base.kind, ExprKind::Name(_)) => {
                let words: Vec<String> =
                    indices.iter().filter_map(|i| Some(self.constant(i, s).ok()?.word())).collect();
                format!("{}.{}", self.sources.text(base.span), words.join("."))
            }
            ExprKind::Error => return None,
            _ => {
                let d = Diagnostic::new(codes::BAD_SETTING, e.span, "'after' is the name of a stage");
                self.error_in(s, d);
                return None;
            }
        };
        let at = known.get_index_of(&name);
        if at.is_none() && !self.tolerated.contains(&name) {
            let d = self.no_such_stage(&name, e.span, known, all);
            self.error_in(s, d);
        }
        at
    }

    fn no_such_stage(&self, name: &str, at: Span, known: &Stages, all: &Stages) -> Diagnostic {
        let shown = self.sources.text(at);
        if let Some(place) = all.get(name) {
            let message = format!("the stage '{shown}' does not come before this one");
            return Diagnostic::new(codes::TRAIN, at, message)
                .also(*place, "it stands here")
                .help("a stage begins with the weights of an earlier one; stages run in the order written");
        }
        let members: Vec<&str> = all
            .keys()
            .map(String::as_str)
            .filter(|n| n.strip_prefix(name).is_some_and(|r| r.starts_with('.')))
            .collect();
        if let Some(word) = members.first().and_then(|m| m.split_once('.')).map(|(_, words)| words.replace('.', ", ")) {
            let message = format!("'{shown}' is a family of stages; say which member");
            return Diagnostic::new(codes::TRAIN, at, message)
                .help(format!("write `{name}[{word}]`, or index it with a loop name"));
        }
        let d = Diagnostic::new(codes::TRAIN, at, format!("no stage is named '{shown}'"));
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        match suggest::nearest(name, names.iter().copied()) {
            Some(near) => d.fix(at, near, format!("did you mean '{near}'?")),
            None if names.is_empty() => d.help("no stage stands before this one"),
            None => d.help(format!("the stages before this one are {}", list_words(&names))),
        }
    }

    /// Checks the `updates` of tasks and losses; the lists themselves are read when the model is made.
    fn check_updates(&mut self) {
        let symbols: Vec<Symbol<'a>> = self.symbols.own().cloned().collect();
        for symbol in symbols {
            let settings = match &symbol.item.kind {
                ItemKind::Task(task) => &task.settings,
                ItemKind::Loss(loss) => &loss.settings,
                _ => continue,
            };
            for updates in settings.iter().filter(|s| s.name.text == "updates") {
                for member in symbol.distinct() {
                    let scope = self.item_scope(&symbol, member, symbol.name);
                    let _ = self.paths(&updates.value, &scope);
                }
            }
        }
    }
}

/// `joint`, or `adapt.books` for a member of a family.
fn stage_name(decl: &Decl, s: &Scope<'_>) -> String {
    let mut name = decl.name.text.clone();
    for var in &decl.index {
        name.push('.');
        name.push_str(s.loops.get(&var.text).unwrap_or(&var.text));
    }
    name
}
