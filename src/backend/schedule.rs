//! What is run for a step, in order: the nodes that its losses or predictions need on each batch,
//! where several batches go through a layer as one, and after which step a value is dropped.

use std::collections::HashMap;

use crate::plan::passes::names::EARLY_FREEING;
use crate::plan::{Node, Plan};

/// What is asked of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    /// Its data set.
    pub data: Option<usize>,
    /// The nodes whose values are wanted.
    pub roots: Vec<usize>,
    /// Nodes that are run besides.
    pub beside: Vec<usize>,
}

/// How a value comes about.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    /// By a node, on the batch of this part; a joined node is run as that of its first part.
    Run { part: usize, node: usize },
    /// By putting the rows of several parts end to end.
    Join,
    /// By taking out the rows of a part, which stand after those of the parts before it.
    Cut { part: usize, before: Vec<usize> },
}

/// A value to compute.
#[derive(Debug)]
pub(super) struct Step {
    pub work: Work,
    /// The steps whose values it reads.
    pub reads: Vec<usize>,
    /// The steps whose values nothing reads any more.
    pub drops: Vec<usize>,
}

/// All values to compute.
#[derive(Debug)]
pub(super) struct Schedule {
    pub steps: Vec<Step>,
    /// For each part its roots, each with its step.
    pub roots: Vec<Vec<(usize, usize)>>,
}

impl Schedule {
    /// The schedule of several parts, each a batch.
    pub(super) fn new(plan: &Plan, asks: &[Ask], training: bool) -> Self {
        let needed: Vec<Vec<bool>> = asks.iter().map(|ask| needed(plan, ask, training)).collect();
        let joins = Joins::new(plan, asks, &needed);
        let mut builder =
            Builder { plan, training, joins, steps: Vec::new(), step_of: HashMap::new(), joint_of: HashMap::new() };
        for (node, Node { inputs, .. }) in plan.nodes.iter().enumerate() {
            for part in (0..asks.len()).filter(|part| needed[*part][node]) {
                // The texts of a group are joined where a layer asks for them.
                match builder.joins.group_of(part, node).filter(|_| !inputs.is_empty()) {
                    Some(group) => builder.joint(group),
                    None => builder.value(part, node),
                };
            }
        }
        let mut roots = Vec::with_capacity(asks.len());
        for (part, ask) in asks.iter().enumerate() {
            roots.push(ask.roots.iter().map(|root| (*root, builder.value(part, *root))).collect());
        }
        let mut schedule = Self { steps: builder.steps, roots };
        if plan.passed(EARLY_FREEING) {
            schedule.free();
        }
        schedule
    }

    /// Drops each value after its last use, unless it is wanted in the end.
    fn free(&mut self) {
        let mut last: Vec<Option<usize>> = vec![None; self.steps.len()];
        for (at, step) in self.steps.iter().enumerate() {
            step.reads.iter().for_each(|read| last[*read] = Some(at));
        }
        self.roots.iter().flatten().for_each(|(_, step)| last[*step] = None);
        for (value, at) in last.into_iter().enumerate() {
            if let Some(at) = at {
                self.steps[at].drops.push(value);
            }
        }
    }
}

/// The inputs that a node reads in this mode.
fn needed_inputs(node: &Node, training: bool) -> &[usize] {
    match (node.op.as_str(), training && !node.is_still()) {
        ("train_only", true) => &node.inputs[..1],
        ("train_only", false) => &node.inputs[node.inputs.len() - 1..],
        // In training gold is fed back, and labels follow from what that gave; gold spans are given.
        ("feedback_path" | "feedback_label" | "given_spans" | "handed_states", true) => {
            &node.inputs[node.inputs.len() - 1..]
        }
        (_, true) => &node.inputs,
        (op, false) => crate::ops::read_at_prediction(op, &node.inputs),
    }
}

/// Which nodes are run on a batch.
fn needed(plan: &Plan, ask: &Ask, training: bool) -> Vec<bool> {
    let mut needed = vec![false; plan.nodes.len()];
    let mut open: Vec<usize> = ask.roots.iter().chain(&ask.beside).copied().collect();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut needed[at], true) {
            open.extend(needed_inputs(&plan.nodes[at], training));
        }
    }
    needed
}

/// The joined nodes of a plan that these parts share.
struct Joins {
    /// The group of each node that has one.
    group: Vec<Option<usize>>,
    /// The parts that run each group as one, each with its node; none where they cannot.
    members: Vec<Vec<(usize, usize)>>,
}

