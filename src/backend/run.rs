//! What an operation sees while it computes a node: parameters, attributes, draws, the batch.

use std::sync::{Arc, PoisonError};

use candle_core::{Device, Result, Tensor, bail};

use super::exec::{Program, field_of, int};
use super::kernels::activation::Activation;
use super::kernels::crf::Constraint;
use super::kernels::is_fused;
use super::kernels::random::Draw;
use super::kernels::recurrent::Input;
use super::looked::Looked;
use super::{Param, Rows, Value};
use crate::data::spec::FieldType;
use crate::data::{Batch, FieldBatch, Labelled, Lexicon};
use crate::plan::passes::names::COMMON_VALUES;
use crate::plan::{Attr, Node};

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
    pub(super) batch: &'a Batch,
    /// Whether random operations act.
    pub training: bool,
    pub(super) seed: u64,
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
