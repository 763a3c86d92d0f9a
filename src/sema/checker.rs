//! The checker's state, and what operations ask of it while they type and lower a call.

use rustc_hash::{FxHashMap, FxHashSet};
use std::path::PathBuf;
use std::rc::Rc;

use super::call::{Bound, Call, Checked, Reported, Scope, TaskId, Val};
use super::consts::Const;
use super::graph::{Graph, Node, NodeId, ParamId, Site, SpaceSource, Spaces};
use super::model::{Balance, LossData, StagePlaces, TaskData};
use super::symbols::{Symbol, Symbols};
use super::types::{DataId, Example, On, Shown, SpaceId, Symbol as WidthSymbol, Ty, Width, show_width};
use crate::data::pretrained::Find;
use crate::data::spec::DataSpec;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Attrs, Init};
use crate::source::{SourceMap, Span};

/// Everything known while a program is checked.
pub struct Checker<'a> {
    /// The texts.
    pub sources: &'a SourceMap,
    /// Finds pretrained encoders.
    pub find: &'a dyn Find,
    /// The folders of the trained runs that it uses, by name.
    pub run_folders: FxHashMap<String, PathBuf>,
    /// Declared names.
    pub symbols: Symbols<'a>,
    /// Names in slices that did not parse.
    pub tolerated: FxHashSet<String>,
    /// Values and parameters.
    pub graph: Graph,
    /// Label spaces.
    pub spaces: Spaces,
    /// Data sets that were checked, by position.
    pub datasets: Vec<DataSpec>,
    /// Name, member and example axis of each data set, by position.
    pub declared: Vec<(&'a str, usize, Example)>,
    /// Positions of data sets by name and member; `None` for one with mistakes.
    pub data_at: FxHashMap<(&'a str, usize), DataId>,
    /// Fields with mistakes, which nothing more is said about.
    pub broken_fields: FxHashSet<(DataId, String)>,
    /// Tasks in the order met.
    pub tasks: Vec<TaskData<'a>>,
    /// Tasks of trained runs that the program uses, which it does not train.
    pub taught: Vec<TaskData<'a>>,
    /// Loss items.
    pub losses: Vec<LossData<'a>>,
    /// Results and open evaluations of items.
    pub(super) memo: FxHashMap<Key<'a>, State<'a>>,
    /// An item that is checked for a member of a `for`, and that member.
    pub(super) expanding: Option<(Span, Span)>,
    /// Items being evaluated, each with the reference that led to it.
    pub(super) stack: Vec<(Key<'a>, Span)>,
    /// Layers applied to nodes before.
    pub(super) applied: FxHashMap<(&'a str, usize, Vec<NodeId>), Val<'a>>,
    /// Recurrent cells whose reading of another's state is being found, the outermost first.
    pub cells: Vec<super::coupling::Cell<'a>>,
    /// The states of cells that read each other, by the layers that end with them.
    pub(super) coupled: FxHashMap<super::coupling::Applied<'a>, NodeId>,
    /// Layers and recipes whose bodies were evaluated.
    pub(super) visited: FxHashSet<&'a str>,
    /// The ways to balance that are asked for.
    pub(super) balances: Vec<Balance>,
    /// Where each stage says how it is trained.
    pub(super) stage_places: Vec<StagePlaces>,
    /// Errors that say only that this build does not train in a way yet.
    pub(super) not_yet: usize,
    /// The value of each expression, and of each name that a `let` or parameter gives, by place.
    pub(super) noted: Vec<(Span, NodeId)>,
    /// The task whose draws are being rewarded: its figures are those of what it draws.
    pub rewarded: Option<TaskId>,
    /// Whether everything that makes parameters was evaluated.
    pub(super) params_made: bool,
    /// `--set` values.
    pub overrides: FxHashMap<String, Const>,
    /// Mistakes.
    pub diagnostics: Vec<Diagnostic>,
}

/// What is being evaluated: an item's member, or the head alone of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// Name of the item.
    pub name: &'a str,
    /// Position in its family.
    pub member: usize,
    /// Only what a task declares, not what it reads.
    pub head: bool,
}

/// How far an evaluation has come.
#[derive(Clone, Debug)]
pub enum State<'a> {
    /// Begun.
    Open,
    /// Finished.
    Done(Val<'a>),
}

impl<'a> Checker<'a> {
    /// A type as the language writes it.
    pub fn show(&self, ty: &Ty) -> String {
        let names = |s| self.symbol_name(s);
        Shown { ty, names: &names }.to_string()
    }

    /// A width as text.
    pub fn show_width(&self, width: &Width) -> String {
        show_width(width, &|s| self.symbol_name(s))
    }

    fn symbol_name(&self, symbol: WidthSymbol) -> String {
        match symbol {
            WidthSymbol::Space(id) => format!("|{}|", self.spaces.all[id.0].name),
            WidthSymbol::Vocab(id) => format!("|{}|", self.graph.vocabs[id.0].name),
            WidthSymbol::Encoder(id) => format!("|{}|", self.graph.encoders[id.0].name),
        }
    }

    // ---- what operations ask about their inputs ----

    /// The node given as input `i`.
    pub fn node(&mut self, call: &Call<'a>, i: usize) -> Checked<NodeId> {
        let Some((value, span)) = call.inputs.get(i) else {
            let name = call.op.signature().inputs.get(i).map_or("input", |i| i.name);
            let message = format!("'{}' needs its input '{name}'", call.name());
            return Err(self.error_in(&call.scope, Diagnostic::new(codes::MISSING_ARGUMENT, call.span, message)));
        };
        self.value_node(value, *span, &call.scope)
    }

    /// The node that a value is, or an error that says what it is instead.
    pub fn value_node(&mut self, value: &Val<'a>, span: Span, scope: &Scope<'a>) -> Checked<NodeId> {
        let (what, help) = match value {
            Val::Node(id) if *self.graph.ty(*id) == Ty::Error => return Err(Reported),
            Val::Node(id) => return Ok(*id),
            Val::Error => return Err(Reported),
            Val::Const(c) if c.number().is_some() => return Ok(self.number(c.number().unwrap_or_default(), span)),
            Val::Const(c) => (c.noun().to_string(), None),
            Val::Tuple(_) => ("a tuple".into(), Some("take it apart with `let (a, b) = …`".to_string())),
            Val::Func(_) => {
                ("a function that still waits for its input".into(), Some("give it one with `x |> …`".into()))
            }
            Val::Task(t) | Val::Applied(t, _) => {
                let name = self.task(*t).name.clone();
                ("a task".into(), Some(format!("name one of its outputs, such as `{name}.probs` or `{name}.label`")))
            }
            Val::Tasks(_) => ("a family of tasks".into(), Some("name one of its outputs, such as `.probs`".into())),
            Val::Data(on) => ("a data set".into(), Some(format!("name one of its fields: `{}.…`", on.example.name()))),
            Val::Top(..) => {
                ("a set of candidates".into(), Some("name what you need of them, such as `.hidden`".into()))
            }
        };
        let mut d = Diagnostic::new(codes::NOT_A_VALUE, span, format!("this is {what}, where a value is needed"));
        d.help = help;
        Err(self.error_in(scope, d))
    }

    fn number(&mut self, value: f64, span: Span) -> NodeId {
        let attrs = Attrs::from_iter([("value".to_string(), Attr::Float(value))]);
        self.plain("number", vec![], attrs, Ty::Scalar, span)
    }

    /// Input `i` as vectors: labels become one-hot.
    pub fn vector(&mut self, call: &Call<'a>, i: usize) -> Checked<(NodeId, On, Width)> {
        let node = self.node(call, i)?;
        self.as_vector(node, call.inputs[i].1, call.span, call.name(), &call.scope)
    }

    /// A node as vectors, for the operation `user` written at `at`.
    pub fn as_vector(
        &mut self,
        node: NodeId,
        span: Span,
        at: Span,
        user: &str,
        scope: &Scope<'a>,
    ) -> Checked<(NodeId, On, Width)> {
        match self.graph.ty(node).clone() {
            Ty::Vector(on, width) => Ok((node, on, width)),
            Ty::Label(on, space) => {
                let width = Width::from(space);
                let ty = Ty::Vector(on.clone(), width.clone());
                Ok((self.plain("one_hot", vec![node], Attrs::new(), ty, span), on, width))
            }
            Ty::Error => Err(Reported),
            other => {
                let shown = self.show(&other);
                let message = format!("'{user}' reads vectors, and this is {} ({shown})", other.noun());
                let mut d = Diagnostic::new(codes::WRONG_INPUT, at, message).also(span, format!("this is {shown}"));
                if let Ty::Tokens(_) = other {
                    d = d.help("turn words into vectors first, with `embed(64)` or `chars(50, cnn)`");
                }
                Err(self.error_in(scope, d))
            }
        }
    }

    /// Input `i` as words.
    pub fn tokens(&mut self, call: &Call<'a>, i: usize) -> Checked<(NodeId, On)> {
        let node = self.node(call, i)?;
        match self.graph.ty(node).clone() {
            Ty::Tokens(on) => Ok((node, on)),
            Ty::Error => Err(Reported),
            other => {
                let shown = self.show(&other);
                let message = format!("'{}' reads text, and this is {} ({shown})", call.name(), other.noun());
                let mut d = Diagnostic::new(codes::WRONG_INPUT, call.span, message)
                    .also(call.inputs[i].1, format!("this is {shown}"));
                if let Ty::Vector(..) = other {
                    d = d.help("words are turned into vectors once; give it a text, or leave it out");
                }
                Err(self.error_in(&call.scope, d))
            }
        }
    }

    /// The innermost axis below the examples, which the operation needs.
    pub fn axis(&mut self, call: &Call<'a>, i: usize, on: &On) -> Checked<Rc<str>> {
        if let Some(axis) = on.inner() {
            return Ok(axis.clone());
        }
        let shown = format!("{}, one vector for each example", on.example.name());
        let message = format!("'{}' runs along tokens, and its input has no token axis", call.name());
        let d = Diagnostic::new(codes::AXIS_MISMATCH, call.span, message)
            .also(call.inputs.get(i).map_or(call.span, |x| x.1), format!("this is {shown}"))
            .help("leave out the pooling before it, or this layer");
        Err(self.error_in(&call.scope, d))
    }

    /// The places where all these values can meet: a missing axis is repeated.
    pub fn meet(&mut self, parts: &[(On, Span)], at: Span, scope: &Scope<'a>) -> Checked<On> {
        let mut met = On::free();
        let mut met_at = at;
        for (on, span) in parts {
            if on.example == Example::Free {
                continue;
            }
            if met.example == Example::Free {
                (met, met_at) = (on.clone(), *span);
                continue;
            }
            if on.example != met.example {
                return Err(self.examples_differ((&met, met_at), (on, *span), at, scope));
            }
            let (long, short) = if on.axes.len() > met.axes.len() { (on, &met) } else { (&met, on) };
            if !long.axes.starts_with(&short.axes) {
                return Err(self.axes_differ((&met, met_at), (on, *span), at, scope));
            }
            if on.axes.len() > met.axes.len() {
                (met, met_at) = (on.clone(), *span);
            }
        }
        Ok(met)
    }

    fn examples_differ(&mut self, a: (&On, Span), b: (&On, Span), at: Span, scope: &Scope<'a>) -> Reported {
        let (x, y) = (a.0.example.name(), b.0.example.name());
        let message = format!("values of different data sets meet: '{x}' and '{y}'");
        let d = Diagnostic::new(codes::EXAMPLE_MISMATCH, at, message)
            .also(a.1, format!("an example of '{x}'"))
            .also(b.1, format!("an example of '{y}'"))
            .help("only values of the same examples can be combined; apply a shared layer, or a task's head `t(x)`, to each data set instead");
        self.error_in(scope, d)
    }

    fn axes_differ(&mut self, a: (&On, Span), b: (&On, Span), at: Span, scope: &Scope<'a>) -> Reported {
        let axis = |on: &On| on.axes.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(", ");
        let (x, y) = (axis(a.0), axis(b.0));
        let message = format!("values along different axes meet: '{x}' and '{y}'");
        let d = Diagnostic::new(codes::AXIS_MISMATCH, at, message)
            .also(a.1, format!("runs along '{x}'"))
            .also(b.1, format!("runs along '{y}'"))
            .help("pool one of them with `mean_pool`, let one look at the other with `attend(query, memory)`, or put them end to end with `join`");
        self.error_in(scope, d)
    }

    /// The node repeated along the axes it lacks to stand on the places of `like`.
    pub fn align(&mut self, node: NodeId, like: NodeId, span: Span) -> NodeId {
        let Some(on) = self.graph.ty(like).on().cloned() else { return node };
        match self.graph.ty(node).clone() {
            Ty::Vector(have, width) if have != on => {
                self.plain("repeat_rows", vec![node, like], Attrs::new(), Ty::Vector(on, width), span)
            }
            Ty::Label(have, space) if have != on => {
                self.plain("repeat_rows", vec![node, like], Attrs::new(), Ty::Label(on, space), span)
            }
            _ => node,
        }
    }

    // ---- what operations make ----

    /// A parameter that belongs to the call, `reader.bilstm.w_ih`.
    pub fn param(&mut self, call: &Call<'a>, name: &str, shape: Vec<Width>, init: Init) -> Checked<ParamId> {
        let path = format!("{}.{name}", self.graph.path(&call.site, call.name()));
        self.param_at(path, shape, init, call.span, &call.scope)
    }

    /// A parameter of a stated path.
    pub fn param_at(
        &mut self,
        path: String,
        shape: Vec<Width>,
        init: Init,
        span: Span,
        scope: &Scope<'a>,
    ) -> Checked<ParamId> {
        match self.graph.param(&path, shape, init, span) {
            Ok(id) => Ok(id),
            Err((known, shape)) => {
                let show = |c: &Self, s: &[Width]| s.iter().map(|w| c.show_width(w)).collect::<Vec<_>>().join(" x ");
                let (old, new) = (show(self, &known.shape), show(self, &shape));
                let message =
                    format!("'{}' is shared by inputs of different widths: {old} there, {new} here", known.name);
                let d = Diagnostic::new(codes::WIDTH_MISMATCH, known.span, message)
                    .help("bring the inputs to one width with `linear(d)` before they reach the shared layer");
                Err(self.error_in(scope, d))
            }
        }
    }

    /// A node of the call.
    pub fn emit(&mut self, call: &Call<'a>, inputs: Vec<NodeId>, attrs: Attrs, params: Vec<ParamId>, ty: Ty) -> NodeId {
        self.emit_as(call, call.name(), inputs, attrs, params, ty)
    }

    /// A node of the call that another operation of the table computes.
    pub fn emit_as(
        &mut self,
        call: &Call<'a>,
        op: &'static str,
        inputs: Vec<NodeId>,
        attrs: Attrs,
        params: Vec<ParamId>,
        ty: Ty,
    ) -> NodeId {
        let path = self.graph.path(&call.site, call.name());
        let path = if params.is_empty() { call.scope.owner.clone().unwrap_or(path) } else { path };
        self.graph.add(Node { op, inputs, attrs, params, ty, span: call.span, path, draw: None, vocab: None })
    }

    /// A node whose value is drawn anew in every training step.
    pub fn emit_random(
        &mut self,
        call: &Call<'a>,
        op: &'static str,
        inputs: Vec<NodeId>,
        attrs: Attrs,
        ty: Ty,
    ) -> NodeId {
        let path = call.scope.owner.clone().unwrap_or_default();
        let draw = Some(call.site.clone());
        self.graph.add(Node { op, inputs, attrs, params: vec![], ty, span: call.span, path, draw, vocab: None })
    }

    /// A node without parameters that belongs to no call.
    pub fn plain(&mut self, op: &'static str, inputs: Vec<NodeId>, attrs: Attrs, ty: Ty, span: Span) -> NodeId {
        self.graph.add(Node { op, inputs, attrs, params: vec![], ty, span, path: "".into(), draw: None, vocab: None })
    }

    /// The site of something written at `span`.
    pub fn site(&self, scope: &Scope<'a>, span: Span) -> Site {
        let chain = scope.chain.iter().copied().chain([(span.file.0, span.start)]).collect();
        Site { owner: scope.owner.clone().unwrap_or_default(), chain }
    }

    /// Whether the source reads `text` at a span; names in messages are only as good as this.
    pub fn is_text(&self, span: Span, text: &str) -> bool {
        self.sources.text(span) == text
    }

    /// The label space of a list of words, or of fields.
    pub fn space(&mut self, name: &str, from: SpaceSource) -> SpaceId {
        self.spaces.get(name, from)
    }

    /// A task of the program, or of a run that it uses.
    pub fn task(&self, id: TaskId) -> &TaskData<'a> {
        if id.is_of_run() { &self.taught[id.0 - TaskId::OF_RUNS] } else { &self.tasks[id.0] }
    }

    pub(super) fn task_mut(&mut self, id: TaskId) -> &mut TaskData<'a> {
        if id.is_of_run() { &mut self.taught[id.0 - TaskId::OF_RUNS] } else { &mut self.tasks[id.0] }
    }

    /// The id of the task that is declared next.
    pub(super) fn next_task(&self, symbol: &Symbol<'a>) -> TaskId {
        TaskId(if symbol.is_of_run() { TaskId::OF_RUNS + self.taught.len() } else { self.tasks.len() })
    }

    /// A call of an operation from inside another's lowering, on a node.
    pub fn sub_call(
        &self,
        call: &Call<'a>,
        op: &'static dyn crate::ops::Operation,
        inputs: Vec<NodeId>,
        part: u32,
    ) -> Call<'a> {
        let chain = call.site.chain.iter().copied().chain([(u32::MAX, part)]).collect();
        Call {
            op,
            inputs: inputs.into_iter().map(|n| (Val::Node(n), call.span)).collect(),
            waiting: false,
            args: Bound::none(op.signature()),
            span: call.span,
            site: Site { owner: call.site.owner.clone(), chain },
            scope: call.scope.clone(),
        }
    }
}