impl Joins {
    fn new(plan: &Plan, asks: &[Ask], needed: &[Vec<bool>]) -> Self {
        let mut joins = Self { group: Vec::new(), members: Vec::new() };
        if asks.len() < 2 || plan.joined.is_empty() {
            return joins;
        }
        joins.group = vec![None; plan.nodes.len()];
        for (group, nodes) in plan.joined.iter().enumerate() {
            nodes.iter().for_each(|node| joins.group[*node] = Some(group));
            let on = |part: usize| nodes.iter().copied().find(|node| plan.nodes[*node].data == asks[part].data);
            let members = (0..asks.len()).filter_map(|part| Some((part, on(part)?)));
            let members: Vec<(usize, usize)> = members.filter(|(part, node)| needed[*part][*node]).collect();
            let one = members.len() > 1 && members.iter().all(|member| joins.same_parts(plan, &members, *member));
            joins.members.push(if one { members } else { Vec::new() });
        }
        joins
    }

    /// Whether what a node reads is there for just these parts.
    fn same_parts(&self, plan: &Plan, members: &[(usize, usize)], (_, node): (usize, usize)) -> bool {
        let parts = |members: &[(usize, usize)]| members.iter().map(|member| member.0).collect::<Vec<_>>();
        plan.nodes[node].inputs.iter().all(|input| match self.group[*input] {
            Some(group) => self.members.get(group).is_some_and(|inner| parts(inner) == parts(members)),
            None => plan.nodes[*input].data.is_none(),
        })
    }

    /// The group that a node is run with on a part. A field is always read from its own batch.
    fn group_of(&self, part: usize, node: usize) -> Option<usize> {
        let group = (*self.group.get(node)?)?;
        self.members[group].contains(&(part, node)).then_some(group)
    }
}

struct Builder<'p> {
    plan: &'p Plan,
    training: bool,
    joins: Joins,
    steps: Vec<Step>,
    /// The step of each part's nodes.
    step_of: HashMap<(usize, usize), usize>,
    /// The step of each group.
    joint_of: HashMap<usize, usize>,
}

impl Builder<'_> {
    fn push(&mut self, work: Work, reads: Vec<usize>) -> usize {
        self.steps.push(Step { work, reads, drops: Vec::new() });
        self.steps.len() - 1
    }

    /// The value of a node on a part, by itself.
    fn value(&mut self, part: usize, node: usize) -> usize {
        if let Some(&step) = self.step_of.get(&(part, node)) {
            return step;
        }
        let is_field = self.plan.nodes[node].inputs.is_empty();
        let step = match self.joins.group_of(part, node).filter(|_| !is_field) {
            Some(group) => {
                let joint = self.joint(group);
                let parts = self.joins.members[group].iter().map(|member| member.0);
                let before = parts.take_while(|other| *other != part).collect();
                self.push(Work::Cut { part, before }, vec![joint])
            }
            None => {
                let reads = self.reads(node, |builder, input| builder.value(part, input));
                self.push(Work::Run { part, node }, reads)
            }
        };
        self.step_of.insert((part, node), step);
        step
    }

    /// The value of a group, for all its parts.
    fn joint(&mut self, group: usize) -> usize {
        if let Some(&step) = self.joint_of.get(&group) {
            return step;
        }
        let members = self.joins.members[group].clone();
        let (part, node) = members[0];
        let step = if self.plan.nodes[node].inputs.is_empty() {
            let reads = members.iter().map(|(part, node)| self.value(*part, *node)).collect();
            self.push(Work::Join, reads)
        } else {
            let reads = self.reads(node, |builder, input| match builder.joins.group_of(part, input) {
                Some(group) => builder.joint(group),
                None => builder.value(part, input),
            });
            self.push(Work::Run { part, node }, reads)
        };
        self.joint_of.insert(group, step);
        step
    }

    /// The steps of a node's inputs. One that this mode does not need stands for itself with
    /// another's value.
    fn reads(&mut self, node: usize, mut step: impl FnMut(&mut Self, usize) -> usize) -> Vec<usize> {
        let plan = self.plan;
        let needed = needed_inputs(&plan.nodes[node], self.training);
        let there: Vec<usize> = needed.iter().map(|input| step(self, *input)).collect();
        let all = plan.nodes[node].inputs.iter();
        all.filter_map(|input| needed.iter().position(|n| n == input).or(Some(0)).and_then(|i| there.get(i).copied()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
