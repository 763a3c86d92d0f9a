//! What a plan costs: parameters by layer, operations a token, memory, steps of each task.

use std::collections::BTreeSet;

use super::numbers::{bytes, prefixed, table, thousands};
use super::picture::owner::Owners;
use crate::plan::{Node, Plan, SamplePlan, StagePlan};
use crate::source::Span;

/// What reading the data has told of one data set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Batches of the train set.
    pub batches: usize,
    /// Examples in a batch, on average.
    pub examples: f64,
    /// Tokens in a batch, on average.
    pub tokens: f64,
    /// Pairs of tokens of one text, were all as long as the longest of the batch.
    pub pairs: f64,
}

/// Parameters of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRow {
    /// Its name.
    pub name: String,
    /// Numbers in its parameters.
    pub numbers: usize,
    /// Its share of all.
    pub share: f64,
    /// Tasks whose predictions or losses it takes part in.
    pub tasks: Vec<String>,
}

/// Parameters by owner, in the order of the plan.
pub fn layers(plan: &Plan) -> Vec<LayerRow> {
    let owners = Owners::of(plan);
    let total: usize = plan.params.iter().map(|param| param.shape.iter().product::<usize>()).sum();
    let used: Vec<BTreeSet<usize>> = plan
        .tasks
        .iter()
        .map(|task| {
            params_of(
                plan,
                task.on.iter().flat_map(|on| [Some(on.logits), Some(on.label), on.loss].into_iter().flatten()),
            )
        })
        .collect();
    let mut rows: Vec<LayerRow> = Vec::new();
    for (at, param) in plan.params.iter().enumerate() {
        let name = owners.owner(&param.name);
        let numbers = param.shape.iter().product();
        let tasks =
            plan.tasks.iter().zip(&used).filter(|(_, used)| used.contains(&at)).map(|(task, _)| task.name.clone());
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => {
                row.numbers += numbers;
                let more: Vec<String> = tasks.filter(|task| !row.tasks.contains(task)).collect();
                row.tasks.extend(more);
            }
            None => rows.push(LayerRow { name: name.into(), numbers, share: 0.0, tasks: tasks.collect() }),
        }
    }
    rows.iter_mut().for_each(|row| row.share = row.numbers as f64 / total.max(1) as f64);
    rows
}

/// The parameters that nodes are made with.
fn params_of(plan: &Plan, nodes: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let (mut seen, mut open) = (vec![false; plan.nodes.len()], nodes.collect::<Vec<_>>());
    let mut params = BTreeSet::new();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut seen[at], true) {
            params.extend(&plan.nodes[at].params);
            open.extend(&plan.nodes[at].inputs);
        }
    }
    params
}

/// Whether a value has a place for each token: an axis beside the examples.
fn has_tokens(node: &Node) -> bool {
    let inside = node.ty.split_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'));
    let axis = |part: &&str| part.starts_with(|c: char| c.is_alphabetic() || c == '_') && !part.starts_with("label ");
    inside.split(", ").any(|part| axis(&part))
}

/// Multiplications and additions of a node for each of its rows: two for each number of its
/// matrices, and for attention those of the scores, over `length` tokens.
fn flops_a_row(plan: &Plan, node: &Node, length: f64) -> f64 {
    let matrix = |param: &&usize| plan.params[**param].shape.len() >= 2 && !is_table(plan, node, **param);
    let numbers: usize =
        node.params.iter().filter(matrix).map(|p| plan.params[*p].shape.iter().product::<usize>()).sum();
    let scores = if attends(node) && has_tokens(node) { 4.0 * length * node.width as f64 } else { 0.0 };
    2.0 * numbers as f64 + scores
}

/// Whether each place of a value looks at all others.
fn attends(node: &Node) -> bool {
    node.op.contains("attention") && node.op != "attention_pool" || matches!(node.op.as_str(), "attend" | "transformer")
}

/// Whether a parameter is looked up and not multiplied: a row for each word.
fn is_table(plan: &Plan, node: &Node, param: usize) -> bool {
    let rows = plan.params[param].shape.first().copied().unwrap_or(0);
    matches!(node.op.as_str(), "embed" | "chars") && plan.vocab_sizes.contains(&rows)
}

