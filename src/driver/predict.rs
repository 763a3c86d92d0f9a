//! A saved run to predictions, streaming, in input order.

use std::collections::BTreeSet;
use std::io::Cursor;

use serde_json::{Map, Value, json};

use super::training::{broken, on_large_stack};
use crate::backend::exec::Program;
use crate::data::spec::Format;
use crate::data::{Batch, Inputs, Reader, Stream, UNSEEN, Wanted};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::TaskPlan;
use crate::train::trainee::{Answer, Judged};

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
}

/// Predicts every example of `stream` and gives each to `write` as a JSON object.
pub fn predict(
    program: &Program,
    stream: Stream,
    request: &Request<'_>,
    write: &mut dyn FnMut(&Value) -> Result<(), Diagnostic>,
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
    let mut reader = Reader::unlabelled(spec, &wanted, stream, &program.lexicon)?.bind(&program.schema);
    let mut count = 0;
    while let Some(batch) = reader.next_batch(request.batch)? {
        let outcomes = program.predict(data, &batch, &tasks).map_err(|e| broken(&e))?;
        for i in 0..batch.len() {
            let mut line = Map::new();
            for (task, items) in &outcomes {
                let plan = &program.plan.tasks[*task];
                line.insert(plan.name.clone(), answer(program, plan, &items[i]));
            }
            write(&Value::Object(line))?;
            count += 1;
        }
    }
    Ok(count)
}

/// What every task of a run predicts for texts: an object for each.
pub fn texts(program: &Program, texts: &[&str]) -> Result<Vec<Value>, Diagnostic> {
    let lines: Vec<String> = texts.iter().map(|t| t.replace(['\n', '\r'], " ") + "\n").collect();
    let request = Request { tasks: &[], inputs: Inputs::Lines, shown: "the texts", batch: 64 };
    let mut found = Vec::new();
    on_large_stack(|| {
        let stream: Stream = Box::new(Cursor::new(lines.concat()));
        predict(program, stream, &request, &mut |answers| {
            found.push(answers.clone());
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

impl Program {
    /// Predictions of tasks on a batch without gold: nothing but what they need is computed.
    pub fn predict(
        &self,
        data: usize,
        batch: &Batch,
        tasks: &[usize],
    ) -> candle_core::Result<Vec<(usize, Vec<Judged>)>> {
        let outcomes = self.unjudged(data, batch, tasks)?;
        Ok(outcomes.into_iter().map(|o| (o.task, o.items)).collect())
    }
}

/// The default way a data set's input is written.
pub fn inputs_of(format: &Format) -> Inputs {
    match format {
        Format::Jsonl => Inputs::Jsonl,
        Format::Conll | Format::Conllu => Inputs::Conll,
        _ => Inputs::Lines,
    }
}

fn answer(program: &Program, task: &TaskPlan, item: &Judged) -> Value {
    let label = |id: &u32| -> Value {
        let space = task.space.and_then(|s| program.schema.spaces.get(s));
        match space.and_then(|s| s.labels.get(*id as usize)) {
            Some(label) if *id != UNSEEN => json!(label),
            _ => Value::Null,
        }
    };
    let value = match &item.predicted {
        Answer::Class(id) => label(id),
        Answer::Labels(ids) | Answer::Tags(ids) => ids.iter().map(label).collect(),
        Answer::Number(x) => json!(x),
    };
    match item.confidence {
        Some(p) => json!({ "value": value, "confidence": (f64::from(p) * 1e4).round() / 1e4 }),
        None => json!({ "value": value }),
    }
}
