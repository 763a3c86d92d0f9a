//! Kinds of tasks, one file each, and what every task has.

pub mod classify;
pub mod feedback;
#[cfg(feature = "train")]
mod feedback_run;
pub mod heads;
pub mod later;
pub mod multilabel;
pub mod regress;
pub mod tag;

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

/// Arguments of `.label`.
pub static LABEL: Signature = Signature {
    name: "label",
    group: Group::Internal,
    doc: "The predicted label, as one-hot or as an index for `embed`; passes no gradient.",
    inputs: &[],
    args: &[arg("gold", Kind::Share, Default::Float(0.0), "How often the gold label stands instead, in training.")],
};

/// Arguments of `.embedding`.
pub static EMBEDDING: Signature = Signature {
    name: "embedding",
    group: Group::Internal,
    doc: "The expected embedding of the label.",
    inputs: &[],
    args: &[required("d", Kind::Width, "Width of the label embeddings.")],
};

/// Arguments of `.top`.
pub static TOP: Signature = Signature {
    name: "top",
    group: Group::Internal,
    doc: "The best candidates of a task.",
    inputs: &[],
    args: &[required("k", COUNT, "How many.")],
};
