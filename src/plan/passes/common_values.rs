//! Values that several tasks and losses read: a shared encoder runs once for all of them.

use rustc_hash::FxHashMap;

use super::edit::{asked, called, few, listed, reach, replace, weight};
use super::{Change, Pass, names};
use crate::plan::Plan;

pub(super) static PASS: Pass = Pass {
    name: names::COMMON_VALUES,
    doc: "A value that several tasks or losses read on a batch is computed once for all of them.",
    run,
};

fn run(plan: &mut Plan) -> Change {
    let stand_in = equals(plan);
    let examples = examples(plan, &stand_in);
    let before = plan.nodes.len();
    replace(plan, &stand_in);
    Change::of_nodes(before, plan.nodes.len(), examples)
}

/// What makes nodes equal, beside their attributes.
type Key<'p> = (&'p str, Vec<usize>, &'p [usize], Option<usize>, Option<u64>);

/// For each node the first that computes the same.
fn equals(plan: &Plan) -> Vec<usize> {
    let mut known: FxHashMap<Key<'_>, Vec<usize>> = FxHashMap::default();
    let mut stand_in: Vec<usize> = Vec::with_capacity(plan.nodes.len());
    for (at, node) in plan.nodes.iter().enumerate() {
        let inputs = node.inputs.iter().map(|input| stand_in[*input]).collect();
        let alike = known.entry((&node.op, inputs, &node.params, node.data, node.draw)).or_default();
        let first = alike.iter().copied().find(|first| plan.nodes[*first].attrs == node.attrs);
        if first.is_none() {
            alike.push(at);
        }
        stand_in.push(first.unwrap_or(at));
    }
    stand_in
}

/// The largest layers that are computed once for several.
fn examples(plan: &Plan, stand_in: &[usize]) -> Vec<String> {
    let mut readers: Vec<Vec<String>> = vec![Vec::new(); stand_in.len()];
    let mut marks = vec![0; stand_in.len()];
    for (mark, (name, nodes)) in (1..).zip(asked(plan)) {
        for at in reach(plan, nodes, &mut marks, mark) {
            let readers = &mut readers[stand_in[at]];
            if readers.last() != Some(&name) {
                readers.push(name.clone());
            }
        }
    }
    let mut shared: Vec<usize> = (0..stand_in.len()).filter(|at| readers[*at].len() > 1).collect();
    shared.retain(|at| weight(plan, *at) > 0);
    shared.sort_by_key(|at| std::cmp::Reverse(weight(plan, *at)));
    let says = |at: &usize| format!("{} is computed once for {}", called(plan, *at), listed(&readers[*at]));
    few(shared.iter().map(says))
}
