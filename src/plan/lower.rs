//! A checked program and the sizes of its data to a plan: unions are taken apart by data set and
//! symbols become numbers. Every task and loss item gets its own copy of all that it reads, and
//! values that nothing reads are written down too: which of them are run is decided by
//! [`super::passes`].

use std::collections::HashMap;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::*;
use crate::data::spec::{SpaceFrom, SpaceSpec, VocabSpec};
use crate::sema::graph::{self, NodeId, ParamId, SpaceSource};
use crate::sema::model::{Model, ModelTask};
use crate::sema::types::{GoldKind, Symbol, Ty};

/// What reading the data has told.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// The labels of each space.
    pub spaces: Vec<Vec<String>>,
    /// The rows of each vocabulary.
    pub vocabs: Vec<usize>,
    /// A length in tokens for each data set that few of its train texts pass.
    pub lengths: Vec<u32>,
}

impl Sizes {
    fn symbol(&self, symbol: Symbol) -> usize {
        match symbol {
            Symbol::Space(id) => self.spaces.get(id.0).map_or(0, Vec::len),
            Symbol::Vocab(id) => self.vocabs.get(id.0).copied().unwrap_or(0),
            // Of an encoder that was found, the width is a number.
            Symbol::Encoder(_) => 0,
        }
    }
}

/// The label spaces of a program, in the order of its ids.
pub fn space_specs(model: &Model) -> Vec<SpaceSpec> {
    let names = |fields: &[(crate::sema::types::DataId, usize)]| -> Vec<(String, String)> {
        fields.iter().map(|f| field_name(model, *f)).collect()
    };
    let spec = |space: &graph::Space| SpaceSpec {
        name: space.name.clone(),
        from: match &space.from {
            SpaceSource::Fields(f) => SpaceFrom::Fields(names(f)),
            SpaceSource::Bio(f) => SpaceFrom::Bio(names(f)),
            SpaceSource::Grades(f) => SpaceFrom::Grades(names(f)),
            SpaceSource::List(labels) => SpaceFrom::List(labels.clone()),
            SpaceSource::Words(f, min_count) => SpaceFrom::Words { fields: names(f), min_count: *min_count },
        },
    };
    model.spaces.iter().map(spec).collect()
}

/// The vocabularies of a program, in the order of its ids.
pub fn vocab_specs(model: &Model) -> Vec<VocabSpec> {
    let spec = |v: &graph::Vocab| VocabSpec {
        name: v.name.clone(),
        fields: v.fields.iter().map(|f| field_name(model, *f)).collect(),
        chars: v.chars,
        min_count: v.min_count,
        vectors: v.vectors.clone(),
    };
    model.graph.vocabs.iter().map(spec).collect()
}

/// The pretrained encoders of a program; each is found once its data is read.
fn encoder_plans(model: &Model) -> Vec<EncoderPlan> {
    let plan = |e: &graph::Encoder| {
        Some(EncoderPlan { name: e.name.to_string(), checkpoint: (*e.checkpoint.clone()?).clone(), span: e.span })
    };
    model.graph.encoders.iter().filter_map(plan).collect()
}

fn field_name(model: &Model, (data, field): (crate::sema::types::DataId, usize)) -> (String, String) {
    let data = &model.datasets[data.0];
    (data.name.clone(), data.fields[field].name.clone())
}

/// Whether labels are tags of spans: `B-`, `I-` and the like beside `O`.
pub fn is_bio<S: AsRef<str>>(labels: &[S]) -> bool {
    let tag =
        |l: &str| l == "O" || l.split_once('-').is_some_and(|(p, _)| matches!(p, "B" | "I" | "E" | "S" | "L" | "U"));
    labels.iter().all(|l| tag(l.as_ref())) && labels.iter().any(|l| l.as_ref().starts_with("B-"))
}

