//! Declared fields: their types, what these run along, and templates.

use crate::data::Template;
use crate::data::pieces::LEAST;
use crate::data::spec::{FieldSpec, FieldType, FilePath, Source, Tokens};
use crate::data::template::{Part, parts};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::{Signature, fields as sigs, list_words};
use crate::sema::bind::interpolate;
use crate::sema::call::{Bound, Checked, Reported, Scope, Val};
use crate::sema::checker::Checker;
use crate::sema::consts::Const;
use crate::sema::suggest;
use crate::sema::symbols::{Symbol, SymbolKind};
use crate::sema::types::DataId;
use crate::source::Span;
use crate::syntax::ast::{Data, Expr, ExprKind, Field, FieldSourceKind, Ident, ItemKind};

impl<'a> Checker<'a> {
    /// Checks a field and adds it to its data set. One with mistakes exists all the same, and
    /// nothing more is said about it.
    pub(super) fn field(&mut self, id: DataId, data: &'a Data, field: &'a Field, s: &Scope<'a>) {
        let name = &field.name;
        if let Some(first) = self.datasets[id.0].fields.iter().find(|f| f.name == name.text) {
            let d = Diagnostic::new(
                codes::DUPLICATE_NAME,
                name.span,
                format!("the field '{}' is declared twice", name.text),
            )
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
        let template = field.template.as_ref().and_then(|e| self.template(data, field, e, s));
        let spec = FieldSpec { name: name.text.clone(), ty, sources, template, optional: false, span: name.span };
        self.datasets[id.0].fields.push(spec);
    }

    /// `= "<2{tgt}> {source}"`: a text made from other fields. A loop name or a const in braces is its text.
    fn template(&mut self, data: &'a Data, field: &'a Field, e: &'a Expr, s: &Scope<'a>) -> Option<Template> {
        let text = self.template_text(e, s)?;
        if !matches!(field.ty.text.as_str(), "text" | "texts") && is_type(&field.ty.text) {
            let message =
                format!("only a text can be made from other fields, and '{}' is `{}`", field.name.text, field.ty.text);
            self.error_in(s, Diagnostic::new(codes::WRONG_KIND, e.span, message).also(field.ty.span, "declared here"));
        }
        let found = match parts(&text) {
            Ok(found) => found,
            Err(broken) => {
                let at = self.inside(e, &text, broken.at);
                self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, at, broken.message).help(broken.help));
                return None;
            }
        };
        let mut template = Template::default();
        for (part, at) in found {
            let at = self.inside(e, &text, at);
            template.parts.push(match part {
                Part::Field(name) => self.named_part(data, &name, at, s)?,
                own => own,
            });
        }
        if self.made_of_itself(data, field, s) {
            let first = data.fields.iter().find(|f| self.made_of_itself(data, f, s));
            if first.is_some_and(|f| f.name.text == field.name.text) {
                let d = Diagnostic::new(codes::CYCLE, e.span, format!("'{}' is made from itself", field.name.text));
                self.error_in(s, d);
            }
            return None;
        }
        Some(template)
    }

    /// The string of a template, its loop names still in braces.
    fn template_text(&mut self, e: &'a Expr, s: &Scope<'a>) -> Option<String> {
        if let ExprKind::Str(text) = &e.kind {
            return Some(text.clone());
        }
        match self.constant(e, s).ok()? {
            Const::Str(text) => Some(text),
            value => {
                let message = format!("a field is made by a string, and this is {}", value.noun());
                let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, message);
                self.error_in(s, d.help("write a string that names fields, such as `\"say: {words}\"`"));
                None
            }
        }
    }

    /// A name in braces: that of a loop, a field or a const.
    fn named_part(&mut self, data: &'a Data, name: &str, at: Span, s: &Scope<'a>) -> Option<Part> {
        if let Some(word) = s.loops.get(name) {
            return Some(Part::Text(word.clone()));
        }
        if data.fields.iter().any(|f| f.name.text == name) {
            return Some(Part::Field(name.into()));
        }
        if self.tolerated.contains(name) {
            return None;
        }
        let known = self.symbols.by_name.get(name).filter(|symbol| symbol.kind == SymbolKind::Const).cloned();
        match known.map(|symbol| self.item(symbol.name, None, at, s)) {
            Some(Val::Const(value)) => {
                if !matches!(value, Const::List(_) | Const::Tuple(_)) {
                    return Some(Part::Text(value.word()));
                }
                let message = format!("a template takes a string or a number, and '{name}' is {}", value.noun());
                let d = Diagnostic::new(codes::BAD_ARGUMENT, at, message);
                self.error_in(s, d.help("name a const that is a string or a number"));
            }
            Some(_) => {}
            None => {
                let d = self.no_such_field(data, name, at, true);
                self.error_in(s, d);
            }
        }
        None
    }

    /// The place of some bytes of a string in the program; all of the string where it has escapes.
    fn inside(&self, e: &Expr, text: &str, at: std::ops::Range<usize>) -> Span {
        let written = self.sources.text(e.span);
        if written.strip_prefix('"').and_then(|w| w.strip_suffix('"')) != Some(text) {
            return e.span;
        }
        let start = e.span.start as usize + 1;
        Span::new(e.span.file, start + at.start, start + at.end)
    }

    /// Whether a field is made from itself, directly or through others.
    fn made_of_itself(&self, data: &'a Data, field: &Field, s: &Scope<'a>) -> bool {
        let mut seen: Vec<&str> = Vec::new();
        let mut open: Vec<&str> = vec![&field.name.text];
        while let Some(name) = open.pop() {
            let declared = data.fields.iter().find(|f| f.name.text == name);
            let Some(ExprKind::Str(text)) = declared.and_then(|f| f.template.as_ref()).map(|e| &e.kind) else {
                continue;
            };
            for (part, _) in parts(text).unwrap_or_default() {
                let Part::Field(part) = part else { continue };
                let known = data.fields.iter().find(|f| f.name.text == part && !s.loops.contains_key(&part));
                let Some(known) = known.filter(|f| !seen.contains(&f.name.text.as_str())) else { continue };
                seen.push(&known.name.text);
                open.push(&known.name.text);
            }
        }
        seen.contains(&field.name.text.as_str())
    }

    /// That a data set lacks a field, with the nearest that it has.
    fn no_such_field(&self, data: &Data, name: &str, at: Span, replace: bool) -> Diagnostic {
        let owner = &data.decl.name.text;
        let d = Diagnostic::new(codes::UNKNOWN_NAME, at, format!("no field of '{owner}' is named '{name}'"));
        let known: Vec<&str> = data.fields.iter().map(|f| f.name.text.as_str()).collect();
        match suggest::nearest(name, known.iter().copied()) {
            Some(near) if replace => d.fix(at, near, format!("did you mean '{near}'?")),
            Some(near) => d.help(format!("did you mean '{near}'?")),
            None => d.help(format!("its fields are {}", list_words(&known))),
        }
    }

    fn field_type(&mut self, data: &'a Data, field: &'a Field, s: &Scope<'a>) -> Checked<FieldType> {
        let Some(signature) = sigs::FIELD_TYPES.iter().find(|t| t.name == field.ty.text) else {
            return Err(self.unknown_type(&field.ty, s));
        };
        let bound = self.bind_args(signature, &field.args, field.ty.span, s);
        let along = match bound.any("of") {
            Some(e) => Some(self.along(data, field, e, signature, s)?),
            None => None,
        };
        if let Some(e) = bound.any("as") {
            self.class_as(e, s)?;
        }
        typed(signature, &bound, along, bound.any("tokens").map(|e| self.tokenisation(e, s)))
    }

    fn unknown_type(&mut self, word: &Ident, s: &Scope<'a>) -> Reported {
        let d = Diagnostic::new(codes::UNKNOWN_TYPE, word.span, format!("'{}' is no type of a field", word.text));
        let names: Vec<&str> = sigs::FIELD_TYPES.iter().map(|t| t.name).collect();
        let d = match suggest::nearest(&word.text, names.iter().copied()) {
            Some(near) => d.fix(word.span, near, format!("did you mean '{near}'?")),
            None => d.help(format!("the types are {}", list_words(&names).replace(" or ", " and "))),
        };
        self.error_in(s, d)
    }

    fn tokenisation(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Tokens> {
        match &e.kind {
            ExprKind::Error => return Err(Reported),
            ExprKind::Name(n) if n.text == "space" => return Ok(Tokens::Space),
            ExprKind::Name(n) if n.text == "words" => return Ok(Tokens::Words),
            ExprKind::Name(n) if n.text == "chars" => return Ok(Tokens::Chars),
            ExprKind::Name(n) if n.text == "bytes" => return Ok(Tokens::Bytes),
            ExprKind::Str(file) => {
                return Ok(Tokens::File(FilePath { path: interpolate(file, s).into(), span: e.span }));
            }
            ExprKind::Call { callee, args } => {
                if let (ExprKind::Name(n), [only]) = (&callee.kind, args.as_slice())
                    && n.text == "bpe"
                    && let Const::Int(n) = self.constant(&only.value, s)?
                {
                    if n <= LEAST as i64 {
                        let message = format!("{n} pieces are too few: `bpe` has one for each of the {LEAST} bytes");
                        let d = Diagnostic::new(codes::BAD_ARGUMENT, only.value.span, message);
                        return Err(self.error_in(s, d.help("write `bpe(8000)`")));
                    }
                    return Ok(Tokens::Bpe(n as usize));
                }
            }
            _ => {}
        }
        let message = "'tokens' is `space`, `words`, `chars`, `bytes`, `bpe(8000)` or a tokenizer file";
        let mut d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, message);
        if let ExprKind::Name(n) = &e.kind
            && let Some(near) = suggest::nearest(&n.text, ["space", "words", "chars", "bytes"])
        {
            d = d.fix(n.span, near, format!("did you mean '{near}'?"));
        } else {
            d = d.help("write `tokens: words`, or leave it out to cut at white space");
        }
        Err(self.error_in(s, d))
    }

    /// The field that another runs along, which has an axis of the right kind.
    fn along(
        &mut self,
        data: &'a Data,
        field: &'a Field,
        e: &'a Expr,
        ty: &Signature,
        s: &Scope<'a>,
    ) -> Checked<String> {
        let ExprKind::Name(name) = &e.kind else {
            let help = format!("name a field of this data set: `{}(words)`", ty.name);
            return Err(self.no_field_name(&format!("`{}` takes the name of a field", ty.name), &help, e, s));
        };
        let Some(target) = data.fields.iter().find(|f| f.name.text == name.text) else {
            if self.tolerated.contains(&name.text) {
                return Err(Reported);
            }
            let d = self.no_such_field(data, &name.text, name.span, true);
            return Err(self.error_in(s, d));
        };
        if !is_type(&target.ty.text) {
            return Err(Reported);
        }
        let wanted: &[&str] = match ty.name {
            "relations" => &["spans"],
            "choice" | "ranking" => &["texts"],
            "tree" => &["text"],
            "tags" | "texts" => &["text", "texts", "tags", "spans", "labels"],
            _ => &["text", "texts"],
        };
        if !wanted.contains(&target.ty.text.as_str()) {
            let message = format!(
                "`{}` runs along a {} field, and '{}' is `{}`",
                ty.name,
                list_words(wanted),
                name.text,
                target.ty.text
            );
            let d = Diagnostic::new(codes::WRONG_KIND, name.span, message).also(target.name.span, "declared here");
            return Err(self.error_in(s, d));
        }
        let by_token =
            !matches!(ty.name, "choice" | "ranking") && (target.ty.text == "text" || ty.name.contains("span"));
        if let Some(pairs) = merged(target).filter(|_| by_token) {
            let message =
                format!("`{}` runs along the tokens of '{}', and no file knows its pieces", ty.name, name.text);
            let d = Diagnostic::new(codes::WRONG_KIND, name.span, message).also(pairs, "merged from train's bytes");
            return Err(self.error_in(s, d.help("let it run along a text with `tokens: space`")));
        }
        let chain = chain(data, field);
        if let Some(back) = chain.iter().position(|f| f.name.text == field.name.text) {
            let first = data.fields.iter().find(|f| chain[..=back].iter().any(|c| c.name.text == f.name.text));
            if first.is_some_and(|f| f.name.text == field.name.text) {
                let d = Diagnostic::new(codes::CYCLE, name.span, format!("'{}' runs along itself", field.name.text))
                    .help("let it run along a text: `tags(words)`");
                self.error_in(s, d);
            }
            return Err(Reported);
        }
        Ok(name.text.clone())
    }

    /// Checks `class(as: other.field)`.
    fn class_as(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<()> {
        let (symbol, _, name) = self.other_field(e, s)?;
        let ItemKind::Data(data) = &symbol.item.kind else { return Err(Reported) };
        let Some(field) = data.fields.iter().find(|f| f.name.text == name.text) else {
            if self.tolerated.contains(&name.text) {
                return Err(Reported);
            }
            let d = self.no_such_field(data, &name.text, name.span, true);
            return Err(self.error_in(s, d));
        };
        if field.ty.text != "class" && is_type(&field.ty.text) {
            let message = format!("`class` shares the labels of a `class`, and '{}' is `{}`", name.text, field.ty.text);
            let d = Diagnostic::new(codes::WRONG_KIND, name.span, message).also(field.name.span, "declared here");
            return Err(self.error_in(s, d));
        }
        Ok(())
    }

    /// Data set, member and field of `atis.intent` or `reviews[books].label`.
    pub(super) fn other_field(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<(Symbol<'a>, usize, &'a Ident)> {
        let ExprKind::Member { base, name: field } = &e.kind else {
            return Err(self.no_field_name("'as' takes a class field", "write `as: atis.intent`", e, s));
        };
        let (name, indices): (_, Option<&'a [Expr]>) = match &base.kind {
            ExprKind::Name(name) => (name, None),
            ExprKind::Index { base, indices } if matches!(base.kind, ExprKind::Name(_)) => match &base.kind {
                ExprKind::Name(name) => (name, Some(indices)),
                _ => return Err(Reported),
            },
            _ => return Err(self.no_field_name("'as' takes a class field", "write `as: atis.intent`", e, s)),
        };
        let word = s.loops.get(&name.text).unwrap_or(&name.text);
        let Some(symbol) = self.symbols.by_name.get(word.as_str()).filter(|x| x.kind == SymbolKind::Data).cloned()
        else {
            if self.tolerated.contains(word) {
                return Err(Reported);
            }
            let mut d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("no data set is named '{word}'"));
            if let Some(near) = self.symbols.nearest(word, |k| k == SymbolKind::Data) {
                d = d.fix(name.span, near, format!("did you mean '{near}'?"));
            }
            return Err(self.error_in(s, d));
        };
        let member = match indices {
            Some(indices) => self.member_position(&symbol, indices, name.span, s)?,
            None if symbol.is_family() => {
                let message = format!("'{word}' is a family of data sets; say which member");
                let d = Diagnostic::new(codes::WRONG_KIND, name.span, message).help(format!(
                    "write `{word}[{}].{}`",
                    symbol.words(0).join(", "),
                    field.text
                ));
                return Err(self.error_in(s, d));
            }
            None => 0,
        };
        Ok((symbol, member, field))
    }
}

