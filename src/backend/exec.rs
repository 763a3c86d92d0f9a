//! Runs the nodes of a plan on a batch, or on several of which some layers take all rows at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Result, Tensor, bail};

use super::kernels::crf::Constraint;
use super::kernels::recurrent::Projections;
use super::perturb::Perturbations;
use super::schedule::{Ask, Schedule, Work};
use super::{Grads, Param, Value};
use crate::data::pretrained::pieces::WordPieces;
use crate::data::{Batch, FieldBatch, Lexicon, Schema, View};
use crate::ops;
use crate::plan::passes::names::DEAD_VALUES;
use crate::plan::{Attr, Node, Plan};

pub use super::run::Run;

/// A plan with its parameters, ready to be trained or to predict.
pub struct Program {
    /// What it computes.
    pub plan: Plan,
    /// Its parameters, in the plan's order.
    pub params: Vec<Param>,
    /// The same, which no gradient reaches: nothing is kept for a backward pass.
    pub(super) still: Vec<Param>,
    /// Their gradients.
    pub grads: Arc<Grads>,
    /// Labels and vocabularies.
    pub schema: Schema,
    /// The words of the data.
    pub lexicon: Arc<Lexicon>,
    /// Where tensors live.
    pub device: Device,
    pub(super) constraints: Vec<Option<Constraint>>,
    schedules: Mutex<Schedules>,
    /// What parameters were when the last turn ended, of those that something compares with it.
    pub(super) kept: HashMap<usize, Tensor>,
    /// For label spaces of words, the numbers of their labels, by what asks for them.
    pub(super) listed: Mutex<Lists>,
    /// The tokenizers of pretrained encoders, in the plan's order.
    pub(super) pieces: Vec<Arc<WordPieces>>,
    /// What layers make of tables, if no parameter changes any more.
    pub(super) settled: Option<Projections>,
    /// The nodes that read a value which `perturb` marks.
    pub(super) perturbed: Vec<bool>,
    pub(super) perturbations: Perturbations,
}

/// By space, and the vocabulary whose rows they are, if not those of the lexicon.
type Lists = HashMap<(usize, Option<usize>), Arc<Vec<u32>>>;

/// Schedules by what is asked for and mode.
type Schedules = HashMap<(Vec<Ask>, bool), Arc<Schedule>>;

/// The values of a batch's roots.
pub type Values = HashMap<usize, Value>;

/// A batch, what is asked of it, and the seed of its random operations.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// The nodes whose values are wanted.
    pub roots: &'a [usize],
    /// The seed.
    pub seed: u64,
}

impl Program {
    /// A program over parameters that begin as `params`.
    pub fn new(
        plan: Plan,
        (params, grads): (Vec<Param>, Arc<Grads>),
        schema: Schema,
        lexicon: Arc<Lexicon>,
        device: Device,
    ) -> Self {
        let constraints = schema.spaces.iter().map(|s| Constraint::bio(&s.labels)).collect();
        let perturbed = readers_of(&plan, "perturb");
        let still = params.iter().map(|p| Param { trainable: false, ..p.clone() }).collect();
        Self {
            plan,
            params,
            still,
            grads,
            schema,
            lexicon,
            device,
            constraints,
            schedules: Mutex::default(),
            kept: HashMap::new(),
            listed: Mutex::default(),
            pieces: Vec::new(),
            settled: None,
            perturbed,
            perturbations: Perturbations::default(),
        }
    }

    /// The same, whose parameters will not change any more, so that what follows from them alone
    /// is computed once.
    pub fn settled(self) -> Self {
        Self { settled: Some(Projections::default()), ..self }
    }

    /// Keeps what the parameters are that something compares with it: a turn has ended.
    pub(super) fn keep(&mut self) -> Result<()> {
        for param in self.compared() {
            self.kept.insert(param, self.params[param].var.as_tensor().copy()?.detach());
        }
        Ok(())
    }

    /// What is kept, by the names of the parameters.
    pub(super) fn kept(&self) -> Vec<(String, Tensor)> {
        let mut kept: Vec<(String, Tensor)> =
            self.kept.iter().map(|(param, old)| (format!("kept/{}", self.params[*param].name), old.clone())).collect();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        kept
    }

    /// Takes up what [`Program::kept`] gave.
    pub(super) fn set_kept(&mut self, find: &dyn Fn(&str) -> Option<Vec<f32>>) -> Result<()> {
        for param in self.compared() {
            let var = &self.params[param].var;
            if let Some(numbers) = find(&format!("kept/{}", self.params[param].name)) {
                self.kept.insert(param, Tensor::from_vec(numbers, var.shape(), var.device())?);
            }
        }
        Ok(())
    }

    /// The parameters of snapshots.
    fn compared(&self) -> BTreeSet<usize> {
        let snapshots = self.plan.nodes.iter().filter(|node| node.op == "snapshot");
        snapshots.flat_map(|node| node.params.iter().copied()).collect()
    }

    /// The values of `roots` on a batch.
    pub fn compute(&self, batch: &Batch, roots: &[usize], training: bool, seed: u64) -> Result<Values> {
        Ok(self.compute_all(&[Part { batch, roots, seed }], training)?.pop().unwrap_or_default())
    }