/// Lowers a program whose data paths are relative to `base`.
pub fn lower(model: &Model, sizes: &Sizes, base: &Path) -> Plan {
    let mut lowering = Lowering {
        model,
        sizes,
        nodes: Vec::new(),
        numbers: Vec::new(),
        made: FxHashMap::default(),
        known: HashMap::new(),
        first: Vec::new(),
        mine: FxHashMap::default(),
        params: Vec::new(),
        param_at: HashMap::new(),
    };
    let tasks: Vec<TaskPlan> = model.tasks.iter().map(|t| lowering.task(t)).collect();
    let (losses, loss_at) = lowering.losses();
    let train = lowering.train(&model.train, &loss_at);
    set_memories(&mut lowering.params, &lowering.nodes, &sizes.lengths);
    lowering.rest();
    let Lowering { nodes, params, .. } = lowering;
    Plan {
        version: VERSION,
        name: model.name.clone(),
        base: base.to_path_buf(),
        passes: Vec::new(),
        datasets: model.datasets.clone(),
        spaces: space_specs(model),
        space_sizes: sizes.spaces.iter().map(Vec::len).collect(),
        vocabs: vocab_specs(model),
        vocab_sizes: sizes.vocabs.clone(),
        params,
        nodes,
        joined: Vec::new(),
        tasks,
        losses,
        metrics: model.metrics.clone(),
        train,
        runs: model.runs.clone(),
        encoders: encoder_plans(model),
    }
}

/// Recurrences over tokens begin with memories of up to twice the length of the texts that they
/// read: over one length, such a unit still keeps e^-½ of what it saw first.
fn set_memories(params: &mut [ParamPlan], nodes: &[Node], lengths: &[u32]) {
    for node in nodes.iter().filter(|node| node.op != "chars") {
        let length = node.data.and_then(|data| lengths.get(data)).map_or(0.0, |length| 2.0 * *length as f32);
        for param in &node.params {
            if let Init::Chrono { steps, .. } = &mut params[*param].init {
                *steps = steps.max(length);
            }
        }
    }
}

struct Lowering<'m> {
    model: &'m Model,
    sizes: &'m Sizes,
    nodes: Vec<Node>,
    /// Each node's number: that of what it computes.
    numbers: Vec<usize>,
    /// The number of each value on each data set.
    made: FxHashMap<(NodeId, Option<usize>), usize>,
    known: HashMap<String, usize>,
    /// The first node of each number.
    first: Vec<usize>,
    /// The node of each number in the task or loss item that is being lowered.
    mine: FxHashMap<usize, usize>,
    params: Vec<ParamPlan>,
    param_at: HashMap<ParamId, usize>,
}

