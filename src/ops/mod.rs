//! Operations, one file each: signature, typing rule, lowering and tensor code. The tables here
//! are the only list of what exists.

pub mod attention;
pub mod biaffine;
pub mod co_attention;
pub mod combine;
pub mod compare;
pub mod conv;
pub mod corrupt;
pub mod cutoff;
pub mod dense;
pub mod direction;
pub mod experts;
pub mod fields;
pub mod figure;
pub mod formats;
pub mod gaussian;
pub mod gradient;
pub mod graph_attention;
pub mod gumbel;
pub mod highway;
pub mod internal;
pub mod join;
pub mod label_attention;
pub mod later;
pub mod memory;
pub mod noise;
pub mod over;
pub mod part;
pub mod perturb;
pub mod pooling;
pub mod pretrained;
pub mod reads;
pub mod recurrent;
mod reference;
pub mod reinforce;
pub mod replaced;
pub mod sample;
pub mod shift;
pub mod signature;
pub mod snapshot;
pub mod spans;
pub mod sparsity;
pub mod stitch;
pub mod tasks;
pub mod training;
pub mod words;

use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::OnceLock;

pub use signature::*;

use crate::plan::{Attr, Attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// An operation of the language, or one that others lower to.
pub trait Operation: Sync {
    /// Its name, inputs, arguments and documentation.
    fn signature(&self) -> &'static Signature;

    /// The typing rule and the lowering in one: checks the inputs and makes the nodes.
    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>>;

    /// Whether this build computes it.
    fn runs(&self) -> bool {
        true
    }

    /// Whether what it gives for an example depends on that example alone, whatever the batch has
    /// beside it: then batches of several data sets may go through it as one.
    fn by_example(&self) -> bool {
        false
    }

    /// Computes a node of this operation.
    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let _ = inputs;
        run.not_computed(self.signature().name)
    }
}

impl fmt::Debug for dyn Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signature().name)
    }
}

/// A kind of task: what input and gold it takes, its head, its loss and its decoding.
pub trait TaskKind: Sync {
    /// Its name, settings and documentation. The inputs are those of the gold.
    fn signature(&self) -> &'static Signature;

    /// Names of its metrics, the default first.
    fn metrics(&self) -> &'static [&'static str];

    /// The words that `head` may be, the default first; none where it has one head alone.
    fn forms(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether this build trains it.
    fn runs(&self) -> bool {
        true
    }

    /// Checks the gold and says which label space and form the head has.
    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()>;

    /// Applies the head to `x`. With gold, the loss too. `at` is where the input stands.
    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built>;

    /// Whether it reads several values, `(a, b)`.
    fn takes_several(&self) -> bool {
        false
    }

    /// Applies the head to all that the task reads, which is one value unless it takes several.
    fn build_all<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        xs: &[NodeId],
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        match xs {
            [x] => self.build(c, head, *x, at, gold),
            _ => Err(crate::sema::call::Reported),
        }
    }

    /// The main metric when no `metric` is set: depends on the gold for some kinds.
    fn main_metric(&self, c: &Checker<'_>, head: &Head<'_>) -> &'static str {
        let _ = (c, head);
        self.metrics()[0]
    }
}

impl fmt::Debug for dyn TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signature().name)
    }
}

/// What a task kind fills in when a task is declared.
pub struct HeadRequest<'a> {
    /// The head, with gold and settings as written.
    pub head: Head<'a>,
    /// Where kind and gold stand.
    pub span: Span,
}

