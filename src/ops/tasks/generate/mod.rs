//! `generate`: a text, word by word, from what a decoder finds in one or several memories.
//!
//! - `copy`: what words are copied from.
//! - `layers`: the decoder's layers and their parameters.
//! - `words`: the tables of the words that it reads and writes.
//! - `nodes`: what training computes over the gold, and what is written at prediction.
//! - `handed`: what other tasks read of it.
//! - `run`, `source`: tensor code.

mod copy;
pub mod handed;
mod layers;
pub mod nodes;
#[cfg(feature = "train")]
mod run;
#[cfg(feature = "train")]
mod source;
mod words;

use self::layers::Layers;
use self::nodes::Maker;
use self::words::Vocabulary;
use super::heads::{self, Input};
use crate::diagnostics::{Diagnostic, codes};
use crate::ops::signature::*;
use crate::ops::{HeadRequest, TaskKind};
use crate::sema::call::{Checked, Reported};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, SpaceSource};
use crate::sema::model::{Built, Head};
use crate::sema::types::Ty;
use crate::source::Span;

/// The kind `generate`.
pub struct Generate;

/// Whether an operation takes its input at `index` of `count` as the gold of such a task.
pub fn reads_as_gold(op: &str, index: usize, count: usize) -> bool {
    match op {
        "decoder_states" | "fed_words" => index == 0,
        "word_loss" | "copy_loss" => index == 1,
        "forced_text" => index + 1 == count,
        _ => false,
    }
}

/// What the head of such a task is called.
pub const FORM: &str = "text";

static GENERATE: Signature = Signature {
    name: "generate",
    group: Group::Internal,
    doc: "A text, word by word. A decoder reads the words before each place and looks at what the task reads: `[T, d]` place by place, `[d]` as a memory of one place, several values `(a, b)` end to end, brought to the decoder's width where theirs differs. It learns each word of the gold from those before it, and at prediction reads what it wrote. A Transformer has attention to the memory in each layer; the states of an LSTM look at it after the last (Luong et al. 2015, general score, no input feeding), and its first step reads the memory's mean.",
    inputs: &[input("gold")],
    args: ARGS,
};

const ARGS: &[Arg] = &[
    arg(
        "decoder",
        Kind::Any,
        Default::Unset,
        "An `lstm` or `transformer`, written here or a layer that is one; it reads from the left, and tasks that name a layer share its parameters. An `lstm` as wide as the memory when left out.",
    ),
    arg(
        "head",
        Kind::Any,
        Default::Unset,
        "A layer that begins with `embed`, from whose table the words before are read and which the states are multiplied by, over √d (Press & Wolf 2017; Vaswani et al. 2017); or a task whose words it shares. Without it the task has an embedding and a projection of its own.",
    ),
    arg(
        "beam",
        Kind::Int(1, 1000),
        Default::Int(1),
        "Hypotheses kept in decoding; 1 is greedy. A search ends when as many texts have and none that goes on is worth more.",
    ),
    arg(
        "length_penalty",
        POSITIVE,
        Default::Float(0.6),
        "α: texts are ranked by log p / ((5 + n) / 6)^α with n their words and end (Wu et al. 2016).",
    ),
    arg(
        "max_length",
        COUNT,
        Default::Unset,
        "Words of a text that is written; those of the longest gold when left out.",
    ),
    arg(
        "decoding",
        Kind::Word(&["beam", "sample"]),
        Default::Word("beam"),
        "Whether predictions are looked for or drawn; the draws of an example follow from its number alone.",
    ),
    arg(
        "temperature",
        Kind::Float(1e-3, 1e3),
        Default::Float(1.0),
        "What logits are divided by where words are drawn.",
    ),
    arg("top_k", Kind::Int(0, i64::MAX), Default::Int(0), "Draws from that many of the likeliest words; 0 for all."),
    arg(
        "top_p",
        Kind::Float(1e-6, 1.0),
        Default::Float(1.0),
        "Draws from the likeliest words that together have this probability (Holtzman et al. 2020).",
    ),
    arg("smoothing", Kind::Share, Default::Float(0.0), "Label smoothing in training (Szegedy et al. 2016)."),
    arg(
        "gold",
        Kind::Share,
        Default::Float(1.0),
        "How often, in training, the word before is the gold one and not one drawn from what the decoder gives: scheduled sampling (Bengio et al. 2015).",
    ),
    arg(
        "copy",
        Kind::Any,
        Default::Unset,
        "A text that words are copied from, also those that are not the decoder's, by an attention of its own to the value along the text (See et al. 2017). What it finds, beside the state, is what words are written from and whether one is written or copied; an `lstm` looks at nothing else.",
    ),
    arg(
        "coverage",
        Kind::Bool,
        Default::Bool(false),
        "Whether the attention that copies reads where it looked before, and training also minimises that it looks there again (See et al. 2017, λ = 1).",
    ),
    arg(
        "dropout",
        Kind::Share,
        Default::Float(0.0),
        "Dropout on the words that the decoder reads and on its states before the words that it writes.",
    ),
    arg(
        "min_count",
        COUNT,
        Default::Int(1),
        "Words that train has less often are one unknown word, which is never written.",
    ),
];

