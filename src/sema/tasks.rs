//! Tasks: their heads, what they read, and the outputs that they hand on.

use super::call::{Bound, Checked, Reported, Scope, TaskId, Val};
use super::checker::{Checker, Key, State};
use super::graph::{Node, NodeId};
use super::model::{Built, Head, TaskData};
use super::suggest;
use super::symbols::{Symbol, SymbolKind};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::{self, HeadRequest};
use crate::plan::{Attr, Attrs};
use crate::source::Span;
use crate::syntax::ast::{self, Arg, Expr, ExprKind, Ident, ItemKind, Task};

impl<'a> Checker<'a> {
    /// A task's head, without what the task reads.
    pub(super) fn task_head(&mut self, symbol: &Symbol<'a>, member: usize, span: Span) -> Checked<TaskId> {
        let key = Key { name: symbol.name, member, head: true };
        let symbol = symbol.clone();
        let value = self.evaluate(key, span, |c| c.declare_task(&symbol, member).map_or(Val::Error, Val::Task));
        if let Val::Task(id) = value { Ok(id) } else { Err(Reported) }
    }

    fn declare_task(&mut self, symbol: &Symbol<'a>, member: usize) -> Checked<TaskId> {
        let ItemKind::Task(task) = &symbol.item.kind else { return Err(Reported) };
        let mut scope = self.item_scope(symbol, member, symbol.name);
        scope.in_loss = true;
        let Some(kind) = ops::task_kind(&task.kind.text) else { return Err(self.unknown_kind(task)) };
        let (own, settings) = self.task_settings(kind.signature(), task, &scope);
        let name = scope.owner.clone().unwrap_or_default().to_string();
        let gold = self.task_gold(task, &own, &scope);
        let site = self.site(&scope, task.decl.span);
        let path = format!("{name}.head");
        let outside = Scope { in_loss: false, ..scope.clone() };
        let gold_node = gold.ok().flatten();
        let head =
            Head { site, path, settings: own, gold: gold_node, space: None, over: None, form: "", scope: outside };
        let mut request = HeadRequest { head, span: task.head_span };
        if gold.is_ok() {
            kind.head(self, &mut request)?;
        } else {
            // The rest of the task is still checked; its gold was reported.
            let before = self.diagnostics.len();
            let _ = kind.head(self, &mut request);
            let found = self.diagnostics.split_off(before);
            self.diagnostics.extend(found.into_iter().filter(|d| d.code != codes::TASK_GOLD));
        }
        let mut head = request.head;
        self.shared_head(&settings, &mut head, &scope);
        if let (Some(e), true) = (settings.any("loss"), kind.runs()) {
            self.only_loss(e, kind, &scope);
        }
        let weight = match settings.any("weight") {
            Some(e) => self.weight(e, &scope)?,
            None => 1.0,
        };
        if let Some(e) = settings.any("metric") {
            self.task_metric(e, kind);
        }
        let id = self.next_task(symbol);
        let family = symbol.is_family().then(|| symbol.name.to_string());
        scope.in_loss = false;
        let declared = (symbol.name, member);
        let tasks = if id.is_of_run() { &mut self.taught } else { &mut self.tasks };
        tasks.push(TaskData {
            declared,
            name,
            family,
            kind,
            head,
            built: None,
            span: symbol.span,
            settings,
            weight,
            scope,
        });
        Ok(id)
    }

    fn unknown_kind(&mut self, task: &Task) -> Reported {
        let message = format!("'{}' is no kind of task", task.kind.text);
        let mut d = Diagnostic::new(codes::UNKNOWN_TYPE, task.kind.span, message);
        let names: Vec<&str> = ops::TASKS.iter().map(|t| t.signature().name).collect();
        d = match suggest::nearest(&task.kind.text, names.iter().copied()) {
            Some(near) => d.fix(task.kind.span, near, format!("did you mean '{near}'?")),
            None => d.help(format!("the kinds are {}", ops::list_words(&names))),
        };
        self.error(d)
    }

