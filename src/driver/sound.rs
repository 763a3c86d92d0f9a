//! Whether a plan that was read from a file fits together, and this build can run it.

use crate::ops;
use crate::plan::{Plan, TaskOn};

/// What is wrong with a plan, if anything.
pub fn check(plan: &Plan) -> Result<(), String> {
    nodes(plan)?;
    tasks(plan)?;
    within("a node", "joined", plan.joined.iter().flatten().copied(), plan.nodes.len())?;
    for loss in &plan.losses {
        within("a node", &loss.name, [loss.node], plan.nodes.len())?;
        within("a data set", &loss.name, loss.data, plan.datasets.len())?;
        within("a parameter", &loss.name, loss.updates.iter().flatten().copied(), plan.params.len())?;
    }
    for stage in &plan.train.stages {
        within("a task", &stage.name, stage.tasks.iter().copied(), plan.tasks.len())?;
    }
    if plan.train.stages.is_empty() { Err("it has no stage of training".into()) } else { Ok(()) }
}

fn nodes(plan: &Plan) -> Result<(), String> {
    for (at, node) in plan.nodes.iter().enumerate() {
        let name = format!("nodes[{at}]");
        if ops::operation(&node.op).is_none() {
            return Err(format!("this build has no operation '{}'", node.op));
        }
        within("an earlier node", &name, node.inputs.iter().copied(), at)?;
        within("a parameter", &name, node.params.iter().copied(), plan.params.len())?;
        within("a data set", &name, node.data, plan.datasets.len())?;
    }
    Ok(())
}

fn tasks(plan: &Plan) -> Result<(), String> {
    let nodes = |on: &TaskOn| [Some(on.logits), Some(on.label), on.probs, on.gold, on.loss];
    for task in &plan.tasks {
        let name = &task.name;
        within("a data set", name, task.on.iter().map(|on| on.data), plan.datasets.len())?;
        within("a node", name, task.on.iter().flat_map(nodes).flatten(), plan.nodes.len())?;
        within("a label space", name, task.space, plan.spaces.len())?;
        within("a parameter", name, task.updates.iter().flatten().copied(), plan.params.len())?;
        within("a task", name, task.reads.iter().copied(), plan.tasks.len())?;
    }
    Ok(())
}

/// Every index is below `count`.
fn within(what: &str, whose: &str, indices: impl IntoIterator<Item = usize>, count: usize) -> Result<(), String> {
    match indices.into_iter().find(|index| *index >= count) {
        Some(index) => Err(format!("'{whose}' names {what} of number {index}, and there are {count}")),
        None => Ok(()),
    }
}
