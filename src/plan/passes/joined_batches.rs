//! Values on different data sets that one layer gives: where a step draws a batch from each,
//! their rows go through it end to end, and part again where tasks differ.
//!
//! Places are packed, so joining is putting rows one after another. A random operation draws
//! once for all rows, which gives other numbers than drawing for each batch.

use std::collections::HashMap;

use super::edit::{counted, few, listed, named, weight};
use super::{Change, Pass, names};
use crate::data::spec::FieldType;
use crate::ops;
use crate::plan::{Attr, Node, Plan, SamplePlan};

pub(super) static PASS: Pass = Pass {
    name: names::JOINED_BATCHES,
    doc: "A step that draws from several data sets runs their shared layers once, over the rows of all its batches.",
    run,
};

fn run(plan: &mut Plan) -> Change {
    let before = plan.nodes.len();
    if !plan.train.stages.iter().any(|stage| stage.sample == SamplePlan::All) {
        let says = "nothing to do: no step draws from several data sets".into();
        return Change { before, after: before, says, examples: vec![] };
    }
    plan.joined = kept(plan, groups(plan));
    let joined: usize = plan.joined.iter().map(Vec::len).sum();
    let after = before - joined + plan.joined.len();
    let says = match joined {
        0 => "nothing to do: no layer is shared by data sets".into(),
        _ => format!("{} become {} in a step", counted(joined, "node"), plan.joined.len()),
    };
    Change { before, after, says, examples: examples(plan) }
}

/// Nodes that could be computed as one: the same operation with the same parameters, on inputs
/// that could be, too. A group has at most one node of each data set.
fn groups(plan: &Plan) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of: Vec<Option<usize>> = vec![None; plan.nodes.len()];
    let mut known: HashMap<(String, usize), usize> = HashMap::new();
    let mut times: HashMap<(usize, String), usize> = HashMap::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        let Some(data) = node.data else { continue };
        let Some(key) = key(plan, node, &group_of) else { continue };
        // Several of a kind on one data set pair up with those of another in order.
        let nth = times.entry((data, key.clone())).or_default();
        let group = *known.entry((key, *nth)).or_insert(groups.len());
        *nth += 1;
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(at);
        group_of[at] = Some(group);
    }
    groups
}

/// Equal for nodes that a group can have; `None` for those that stay alone.
fn key(plan: &Plan, node: &Node, group_of: &[Option<usize>]) -> Option<String> {
    if let Some(text) = text(plan, node) {
        return Some(text.into());
    }
    if node.inputs.is_empty() || !ops::operation(&node.op)?.by_example() {
        return None;
    }
    let mut key = format!("{}|{:?}|{:?}|{}", node.op, node.attrs, node.params, node.width);
    let mut rows = false;
    for input in &node.inputs {
        key += &match (plan.nodes[*input].data, group_of[*input]) {
            (None, _) => format!("|value {input}"),
            (_, Some(group)) => format!("|group {group}"),
            _ => return None,
        };
        rows |= group_of[*input].is_some();
    }
    rows.then_some(key)
}

/// The kind of a field of words.
fn text(plan: &Plan, node: &Node) -> Option<&'static str> {
    let (Some(Attr::Int(field)), "field") = (node.attrs.get("field"), node.op.as_str()) else { return None };
    match plan.datasets.get(node.data?)?.fields.get(*field as usize)?.ty {
        FieldType::Text { .. } => Some("text"),
        FieldType::Texts { .. } => Some("texts"),
        _ => None,
    }
}

/// The groups of several data sets; texts alone are not worth joining.
fn kept(plan: &Plan, mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    groups.retain(|group| group.len() > 1);
    let is_field = |group: &Vec<usize>| plan.nodes[group[0]].op == "field";
    let read = |field: usize| {
        let reads = |group: &Vec<usize>| group.iter().any(|at| plan.nodes[*at].inputs.contains(&field));
        groups.iter().any(reads)
    };
    let unread: Vec<usize> = groups.iter().filter(|g| is_field(g)).map(|g| g[0]).filter(|at| !read(*at)).collect();
    groups.retain(|group| !unread.contains(&group[0]));
    groups
}

/// The largest layers that run once for several data sets.
fn examples(plan: &Plan) -> Vec<String> {
    let mut largest: Vec<&Vec<usize>> = plan.joined.iter().filter(|group| weight(plan, group[0]) > 0).collect();
    largest.sort_by_key(|group| std::cmp::Reverse(weight(plan, group[0])));
    let says = |group: &&Vec<usize>| {
        let sets = group.iter().filter_map(|at| plan.datasets.get(plan.nodes[*at].data?));
        let sets: Vec<String> = sets.map(|data| data.name.clone()).collect();
        format!("{} runs once over {}", named(plan, group[0]), listed(&sets))
    };
    few(largest.iter().map(says))
}
