//! What only a look at the whole program shows: names that nothing uses, gold that leaks,
//! parameters that no loss reaches, tasks that share nothing, adversaries that help.

mod exposure;
mod methods;
mod reach;

use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

use super::call::TaskId;
use super::checker::Checker;
use super::graph::{Graph, NodeId, ParamId, field_of};
use super::model::{Built, Model, ModelTask};
use super::symbols::SymbolKind;
use super::walk;
use crate::diagnostics::{Diagnostic, codes};
use crate::source::{SourceMap, Span};
use crate::syntax::{Parse, ast::ExprKind};

/// Warns of layers and values that nothing names.
pub(super) fn names(c: &mut Checker<'_>, files: &[Parse]) {
    let mut used: FxHashSet<&str> = FxHashSet::default();
    for item in files.iter().flat_map(|f| &f.ast.items) {
        walk::item(item, &mut |e| {
            if let ExprKind::Name(n) = &e.kind {
                used.insert(&n.text);
            }
        });
    }
    let mut unused = Vec::new();
    for symbol in c.symbols.own() {
        let counts = matches!(symbol.kind, SymbolKind::Layer | SymbolKind::Let | SymbolKind::Def);
        if counts && !used.contains(symbol.name) && !c.tolerated.contains(symbol.name) {
            let what = match symbol.kind {
                SymbolKind::Let => "value",
                SymbolKind::Def => "recipe",
                _ => "layer",
            };
            unused.push(
                Diagnostic::new(codes::UNUSED, symbol.span, format!("nothing uses '{}'", symbol.name))
                    .help(format!("remove the {what}, or let something use it")),
            );
        }
    }
    c.diagnostics.append(&mut unused);
}

/// Checks of the whole program, each a function.
const WARNINGS: &[fn(&Model) -> Vec<Diagnostic>] = &[
    reach::unreached,
    reach::frozen,
    reach::nothing_shared,
    not_reversed,
    methods::idle_balance,
    methods::passed_over,
];

/// Checks of the whole program whose findings are often meant.
const NOTES: &[fn(&Model) -> Vec<Diagnostic>] = &[exposure::forced_labels, exposure::gold_inputs];

/// Adds what the whole program shows to be wrong.
pub(super) fn graph(diagnostics: &mut Vec<Diagnostic>, m: &Model) {
    diagnostics.extend(WARNINGS.iter().flat_map(|lint| lint(m)));
}

/// What the whole program shows that is often meant.
pub(super) fn notes(m: &Model) -> Vec<Diagnostic> {
    NOTES.iter().flat_map(|lint| lint(m)).collect()
}

/// The inputs through which a value is computed at prediction time.
fn at_prediction(graph: &Graph, id: NodeId) -> &[NodeId] {
    let node = graph.node(id);
    match node.op {
        "train_only" => &node.inputs[1..],
        op => crate::ops::read_at_prediction(op, &node.inputs),
    }
}

/// Gold that a prediction reads: `.gold`, or a field that is a task's gold.
pub(super) fn gold_leaks(c: &mut Checker<'_>) {
    let built: Vec<(String, Span, NodeId, Option<NodeId>)> =
        c.tasks.iter().filter_map(|t| t.built.as_ref().map(|b| (t.name.clone(), t.span, b.logits, b.gold))).collect();
    let golds: FxHashSet<_> = built.iter().filter_map(|b| b.3).flat_map(|g| fields_under(&c.graph, g)).collect();
    let mut found = Vec::new();
    let mut seen = FxHashSet::default();
    for (name, at, logits, _) in &built {
        let mut open = vec![(*logits, *at)];
        while let Some((id, user)) = open.pop() {
            let node = c.graph.node(id);
            if !seen.insert(id) {
                continue;
            }
            let leak = match node.op {
                "read_gold" => Some((node.span, "this is gold")),
                "field" if field_of(node).is_some_and(|f| golds.contains(&f)) => {
                    Some((user, "this reads a field that is a task's gold"))
                }
                _ => None,
            };
            if let Some((span, label)) = leak {
                let message = format!("gold leaks into the prediction of '{name}'");
                let d = Diagnostic::new(codes::GOLD_LEAK, span, message).label(label).also(*at, "of this task");
                found.push(d.help("there is no gold at prediction time: read the task's `.probs` or `.label(gold: 90%)`, or wrap what only training needs in `train_only(…)`"));
                continue;
            }
            open.extend(at_prediction(&c.graph, id).iter().map(|i| (*i, node.span)));
        }
    }
    c.diagnostics.append(&mut found);
}

