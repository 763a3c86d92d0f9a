//! `mlm`: the words that the one `corrupt` upstream chose.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{heads, lm};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, Operation, TaskKind};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{Graph, Node, NodeId};
use crate::sema::model::{Built, Head};
use crate::sema::types::Ty;
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run};
#[cfg(feature = "train")]
use crate::ops::corrupt::Fate;

/// The kind `mlm`.
pub struct Mlm;

static MLM: Signature = Signature {
    name: "mlm",
    group: Group::Internal,
    doc: "The words that the one `corrupt` upstream chose, those among them that it left as they are, too (Devlin et al. 2019); softmax over the words of train. Its own input is corrupted in evaluation too, always alike.",
    inputs: &[input("gold")],
    args: &[lm::MIN_COUNT],
};

impl TaskKind for Mlm {
    fn signature(&self) -> &'static Signature {
        &MLM
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["perplexity", "accuracy"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        lm::word_head(c, "mlm", task)
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, "mlm", x, at)?;
        let Some(space) = head.space else { return Err(Reported) };
        if heads::same_places(c, gold, &input, at)?.is_none() {
            return lm::words(c, head, input, None, at);
        }
        let corrupt = corruption(c, x, at, gold)?;
        let judged = judged(&mut c.graph, x, &|id, _| id == corrupt, &mut FxHashMap::default());
        let node = c.graph.node(corrupt).clone();
        let mut attrs = node.attrs.clone();
        attrs.insert("space".into(), space.0.into());
        // The same draw as that of the corruption.
        let ty = Ty::Label(input.on.clone(), space);
        let gold = Node { op: "chosen_words", attrs, ty, span: at, vocab: None, ..node };
        let gold = c.graph.add(gold);
        lm::words(c, head, heads::Input { node: judged, ..input }, Some(gold), at)
    }
}

/// The one `corrupt` upstream, which must change the gold text.
fn corruption<'a>(c: &mut Checker<'a>, x: NodeId, at: Span, gold: Option<(NodeId, Span)>) -> Checked<NodeId> {
    let (mut open, mut seen, mut found) = (vec![x], FxHashSet::default(), Vec::new());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let node = c.graph.node(id);
            found.extend((node.op == "corrupt").then_some(id));
            open.extend(&node.inputs);
        }
    }
    found.sort();
    let help = "corrupt the text once, before its words become vectors: `data.text |> corrupt(mask: 15%) |> embed(64)`";
    let mut d = match (found.as_slice(), gold) {
        ([one], Some((gold, _))) if c.graph.node(*one).inputs == [gold] => return Ok(*one),
        ([one], _) => {
            let at = c.graph.node(*one).span;
            Diagnostic::new(
                codes::TASK_GOLD,
                gold.map_or(at, |g| g.1),
                "`mlm` learns another text than `corrupt` changes",
            )
            .also(at, "it changes another text here")
        }
        ([], _) => Diagnostic::new(codes::TASK_INPUT, at, "no `corrupt` stands before what `mlm` reads"),
        ([first, second, ..], _) => {
            let (first, second) = (c.graph.node(*first).span, c.graph.node(*second).span);
            let message = "`mlm` learns the words that one `corrupt` chose, and several stand before what it reads";
            Diagnostic::new(codes::TASK_INPUT, at, message).also(first, "one is here").also(second, "another is here")
        }
    };
    d = d.help(help);
    Err(c.error(d))
}

/// The value with its corruption acting in evaluation too.
pub fn judged(
    graph: &mut Graph,
    id: NodeId,
    corrupts: &dyn Fn(NodeId, &Node) -> bool,
    known: &mut FxHashMap<NodeId, NodeId>,
) -> NodeId {
    if let Some(done) = known.get(&id) {
        return *done;
    }
    let mut node = graph.node(id).clone();
    let made = if corrupts(id, &node) {
        node.attrs.insert("judged".into(), true.into());
        graph.add(node)
    } else {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|input| judged(graph, *input, corrupts, known)).collect();
        if inputs == node.inputs { id } else { graph.add(Node { inputs, ..node }) }
    };
    known.insert(id, made);
    made
}

/// The words that a `corrupt` chose, as labels.
pub struct ChosenWords;

static CHOSEN_WORDS: Signature = Signature {
    name: "chosen_words",
    group: Group::Internal,
    doc: "The words that `corrupt` chose, as labels.",
    inputs: &[input("text")],
    args: &[],
};

impl Operation for ChosenWords {
    fn signature(&self) -> &'static Signature {
        &CHOSEN_WORDS
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let Value::Tokens { ids, rows, .. } = &inputs[0] else { return run.wrong_input() };
        let (draw, p) = (run.draw(), run.float("mask") as f32);
        let kept = |i: usize| Fate::of(i, p, draw) == Fate::Kept;
        let labels = run.word_labels(ids).into_iter().enumerate();
        let ids: Vec<u32> = labels.map(|(i, label)| if kept(i) { NO_LABEL } else { label }).collect();
        Ok(Value::Label { ids: ids.into(), space: run.node.width, rows: rows.clone() })
    }
}
