//! Which parameters losses and stages reach, and which of them tasks share.

use std::collections::BTreeMap;

use super::Walk;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Init, StagePlan};
use crate::sema::graph::{Graph, NodeId, ParamId};
use crate::sema::model::{Model, ModelTask};
use crate::source::Span;

/// For each parameter, whether a gradient from `roots` reaches it.
fn reached(graph: &Graph, roots: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
    let mut params = vec![false; graph.params.len()];
    let mut walk = Walk::new(graph);
    walk.from(roots, |id| {
        let node = graph.node(id);
        node.params.iter().for_each(|p| params[p.0] = true);
        if crate::ops::cuts_gradient(node.op) { &[] } else { &node.inputs }
    });
    params
}

/// The layer or task that a parameter belongs to: its path without the last word.
fn owner(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(owner, _)| owner)
}

/// The losses of a program, each with the parameters it is kept to.
fn losses(m: &Model) -> impl Iterator<Item = (NodeId, Option<&[ParamId]>)> {
    let tasks = m.tasks.iter().filter_map(|t| Some((t.built.loss?, t.updates.as_deref())));
    tasks.chain(m.losses.iter().map(|l| (l.node, l.updates.as_deref())))
}

/// For each parameter, whether one of these losses may change it.
fn changed<'m>(m: &Model, losses: impl Iterator<Item = (NodeId, Option<&'m [ParamId]>)>) -> Vec<bool> {
    let (masked, free): (Vec<_>, Vec<_>) = losses.partition(|(_, updates)| updates.is_some());
    let mut all = reached(&m.graph, free.into_iter().map(|(loss, _)| loss));
    for (loss, updates) in masked {
        let reached = reached(&m.graph, [loss]);
        updates.into_iter().flatten().for_each(|p| all[p.0] |= reached[p.0]);
    }
    all
}

/// The owners of the parameters that `is_one` picks, each at the place that makes them.
fn owners(m: &Model, is_one: impl Fn(usize) -> bool) -> BTreeMap<Span, &str> {
    let mut owners = BTreeMap::new();
    let is_own = |name: &str| m.runs.iter().all(|run| run.own(name).is_none());
    for (_, p) in m.graph.params.iter().enumerate().filter(|(i, p)| is_one(*i) && is_own(&p.name)) {
        owners.entry(p.span).or_insert_with(|| owner(&p.name));
    }
    owners
}

/// Warns of parameters that no loss can change.
pub(super) fn unreached(m: &Model) -> Vec<Diagnostic> {
    let changed = changed(m, losses(m));
    let warn = |(span, owner): (Span, &str)| {
        Diagnostic::new(codes::UNREACHED, span, format!("no loss reaches the parameters of '{owner}'"))
            .help("what reads it may pass no gradient (`detach`, `.label`), or no task may read it at all")
    };
    let meant = |p: usize| matches!(m.graph.params[p].init, Init::Pretrained { frozen: true, .. });
    owners(m, |p| !changed[p] && !meant(p)).into_iter().map(warn).collect()
}

/// The losses that a stage trains.
fn losses_of<'m>(m: &'m Model, stage: &StagePlan) -> impl Iterator<Item = (NodeId, Option<&'m [ParamId]>)> {
    let tasks = stage.tasks.iter().filter_map(|t| m.tasks.get(*t));
    let tasks = tasks.filter_map(|t| Some((t.built.loss?, t.updates.as_deref())));
    let items = stage.losses.iter().filter_map(|l| m.losses.get(*l));
    tasks.chain(items.map(|l| (l.node, l.updates.as_deref())))
}

