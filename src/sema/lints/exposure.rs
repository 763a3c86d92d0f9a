//! Tasks that learn from the gold of another and are run on its predictions: what they read at
//! prediction time has mistakes that training never showed them (exposure bias). Often it is
//! meant, so it is said only to those who ask for notes.

use rustc_hash::FxHashSet;

use super::fields_under;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Attr;
use crate::sema::graph::{Node, NodeId};
use crate::sema::model::{Model, ModelTask};

/// Values that each task reads, with the task.
fn read(m: &Model) -> impl Iterator<Item = (&ModelTask, NodeId)> {
    let mut seen = FxHashSet::default();
    m.tasks.iter().flat_map(move |task| {
        let (mut open, mut found) = (vec![task.built.hidden], Vec::new());
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                found.push((task, id));
                open.extend(&m.graph.node(id).inputs);
            }
        }
        found
    })
}

fn exposed(reader: &ModelTask, of: &str, node: &Node, help: String) -> Diagnostic {
    let message = format!("'{}' is trained on the gold of '{of}' and run on its predictions", reader.name);
    Diagnostic::new(codes::EXPOSURE, node.span, message).also(reader.span, "of this task").help(help)
}

/// `.label(gold: 100%)`: gold always in training.
pub(super) fn forced_labels(m: &Model) -> Vec<Diagnostic> {
    let always = |node: &Node| matches!(node.attrs.get("gold"), Some(Attr::Float(p)) if *p >= 1.0);
    let warn = |(reader, id): (&ModelTask, NodeId)| {
        let node = m.graph.node(id);
        let forced = node.op == "forced_label" && always(node);
        let of = forced.then(|| m.tasks.iter().find(|t| node.inputs.first() == Some(&t.built.label)))??;
        let help = format!("let it meet predictions in training too, with `{}.label(gold: 90%)`", of.name);
        Some(exposed(reader, &of.name, node, help))
    };
    read(m).filter_map(warn).collect()
}

/// `train_only(a.gold, else: a.probs)`: gold in training, something else at prediction.
pub(super) fn gold_inputs(m: &Model) -> Vec<Diagnostic> {
    let warn = |(reader, id): (&ModelTask, NodeId)| {
        let node = m.graph.node(id);
        let [in_training, _] = node.inputs.as_slice() else { return None };
        let of = (node.op == "train_only").then(|| gold_of(m, *in_training))??;
        let help = format!("read `{}.label(gold: 90%)`, which mixes both in training", of.name);
        Some(exposed(reader, &of.name, node, help))
    };
    read(m).filter_map(warn).collect()
}

/// The task whose gold a value is, as it is or as one-hot.
fn gold_of(m: &Model, id: NodeId) -> Option<&ModelTask> {
    let node = m.graph.node(id);
    if matches!(node.op, "one_hot" | "repeat_rows") {
        return gold_of(m, *node.inputs.first()?);
    }
    let fields = fields_under(&m.graph, id);
    let is_gold =
        |t: &&ModelTask| t.built.gold.is_some_and(|g| !fields.is_empty() && fields_under(&m.graph, g) == fields);
    m.tasks.iter().find(is_gold)
}
