//! What checking gives: the program as a typed graph with its tasks, losses and training.

use std::rc::Rc;

use super::call::{Bound, TaskId};
use super::graph::{Graph, NodeId, ParamId, Site, Space};
use super::types::{On, SpaceId, Width};
use crate::data::spec::DataSpec;
use crate::ops::TaskKind;
use crate::plan::{MetricPlan, RunPlan, TrainPlan};
use crate::source::Span;

/// A task.
#[derive(Clone, Debug)]
pub struct TaskData<'a> {
    /// Name of the item and position in its family.
    pub declared: (&'a str, usize),
    /// `intent`, or `sentiment.books` for a member of a family.
    pub name: String,
    /// Its family.
    pub family: Option<String>,
    /// `classify`, `tag`, …
    pub kind: &'static dyn TaskKind,
    /// What its head is, without what it reads.
    pub head: Head<'a>,
    /// What it computes; `None` until it was evaluated, or when that failed.
    pub built: Option<Built>,
    /// The name in its declaration.
    pub span: Span,
    /// Settings that every task has.
    pub settings: Bound<'a>,
    /// Factor of its loss.
    pub weight: f64,
    /// The loop names around it.
    pub scope: super::call::Scope<'a>,
}

/// A task's head: what `t(x)` and `head: t` take over.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// What makes its parameters its own.
    pub site: Site,
    /// Path of its parameters: `slots.head`.
    pub path: String,
    /// Settings of the kind.
    pub settings: Bound<'a>,
    /// The gold, when the task has one and it is well typed.
    pub gold: Option<(NodeId, Span)>,
    /// Its label space.
    pub space: Option<SpaceId>,
    /// What `over` sums its places by.
    pub over: Option<(NodeId, Span)>,
    /// `softmax`, `crf`, `mse`, …
    pub form: &'static str,
    /// The loop names around it.
    pub scope: super::call::Scope<'a>,
}

/// The nodes of a task.
#[derive(Clone, Debug)]
pub struct Built {
    /// Places of its predictions.
    pub on: On,
    /// What the last projection reads.
    pub hidden: NodeId,
    /// Width of `hidden`.
    pub width: Width,
    /// What the head gives.
    pub logits: NodeId,
    /// Probabilities of each label, where the head has them.
    pub probs: Option<NodeId>,
    /// The prediction at each place.
    pub label: NodeId,
    /// The gold at the places of the prediction.
    pub gold: Option<NodeId>,
    /// Loss of each example, `[B, 1]`.
    pub loss: Option<NodeId>,
}

/// A `loss` item.
#[derive(Clone, Debug)]
pub struct LossData<'a> {
    /// Its name, with the member.
    pub name: String,
    /// The scalar, or a value for each example.
    pub node: NodeId,
    /// Factor.
    pub weight: f64,
    /// Its settings.
    pub settings: Bound<'a>,
    /// The loop names around it.
    pub scope: super::call::Scope<'a>,
    /// The name in its declaration.
    pub span: Span,
}

/// A checked program.
#[derive(Debug)]
pub struct Model {
    /// Stem of the file.
    pub name: String,
    /// Data sets.
    pub datasets: Vec<DataSpec>,
    /// Label spaces.
    pub spaces: Vec<Space>,
    /// Values, parameters and vocabularies.
    pub graph: Rc<Graph>,
    /// Tasks without mistakes, in the order met.
    pub tasks: Vec<ModelTask>,
    /// Loss items.
    pub losses: Vec<ModelLoss>,
    /// Metric items.
    pub metrics: Vec<MetricPlan>,
    /// Training; indices of tasks and losses are positions in the lists above, those of
    /// parameters positions in the graph's.
    pub train: TrainPlan,
    /// Where each stage says how it is trained.
    pub stage_places: Vec<StagePlaces>,
    /// The ways to balance that are asked for.
    pub balances: Vec<Balance>,
    /// Trained runs that it uses.
    pub runs: Vec<RunPlan>,
    /// Operations that this build checks but does not run, with their places.
    pub not_run: Vec<(String, Span)>,
}