/// Floating-point operations of the forward pass for each token of a data set; training takes
/// about three times as many.
pub fn flops_per_token(plan: &Plan, data: usize, load: &Load) -> f64 {
    let length = load.tokens / load.examples.max(1.0);
    let on = plan.nodes.iter().filter(|node| node.data == Some(data));
    let batch: f64 = on.map(|node| rows(node, load) * flops_a_row(plan, node, length)).sum();
    if load.tokens > 0.0 { batch / load.tokens } else { 0.0 }
}

/// Rows of a value in a batch.
fn rows(node: &Node, load: &Load) -> f64 {
    if has_tokens(node) { load.tokens } else { load.examples }
}

/// Estimated bytes at the peak of training: parameters, gradients and two moments, and every
/// value of the largest batch with its gradient.
pub fn peak_memory(plan: &Plan, loads: &[Load]) -> f64 {
    let params: usize = plan.params.iter().map(|param| param.shape.iter().product::<usize>()).sum();
    let batch = |(data, load): (usize, &Load)| {
        let on = plan.nodes.iter().filter(|node| node.data == Some(data));
        on.map(|node| value_bytes(node, load) + score_bytes(plan, node, load)).sum::<f64>()
    };
    let values = loads.iter().enumerate().map(batch);
    let values = match plan.train.stages.iter().any(|stage| stage.sample == SamplePlan::All) {
        true => values.sum(),
        false => values.fold(0.0, f64::max),
    };
    params as f64 * PARAM_BYTES + values
}

/// A parameter, its gradient and two moments.
const PARAM_BYTES: f64 = 4.0 * 4.0;

/// A value in a batch and its gradient.
fn value_bytes(node: &Node, load: &Load) -> f64 {
    node.width as f64 * rows(node, load) * 4.0 * 2.0
}

/// The scores of an attention, which only its plain form keeps: before and after the mask, their
/// softmax and what is kept of it, each with what flows back.
fn score_bytes(plan: &Plan, node: &Node, load: &Load) -> f64 {
    let fused = match plan.train.device.as_str() {
        "auto" => !cfg!(any(feature = "cuda", feature = "metal")),
        device => device == "cpu",
    };
    if fused || !attends(node) {
        return 0.0;
    }
    let heads = match node.attrs.get("heads") {
        Some(crate::plan::Attr::Int(heads)) => *heads as f64,
        _ => 1.0,
    };
    heads * load.pairs * 4.0 * 5.0
}

