//! Runs the nodes of a plan on a batch: forward in order, each value once, dropped after its last use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Result, Tensor, bail};

use super::kernels::activation::Activation;
use super::kernels::crf::Constraint;
use super::kernels::random::Draw;
use super::{Grads, Param, Rows, Value};
use crate::data::{Batch, FieldBatch, Lexicon, Schema, View};
use crate::ops;
use crate::plan::{Attr, Node, Plan};

/// A plan with its parameters, ready to be trained or to predict.
pub struct Program {
    /// What it computes.
    pub plan: Plan,
    /// Its parameters, in the plan's order.
    pub params: Vec<Param>,
    /// Their gradients.
    pub grads: Arc<Grads>,
    /// Labels and vocabularies.
    pub schema: Schema,
    /// The words of the data.
    pub lexicon: Arc<Lexicon>,
    /// Where tensors live.
    pub device: Device,
    constraints: Vec<Option<Constraint>>,
    orders: Mutex<Orders>,
}

/// Orders by roots and mode.
type Orders = HashMap<(Vec<usize>, bool), Arc<Order>>;

/// Nodes in the order they run, and after which each value is dropped.
struct Order {
    nodes: Vec<usize>,
    last_use: HashMap<usize, usize>,
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
        Self { plan, params, grads, schema, lexicon, device, constraints, orders: Mutex::default() }
    }

    /// The values of `roots` on a batch.
    pub fn compute(&self, batch: &Batch, roots: &[usize], training: bool, seed: u64) -> Result<HashMap<usize, Value>> {
        let order = self.order(roots, training);
        let mut values: HashMap<usize, Value> = HashMap::with_capacity(order.nodes.len());
        for (step, &at) in order.nodes.iter().enumerate() {
            let node = &self.plan.nodes[at];
            let inputs = self.inputs(node, &values)?;
            let run = Run { program: self, node, batch, training, seed, device: &self.device };
            let Some(op) = ops::operation(&node.op) else { bail!("no operation is named '{}'", node.op) };
            let value = op.run(&run, &inputs).map_err(|e| e.context(format!("in '{}' ({})", node.op, node.path)))?;
            values.insert(at, value);
            for input in &node.inputs {
                if order.last_use.get(input) == Some(&step) && !roots.contains(input) {
                    values.remove(input);
                }
            }
        }
        Ok(values)
    }

    fn inputs(&self, node: &Node, values: &HashMap<usize, Value>) -> Result<Vec<Value>> {
        let present = node.inputs.iter().find_map(|i| values.get(i));
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for i in &node.inputs {
            // An input that this mode does not need stands for itself with another's value.
            match values.get(i).or(present) {
                Some(value) => inputs.push(value.clone()),
                None => bail!("an input of '{}' was not computed", node.op),
            }
        }
        Ok(inputs)
    }

    fn order(&self, roots: &[usize], training: bool) -> Arc<Order> {
        let key = (roots.to_vec(), training);
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.entry(key).or_insert_with(|| Arc::new(self.new_order(roots, training))).clone()
    }

    fn new_order(&self, roots: &[usize], training: bool) -> Order {
        let mut needed = vec![false; self.plan.nodes.len()];
        let mut open = roots.to_vec();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut needed[at], true) {
                open.extend(needed_inputs(&self.plan.nodes[at], training));
            }
        }
        let nodes: Vec<usize> = (0..needed.len()).filter(|at| needed[*at]).collect();
        let mut last_use = HashMap::new();
        for (step, at) in nodes.iter().enumerate() {
            last_use.extend(self.plan.nodes[*at].inputs.iter().map(|i| (*i, step)));
        }
        Order { nodes, last_use }
    }
}