/// The table of operations: those that run, then those that are only checked so far.
static RUNNING: &[&dyn Operation] = &[
    &words::Embed,
    &words::Chars,
    &pretrained::Pretrained,
    &pretrained::nodes::Embedded,
    &pretrained::nodes::Layer,
    &pretrained::nodes::LastNorm,
    &pretrained::nodes::WordStates,
    &pretrained::nodes::TextState,
    &recurrent::LSTM,
    &recurrent::GRU,
    &recurrent::BILSTM,
    &recurrent::BIGRU,
    &direction::FORWARD,
    &direction::BACKWARD,
    &reads::Coupled,
    &conv::Conv,
    &attention::Transformer,
    &attention::SelfAttention,
    &attention::Attend,
    &attention::Positions,
    &dense::Linear,
    &dense::Mlp,
    &dense::Gate,
    &dense::Norm,
    &dense::AddNorm,
    &dense::Mix,
    &biaffine::Biaffine,
    &highway::Highway,
    &co_attention::CoAttention,
    &label_attention::LabelAttention,
    &stitch::CROSS_STITCH,
    &stitch::SLUICE,
    &stitch::Column,
    &experts::Experts,
    &experts::Route,
    &memory::Memory,
    &graph_attention::GraphAttention,
    &join::Join,
    &join::Part,
    &shift::Shift,
    &combine::Concat,
    &combine::ADD,
    &combine::SUBTRACT,
    &combine::MULTIPLY,
    &combine::Scale,
    &combine::Number,
    &combine::RELU,
    &combine::GELU,
    &combine::TANH,
    &combine::SIGMOID,
    &combine::SOFTMAX,
    &combine::ABS,
    &combine::LOG,
    &combine::EXP,
    &pooling::MEAN,
    &pooling::MAX,
    &pooling::FIRST,
    &pooling::LAST,
    &pooling::AttentionPool,
    &noise::DROPOUT,
    &noise::WORD_DROPOUT,
    &noise::GAUSSIAN_NOISE,
    &perturb::Perturb,
    &cutoff::Cutoff,
    &corrupt::Corrupt,
    &gumbel::Gumbel,
    &gaussian::Gaussian,
    &sample::Sample,
    &gradient::Detach,
    &gradient::ReverseGradient,
    &gradient::TrainOnly,
    &gradient::Repeat,
    &compare::KL,
    &compare::JS,
    &compare::MSE,
    &compare::COSINE,
    &compare::CROSS_ENTROPY,
    &compare::MIN,
    &compare::Orthogonal,
    &compare::L2,
    &gaussian::UnitKl,
    &snapshot::Snapshot,
    &sparsity::Sparsity,
    &reinforce::Reinforce,
    &internal::FIELD,
    &internal::INDEX,
    &internal::ONE_HOT,
    &internal::REPEAT_ROWS,
    &internal::READ_GOLD,
    &internal::FORCED_LABEL,
    &internal::EXPECTED_EMBEDDING,
    &internal::UNION,
    &tasks::heads::PROJECT,
    &tasks::heads::ARGMAX,
    &tasks::heads::SOFTMAX_LOSS,
    &tasks::heads::SIGMOID_LOSS,
    &tasks::heads::ABOVE,
    &tasks::heads::REGRESSION_LOSS,
    &tasks::heads::GRADE_LOSS,
    &tasks::heads::EXPECTED_GRADE,
    &tasks::heads::TAG_DECODE,
    &tasks::heads::CRF_LOSS,
    &tasks::heads::CRF_DECODE,
    &tasks::heads::CRF_PROBS,
    &tasks::voted::Voted,
    &spans::SpansOf,
    &spans::Pairs,
    &tasks::lm::NextWords,
    &tasks::mlm::ChosenWords,
    &tasks::distill::LOSS,
    &tasks::distill::LIKENESS,
    &figure::Figure,
    &over::Over,
    &replaced::REWRITTEN,
    &replaced::REPLACED,
    &tasks::rank::PROBS,
    &tasks::rank::SCORES,
    &tasks::rank::IN_BATCH,
    &tasks::rank::RANKED,
    &tasks::rank::BEST,
    &tasks::rank::LOSS,
    &tasks::detect::LOSS,
    &tasks::detect::DETECTED,
    &later::Pick,
    &later::Search,
];

