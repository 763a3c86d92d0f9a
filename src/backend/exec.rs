//! Runs the nodes of a plan on a batch, or on several of which some layers take all rows at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Result, Tensor, bail};

use super::kernels::activation::Activation;
use super::kernels::crf::Constraint;
use super::kernels::is_fused;
use super::kernels::random::Draw;
use super::kernels::recurrent::{Input, Projections};
use super::looked::Looked;
use super::perturb::Perturbations;
use super::schedule::{Ask, Schedule, Work};
use super::{Grads, Param, Rows, Value};
use crate::data::pretrained::pieces::WordPieces;
use crate::data::spec::FieldType;
use crate::data::{Batch, FieldBatch, Labelled, Lexicon, Schema, View};
use crate::ops;
use crate::plan::passes::names::{COMMON_VALUES, DEAD_VALUES};
use crate::plan::{Attr, Node, Plan};

/// A plan with its parameters, ready to be trained or to predict.
pub struct Program {
    /// What it computes.
    pub plan: Plan,
    /// Its parameters, in the plan's order.
    pub params: Vec<Param>,
    /// The same, which no gradient reaches: nothing is kept for a backward pass.
    still: Vec<Param>,
    /// Their gradients.
    pub grads: Arc<Grads>,
    /// Labels and vocabularies.
    pub schema: Schema,
    /// The words of the data.
    pub lexicon: Arc<Lexicon>,
    /// Where tensors live.
    pub device: Device,
    constraints: Vec<Option<Constraint>>,
    schedules: Mutex<Schedules>,
    /// What parameters were when the last turn ended, of those that something compares with it.
    kept: HashMap<usize, Tensor>,
    /// For label spaces of words, the numbers of their labels, by what asks for them.
    listed: Mutex<Lists>,
    /// The tokenizers of pretrained encoders, in the plan's order.
    pub(super) pieces: Vec<Arc<WordPieces>>,
    /// What layers make of tables, if no parameter changes any more.
    settled: Option<Projections>,
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
fn int(node: &Node, name: &str) -> usize {
    match node.attrs.get(name) {
        Some(Attr::Int(v)) => *v as usize,
        _ => 0,
    }
}

/// What a batch has of the field that a node stands for.
fn field_of<'b>(batch: &'b Batch, node: &Node) -> Option<&'b FieldBatch> {
    let view = View { field: int(node, "field"), space: node.attrs.contains_key("space").then(|| int(node, "space")) };
    // A number in a space of grades has only the view of that space.
    batch.get(view).or_else(|| batch.field(view.field))
}

/// Whether this build computes with a field of this kind.
fn is_computed(field: &FieldBatch) -> bool {
    use FieldBatch::{Clusters, Span};
    !matches!(field, Clusters(_) | Span(_))
}

/// 1 for the chosen member of each set and 0 for others; no grade where none is known.
fn chosen_grades(chosen: &[u32], members: &super::Offsets) -> Vec<f32> {
    let of = |(chosen, set): (&u32, &[u32])| {
        let (chosen, n) = (*chosen, set[1] - set[0]);
        (0..n).map(move |i| if chosen >= n { f32::NAN } else { f32::from(u8::from(i == chosen)) })
    };
    chosen.iter().zip(members.windows(2)).flat_map(of).collect()
}