/// The inputs that a node reads in this mode.
fn needed_inputs(node: &Node, training: bool) -> &[usize] {
    match (node.op.as_str(), training) {
        ("train_only", true) => &node.inputs[..1],
        ("train_only", false) => &node.inputs[node.inputs.len() - 1..],
        // In training gold is fed back, and labels follow from what that gave.
        ("feedback_path" | "feedback_label", true) => &node.inputs[node.inputs.len() - 1..],
        (_, true) => &node.inputs,
        (op, false) => ops::read_at_prediction(op, &node.inputs),
    }
}

/// What an operation sees while it computes a node.
pub struct Run<'a> {
    program: &'a Program,
    /// The node.
    pub node: &'a Node,
    batch: &'a Batch,
    /// Whether random operations act.
    pub training: bool,
    seed: u64,
    /// Where tensors live.
    pub device: &'a Device,
}

impl<'a> Run<'a> {
    /// The node's parameter `i`.
    pub fn param(&self, i: usize) -> &'a Param {
        &self.program.params[self.node.params[i]]
    }

    /// Examples in the batch.
    pub fn examples(&self) -> usize {
        self.batch.examples.len()
    }

    /// A whole number among the attributes, 0 if it is missing.
    pub fn int(&self, name: &str) -> usize {
        match self.node.attrs.get(name) {
            Some(Attr::Int(v)) => *v as usize,
            _ => 0,
        }
    }

    /// A number among the attributes.
    pub fn float(&self, name: &str) -> f64 {
        self.float_or(name, 0.0)
    }

    /// A number among the attributes, or another.
    pub fn float_or(&self, name: &str, other: f64) -> f64 {
        match self.node.attrs.get(name) {
            Some(Attr::Float(v)) => *v,
            Some(Attr::Int(v)) => *v as f64,
            _ => other,
        }
    }

    /// A word among the attributes.
    pub fn str(&self, name: &str) -> &str {
        match self.node.attrs.get(name) {
            Some(Attr::Str(v)) => v,
            _ => "",
        }
    }

    /// A flag among the attributes.
    pub fn bool(&self, name: &str) -> bool {
        matches!(self.node.attrs.get(name), Some(Attr::Bool(true)))
    }

    /// An activation among the attributes.
    pub fn activation(&self, name: &str) -> Activation {
        match self.str(name) {
            "relu" => Activation::Relu,
            "gelu" => Activation::Gelu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            _ => Activation::None,
        }
    }

    /// The random numbers of this node in this step.
    pub fn draw(&self) -> Draw {
        Draw::new(self.seed).part(self.node.draw.unwrap_or_default())
    }

    /// Says that the operation has no tensor code in this build.
    pub fn not_computed(&self, op: &str) -> Result<Value> {
        bail!("this build does not run '{op}' yet")
    }

    /// A mistake of mtlc: the checker let through what the operation cannot take.
    pub fn wrong_input(&self) -> Result<Value> {
        bail!("'{}' was given a value that it cannot take", self.node.op)
    }

    /// Rows of the node's vocabulary for words; a dropped word is unknown.
    pub fn vocabulary_rows(&self, ids: &[u32]) -> Arc<Vec<u32>> {
        let vocab = &self.program.schema.vocabs[self.int("vocab")];
        Arc::new(ids.iter().map(|id| vocab.row(*id)).collect())
    }

    /// Labels as rows of a table; one that train never had reads row 0.
    pub fn label_rows(&self, ids: &[u32]) -> Arc<Vec<u32>> {
        let rows = self.param(0).var.dims()[0] as u32;
        Arc::new(ids.iter().map(|id| if *id < rows { *id } else { 0 }).collect())
    }

    /// Rows of the node's vocabulary of characters for each word, and where each word begins.
    pub fn characters(&self, words: &[u32], lexicon: &Lexicon) -> (Arc<Vec<u32>>, super::Offsets) {
        let vocab = &self.program.schema.vocabs[self.int("vocab")];
        let mut rows = Vec::new();
        let mut lengths = Vec::with_capacity(words.len());
        for word in words {
            let before = rows.len();
            rows.extend(vocab.letters(&lexicon.word(*word)));
            lengths.push(rows.len() - before);
        }
        (rows.into(), super::rows::offsets_of(lengths))
    }

    /// The field that the node stands for.
    pub fn field(&self) -> Result<Value> {
        let spec = &self.program.plan.datasets[self.int("data")].fields[self.int("field")];
        let space = self.node.attrs.contains_key("space").then(|| self.int("space"));
        let view = View { field: self.int("field"), space };
        // A number in a space of grades has only the view of that space.
        let Some(field) = self.batch.get(view).or_else(|| self.batch.field(view.field)) else {
            bail!("the batch has no field '{}'", spec.name)
        };
        let each: Arc<Rows> = Rows::examples(self.examples()).into();
        let lexicon = self.program.lexicon.clone();
        let dense = |numbers: Vec<f32>, width: usize| -> Result<Value> {
            let tensor = Tensor::from_vec(numbers, (self.examples(), width), self.device)?;
            Ok(Value::Float { tensor, rows: each.clone() })
        };
        Ok(match field {
            FieldBatch::Text { ids, offsets } => {
                Value::Tokens { ids: ids.clone(), lexicon, rows: Rows::along(offsets.clone()).into() }
            }
            FieldBatch::Texts { ids, members, tokens } => {
                let rows = Rows { batch: self.examples(), levels: vec![members.clone(), tokens.clone()] };
                Value::Tokens { ids: ids.clone(), lexicon, rows: rows.into() }
            }
            FieldBatch::Class(ids) => Value::Label { ids: ids.clone(), space: self.node.width, rows: each },
            FieldBatch::Tags { ids, offsets } => {
                Value::Label { ids: ids.clone(), space: self.node.width, rows: Rows::along(offsets.clone()).into() }
            }
            FieldBatch::Number(numbers) => dense(numbers.to_vec(), 1)?,
            FieldBatch::Vector { values, dim } => dense(values.to_vec(), *dim)?,
            FieldBatch::Labels { ids, offsets, present } => {
                dense(multi_hot(offsets, ids, present, self.node.width), self.node.width)?
            }
            _ => bail!("this build does not compute with '{}' yet", spec.name),
        })
    }

    /// What well-formed sequences of the node's label space look like.
    pub fn constraint(&self) -> Option<&'a Constraint> {
        self.program.constraints.get(self.int("space"))?.as_ref()
    }

    /// The integer grades of the node's label space.
    pub fn grades(&self) -> Vec<f32> {
        let space = &self.program.schema.spaces[self.int("space")];
        space.labels.iter().filter_map(|l| l.parse().ok()).collect()
    }

    /// Weights of classes: as listed, or n / (C nᵢ) for `balanced`.
    pub fn class_weights(&self) -> Option<Vec<f32>> {
        match self.node.attrs.get("class_weights")? {
            Attr::List(weights) => {
                Some(weights.iter().map(|w| if let Attr::Float(w) = w { *w as f32 } else { 1.0 }).collect())
            }
            _ => {
                let counts = &self.program.schema.spaces[self.int("space")].counts;
                let total: f32 = counts.iter().map(|c| *c as f32).sum();
                Some(counts.iter().map(|c| total / (counts.len() as f32 * (*c).max(1) as f32)).collect())
            }
        }
    }
}

/// Sets of labels as rows of 0 and 1; a set that is missing is a row of NaN.
fn multi_hot(offsets: &[u32], ids: &[u32], present: &[bool], width: usize) -> Vec<f32> {
    let mut numbers = vec![0f32; present.len() * width];
    for (i, row) in numbers.chunks_exact_mut(width.max(1)).enumerate() {
        if !present[i] {
            row.fill(f32::NAN);
            continue;
        }
        for id in &ids[offsets[i] as usize..offsets[i + 1] as usize] {
            if let Some(x) = row.get_mut(*id as usize) {
                *x = 1.0;
            }
        }
    }
    numbers
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