/// The tables of the operations that heads lower to, each in the file of its kind.
static PARTS: &[&[&dyn Operation]] =
    &[tasks::feedback::OPS, tasks::spans::OPS, tasks::parse::OPS, tasks::relate::OPS, tasks::generate::nodes::OPS];

/// The table of task kinds.
pub static TASKS: &[&dyn TaskKind] = &[
    &tasks::classify::Classify,
    &tasks::multilabel::Multilabel,
    &tasks::regress::Regress,
    &tasks::tag::Tag,
    &tasks::spans::Spans,
    &tasks::relate::Relate,
    &tasks::parse::Parse,
    &tasks::later::COREF,
    &tasks::later::EXTRACT,
    &tasks::rank::Rank,
    &tasks::generate::Generate,
    &tasks::lm::Lm,
    &tasks::mlm::Mlm,
    &tasks::detect::Detect,
    &tasks::distill::Distill,
];

/// All operations, by name.
fn table() -> &'static FxHashMap<&'static str, &'static dyn Operation> {
    static TABLE: OnceLock<FxHashMap<&'static str, &'static dyn Operation>> = OnceLock::new();
    TABLE.get_or_init(|| all().map(|op| (op.signature().name, op)).collect())
}

/// Attributes of a node.
pub fn attrs<const N: usize>(pairs: [(&str, Attr); N]) -> Attrs {
    let mut attrs = Attrs::with_capacity(N);
    for (name, value) in pairs {
        attrs.insert(name.to_string(), value);
    }
    attrs
}

/// Whether no gradient passes through a node of this operation.
pub fn cuts_gradient(op: &str) -> bool {
    const CUTS: &[&str] = &[
        "detach",
        "one_hot",
        "read_gold",
        "forced_label",
        "argmax",
        "tag_decode",
        "crf_decode",
        "feedback_path",
        "feedback_label",
        "tree_heads",
        "tree",
        "tree_labels",
        "label_spans",
        "chosen_spans",
        "pair_relations",
        "table_relations",
        "subject_relations",
        "above",
        "likeness",
        "next_words",
        "chosen_words",
        "rewritten",
        "replaced",
        "detected",
        "ranked",
        "best_member",
        "voted",
        "sample",
        "figure",
        "written",
        "forced_text",
        "fed_words",
        "written_text",
    ];
    CUTS.contains(&op)
}

/// The inputs that a node of this operation reads at prediction time: no gold that stands for a
/// prediction in training, and no score that only training chooses by.
pub fn read_at_prediction<'n, T>(op: &str, inputs: &'n [T]) -> &'n [T] {
    match op {
        "forced_label" | "feedback_path" | "feedback_label" | "given_spans" | "handed_states" => &inputs[..1],
        "forced_text" => &inputs[..inputs.len().saturating_sub(1)],
        _ => inputs,
    }
}

/// The operation of this name that a program may call.
pub fn find(name: &str) -> Option<&'static dyn Operation> {
    operation(name).filter(|op| op.signature().group != Group::Internal)
}

/// The operation of this name, internal ones too.
pub fn operation(name: &str) -> Option<&'static dyn Operation> {
    table().get(name).copied()
}

/// All operations in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static dyn Operation> {
    RUNNING.iter().chain(PARTS.iter().copied().flatten()).chain(later::ALL).copied()
}

/// Names that a program may call.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|op| op.signature()).filter(|s| s.group != Group::Internal).map(|s| s.name)
}

/// The task kind of this name.
pub fn task_kind(name: &str) -> Option<&'static dyn TaskKind> {
    TASKS.iter().copied().find(|t| t.signature().name == name)
}

/// What the reference says of formats.
const FORMAT_NOTE: &str = "Paths are relative to the program, or to `--data`. Gzip is read too.";

/// The reference pages of the language, made from the tables.
pub fn reference() -> String {
    reference::pages()
}
