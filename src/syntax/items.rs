//! Items from pairs. Each function takes the pair of its rule and gives `None` only where the
//! grammar and this file have come apart.

use pest::iterators::Pair;

use super::ast::*;
use super::build::Builder;
use super::grammar::Rule;
use super::numbers;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::Span;

/// What stands between the braces of a block.
#[derive(Default)]
struct Body {
    settings: Vec<Setting>,
    fields: Vec<Field>,
    stages: Vec<StageEntry>,
    lets: Vec<Let>,
}

/// The parts of an item, by the rule they came from.
#[derive(Default)]
struct Parts {
    names: Vec<Ident>,
    decls: Vec<Decl>,
    strings: Vec<(String, Span)>,
    exprs: Vec<Expr>,
    params: Option<Vec<Param>>,
    sig: Option<Sig>,
    args: Vec<Arg>,
    call: Option<Span>,
    binder: Option<Binder>,
    sources: Vec<FieldSource>,
    ty: Option<(Ident, Vec<Arg>, Span)>,
    tuple: bool,
    open: Option<Span>,
    body: Body,
}

impl Parts {
    fn decl(&mut self) -> Option<Decl> {
        take(&mut self.decls)
    }

    fn expr(&mut self) -> Option<Expr> {
        take(&mut self.exprs)
    }
}

fn take<T>(from: &mut Vec<T>) -> Option<T> {
    if from.is_empty() { None } else { Some(from.remove(0)) }
}

