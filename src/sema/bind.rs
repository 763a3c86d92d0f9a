//! Consts, and arguments bound to signatures: names, kinds and ranges.

use std::rc::Rc;

use super::call::{ArgVal, Bound, Call, Checked, Func, Reported, Scope, Val};
use super::checker::Checker;
use super::consts::Const;
use super::eval::arithmetic;
use super::suggest;
use super::symbols::SymbolKind;
use crate::diagnostics::{Code, Diagnostic, codes};
use crate::ops::{self, Default, Kind, Operation, Signature};
use crate::plan::Length;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Ident, Setting};

impl<'a> Checker<'a> {
    /// A value known before training; reports what is none.
    pub(crate) fn constant(&mut self, e: &'a Expr, s: &Scope<'a>) -> Checked<Const> {
        match &e.kind {
            ExprKind::Int(v) => Ok(Const::Int(*v)),
            ExprKind::Float(v) => Ok(Const::Float(*v)),
            ExprKind::Percent(v) => Ok(Const::Share(*v)),
            ExprKind::Bool(v) => Ok(Const::Bool(*v)),
            ExprKind::Str(text) => Ok(Const::Str(interpolate(text, s))),
            ExprKind::List(parts) => parts.iter().map(|p| self.constant(p, s)).collect::<Checked<_>>().map(Const::List),
            ExprKind::Tuple(parts) => {
                parts.iter().map(|p| self.constant(p, s)).collect::<Checked<_>>().map(Const::Tuple)
            }
            ExprKind::Name(name) => self.constant_name(name, s),
            ExprKind::Negate(inner) => match self.constant(inner, s)? {
                Const::Int(v) => Ok(Const::Int(-v)),
                Const::Float(v) => Ok(Const::Float(-v)),
                Const::Share(v) => Ok(Const::Share(-v)),
                _ => Err(self.not_constant(e, s)),
            },
            ExprKind::Binary { op, left, right } => {
                let (x, y) = (self.constant(left, s)?, self.constant(right, s)?);
                arithmetic(*op, &x, &y).ok_or(()).map_err(|()| self.not_constant(e, s))
            }
            ExprKind::Error => Err(Reported),
            _ => Err(self.not_constant(e, s)),
        }
    }

