//! What tasks hand on to others: labels, embeddings, draws, figures, what teachers say.

use super::call::{Bound, Checked, Reported, Scope, TaskId, Val};
use super::checker::Checker;
use super::graph::{Node, NodeId, Site};
use super::model::Built;
use super::types::{GoldKind, On, SpaceId, Ty, Width};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops;
use crate::ops::direction::KEPT;
use crate::plan::{Attr, Attrs, Init};
use crate::source::Span;
use crate::syntax::ast::{Arg, Ident};
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
        let fields = self.graph.node(inputs[0]).attrs.get("fields");
        attrs.extend(fields.map(|fields| ("fields".to_string(), fields.clone())));
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

impl<'a> Checker<'a> {
    /// What a task hands on under a name.
    pub(super) fn part_of_task(
        &mut self,
        id: TaskId,
        built: &Built,
        name: &'a Ident,
        args: &'a [Arg],
        span: Span,
        s: &Scope<'a>,
    ) -> Checked<Val<'a>> {
        let missing = |c: &mut Self, what: &str| {
            let task = c.task(id).name.clone();
            let d = Diagnostic::new(codes::UNKNOWN_FIELD, name.span, format!("the task '{task}' has no {what}"));
            c.error_in(s, d.help(format!("read what it predicts, such as `{task}.label`")))
        };
        let node = match name.text.as_str() {
            "hidden" => built.hidden,
            "logits" if self.writes(id) => self.fixed_words(id, built, name.span).map(|()| built.logits)?,
            "logits" => built.logits,
            "probs" if self.writes(id) => self
                .fixed_words(id, built, name.span)
                .map(|()| ops::tasks::generate::handed::probs(self, built, span))?,
            "probs" => built.probs.ok_or(()).map_err(|()| missing(self, "probabilities"))?,
            "label" => return self.label_output(id, built, args, span, s).map(Val::Node),
            "gold" => {
                let gold = built.gold.ok_or(()).map_err(|()| missing(self, "gold here"))?;
                let ty = self.graph.ty(gold).clone();
                self.plain("read_gold", vec![gold], Attrs::new(), ty, span)
            }
            "loss" => {
                built.loss.ok_or(()).map_err(|()| missing(self, "loss here: it has no gold on these examples"))?
            }
            "voted" => return ops::tasks::voted::voted(self, id, built, span).map(Val::Node),
            "embedding" => return self.embedding_output(id, built, args, span, s).map(Val::Node),
            "top" => {
                let mut on = built.on.examples();
                on.axes = [format!("{}.top", self.task(id).name).into()].into();
                self.bind_args(&ops::tasks::TOP, args, name.span, s);
                return Ok(Val::Top(id, on));
            }
            "sample" if self.writes(id) => {
                let head = self.task(id).head.clone();
                ops::tasks::generate::handed::sample(self, &head, built, span)
            }
            "sample" => {
                let probs = built.probs.ok_or(()).map_err(|()| missing(self, "probabilities to draw from"))?;
                let drawn = self.drawn_label(id, [built.label, probs], span);
                match self.chosen_words(built) {
                    Some((chosen, space)) => ops::replaced::text_of(self, chosen, drawn, space, &built.on, span),
                    None => drawn,
                }
            }
            "replaced" => {
                let of_mlm = self.chosen_words(built).zip(built.probs);
                let ((chosen, _), probs) =
                    of_mlm.ok_or(()).map_err(|()| missing(self, "corrupted words that it could replace"))?;
                let drawn = self.drawn_label(id, [built.label, probs], span);
                ops::replaced::flags_of(self, chosen, drawn, &built.on, span)
            }
            "states" if self.writes(id) => built.hidden,
            "words" if self.writes(id) => {
                self.fixed_words(id, built, name.span)?;
                let bound = self.bind_args(&ops::tasks::WORDS, args, name.span, s);
                let relaxed =
                    bound.float("gumbel").filter(|t| *t > 0.0).map(|t| (t, bound.bool("hard"), self.site(s, span)));
                ops::tasks::generate::handed::words(self, built, relaxed, span)
            }
            "states" | "words" => return Err(missing(self, "text that it writes")),
            other => {
                let gold = built.gold.ok_or(()).map_err(|()| missing(self, "gold here"))?;
                // What is drawn stands for what is predicted where draws are rewarded.
                let said = if self.rewarded == Some(id) { self.draw_of(id, built, span) } else { built.label };
                self.measured(id, [said, gold], other, span)
            }
        };
        Ok(Val::Node(node))
    }

    /// What a task draws.
    pub fn draw_of(&mut self, id: TaskId, built: &Built, span: Span) -> NodeId {
        if self.writes(id) {
            let head = self.task(id).head.clone();
            return ops::tasks::generate::handed::drawn(self, &head, built);
        }
        self.drawn_label(id, [built.label, built.probs.unwrap_or(built.logits)], span)
    }

    fn fixed_words(&mut self, id: TaskId, built: &Built, at: Span) -> Checked<()> {
        let task = self.task(id).name.clone();
        ops::tasks::generate::handed::fixed_words(self, built, &task, at)
    }

    /// Whether a task writes text.
    pub fn writes(&self, id: TaskId) -> bool {
        ops::tasks::generate::handed::writes(&self.task(id).head)
    }

    /// `.label`, or `.label(gold: 90%)`: teacher forcing.
    fn label_output(
        &mut self,
        id: TaskId,
        built: &Built,
        args: &'a [Arg],
        span: Span,
        s: &Scope<'a>,
    ) -> Checked<NodeId> {
        let bound = self.bind_args(&ops::tasks::LABEL, args, span, s);
        if self.writes(id) {
            let head = self.task(id).head.clone();
            let gold = bound.float("gold").unwrap_or_default();
            return Ok(ops::tasks::generate::handed::label(self, &head, built, gold, span));
        }
        let label = self.labels_of(built.label, span);
        if self.graph.node(label).op == "ranked" {
            let ty = self.graph.ty(label).clone();
            return Ok(self.plain("best_member", vec![label], Attrs::new(), ty, span));
        }
        let (Some(p), Some(gold)) = (bound.float("gold"), built.gold) else { return Ok(label) };
        if p == 0.0 {
            return Ok(label);
        }
        let gold = self.labels_of(gold, span);
        let node = Node {
            op: "forced_label",
            inputs: vec![label, gold],
            attrs: Attrs::from_iter([("gold".to_string(), Attr::Float(p))]),
            params: vec![],
            ty: self.graph.ty(label).clone(),
            span,
            path: s.owner.clone().unwrap_or_default(),
            draw: Some(self.site(s, span)),
            vocab: None,
        };
        Ok(self.graph.add(node))
    }

    /// The labels of a tree's arcs; what is labels already stays what it is.
    fn labels_of(&mut self, node: NodeId, span: Span) -> NodeId {
        match self.graph.ty(node).clone() {
            Ty::Gold(on, GoldKind::Tree, Some(space)) => {
                self.plain("tree_labels", vec![node], Attrs::new(), Ty::Label(on, space), span)
            }
            _ => node,
        }
    }

    /// `.embedding(d)`: the expected label embedding, Σ p(y) e(y).
    fn embedding_output(
        &mut self,
        id: TaskId,
        built: &Built,
        args: &'a [Arg],
        span: Span,
        s: &Scope<'a>,
    ) -> Checked<NodeId> {
        let bound = self.bind_args(&ops::tasks::EMBEDDING, args, span, s);
        let Some(d) = bound.width("d") else { return Err(Reported) };
        let task = self.task(id).clone();
        let (Some(probs), Some(space)) = (built.probs, task.head.space) else {
            let message = format!("the task '{}' has no labels to embed", task.name);
            return Err(self.error_in(s, Diagnostic::new(codes::UNKNOWN_FIELD, span, message)));
        };
        let path = format!("{}.embedding_{}", task.name, self.show_width(&d));
        let table = self.param_at(path.clone(), vec![Width::from(space), d.clone()], Init::Normal(0.1), span, s)?;
        let on = self.graph.ty(probs).on().cloned().unwrap_or_else(On::free);
        let node = Node {
            op: "expected_embedding",
            inputs: vec![probs],
            attrs: Attrs::new(),
            params: vec![table],
            ty: Ty::Vector(on, d),
            span,
            path: path.into(),
            draw: None,
            vocab: None,
        };
        Ok(self.graph.add(node))
    }

    /// Parts of `.top(k)`.
    pub(super) fn candidates(&mut self, id: TaskId, on: &On, name: &'a Ident, span: Span, s: &Scope<'a>) -> Val<'a> {
        let Ok(built) = self.built(id, span) else { return Val::Error };
        let ty = match name.text.as_str() {
            "hidden" => Ty::Vector(on.clone(), built.width.clone()),
            "score" | "f1" => Ty::Vector(on.clone(), 1.into()),
            "correct" => Ty::Gold(on.clone(), GoldKind::Choice, None),
            "label" => match self.task(id).head.space {
                Some(space) => Ty::Label(on.clone(), space),
                None => Ty::Vector(on.clone(), 1.into()),
            },
            other => {
                let message = format!("candidates have no '{other}'");
                let d = Diagnostic::new(codes::UNKNOWN_FIELD, name.span, message)
                    .help("they have `hidden`, `label`, `score`, `correct` and `f1`");
                return self.fail(s, d);
            }
        };
        let attrs = Attrs::from_iter([("part".to_string(), Attr::Str(name.text.clone()))]);
        Val::Node(self.plain("top", vec![built.logits, built.hidden], attrs, ty, span))
    }
}
