//! `data` blocks: their settings and fields, and fields as values.

use std::rc::Rc;

use super::bind::interpolate;
use super::call::{Bound, Checked, Reported, Scope, Val};
use super::checker::Checker;
use super::consts::Const;
use super::graph::SpaceSource;
use super::suggest;
use super::symbols::Symbol;
use super::types::{DataId, Example, GoldKind, On, Ty, Width};
use crate::data::spec::{DataSpec, FieldSpec, FieldType, FilePath, Format, Source, Split, Tokens};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::fields;
use crate::plan::{Attr, Attrs};
use crate::source::Span;
use crate::syntax::ast::{Data, Expr, ExprKind, Field, FieldSourceKind, Ident, ItemKind};

impl<'a> Checker<'a> {
    /// Checks one member of a `data` declaration and registers it.
    pub(super) fn data_item(&mut self, symbol: &Symbol<'a>, member: usize) {
        let ItemKind::Data(data) = &symbol.item.kind else { return };
        let scope = self.item_scope(symbol, member, symbol.name);
        let name = scope.owner.clone().unwrap_or_default().to_string();
        let bound = self.bind_settings(&fields::DATA, &data.settings, &scope);
        for setting in ["format", "train"] {
            if bound.get(setting).is_none() {
                let message = format!("'{}' needs its setting '{setting}'", symbol.name);
                let help = if setting == "format" { "write `format: lines`" } else { "write `train: \"path/to/train\"`" };
                self.error(Diagnostic::new(codes::MISSING_SETTING, symbol.span, message).help(help));
            }
        }
        let id = DataId(self.datasets.len());
        let train = bound.any("train").map(|e| self.files(e, &scope)).unwrap_or_default();
        let spec = DataSpec {
            name,
            format: self.format(&bound, &scope),
            train,
            dev: bound.any("dev").and_then(|e| self.split(e, &scope)),
            test: bound.any("test").and_then(|e| self.split(e, &scope)),
            limit: bound.int("limit"),
            skip_malformed: bound.word("on_error") == Some("skip"),
            fields: Vec::new(),
            span: symbol.span,
        };
        self.datasets.push(spec);
        self.data_at.insert((symbol.name, member), id);
        for field in &data.fields {
            self.field(id, data, field, &scope);
        }
        if data.fields.is_empty() {
            let d = Diagnostic::new(codes::MISSING_SETTING, symbol.span, format!("'{}' has no field", symbol.name));
            self.error(d.help("write `field words: text from 0`"));
        }
    }

    fn format(&mut self, bound: &Bound<'a>, s: &Scope<'a>) -> Format {
        let separator = bound.str("separator");
        let format = bound.word("format");
        if let (Some(_), Some(other)) = (separator, format.filter(|f| *f != "csv")) {
            let at = bound.span("separator").unwrap_or_default();
            let message = format!("'separator' belongs to `csv`, and the format is `{other}`");
            self.error_in(s, Diagnostic::new(codes::BAD_SETTING, at, message));
        }
        match format {
            Some("conll") => Format::Conll,
            Some("conllu") => Format::Conllu,
            Some("jsonl") => Format::Jsonl,
            Some("csv") => Format::Csv { separator: separator.and_then(|s| s.chars().next()).unwrap_or(',') },
            Some("tsv") => Format::Tsv,
            Some("text") => Format::Text,
            Some("parquet") => Format::Parquet,
            Some("squad") => Format::Squad,
            _ => Format::Lines,
        }
    }

