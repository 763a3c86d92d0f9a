//! Items to values: members of families, layers applied, recipes expanded; cycles are found here.

use litemap::LiteMap;
use std::rc::Rc;

use super::call::{Checked, Func, Reported, Scope, Val};
use super::checker::{Checker, Key, State};
use super::graph::{NodeId, SpaceSource};
use super::symbols::{Symbol, SymbolKind};
use super::types::{DataId, Example, On, Ty};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Attrs;
use crate::source::Span;
use crate::syntax::ast::{self, Arg, Expr, ExprKind, Ident, ItemKind, Let};

impl<'a> Checker<'a> {
    /// What the item `name` means where it is named at `span`; a family without an index is the
    /// union of its members.
    pub(super) fn item(&mut self, name: &'a str, member: Option<usize>, span: Span, s: &Scope<'a>) -> Val<'a> {
        let symbol = self.symbols.by_name[name].clone();
        if let Err(Reported) = self.allowed(&symbol, span, s) {
            return Val::Error;
        }
        match member {
            Some(m) => self.member_value(&symbol, m, span, s),
            None if !symbol.is_family() => self.member_value(&symbol, 0, span, s),
            None => self.union(&symbol, span, s),
        }
    }

    fn allowed(&mut self, symbol: &Symbol<'a>, span: Span, s: &Scope<'a>) -> Checked<()> {
        let Some(inside) = s.closed else { return Ok(()) };
        if !matches!(symbol.kind, SymbolKind::Data | SymbolKind::Let) {
            return Ok(());
        }
        let message = format!(
            "'{inside}' reads {} '{}', so it could run on that data set alone",
            symbol.kind.noun(),
            symbol.name
        );
        if self.diagnostics.iter().any(|d| d.code == codes::MISPLACED && d.message == message) {
            return Err(Reported);
        }
        let d = Diagnostic::new(codes::MISPLACED, span, message)
            .also(symbol.span, format!("'{}' is declared here", symbol.name))
            .help("make it a parameter, as in `layer reader(x, y) = …`, and pass the value where the layer is used");
        Err(self.error(d))
    }

    fn member_value(&mut self, symbol: &Symbol<'a>, member: usize, span: Span, s: &Scope<'a>) -> Val<'a> {
        match symbol.kind {
            SymbolKind::Const => self.const_item(symbol),
            SymbolKind::Data => match self.data_at.get(&(symbol.name, member)) {
                Some(&id) => Val::Data(On::of(self.example(id))),
                None => Val::Error,
            },
            SymbolKind::Layer => Val::Func(Rc::new(Func::Layer { name: symbol.name, member, rest: vec![], span })),
            SymbolKind::Def => {
                let ItemKind::Def(def) = &symbol.item.kind else { return Val::Error };
                self.recipe(def, &[], None, span, s)
            }
            SymbolKind::Let => self.let_value(symbol, member, span),
            SymbolKind::Task => self.task_head(symbol, member, span).map_or(Val::Error, Val::Task),
            SymbolKind::Loss | SymbolKind::Metric => {
                let message = format!("'{}' is {}, where a value is needed", symbol.name, symbol.kind.noun());
                self.fail(
                    s,
                    Diagnostic::new(codes::WRONG_KIND, span, message)
                        .also(symbol.span, "declared here")
                        .help("a loss or metric is reported as it is; name the values that it is made of"),
                )
            }
            SymbolKind::Run => self.run_as_value(symbol, span, s),
        }
    }

    fn const_item(&mut self, symbol: &Symbol<'a>) -> Val<'a> {
        if let Some(value) = self.overrides.get(symbol.name) {
            return Val::Const(value.clone());
        }
        let ItemKind::Const(c) = &symbol.item.kind else { return Val::Error };
        self.evaluate(Key { name: symbol.name, member: 0, head: false }, c.name.span, |c2| {
            c2.constant(&c.value, &Scope::default()).map_or(Val::Error, Val::Const)
        })
    }

    /// The example axis of one data set.
    pub(super) fn example(&self, id: DataId) -> Example {
        self.declared[id.0].2.clone()
    }

    fn union(&mut self, symbol: &Symbol<'a>, span: Span, s: &Scope<'a>) -> Val<'a> {
        match symbol.kind {
            SymbolKind::Layer => {
                let words = symbol.words(0).join(", ");
                let message = format!("'{}' is a family of layers; say which member", symbol.name);
                let d = Diagnostic::new(codes::WRONG_KIND, span, message)
                    .also(symbol.span, "declared here")
                    .help(format!("write `{}[{words}]`, or index it with a loop name", symbol.name));
                self.fail(s, d)
            }
            SymbolKind::Data => {
                let ids: Vec<DataId> =
                    symbol.distinct().iter().filter_map(|m| self.data_at.get(&(symbol.name, *m)).copied()).collect();
                if ids.is_empty() {
                    return Val::Error;
                }
                Val::Data(On::of(Example::Union(ids.into(), symbol.name.into())))
            }
            SymbolKind::Task => {
                let members = symbol.distinct();
                Val::Tasks(members.iter().filter_map(|m| self.task_head(symbol, *m, span).ok()).collect())
            }
            SymbolKind::Let => {
                let members = symbol.distinct();
                let values = members.iter().map(|m| self.let_value(symbol, *m, span)).collect();
                self.union_of(values, symbol.name, span, s)
            }
            _ => Val::Error,
        }
    }

    /// One value over the examples of all members.
    pub(super) fn union_of(&mut self, values: Vec<Val<'a>>, name: &str, span: Span, s: &Scope<'a>) -> Val<'a> {
        let mut nodes = Vec::new();
        for value in values {
            match value {
                Val::Node(id) if *self.graph.ty(id) != Ty::Error => nodes.push(id),
                Val::Error | Val::Node(_) => return Val::Error,
                other => {
                    if let Err(Reported) = self.value_node(&other, span, s) {
                        return Val::Error;
                    }
                }
            }
        }
        match self.union_type(&nodes, name, span, s) {
            Ok(ty) => Val::Node(self.plain("union", nodes, Attrs::new(), ty, span)),
            Err(Reported) => Val::Error,
        }
    }

    fn union_type(&mut self, nodes: &[NodeId], name: &str, span: Span, s: &Scope<'a>) -> Checked<Ty> {
        let Some(&first) = nodes.first() else { return Err(Reported) };
        let mut members: Vec<DataId> = Vec::new();
        let mut over: Option<Rc<str>> = None;
        for id in nodes {
            if let Some(on) = self.graph.ty(*id).on() {
                members.extend(on.example.members());
                over = over.or_else(|| on.example.name().split('.').next().map(Rc::from));
            }
        }
        let example = Example::Union(members.into(), over.unwrap_or_else(|| name.into()));
        let ty = self.relabelled(nodes, first, &example, name);
        for id in nodes {
            let this = self.relabelled(nodes, *id, &example, name);
            if this != ty {
                let (x, y) = (self.show(&ty), self.show(&this));
                let message = format!("the members of '{name}' have different types: {x} and {y}");
                let d = Diagnostic::new(codes::WIDTH_MISMATCH, span, message)
                    .also(self.graph.node(first).span, x)
                    .also(self.graph.node(*id).span, y);
                return Err(self.error_in(s, d));
            }
        }
        Ok(ty)
    }

    /// A member's type as it is on the union; label spaces of fields become their union's.
    fn relabelled(&mut self, nodes: &[NodeId], id: NodeId, example: &Example, name: &str) -> Ty {
        let mut ty = self.graph.ty(id).clone();
        if let Ty::Tokens(on) | Ty::Vector(on, _) | Ty::Label(on, _) | Ty::Gold(on, ..) = &mut ty {
            on.example = example.clone();
        }
        if let Ty::Label(_, space) = &mut ty {
            let mut fields = Vec::new();
            for node in nodes {
                if let Ty::Label(_, s) = self.graph.ty(*node)
                    && let SpaceSource::Fields(f) = &self.spaces.all[s.0].from
                {
                    fields.extend(f.iter().copied());
                }
            }
            if fields.len() > 1 {
                *space = self.space(name, SpaceSource::Fields(fields));
            }
        }
        ty
    }

    /// `reviews[books]`, `private[domain]`.
    pub(super) fn index(&mut self, base: &'a Expr, indices: &'a [Expr], s: &Scope<'a>) -> Val<'a> {
        let symbol = match &base.kind {
            ExprKind::Name(name) => match self.symbols.named(&name.text, name.span).cloned() {
                Some(symbol) => Some(Ok(symbol)),
                None => return self.unknown(name, super::eval::Meant::Value, s),
            },
            ExprKind::Member { base, name } => self.of_run(base, name, s),
            _ => None,
        };
        let Some(symbol) = symbol else {
            self.eval(base, s);
            return self.fail(s, Diagnostic::new(codes::WRONG_KIND, base.span, "only a family can be indexed"));
        };
        let Ok(symbol) = symbol else { return Val::Error };
        match self.member_position(&symbol, indices, base.span, s) {
            Ok(member) => self.item(symbol.name, Some(member), base.span, s),
            Err(Reported) => Val::Error,
        }
    }

    /// Which member of a family the indices name.
    pub(super) fn member_position(
        &mut self,
        symbol: &Symbol<'a>,
        indices: &'a [Expr],
        span: Span,
        s: &Scope<'a>,
    ) -> Checked<usize> {
        if !symbol.is_family() {
            let message = format!("'{}' is no family, so it has no members to index", symbol.name);
            let d = Diagnostic::new(codes::WRONG_KIND, span, message).also(symbol.span, "declared here");
            return Err(self.error_in(s, d.help(format!("write `{}` without an index", symbol.name))));
        }
        let words: Vec<String> = indices.iter().map(|e| self.index_word(e, s)).collect();
        let named = |m: &usize| {
            let bound = &symbol.family.members[*m];
            symbol.index.len() == words.len() && symbol.index.iter().zip(&words).all(|(v, w)| bound.get(*v) == Some(w))
        };
        if let Some(member) = (0..symbol.family.members.len()).find(named) {
            return Ok(member);
        }
        let members: Vec<String> = symbol.distinct().iter().take(8).map(|m| symbol.words(*m).join(", ")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let at = indices.first().map_or(span, |i| i.span);
        let message = format!("'{}' has no member '{}'", symbol.name, words.join(", "));
        let d = Diagnostic::new(codes::UNKNOWN_NAME, at, message)
            .also(symbol.span, "the family is declared here")
            .help(format!("its members are {}", crate::ops::list_words(&members)));
        Err(self.error_in(s, d))
    }

    fn index_word(&mut self, e: &'a Expr, s: &Scope<'a>) -> String {
        match &e.kind {
            ExprKind::Name(n) => match s.loops.get(&n.text) {
                Some(word) => word.clone(),
                None => match s.locals.iter().rev().find(|(l, _)| *l == n.text) {
                    Some((_, Val::Const(c))) => c.word(),
                    _ => n.text.clone(),
                },
            },
            _ => self.constant(e, s).map_or_else(|_| String::new(), |c| c.word()),
        }
    }

    /// `index(reviews)`: which member an example belongs to.
    pub(super) fn family_index(&mut self, name: &'a Ident, args: &'a [Arg], s: &Scope<'a>) -> Val<'a> {
        let [arg] = args else {
            let d = Diagnostic::new(codes::MISSING_ARGUMENT, name.span, "`index` takes one family of data sets");
            return self.fail(s, d.help("write `index(reviews)`"));
        };
        let on = match self.eval(&arg.value, s) {
            Val::Data(on) if matches!(on.example, Example::Union(..)) => on,
            Val::Error => return Val::Error,
            _ => {
                let d = Diagnostic::new(codes::WRONG_KIND, arg.value.span, "`index` takes a family of data sets");
                return self.fail(s, d.help("a family is declared inside a `for`, and named without an index"));
            }
        };
        let family = on.example.name().to_string();
        let words: Vec<String> = on
            .example
            .members()
            .iter()
            .map(|d| {
                let full = &self.datasets[d.0].name;
                full.strip_prefix(&format!("{family}.")).unwrap_or(full).to_string()
            })
            .collect();
        let space = self.space(&family, SpaceSource::List(words));
        Val::Node(self.plain("index", vec![], Attrs::new(), Ty::Label(on, space), name.span))
    }

    fn let_value(&mut self, symbol: &Symbol<'a>, member: usize, span: Span) -> Val<'a> {
        let ItemKind::Let(l) = &symbol.item.kind else { return Val::Error };
        let first = &l.names[0].name.text;
        let key = Key { name: first, member, head: false };
        let value = self.evaluate(key, span, |c| {
            let scope = c.item_scope(symbol, member, first);
            c.eval(&l.value, &scope)
        });
        let value = self.part_of(value, l, symbol.part, &Scope::default());
        self.note(symbol.span, &value);
        value
    }

    fn part_of(&mut self, value: Val<'a>, l: &'a Let, part: usize, s: &Scope<'a>) -> Val<'a> {
        if !l.tuple {
            return match value {
                Val::Func(_) => {
                    let d = Diagnostic::new(
                        codes::NOT_A_VALUE,
                        l.value.span,
                        "this is a function that still waits for its input, not a value",
                    )
                    .help("write `layer` instead of `let` to name a function");
                    self.fail(s, d)
                }
                other => other,
            };
        }
        match value {
            Val::Tuple(parts) if parts.len() == l.names.len() => parts[part].clone(),
            Val::Error => Val::Error,
            Val::Tuple(parts) => {
                let message = format!("{} names take a tuple of {} apart", l.names.len(), parts.len());
                let d = Diagnostic::new(codes::WRONG_INPUT, l.value.span, message);
                self.fail(s, d.help(format!("write {} names between the parentheses", parts.len())))
            }
            _ => {
                let message = "this is no tuple, so it cannot be taken apart";
                let d = Diagnostic::new(codes::WRONG_INPUT, l.value.span, message);
                self.fail(s, d.help("write `let name = …`, without parentheses around the name"))
            }
        }
    }

    /// The scope of an item's body: its loop names, and itself as the owner of what is inline.
    pub(super) fn item_scope(&self, symbol: &Symbol<'a>, member: usize, name: &str) -> Scope<'a> {
        if !symbol.is_family() {
            return Scope { owner: Some(name.into()), ..Scope::default() };
        }
        let loops: LiteMap<String, String> = symbol.family.members.get(member).cloned().unwrap_or_default();
        let mut owner = name.to_string();
        for word in symbol.words(member) {
            owner.push('.');
            owner.push_str(&word);
        }
        Scope { loops, owner: Some(owner.into()), ..Scope::default() }
    }

    /// Evaluates an item once; meeting it again while it is open is a cycle.
    pub(super) fn evaluate(&mut self, key: Key<'a>, span: Span, f: impl FnOnce(&mut Self) -> Val<'a>) -> Val<'a> {
        match self.memo.get(&key) {
            Some(State::Done(value)) => return value.clone(),
            Some(State::Open) => {
                self.report_cycle(key, span);
                return Val::Error;
            }
            None => {}
        }
        self.memo.insert(key, State::Open);
        self.stack.push((key, span));
        let value = f(self);
        self.stack.pop();
        self.memo.insert(key, State::Done(value.clone()));
        value
    }

    fn report_cycle(&mut self, key: Key<'a>, span: Span) {
        let Some(start) = self.stack.iter().position(|(k, _)| *k == key) else { return };
        let names: Vec<&str> = self.stack[start..].iter().map(|(k, _)| k.name).collect();
        let mut edges: Vec<(Span, String)> = Vec::new();
        for (i, (k, at)) in self.stack[start..].iter().enumerate().skip(1) {
            edges.push((*at, format!("'{}' reads '{}'", names[i - 1], k.name)));
        }
        edges.push((span, format!("'{}' reads '{}'", names[names.len() - 1], key.name)));
        edges.sort();
        let message = match names.as_slice() {
            [one] => format!("'{one}' reads itself"),
            _ => format!(
                "a cycle: {} and '{}' read each other",
                quoted(&names[..names.len() - 1]),
                names[names.len() - 1]
            ),
        };
        let mut edges = edges.into_iter();
        let Some((at, label)) = edges.next() else { return };
        let mut d = Diagnostic::new(codes::CYCLE, at, message).label(label);
        for (at, label) in edges {
            d = d.also(at, label);
        }
        self.error(d.help("cut one of these edges; for mutual refinement use `repeat(n, f)`, and to read a state one step before, `reads:`"));
    }

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

fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
}

fn inputs_word(n: usize) -> String {
    if n == 1 { "1 input".into() } else { format!("{n} inputs") }
}