/// What an operation sees while it computes a node.
pub struct Run<'a> {
    pub(super) program: &'a Program,
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
        let params = if self.training { &self.program.params } else { &self.program.still };
        &params[self.node.params[i]]
    }

    /// What the node's parameter `i` was when the last turn ended.
    pub fn kept(&self, i: usize) -> Option<&'a Tensor> {
        self.program.kept.get(&self.node.params[i])
    }

    /// Examples in the batch.
    pub fn examples(&self) -> usize {
        self.batch.examples.len()
    }

    /// A whole number among the attributes, 0 if it is missing.
    pub fn int(&self, name: &str) -> usize {
        int(self.node, name)
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

    /// A value that is perturbed, as the pass at hand reads it.
    pub fn perturbed(&self, x: &Tensor, examples: &[u32], epsilon: f64) -> Result<Tensor> {
        self.program.perturbations.apply(self.draw().seed, x, examples, epsilon)
    }

    /// Words as labels of the node's space.
    pub fn word_labels(&self, ids: &[u32]) -> Vec<u32> {
        let space = &self.program.schema.spaces[self.int("space")];
        ids.iter().map(|id| space.index(*id)).collect()
    }

    /// Labels of the node's space as words; the unknown one is no word.
    pub fn words_of(&self, labels: &[u32]) -> Vec<u32> {
        let (known, lexicon) = (&self.program.schema.spaces[self.int("space")].labels, &self.program.lexicon);
        let word = |label: &u32| known.get(*label as usize).filter(|_| *label > 0);
        labels.iter().map(|label| word(label).map_or(super::NO_LABEL, |word| lexicon.intern(word))).collect()
    }

    /// The labels of the node's space as words of the lexicon, the unknown one among them.
    pub fn lexicon_of_labels(&self) -> Arc<Vec<u32>> {
        self.listed(None, |word| word)
    }

    /// The rows of the node's vocabulary that the labels of its space have.
    pub fn rows_of_labels(&self) -> Arc<Vec<u32>> {
        let vocab = &self.program.schema.vocabs[self.int("vocab")];
        self.listed(Some(self.int("vocab")), |word| vocab.row(word))
    }

    fn listed(&self, vocab: Option<usize>, of: impl Fn(u32) -> u32) -> Arc<Vec<u32>> {
        let (space, lexicon) = (self.int("space"), &self.program.lexicon);
        let mut lists = self.program.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = || self.program.schema.spaces[space].labels.iter();
        let list = || labels().map(|label| of(lexicon.intern(label))).collect::<Vec<u32>>().into();
        lists.entry((space, vocab)).or_insert_with(list).clone()
    }

    /// The words of the run.
    pub fn lexicon(&self) -> Arc<Lexicon> {
        self.program.lexicon.clone()
    }

    /// The examples of the batch, by their places in the split.
    pub fn example_ids(&self) -> &'a [u32] {
        &self.batch.examples
    }

    /// Tokens of the longest text of a field, which is named by its data set and its place there.
    pub fn longest(&self, field: &Attr) -> usize {
        let Attr::List(pair) = field else { return 0 };
        let [Attr::Int(data), Attr::Int(field)] = pair[..] else { return 0 };
        let info = self.program.schema.datasets.get(data as usize);
        info.and_then(|info| info.fields.get(field as usize)).map_or(0, |field| field.max_tokens)
    }

    /// A measure of each example, 0 where there is no gold.
    pub fn figure(&self, label: &Value, gold: &Value) -> Result<Value> {
        let labels = match self.node.attrs.get("space") {
            Some(_) => self.program.schema.spaces[self.int("space")].labels.as_slice(),
            None => &[],
        };
        let speech = self.program.detokenizer(self.node, self.batch.data);
        let each = super::model::measured(self.str("kind"), self.str("metric"), labels, (label, gold), &speech)?;
        let rows = Rows::examples(each.len());
        Ok(Value::float(Tensor::from_vec(each, (rows.batch, 1), self.device)?, &rows.into()))
    }

    /// The word at a share of the node's vocabulary, the unknown one aside.
    pub fn word_at(&self, share: f32) -> u32 {
        let words = &self.program.schema.vocabs[self.int("vocab")].words;
        let row = 1 + (share * words.len().saturating_sub(1) as f32) as usize;
        words.get(row).map_or(super::NO_LABEL, |word| self.program.lexicon.intern(word))
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

    /// Rows of the node's table as they are, where predictions share common values.
    pub fn looked(&self, ids: &Arc<Vec<u32>>, rows: &Arc<Rows>) -> Option<Value> {
        let table = self.param(0);
        let shared = !self.training && self.program.plan.passed(COMMON_VALUES) && is_fused(table.var.as_tensor());
        let looked = || Looked::new(table, ids.clone()).into();
        shared.then(|| Value::Looked { looked: looked(), rows: rows.clone() })
    }

    /// A value as a recurrent layer reads it.
    pub fn recurrent_input<'v>(&self, value: &'v Value) -> Result<(Input<'v>, &'v Arc<Rows>)>
    where
        'a: 'v,
    {
        if let Value::Looked { looked, rows } = value {
            return Ok((Input::Rows(looked, self.program.settled.as_ref()), rows));
        }
        let (tensor, rows) = value.as_float()?;
        Ok((Input::Numbers(tensor), rows))
    }

    /// Labels as rows of a table; one that train never had reads row 0.
    pub fn label_rows(&self, ids: &[u32]) -> Arc<Vec<u32>> {
        let rows = self.param(0).var.dims()[0] as u32;
        Arc::new(ids.iter().map(|id| if *id < rows { *id } else { 0 }).collect())
    }

    /// Rows of the node's vocabulary of characters for each word, and where each word begins; of a
    /// word that was dropped or masked no character is known.
    pub fn characters(&self, words: &[u32], lexicon: &Lexicon) -> (Arc<Vec<u32>>, super::Offsets) {
        let vocab = &self.program.schema.vocabs[self.int("vocab")];
        let mut rows = Vec::new();
        let mut lengths = Vec::with_capacity(words.len());
        for word in words {
            let before = rows.len();
            if *word != super::NO_LABEL {
                rows.extend(vocab.letters(&lexicon.word(*word)));
            }
            lengths.push(rows.len() - before);
        }
        (rows.into(), super::rows::offsets_of(lengths))
    }

    /// The field that the node stands for.
    pub fn field(&self) -> Result<Value> {
        let spec = &self.program.plan.datasets[self.int("data")].fields[self.int("field")];
        let Some(field) = field_of(self.batch, self.node) else { bail!("the batch has no field '{}'", spec.name) };
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
            FieldBatch::Tree { heads, ids, offsets } => {
                let rows = Rows::along(offsets.clone()).into();
                Value::Tree { heads: heads.clone(), ids: ids.clone(), space: self.node.width, rows }
            }
            FieldBatch::Spans(spans) => Value::Spans { each: spans.clone(), rows: each },
            FieldBatch::Relations(pairs) => {
                Value::Relations { each: pairs.clone(), spans: self.spans_under(&spec.ty)?, rows: each }
            }
            FieldBatch::Number(numbers) => dense(numbers.to_vec(), 1)?,
            FieldBatch::Vector { values, dim } => dense(values.to_vec(), *dim)?,
            FieldBatch::Labels { ids, offsets, present } => {
                dense(multi_hot(offsets, ids, present, self.node.width), self.node.width)?
            }
            FieldBatch::Choice(chosen) => {
                let members = self.members_under(&spec.ty)?;
                self.grades_along(&chosen_grades(chosen, &members), members)?
            }
            FieldBatch::Ranking { values, offsets } => self.grades_along(values, offsets.clone())?,
            _ => bail!("this build does not compute with '{}' yet", spec.name),
        })
    }

    /// A grade for each member of each example's set.
    fn grades_along(&self, grades: &[f32], members: super::Offsets) -> Result<Value> {
        let tensor = Tensor::from_slice(grades, (grades.len(), 1), self.device)?;
        Ok(Value::Float { tensor, rows: Rows::along(members).into() })
    }

    /// The sets that a choice is made of.
    fn members_under(&self, ty: &FieldType) -> Result<super::Offsets> {
        let fields = &self.program.plan.datasets[self.int("data")].fields;
        let at = fields.iter().position(|field| Some(field.name.as_str()) == ty.along());
        match at.and_then(|at| self.batch.field(at)) {
            Some(FieldBatch::Texts { members, .. }) => Ok(members.clone()),
            Some(FieldBatch::Text { offsets, .. }) => Ok(offsets.clone()),
            _ => bail!("the batch has no members for its choice"),
        }
    }

    /// The spans that a field of relations is of.
    fn spans_under(&self, ty: &FieldType) -> Result<Arc<Vec<Option<Vec<Labelled>>>>> {
        let fields = &self.program.plan.datasets[self.int("data")].fields;
        let at = fields.iter().position(|field| Some(field.name.as_str()) == ty.along());
        match at.and_then(|at| self.batch.field(at)) {
            Some(FieldBatch::Spans(spans)) => Ok(spans.clone()),
            _ => bail!("the batch has no spans for its relations"),
        }
    }

    /// The labels of the space that an attribute names.
    pub fn labels(&self, attr: &str) -> &'a [String] {
        self.program.schema.spaces.get(self.int(attr)).map_or(&[], |space| &space.labels)
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
