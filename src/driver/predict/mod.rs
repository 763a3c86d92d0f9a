//! A saved run to predictions, streaming, in input order.
//!
//! - `flow`: the threads that read, compute and write.
//! - `inbox`: where examples wait until they make a batch.
//! - `answers`: predictions as JSON, and texts.
//! - `writing`: how texts are written, where that is said anew.

mod answers;
mod flow;
mod inbox;
mod writing;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::Duration;

use serde_json::Value;

use super::training::on_large_stack;
use crate::backend::exec::Program;
use crate::data::spec::Format;
use crate::data::{Inputs, Reader, Stream, Wanted};
use crate::diagnostics::{Diagnostic, codes};
pub use answers::{Answers, Line};
use flow::Work;
use inbox::Inbox;
pub use writing::{Writing, write_by, writer};

/// What is predicted, and from what.
pub struct Request<'a> {
    /// Names of tasks; none means all.
    pub tasks: &'a [String],
    /// How the input is written.
    pub inputs: Inputs,
    /// How messages name the input.
    pub shown: &'a str,
    /// Examples computed at a time.
    pub batch: usize,
    /// Somebody may wait for the answer to an example before the next one comes, as on a pipe.
    pub live: bool,
}

/// How long an example of a live input waits for others.
const PATIENCE: Duration = Duration::from_millis(20);

/// Predicts every example of `stream` and gives the answers to `write`, in the order of the stream.
/// Returns how many examples there were.
pub fn predict(
    program: &Program,
    stream: Stream,
    request: &Request<'_>,
    write: &mut dyn FnMut(&Answers<'_>) -> Result<(), Diagnostic>,
) -> Result<usize, Diagnostic> {
    let tasks = chosen(program, request.tasks)?;
    let Some(data) = tasks.first().and_then(|t| program.plan.tasks[*t].on.first()).map(|on| on.data) else {
        return Err(Diagnostic::placeless(codes::INPUT, "the run has no task to predict"));
    };
    let tasks: Vec<usize> = tasks.into_iter().filter(|t| program.on(*t, data).is_some()).collect();
    let fields = fields_read(program, &tasks, data);
    let names: Vec<&str> = fields.iter().map(|f| program.plan.datasets[data].fields[*f].name.as_str()).collect();
    let wanted = Wanted { inputs: request.inputs, fields: &names, shown: request.shown };
    let spec = &program.plan.datasets[data];
    let reader = Reader::unlabelled(spec, &wanted, stream, &program.lexicon)?.bind(&program.schema);
    let inbox = Inbox::new(request.batch, request.live.then_some(PATIENCE));
    flow::run(&Work { program, data, tasks }, reader, inbox, write)
}

/// What every task of a run predicts for texts: an object for each.
pub fn texts(program: &Program, texts: &[&str]) -> Result<Vec<Value>, Diagnostic> {
    let lines: Vec<String> = texts.iter().map(|t| t.replace(['\n', '\r'], " ") + "\n").collect();
    let request = Request { tasks: &[], inputs: Inputs::Lines, shown: "the texts", batch: 64, live: false };
    let mut found = Vec::new();
    on_large_stack(|| {
        let stream: Stream = Box::new(Cursor::new(lines.concat()));
        predict(program, stream, &request, &mut |answers| {
            let values = answers.lines().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>();
            found.extend(values.map_err(|e| Diagnostic::placeless(codes::BUG, format!("an answer: {e}")))?);
            Ok(())
        })
    })?;
    Ok(found)
}

/// The tasks asked for, those of one data set first.
fn chosen(program: &Program, names: &[String]) -> Result<Vec<usize>, Diagnostic> {
    let plan = &program.plan;
    if names.is_empty() {
        return Ok((0..plan.tasks.len()).collect());
    }
    let find = |name: &String| {
        plan.tasks.iter().position(|t| t.name == *name).ok_or_else(|| {
            let known: Vec<&str> = plan.tasks.iter().map(|t| t.name.as_str()).collect();
            Diagnostic::placeless(codes::INPUT, format!("the run has no task '{name}'"))
                .help(format!("its tasks are {}", crate::ops::list_words(&known)))
        })
    };
    names.iter().map(find).collect()
}

/// The fields that the predictions of these tasks read.
fn fields_read(program: &Program, tasks: &[usize], data: usize) -> Vec<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = Vec::new();
    for task in tasks {
        open.extend(program.on(*task, data).map(|on| on.label));
    }
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if !seen.insert(at) {
            continue;
        }
        let node = &program.plan.nodes[at];
        if let ("field", Some(crate::plan::Attr::Int(field))) = (node.op.as_str(), node.attrs.get("field")) {
            found.insert(*field as usize);
        }
        match node.op.as_str() {
            "train_only" => open.extend(node.inputs.last()),
            op => open.extend(crate::ops::read_at_prediction(op, &node.inputs)),
        }
    }
    found.into_iter().collect()
}

/// The default way a data set's input is written.
pub fn inputs_of(format: &Format) -> Inputs {
    match format {
        Format::Jsonl => Inputs::Jsonl,
        Format::Conll | Format::Conllu => Inputs::Conll,
        _ => Inputs::Lines,
    }
}
