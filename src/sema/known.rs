//! What checking learned about a program, whether or not it is sound: for editors, which ask while
//! there are mistakes in it.

use rustc_hash::FxHashMap;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::call::TaskId;
use super::checker::Checker;
use super::graph::{Graph, NodeId, ParamId, Space};
use super::model::{Built, Model};
use super::types::{Shown, Symbol, Ty, Width};
use crate::data::spec::DataSpec;
use crate::ops::TaskKind;
use crate::source::Span;

/// Types, parameters and tasks of a program.
#[derive(Debug, Default)]
pub struct Known {
    /// Values and parameters.
    pub graph: Rc<Graph>,
    /// Label spaces.
    pub spaces: Vec<Space>,
    /// Data sets.
    pub datasets: Vec<DataSpec>,
    /// Tasks; one with a mistake has nothing built.
    pub tasks: Vec<KnownTask>,
    noted: Vec<(Span, NodeId)>,
    at: OnceCell<FxHashMap<Span, Vec<NodeId>>>,
}

/// A task as far as it is known.
#[derive(Debug)]
pub struct KnownTask {
    /// `intent`, or `sentiment.books`.
    pub name: String,
    /// Its kind.
    pub kind: &'static dyn TaskKind,
    /// What it computes.
    pub built: Option<Built>,
    /// Tasks whose outputs it reads.
    pub reads: Vec<TaskId>,
    /// The name in its declaration.
    pub span: Span,
}

impl KnownTask {
    fn roots(&self) -> impl Iterator<Item = NodeId> {
        self.built.iter().flat_map(|b| [Some(b.logits), Some(b.label), b.loss].into_iter().flatten())
    }
}

impl Known {
    /// Takes what a checker knows; `model` has taken the graph and data sets of a sound program.
    pub(super) fn of(c: &mut Checker<'_>, model: Option<&Model>, reads: Vec<Vec<TaskId>>) -> Self {
        let task = |(t, reads): (&super::model::TaskData<'_>, Vec<TaskId>)| KnownTask {
            name: t.name.clone(),
            kind: t.kind,
            built: t.built.clone(),
            reads,
            span: t.span,
        };
        Self {
            tasks: c.tasks.iter().zip(reads).map(task).collect(),
            graph: model.map_or_else(|| Rc::new(std::mem::take(&mut c.graph)), |m| m.graph.clone()),
            datasets: model.map_or_else(|| std::mem::take(&mut c.datasets), |m| m.datasets.clone()),
            spaces: std::mem::take(&mut c.spaces.all),
            noted: std::mem::take(&mut c.noted),
            at: OnceCell::new(),
        }
    }

    /// The values of what is written at a place: several where it stands for several, as in a
    /// `for` or in a layer that is applied more than once.
    pub fn values_at(&self, span: Span) -> &[NodeId] {
        self.at.get_or_init(|| by_place(&self.noted)).get(&span).map_or(&[], Vec::as_slice)
    }

    /// The different types of what is written at a place, as the language writes them.
    pub fn types_at(&self, span: Span) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        let values = self.values_at(span).iter().filter(|n| *self.graph.ty(**n) != Ty::Error);
        for shown in values.map(|n| self.shown(*n)) {
            if !types.contains(&shown) {
                types.push(shown);
            }
        }
        types
    }

    /// The type of a value, as the language writes it.
    pub fn shown(&self, node: NodeId) -> String {
        let names = |s| self.symbol_name(s);
        Shown { ty: self.graph.ty(node), names: &names }.to_string()
    }

    /// `|atis.intent|`.
    pub fn symbol_name(&self, symbol: Symbol) -> String {
        match symbol {
            Symbol::Space(id) => format!("|{}|", self.spaces[id.0].name),
            Symbol::Vocab(id) => format!("|{}|", self.graph.vocabs[id.0].name),
            Symbol::Encoder(id) => format!("|{}|", self.graph.encoders[id.0].name),
        }
    }

    /// The parameters whose paths begin with one of `paths`.
    pub fn params_below(&self, paths: &[String]) -> BTreeSet<ParamId> {
        let below = |name: &str, path: &String| {
            name.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let params = self.graph.params.iter().enumerate();
        params.filter(|(_, p)| paths.iter().any(|path| below(&p.name, path))).map(|(i, _)| ParamId(i)).collect()
    }

    /// The parameters that a task's prediction and loss are computed with.
    pub fn params_of(&self, task: &KnownTask) -> BTreeSet<ParamId> {
        let (mut seen, mut params) = (vec![false; self.graph.nodes.len()], BTreeSet::new());
        let mut open: Vec<NodeId> = task.roots().collect();
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id.0], true) {
                let node = self.graph.node(id);
                params.extend(&node.params);
                open.extend(&node.inputs);
            }
        }
        params
    }

    /// The tasks that compute with any of these parameters.
    pub fn users(&self, params: &BTreeSet<ParamId>) -> Vec<&KnownTask> {
        self.tasks.iter().filter(|t| !self.params_of(t).is_disjoint(params)).collect()
    }

    /// How many numbers parameters hold.
    pub fn size(&self, params: impl IntoIterator<Item = ParamId>) -> Size {
        let mut size = Size::default();
        for id in params {
            size.add(&self.graph.params[id.0].shape);
        }
        size
    }
}

fn by_place(noted: &[(Span, NodeId)]) -> FxHashMap<Span, Vec<NodeId>> {
    let mut at: FxHashMap<Span, Vec<NodeId>> = FxHashMap::default();
    for (span, node) in noted {
        let nodes = at.entry(*span).or_default();
        if !nodes.contains(node) {
            nodes.push(*node);
        }
    }
    at
}

/// A number of numbers, of which a part is known only once data is read: each product of symbols
/// with how often it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size(pub BTreeMap<Vec<Symbol>, usize>);

impl Size {
    /// Adds a tensor of this shape.
    fn add(&mut self, shape: &[Width]) {
        let one = BTreeMap::from([(Vec::new(), 1)]);
        let product = shape.iter().fold(one, |terms, width| times(&terms, width));
        for (symbols, n) in product {
            *self.0.entry(symbols).or_default() += n;
        }
    }
}

fn times(terms: &BTreeMap<Vec<Symbol>, usize>, width: &Width) -> BTreeMap<Vec<Symbol>, usize> {
    let mut product: BTreeMap<Vec<Symbol>, usize> = BTreeMap::new();
    let factors = width.symbols.iter().map(|(s, n)| (Some(*s), *n)).chain([(None, width.fixed)]);
    for (symbol, factor) in factors.filter(|(_, n)| *n > 0) {
        for (symbols, n) in terms {
            let mut symbols: Vec<Symbol> = symbols.iter().copied().chain(symbol).collect();
            symbols.sort();
            let sum = product.entry(symbols).or_default();
            *sum = sum.saturating_add(n.saturating_mul(factor));
        }
    }
    product
}
