//! Values that nothing asks for: neither a task's prediction or loss, nor a loss item.
//!
//! The executor asks for this pass as well: with it, a batch runs only what its losses or
//! predictions need; without it, everything that stands on its data set.

use std::collections::BTreeSet;

use super::edit::{asked, called, few, reach, replace};
use super::{Change, Pass, names};
use crate::plan::Plan;

pub(super) static PASS: Pass = Pass {
    name: names::DEAD_VALUES,
    doc: "What no loss and no prediction needs is left out, and of a batch only what is needed is run.",
    run,
};

fn run(plan: &mut Plan) -> Change {
    let roots = asked(plan).into_iter().flat_map(|(_, nodes)| nodes).collect();
    let before = plan.nodes.len();
    let mut live = vec![false; before];
    reach(plan, roots, &mut vec![0; before], 1).into_iter().for_each(|at| live[at] = true);
    let dead: Vec<usize> = (0..before).filter(|at| !live[*at]).collect();
    let examples = few(dead.iter().rev().map(|at| format!("nothing needs {}", called(plan, *at))));
    let params: BTreeSet<usize> = dead.iter().flat_map(|at| plan.nodes[*at].params.clone()).collect();
    // No live node reads a dead one, so any stand-in will do.
    let first = live.iter().position(|live| *live).unwrap_or_default();
    let stand_in: Vec<usize> = (0..before).map(|at| if live[at] { at } else { first }).collect();
    match live.contains(&true) {
        true => replace(plan, &stand_in),
        false => plan.nodes.clear(),
    }
    drop_params(plan, params);
    Change::of_nodes(before, plan.nodes.len(), examples)
}

/// Takes out those of these parameters that nothing else mentions.
fn drop_params(plan: &mut Plan, mut params: BTreeSet<usize>) {
    for param in mentions(plan) {
        params.remove(param);
    }
    let moved: Vec<usize> = (0..plan.params.len()).map(|param| param - params.range(..param).count()).collect();
    mentions(plan).for_each(|param| *param = moved[*param]);
    let mut at = 0;
    plan.params.retain(|_| {
        at += 1;
        !params.contains(&(at - 1))
    });
}

/// Every place of a plan that names a parameter.
fn mentions(plan: &mut Plan) -> impl Iterator<Item = &mut usize> {
    let nodes = plan.nodes.iter_mut().flat_map(|node| &mut node.params);
    let tasks = plan.tasks.iter_mut().filter_map(|task| task.updates.as_mut()).flatten();
    let losses = plan.losses.iter_mut().filter_map(|loss| loss.updates.as_mut()).flatten();
    let stages = plan.train.stages.iter_mut().flat_map(|stage| stage.freeze.iter_mut().chain(&mut stage.reset));
    nodes.chain(tasks).chain(losses).chain(stages)
}
