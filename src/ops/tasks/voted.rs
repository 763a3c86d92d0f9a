//! `.voted` of a `multilabel` task whose places vote: its labels as a set axis.

use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{Operation, attrs};
use crate::sema::call::{Call, Checked, TaskId, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::Built;
use crate::sema::types::{On, Ty};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{Rows, Value, exec::Run, votes::labels_voted};

/// The labels that most places voted for.
pub struct Voted;

static VOTED: Signature = Signature {
    name: "voted",
    group: Group::Internal,
    doc: "The labels that more than half of the places of each example predict, along a set axis (Qin et al. 2021, GL-GIN, eq. 6).",
    inputs: &[input("labels")],
    args: &[],
};

/// The node of a task's `.voted`.
pub fn voted<'a>(c: &mut Checker<'a>, id: TaskId, built: &Built, at: Span) -> Checked<NodeId> {
    let task = c.task(id);
    let votes = task.kind.signature().name == "multilabel" && task.settings.bool("vote");
    if let (true, Some(space)) = (votes, task.head.space) {
        let axes = [format!("{}.voted", task.name).into()].into();
        let on = On { example: built.on.example.clone(), axes };
        return Ok(c.plain("voted", vec![built.label], attrs([]), Ty::Label(on, space), at));
    }
    let message = format!("no places vote on a set of labels in '{}'", task.name);
    let d = Diagnostic::new(codes::UNKNOWN_FIELD, at, message).also(task.span, "declared here");
    Err(c.error(d.help("`.voted` belongs to a `multilabel` task with `vote: true`; other tasks have `.label`")))
}

impl Operation for Voted {
    fn signature(&self) -> &'static Signature {
        &VOTED
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (labels, rows) = inputs[0].as_float()?;
        let sets = labels_voted(&crate::backend::exec::numbers(labels)?, labels.dim(1)?, &rows.by_example());
        let offsets = crate::backend::rows::offsets_of(sets.iter().map(Vec::len));
        let rows = Rows::along(offsets).into();
        Ok(Value::Label { ids: sets.concat().into(), space: labels.dim(1)?, rows })
    }
}