    /// Splits a task's settings into those of its kind and those of every task.
    fn task_settings(&mut self, own: &'static ops::Signature, task: &'a Task, s: &Scope<'a>) -> (Bound<'a>, Bound<'a>) {
        let common = &ops::tasks::COMMON;
        let mut bound = (Bound::none(own), Bound::none(common));
        let of_training = |x: &&ast::Setting| {
            let name = x.name.text.as_str();
            own.arg(name).is_none() && common.arg(name).is_none() && ops::training::TRAIN.arg(name).is_some()
        };
        let strangers: Vec<&str> = task.settings.iter().filter(of_training).map(|x| x.name.text.as_str()).collect();
        for setting in &task.settings {
            if let [first, .., last] = strangers.as_slice()
                && of_training(&setting)
            {
                // Several settings of training in a task: the word `train` is what is missing.
                if setting.name.text == *first {
                    let message = format!("a `{}` task has no setting '{first}'", own.name);
                    let d = Diagnostic::new(codes::UNKNOWN_SETTING, setting.name.span, message);
                    self.error_in(
                        s,
                        d.help(format!("the settings from '{first}' to '{last}' belong in a `train` block")),
                    );
                }
                continue;
            }
            let one = std::slice::from_ref(setting);
            let name = setting.name.text.as_str();
            let target = if own.arg(name).is_some() {
                &mut bound.0
            } else if common.arg(name).is_some() {
                &mut bound.1
            } else {
                self.unknown_setting(setting.name.span, name, own, s);
                continue;
            };
            let known: Option<Span> = target.given.iter().find(|(n, _)| **n == name).map(|(_, v)| v.1);
            if let Some(first) = known {
                let d =
                    Diagnostic::new(codes::DUPLICATE_SETTING, setting.name.span, format!("'{name}' is given twice"));
                self.error_in(s, d.also(first, "first given here"));
                continue;
            }
            let fresh = self.bind_settings(target.signature, one, s);
            let target = if own.arg(name).is_some() { &mut bound.0 } else { &mut bound.1 };
            target.given.extend(fresh.given);
        }
        bound
    }

    fn unknown_setting(&mut self, span: Span, name: &str, own: &'static ops::Signature, s: &Scope<'a>) {
        let shared = ops::tasks::COMMON.args.iter().filter(|a| own.arg(a.name).is_none());
        let all: Vec<&str> = own.args.iter().chain(shared).map(|a| a.name).collect();
        let mut d =
            Diagnostic::new(codes::UNKNOWN_SETTING, span, format!("a `{}` task has no setting '{name}'", own.name));
        if let Some(near) = suggest::nearest(name, all.iter().copied()) {
            d = d.fix(span, near, format!("did you mean '{near}'?"));
        } else if let Some(place) = ops::training::belongs(name) {
            d = d.help(place);
        } else {
            d = d.help(format!("it has {}", ops::list_words(&all)));
        }
        self.error_in(s, d);
    }

    fn task_gold(&mut self, task: &'a Task, own: &Bound<'a>, s: &Scope<'a>) -> Checked<Option<(NodeId, Span)>> {
        let Some(first) = task.gold.first() else {
            if matches!(
                task.kind.text.as_str(),
                "classify" | "multilabel" | "regress" | "tag" | "parse" | "relate" | "spans" | "detect"
            ) {
                let d =
                    Diagnostic::new(codes::TASK_GOLD, task.head_span, format!("`{}` needs its gold", task.kind.text));
                let help = match task.kind.text.as_str() {
                    "detect" => "name what a masked language model replaced: `detect(g.replaced)`".to_string(),
                    kind => format!("write `{kind}(data.field)`"),
                };
                return Err(self.error_in(s, d.help(help)));
            }
            return Ok(None);
        };
        if let Some(extra) = task.gold.get(1) {
            let message = format!("'{}' takes one gold", task.kind.text);
            self.error_in(s, Diagnostic::new(codes::UNKNOWN_ARGUMENT, extra.span, message));
        }
        let value = self.eval(&first.value, s);
        let node = match value {
            Val::Task(teacher) if task.kind.text == "distill" => {
                let built = self.built(teacher, first.value.span)?;
                self.teacher(&built, own, first.value.span)
            }
            Val::Applied(teacher, x) if task.kind.text == "distill" => {
                let built = self.applied_head(teacher, x, first.value.span)?;
                self.teacher(&built, own, first.value.span)
            }
            value => self.value_node(&value, first.value.span, s)?,
        };
        Ok(Some((node, first.value.span)))
    }

