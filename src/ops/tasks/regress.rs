//! `regress`: a number for an example.

use super::heads;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, SpaceSource, field_of};
use crate::sema::model::{Built, Head};
use crate::sema::types::{Ty, Width};
use crate::source::Span;

/// The kind `regress`.
pub struct Regress;

static REGRESS: Signature = Signature {
    name: "regress",
    group: Group::Internal,
    doc: "A number for each example. With `loss: kl` the integer grades of train are its label space: the target is spread over the two grades around the number, and the prediction is the expected grade (Tai et al. 2015).",
    inputs: &[input("gold")],
    args: &[arg("loss", Kind::Word(&["mse", "huber", "kl"]), Default::Word("mse"), "What is minimised.")],
};

impl TaskKind for Regress {
    fn signature(&self) -> &'static Signature {
        &REGRESS
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["pearson", "spearman", "mse"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = task.head.settings.word("loss").unwrap_or("mse");
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        let ty = c.graph.ty(gold).clone();
        let Ty::Vector(on, width) = &ty else { return Err(heads::wrong_gold(c, "regress", &ty, span, "a number")) };
        if task.head.form != "kl" {
            return Ok(());
        }
        let node = c.graph.node(gold).clone();
        let (true, Some(field)) = (*width == Width::from(1), field_of(&node)) else {
            let message = "`loss: kl` grades a `number` field";
            return Err(c.error(Diagnostic::new(codes::TASK_GOLD, span, message)));
        };
        let name = format!("{}.{}", on.example.name(), c.datasets[field.0.0].fields[field.1].name);
        task.head.space = Some(c.space(&name, SpaceSource::Grades(vec![field])));
        Ok(())
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, "regress", x, at)?;
        heads::one_vector(c, "regress", &input, at, false)?;
        let gold = heads::same_examples(c, gold, &input, at)?;
        let (one, each) = (Ty::Vector(input.on.clone(), 1.into()), Ty::Vector(input.on.examples(), 1.into()));
        if head.form == "kl" {
            let Some(space) = head.space else { return Err(Reported) };
            let heads::Projection { logits, probs } = heads::softmax_head(c, head, &input, space, at)?;
            let grades = attrs([("space", space.0.into())]);
            let label = c.plain("expected_grade", vec![probs], grades.clone(), one, at);
            let loss = gold.map(|g| c.plain("grade_loss", vec![logits, g], grades, each, at));
            let (hidden, width) = (input.node, input.width);
            return Ok(Built { on: input.on, hidden, width, logits, probs: Some(probs), label, gold, loss });
        }
        let width = match head.gold.map(|(g, _)| c.graph.ty(g).clone()) {
            Some(Ty::Vector(_, width)) => width,
            _ => 1.into(),
        };
        let logits = heads::project(c, head, &input, width, at)?;
        let attributes = attrs([("huber", (head.form == "huber").into())]);
        let loss = gold.map(|g| c.plain("regression_loss", vec![logits, g], attributes, each, at));
        let (hidden, width) = (input.node, input.width);
        Ok(Built { on: input.on, hidden, width, logits, probs: None, label: logits, gold, loss })
    }
}
