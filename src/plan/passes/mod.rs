//! Passes over a plan: a file for each, and one table, [`PASSES`], in the order they run.
//!
//! Lowering writes a plan down as the program says it: every task and loss item with its own
//! copy of all values that it reads, and values that nothing reads too. The passes make of it
//! what is run, and [`Plan::passes`] keeps what each one did. None of them changes what a program
//! computes, so any of them can be left out.

mod common_values;
mod dead_values;
mod early_freeing;
mod edit;
mod fusion;
mod joined_batches;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::Plan;

/// Names of passes that the executor asks for, too.
pub mod names {
    /// What no loss and no prediction of a batch needs is not run.
    pub const DEAD_VALUES: &str = "dead_values";
    /// A value that several tasks read is computed once.
    pub const COMMON_VALUES: &str = "common_values";
    /// Several operations become one.
    pub const FUSION: &str = "fusion";
    /// Shared layers run once over the batches of several data sets.
    pub const JOINED_BATCHES: &str = "joined_batches";
    /// A value is dropped after its last use.
    pub const EARLY_FREEING: &str = "early_freeing";
}

/// A pass.
#[derive(Debug)]
pub struct Pass {
    /// What `--no-pass` calls it.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    run: fn(&mut Plan) -> Change,
}

/// The table of passes, in the order they run.
pub static PASSES: &[&Pass] =
    &[&dead_values::PASS, &common_values::PASS, &fusion::PASS, &joined_batches::PASS, &early_freeing::PASS];

/// What a pass has changed.
#[derive(Debug)]
struct Change {
    before: usize,
    after: usize,
    /// In words: `14 nodes became 6`.
    says: String,
    /// A few of the things that it changed.
    examples: Vec<String>,
}

impl Change {
    /// A change from so many nodes to fewer, or none.
    fn of_nodes(before: usize, after: usize, examples: Vec<String>) -> Self {
        let says = match before == after {
            true => "nothing to do".into(),
            false => format!("{} became {after}", edit::counted(before, "node")),
        };
        Self { before, after, says, examples }
    }
}

/// What a pass did to a plan, for people and for the executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassReport {
    /// The pass.
    pub name: String,
    /// Whether it was run.
    pub on: bool,
    /// What it did, in a line.
    pub says: String,
    /// What it counted before.
    #[serde(default)]
    pub before: usize,
    /// What it counted after.
    #[serde(default)]
    pub after: usize,
    /// A few of the things that it changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

impl Pass {
    fn report(&self, change: Option<Change>) -> PassReport {
        let title = self.name.replace('_', " ");
        let on = change.is_some();
        let change = change.unwrap_or(Change { before: 0, after: 0, says: "off".into(), examples: vec![] });
        let examples = match change.examples.is_empty() {
            true => String::new(),
            false => format!(" ({})", change.examples.join("; ")),
        };
        PassReport {
            name: self.name.into(),
            on,
            says: format!("{title}: {}{examples}", change.says),
            before: change.before,
            after: change.after,
            examples: change.examples,
        }
    }
}

/// Runs the passes whose names are not in `off`, and notes down what they did.
pub fn run(plan: &mut Plan, off: &[String]) {
    for pass in PASSES {
        let change = (!off.iter().any(|name| name == pass.name)).then(|| (pass.run)(plan));
        plan.passes.push(pass.report(change));
    }
}

impl Plan {
    /// Whether a pass was run; so it counts for plans that were never given to one.
    pub fn passed(&self, name: &str) -> bool {
        self.passes.iter().find(|pass| pass.name == name).is_none_or(|pass| pass.on)
    }
}