/// The fields that gold is: itself, or the members of a union. The second input of
/// `repeat_rows` only says along which places the first is repeated.
fn fields_under(graph: &Graph, id: NodeId) -> Vec<(super::types::DataId, usize)> {
    let node = graph.node(id);
    match node.op {
        "field" => field_of(node).into_iter().collect(),
        "union" => node.inputs.iter().flat_map(|i| fields_under(graph, *i)).collect(),
        "repeat_rows" | "read_gold" => fields_under(graph, node.inputs[0]),
        _ => Vec::new(),
    }
}

/// The tasks whose outputs each task reads.
pub(super) fn reads(c: &Checker<'_>) -> Vec<Vec<TaskId>> {
    let mut owners: Vec<Option<TaskId>> = vec![None; c.graph.nodes.len()];
    for (i, task) in c.tasks.iter().enumerate() {
        let Some(b) = &task.built else { continue };
        for node in [Some(b.logits), b.probs, Some(b.label)].into_iter().flatten() {
            owners[node.0] = Some(TaskId(i));
        }
    }
    let mut walk = Walk::new(&c.graph);
    let read = |(i, built): (usize, Option<&Built>)| {
        let mut found = BTreeSet::new();
        walk.from(built.into_iter().flat_map(|b| [b.hidden, b.label]), |id| match owners[id.0] {
            Some(owner) if owner != TaskId(i) => {
                found.insert(owner);
                &[]
            }
            _ => &c.graph.node(id).inputs,
        });
        found.into_iter().collect()
    };
    c.tasks.iter().map(|t| t.built.as_ref()).enumerate().map(read).collect()
}

/// Walks of one graph, each of which meets a node once.
struct Walk {
    met: Vec<usize>,
    walks: usize,
}

impl Walk {
    fn new(graph: &Graph) -> Self {
        Self { met: vec![0; graph.nodes.len()], walks: 0 }
    }

    /// Visits `roots` and, of each node, those that `next` gives.
    fn from<'g>(&mut self, roots: impl IntoIterator<Item = NodeId>, mut next: impl FnMut(NodeId) -> &'g [NodeId]) {
        self.walks += 1;
        let mut open: Vec<NodeId> = roots.into_iter().collect();
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut self.met[id.0], self.walks) != self.walks {
                open.extend(next(id));
            }
        }
    }
}

/// Warns of a task that tells data sets apart without a reversed gradient.
fn not_reversed(m: &Model) -> Vec<Diagnostic> {
    let tells_apart = |t: &&ModelTask| t.built.gold.is_some_and(|g| m.graph.node(g).op == "index");
    let reverses = |t: &&ModelTask| {
        let mut open = vec![t.built.hidden];
        let mut seen = FxHashSet::default();
        while let Some(id) = open.pop() {
            let node = m.graph.node(id);
            if matches!(node.op, "reverse_gradient" | "detach") || t.weight < 0.0 {
                return true;
            }
            if seen.insert(id) {
                open.extend(&node.inputs);
            }
        }
        false
    };
    // What trains nothing but its own head changes no layer that others read.
    let own = |t: &ModelTask, p: &ParamId| m.graph.params[p.0].name.starts_with(&format!("{}.", t.name));
    let measures = |t: &&ModelTask| t.updates.as_ref().is_some_and(|ps| ps.iter().all(|p| own(t, p)));
    let warn = |t: &ModelTask| {
        let message = format!("'{}' tells data sets apart, and its gradient is not reversed", t.name);
        Diagnostic::new(codes::NOT_REVERSED, t.span, message)
            .help("put `reverse_gradient(0.05)` before its head so that the shared layers forget the data set; `detach` if it is to measure only")
    };
    m.tasks.iter().filter(tells_apart).filter(|t| !reverses(t) && !measures(t)).map(warn).collect()
}

/// Drops the warnings that a comment `// allow(W0402)` on the line before silences.
pub fn allow(diagnostics: &mut Vec<Diagnostic>, files: &[Parse], sources: &SourceMap) {
    let mut allowed: FxHashSet<(u32, u32, String)> = FxHashSet::default();
    for comment in files.iter().flat_map(|f| &f.trivia) {
        let Some(rest) = comment.text.split("allow(").nth(1) else { continue };
        let Some((code, _)) = rest.split_once(')') else { continue };
        let line = sources.place(comment.span.file, comment.span.start).line;
        for code in code.split(',') {
            allowed.insert((comment.span.file.0, line + 1, code.trim().to_string()));
        }
    }
    diagnostics.retain(|d| {
        let Some(span) = d.span else { return true };
        let line = sources.place(span.file, span.start).line;
        d.is_error() || !allowed.contains(&(span.file.0, line, d.code.0.to_string()))
    });
}