impl Builder<'_> {
    fn parts(&mut self, pair: Pair<'_, Rule>) -> Parts {
        let mut parts = Parts::default();
        for inner in pair.into_inner() {
            self.part(&mut parts, inner);
        }
        parts
    }

    fn part(&mut self, parts: &mut Parts, pair: Pair<'_, Rule>) {
        match pair.as_rule() {
            Rule::name | Rule::word => parts.names.push(self.ident(&pair)),
            Rule::decl => parts.decls.extend(self.decl(pair)),
            Rule::string => parts.strings.push((self.string(&pair), self.span(&pair))),
            Rule::expr => parts.exprs.push(self.expr(pair)),
            Rule::params => parts.params = Some(self.params(pair)),
            Rule::sig => parts.sig = self.sig(pair),
            Rule::call => {
                parts.call = Some(self.span(&pair));
                parts.args = self.args(pair);
            }
            Rule::binder => parts.binder = Some(self.binder(pair)),
            Rule::ftype => parts.ty = self.field_type(pair),
            Rule::from_part => parts.sources = self.sources(pair),
            Rule::let_tuple => {
                parts.tuple = true;
                parts.decls = pair.into_inner().filter_map(|p| self.decl(p)).collect();
            }
            Rule::block | Rule::own => pair.into_inner().for_each(|p| self.part(parts, p)),
            Rule::lbrace => parts.open = Some(self.span(&pair)),
            Rule::missing_close | Rule::missing_end => self.unclosed(parts.open, &pair),
            Rule::stray_comma => self.stray_comma(&pair),
            _ => self.entry(&mut parts.body, pair),
        }
    }

    /// What a block holds, and slices in it that did not parse.
    fn entry(&mut self, body: &mut Body, pair: Pair<'_, Rule>) {
        match pair.as_rule() {
            Rule::setting => body.settings.extend(self.setting(pair)),
            Rule::field => body.fields.extend(self.field(pair)),
            Rule::stage => body.stages.extend(self.stage(pair).map(StageEntry::Stage)),
            Rule::for_stage => body.stages.extend(self.for_stage(pair)),
            Rule::let_item => body.lets.extend(self.let_item(pair)),
            Rule::bad_field
            | Rule::lost_field
            | Rule::bad_setting
            | Rule::bad_stage
            | Rule::bad_let
            | Rule::bad_for => {
                if let Some(whole) = self.bad(&pair) {
                    self.rebased(whole, |b, p| b.entry(body, p));
                }
            }
            _ => {}
        }
    }

    pub(super) fn use_item(&mut self, pair: Pair<'_, Rule>) -> Option<Use> {
        let mut parts = self.parts(pair);
        let (path, path_span) = take(&mut parts.strings)?;
        Some(Use { path, path_span, run_as: take(&mut parts.names) })
    }

    pub(super) fn const_item(&mut self, pair: Pair<'_, Rule>) -> Option<Const> {
        let mut parts = self.parts(pair);
        Some(Const { name: take(&mut parts.names)?, value: parts.expr()? })
    }

    pub(super) fn data_item(&mut self, pair: Pair<'_, Rule>) -> Option<Data> {
        let mut parts = self.parts(pair);
        let Body { settings, fields, .. } = std::mem::take(&mut parts.body);
        Some(Data { decl: parts.decl()?, settings, fields })
    }

    fn field(&mut self, pair: Pair<'_, Rule>) -> Option<Field> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let (ty, args, ty_span) = parts.ty.take()?;
        Some(Field {
            docs: self.docs.before(span.start as usize),
            name: take(&mut parts.names)?,
            ty,
            args,
            ty_span,
            template: parts.expr(),
            sources: parts.sources,
            span,
        })
    }

    fn field_type(&mut self, pair: Pair<'_, Rule>) -> Option<(Ident, Vec<Arg>, Span)> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        Some((take(&mut parts.names)?, parts.args, span))
    }

    fn sources(&mut self, pair: Pair<'_, Rule>) -> Vec<FieldSource> {
        let sources = pair.into_inner().filter(|p| p.as_rule() == Rule::source);
        sources.flat_map(Pair::into_inner).map(|p| self.source(&p)).collect()
    }

    fn source(&mut self, pair: &Pair<'_, Rule>) -> FieldSource {
        let span = self.span(pair);
        let kind = match pair.as_rule() {
            Rule::string => FieldSourceKind::Name(self.string(pair)),
            Rule::number => FieldSourceKind::Column(self.column(pair, span)),
            _ => FieldSourceKind::Name(pair.as_str().to_owned()),
        };
        FieldSource { span, kind }
    }

    /// The number of a column.
    fn column(&mut self, pair: &Pair<'_, Rule>, span: Span) -> u32 {
        let column = match numbers::number(pair.as_str()) {
            Some(ExprKind::Int(column)) => u32::try_from(column).ok(),
            _ => None,
        };
        column.unwrap_or_else(|| {
            let message = format!("`{}` is not the number of a column", pair.as_str());
            let problem = Diagnostic::new(codes::BAD_NUMBER, span, message);
            self.diagnostics.push(problem.help("columns are counted from 0"));
            0
        })
    }

    pub(super) fn layer_item(&mut self, pair: Pair<'_, Rule>) -> Option<Layer> {
        let mut parts = self.parts(pair);
        Some(Layer {
            decl: parts.decl()?,
            params: parts.params.take(),
            sig: parts.sig.take(),
            body: parts.expr()?,
            lets: parts.body.lets,
        })
    }

    pub(super) fn def_item(&mut self, pair: Pair<'_, Rule>) -> Option<Def> {
        let mut parts = self.parts(pair);
        let (name, params) = (take(&mut parts.names)?, parts.params.take()?);
        Some(Def { name, params, body: parts.expr()?, lets: parts.body.lets })
    }

    pub(super) fn let_item(&mut self, pair: Pair<'_, Rule>) -> Option<Let> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let value = parts.expr()?;
        Some(Let { names: parts.decls, tuple: parts.tuple, value, span })
    }

    pub(super) fn task_item(&mut self, pair: Pair<'_, Rule>) -> Option<Task> {
        let mut parts = self.parts(pair);
        let kind = take(&mut parts.names)?;
        let head_span = kind.span.to(parts.call?);
        Some(Task {
            decl: parts.decl()?,
            kind,
            head_span,
            input: parts.expr()?,
            gold: parts.args,
            settings: parts.body.settings,
        })
    }

    pub(super) fn loss_item(&mut self, pair: Pair<'_, Rule>) -> Option<Loss> {
        let mut parts = self.parts(pair);
        Some(Loss { decl: parts.decl()?, value: parts.expr()?, settings: parts.body.settings })
    }

    pub(super) fn metric_item(&mut self, pair: Pair<'_, Rule>) -> Option<Metric> {
        let mut parts = self.parts(pair);
        Some(Metric { decl: parts.decl()?, value: parts.expr()? })
    }

    pub(super) fn train_item(&mut self, pair: Pair<'_, Rule>) -> Train {
        let start = self.span(&pair).start as usize;
        let keyword = Span::new(self.file, start, start + "train".len());
        let Body { settings, stages, .. } = self.parts(pair).body;
        Train { keyword, settings, stages }
    }

    fn stage(&mut self, pair: Pair<'_, Rule>) -> Option<Stage> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        Some(Stage { decl: parts.decl()?, settings: parts.body.settings, span })
    }

    fn for_stage(&mut self, pair: Pair<'_, Rule>) -> Option<StageEntry> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let (binder, list) = (parts.binder.take()?, parts.expr()?);
        let stages = parts.body.stages.into_iter().filter_map(|entry| match entry {
            StageEntry::Stage(stage) => Some(stage),
            StageEntry::For { .. } => None,
        });
        Some(StageEntry::For { binder, list, stages: stages.collect(), span })
    }

    pub(super) fn for_item(&mut self, pair: Pair<'_, Rule>) -> Option<For> {
        let mut parts = Parts::default();
        let mut items = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::binder | Rule::expr | Rule::lbrace | Rule::missing_end => self.part(&mut parts, inner),
                Rule::k_for | Rule::k_in | Rule::rbrace => {}
                _ => items.extend(self.item(inner)),
            }
        }
        Some(For { binder: parts.binder?, list: take(&mut parts.exprs)?, items })
    }

    fn decl(&mut self, pair: Pair<'_, Rule>) -> Option<Decl> {
        if pair.as_rule() != Rule::decl {
            return None;
        }
        let span = self.span(&pair);
        let mut names = self.names(pair).into_iter();
        Some(Decl { name: names.next()?, index: names.collect(), span })
    }

    fn names(&mut self, pair: Pair<'_, Rule>) -> Vec<Ident> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::name).map(|p| self.ident(&p)).collect()
    }

    fn binder(&mut self, pair: Pair<'_, Rule>) -> Binder {
        let span = self.span(&pair);
        Binder { names: self.names(pair), span }
    }

    fn params(&mut self, pair: Pair<'_, Rule>) -> Vec<Param> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::param).filter_map(|p| self.param(p)).collect()
    }

    fn param(&mut self, pair: Pair<'_, Rule>) -> Option<Param> {
        let mut parts = self.parts(pair);
        Some(Param { name: take(&mut parts.names)?, default: parts.expr() })
    }

    fn sig(&mut self, pair: Pair<'_, Rule>) -> Option<Sig> {
        let span = self.span(&pair);
        let dims = pair.into_inner().filter(|p| p.as_rule() == Rule::dims);
        let mut inputs: Vec<Dims> = dims.map(|p| self.dims(p)).collect();
        Some(Sig { output: inputs.pop()?, inputs, span })
    }

    fn dims(&mut self, pair: Pair<'_, Rule>) -> Dims {
        let span = self.span(&pair);
        Dims { dims: self.parts(pair).exprs, span }
    }
}