    fn files(&mut self, e: &'a Expr, s: &Scope<'a>) -> Vec<FilePath> {
        let parts: Vec<&'a Expr> = match &e.kind {
            ExprKind::List(parts) => parts.iter().collect(),
            _ => vec![e],
        };
        let mut files = Vec::new();
        for part in parts {
            match self.constant(part, s) {
                Ok(Const::Str(path)) => files.push(FilePath { path: path.into(), span: part.span }),
                Ok(other) => {
                    let message = format!("a path is a string, and this is {}", other.noun());
                    self.error_in(s, Diagnostic::new(codes::BAD_SETTING, part.span, message));
                }
                Err(Reported) => {}
            }
        }
        files
    }

    fn split(&mut self, e: &'a Expr, s: &Scope<'a>) -> Option<Split> {
        let ExprKind::Share { share, of } = &e.kind else {
            return Some(Split::Files(self.files(e, s))).filter(|s| !matches!(s, Split::Files(f) if f.is_empty()));
        };
        if of.text != "train" {
            let message = format!("a share is taken of `train`, not of '{}'", of.text);
            self.error_in(s, Diagnostic::new(codes::BAD_SETTING, of.span, message).fix(of.span, "train", "write `train`"));
            return None;
        }
        if !(*share > 0.0 && *share < 1.0) {
            let d = Diagnostic::new(codes::BAD_SETTING, e.span, "a share of train lies between 0% and 100%");
            self.error_in(s, d);
            return None;
        }
        Some(Split::OfTrain(*share))
    }

    fn field(&mut self, id: DataId, data: &'a Data, field: &'a Field, s: &Scope<'a>) {
        let name = &field.name;
        if let Some(first) = self.datasets[id.0].fields.iter().find(|f| f.name == name.text) {
            let d = Diagnostic::new(codes::DUPLICATE_NAME, name.span, format!("the field '{}' is declared twice", name.text))
                .also(first.span, "first declared here");
            self.error_in(s, d);
            return;
        }
        let ty = self.field_type(data, field, s).unwrap_or_else(|Reported| {
            self.broken_fields.insert((id, name.text.clone()));
            FieldType::Number
        });
        let sources = field.sources.iter().map(|source| match &source.kind {
            FieldSourceKind::Column(n) => Source::Column(*n as usize),
            FieldSourceKind::Name(n) => Source::Name(interpolate(n, s)),
        });
        let sources = sources.collect();
        let template = field.template.as_ref().and_then(|e| self.template(data, e, s));
        let spec = FieldSpec { name: name.text.clone(), ty, sources, template, span: name.span };
        self.datasets[id.0].fields.push(spec);
    }

    fn template(&mut self, data: &'a Data, e: &'a Expr, s: &Scope<'a>) -> Option<String> {
        let Ok(Const::Str(text)) = self.constant(e, s) else { return None };
        for part in text.split('{').skip(1) {
            let name = part.split('}').next().unwrap_or(part);
            if !data.fields.iter().any(|f| f.name.text == name) {
                let known = data.fields.iter().map(|f| f.name.text.as_str());
                let mut d = Diagnostic::new(codes::UNKNOWN_FIELD, e.span, format!("no field is named '{name}'"));
                if let Some(near) = suggest::nearest(name, known) {
                    d = d.help(format!("did you mean '{near}'?"));
                }
                self.error_in(s, d);
            }
        }
        Some(text)
    }

    fn field_type(&mut self, data: &'a Data, field: &'a Field, s: &Scope<'a>) -> Checked<FieldType> {
        let word = &field.ty;
        let Some(signature) = fields::FIELD_TYPES.iter().find(|t| t.name == word.text) else {
            let mut d = Diagnostic::new(codes::UNKNOWN_TYPE, word.span, format!("'{}' is no type of a field", word.text));
            let names = fields::FIELD_TYPES.iter().map(|t| t.name);
            d = match suggest::nearest(&word.text, names.clone()) {
                Some(near) => d.fix(word.span, near, format!("did you mean '{near}'?")),
                None => d.help(format!("the types are {}", crate::ops::list_words(&names.collect::<Vec<_>>()))),
            };
            return Err(self.error_in(s, d));
        };
        let before = self.diagnostics.len();
        let bound = self.bind_args(signature, &field.args, word.span, s);
        let along = match bound.any("of") {
            Some(e) => Some(self.along(data, e, signature.name, s)?),
            None => None,
        };
        let lower = bound.bool("lower");
        let tokens = bound.any("tokens").map_or(Ok(Tokens::Space), |e| self.tokenisation(e, s))?;
        let max = bound.int("max");
        if self.diagnostics.len() > before && along.is_none() && signature.args.iter().any(|a| a.name == "of") && signature.name != "texts" {
            return Err(Reported);
        }
        let along = along.unwrap_or_default();
        Ok(match signature.name {
            "text" => FieldType::Text { lower, tokens, max },
            "texts" => FieldType::Texts { of: Some(along).filter(|a| !a.is_empty()), lower, tokens, max },
            "class" => FieldType::Class,
            "labels" => FieldType::Labels { separator: bound.str("separator").unwrap_or(",").to_string() },
            "number" => FieldType::Number,
            "vector" => FieldType::Vector(bound.int("d").unwrap_or(1)),
            "tags" => FieldType::Tags(along),
            "span" => FieldType::Span(along),
            "spans" => FieldType::Spans(along),
            "relations" => FieldType::Relations(along),
            "tree" => FieldType::Tree(along),
            "clusters" => FieldType::Clusters(along),
            "choice" => FieldType::Choice(along),
            _ => FieldType::Ranking(along),
        })
    }

    fn tokenisation(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Tokens> {
        match &e.kind {
            ExprKind::Name(n) if n.text == "space" => return Ok(Tokens::Space),
            ExprKind::Name(n) if n.text == "words" => return Ok(Tokens::Words),
            ExprKind::Name(n) if n.text == "chars" => return Ok(Tokens::Chars),
            ExprKind::Name(n) if n.text == "bytes" => return Ok(Tokens::Bytes),
            ExprKind::Str(file) => return Ok(Tokens::File(interpolate(file, s))),
            ExprKind::Call { callee, args } => {
                if let (ExprKind::Name(n), [only]) = (&callee.kind, args.as_slice())
                    && n.text == "bpe"
                    && let Ok(Const::Int(n @ 1..)) = self.constant(&only.value, s)
                {
                    return Ok(Tokens::Bpe(n as usize));
                }
            }
            _ => {}
        }
        let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, "'tokens' is `space`, `words`, `chars`, `bytes`, `bpe(8000)` or a tokenizer file");
        Err(self.error_in(s, d))
    }

    /// The field that another runs along, of the right kind.
    fn along(&mut self, data: &'a Data, e: &'a Expr, ty: &str, s: &Scope<'a>) -> Checked<String> {
        let ExprKind::Name(name) = &e.kind else {
            let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, format!("`{ty}` takes the name of a field"));
            return Err(self.error_in(s, d));
        };
        let Some(field) = data.fields.iter().find(|f| f.name.text == name.text) else {
            let message = format!("'{}' has no field '{}'", data.decl.name.text, name.text);
            let mut d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, message);
            if let Some(near) = suggest::nearest(&name.text, data.fields.iter().map(|f| f.name.text.as_str())) {
                d = d.fix(name.span, near, format!("did you mean '{near}'?"));
            }
            return Err(self.error_in(s, d));
        };
        let wanted: &[&str] = match ty {
            "relations" => &["spans"],
            "choice" | "ranking" => &["texts"],
            "tree" => &["text"],
            "tags" | "texts" => &["text", "texts", "tags", "spans", "labels"],
            _ => &["text", "texts"],
        };
        if !wanted.contains(&field.ty.text.as_str()) {
            let message = format!("`{ty}` runs along a {} field, and '{}' is `{}`", crate::ops::list_words(wanted), name.text, field.ty.text);
            let d = Diagnostic::new(codes::WRONG_KIND, name.span, message).also(field.name.span, "declared here");
            return Err(self.error_in(s, d));
        }
        Ok(name.text.clone())
    }

    /// A field as a value.
    pub(super) fn field_value(&mut self, on: &On, name: &'a Ident, s: &Scope<'a>) -> Val<'a> {
        if let Example::Union(members, family) = &on.example {
            let values = members
                .iter()
                .map(|id| {
                    let on = On { example: self.example(*id), axes: vec![] };
                    self.field_value(&on, name, s)
                })
                .collect();
            return self.union_of(values, &format!("{family}.{}", name.text), name.span, s);
        }
        let Some(&id) = on.example.members().first() else { return Val::Error };
        if self.broken_fields.contains(&(id, name.text.clone())) {
            return Val::Error;
        }
        let spec = &self.datasets[id.0];
        let Some(at) = spec.fields.iter().position(|f| f.name == name.text) else {
            if self.tolerated.contains(&name.text) {
                return Val::Error;
            }
            let data = spec.name.split('.').next().unwrap_or(&spec.name);
            let mut d = Diagnostic::new(codes::UNKNOWN_FIELD, name.span, format!("'{data}' has no field '{}'", name.text))
                .also(spec.span, format!("'{data}' is declared here"));
            let known: Vec<&str> = spec.fields.iter().map(|f| f.name.as_str()).collect();
            d = match suggest::nearest(&name.text, known.iter().copied()) {
                Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
                None => d.help(format!("its fields are {}", crate::ops::list_words(&known))),
            };
            return self.fail(s, d);
        };
        match self.field_ty(id, at, on) {
            Some(ty) => Val::Node(self.field_node(id, at, ty, name.span)),
            None => Val::Error,
        }
    }

    fn field_node(&mut self, id: DataId, at: usize, ty: Ty, span: Span) -> super::graph::NodeId {
        let attrs = Attrs::from([("data".into(), Attr::Int(id.0 as i64)), ("field".into(), Attr::Int(at as i64))]);
        self.plain("field", vec![], attrs, ty, span)
    }

    fn field_ty(&mut self, id: DataId, at: usize, on: &On) -> Option<Ty> {
        let spec = self.datasets[id.0].fields[at].clone();
        let full = format!("{}.{}", self.datasets[id.0].name, spec.name);
        let here = SpaceSource::Fields(vec![(id, at)]);
        Some(match &spec.ty {
            FieldType::Text { .. } => Ty::Tokens(self.with_axes(on, &[spec.name.clone()])),
            FieldType::Texts { of, .. } => {
                let mut axes = match of {
                    Some(of) => self.axes_of(id, of)?,
                    None => vec![spec.name.as_str().into()],
                };
                axes.push(format!("{}.tokens", spec.name).into());
                Ty::Tokens(On { example: on.example.clone(), axes })
            }
            FieldType::Class => Ty::Label(on.examples(), self.class_space(id, at, &full)),
            FieldType::Labels { .. } => Ty::Gold(on.examples(), GoldKind::Labels, Some(self.space(&full, here))),
            FieldType::Number => Ty::Vector(on.examples(), 1.into()),
            FieldType::Vector(d) => Ty::Vector(on.examples(), (*d).into()),
            FieldType::Tags(x) => Ty::Label(self.along_axes(id, x, on)?, self.space(&full, here)),
            FieldType::Spans(x) => {
                let space = self.space(&full, SpaceSource::Bio(vec![(id, at)]));
                Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Spans, Some(space))
            }
            FieldType::Relations(x) => {
                let under = self.datasets[id.0].fields.iter().find(|f| f.name == *x)?.ty.along()?.to_string();
                Ty::Gold(self.along_axes(id, &under, on)?, GoldKind::Relations, Some(self.space(&full, here)))
            }
            FieldType::Tree(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Tree, Some(self.space(&full, here))),
            FieldType::Span(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Span, None),
            FieldType::Clusters(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Clusters, None),
            FieldType::Choice(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Choice, None),
            FieldType::Ranking(x) => Ty::Gold(self.along_axes(id, x, on)?, GoldKind::Ranking, None),
        })
    }

    fn with_axes(&self, on: &On, axes: &[String]) -> On {
        On { example: on.example.clone(), axes: axes.iter().map(|a| Rc::from(a.as_str())).collect() }
    }

    fn along_axes(&self, id: DataId, field: &str, on: &On) -> Option<On> {
        Some(On { example: on.example.clone(), axes: self.axes_of(id, field)? })
    }

    /// The axes below the examples that a field runs along.
    fn axes_of(&self, id: DataId, field: &str) -> Option<Vec<Rc<str>>> {
        let spec = self.datasets[id.0].fields.iter().find(|f| f.name == field)?;
        match &spec.ty {
            FieldType::Text { .. } => Some(vec![spec.name.as_str().into()]),
            FieldType::Texts { of, .. } => {
                let mut axes = match of {
                    Some(of) => self.axes_of(id, of)?,
                    None => vec![spec.name.as_str().into()],
                };
                axes.push(format!("{}.tokens", spec.name).into());
                Some(axes)
            }
            FieldType::Spans(_) | FieldType::Labels { .. } => Some(vec![spec.name.as_str().into()]),
            other => self.axes_of(id, other.along()?),
        }
    }

    /// The label space of a class field, which `as:` may take from another.
    fn class_space(&mut self, id: DataId, at: usize, full: &str) -> super::types::SpaceId {
        let shared = self.shared_class(id, at).unwrap_or((id, at));
        self.space(full, SpaceSource::Fields(vec![shared]))
    }

    fn shared_class(&self, id: DataId, at: usize) -> Option<(DataId, usize)> {
        let spec = &self.datasets[id.0];
        let symbol = self.symbols.by_name.values().find(|s| s.span == spec.span)?;
        let ItemKind::Data(data) = &symbol.item.kind else { return None };
        let field = data.fields.iter().find(|f| f.name.text == spec.fields[at].name)?;
        let e = &field.args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == "as"))?.value;
        let ExprKind::Member { base, name } = &e.kind else { return None };
        let ExprKind::Name(base) = &base.kind else { return None };
        let other = *self.data_at.get(&(base.text.as_str(), 0))?;
        let field = self.datasets[other.0].fields.iter().position(|f| f.name == name.text)?;
        Some((other, field))
    }

    /// `|atis.intent|`: the number of labels.
    pub(super) fn size(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Width> {
        let ExprKind::Size(inner) = &e.kind else { return Err(Reported) };
        let outside = Scope { closed: None, ..s.clone() };
        match self.eval(inner, &outside) {
            Val::Node(node) => match self.graph.ty(node).clone() {
                Ty::Label(_, space) | Ty::Gold(_, _, Some(space)) => Ok(space.into()),
                Ty::Vector(_, width) => Ok(width),
                Ty::Error => Err(Reported),
                other => {
                    let message = format!("this has no label space ({})", self.show(&other));
                    Err(self.error_in(s, Diagnostic::new(codes::WRONG_KIND, inner.span, message)))
                }
            },
            Val::Task(t) => match self.tasks[t.0].head.space {
                Some(space) => Ok(space.into()),
                None => Err(self.error_in(s, Diagnostic::new(codes::WRONG_KIND, inner.span, "this task has no labels"))),
            },
            Val::Error => Err(Reported),
            _ => Err(self.error_in(s, Diagnostic::new(codes::WRONG_KIND, inner.span, "a size is that of a field or task with labels"))),
        }
    }
}
