//! To which layer, task or data set of the program a path belongs.

use std::collections::BTreeSet;

use crate::plan::Plan;

/// Knows the tasks and the members of families of a plan.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    tasks: BTreeSet<String>,
    members: BTreeSet<String>,
}

impl Owners {
    /// The owners of a plan.
    pub fn of(plan: &Plan) -> Self {
        let member = |name: &str, family: &str| name.strip_prefix(family)?.strip_prefix('.').map(str::to_string);
        let of_tasks = plan.tasks.iter().filter_map(|task| member(&task.name, task.family.as_deref()?));
        let of_data = plan.datasets.iter().filter_map(|data| Some(data.name.split_once('.')?.1.to_string()));
        Self {
            tasks: plan.tasks.iter().map(|task| task.name.clone()).collect(),
            members: of_tasks.chain(of_data).collect(),
        }
    }

    /// Whether a name is a task's.
    pub fn is_task(&self, name: &str) -> bool {
        self.tasks.contains(name)
    }

    /// The item that a path lies in: `reader` of `reader.bilstm.w_ih`, `private.books` of a
    /// member of a family, the task of what is written inline in it.
    pub fn owner<'a>(&self, path: &'a str) -> &'a str {
        let begins = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let task = self.tasks.iter().filter(|task| begins(task)).max_by_key(|task| task.len());
        if let Some(task) = task {
            return &path[..task.len()];
        }
        let Some((first, rest)) = path.split_once('.') else { return path };
        let inside =
            |member: &&String| rest.strip_prefix(member.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.'));
        match self.members.iter().filter(inside).max_by_key(|member| member.len()) {
            Some(member) => &path[..first.len() + 1 + member.len()],
            None => first,
        }
    }
}

/// The part of a path inside its owner: `bilstm` of `reader.bilstm.w_ih`.
pub fn operation<'a>(path: &'a str, owner: &str) -> &'a str {
    let inside = path.strip_prefix(owner).and_then(|rest| rest.strip_prefix('.')).unwrap_or(path);
    inside.rsplit_once('.').map_or(inside, |(operation, _)| operation)
}