    /// `head: other` takes over another task's head.
    fn shared_head(&mut self, settings: &Bound<'a>, head: &mut Head<'a>, s: &Scope<'a>) {
        let Some(e) = settings.any("head").or(head.settings.any("head")) else { return };
        // Words are shared with layers too, as `generate` says itself.
        if head.form.is_empty() || ops::tasks::generate::handed::writes(head) {
            return;
        }
        let ExprKind::Name(name) = &e.kind else {
            let message = format!("the head of a `{}` task is a word, and this is none", head.settings.signature.name);
            let d =
                Diagnostic::new(codes::TASK_HEAD, e.span, message).help("layers go before the head: `x |> mlp([100])`");
            self.error_in(s, d);
            return;
        };
        if name.text == head.form {
            return;
        }
        let Some(symbol) = self.symbols.named(&name.text, name.span).cloned() else {
            let forms = head.settings.signature;
            let message = format!("a `{}` task has no head '{}'", forms.name, name.text);
            let tasks = self.symbols.nearest(&name.text, |k| k == SymbolKind::Task);
            let mut d = Diagnostic::new(codes::TASK_HEAD, name.span, message);
            let own = match ops::task_kind(forms.name).map(|kind| kind.forms()) {
                Some(own @ [_, ..]) => own,
                _ => std::slice::from_ref(&head.form),
            };
            d = match suggest::nearest(&name.text, own.iter().copied()).or(tasks) {
                Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
                None => {
                    d.help(format!("it has {}, or the name of another task whose head it shares", ops::list_words(own)))
                }
            };
            self.error_in(s, d);
            return;
        };
        if symbol.kind != SymbolKind::Task {
            let message =
                format!("'{}' is {}, and this build shares the heads of tasks alone", name.text, symbol.kind.noun());
            let d = Diagnostic::new(codes::NOT_RUN_YET, name.span, message).also(symbol.span, "declared here");
            self.error_in(s, d.help("name the task whose head it shares"));
            return;
        }
        let Ok(other) = self.task_head(&symbol, 0, name.span) else { return };
        let other = self.task(other);
        if let Some(feedback) = other.head.settings.span("feedback") {
            let message = "a head that reads its previous label is not shared with another task";
            let d = Diagnostic::new(codes::TASK_HEAD, name.span, message)
                .also(feedback, "here it reads its previous label");
            self.error_in(s, d.help("leave out `feedback`, or give this task a head of its own"));
            return;
        }
        if let (Some(mine), Some(theirs)) = (head.space, other.head.space)
            && mine != theirs
        {
            let (x, y) = (&self.spaces.all[mine.0].name, &self.spaces.all[theirs.0].name);
            let message = format!(
                "'{}' cannot share the head of '{}': their labels differ ('{x}' and '{y}')",
                s.owner.as_deref().unwrap_or(""),
                other.name
            );
            let d = Diagnostic::new(codes::SPACE_MISMATCH, name.span, message).also(other.span, "declared here");
            self.error_in(s, d);
            return;
        }
        (head.site, head.path, head.form) = (other.head.site.clone(), other.head.path.clone(), other.head.form);
    }

