//! What tasks and training cost and hang on, shown above them.

use std::collections::BTreeSet;

use gen_lsp_types as lsp;

use super::markup::{brief_size, listed};
use super::view::View;
use crate::sema::call::TaskId;
use crate::sema::graph::ParamId;
use crate::sema::known::{Known, KnownTask, Size};
use crate::source::Span;
use crate::syntax::ast::{Item, ItemKind};

/// A lens on each task and on the `train` block.
pub fn lenses(view: &View<'_>) -> Vec<lsp::CodeLens> {
    let mut found = Vec::new();
    for item in view.parse().into_iter().flat_map(|p| &p.ast.items) {
        collect(view, item, &mut found);
    }
    found
}

fn collect(view: &View<'_>, item: &Item, found: &mut Vec<lsp::CodeLens>) {
    match &item.kind {
        ItemKind::Task(t) => {
            let members: Vec<&KnownTask> = view.known().tasks.iter().filter(|k| k.span == t.decl.name.span).collect();
            found.extend(task_costs(view, &members, brief_size).map(|text| lens(view, t.decl.name.span, text)));
        }
        ItemKind::Train(t) => found.extend(train_costs(view).map(|text| lens(view, t.keyword, text))),
        ItemKind::For(f) => f.items.iter().for_each(|i| collect(view, i, found)),
        _ => {}
    }
}

fn lens(view: &View<'_>, span: Span, title: String) -> lsp::CodeLens {
    let title = title.replace('`', "");
    let command = lsp::Command { title, tooltip: None, command: String::new(), arguments: None };
    lsp::CodeLens { range: view.range(span), command: Some(command), data: None }
}

/// The parameters of a task, or of all members of a family, and what it shares and reads.
pub fn task_costs(view: &View<'_>, members: &[&KnownTask], size: fn(&Known, &Size) -> String) -> Option<String> {
    let known = view.known();
    members.first()?.built.as_ref()?;
    let names: Vec<String> = members.iter().map(|t| t.name.clone()).collect();
    let all: BTreeSet<ParamId> = members.iter().flat_map(|t| known.params_of(t)).collect();
    let others: Vec<&KnownTask> = known.tasks.iter().filter(|t| !names.contains(&t.name)).collect();
    let theirs: BTreeSet<ParamId> = others.iter().flat_map(|t| known.params_of(t)).collect();
    let shared: BTreeSet<ParamId> = all.intersection(&theirs).copied().collect();
    let mut parts = vec![format!("{} parameters", size(known, &known.size(all.iter().copied())))];
    if !shared.is_empty() {
        let with = others.iter().filter(|t| !known.params_of(t).is_disjoint(&shared));
        let with: Vec<&str> = with.map(|t| t.name.as_str()).collect();
        parts.push(format!("{} shared with {}", size(known, &known.size(shared)), listed(&with)));
    }
    let reads: BTreeSet<TaskId> = members.iter().flat_map(|t| &t.reads).copied().collect();
    if !reads.is_empty() {
        let read: Vec<&str> = reads.iter().map(|t| known.tasks[t.0].name.as_str()).collect();
        parts.push(format!("reads {}", listed(&read)));
    }
    Some(parts.join(" · "))
}

/// All parameters, and the tasks in an order in which each comes after those that it reads.
fn train_costs(view: &View<'_>) -> Option<String> {
    let known = view.known();
    if known.tasks.is_empty() {
        return None;
    }
    let all = (0..known.graph.params.len()).map(ParamId);
    let order: Vec<&str> = in_order(&known.tasks).into_iter().map(|t| known.tasks[t].name.as_str()).collect();
    let tasks = if order.len() == 1 { "1 task".to_string() } else { format!("{} tasks", order.len()) };
    Some(format!("{} parameters · {tasks}: {}", brief_size(known, &known.size(all)), listed(&order)))
}

fn in_order(tasks: &[KnownTask]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < tasks.len() {
        let ready = |t: &usize| !order.contains(t) && tasks[*t].reads.iter().all(|r| order.contains(&r.0));
        let next = (0..tasks.len()).find(ready).or_else(|| (0..tasks.len()).find(|t| !order.contains(t)));
        order.extend(next);
    }
    order
}