impl TaskKind for Generate {
    fn signature(&self) -> &'static Signature {
        &GENERATE
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["bleu", "rouge", "rouge_1", "rouge_2", "rouge_l", "chrf", "perplexity"]
    }

    fn takes_several(&self) -> bool {
        true
    }

    fn head<'a>(&self, c: &mut Checker<'a>, task: &mut HeadRequest<'a>) -> Checked<()> {
        task.head.form = FORM;
        let Some((gold, span)) = task.head.gold else {
            let d = Diagnostic::new(codes::TASK_GOLD, task.span, "`generate` needs its gold");
            return Err(c.error(d.help("name the text that it learns: `generate(data.field)`")));
        };
        match c.graph.ty(gold).clone() {
            Ty::Tokens(on) if on.axes.len() == 1 => {}
            other => return Err(heads::wrong_gold(c, "generate", &other, span, "text")),
        }
        refuse(c, &task.head)?;
        let fields = c.graph.token_fields(gold);
        let name = fields.first().map(|(data, field)| {
            let data = &c.datasets[data.0];
            format!("{}.{}", data.name, data.fields[*field].name)
        });
        let least = words::min_count(c, &task.head)?;
        let space = c.space(&name.unwrap_or_default(), SpaceSource::Words(fields, least));
        task.head.space = Some(space);
        words::shared(c, &task.head, space)
    }

    fn build<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        x: NodeId,
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        self.build_all(c, head, &[x], at, gold)
    }

    fn build_all<'a>(
        &self,
        c: &mut Checker<'a>,
        head: &Head<'a>,
        xs: &[NodeId],
        at: Span,
        gold: Option<(NodeId, Span)>,
    ) -> Checked<Built> {
        let Some(space) = head.space else { return Err(Reported) };
        let mut inputs: Vec<Input> = Vec::with_capacity(xs.len());
        for x in xs {
            let input = heads::vector_input(c, "generate", *x, at)?;
            if let Some(first) = inputs.first() {
                heads::same_examples(c, Some((input.node, at)), first, at)?;
            }
            inputs.push(input);
        }
        let Some(first) = inputs.first() else { return Err(Reported) };
        let gold = heads::same_examples(c, gold, first, at)?;
        let on = first.on.examples();
        let source = copy::source(c, head, &inputs, at)?;
        let layers = Layers::new(c, head, &inputs, at)?;
        let vocabulary = Vocabulary::new(c, head, space, &layers, at)?;
        Maker { c, head, at, space, on, layers, vocabulary }.built(inputs, source, gold)
    }
}

/// Reports settings that do not go together.
fn refuse<'a>(c: &mut Checker<'a>, head: &Head<'a>) -> Checked<()> {
    let settings = &head.settings;
    let draws = settings.word("decoding") == Some("sample");
    if let (true, Some(at)) = (draws, settings.span("beam")) {
        let d = Diagnostic::new(codes::BAD_SETTING, at, "texts that are drawn have no beam")
            .also(settings.span("decoding").unwrap_or(at), "here they are drawn");
        return Err(c.error(d.help("leave one of the two out")));
    }
    if let (false, true, Some(at)) =
        (settings.get("copy").is_some(), settings.bool("coverage"), settings.span("coverage"))
    {
        let d = Diagnostic::new(
            codes::BAD_SETTING,
            at,
            "`coverage` is of the attention that copies, and nothing is copied here",
        );
        return Err(c.error(d.help("name the text that words are copied from: `copy: data.field`")));
    }
    if let (Some(copy), Some(at)) = (settings.span("copy"), settings.span("smoothing")) {
        let d = Diagnostic::new(codes::BAD_SETTING, at, "labels are not smoothed where words are copied")
            .also(copy, "here they are copied");
        return Err(c.error(d.help("leave one of the two out")));
    }
    Ok(())
}