/// The operation that takes most of the memory: its place, its bytes, and what would lessen them.
pub fn heaviest(plan: &Plan, loads: &[Load]) -> Option<(Span, f64, &'static str)> {
    let of = |node: &Node| {
        let load = loads.get(node.data?)?;
        let numbers: usize = node.params.iter().map(|p| plan.params[*p].shape.iter().product::<usize>()).sum();
        let (own, values, scores) =
            (numbers as f64 * PARAM_BYTES, value_bytes(node, load), score_bytes(plan, node, load));
        let help = if scores > own.max(values) {
            "its scores grow with the square of the length: cut the texts with `max: 256` in their field"
        } else if own > values {
            "most of that are parameters, their gradients and their moments: use a smaller width or vocabulary"
        } else {
            "make batches smaller, such as `batch: tokens(4096)`, or cut the texts with `max: 256` in their field"
        };
        Some((node.span, own + values + scores, help))
    };
    plan.nodes.iter().filter_map(of).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Steps that each task of a stage is trained in, over all its epochs (`steps / accumulate` of
/// the optimiser), in the order of [`StagePlan::tasks`].
pub fn steps(plan: &Plan, stage: &StagePlan, loads: &[Load]) -> Vec<(usize, f64)> {
    let batches = |data: usize| loads.get(data).map_or(0, |load| load.batches) as f64;
    let sets = |task: usize| -> BTreeSet<usize> {
        let on = plan.tasks[task].on.iter().filter(|on| on.loss.is_some());
        on.map(|on| on.data).filter(|data| batches(*data) > 0.0).collect()
    };
    let active: BTreeSet<usize> = stage.tasks.iter().flat_map(|task| sets(*task)).collect();
    let total: f64 = active.iter().map(|data| batches(*data)).sum();
    let weighed = |weight: &dyn Fn(usize) -> f64, task: usize| {
        let sum: f64 = active.iter().map(|data| weight(*data)).sum();
        sets(task).iter().map(|data| weight(*data)).sum::<f64>() / sum.max(1e-300) * total
    };
    let epoch = |task: usize| match &stage.sample {
        SamplePlan::Proportional => sets(task).iter().map(|data| batches(*data)).sum(),
        SamplePlan::Uniform | SamplePlan::RoundRobin => weighed(&|_| 1.0, task),
        SamplePlan::Temperature { t } => weighed(&|data| batches(data).powf(1.0 / t), task),
        SamplePlan::All => {
            if sets(task).is_empty() {
                0.0
            } else {
                total
            }
        }
        SamplePlan::Ordered { tasks } => {
            let turns = tasks.iter().filter(|other| **other == task).count() as f64;
            turns * sets(task).iter().map(|data| batches(*data)).sum::<f64>()
        }
        SamplePlan::Ratio { tasks, weights } => {
            let own = tasks.iter().zip(weights).filter(|(other, _)| **other == task).map(|(_, weight)| weight);
            own.sum::<f64>() / weights.iter().sum::<f64>().max(1e-300) * total
        }
    };
    let scale = stage.epochs as f64 / stage.accumulate.max(1) as f64;
    stage.tasks.iter().map(|task| (*task, epoch(*task) * scale)).collect()
}

/// Everything as text, for `mtlc compile`.
pub fn summary(plan: &Plan, loads: &[Load]) -> String {
    let mut parts = vec![layers_table(plan)];
    if loads.iter().any(|load| load.batches > 0) {
        parts.extend([data_table(plan, loads), steps_table(plan, loads)]);
        parts.push(format!("estimated peak memory in training: {}\n", bytes(peak_memory(plan, loads))));
    }
    parts.join("\n")
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| word.to_string()).collect()
}

fn layers_table(plan: &Plan) -> String {
    let rows = layers(plan);
    let total: usize = rows.iter().map(|row| row.numbers).sum();
    let line = |name: &str, numbers: usize, share: f64, tasks: String| {
        vec![name.to_string(), thousands(numbers as u64), format!("{:.1} %", share * 100.0), tasks]
    };
    let tasks = |row: &LayerRow| match row.tasks.len() {
        0..=3 => row.tasks.join(", "),
        many => format!("{many} tasks"),
    };
    let mut lines: Vec<Vec<String>> =
        rows.iter().map(|row| line(&row.name, row.numbers, row.share, tasks(row))).collect();
    lines.push(line("total", total, 1.0, String::new()));
    table(&words(&["layer", "parameters", "share", "read by"]), &lines)
}

fn data_table(plan: &Plan, loads: &[Load]) -> String {
    let line = |(at, load): (usize, &Load)| {
        let flops = flops_per_token(plan, at, load);
        vec![
            plan.datasets[at].name.clone(),
            thousands(load.batches as u64),
            format!("{:.1}", load.examples),
            thousands(load.tokens as u64),
            prefixed(flops, "FLOP"),
            prefixed(3.0 * flops, "FLOP"),
        ]
    };
    let lines: Vec<Vec<String>> = loads.iter().enumerate().take(plan.datasets.len()).map(line).collect();
    table(&words(&["data", "batches", "examples each", "tokens each", "a token forward", "in training"]), &lines)
}

fn steps_table(plan: &Plan, loads: &[Load]) -> String {
    let mut lines = Vec::new();
    for stage in &plan.train.stages {
        for (task, steps) in steps(plan, stage, loads) {
            let name = plan.tasks[task].name.clone();
            let stage = if stage.name.is_empty() { "-".into() } else { stage.name.clone() };
            lines.push(vec![name, stage, thousands(steps.round() as u64)]);
        }
    }
    table(&words(&["task", "stage", "steps"]), &lines)
}

#[cfg(test)]
pub(crate) mod tests;
