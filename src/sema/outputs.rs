//! Outputs of tasks that other tasks learn from or are weighed by: draws, figures, teachers.

use super::call::{Bound, TaskId};
use super::checker::Checker;
use super::graph::{Node, NodeId, Site};
use super::model::Built;
use super::types::Ty;
use crate::plan::{Attr, Attrs};
use crate::source::Span;

/// Where the draw of a task's `.sample` stands among those of its head.
const SAMPLE_SITE: (u32, u32) = (u32::MAX, u32::MAX);

impl Checker<'_> {
    /// What a task gives as a teacher: probabilities, or logits where those are compared.
    pub(super) fn teacher(&mut self, built: &Built, own: &Bound<'_>, at: Span) -> NodeId {
        let logits = matches!(own.word("loss"), Some("mse" | "cosine"));
        let node = built.probs.filter(|_| !logits).unwrap_or(built.logits);
        let ty = self.graph.ty(node).clone();
        self.plain("detach", vec![node], Attrs::new(), ty, at)
    }

    /// `.sample`: one draw, wherever it is read.
    pub(super) fn drawn_label(&mut self, id: TaskId, [label, probs]: [NodeId; 2], span: Span) -> NodeId {
        let task = &self.tasks[id.0];
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

    /// `.METRIC`: a figure for each example.
    pub(super) fn measured(&mut self, id: TaskId, inputs: [NodeId; 2], metric: &str, span: Span) -> NodeId {
        let Some(on) = self.graph.ty(inputs[0]).on().map(super::types::On::examples) else { return inputs[0] };
        let task = &self.tasks[id.0];
        let mut attrs = Attrs::from_iter([
            ("metric".to_string(), Attr::from(metric)),
            ("kind".to_string(), Attr::from(task.kind.signature().name)),
        ]);
        attrs.extend(task.head.space.map(|space| ("space".to_string(), Attr::from(space.0))));
        self.plain("figure", inputs.to_vec(), attrs, Ty::Vector(on, 1.into()), span)
    }
}
