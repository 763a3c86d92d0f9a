//! Layers applied and recipes expanded.

use std::rc::Rc;

use super::call::{Checked, Func, Scope, Val};
use super::checker::{Checker, Key};
use super::graph::NodeId;
use super::symbols::Symbol;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{self, Arg, ItemKind, Let};

impl<'a> Checker<'a> {
    /// Parameters of the layer that a value is.
    pub(super) fn layer_params(&self, f: &Val<'a>) -> Option<&'a [ast::Param]> {
        let Val::Func(func) = f else { return None };
        let Func::Layer { name, .. } = &**func else { return None };
        match &self.symbols.by_name[*name].item.kind {
            ItemKind::Layer(l) => l.params.as_deref(),
            _ => None,
        }
    }

    /// Applies a declared layer. The same layer on the same values is the same value.
    pub(super) fn apply_layer(
        &mut self,
        name: &'a str,
        member: usize,
        inputs: Vec<(Val<'a>, Span)>,
        span: Span,
        s: &Scope<'a>,
    ) -> Val<'a> {
        let symbol = self.symbols.by_name[name].clone();
        let ItemKind::Layer(layer) = &symbol.item.kind else { return Val::Error };
        self.visited.insert(name);
        let nodes: Option<Vec<NodeId>> =
            inputs.iter().map(|(v, _)| if let Val::Node(n) = v { Some(*n) } else { None }).collect();
        let memo = nodes.map(|n| (name, member, n));
        if let Some(value) = memo.as_ref().and_then(|m| self.applied.get(m)) {
            return value.clone();
        }
        let mut scope = self.item_scope(&symbol, member, name);
        scope.closed = Some(name);
        scope.applied = s.applied.clone();
        scope.applied.push(span);
        let key = Key { name, member, head: false };
        if self.stack.iter().any(|(k, _)| *k == key) {
            self.report_cycle(key, span);
            return Val::Error;
        }
        self.stack.push((key, span));
        scope.within = memo.as_ref().filter(|m| m.2.len() == 1).map(|m| (name, member, m.2[0]));
        let within = scope.within;
        let value = self.layer_body(layer, &symbol, inputs, span, scope);
        self.stack.pop();
        let value = self.ends_with_its_cell(within, value, layer.body.span, s);
        if let Some(memo) = memo {
            self.applied.insert(memo, value.clone());
        }
        value
    }

    fn layer_body(
        &mut self,
        layer: &'a ast::Layer,
        symbol: &Symbol<'a>,
        inputs: Vec<(Val<'a>, Span)>,
        span: Span,
        mut scope: Scope<'a>,
    ) -> Val<'a> {
        let given = inputs.clone();
        let value = match &layer.params {
            None => {
                let f = self.eval(&layer.body, &scope);
                match f {
                    Val::Func(_) | Val::Task(_) => self.apply(f, inputs, span, &scope),
                    Val::Error => Val::Error,
                    _ => {
                        let message = format!("'{}' gives a value and takes no input, so it is no layer", symbol.name);
                        let d = Diagnostic::new(codes::WRONG_KIND, layer.body.span, message)
                            .help(format!("name its input, `layer {}(x) = …`, or write `let`", symbol.name));
                        return self.fail(&scope, d);
                    }
                }
            }
            Some(params) => {
                if params.len() != inputs.len() {
                    let message =
                        format!("'{}' takes {} and gets {}", symbol.name, inputs_word(params.len()), inputs.len());
                    let names: Vec<&str> = params.iter().map(|p| p.name.text.as_str()).collect();
                    let d = Diagnostic::new(codes::MISSING_ARGUMENT, span, message)
                        .also(symbol.span, "declared here")
                        .help(format!("it is called as `{}({})`", symbol.name, names.join(", ")));
                    return self.fail(&Scope::default(), d);
                }
                params.iter().zip(&inputs).for_each(|(p, (value, _))| self.note(p.name.span, value));
                scope.locals =
                    params.iter().map(|p| p.name.text.as_str()).zip(inputs.into_iter().map(|i| i.0)).collect();
                self.local_lets(&layer.lets, &mut scope);
                self.eval(&layer.body, &scope)
            }
        };
        if let Some(sig) = &layer.sig {
            self.check_signature(sig, symbol, &given, &value, &scope);
        }
        value
    }

    /// The lets of a layer's or recipe's block.
    fn local_lets(&mut self, lets: &'a [Let], scope: &mut Scope<'a>) {
        for l in lets {
            let value = self.eval(&l.value, scope);
            for (part, decl) in l.names.iter().enumerate() {
                let value = self.part_of(value.clone(), l, part, scope);
                self.note(decl.name.span, &value);
                scope.locals.push((&decl.name.text, value));
            }
        }
    }

    /// A use of a recipe: its body with these arguments, owning its own parameters.
    pub(super) fn recipe(
        &mut self,
        def: &'a ast::Def,
        args: &'a [Arg],
        piped: Option<Vec<(Val<'a>, Span)>>,
        span: Span,
        s: &Scope<'a>,
    ) -> Val<'a> {
        self.visited.insert(&def.name.text);
        let required = def.params.iter().filter(|p| p.default.is_none()).count();
        let covers = |n: usize| n >= required && n <= def.params.len();
        let piped_inside = piped.as_ref().is_some_and(|_| !covers(args.len()));
        if piped.is_none() && args.len() + 1 == required && !def.params.is_empty() {
            return Val::Func(Rc::new(Func::Recipe { def, args, span, scope: s.clone() }));
        }
        let mut values: Vec<Val<'a>> = Vec::new();
        if piped_inside {
            values.extend(piped.iter().flatten().map(|p| p.0.clone()));
        }
        let Ok(locals) = self.recipe_args(def, args, values, span, s) else { return Val::Error };
        let mut chain = s.chain.clone();
        chain.push((span.file.0, span.start));
        if chain.len() > 64 {
            let message = format!("the recipe '{}' expands without end", def.name.text);
            return self.fail(
                s,
                Diagnostic::new(codes::CYCLE, span, message)
                    .also(def.name.span, "declared here")
                    .help("a recipe cannot use itself; `repeat(n, f)` applies a layer n times"),
            );
        }
        let mut scope = Scope { locals, chain, closed: Some(&def.name.text), ..s.clone() };
        scope.applied.push(span);
        self.local_lets(&def.lets, &mut scope);
        let value = self.eval(&def.body, &scope);
        match piped {
            Some(inputs) if !piped_inside => self.apply(value, inputs, span, &scope),
            _ => value,
        }
    }

    fn recipe_args(
        &mut self,
        def: &'a ast::Def,
        args: &'a [Arg],
        first: Vec<Val<'a>>,
        span: Span,
        s: &Scope<'a>,
    ) -> Checked<Vec<(&'a str, Val<'a>)>> {
        let mut locals: Vec<(&'a str, Val<'a>)> = Vec::new();
        let mut names = def.params.iter();
        for value in first {
            if let Some(p) = names.next() {
                locals.push((&p.name.text, value));
            }
        }
        for arg in args {
            let value = self.eval(&arg.value, s);
            let name = match &arg.name {
                Some(n) => def.params.iter().find(|p| p.name.text == n.text).map(|p| &p.name.text),
                None => names.next().map(|p| &p.name.text),
            };
            let Some(name) = name else {
                let known: Vec<&str> = def.params.iter().map(|p| p.name.text.as_str()).collect();
                let message = match &arg.name {
                    Some(n) => format!("'{}' has no argument '{}'", def.name.text, n.text),
                    None if def.params.len() == 1 => format!("'{}' takes 1 argument at most", def.name.text),
                    None => format!("'{}' takes {} arguments at most", def.name.text, def.params.len()),
                };
                let at = arg.name.as_ref().map_or(arg.span, |n| n.span);
                let d = Diagnostic::new(codes::UNKNOWN_ARGUMENT, at, message).also(def.name.span, "declared here");
                let near = arg.name.as_ref().and_then(|n| super::suggest::nearest(&n.text, known.iter().copied()));
                let d = match near {
                    Some(near) => d.fix(at, near, format!("did you mean '{near}'?")),
                    None if known.is_empty() => d.help("it has none"),
                    None => d.help(format!("its arguments are {}", crate::ops::list_words(&known))),
                };
                return Err(self.error_in(s, d));
            };
            locals.push((name, value));
        }
        for p in &def.params {
            if locals.iter().any(|(n, _)| *n == p.name.text) {
                continue;
            }
            let Some(default) = &p.default else {
                let message = format!("'{}' needs its argument '{}'", def.name.text, p.name.text);
                let names: Vec<&str> = def.params.iter().map(|p| p.name.text.as_str()).collect();
                let d = Diagnostic::new(codes::MISSING_ARGUMENT, span, message)
                    .also(p.name.span, "declared here")
                    .help(format!("it is called as `{}({})`", def.name.text, names.join(", ")));
                return Err(self.error_in(s, d));
            };
            let value = self.eval(default, &Scope { locals: locals.clone(), ..Scope::default() });
            locals.push((&p.name.text, value));
        }
        Ok(locals)
    }
}

fn inputs_word(n: usize) -> String {
    if n == 1 { "1 input".into() } else { format!("{n} inputs") }
}
