//! Kinds of tasks that this build checks but does not train yet.

use super::heads;
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind, attrs};
use crate::sema::call::Checked;
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, Ty};
use crate::source::Span;

/// A kind of task without a head.
pub struct Later {
    signature: &'static Signature,
    metrics: &'static [&'static str],
    gold: &'static [GoldKind],
    needs_axis: bool,
}

const LOSS: Arg = arg("loss", Kind::Any, Default::Unset, "What is minimised.");

macro_rules! kinds {
    ($($item:ident, $sig:ident, $name:literal, $metrics:expr, $gold:expr, $axis:literal, $args:expr, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[input("gold")], args: $args };
        #[doc = $doc]
        pub static $item: Later = Later { signature: &$sig, metrics: $metrics, gold: $gold, needs_axis: $axis };)*
    };
}

kinds! {
    COREF, COREF_S, "coref", &["conll_f1"], &[GoldKind::Clusters], true, &[], "Clusters of spans that mean the same.";
    EXTRACT, EXTRACT_S, "extract", &["f1", "exact_match"], &[GoldKind::Span], true, &[LOSS], "A span by start and end pointers.";
}

impl TaskKind for Later {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn metrics(&self) -> &'static [&'static str] {
        self.metrics
    }

    fn runs(&self) -> bool {
        false
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        let Some((gold, span)) = task.head.gold else { return Ok(()) };
        let ty = c.graph.ty(gold).clone();
        let fits = match &ty {
            Ty::Error => return Ok(()),
            Ty::Gold(_, kind, space) => {
                task.head.space = *space;
                self.gold.contains(kind)
            }
            Ty::Tokens(_) => self.gold.contains(&GoldKind::Text),
            _ => self.gold.is_empty(),
        };
        if fits || self.gold.is_empty() {
            return Ok(());
        }
        let wanted: Vec<&str> = self.gold.iter().map(|g| g.word()).collect();
        Err(heads::wrong_gold(c, self.signature.name, &ty, span, &wanted.join(" or ")))
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, self.signature.name, x, at)?;
        if self.needs_axis && input.on.axes.is_empty() {
            let name = heads::named(c, at, &input);
            let message = format!("{name} has no axis below the example; `{}` needs one", self.signature.name);
            return Err(c.error(Diagnostic::new(codes::TASK_INPUT, at, message)));
        }
        if let Some((gold, span)) = gold {
            heads::same_examples(c, Some((gold, span)), &input, at)?;
        }
        let ty = match head.space {
            Some(space) => Ty::Vector(input.on.clone(), space.into()),
            None => Ty::Vector(input.on.clone(), 1.into()),
        };
        let attributes = attrs([("kind", self.signature.name.into())]);
        let logits = c.plain("generated", vec![input.node], attributes, ty, at);
        let each = Ty::Vector(input.on.examples(), 1.into());
        let loss = gold.map(|(g, _)| c.plain("generated", vec![logits, g], attrs([]), each, at));
        let (hidden, width, on) = (input.node, input.width, input.on);
        Ok(Built { on, hidden, width, logits, probs: Some(logits), label: logits, gold: gold.map(|g| g.0), loss })
    }
}
