//! Which parameters a loss reaches, read from the plan.

use std::collections::BTreeSet;

use super::trainee::LossSource;
use crate::plan::Plan;

/// The parameters that the loss of a task or item on a batch of data set `data` depends on through
/// operations that pass a gradient, whether frozen or not; `updates:` is taken into account. What
/// a task reads of other members of a union is not computed on that batch.
pub fn params_on(plan: &Plan, source: LossSource, data: usize) -> BTreeSet<usize> {
    let (mut open, updates): (Vec<usize>, _) = match source {
        LossSource::Task(task) => {
            let task = &plan.tasks[task];
            (task.on.iter().filter(|on| on.data == data).filter_map(|on| on.loss).collect(), &task.updates)
        }
        LossSource::Item(item) => (vec![plan.losses[item].node], &plan.losses[item].updates),
    };
    let (mut seen, mut params) = (BTreeSet::new(), BTreeSet::new());
    while let Some(index) = open.pop() {
        let node = &plan.nodes[index];
        if crate::ops::cuts_gradient(&node.op) || !seen.insert(index) {
            continue;
        }
        params.extend(node.params.iter().copied());
        open.extend(&node.inputs);
    }
    if let Some(updates) = updates {
        params.retain(|param| updates.contains(param));
    }
    params
}

/// The parameters that belong to a task: its head and inline layers.
pub fn own_params(plan: &Plan, task: usize) -> impl Iterator<Item = usize> + '_ {
    let prefix = format!("{}.", plan.tasks[task].name);
    let named = plan.params.iter().enumerate();
    named.filter(move |(_, param)| param.name.starts_with(&prefix)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::toy;

    #[test]
    fn follows_inputs_and_stops_at_cuts() {
        let mut plan = toy::plan();
        let of = |plan: &Plan, source, data| params_on(plan, source, data).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&plan, LossSource::Task(0), 0), [0, 1]);
        assert_eq!(of(&plan, LossSource::Task(2), 1), [0, 3]);
        assert_eq!(of(&plan, LossSource::Item(0), 0), [0]);
        plan.tasks[0].updates = Some(vec![1]);
        assert_eq!(of(&plan, LossSource::Task(0), 0), [1]);
        plan.nodes[5].op = "detach".into();
        assert_eq!(of(&plan, LossSource::Task(1), 0), [2]);
        assert!(of(&plan, LossSource::Task(0), 1).is_empty(), "it is on another data set");
        assert_eq!(own_params(&plan, 1).collect::<Vec<_>>(), [2]);
    }
}
