//! Kinds of tasks, one file each, and what every task has.

pub mod classify;
pub mod detect;
pub mod distill;
pub mod feedback;
#[cfg(feature = "train")]
mod feedback_run;
pub mod generate;
pub mod heads;
pub mod later;
pub mod lm;
mod make;
pub mod mlm;
pub mod multilabel;
pub mod parse;
#[cfg(feature = "train")]
mod parse_run;
pub mod rank;
#[cfg(feature = "train")]
mod rank_run;
pub mod regress;
pub mod relate;
pub mod spans;
#[cfg(feature = "train")]
mod spans_run;
pub mod tag;
pub mod voted;

use super::signature::{Arg, COUNT, Default, Group, Kind, POSITIVE, Signature, arg, required};

/// Settings that every task has.
pub static COMMON: Signature =
    Signature { name: "task", group: Group::Internal, doc: "Settings of any task.", inputs: &[], args: COMMON_ARGS };

const COMMON_ARGS: &[Arg] = &[
    arg("weight", Kind::Any, Default::Float(1.0), "Factor of the task's loss, before `balance`."),
    arg("head", Kind::Any, Default::Unset, "The head's form, or another task whose head it shares."),
    arg("loss", Kind::Any, Default::Unset, "The loss, where the kind has several."),
    arg("metric", Kind::Any, Default::Unset, "The metric that stands for the task."),
    arg("lr", POSITIVE, Default::Unset, "Learning rate of the task's own parameters."),
    arg("updates", Kind::Any, Default::Unset, "Only these parameters get this loss's gradient."),
    arg("dropout", Kind::Share, Default::Float(0.0), "Dropout before the head."),
    arg("vote", Kind::Bool, Default::Bool(false), "Each place of the input predicts and is trained; most votes win."),
    arg("over", Kind::Any, Default::Unset, "A distribution over an axis of the input that the gold lacks."),
];

macro_rules! outputs {
    ($($item:ident, $name:literal, $args:expr, $doc:literal;)*) => {
        $(#[doc = $doc]
        pub static $item: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[], args: $args };)*
        /// What a task hands on.
        pub static OUTPUTS: &[&Signature] = &[$(&$item),*];
    };
}

outputs! {
    PROBS, "probs", &[], "The probability of each label.";
    LOGITS, "logits", &[], "What the last projection gives.";
    HIDDEN, "hidden", &[], "What the last projection reads.";
    EMBEDDING, "embedding", &[required("d", Kind::Width, "Width of the label embeddings.")],
        "The expected embedding of the label.";
    LABEL, "label", &[arg("gold", Kind::Share, Default::Float(0.0), "How often the gold label stands instead, in training.")],
        "The predicted label, as one-hot or as an index for `embed`; passes no gradient.";
    SAMPLE, "sample", &[], "A label drawn by its probability; of `mlm`, the text with the corrupted words drawn anew. Passes no gradient.";
    GOLD, "gold", &[], "The right label, which only training has; passes no gradient.";
    LOSS, "loss", &[], "−log p of the gold, summed over the places of an example.";
    TOP, "top", &[required("k", COUNT, "How many.")], "The best candidates of a task; passes no gradient.";
    STATES, "states", &[], "The states of a decoder of text.";
    WORDS, "words", &[
        arg("gumbel", Kind::Float(0.0, f64::INFINITY), Default::Float(0.0), "Temperature of a relaxed sample that stands for the distribution (Jang et al. 2017); 0 for none."),
        arg("hard", Kind::Bool, Default::Bool(false), "Whether the sample is one word, with the gradient of the relaxed one."),
    ], "The expected embeddings of the words that a decoder gives: Σ p(w) E(w) with E what it reads.";
    VOTED, "voted", &[], "The labels that most places voted for.";
    REPLACED, "replaced", &[], "Of `mlm`: whether each word of `.sample` is another than the original.";
}

/// The names of what a task hands on.
pub fn outputs() -> impl Iterator<Item = &'static str> + Clone {
    OUTPUTS.iter().map(|o| o.name)
}
