//! What passes have in common: who reads a node, how it is called, and taking nodes out.

use crate::plan::{Plan, TaskOn};

/// Examples of its changes that a pass names.
const EXAMPLES: usize = 3;

/// `1 node`, `2 nodes`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `intent, slots`, with a count instead of the names of a crowd.
pub(super) fn listed(names: &[String]) -> String {
    match names.len() > 4 {
        true => format!("{}, {} and {} more", names[0], names[1], names.len() - 2),
        false => names.join(", "),
    }
}

/// The nodes of a task on a data set.
fn of_task(on: &mut TaskOn) -> impl Iterator<Item = &mut usize> {
    let TaskOn { logits, label, probs, gold, loss, .. } = on;
    [Some(logits), Some(label), probs.as_mut(), gold.as_mut(), loss.as_mut()].into_iter().flatten()
}

/// What tasks and loss items ask for: their names and their nodes.
pub(super) fn asked(plan: &Plan) -> Vec<(String, Vec<usize>)> {
    let mut found = Vec::new();
    for task in &plan.tasks {
        let nodes = task.on.iter().flat_map(|on| of_task(&mut on.clone()).map(|n| *n).collect::<Vec<_>>());
        found.push((task.name.clone(), nodes.collect()));
    }
    found.extend(plan.losses.iter().map(|loss| (loss.name.clone(), vec![loss.node])));
    found
}

/// Whether each node is asked for by a task or loss item itself.
pub(super) fn roots(plan: &Plan) -> Vec<bool> {
    let mut roots = vec![false; plan.nodes.len()];
    asked(plan).into_iter().flat_map(|(_, nodes)| nodes).for_each(|node| roots[node] = true);
    roots
}

/// How many nodes, tasks and losses read each node.
pub(super) fn readers(plan: &Plan) -> Vec<usize> {
    let mut readers = vec![0; plan.nodes.len()];
    let asked = asked(plan).into_iter().flat_map(|(_, nodes)| nodes);
    plan.nodes.iter().flat_map(|node| node.inputs.iter().copied()).chain(asked).for_each(|read| readers[read] += 1);
    readers
}

/// What nodes are made of, themselves included; nodes that bear `mark` already are passed over.
pub(super) fn reach(plan: &Plan, nodes: Vec<usize>, marks: &mut [usize], mark: usize) -> Vec<usize> {
    let (mut reached, mut open) = (Vec::new(), nodes);
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut marks[at], mark) != mark {
            reached.push(at);
            open.extend(&plan.nodes[at].inputs);
        }
    }
    reached
}

/// Takes out every node that does not stand for itself; what read it reads its stand-in.
pub(super) fn replace(plan: &mut Plan, stand_in: &[usize]) {
    let stays = |at: usize| stand_in[at] == at;
    let mut moved = Vec::with_capacity(stand_in.len());
    let mut kept = 0;
    for at in 0..stand_in.len() {
        moved.push(kept);
        kept += usize::from(stays(at));
    }
    let place = |at: &mut usize| *at = moved[stand_in[*at]];
    let mut at = 0;
    plan.nodes.retain(|_| {
        at += 1;
        stays(at - 1)
    });
    plan.nodes.iter_mut().flat_map(|node| &mut node.inputs).for_each(place);
    plan.tasks.iter_mut().flat_map(|task| &mut task.on).flat_map(of_task).for_each(place);
    plan.losses.iter_mut().for_each(|loss| place(&mut loss.node));
}

/// How messages call a node: `reader.bilstm on home`.
pub(super) fn called(plan: &Plan, at: usize) -> String {
    let name = named(plan, at);
    match plan.nodes[at].data.and_then(|data| plan.datasets.get(data)) {
        Some(data) => format!("{name} on {}", data.name),
        None => name,
    }
}

/// The path of a node with parameters; else what it does, and in what: `dropout in reader`.
pub(super) fn named(plan: &Plan, at: usize) -> String {
    let node = &plan.nodes[at];
    match (node.params.is_empty(), node.path.is_empty()) {
        (_, true) => node.op.clone(),
        (false, _) => node.path.clone(),
        (true, _) => format!("{} in {}", node.op, node.path),
    }
}

/// The first few of these that differ.
pub(super) fn few(examples: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = Vec::with_capacity(EXAMPLES);
    for example in examples {
        if !found.contains(&example) {
            found.push(example);
        }
        if found.len() == EXAMPLES {
            break;
        }
    }
    found
}

/// The numbers of a node's parameters: how much there is to it.
pub(super) fn weight(plan: &Plan, at: usize) -> usize {
    plan.nodes[at].params.iter().map(|param| plan.params[*param].shape.iter().product::<usize>()).sum()
}
