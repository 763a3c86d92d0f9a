//! The plan: what a checked program computes, as typed operations in order, with its parameters,
//! tasks, losses and training. Versioned, serialised as JSON, and free of names to resolve.
//! Nothing here knows Candle.

pub mod lower;
pub mod passes;
pub mod training;

use std::path::PathBuf;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::data::pretrained::Checkpoint;
use crate::data::spec::{DataSpec, SpaceSpec, VocabSpec};
use crate::source::Span;

pub use training::*;

/// The version of the plan format that this build writes and reads.
pub const VERSION: u32 = 2;

/// A compiled program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// Stem of the `.mtl` file.
    pub name: String,
    /// What data paths are relative to.
    pub base: PathBuf,
    /// What each pass did to it.
    #[serde(default)]
    pub passes: Vec<passes::PassReport>,
    /// The data sets, members of families each on its own.
    pub datasets: Vec<DataSpec>,
    /// Label spaces.
    pub spaces: Vec<SpaceSpec>,
    /// Number of labels of each space.
    pub space_sizes: Vec<usize>,
    /// Vocabularies.
    pub vocabs: Vec<VocabSpec>,
    /// Number of rows of each vocabulary.
    pub vocab_sizes: Vec<usize>,
    /// Parameters, in the order of the flat arrays.
    pub params: Vec<ParamPlan>,
    /// Operations; a node's inputs come before it.
    pub nodes: Vec<Node>,
    /// Nodes on different data sets that are computed as one where a step draws from several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Vec<usize>>,
    /// Tasks.
    pub tasks: Vec<TaskPlan>,
    /// Loss items.
    pub losses: Vec<LossPlan>,
    /// Metric items.
    pub metrics: Vec<MetricPlan>,
    /// How it is trained.
    pub train: TrainPlan,
    /// Trained runs that it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunPlan>,
    /// Pretrained encoders that it begins with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encoders: Vec<EncoderPlan>,
}

/// A pretrained encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderPlan {
    /// The layer that it is the weights of: `bert`.
    pub name: String,
    /// What was published.
    pub checkpoint: Checkpoint,
    /// Where the program names it.
    pub span: Span,
}

/// A trained run that a program uses: parameters and vocabularies whose names begin with its name
/// are those of the run, and no stage trains them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunPlan {
    /// Its name in the program.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Label spaces of its tasks.
    pub spaces: Vec<usize>,
    /// Where the program names it.
    pub span: Span,
}

impl RunPlan {
    /// What the run calls the parameter or vocabulary that the program calls `name`.
    pub fn own<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.name.as_str())?.strip_prefix('.')
    }
}

/// A parameter tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamPlan {
    /// The path in checkpoints: `private.books.lstm.w_ih`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its first values.
    pub init: Init,
    /// The factor of the learning rate, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The place that makes it.
    pub span: Span,
}

/// How a parameter begins. Draws depend on the seed and the parameter's name alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All this number.
    Constant(f32),
    /// U(-a, a).
    Uniform(f32),
    /// N(0, s²).
    Normal(f32),
    /// Glorot & Bengio 2010: U(-√(6/(in+out)), √(6/(in+out))) over the last two dimensions.
    Xavier,
    /// U(-1/√in, 1/√in), with the last dimension as `in`.
    FanIn,
    /// Rows orthogonal (Saxe et al. 2014).
    Orthogonal,
    /// A matrix with one number on its diagonal and another elsewhere.
    Diagonal {
        /// On the diagonal.
        on: f32,
        /// Elsewhere.
        off: f32,
    },
    /// Bias of an LSTM `[4h]` or a GRU `[3h]` whose units begin with memories of 1 to `steps`
    /// steps (Tallec & Ollivier 2018): log U(1, steps - 1) for the gate that keeps, the same
    /// with the other sign for the input gate of an LSTM, 0 for the rest.
    Chrono {
        /// 4 for an LSTM, 3 for a GRU.
        gates: usize,
        /// The longest memory; from the lengths of the data, once they are known.
        steps: f32,
    },
    /// A tensor of a pretrained encoder.
    Pretrained {
        /// Index into [`Plan::encoders`].
        encoder: usize,
        /// Its published name, without the prefix.
        tensor: String,
        /// Whether it stays as it is.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        frozen: bool,
    },
    /// Rows of a vocabulary's word vectors where it has them, else N(0, s²) with their spread.
    Vectors {
        /// Index into [`Plan::vocabs`].
        vocab: usize,
    },
}

