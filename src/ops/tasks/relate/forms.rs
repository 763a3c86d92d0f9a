//! The three heads as nodes.

use super::entities::Entities;
use crate::ops::attrs;
use crate::ops::tasks::heads::Input;
use crate::ops::tasks::make::Make;
use crate::plan::{Attr, Init};
use crate::sema::call::Checked;
use crate::sema::graph::NodeId;
use crate::sema::types::{GoldKind, On, SpaceId, Ty, Width};

/// Few of all pairs of tokens are related: each begins with a probability of 1 % (Lin et al. 2017),
/// or the loss of all others would drown those of the other tasks.
const RARE: f32 = -4.6;

/// What a head is built from.
pub struct Form<'f> {
    /// What it reads.
    pub x: &'f Input,
    /// The tokens below it.
    pub tokens: &'f On,
    /// The longest span, for a value of spans.
    pub longest: Option<usize>,
    /// The labels of relations.
    pub space: SpaceId,
    /// The spans that are related.
    pub entities: Entities,
    /// The type of what is found.
    pub found: Ty,
}

/// What a head says.
pub struct Scored {
    pub logits: NodeId,
    pub probs: NodeId,
    pub label: NodeId,
}

impl Form<'_> {
    /// Logits, probabilities and relations.
    pub fn scored(&self, make: &mut Make<'_, '_>) -> Checked<Scored> {
        let spans = self.entities.node;
        let logits = self.logits(make, spans)?;
        let mut how = self.entities.attrs();
        if let Some(threshold) = make.head.settings.float("threshold") {
            how.insert("threshold".into(), Attr::Float(threshold));
        }
        let (squash, decode) = match make.head.form {
            "heads" => ("sigmoid", "table_relations"),
            "tags" => ("softmax", "subject_relations"),
            _ => ("softmax", "pair_relations"),
        };
        let ty = make.c.graph.ty(logits).clone();
        let probs = make.plain(squash, vec![logits], attrs([]), ty);
        let label = make.plain(decode, vec![logits, spans], how, self.found.clone());
        Ok(Scored { logits, probs, label })
    }

    /// The loss of the gold relations, over the gold spans.
    pub fn loss(&self, make: &mut Make<'_, '_>, gold: NodeId) -> Checked<NodeId> {
        let ty = Ty::Gold(self.tokens.clone(), GoldKind::Spans, Some(self.entities.types));
        let spans = make.plain("related_spans", vec![gold], attrs([]), ty);
        let logits = self.logits(make, spans)?;
        let op = match make.head.form {
            "heads" => "table_loss",
            "tags" => "subject_loss",
            _ => "pair_loss",
        };
        let each = Ty::Vector(self.x.on.examples(), 1.into());
        Ok(make.plain(op, vec![logits, gold], attrs([]), each))
    }

    fn logits(&self, make: &mut Make<'_, '_>, spans: NodeId) -> Checked<NodeId> {
        let labels = Width::from(self.space);
        match make.head.form {
            "heads" => self.table(make),
            "tags" => {
                let rows = self.beside(make, "subjects", spans, &["subject", "token"], 3);
                self.through(make, rows, labels.times(2).plus(&1.into()))
            }
            _ => {
                let (op, times) = if self.longest.is_some() { ("span_pairs", 2) } else { ("pair_vectors", 5) };
                let rows = self.beside(make, op, spans, &["pair"], times);
                self.through(make, rows, labels.plus(&1.into()))
            }
        }
    }

    /// Rows made from the value and some spans, `times` as wide as the value.
    fn beside(&self, make: &mut Make<'_, '_>, op: &'static str, spans: NodeId, axes: &[&str], times: usize) -> Input {
        let width = self.x.width.times(times);
        let on = self.on(axes);
        let how = self.longest.map_or_else(|| attrs([]), |max| attrs([("max", max.into())]));
        let node = make.plain(op, vec![self.x.node, spans], how, Ty::Vector(on.clone(), width.clone()));
        Input { node, on, width }
    }

    /// Axes below the examples that belong to the task alone.
    fn on(&self, axes: &[&str]) -> On {
        let name = self.tokens.inner().map_or("", |axis| axis);
        let axes: Vec<_> = axes.iter().map(|axis| format!("{name}.{axis}").into()).collect();
        On { example: self.x.on.example.clone(), axes: axes.into() }
    }

    /// A hidden layer, and the logits.
    fn through(&self, make: &mut Make<'_, '_>, x: Input, labels: Width) -> Checked<NodeId> {
        let hidden = make.linear("hidden", &x, self.hidden(make), "relu")?;
        Ok(make.linear("out", &hidden, labels, "none")?.node)
    }

    fn hidden(&self, make: &Make<'_, '_>) -> Width {
        Width::from(make.head.settings.int("hidden").unwrap_or(1))
    }

    /// V tanh(U i + W j + b) + c for all tokens i and j.
    fn table(&self, make: &mut Make<'_, '_>) -> Checked<NodeId> {
        let (x, width) = (self.x, self.hidden(make));
        let from = make.linear("from", x, width.clone(), "none")?;
        let weight = make.param("to.weight", vec![width.clone(), x.width.clone()], Init::FanIn)?;
        let (plain, ty) = (attrs([("act", "none".into())]), Ty::Vector(x.on.clone(), width.clone()));
        let to = make.node("linear", vec![x.node], plain, vec![weight], ty);
        let mut on = x.on.clone();
        on.axes = [&*on.axes, &self.on(&["head"]).axes].concat().into();
        let ty = Ty::Vector(on.clone(), width.clone());
        let sums = make.plain("table", vec![from.node, to], attrs([]), ty.clone());
        let node = make.plain("tanh", vec![sums], attrs([]), ty);
        let labels = Width::from(self.space);
        let weight = make.param("out.weight", vec![labels.clone(), width], Init::FanIn)?;
        let bias = make.param("out.bias", vec![labels.clone()], Init::Constant(RARE))?;
        let plain = attrs([("act", "none".into())]);
        Ok(make.node("linear", vec![node], plain, vec![weight, bias], Ty::Vector(on, labels)))
    }
}
