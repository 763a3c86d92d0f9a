//! `data` blocks: their settings; the fields are in [`fields`], and as values in [`value`].

mod fields;
mod value;

use super::call::{Bound, Reported, Scope};
use super::checker::Checker;
use super::consts::Const;
use super::suggest;
use super::symbols::Symbol;
use super::types::{DataId, Example};
use crate::data::spec::{DataSpec, FilePath, Format, Split};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::fields as sigs;
use crate::source::Span;
use crate::syntax::ast::{Data, Expr, ExprKind, ItemKind};

impl<'a> Checker<'a> {
    /// Checks one member of a `data` declaration and registers it. What is said of a family does
    /// not name the member, so that it is said once.
    pub(super) fn data_item(&mut self, symbol: &Symbol<'a>, member: usize) {
        let ItemKind::Data(data) = &symbol.item.kind else { return };
        let scope = self.item_scope(symbol, member, symbol.name);
        let bound = self.bind_settings(&sigs::DATA, &data.settings, &scope);
        self.must_have(symbol, data, &bound);
        let id = DataId(self.datasets.len());
        let spec = DataSpec {
            name: scope.owner.clone().unwrap_or_default().to_string(),
            format: self.format(&bound, &scope),
            train: bound.any("train").map(|e| self.files(e, &scope)).unwrap_or_default(),
            dev: bound.any("dev").and_then(|e| self.split("dev", e, &scope)),
            test: bound.any("test").and_then(|e| self.split("test", e, &scope)),
            limit: bound.int("limit"),
            skip_malformed: bound.word("on_error") == Some("skip"),
            fields: Vec::new(),
            span: symbol.span,
        };
        self.shares_fit(&spec, &bound, &scope);
        let example = Example::Data(id, spec.name.as_str().into());
        self.declared.push((symbol.name, member, example));
        self.datasets.push(spec);
        self.data_at.insert((symbol.name, member), id);
        for field in &data.fields {
            self.field(id, data, field, &scope);
        }
        if data.fields.is_empty() && self.tolerated.is_empty() {
            let d = Diagnostic::new(codes::MISSING_SETTING, symbol.span, format!("'{}' has no field", symbol.name));
            self.error(d.help("write `field words: text from 0`"));
        }
    }

    /// Reports what every data set needs and this one lacks.
    fn must_have(&mut self, symbol: &Symbol<'a>, data: &'a Data, bound: &Bound<'a>) {
        // A misspelt setting is the one that is missing.
        let misspelt = |setting: &str| {
            let strange = data.settings.iter().filter(|x| sigs::DATA.arg(&x.name.text).is_none());
            strange.into_iter().any(|x| suggest::nearest(&x.name.text, [setting]).is_some())
        };
        for (setting, help) in [("format", "write `format: lines`"), ("train", "write `train: \"path/to/train\"`")] {
            if bound.get(setting).is_none() && !misspelt(setting) && !self.tolerated.contains(setting) {
                let message = format!("'{}' needs its setting '{setting}'", symbol.name);
                self.error(Diagnostic::new(codes::MISSING_SETTING, symbol.span, message).help(help));
            }
        }
    }

    fn format(&mut self, bound: &Bound<'a>, s: &Scope<'a>) -> Format {
        let separator = self.separator(bound, s);
        match bound.word("format") {
            Some("conll") => Format::Conll,
            Some("conllu") => Format::Conllu,
            Some("jsonl") => Format::Jsonl,
            Some("csv") => Format::Csv { separator: separator.unwrap_or(',') },
            Some("tsv") => Format::Tsv,
            Some("text") => Format::Text,
            Some("parquet") => Format::Parquet,
            Some("squad") => Format::Squad,
            _ => Format::Lines,
        }
    }

    /// The separator of `csv`: one character.
    fn separator(&mut self, bound: &Bound<'a>, s: &Scope<'a>) -> Option<char> {
        let (text, at) = (bound.str("separator")?, bound.span("separator")?);
        if let Some(other) = bound.word("format").filter(|f| *f != "csv") {
            let message = format!("'separator' belongs to `csv`, and the format is `{other}`");
            let help = "leave it out, or write `format: csv`";
            self.error_in(s, Diagnostic::new(codes::BAD_SETTING, at, message).help(help));
        }
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Some(only),
            _ => {
                let d = Diagnostic::new(codes::BAD_SETTING, at, "'separator' is one character");
                self.error_in(s, d.help("write `separator: \";\"`"));
                None
            }
        }
    }

    /// A path, or a list of paths.
    fn files(&mut self, e: &'a Expr, s: &Scope<'a>) -> Vec<FilePath> {
        let Ok(value) = self.constant(e, s) else { return Vec::new() };
        let parts: Vec<Span> = match &e.kind {
            ExprKind::List(parts) => parts.iter().map(|p| p.span).collect(),
            _ => Vec::new(),
        };
        let values = match value {
            Const::List(values) => values,
            one => vec![one],
        };
        if values.is_empty() {
            self.error_in(s, Diagnostic::new(codes::BAD_SETTING, e.span, "this list names no file"));
        }
        let mut files = Vec::new();
        for (i, value) in values.into_iter().enumerate() {
            let span = parts.get(i).copied().unwrap_or(e.span);
            match value {
                Const::Str(path) => files.push(FilePath { path: path.into(), span }),
                other => {
                    let d = Diagnostic::new(
                        codes::BAD_SETTING,
                        span,
                        format!("a path is a string, and this is {}", other.noun()),
                    );
                    let d = match &other {
                        Const::Share(_) => d.help(format!("write `{} of train`", self.sources.text(span))),
                        Const::Word(word) => d.help(format!("write `\"{word}\"`")),
                        _ => d.help("write a path such as `\"data/train\"`"),
                    };
                    self.error_in(s, d);
                }
            }
        }
        files
    }

    /// Where dev or test come from: files, or a share of train.
    fn split(&mut self, setting: &str, e: &'a Expr, s: &Scope<'a>) -> Option<Split> {
        let ExprKind::Share { share, of } = &e.kind else {
            let files = self.files(e, s);
            return (!files.is_empty()).then_some(Split::Files(files));
        };
        if of.text != "train" {
            let message = format!("'{setting}' takes a share of `train`, not of '{}'", of.text);
            let d = Diagnostic::new(codes::BAD_SETTING, of.span, message);
            self.error_in(s, d.fix(of.span, "train", "write `train`"));
            return None;
        }
        if !(*share > 0.0 && *share < 1.0) {
            self.error_in(s, Diagnostic::new(codes::BAD_SETTING, e.span, "a share of train lies between 0% and 100%"));
            return None;
        }
        Some(Split::OfTrain(*share))
    }

    /// Reports shares that leave nothing to train on.
    fn shares_fit(&mut self, spec: &DataSpec, bound: &Bound<'a>, s: &Scope<'a>) {
        if let (Some(Split::OfTrain(dev)), Some(Split::OfTrain(test))) = (&spec.dev, &spec.test)
            && dev + test >= 1.0
            && let (Some(first), Some(second)) = (bound.span("dev"), bound.span("test"))
        {
            let d = Diagnostic::new(codes::BAD_SETTING, second, "'dev' and 'test' together leave nothing of train")
                .also(first, "the share of dev")
                .help("let the two shares be less than `100%` together");
            self.error_in(s, d);
        }
    }

    /// Reports a value that is no name of a field.
    fn no_field_name(&mut self, what: &str, help: &str, e: &Expr, s: &Scope<'a>) -> Reported {
        if matches!(e.kind, ExprKind::Error) {
            return Reported;
        }
        self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, e.span, what).help(help))
    }
}
