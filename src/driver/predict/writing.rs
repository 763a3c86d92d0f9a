//! How the texts of a run are written, where that is said anew.

use crate::backend::exec::Program;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::list_words;
use crate::plan::Attr;

/// The operation that writes the texts of a task.
const WRITTEN: &str = "written";

/// What differs from what the program says; nothing where a field is `None`.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    /// Hypotheses that are kept.
    pub beam: Option<usize>,
    /// α of the length penalty.
    pub length_penalty: Option<f64>,
    /// Words of a text at most.
    pub max_length: Option<usize>,
    /// Texts are drawn.
    pub sample: bool,
    /// What logits are divided by.
    pub temperature: Option<f64>,
    /// How many of the likeliest words are drawn from.
    pub top_k: Option<usize>,
    /// How likely the words are together that are drawn from.
    pub top_p: Option<f64>,
    /// Other draws.
    pub seed: Option<u64>,
}

/// The task that writes texts: the one of this name, or the only one.
pub fn writer(program: &Program, name: Option<&str>) -> Result<String, Diagnostic> {
    let tasks = &program.plan.tasks;
    let named = |kind: &dyn Fn(&str) -> bool| -> Vec<&str> {
        tasks.iter().filter(|t| kind(&t.kind)).map(|t| t.name.as_str()).collect()
    };
    let (writers, all) = (named(&|kind| kind == "generate"), named(&|_| true));
    let failed = |message: String, help: String| Err(Diagnostic::placeless(codes::INPUT, message).help(help));
    match (name, &writers[..]) {
        (Some(name), _) if writers.contains(&name) => Ok(name.into()),
        (Some(name), []) => failed(
            format!("the run has no task '{name}' that writes texts"),
            format!("`mtlc predict` says what its tasks predict: {}", list_words(&all)),
        ),
        (Some(name), _) => failed(
            format!("the run has no task '{name}' that writes texts"),
            format!("those that do are {}", list_words(&writers).replace(" or ", " and ")),
        ),
        (None, [only]) => Ok((*only).into()),
        (None, []) => failed(
            "the run has no task that writes texts".into(),
            format!("`mtlc predict` says what its tasks predict: {}", list_words(&all)),
        ),
        (None, several) => failed(
            format!("{} tasks of the run write texts", several.len()),
            format!("name one with `--task`: {}", list_words(several)),
        ),
    }
}

/// Makes a task of a program write as is said.
pub fn write_by(program: &mut Program, task: &str, writing: &Writing) {
    let labels: Vec<usize> =
        program.plan.tasks.iter().filter(|t| t.name == task).flat_map(|t| t.on.iter().map(|on| on.label)).collect();
    for label in labels {
        let node = &mut program.plan.nodes[label];
        if node.op != WRITTEN {
            continue;
        }
        let whole = |n: Option<usize>| n.map(|n| Attr::Int(i64::try_from(n).unwrap_or(i64::MAX)));
        let said = [
            ("beam", whole(writing.beam)),
            ("length_penalty", writing.length_penalty.map(Attr::Float)),
            ("max_length", whole(writing.max_length)),
            // A beam that is asked for is none of draws.
            ("drawn", (writing.sample || writing.beam.is_some()).then_some(Attr::Bool(writing.sample))),
            ("temperature", writing.temperature.map(Attr::Float)),
            ("top_k", whole(writing.top_k)),
            ("top_p", writing.top_p.map(Attr::Float)),
        ];
        node.attrs.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        if let Some(seed) = writing.seed {
            // Multiples of an odd number differ for all seeds.
            let other = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            node.draw = Some(node.draw.unwrap_or_default().wrapping_add(other));
        }
    }
}