/// The type that arguments make of a signature; an argument with a mistake breaks the field only
/// where its type hangs on it.
fn typed(
    signature: &Signature,
    bound: &Bound<'_>,
    along: Option<String>,
    tokens: Option<Checked<Tokens>>,
) -> Checked<FieldType> {
    let tokens = tokens.and_then(Result::ok).unwrap_or(Tokens::Space);
    let (lower, max) = (bound.bool("lower"), bound.int("max"));
    Ok(match (signature.name, along) {
        ("text", _) => FieldType::Text { lower, tokens, max },
        ("texts", of) => FieldType::Texts { of, lower, tokens, max },
        ("class", _) => FieldType::Class,
        ("labels", _) => FieldType::Labels { separator: bound.str("separator").unwrap_or(",").to_string() },
        ("number", _) => FieldType::Number,
        ("vector", _) => FieldType::Vector(bound.int("d").ok_or(Reported)?),
        ("tags", Some(x)) => FieldType::Tags(x),
        ("span", Some(x)) => FieldType::Span(x),
        ("spans", Some(x)) => FieldType::Spans(x),
        ("relations", Some(x)) => FieldType::Relations(x),
        ("tree", Some(x)) => FieldType::Tree(x),
        ("clusters", Some(x)) => FieldType::Clusters(x),
        ("choice", Some(x)) => FieldType::Choice(x),
        ("ranking", Some(x)) => FieldType::Ranking(x),
        _ => return Err(Reported),
    })
}

