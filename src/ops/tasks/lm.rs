//! `lm`: the next word of a text from states that have read it from the left, or the previous one
//! from states that have read it from the right.

use rustc_hash::FxHashMap;

use super::heads::{self, Input, Projection};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::direction::states_of;
use crate::ops::signature::*;
use crate::ops::{HeadRequest, Operation, TaskKind, attrs};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, SpaceSource};
use crate::sema::model::{Built, Head};
use crate::sema::types::Ty;
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run};

/// The kind `lm`.
pub struct Lm;

/// How often train must have a word that is learned.
pub const MIN_COUNT: Arg =
    arg("min_count", COUNT, Default::Int(1), "Words that train has less often are one unknown word.");

static LM: Signature = Signature {
    name: "lm",
    group: Group::Internal,
    doc: "A language model beside other tasks (Rei 2017): the next word from states that have read no further, `lstm`, `gru` or `bilstm(d) |> forward`, the previous one from those of `backward`; softmax over the words of train. The last word in the direction of reading predicts nothing.",
    inputs: &[input("gold")],
    args: &[MIN_COUNT],
};

impl TaskKind for Lm {
    fn signature(&self) -> &'static Signature {
        &LM
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["perplexity", "accuracy"]
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        word_head(c, "lm", task)
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let input = heads::vector_input(c, "lm", x, at)?;
        let Some(space) = head.space else { return Err(Reported) };
        let gold = match heads::same_places(c, gold, &input, at)? {
            Some(text) => {
                let back = reads_back(c, &input, at)?;
                let attributes = attrs([("space", space.0.into()), ("back", back.into())]);
                Some(c.plain("next_words", vec![text], attributes, Ty::Label(input.on.clone(), space), at))
            }
            None => None,
        };
        words(c, head, input, gold, at)
    }
}

/// The label space of a head that gives words of its gold.
pub fn word_head<'a>(c: &mut Checker<'a>, kind: &str, task: &mut HeadRequest<'a>) -> Checked<()> {
    task.head.form = "words";
    let Some((gold, span)) = task.head.gold else {
        let d = Diagnostic::new(codes::TASK_GOLD, task.span, format!("`{kind}` needs its gold"));
        return Err(c.error(d.help(format!("name the text that it learns: `{kind}(data.field)`"))));
    };
    match c.graph.ty(gold).clone() {
        Ty::Tokens(_) => {}
        other => return Err(heads::wrong_gold(c, kind, &other, span, "text")),
    }
    let fields = c.graph.token_fields(gold);
    let name = fields.first().map(|(data, field)| {
        let data = &c.datasets[data.0];
        format!("{}.{}", data.name, data.fields[*field].name)
    });
    let least = task.head.settings.int("min_count").unwrap_or(1);
    task.head.space = Some(c.space(&name.unwrap_or_default(), SpaceSource::Words(fields, least)));
    Ok(())
}

/// A softmax over words.
pub fn words<'a>(c: &mut Checker<'a>, head: &Head<'a>, input: Input, gold: Option<NodeId>, at: Span) -> Checked<Built> {
    let Some(space) = head.space else { return Err(Reported) };
    let Projection { logits, probs } = heads::softmax_head(c, head, &input, space, at)?;
    let label = heads::label_node(c, "argmax", vec![logits], &input.on, space, at);
    let loss = gold.map(|g| heads::softmax_loss(c, head, logits, g, &input.on, at)).transpose()?;
    let Input { node, on, width } = input;
    Ok(Built { on, hidden: node, width, logits, probs: Some(probs), label, gold, loss })
}

/// Which words, seen from its own, a value has read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    before: bool,
    after: bool,
}

const ALL: Seen = Seen { before: true, after: true };

impl Seen {
    fn and(self, other: Seen) -> Seen {
        Seen { before: self.before || other.before, after: self.after || other.after }
    }
}

