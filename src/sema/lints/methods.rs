//! Ways to balance and to sample that do not fit the program.

use super::reach;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::training::{WorksOn, works_on};
use crate::plan::{SamplePlan, StagePlan};
use crate::sema::model::{Balance, Model, ModelTask};

/// Warns of a way to balance that has nothing to balance.
pub(super) fn idle_balance(m: &Model) -> Vec<Diagnostic> {
    m.balances.iter().filter_map(|b| idle(m, b)).collect()
}

fn idle(m: &Model, balance: &Balance) -> Option<Diagnostic> {
    let Balance { word, at, tasks } = balance;
    let has_loss = |t: &&usize| m.tasks.get(**t).is_some_and(|t| t.built.loss.is_some());
    let trained: Vec<usize> = tasks.iter().filter(has_loss).copied().collect();
    let works_on = works_on(word);
    let (message, help) = match trained.as_slice() {
        _ if works_on == WorksOn::Any => return None,
        [] => return None,
        [one] => {
            let message = format!("'{word}' balances tasks, and '{}' is the only one", m.tasks[*one].name);
            (message, "leave `balance` out, or give the task a `weight`")
        }
        tasks if works_on == WorksOn::SharedGradients && reach::readers(m, tasks).iter().all(|n| *n < 2) => {
            let message = format!("'{word}' works on the gradients of shared parameters, and these tasks share none");
            (message, "let the tasks read one layer, or balance their losses with `balance: uncertainty`")
        }
        _ => return None,
    };
    Some(Diagnostic::new(codes::IDLE_METHOD, *at, message).help(help))
}

/// Warns of a task that no stage trains, or that no stage which has it ever draws.
pub(super) fn passed_over(m: &Model) -> Vec<Diagnostic> {
    let with_loss = m.tasks.iter().enumerate().filter(|(_, t)| t.built.loss.is_some());
    with_loss.filter_map(|(nth, task)| passed(m, nth, task)).collect()
}

fn passed(m: &Model, nth: usize, task: &ModelTask) -> Option<Diagnostic> {
    let stages: Vec<(usize, &StagePlan)> =
        m.train.stages.iter().enumerate().filter(|(_, s)| s.tasks.contains(&nth)).collect();
    if stages.iter().any(|(_, stage)| draws(&stage.sample, nth)) {
        return None;
    }
    let Some((last, stage)) = stages.last() else {
        let message = format!("no stage trains '{}'", task.name);
        let d = Diagnostic::new(codes::PASSED_OVER, task.span, message);
        return Some(d.help("add it to the `tasks` of a stage, or leave `tasks` out to train all"));
    };
    let word = if matches!(stage.sample, SamplePlan::Ratio { .. }) { "ratio" } else { "ordered" };
    let message = format!("'{word}' never draws '{}', so nothing trains it", task.name);
    let at = m.stage_places.get(*last).and_then(|p| p.sample).unwrap_or(task.span);
    let d = Diagnostic::new(codes::PASSED_OVER, at, message).also(task.span, "declared here");
    Some(d.help("name it too, or leave it out of the program"))
}

/// Whether a way to sample ever takes a batch for a task.
fn draws(sample: &SamplePlan, task: usize) -> bool {
    match sample {
        SamplePlan::Ordered { tasks } => tasks.contains(&task),
        SamplePlan::Ratio { tasks, weights } => tasks.iter().zip(weights).any(|(t, w)| *t == task && *w > 0.0),
        _ => true,
    }
}
