//! Outputs of tasks that other tasks learn from or are weighed by: draws, figures, teachers.

use super::call::{Bound, TaskId};
use super::checker::Checker;
use super::graph::{Node, NodeId, Site};
use super::model::Built;
use super::types::{SpaceId, Ty};
use crate::ops::direction::KEPT;
use crate::plan::{Attr, Attrs};
use crate::source::Span;
use rustc_hash::FxHashMap;

/// Where the draw of a task's `.sample` stands among those of its head.
const SAMPLE_SITE: (u32, u32) = (u32::MAX, u32::MAX);

impl Checker<'_> {
    /// What a task gives as a teacher: probabilities, or logits where those are compared, as at
    /// prediction (without dropout and other draws).
    pub(super) fn teacher(&mut self, built: &Built, own: &Bound<'_>, at: Span) -> NodeId {
        let logits = matches!(own.word("loss"), Some("mse" | "cosine"));
        let node = built.probs.filter(|_| !logits).unwrap_or(built.logits);
        self.still(node, at)
    }

    /// A value as it is at prediction, in training too, without gradient.
    pub(super) fn still(&mut self, node: NodeId, at: Span) -> NodeId {
        let still = self.without_draws(node, &mut FxHashMap::default());
        let ty = self.graph.ty(still).clone();
        self.plain("detach", vec![still], Attrs::new(), ty, at)
    }

    fn without_draws(&mut self, id: NodeId, known: &mut FxHashMap<NodeId, NodeId>) -> NodeId {
        if let Some(still) = known.get(&id) {
            return *still;
        }
        let node = self.graph.node(id).clone();
        let still = match at_prediction(&node) {
            Some(input) => self.without_draws(input, known),
            None => {
                let inputs: Vec<NodeId> = node.inputs.iter().map(|x| self.without_draws(*x, known)).collect();
                let differs = node.draw.is_some() || matches!(node.op, "feedback_path" | "feedback_label");
                if differs || inputs != node.inputs { self.graph.add(as_still(node, inputs)) } else { id }
            }
        };
        known.insert(id, still);
        still
    }

    /// `.sample`: one draw, wherever it is read.
    pub(super) fn drawn_label(&mut self, id: TaskId, [label, probs]: [NodeId; 2], span: Span) -> NodeId {
        let task = self.task(id);
        let chain = task.head.site.chain.iter().copied().chain([SAMPLE_SITE]).collect();
        self.graph.add(Node {
            op: "sample",
            inputs: vec![label, probs],
            attrs: Attrs::new(),
            params: vec![],
            ty: self.graph.ty(label).clone(),
            span,
            path: task.name.as_str().into(),
            draw: Some(Site { chain, ..task.head.site.clone() }),
            vocab: None,
        })
    }

    /// The words that a masked language model learns, and their space.
    pub(super) fn chosen_words(&self, built: &Built) -> Option<(NodeId, SpaceId)> {
        let gold = built.gold.filter(|gold| self.graph.node(*gold).op == "chosen_words")?;
        match self.graph.ty(gold) {
            Ty::Label(_, space) => Some((gold, *space)),
            _ => None,
        }
    }

    /// `.METRIC`: a figure for each example.
    pub(super) fn measured(&mut self, id: TaskId, inputs: [NodeId; 2], metric: &str, span: Span) -> NodeId {
        let Some(on) = self.graph.ty(inputs[0]).on().map(super::types::On::examples) else { return inputs[0] };
        let task = self.task(id);
        let mut attrs = Attrs::from_iter([
            ("metric".to_string(), Attr::from(metric)),
            ("kind".to_string(), Attr::from(task.kind.signature().name)),
        ]);
        attrs.extend(task.head.space.map(|space| ("space".to_string(), Attr::from(space.0))));
        self.plain("figure", inputs.to_vec(), attrs, Ty::Vector(on, 1.into()), span)
    }
}

/// The input that a node only hands on at prediction.
fn at_prediction(node: &Node) -> Option<NodeId> {
    match node.op {
        "cutoff" | "corrupt" | "sample" | "forced_label" | "rewritten" => node.inputs.first().copied(),
        "train_only" => node.inputs.last().copied(),
        op if node.draw.is_some() && KEPT.contains(&op) => node.inputs.first().copied(),
        _ => None,
    }
}

/// A node that computes in training what it does at prediction.
fn as_still(node: Node, inputs: Vec<NodeId>) -> Node {
    let mut still = Node { inputs, draw: None, ..node };
    still.attrs.insert("still".into(), true.into());
    still
}