    /// A weight: a number, also a negative one.
    pub(super) fn weight(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<f64> {
        if matches!(e.kind, ExprKind::Call { .. } | ExprKind::Member { .. }) {
            let d = Diagnostic::new(codes::NOT_RUN_YET, e.span, "this build takes only numbers as weights")
                .help("write the weight into a `loss` item instead: `loss x = w * t.loss`");
            return Err(self.error_in(s, d));
        }
        let value = self.constant(e, s)?;
        value.number().ok_or(()).map_err(|()| {
            let message = format!("a weight is a number, and this is {}", value.noun());
            self.error_in(
                s,
                Diagnostic::new(codes::BAD_SETTING, e.span, message).help("write one such as `weight: 0.5`"),
            )
        })
    }

    fn only_loss(&mut self, e: &'a Expr, kind: &'static dyn ops::TaskKind, s: &Scope<'a>) {
        let message = format!("a `{}` task has one loss, and it has no other", kind.signature().name);
        let d = Diagnostic::new(codes::TASK_HEAD, e.span, message);
        self.error_in(s, d.help("leave `loss` out, or write a `loss` item that uses the task's `.loss`"));
    }

    fn task_metric(&mut self, e: &'a Expr, kind: &'static dyn ops::TaskKind) {
        let ExprKind::Name(name) = &e.kind else { return };
        if kind.metrics().contains(&name.text.as_str()) {
            return;
        }
        let message = format!("'{}' does not measure a `{}` task", name.text, kind.signature().name);
        let mut d = Diagnostic::new(codes::TASK_METRIC, e.span, message);
        d = match suggest::nearest(&name.text, kind.metrics().iter().copied()) {
            Some(near) => d.fix(e.span, near, format!("did you mean '{near}'?")),
            None => d.help(format!("its metrics are {}", ops::list_words(kind.metrics()))),
        };
        self.error(d);
    }

    /// The nodes of a task: evaluates what it reads, once.
    pub(crate) fn built(&mut self, id: TaskId, span: Span) -> Checked<Built> {
        if let Some(built) = &self.task(id).built {
            return Ok(built.clone());
        }
        let Some((symbol, member)) = self.task_symbol(id) else { return Err(Reported) };
        let key = Key { name: symbol.name, member, head: false };
        if matches!(self.memo.get(&key), Some(State::Done(_))) {
            return Err(Reported);
        }
        let ItemKind::Task(task) = &symbol.item.kind else { return Err(Reported) };
        let scope = self.task(id).scope.clone();
        self.evaluate(key, span, |c| {
            let value = c.eval(&task.input, &scope);
            let Ok(xs) = c.values_read(id, &value, &task.input, &scope) else { return Val::Error };
            if let Ok(built) = c.build_head(id, &xs, task.input.span, c.task(id).head.gold) {
                c.task_mut(id).built = Some(built);
            }
            Val::Task(id)
        });
        self.task(id).built.clone().ok_or(Reported)
    }

    /// What a task reads: one value, or several where its kind takes them.
    fn values_read(&mut self, id: TaskId, value: &Val<'a>, e: &Expr, s: &Scope<'a>) -> Checked<Vec<NodeId>> {
        match value {
            Val::Tuple(parts) if self.task(id).kind.takes_several() => {
                let at = |i: usize| match &e.kind {
                    ExprKind::Tuple(all) => all.get(i).map_or(e.span, |part| part.span),
                    _ => e.span,
                };
                parts.iter().enumerate().map(|(i, part)| self.value_node(part, at(i), s)).collect()
            }
            one => self.value_node(one, e.span, s).map(|x| vec![x]),
        }
    }

    fn build_head(&mut self, id: TaskId, xs: &[NodeId], at: Span, gold: Option<(NodeId, Span)>) -> Checked<Built> {
        let t = self.task(id);
        let (kind, mut head) = (t.kind, t.head.clone());
        if let Some(value) = t.settings.get("vote") {
            head.settings.given.insert("vote", value.clone());
        }
        let dropout = t.settings.float("dropout").filter(|p| *p > 0.0);
        let owner = t.name.clone();
        let dropped = |c: &mut Self, x: NodeId| match dropout {
            Some(p) => {
                let node = Node {
                    op: "dropout",
                    inputs: vec![x],
                    attrs: Attrs::from_iter([("p".to_string(), Attr::Float(p))]),
                    params: vec![],
                    ty: c.graph.ty(x).clone(),
                    span: at,
                    path: owner.as_str().into(),
                    draw: Some(head.site.clone()),
                    vocab: None,
                };
                c.graph.add(node)
            }
            None => x,
        };
        let xs: Vec<NodeId> = xs.iter().map(|x| dropped(self, *x)).collect();
        head.over = self.over(id)?;
        kind.build_all(self, &head, &xs, at, gold)
    }

    /// The distribution that `over` names.
    fn over(&mut self, id: TaskId) -> Checked<Option<(NodeId, Span)>> {
        let Some(e) = self.task(id).settings.any("over") else { return Ok(None) };
        let kind = self.task(id).kind.signature().name;
        if kind != "classify" {
            let message = format!("this build sums no `{kind}` task over an axis yet");
            let d = Diagnostic::new(codes::NOT_RUN_YET, e.span, message);
            return Err(self.error(d.help("`over` stands in `classify` tasks")));
        }
        let scope = self.task(id).scope.clone();
        let p = self.eval(e, &scope);
        Ok(Some((self.value_node(&p, e.span, &scope)?, e.span)))
    }

    pub(super) fn task_symbol(&self, id: TaskId) -> Option<(Symbol<'a>, usize)> {
        let (name, member) = self.task(id).declared;
        Some((self.symbols.by_name[name].clone(), member))
    }

    /// `t(x)`: the head of t on another value.
    pub(super) fn apply_head(
        &mut self,
        task: TaskId,
        inputs: Vec<(Val<'a>, Span)>,
        span: Span,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let [(value, at)] = inputs.as_slice() else {
            let d = Diagnostic::new(codes::WRONG_INPUT, span, "a task's head takes one value");
            return self.fail(s, d);
        };
        match self.value_node(value, *at, s) {
            Ok(node) => Val::Applied(task, node),
            Err(Reported) => Val::Error,
        }
    }

    /// `data.field`, `task.output`, `candidates.part`.
    pub(super) fn member(&mut self, base: &'a Expr, name: &'a Ident, args: &'a [Arg], s: &Scope<'a>) -> Val<'a> {
        let span = base.span.to(name.span);
        match self.of_run(base, name, s) {
            Some(Ok(symbol)) => {
                let value = self.item(symbol.name, None, span, s);
                return if args.is_empty() { value } else { self.call_value(value, span, args, None, s) };
            }
            Some(Err(Reported)) => return Val::Error,
            None => {}
        }
        match self.eval(base, s) {
            Val::Error => Val::Error,
            Val::Data(on) => self.field_value(&on, name, s),
            Val::Task(t) => self.output(t, None, name, args, span, s),
            Val::Applied(t, x) => self.output(t, Some(x), name, args, span, s),
            Val::Tasks(members) => {
                let values = members.iter().map(|t| self.output(*t, None, name, args, span, s)).collect();
                self.union_of(values, &name.text, span, s)
            }
            Val::Top(t, on) => self.candidates(t, &on, name, span, s),
            // A data set or task that did not parse, with the name of a built-in.
            _ if matches!(&base.kind, ExprKind::Name(n) if self.tolerated.contains(&n.text)) => Val::Error,
            _ => {
                let message = format!("'{}' belongs to no data set or task", name.text);
                self.fail(s, Diagnostic::new(codes::UNKNOWN_FIELD, name.span, message))
            }
        }
    }

    fn output(
        &mut self,
        id: TaskId,
        applied: Option<NodeId>,
        name: &'a Ident,
        args: &'a [Arg],
        span: Span,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let kind = self.task(id).kind;
        let known = ops::tasks::outputs().any(|o| o == name.text) || kind.metrics().contains(&name.text.as_str());
        if !known {
            let task = self.task(id).name.clone();
            let message = format!("the task '{task}' has no output '{}'", name.text);
            let mut d = Diagnostic::new(codes::UNKNOWN_FIELD, name.span, message);
            d = match suggest::nearest(&name.text, ops::tasks::outputs()) {
                Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
                None => {
                    d.help("its outputs are `probs`, `logits`, `hidden`, `embedding(d)`, `label`, `gold` and `loss`")
                }
            };
            return self.fail(s, d);
        }
        let built = match applied {
            None => self.built(id, span),
            Some(x) => self.applied_head(id, x, span),
        };
        match built {
            Ok(built) => self.part_of_task(id, &built, name, args, span, s).unwrap_or(Val::Error),
            Err(Reported) => Val::Error,
        }
    }

    fn applied_head(&mut self, id: TaskId, x: NodeId, span: Span) -> Checked<Built> {
        if let Some(feedback) = self.task(id).head.settings.span("feedback") {
            let message = format!(
                "the head of '{}' reads its own previous label, so it reads no other value",
                self.task(id).name
            );
            let d = Diagnostic::new(codes::TASK_HEAD, span, message).also(feedback, "here it reads its previous label");
            return Err(self.error(d.help("leave out `feedback`, or give the other value a task of its own")));
        }
        // A text has places of its own, whatever it is written from.
        let writes = ops::tasks::generate::handed::writes(&self.task(id).head);
        let gold = self.task(id).head.gold.filter(|(g, _)| {
            let (gold, value) = (self.graph.ty(*g).on(), self.graph.ty(x).on());
            gold.zip(value).is_some_and(|(a, b)| {
                a.example == b.example && (writes || a.axes.iter().all(|axis| b.axes.contains(axis)))
            })
        });
        self.build_head(id, &[x], span, gold)
    }
}
