//! Operations, one file each: signature, typing rule, lowering and tensor code. The tables here
//! are the only list of what exists.

pub mod signature;
pub mod tasks;
pub mod training;

use std::fmt;

pub use signature::*;

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

/// The table of operations.
pub const OPERATIONS: &[&dyn Operation] = &[];

/// The table of task kinds.
pub const TASKS: &[&dyn TaskKind] = &[];

/// The operation of this name that a program may call.
pub fn find(name: &str) -> Option<&'static dyn Operation> {
    operation(name).filter(|op| op.signature().group != Group::Internal)
}

/// The operation of this name, internal ones too.
pub fn operation(name: &str) -> Option<&'static dyn Operation> {
    OPERATIONS.iter().copied().find(|op| op.signature().name == name)
}

/// Names that a program may call.
pub fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|op| op.signature()).filter(|s| s.group != Group::Internal).map(|s| s.name)
}

/// The task kind of this name.
pub fn task_kind(name: &str) -> Option<&'static dyn TaskKind> {
    TASKS.iter().copied().find(|t| t.signature().name == name)
}