    /// The values of the roots of several batches; layers that the plan joins run once for all.
    pub fn compute_all(&self, parts: &[Part<'_>], training: bool) -> Result<Vec<Values>> {
        let schedule = self.schedule(parts, training);
        let mut values: Vec<Option<Value>> = vec![None; schedule.steps.len()];
        for (at, step) in schedule.steps.iter().enumerate() {
            let mut inputs = Vec::with_capacity(step.reads.len());
            for read in &step.reads {
                let Some(value) = &values[*read] else { bail!("a value was dropped before its last use") };
                inputs.push(value.clone());
            }
            let value = match &step.work {
                Work::Run { part, node } => self.run(&parts[*part], &self.plan.nodes[*node], training, &inputs)?,
                Work::Join => Value::join(&inputs)?,
                Work::Cut { part, before } => {
                    let first: usize = before.iter().map(|other| parts[*other].batch.len()).sum();
                    inputs[0].cut(first..first + parts[*part].batch.len())?
                }
            };
            values[at] = Some(value);
            step.drops.iter().for_each(|dropped| values[*dropped] = None);
        }
        let wanted = schedule.roots.iter().map(|roots| {
            roots.iter().filter_map(|(root, step)| Some((*root, values[*step].clone()?))).collect::<Values>()
        });
        Ok(wanted.collect())
    }

    fn run(&self, part: &Part<'_>, node: &Node, training: bool, inputs: &[Value]) -> Result<Value> {
        let training = training && !node.is_still();
        let run = Run { program: self, node, batch: part.batch, training, seed: part.seed, device: &self.device };
        let Some(op) = ops::operation(&node.op) else { bail!("no operation is named '{}'", node.op) };
        op.run(&run, inputs).map_err(|e| e.context(format!("in '{}' ({})", node.op, node.path)))
    }

    fn schedule(&self, parts: &[Part<'_>], training: bool) -> Arc<Schedule> {
        let asks: Vec<Ask> = parts.iter().map(|part| self.ask(part)).collect();
        let mut schedules = self.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = schedules.entry((asks, training));
        let new = |(asks, training): &(Vec<Ask>, bool)| Arc::new(Schedule::new(&self.plan, asks, *training));
        entry.or_insert_with_key(new).clone()
    }

    fn ask(&self, part: &Part<'_>) -> Ask {
        let data = part.roots.iter().find_map(|root| self.plan.nodes[*root].data);
        let beside = match self.plan.passed(DEAD_VALUES) {
            true => Vec::new(),
            false => self.computable(part.batch, data),
        };
        Ask { data, roots: part.roots.to_vec(), beside }
    }

    /// Everything on a data set that a batch has the fields for.
    fn computable(&self, batch: &Batch, data: Option<usize>) -> Vec<usize> {
        let mut can = Vec::with_capacity(self.plan.nodes.len());
        for node in &self.plan.nodes {
            let inputs = node.inputs.iter().all(|input| can[*input]);
            let here = node.data.is_none() || node.data == data;
            can.push(here && inputs && (node.op != "field" || field_of(batch, node).is_some_and(is_computed)));
        }
        (0..can.len()).filter(|at| can[*at] && self.plan.nodes[*at].data.is_some()).collect()
    }
}

/// Which nodes read a node of this operation, or are one.
fn readers_of(plan: &Plan, op: &str) -> Vec<bool> {
    let mut read = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        read.push(node.op == op || node.inputs.iter().any(|input| read[*input]));
    }
    read
}

/// A whole number among a node's attributes, 0 if it is missing.
pub(super) fn int(node: &Node, name: &str) -> usize {
    match node.attrs.get(name) {
        Some(Attr::Int(v)) => *v as usize,
        _ => 0,
    }
}

/// What a batch has of the field that a node stands for.
pub(super) fn field_of<'b>(batch: &'b Batch, node: &Node) -> Option<&'b FieldBatch> {
    let view = View { field: int(node, "field"), space: node.attrs.contains_key("space").then(|| int(node, "space")) };
    // A number in a space of grades has only the view of that space.
    batch.get(view).or_else(|| batch.field(view.field))
}

/// Whether this build computes with a field of this kind.
fn is_computed(field: &FieldBatch) -> bool {
    use FieldBatch::{Clusters, Span};
    !matches!(field, Clusters(_) | Span(_))
}

/// The distinct ids in order of first use, and where each of `ids` is among them.
pub fn distinct(ids: &[u32]) -> (Vec<u32>, Arc<Vec<u32>>) {
    let mut at = HashMap::with_capacity(ids.len());
    let mut found = Vec::new();
    let mut places = Vec::with_capacity(ids.len());
    for id in ids {
        let place = *at.entry(*id).or_insert_with(|| {
            found.push(*id);
            found.len() as u32 - 1
        });
        places.push(place);
    }
    (found, places.into())
}

/// The numbers of a tensor.
pub fn numbers(x: &Tensor) -> Result<Vec<f32>> {
    x.detach().flatten_all()?.to_vec1::<f32>()
}