/// Warns of parameters that losses would change, if every stage did not freeze them. Those that
/// begin as word vectors are good as they are.
pub(super) fn frozen(m: &Model) -> Vec<Diagnostic> {
    let (mut held, mut trained) = (vec![false; m.graph.params.len()], vec![false; m.graph.params.len()]);
    for stage in m.train.stages.iter().filter(|s| !s.freeze.is_empty() || m.train.stages.len() > 1) {
        for (p, _) in changed(m, losses_of(m, stage)).iter().enumerate().filter(|(_, changes)| **changes) {
            let of = if stage.freeze.contains(&p) { &mut held } else { &mut trained };
            of[p] = true;
        }
    }
    let warn = |(span, owner): (Span, &str)| {
        let message = format!("every stage that reads '{owner}' freezes it, so it keeps its first random values");
        Diagnostic::new(codes::UNREACHED, span, message).help(
            "leave it out of `freeze` in one stage, or begin with word vectors: `embed(100, vectors: \"glove.txt\")`",
        )
    };
    let known = |p: usize| matches!(m.graph.params[p].init, Init::Vectors { .. } | Init::Pretrained { .. });
    owners(m, |p| held[p] && !trained[p] && !known(p)).into_iter().map(warn).collect()
}

/// For each parameter, how many of these tasks' losses reach it, up to two.
pub(super) fn readers(m: &Model, tasks: &[usize]) -> Vec<usize> {
    let mut readers = vec![0; m.graph.params.len()];
    for loss in tasks.iter().filter_map(|t| m.tasks.get(*t)?.built.loss) {
        let reached = reached(&m.graph, [loss]);
        readers.iter_mut().zip(reached).for_each(|(n, reached)| *n += usize::from(reached));
    }
    readers
}

/// Which tasks compute with something.
#[derive(Clone, Copy, PartialEq)]
enum Users {
    None,
    One(usize),
    Many,
}

impl Users {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Users::None, users) | (users, Users::None) => users,
            (one, other) if one == other => one,
            _ => Users::Many,
        }
    }
}

/// Warns of a task that computes with no parameter that any other task computes with.
pub(super) fn nothing_shared(m: &Model) -> Vec<Diagnostic> {
    let trained: Vec<(&ModelTask, NodeId)> = m.tasks.iter().filter_map(|t| Some((t, t.built.loss?))).collect();
    if trained.len() < 2 || m.losses.iter().any(|l| reached(&m.graph, [l.node]).contains(&true)) {
        return Vec::new();
    }
    let shares = shares(&m.graph, trained.iter().map(|(_, loss)| *loss));
    let help = "let it read a layer that another task reads too, or train it in a program of its own";
    let apart: Vec<&ModelTask> = trained.iter().filter(|(_, loss)| !shares[loss.0]).map(|(t, _)| *t).collect();
    let warn = |t: &&ModelTask| {
        let message = format!("'{}' shares no parameter with any other task", t.name);
        Diagnostic::new(codes::NOTHING_SHARED, t.span, message).help(help)
    };
    match apart.as_slice() {
        [first, rest @ ..] if apart.len() == trained.len() => vec![none_shared(first, rest)],
        some => some.iter().map(warn).collect(),
    }
}

fn none_shared(first: &ModelTask, rest: &[&ModelTask]) -> Diagnostic {
    let d = Diagnostic::new(codes::NOTHING_SHARED, first.span, "no two of these tasks share a parameter");
    let others = rest.iter().filter(|t| t.span != first.span);
    others
        .fold(d, |d, t| d.also(t.span, format!("'{}' is on its own too", t.name)))
        .help("let them read one layer, or train each in a program of its own")
}

/// For each node, whether it computes with a parameter that the losses of two tasks depend on.
/// Inputs stand before what reads them, so one pass down and one up see everything.
fn shares(graph: &Graph, losses: impl Iterator<Item = NodeId>) -> Vec<bool> {
    let mut nodes = vec![Users::None; graph.nodes.len()];
    let mut params = vec![Users::None; graph.params.len()];
    losses.enumerate().for_each(|(task, loss)| nodes[loss.0] = nodes[loss.0].and(Users::One(task)));
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        let users = nodes[at];
        node.params.iter().for_each(|p| params[p.0] = params[p.0].and(users));
        node.inputs.iter().for_each(|input| nodes[input.0] = nodes[input.0].and(users));
    }
    let mut shares = vec![false; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate() {
        shares[at] = node.params.iter().any(|p| params[p.0] == Users::Many) || node.inputs.iter().any(|i| shares[i.0]);
    }
    shares
}