impl Lowering<'_> {
    /// The node of a value on a data set.
    fn node(&mut self, id: NodeId, data: Option<usize>) -> usize {
        let model = self.model;
        let node = model.graph.node(id);
        let data = data.filter(|_| node.ty != Ty::Scalar);
        if let Some(&number) = self.made.get(&(id, data)) {
            return self.copy(number);
        }
        let at = match (node.op, data) {
            ("union", Some(d)) => {
                let has = |i: &NodeId| {
                    let on = model.graph.ty(*i).on();
                    on.is_some_and(|on| on.example.members().iter().any(|m| m.0 == d))
                };
                let member = node.inputs.iter().copied().find(has).unwrap_or(node.inputs[0]);
                let inner = model.graph.node(member);
                if inner.op == "field" && matches!(node.ty, Ty::Label(..)) {
                    // The member's labels as indices of the union's space.
                    self.fresh(&graph::Node { ty: node.ty.clone(), ..inner.clone() }, data)
                } else {
                    self.node(member, data)
                }
            }
            _ => self.fresh(node, data),
        };
        self.made.insert((id, data), self.numbers[at]);
        at
    }

    /// What the task or loss item at hand has of a number, copied from where it was first made.
    fn copy(&mut self, number: usize) -> usize {
        if let Some(&at) = self.mine.get(&number) {
            return at;
        }
        let node = self.nodes[self.first[number]].clone();
        let inputs = node.inputs.iter().map(|input| self.copy(self.numbers[*input])).collect();
        self.push(Node { inputs, ..node }, number)
    }

    fn push(&mut self, node: Node, number: usize) -> usize {
        let at = self.nodes.len();
        self.nodes.push(node);
        self.numbers.push(number);
        self.mine.insert(number, at);
        if number == self.first.len() {
            self.first.push(at);
        }
        at
    }

    /// The values that no task and no loss item has asked for, on each of their data sets.
    fn rest(&mut self) {
        self.mine = self.first.iter().copied().enumerate().collect();
        for id in (0..self.model.graph.nodes.len()).map(NodeId) {
            let ty = self.model.graph.ty(id);
            if *ty == Ty::Scalar {
                self.node(id, None);
            }
            for data in ty.on().map(|on| on.example.members().to_vec()).unwrap_or_default() {
                self.node(id, Some(data.0));
            }
        }
    }

    fn fresh(&mut self, node: &graph::Node, data: Option<usize>) -> usize {
        let inputs: Vec<usize> = node.inputs.iter().map(|i| self.node(*i, data)).collect();
        let params: Vec<usize> = node.params.iter().map(|p| self.param(*p)).collect();
        let mut attrs = node.attrs.clone();
        if let Some(vocab) = node.vocab {
            attrs.insert("vocab".into(), vocab.0.into());
        }
        if let ("field", Ty::Label(_, space) | Ty::Gold(_, _, Some(space))) = (node.op, &node.ty) {
            attrs.insert("space".into(), space.0.into());
        }
        if let ("index", Some(on), Some(d)) = (node.op, node.ty.on(), data) {
            let members = on.example.members();
            attrs.insert("member".into(), members.iter().position(|m| m.0 == d).unwrap_or(0).into());
            attrs.insert("members".into(), members.len().into());
        }
        // Copies of a value draw the same: inputs are named by what they compute.
        let numbers: Vec<usize> = inputs.iter().map(|input| self.numbers[*input]).collect();
        let draw = node.draw.as_ref().map(|site| {
            let name = format!("{}|{:?}|{numbers:?}|{data:?}", site.owner, site.chain);
            let hash = blake3::hash(name.as_bytes());
            u64::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]))
        });
        let key = format!("{}|{numbers:?}|{attrs:?}|{params:?}|{data:?}|{draw:?}", node.op);
        let number = self.known.len();
        let number = *self.known.entry(key).or_insert(number);
        if let Some(&at) = self.mine.get(&number) {
            return at;
        }
        let node = Node {
            op: node.op.into(),
            inputs,
            attrs,
            params,
            data,
            width: self.width(&node.ty),
            ty: self.shown(&node.ty),
            draw,
            train_only: node.op == "train_only" && node.inputs.len() == 1,
            path: node.path.to_string(),
            span: node.span,
        };
        self.push(node, number)
    }

    fn width(&self, ty: &Ty) -> usize {
        match ty {
            Ty::Vector(_, width) => width.resolve(&|s| self.sizes.symbol(s)),
            Ty::Label(_, space) => self.sizes.symbol(Symbol::Space(*space)),
            Ty::Gold(_, GoldKind::Labels | GoldKind::Tree, Some(space)) => self.sizes.symbol(Symbol::Space(*space)),
            _ => 1,
        }
    }

    fn shown(&self, ty: &Ty) -> String {
        let names = |s| match s {
            Symbol::Space(id) => format!("|{}|", self.model.spaces[id.0].name),
            Symbol::Vocab(id) => format!("|{}|", self.model.graph.vocabs[id.0].name),
            Symbol::Encoder(id) => format!("|{}|", self.model.graph.encoders[id.0].name),
        };
        crate::sema::types::Shown { ty, names: &names }.to_string()
    }

    fn param(&mut self, id: ParamId) -> usize {
        if let Some(&at) = self.param_at.get(&id) {
            return at;
        }
        let param = &self.model.graph.params[id.0];
        let shape = param.shape.iter().map(|w| w.resolve(&|s| self.sizes.symbol(s))).collect();
        let at = self.params.len();
        self.params.push(ParamPlan {
            name: param.name.to_string(),
            shape,
            init: param.init.clone(),
            rate: param.rate.map(|rate| rate.factor(self.model.train.stages[0].optimizer.lr())),
            span: param.span,
        });
        self.param_at.insert(id, at);
        at
    }

    fn task(&mut self, task: &ModelTask) -> TaskPlan {
        self.mine.clear();
        let members: Vec<usize> = task.built.on.example.members().iter().map(|d| d.0).collect();
        let b = &task.built;
        let on = members
            .into_iter()
            .map(|data| TaskOn {
                data,
                logits: self.node(b.logits, Some(data)),
                label: self.node(b.label, Some(data)),
                probs: b.probs.map(|n| self.node(n, Some(data))),
                gold: b.gold.map(|n| self.node(n, Some(data))),
                loss: b.loss.map(|n| self.node(n, Some(data))),
            })
            .collect();
        TaskPlan {
            name: task.name.clone(),
            family: task.family.clone(),
            kind: task.kind.into(),
            space: task.space.map(|s| s.0),
            on,
            vote: task.vote,
            head: task.head.clone(),
            weight: task.weight,
            lr: task.lr.map(|lr| lr / self.model.train.stages[0].optimizer.lr().max(f64::MIN_POSITIVE)),
            updates: task.updates.as_ref().map(|u| self.used(u)),
            metrics: self.metrics(task),
            threshold: task.threshold,
            k: task.k,
            reads: task.reads.iter().map(|t| t.0).collect(),
            span: task.span,
        }
    }

    /// Metrics with the main one first; tags in BIO form are measured by spans.
    fn metrics(&self, task: &ModelTask) -> Vec<String> {
        let mut metrics = task.metrics.clone();
        if task.kind != "tag" {
            return metrics;
        }
        let labels = task.space.and_then(|s| self.sizes.spaces.get(s.0));
        let bio = labels.is_some_and(|l| is_bio(l));
        if metrics.first().is_some_and(|m| m == "auto") || task.main_is_auto {
            metrics.sort_by_key(|m| (m == "span_f1") != bio);
        }
        metrics.retain(|m| bio || m != "span_f1");
        metrics
    }

    /// The parameters of a list that the plan has.
    fn used(&mut self, params: &[ParamId]) -> Vec<usize> {
        params.iter().map(|p| self.param(*p)).collect()
    }

    /// Loss items, one for each data set they run on, and where each item's are.
    fn losses(&mut self) -> (Vec<LossPlan>, Vec<Vec<usize>>) {
        let mut plans = Vec::new();
        let mut at = Vec::new();
        for loss in &self.model.losses {
            let members: Vec<Option<usize>> = match self.model.graph.ty(loss.node).on() {
                Some(on) if !on.example.members().is_empty() => {
                    on.example.members().iter().map(|d| Some(d.0)).collect()
                }
                _ => vec![None],
            };
            let mut mine = Vec::new();
            for data in members {
                self.mine.clear();
                mine.push(plans.len());
                let node = self.node(loss.node, data);
                let updates = loss.updates.as_ref().map(|u| self.used(u));
                plans.push(LossPlan {
                    name: loss.name.clone(),
                    data,
                    node,
                    weight: loss.weight,
                    updates,
                    span: loss.span,
                });
            }
            at.push(mine);
        }
        (plans, at)
    }

    /// Training with the plan's own indices of losses and parameters.
    fn train(&self, train: &TrainPlan, loss_at: &[Vec<usize>]) -> TrainPlan {
        let mut train = train.clone();
        let params = |ids: &[usize]| -> Vec<usize> {
            ids.iter().filter_map(|p| self.param_at.get(&ParamId(*p)).copied()).collect()
        };
        let is_of_run = |p: &usize| self.model.runs.iter().any(|run| run.own(&self.params[*p].name).is_some());
        let of_runs: Vec<usize> = (0..self.params.len()).filter(is_of_run).collect();
        for stage in &mut train.stages {
            stage.losses = stage.losses.iter().flat_map(|l| loss_at[*l].iter().copied()).collect();
            stage.freeze = params(&stage.freeze);
            stage.freeze.extend(of_runs.iter().filter(|p| !stage.freeze.contains(p)).copied().collect::<Vec<_>>());
            stage.reset = params(&stage.reset);
        }
        train
    }
}