fn is_type(word: &str) -> bool {
    sigs::FIELD_TYPES.iter().any(|t| t.name == word)
}

/// The value of `as:` in `class(as: other.field)`.
pub(super) fn shared_with(field: &Field) -> Option<&Expr> {
    let named = |a: &&crate::syntax::ast::Arg| a.name.as_ref().is_none_or(|n| n.text == "as");
    field.args.iter().find(named).map(|a| &a.value).filter(|_| field.ty.text == "class")
}

/// The `bpe(n)` that cuts a field's texts into pieces.
fn merged(field: &Field) -> Option<Span> {
    let tokens = field.args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == "tokens"))?;
    let ExprKind::Call { callee, .. } = &tokens.value.kind else { return None };
    matches!(&callee.kind, ExprKind::Name(n) if n.text == "bpe").then_some(tokens.value.span)
}

/// The fields that a field runs along, from the nearest on, until there is none or one comes again.
fn chain<'a>(data: &'a Data, field: &'a Field) -> Vec<&'a Field> {
    let mut chain: Vec<&Field> = Vec::new();
    let mut at = field;
    loop {
        let of = at.args.iter().find(|a| a.name.as_ref().is_none_or(|n| n.text == "of"));
        let Some(ExprKind::Name(name)) = of.map(|a| &a.value.kind) else { return chain };
        let Some(next) = data.fields.iter().find(|f| f.name.text == name.text) else { return chain };
        if chain.iter().any(|f| std::ptr::eq(*f, next)) {
            return chain;
        }
        chain.push(next);
        at = next;
    }
}
