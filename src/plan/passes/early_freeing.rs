//! Values that are dropped after their last use, instead of at the end of the step.
//!
//! Which use is the last depends on what is asked for, so the executor finds it for each kind of
//! batch; this pass tells it to, and counts.

use super::edit::{called, counted, few, roots};
use super::{Change, Pass, names};
use crate::plan::Plan;

pub(super) static PASS: Pass =
    Pass { name: names::EARLY_FREEING, doc: "A value is dropped after its last use, not at the end of the step.", run };

fn run(plan: &mut Plan) -> Change {
    let roots = roots(plan);
    let before = plan.nodes.len();
    let mut freed: Vec<usize> = (0..before).filter(|at| !roots[*at]).collect();
    let after = before - freed.len();
    freed.sort_by_key(|at| std::cmp::Reverse(plan.nodes[*at].width));
    let examples = few(freed.iter().map(|at| called(plan, *at)));
    let says = format!("{} of {} go after their last use", freed.len(), counted(before, "value"));
    Change { before, after, says, examples }
}