    fn not_constant(&mut self, e: &Expr, s: &Scope<'a>) -> Reported {
        let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, "this is not known before training")
            .help("write a number, string, bool or list, or the name of a const");
        self.error_in(s, d)
    }

    fn constant_name(&mut self, name: &'a Ident, s: &Scope<'a>) -> Checked<Const> {
        if let Some((_, value)) = s.locals.iter().rev().find(|(n, _)| *n == name.text) {
            return match value {
                Val::Const(c) => Ok(c.clone()),
                Val::Error => Err(Reported),
                _ => {
                    let message = format!("'{}' is not known before training", name.text);
                    Err(self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, name.span, message)))
                }
            };
        }
        if let Some(word) = s.loops.get(&name.text) {
            return Ok(Const::of_word(word));
        }
        match self.symbols.named(&name.text, name.span) {
            Some(symbol) if symbol.kind == SymbolKind::Const => {
                let key = symbol.name;
                match self.item(key, None, name.span, s) {
                    Val::Const(c) => Ok(c),
                    _ => Err(Reported),
                }
            }
            _ => Ok(Const::Word(name.text.clone())),
        }
    }

    /// Whether a positional argument is a setting rather than a value to compute on.
    fn is_plain(&self, e: &Expr, s: &Scope<'a>) -> bool {
        match &e.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::Size(_)
            | ExprKind::List(_) => true,
            ExprKind::Name(name) => match s.locals.iter().rev().find(|(n, _)| *n == name.text) {
                Some((_, value)) => matches!(value, Val::Const(_)),
                None if s.loops.get(&name.text).is_some_and(|w| !matches!(Const::of_word(w), Const::Word(_))) => true,
                None => {
                    let item = self.symbols.named(&name.text, name.span);
                    item.is_some_and(|i| i.kind == SymbolKind::Const)
                }
            },
            ExprKind::Negate(inner) => self.is_plain(inner, s),
            ExprKind::Binary { left, right, .. } => self.is_plain(left, s) && self.is_plain(right, s),
            _ => false,
        }
    }

    /// Whether a bare name is one of the words that an argument may be; what nothing is named is such
    /// a word of an argument of many forms, as in `graph_attention(window(2))`.
    fn is_word(&self, e: &Expr, kind: Option<Kind>, s: &Scope<'a>) -> bool {
        let name = match &e.kind {
            ExprKind::Name(name) => &name.text,
            ExprKind::Call { callee, .. } => match &callee.kind {
                ExprKind::Name(name) => &name.text,
                _ => return false,
            },
            _ => return false,
        };
        match kind {
            Some(Kind::Word(words)) => words.contains(&name.as_str()),
            Some(Kind::Call(calls)) => calls.iter().any(|c| c.name == name),
            Some(Kind::Any) => !self.is_named(name, e.span, s),
            _ => false,
        }
    }

    fn is_named(&self, name: &str, at: Span, s: &Scope<'a>) -> bool {
        s.locals.iter().any(|(local, _)| *local == name)
            || s.loops.contains_key(name)
            || self.symbols.named(name, at).is_some()
            || ops::find(name).is_some()
    }

    /// A call of a built-in; without its first input it is a function.
    pub(super) fn bind_builtin(
        &mut self,
        op: &'static dyn Operation,
        args: &'a [ast::Arg],
        piped: Option<Vec<(Val<'a>, Span)>>,
        span: Span,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let signature = op.signature();
        let was_piped = piped.is_some();
        let mut inputs: Vec<(Val<'a>, Span)> = piped.unwrap_or_default();
        let mut named: Vec<(usize, (Val<'a>, Span))> = Vec::new();
        let mut sound = true;
        let mut bound = Bound::none(signature);
        let room = if signature.inputs.iter().any(|i| i.many) { usize::MAX } else { signature.inputs.len() };
        for a in args {
            match &a.name {
                Some(name) => match signature.inputs.iter().position(|i| i.name == name.text) {
                    Some(i) => named.push((i, (self.eval(&a.value, s), a.value.span))),
                    None => sound &= self.bind_named(&mut bound, name, &a.value, &Words::ARGUMENT, s),
                },
                None => {
                    let next = next_free(&bound);
                    let kind = next.map(|n| n.kind);
                    let word = self.is_word(&a.value, kind, s);
                    let full = inputs.len() + named.len() >= room;
                    // Behind a setting, as in `repeat(2, f)`, what must be given is no input.
                    let due = !bound.given.is_empty() && next.is_some_and(is_due);
                    if !word && !full && !due && !self.is_plain(&a.value, s) {
                        inputs.push((self.eval(&a.value, s), a.value.span));
                    } else if let Some(next) = next {
                        self.bind_value(&mut bound, next, &a.value, s);
                    } else {
                        let message = match room {
                            usize::MAX => format!("'{}' takes values, and this is none", signature.name),
                            _ => format!("'{}' takes no more arguments", signature.name),
                        };
                        let d = Diagnostic::new(codes::UNKNOWN_ARGUMENT, a.span, message);
                        self.error_in(s, d.help(format!("it is called as `{}`", signature.usage())));
                    }
                }
            }
        }
        for (i, value) in named {
            inputs.insert(i.min(inputs.len()), value);
        }
        // An argument with a mistake may be the one that is missing, or what it hangs on.
        let broken = |(name, (value, _)): (&&str, &(ArgVal<'a>, Span))| {
            matches!(value, ArgVal::Any(_)) && signature.arg(name).is_some_and(|a| !matches!(a.kind, Kind::Any))
        };
        if bound.given.iter().any(broken) {
            return Val::Error;
        }
        sound &= !inputs.iter().any(|(v, _)| matches!(v, Val::Error));
        if lacking(&bound).is_some() && !sound || self.missing(&bound, span, s) {
            return Val::Error;
        }
        let site = self.site(s, span);
        let waiting =
            !was_piped && (signature.inputs.iter().filter(|i| !i.optional).count() > inputs.len() || inputs.is_empty());
        let call = Call { op, inputs, waiting, args: bound, span, site, scope: s.clone() };
        if waiting && !signature.inputs.is_empty() {
            Val::Func(Rc::new(Func::Builtin(call)))
        } else {
            self.finish(call)
        }
    }

    /// Types and lowers a call whose inputs are complete.
    pub(super) fn finish(&mut self, call: Call<'a>) -> Val<'a> {
        let signature = call.op.signature();
        let many = signature.inputs.iter().any(|i| i.many);
        if call.inputs.len() > signature.inputs.len() && !many {
            let n = signature.inputs.len();
            let message = format!(
                "'{}' takes {n} {}, and gets {}",
                signature.name,
                if n == 1 { "input" } else { "inputs" },
                call.inputs.len()
            );
            let d = Diagnostic::new(codes::WRONG_INPUT, call.span, message)
                .help(format!("it is called as `{}`", signature.usage()));
            return self.fail(&call.scope, d);
        }
        if call.inputs.iter().any(|(v, _)| matches!(v, Val::Error)) {
            return Val::Error;
        }
        call.op.apply(self, &call).unwrap_or(Val::Error)
    }

    /// Reports arguments that must be given and are not.
    fn missing(&mut self, bound: &Bound<'a>, span: Span, s: &Scope<'a>) -> bool {
        let Some(arg) = lacking(bound) else { return false };
        let message = format!("'{}' needs its argument '{}'", bound.signature.name, arg.name);
        let d = Diagnostic::new(codes::MISSING_ARGUMENT, span, message).help(format!(
            "it is called as `{}`; '{}' is {}",
            bound.signature.usage(),
            arg.name,
            arg.kind.words()
        ));
        self.error_in(s, d);
        true
    }

    /// Binds a named argument; false when it has no place here.
    fn bind_named(
        &mut self,
        bound: &mut Bound<'a>,
        name: &'a Ident,
        value: &'a Expr,
        words: &Words,
        s: &Scope<'a>,
    ) -> bool {
        let signature = bound.signature;
        let Some(arg) = signature.arg(&name.text) else {
            let message = format!("'{}' has no {} '{}'", signature.name, words.thing, name.text);
            let mut d = Diagnostic::new(words.unknown, name.span, message);
            let names = signature.args.iter().map(|a| a.name).chain(signature.inputs.iter().map(|i| i.name));
            if let (true, Some(place)) = (words.are_settings(), ops::training::belongs(&name.text)) {
                d = d.help(place);
            } else if let Some(near) = suggest::nearest(&name.text, names.clone()) {
                d = d.fix(name.span, near, format!("did you mean '{near}'?"));
            } else {
                let known: Vec<&str> = names.collect();
                if !known.is_empty() {
                    d = d.help(format!("it has {}", ops::list_words(&known)));
                }
            }
            self.error_in(s, d);
            return false;
        };
        if let Some((_, first)) = bound.given.get(arg.name) {
            let message = format!("'{}' is given twice", arg.name);
            let d = Diagnostic::new(codes::DUPLICATE_SETTING, name.span, message).also(*first, "first given here");
            self.error_in(s, d);
            return false;
        }
        self.bind_value(bound, arg, value, s);
        true
    }

    fn bind_value(&mut self, bound: &mut Bound<'a>, arg: &'static ops::Arg, value: &'a Expr, s: &Scope<'a>) {
        if let Ok(v) = self.argument(bound.signature.name, arg, value, s) {
            bound.given.insert(arg.name, (v, value.span));
        } else {
            // A broken argument counts as given, so that nothing says it is missing.
            bound.given.insert(arg.name, (ArgVal::Any(value), value.span));
        }
    }

    /// The settings of a block, bound to what the block may have.
    pub fn bind_settings(
        &mut self,
        signature: &'static Signature,
        settings: &'a [Setting],
        s: &Scope<'a>,
    ) -> Bound<'a> {
        let mut bound = Bound::none(signature);
        for setting in settings {
            self.bind_named(&mut bound, &setting.name, &setting.value, &Words::SETTING, s);
        }
        bound
    }

    /// Arguments of a word that is no operation: a field type, or a call in a setting.
    pub fn bind_args(
        &mut self,
        signature: &'static Signature,
        args: &'a [ast::Arg],
        span: Span,
        s: &Scope<'a>,
    ) -> Bound<'a> {
        let mut bound = Bound::none(signature);
        let mut sound = true;
        for a in args {
            match (&a.name, next_free(&bound)) {
                (Some(name), _) => sound &= self.bind_named(&mut bound, name, &a.value, &Words::ARGUMENT, s),
                (None, Some(next)) => self.bind_value(&mut bound, next, &a.value, s),
                (None, None) => {
                    let message = format!("'{}' takes no more arguments", signature.name);
                    let d = Diagnostic::new(codes::UNKNOWN_ARGUMENT, a.span, message);
                    self.error_in(s, d.help(format!("it is called as `{}`", signature.usage())));
                }
            }
        }
        if sound {
            self.missing(&bound, span, s);
        }
        bound
    }

    /// Checks an argument's kind and range.
    fn argument(&mut self, owner: &str, arg: &'static ops::Arg, e: &'a Expr, s: &Scope<'a>) -> Checked<ArgVal<'a>> {
        match arg.kind {
            Kind::Any => Ok(ArgVal::Any(e)),
            Kind::Word(words) => self.word(arg.name, words, e, s),
            Kind::Call(calls) => self.call_argument(arg.name, calls, e, s),
            Kind::Width if matches!(e.kind, ExprKind::Size(_)) => self.size(e, s).map(ArgVal::Width),
            _ => {
                let value = self.constant(e, s)?;
                if let (Const::Word(word), ExprKind::Name(name)) = (&value, &e.kind)
                    && *word == name.text
                    && self.symbols.named(word, name.span).is_none()
                {
                    return Err(self.unknown_const(name, s));
                }
                let fits = fit(arg.kind, &value);
                fits.ok_or(()).map_err(|()| {
                    let message = format!("'{}' of '{owner}' is {}, not {}", arg.name, arg.kind.words(), shown(&value));
                    let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, message);
                    self.error_in(s, d.help(format!("write a value such as `{}`", arg.example())))
                })
            }
        }
    }

    /// Reports a name that stands for a number, string or bool and is none.
    pub(super) fn unknown_const(&mut self, name: &Ident, s: &Scope<'a>) -> Reported {
        if self.tolerated.contains(&name.text) {
            return Reported;
        }
        let consts = self.symbols.by_name.values().filter(|x| x.kind == SymbolKind::Const).map(|x| x.name);
        let near = suggest::nearest(&name.text, consts.chain(s.locals.iter().map(|(n, _)| *n)));
        let d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("no const is named '{}'", name.text));
        let d = match near {
            Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
            None => d,
        };
        self.error_in(s, d)
    }

    fn word(&mut self, name: &str, words: &'static [&'static str], e: &'a Expr, s: &Scope<'a>) -> Checked<ArgVal<'a>> {
        let said = match &e.kind {
            ExprKind::Name(n) if words.contains(&n.text.as_str()) => n.text.clone(),
            _ => self.constant(e, s)?.word(),
        };
        if let Some(word) = words.iter().find(|w| **w == said) {
            return Ok(ArgVal::Word(word));
        }
        let mut d = Diagnostic::new(
            codes::BAD_ARGUMENT,
            e.span,
            format!("'{name}' is {}, not '{said}'", ops::list_words(words)),
        );
        d = match suggest::nearest(&said, words.iter().copied()) {
            Some(near) => d.fix(e.span, near, format!("did you mean '{near}'?")),
            None => d.help(format!("write `{name}: {}`", words.first().copied().unwrap_or_default())),
        };
        Err(self.error_in(s, d))
    }

    fn call_argument(
        &mut self,
        name: &str,
        calls: &'static [&'static Signature],
        e: &'a Expr,
        s: &Scope<'a>,
    ) -> Checked<ArgVal<'a>> {
        let (word, args): (&Ident, &'a [ast::Arg]) = match &e.kind {
            ExprKind::Name(n) => (n, &[]),
            ExprKind::Call { callee, args } => match &callee.kind {
                ExprKind::Name(n) => (n, args),
                _ => return Err(self.no_call(name, calls, e, s)),
            },
            _ => return Err(self.no_call(name, calls, e, s)),
        };
        match calls.iter().find(|c| c.name == word.text) {
            Some(signature) => Ok(ArgVal::Call(Box::new(self.bind_args(signature, args, word.span, s)))),
            None => {
                let names: Vec<&str> = calls.iter().map(|c| c.name).collect();
                let message = format!("'{name}' is {}, not '{}'", ops::list_words(&names), word.text);
                let mut d = Diagnostic::new(codes::BAD_ARGUMENT, word.span, message);
                d = match suggest::nearest(&word.text, names.iter().copied()) {
                    Some(near) => d.fix(word.span, near, format!("did you mean '{near}'?")),
                    None => d.help(format!("write `{name}: {}`", names.first().copied().unwrap_or_default())),
                };
                Err(self.error_in(s, d))
            }
        }
    }

    fn no_call(&mut self, name: &str, calls: &'static [&'static Signature], e: &Expr, s: &Scope<'a>) -> Reported {
        let names: Vec<&str> = calls.iter().map(|c| c.name).collect();
        let message = format!("'{name}' is {}", ops::list_words(&names));
        self.error_in(s, Diagnostic::new(codes::BAD_ARGUMENT, e.span, message))
    }
}

