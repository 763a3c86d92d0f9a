//! What tasks predict, as JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::backend::exec::Program;
use crate::data::UNSEEN;
use crate::plan::{Attr, TaskPlan};
use crate::train::trainee::{Answer, Judged, Labelled, Linked, Node};

/// What the tasks asked for predict for some examples.
pub struct Answers<'a> {
    pub(super) program: &'a Program,
    pub(super) tasks: Vec<(usize, Vec<Judged>)>,
    pub(super) examples: usize,
}

impl Answers<'_> {
    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.examples
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.examples == 0
    }

    /// What the first of the tasks wrote for each example, in the order of the input.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let written = self.tasks.iter().take(1).flat_map(|(_, items)| items);
        written.map(|item| match &item.predicted {
            Answer::Text(written) => &*written.text,
            _ => "",
        })
    }

    /// The answers for each example, in the order of the input.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        (0..self.examples).map(|example| Line { answers: self, example })
    }
}

/// What the tasks predict for an example: an object with a key for each.
pub struct Line<'a> {
    answers: &'a Answers<'a>,
    example: usize,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Answers { program, tasks, .. } = self.answers;
        let mut line = to.serialize_map(Some(tasks.len()))?;
        for (task, items) in tasks {
            let task = &program.plan.tasks[*task];
            line.serialize_entry(&task.name, &One { program, task, item: &items[self.example] })?;
        }
        line.end()
    }
}

/// What a task predicts for an example.
struct One<'a> {
    program: &'a Program,
    task: &'a TaskPlan,
    item: &'a Judged,
}

impl One<'_> {
    /// A label's text, none for one that is not in the task's space.
    fn label(&self, id: u32) -> Option<&str> {
        self.label_in(self.task.space?, id)
    }

    fn label_in(&self, space: usize, id: u32) -> Option<&str> {
        let labels = &self.program.schema.spaces.get(space)?.labels;
        labels.get(id as usize).map(String::as_str).filter(|_| id != UNSEEN)
    }

    /// Spans with the names of their types.
    fn spans(&self, spans: &[Labelled]) -> Vec<Ranged<'_>> {
        // The node that gives them knows the space of their types.
        let label = self.task.on.first().and_then(|on| self.program.plan.nodes.get(on.label));
        let types = label.and_then(|node| match node.attrs.get("types") {
            Some(Attr::Int(space)) => Some(*space as usize),
            _ => None,
        });
        let name = |id| types.and_then(|types| self.label_in(types, id));
        let one = |s: &Labelled| Ranged { start: s.range.start, end: s.range.end, kind: name(s.label) };
        spans.iter().map(one).collect()
    }

    /// Pairs with their spans and the names of their labels.
    fn relations(&self, pairs: &[Linked]) -> Vec<Related<'_>> {
        let ends = |pair: &Linked| <[Ranged<'_>; 2]>::try_from(self.spans(&[pair.head, pair.tail])).ok();
        let one = |pair: &Linked| ends(pair).map(|[head, tail]| Related { head, tail, kind: self.label(pair.label) });
        pairs.iter().filter_map(one).collect()
    }
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut one = to.serialize_map(None)?;
        match &self.item.predicted {
            Answer::Class(id) => one.serialize_entry("value", &self.label(*id))?,
            Answer::Labels(ids) | Answer::Tags(ids) => one.serialize_entry("value", &Many(self, ids))?,
            Answer::Number(x) => one.serialize_entry("value", &f64::from(*x))?,
            Answer::Spans(spans) => one.serialize_entry("value", &self.spans(spans))?,
            Answer::Relations(pairs) => one.serialize_entry("value", &self.relations(pairs))?,
            Answer::Tree(nodes) => one.serialize_entry("value", &Arcs(self, nodes))?,
            Answer::Text(written) => one.serialize_entry("value", &*written.text)?,
            Answer::Scores(scores) => {
                let best = (0..scores.len()).reduce(|a, b| if scores[b] > scores[a] { b } else { a });
                one.serialize_entry("value", &best)?;
                one.serialize_entry("scores", scores)?;
            }
        }
        if let Some(p) = self.item.confidence {
            one.serialize_entry("confidence", &((f64::from(p) * 1e4).round() / 1e4))?;
        }
        one.end()
    }
}

/// A span, as JSONL data has it.
#[derive(serde::Serialize)]
struct Ranged<'a> {
    start: u32,
    end: u32,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
}

/// Two spans that are related.
#[derive(serde::Serialize)]
struct Related<'a> {
    head: Ranged<'a>,
    tail: Ranged<'a>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
}

/// The texts of labels.
struct Many<'a>(&'a One<'a>, &'a [u32]);

impl Serialize for Many<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.1.iter().map(|id| self.0.label(*id)))
    }
}

/// The arcs of a tree: for each token its head, counted from 1 with 0 for the root, and the label.
struct Arcs<'a>(&'a One<'a>, &'a [Node]);

/// An arc.
#[derive(serde::Serialize)]
struct Arc<'a> {
    head: u32,
    label: Option<&'a str>,
}

impl Serialize for Arcs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.1.iter().map(|node| Arc { head: node.head, label: self.0.label(node.label) }))
    }
}