/// Where a stage says how it is trained, itself or the `train` block for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct StagePlaces {
    /// The value of `sample`.
    pub sample: Option<Span>,
    /// The value of `batch`.
    pub batch: Option<Span>,
}

impl StagePlaces {
    /// Those of a block, over those that it inherits.
    pub fn of(block: &Bound<'_>, inherited: &Self) -> Self {
        Self { sample: block.span("sample").or(inherited.sample), batch: block.span("batch").or(inherited.batch) }
    }
}

/// A way to balance that a block asks for.
#[derive(Clone, Debug)]
pub struct Balance {
    /// Its word.
    pub word: &'static str,
    /// Where it stands.
    pub at: Span,
    /// The tasks that it would balance.
    pub tasks: Vec<usize>,
}

/// A task of a checked program.
#[derive(Clone, Debug)]
pub struct ModelTask {
    /// `intent`, or `sentiment.books`.
    pub name: String,
    /// Its family.
    pub family: Option<String>,
    /// Name of its kind.
    pub kind: &'static str,
    /// What it computes.
    pub built: Built,
    /// Label space.
    pub space: Option<SpaceId>,
    /// `softmax`, `crf`, `mse`, …
    pub head: String,
    /// Whether each place votes.
    pub vote: bool,
    /// Factor of its loss.
    pub weight: f64,
    /// Learning rate of its own parameters.
    pub lr: Option<f64>,
    /// Only these get its gradient.
    pub updates: Option<Vec<ParamId>>,
    /// Metrics, the main one first.
    pub metrics: Vec<String>,
    /// Whether the labels decide which metric is the main one.
    pub main_is_auto: bool,
    /// Share above which `multilabel` predicts a label.
    pub threshold: f64,
    /// How many members of a ranking `recall_at_k` looks at.
    pub k: usize,
    /// Tasks whose outputs it reads.
    pub reads: Vec<TaskId>,
    /// The name in its declaration.
    pub span: Span,
}

/// A loss item of a checked program.
#[derive(Clone, Debug)]
pub struct ModelLoss {
    /// Its name.
    pub name: String,
    /// The scalar, or a value for each example.
    pub node: NodeId,
    /// Factor.
    pub weight: f64,
    /// Only these get its gradient.
    pub updates: Option<Vec<ParamId>>,
    /// The name in its declaration.
    pub span: Span,
}

impl Model {
    fn shown(&self, node: NodeId) -> String {
        use super::types::{Shown, Symbol};
        let names = |s| match s {
            Symbol::Space(id) => format!("|{}|", self.spaces[id.0].name),
            Symbol::Vocab(id) => format!("|{}|", self.graph.vocabs[id.0].name),
            Symbol::Encoder(id) => format!("|{}|", self.graph.encoders[id.0].name),
        };
        Shown { ty: self.graph.ty(node), names: &names }.to_string()
    }

    /// The type of what each task reads and gives, a line a task.
    pub fn types_text(&self) -> String {
        let mut text = String::new();
        for task in &self.tasks {
            let (hidden, label) = (self.shown(task.built.hidden), self.shown(task.built.label));
            text.push_str(&format!("task {}: {} reads {hidden}, gives {label}\n", task.name, task.kind));
        }
        for loss in &self.losses {
            text.push_str(&format!("loss {}: {}\n", loss.name, self.shown(loss.node)));
        }
        text
    }

    /// The typed graph, a line a value.
    pub fn graph_text(&self) -> String {
        let mut text = String::new();
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let inputs: Vec<String> = node.inputs.iter().map(|n| format!("%{}", n.0)).collect();
            let path = if node.path.is_empty() { String::new() } else { format!("  // {}", node.path) };
            text.push_str(&format!("%{i} = {}({}): {}{path}\n", node.op, inputs.join(", "), self.shown(NodeId(i))));
        }
        text
    }
}