/// How messages speak of what is bound.
struct Words {
    thing: &'static str,
    unknown: Code,
}

impl Words {
    const ARGUMENT: Words = Words { thing: "argument", unknown: codes::UNKNOWN_ARGUMENT };
    const SETTING: Words = Words { thing: "setting", unknown: codes::UNKNOWN_SETTING };

    /// Whether they are settings of a block, which has neighbours they may have been meant for.
    fn are_settings(&self) -> bool {
        self.unknown == codes::UNKNOWN_SETTING
    }
}

/// An argument that must be given and is not.
fn lacking(bound: &Bound<'_>) -> Option<&'static ops::Arg> {
    let lacks = |a: &&ops::Arg| matches!(a.default, Default::Required) && !bound.given.contains_key(a.name);
    bound.signature.args.iter().find(lacks)
}

/// Whether a value must be given for this argument.
fn is_due(arg: &'static ops::Arg) -> bool {
    matches!((arg.kind, arg.default), (Kind::Any, Default::Required))
}

fn next_free(bound: &Bound<'_>) -> Option<&'static ops::Arg> {
    bound.signature.args.iter().find(|a| !bound.given.contains_key(a.name))
}

fn shown(value: &Const) -> String {
    match value {
        Const::Str(s) => format!("\"{s}\""),
        Const::List(_) | Const::Tuple(_) => value.noun().into(),
        other => format!("`{}`", other.word()),
    }
}

/// The value as an argument of this kind, if it is one.
fn fit<'a>(kind: Kind, value: &Const) -> Option<ArgVal<'a>> {
    match (kind, value) {
        (Kind::Int(min, max), Const::Int(v)) => (min..=max).contains(v).then_some(ArgVal::Int(*v)),
        (Kind::Width, Const::Int(v)) => (1..=1 << 24).contains(v).then_some(ArgVal::Int(*v)),
        (Kind::Float(min, max), v) => v.number().filter(|v| (min..=max).contains(v)).map(ArgVal::Float),
        (Kind::Share, v) => v.number().filter(|v| (0.0..=1.0).contains(v)).map(ArgVal::Float),
        (Kind::Bool, Const::Bool(v)) => Some(ArgVal::Bool(*v)),
        (Kind::Str, Const::Str(v)) => Some(ArgVal::Str(v.clone())),
        (Kind::Widths, Const::List(parts)) => {
            let widths = parts.iter().map(|p| if let Const::Int(v @ 1..) = p { Some(*v as usize) } else { None });
            widths.collect::<Option<Vec<_>>>().filter(|w| !w.is_empty()).map(ArgVal::Widths)
        }
        (Kind::Places, Const::List(parts)) => {
            let places = parts.iter().map(|p| if let Const::Int(v @ 0..) = p { Some(*v as usize) } else { None });
            places.collect::<Option<Vec<_>>>().filter(|p| !p.is_empty()).map(ArgVal::Widths)
        }
        (Kind::Length, Const::Int(v)) => (*v >= 0).then_some(ArgVal::Length(Length::Steps(*v as usize))),
        (Kind::Length, v) => v.number().filter(|v| (0.0..=1.0).contains(v)).map(|v| ArgVal::Length(Length::Share(v))),
        _ => None,
    }
}

/// A string with `{name}` replaced by the word of a loop.
pub fn interpolate(text: &str, s: &Scope<'_>) -> String {
    let mut out = text.to_string();
    for (name, word) in &s.loops {
        out = out.replace(&format!("{{{name}}}"), word);
    }
    out
}