/// A value of an operation's attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Attr {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Attr>),
}

impl From<bool> for Attr {
    fn from(v: bool) -> Self {
        Attr::Bool(v)
    }
}

impl From<usize> for Attr {
    fn from(v: usize) -> Self {
        Attr::Int(v as i64)
    }
}

impl From<f64> for Attr {
    fn from(v: f64) -> Self {
        Attr::Float(v)
    }
}

impl From<&str> for Attr {
    fn from(v: &str) -> Self {
        Attr::Str(v.to_string())
    }
}

/// Attributes by name.
pub type Attrs = LiteMap<String, Attr>;

/// An operation applied to values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Name in the table of operations.
    pub op: String,
    /// Earlier nodes.
    pub inputs: Vec<usize>,
    /// Attributes; widths are known numbers here.
    #[serde(default, skip_serializing_if = "Attrs::is_empty")]
    pub attrs: Attrs,
    /// Indices into [`Plan::params`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<usize>,
    /// The data set whose batch it is computed on; `None` for values of parameters alone.
    pub data: Option<usize>,
    /// Width of the value.
    pub width: usize,
    /// The type, as the language writes it.
    pub ty: String,
    /// Names the draw of a random operation: where it is written and what it is applied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<u64>,
    /// Only computed in training.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub train_only: bool,
    /// Owner path, for people: `reader.bilstm`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The place that asks for it.
    pub span: Span,
}

impl Node {
    /// Whether it computes in training what it does at prediction.
    pub fn is_still(&self) -> bool {
        self.attrs.contains_key("still")
    }
}

/// A task. Its nodes stand once for each data set it runs on (several for a union of a family).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// `intent`, or `sentiment.books` for a member of a family.
    pub name: String,
    /// The family it is a member of.
    pub family: Option<String>,
    /// `classify`, `tag`, …
    pub kind: String,
    /// The label space of its gold.
    pub space: Option<usize>,
    /// The nodes on each data set.
    pub on: Vec<TaskOn>,
    /// Whether each place votes.
    pub vote: bool,
    /// `softmax`, `crf`, `mse`, …
    pub head: String,
    /// Factor of its loss.
    pub weight: f64,
    /// Factor of the learning rate of its own parameters (the `lr` setting over the train block's).
    pub lr: Option<f64>,
    /// Only these parameters get this loss's gradient.
    pub updates: Option<Vec<usize>>,
    /// Metrics, the first the main one.
    pub metrics: Vec<String>,
    /// For `multilabel`: the share above which a label is predicted.
    pub threshold: f64,
    /// For `rank`: how many members `recall_at_k` looks at.
    #[serde(default)]
    pub k: usize,
    /// Tasks whose outputs it reads.
    pub reads: Vec<usize>,
    /// Where it is declared.
    pub span: Span,
}

/// The nodes of a task on one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOn {
    /// Index into [`Plan::datasets`].
    pub data: usize,
    /// What the head gives: logits, emissions, a number.
    pub logits: usize,
    /// The prediction.
    pub label: usize,
    /// Probabilities, for confidence.
    pub probs: Option<usize>,
    /// The gold value, when the data set has it.
    pub gold: Option<usize>,
    /// Loss of each example, `[B, 1]`, when there is gold.
    pub loss: Option<usize>,
}

/// A `loss` item on one data set, or on none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPlan {
    /// Its name.
    pub name: String,
    /// The data set of its examples.
    pub data: Option<usize>,
    /// The scalar, or a value for each example, which is averaged.
    pub node: usize,
    /// Factor.
    pub weight: f64,
    /// Only these parameters get its gradient.
    pub updates: Option<Vec<usize>>,
    /// Where it is declared.
    pub span: Span,
}

/// A `metric` item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricPlan {
    /// Its name.
    pub name: String,
    /// The figure.
    pub figure: Figure,
}

/// A figure over tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// A task's metric, `intent.accuracy`.
    Metric {
        /// Index into [`Plan::tasks`].
        task: usize,
        /// Name of the metric.
        metric: String,
    },
    /// A `metric` item.
    Named(String),
    /// The share of examples on which all these tasks are right everywhere.
    AllCorrect(Vec<usize>),
    /// The mean of figures.
    Mean(Vec<Figure>),
    /// The least of figures.
    Min(Vec<Figure>),
}
