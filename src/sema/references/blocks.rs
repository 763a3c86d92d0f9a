//! Names in blocks: settings of data sets, tasks and training, and figures over tasks.

use super::Target;
use super::expr::word_of;
use super::resolve::{Resolver, Scope};
use crate::ops::{self, Kind, Signature, fields as sigs, training};
use crate::syntax::ast::{Arg, Data, Expr, ExprKind, Field, FieldSourceKind, Setting, StageEntry, Task, Train};

/// Whether a word is a form that heads of a kind of task have.
fn is_form(signature: &Signature, word: &str) -> bool {
    match signature.name {
        "relate" => matches!(word, "pairs" | "heads" | "tags"),
        "parse" => matches!(word, "biaffine" | "heads"),
        _ => matches!(word, "softmax" | "crf" | "sigmoid"),
    }
}

impl<'a> Resolver<'a> {
    pub(super) fn data(&mut self, d: &'a Data, s: &Scope<'a>) {
        self.index_names(&d.decl, s);
        let own = self.found.defs.iter().position(|x| x.span == d.decl.name.span).map(super::DefId);
        let paths = Scope { data: None, ..s.clone() };
        self.settings(&sigs::DATA, &d.settings, &paths);
        let inside = Scope { data: own, ..s.clone() };
        d.fields.iter().for_each(|f| self.field(f, &inside));
    }

    fn field(&mut self, f: &'a Field, s: &Scope<'a>) {
        let signature = sigs::FIELD_TYPES.iter().copied().find(|t| t.name == f.ty.text);
        if let Some(signature) = signature {
            self.mark(f.ty.span, Target::Signature(signature));
        }
        for arg in &f.args {
            self.field_arg(signature, arg, s);
        }
        for source in f.sources.iter().filter(|x| matches!(x.kind, FieldSourceKind::Name(_))) {
            let paths = Scope { data: None, ..s.clone() };
            self.text(source.span, &paths);
        }
        f.template.iter().for_each(|t| self.expr(t, s));
    }

    fn field_arg(&mut self, signature: Option<&'static Signature>, arg: &'a Arg, s: &Scope<'a>) {
        let known = arg.name.as_ref().and_then(|n| Some((n, signature?.arg(&n.text)?)));
        if let (Some((name, known)), Some(signature)) = (known, signature) {
            self.mark(name.span, Target::Argument(signature, known));
            if known.name != "of" {
                return self.value(known.kind, &arg.value, s);
            }
        }
        let ExprKind::Name(name) = &arg.value.kind else { return self.expr(&arg.value, s) };
        let field = s.data.and_then(|d| self.fields.get(&(d, name.text.as_str())).copied());
        self.mark(name.span, field.map_or(Target::Word, |def| Target::Defs(vec![def])));
    }

    pub(super) fn task(&mut self, t: &'a Task, s: &Scope<'a>) {
        self.index_names(&t.decl, s);
        let kind = ops::task_kind(&t.kind.text);
        if let Some(kind) = kind {
            self.mark(t.kind.span, Target::Signature(kind.signature()));
        }
        t.gold.iter().for_each(|arg| self.expr(&arg.value, s));
        self.expr(&t.input, s);
        for setting in &t.settings {
            let own = kind.map(|k| k.signature()).filter(|k| k.arg(&setting.name.text).is_some());
            self.setting(own.unwrap_or(&ops::tasks::COMMON), setting, s);
        }
    }

    pub(super) fn settings(&mut self, signature: &'static Signature, settings: &'a [Setting], s: &Scope<'a>) {
        settings.iter().for_each(|x| self.setting(signature, x, s));
    }

    fn setting(&mut self, signature: &'static Signature, setting: &'a Setting, s: &Scope<'a>) {
        let Some(arg) = signature.arg(&setting.name.text) else { return self.expr(&setting.value, s) };
        self.mark(setting.name.span, Target::Argument(signature, arg));
        match (arg.kind, arg.name) {
            (Kind::Any, _) => self.open_setting(signature, arg.name, &setting.value, s),
            (kind, _) => self.value(kind, &setting.value, s),
        }
    }

    /// A setting that is more than a value of a kind.
    fn open_setting(&mut self, signature: &Signature, name: &str, e: &'a Expr, s: &Scope<'a>) {
        match name {
            "sample" => self.weighed(training::SAMPLES, e, s),
            "balance" => self.weighed(training::BALANCES, e, s),
            "batch" => self.choice(training::BATCHES, e, s),
            "select" => self.figure(e, s),
            "after" => self.stage_name(e, s),
            "metric" => self.bare(e, Target::Metric, s),
            "device" | "loss" | "class_weights" | "tokens" => self.bare(e, Target::Word, s),
            "head" if word_of(e).is_some_and(|w| is_form(signature, &w.text)) => self.bare(e, Target::Word, s),
            _ => self.expr(e, s),
        }
    }

    /// A bare name that is a word here.
    fn bare(&mut self, e: &'a Expr, target: Target, s: &Scope<'a>) {
        match &e.kind {
            ExprKind::Name(name) => self.mark(name.span, target),
            _ => self.expr(e, s),
        }
    }

    /// `ratio(intent: 3)`: a choice whose arguments may be named after tasks.
    fn weighed(&mut self, table: &[&'static Signature], e: &'a Expr, s: &Scope<'a>) {
        let ExprKind::Call { args, .. } = &e.kind else { return self.choice(table, e, s) };
        let signature = word_of(e).and_then(|w| table.iter().copied().find(|t| t.name == w.text));
        let (Some(word), Some(signature)) = (word_of(e), signature) else { return self.expr(e, s) };
        self.mark(word.span, Target::Signature(signature));
        for arg in args {
            match &arg.name {
                Some(name) if signature.arg(&name.text).is_none() => self.name(name, s),
                Some(name) => {
                    let known = signature.arg(&name.text);
                    self.mark(name.span, known.map_or(Target::Word, |a| Target::Argument(signature, a)));
                }
                None => {}
            }
            self.expr(&arg.value, s);
        }
    }

    fn stage_name(&mut self, e: &'a Expr, s: &Scope<'a>) {
        let name = match &e.kind {
            ExprKind::Name(name) => name,
            ExprKind::Index { base, indices } => {
                indices.iter().for_each(|i| self.words(i, s));
                return self.stage_name(base, s);
            }
            _ => return,
        };
        let stage = self.stages.get(name.text.as_str()).copied();
        self.mark(name.span, stage.map_or(Target::Word, |def| Target::Defs(vec![def])));
    }

    /// A figure over tasks; its functions are words of their own.
    pub(super) fn figure(&mut self, e: &'a Expr, s: &Scope<'a>) {
        match &e.kind {
            ExprKind::Call { callee, args } => {
                self.bare(callee, Target::Word, s);
                args.iter().for_each(|a| self.figure(&a.value, s));
            }
            _ => self.expr(e, s),
        }
    }

    pub(super) fn train(&mut self, t: &'a Train) {
        let s = Scope::default();
        self.settings(&training::TRAIN, &t.settings, &s);
        for entry in &t.stages {
            match entry {
                StageEntry::Stage(stage) => self.settings(&training::STAGE, &stage.settings, &s),
                StageEntry::For { binder, list, stages, .. } => {
                    let inside = self.looped(binder, list, &s);
                    for stage in stages {
                        self.index_names(&stage.decl, &inside);
                        self.settings(&training::STAGE, &stage.settings, &inside);
                    }
                }
            }
        }
    }
}