/// Operations whose value at a place follows from their inputs at that place.
const BY_PLACE: &[&str] = &[
    "field",
    "number",
    "index",
    "embed",
    "chars",
    "corrupt",
    "word_dropout",
    "dropout",
    "noise",
    "perturb",
    "cutoff",
    "gumbel",
    "gaussian",
    "linear",
    "norm",
    "add_norm",
    "mix",
    "gate",
    "highway",
    "biaffine",
    "concat",
    "add",
    "subtract",
    "multiply",
    "scale",
    "relu",
    "gelu",
    "tanh",
    "sigmoid",
    "softmax",
    "abs",
    "log",
    "exp",
    "detach",
    "reverse_gradient",
    "train_only",
    "one_hot",
    "expected_embedding",
    "project",
    "argmax",
    "sample",
    "forced_label",
    "cross_stitch",
    "sluice",
    "experts",
    "route",
    "union",
];

fn seen(c: &Checker<'_>, id: NodeId, known: &mut FxHashMap<NodeId, Seen>) -> Seen {
    if let Some(seen) = known.get(&id) {
        return *seen;
    }
    let node = c.graph.node(id);
    let (from, own) = match node.op {
        "lstm" | "gru" => (node.inputs.as_slice(), Seen { before: true, after: false }),
        "forward" | "backward" => {
            let states = c.graph.node(states_of(&c.graph, node.inputs[0]));
            (states.inputs.as_slice(), Seen { before: node.op == "forward", after: node.op == "backward" })
        }
        op if BY_PLACE.contains(&op) => (node.inputs.as_slice(), Seen::default()),
        _ if node.inputs.is_empty() => (node.inputs.as_slice(), Seen::default()),
        _ => (&[] as &[NodeId], ALL),
    };
    let all = from.iter().fold(own, |all, input| all.and(seen(c, *input, known)));
    known.insert(id, all);
    all
}

/// Whether the states have read from the right; an error if they have read what they predict.
fn reads_back<'a>(c: &mut Checker<'a>, input: &Input, at: Span) -> Checked<bool> {
    let seen = seen(c, input.node, &mut FxHashMap::default());
    if seen != ALL {
        return Ok(seen.after);
    }
    let name = heads::named(c, at, input);
    let message = format!("{name} has read the words on both sides, so `lm` would read what it predicts");
    let d = Diagnostic::new(codes::GOLD_LEAK, at, message);
    Err(c.error(d.help("give it the states of one direction: an `lstm`, or `bilstm(128) |> forward` and, in another task, `|> backward`")))
}

/// The word after each place as its label, or the one before.
pub struct NextWords;

static NEXT_WORDS: Signature = Signature {
    name: "next_words",
    group: Group::Internal,
    doc: "The word after each place, or before it, as a label.",
    inputs: &[input("text")],
    args: &[],
};

impl Operation for NextWords {
    fn signature(&self) -> &'static Signature {
        &NEXT_WORDS
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (Value::Tokens { ids, rows, .. }, Some(offsets)) = (&inputs[0], inputs[0].rows().and_then(|r| r.inner()))
        else {
            return run.wrong_input();
        };
        let ids = shifted(&run.word_labels(ids), offsets, run.bool("back"));
        Ok(Value::Label { ids: ids.into(), space: run.node.width, rows: rows.clone() })
    }
}

/// What stands after each place of a text, or before it; nothing at the end.
#[cfg(feature = "train")]
fn shifted(labels: &[u32], offsets: &[u32], back: bool) -> Vec<u32> {
    let mut next = vec![NO_LABEL; labels.len()];
    for text in offsets.windows(2).map(|w| w[0] as usize..w[1] as usize).filter(|text| text.len() > 1) {
        let (first, rest) = (text.start..text.end - 1, text.start + 1..text.end);
        let (to, from) = if back { (rest, first) } else { (first, rest) };
        next[to].copy_from_slice(&labels[from]);
    }
    next
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::{NO_LABEL, shifted};

    #[test]
    fn each_word_predicts_its_neighbour_in_its_own_text() {
        const END: u32 = NO_LABEL;
        let offsets = [0, 3, 3, 4, 6];
        assert_eq!(shifted(&[1, 2, 3, 4, 5, 6], &offsets, false), [2, 3, END, END, 6, END]);
        assert_eq!(shifted(&[1, 2, 3, 4, 5, 6], &offsets, true), [END, 1, 2, END, END, 5]);
    }
}
