//! Whether a run goes on with what it was begun with: the same program, settings and data.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;
use crate::report::RunDir;

/// Data files with their checksums.
pub type Digests = BTreeMap<String, String>;

/// What a resumed run may change: places of texts, names of files, where it computes.
const FREE: &[&str] = &["span", "base", "path", "device"];

/// Refuses a plan that differs from the one that the run was begun with.
pub fn same_plan(dir: &RunDir, old: &Plan, new: &Plan) -> Result<(), Diagnostic> {
    let (Ok(old), Ok(new)) = (value(old), value(new)) else { return Ok(()) };
    difference("", &old, &new).map_or(Ok(()), |what| Err(changed(dir, &what)))
}

/// Refuses data that differs from what the run was begun with.
pub fn same_data(dir: &RunDir, old: &Digests, new: &Digests) -> Result<(), Diagnostic> {
    let what = new.iter().find_map(|(file, digest)| match old.get(file) {
        None => Some(format!("the data file `{file}` is new")),
        Some(before) => (before != digest).then(|| format!("the data file `{file}` has changed")),
    });
    let gone = || old.keys().find(|file| !new.contains_key(*file)).map(|f| format!("the data file `{f}` is not read"));
    what.or_else(gone).map_or(Ok(()), |what| Err(changed(dir, &what)))
}

/// E0910.
fn changed(dir: &RunDir, what: &str) -> Diagnostic {
    let message = format!("the run `{}` was begun with something else: {what}", dir.root().display());
    Diagnostic::placeless(codes::CHANGED, message)
        .help("resume with the program, settings and data that it was begun with, or begin a new run")
}

fn value(plan: &Plan) -> serde_json::Result<Value> {
    let plan = Plan { name: String::new(), ..plan.clone() };
    serde_json::to_value(plan)
}

/// The first difference in words, `train.seed is 2 and was 1`; deep ones before lengths.
fn difference(at: &str, old: &Value, new: &Value) -> Option<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys = new.keys().chain(old.keys().filter(|k| !new.contains_key(*k)));
            keys.filter(|key| !FREE.contains(&key.as_str())).find_map(|key| {
                let inside = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                difference(&inside, &side(old), &side(new))
            })
        }
        (Value::Array(old), Value::Array(new)) => {
            let named = |(i, new): (usize, &Value)| match new
                .get("name")
                .and_then(Value::as_str)
                .filter(|name| !name.is_empty())
            {
                Some(name) => format!("{at}.{name}"),
                None => format!("{at}[{i}]"),
            };
            let pairs = old.iter().zip(new).enumerate();
            let inside = pairs.map(|(i, (old, new))| (named((i, new)), old, new));
            let first = inside.into_iter().find_map(|(at, old, new)| difference(&at, old, new));
            let lengths = || format!("`{at}` has {} parts and had {}", new.len(), old.len());
            first.or_else(|| (old.len() != new.len()).then(lengths))
        }
        // A draw is named by the place in the program that asks for it.
        _ if old != new && at.ends_with(".draw") => {
            Some("a random operation stands at another place of the text".into())
        }
        _ => (old != new).then(|| format!("`{at}` is {new} and was {old}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named() {
        let old = json!({"span": 1, "params": [{"name": "w", "shape": [2, 3]}], "seed": 1, "inputs": [1, 2]});
        let with = |key: &str, value: Value| {
            let mut new = old.clone();
            new[key] = value;
            difference("", &old, &new)
        };
        assert_eq!(with("span", json!(7)), None);
        assert_eq!(with("seed", json!(2)).as_deref(), Some("`seed` is 2 and was 1"));
        assert_eq!(with("inputs", json!([1])).as_deref(), Some("`inputs` has 1 parts and had 2"));
        let shape = with("params", json!([{"name": "w", "shape": [2, 4]}]));
        assert_eq!(shape.as_deref(), Some("`params.w.shape[1]` is 4 and was 3"));
    }
}
