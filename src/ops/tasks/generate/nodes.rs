//! The nodes of such a task.
//!
//! Training computes the states over the gold and each word's loss from them. What is written is
//! one node, which searches or draws; it is run where a prediction is asked for. What others read
//! of the task is, in training, what was computed over the gold, and at prediction the same over
//! what was written.

use super::layers::Layers;
use super::words::Vocabulary;
use crate::ops::signature::*;
use crate::ops::tasks::heads::Input;
use crate::ops::{Operation, attrs};
use crate::plan::{Attr, Attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, Site};
use crate::sema::model::{Built, Head};
use crate::sema::types::{GoldKind, On, SpaceId, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use super::run;
#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// A task in the making.
pub struct Maker<'c, 'a> {
    /// The checker.
    pub c: &'c mut Checker<'a>,
    /// The task's head.
    pub head: &'c Head<'a>,
    /// Where its input stands.
    pub at: Span,
    /// The words that it writes.
    pub space: SpaceId,
    /// Its examples.
    pub on: On,
    /// Its layers.
    pub layers: Layers<'a>,
    /// Its tables.
    pub vocabulary: Vocabulary,
}

/// What draws within a task are told apart by.
const STATES_SITE: (u32, u32) = (u32::MAX, 2);
const LOSS_SITE: (u32, u32) = (u32::MAX, 3);
const WRITTEN_SITE: (u32, u32) = (u32::MAX, 4);

impl<'a> Maker<'_, 'a> {
    /// All of the task.
    pub fn built(mut self, inputs: Vec<Input>, gold: Option<NodeId>) -> Checked<Built> {
        let memory = self.memory(inputs)?;
        let mut params = self.vocabulary.params.clone();
        params.extend(self.layers.params(self.c)?);
        let mut known = self.vocabulary.attrs(self.space);
        known.extend(self.layers.attrs());
        known.insert("drop_words".into(), self.head.settings.float("dropout").unwrap_or(0.0).into());
        let d = Width::from(self.layers.width);
        let width = self.layers.width;
        let label = self.written(memory, &known, &params, gold);
        let own = self.states(label, memory, &known, &params, "own");
        let taught = gold.map(|gold| self.states(gold, memory, &known, &params, "taught"));
        let words = self.along("words");
        let inputs = std::iter::once(own).chain(taught).collect();
        let hidden = self.add("handed_states", inputs, Attrs::new(), vec![], Ty::Vector(words.clone(), d), None);
        let count = Width::from(self.space).plus(&1.into());
        let of_words = self.vocabulary.params.clone();
        let mut about = self.vocabulary.attrs(self.space);
        let ty = Ty::Vector(words, count);
        let logits = self.add("word_logits", vec![hidden], about.clone(), of_words.clone(), ty, None);
        about.insert("smoothing".into(), self.head.settings.float("smoothing").unwrap_or(0.0).into());
        about.insert("drop_words".into(), self.head.settings.float("dropout").unwrap_or(0.0).into());
        let each = Ty::Vector(self.on.clone(), 1.into());
        let loss = taught
            .zip(gold)
            .map(|(states, gold)| self.add("word_loss", vec![states, gold], about, of_words, each, Some(LOSS_SITE)));
        Ok(Built { on: self.on.clone(), hidden, width: width.into(), logits, probs: None, label, gold, loss })
    }

    /// The places of something that the task makes.
    fn along(&self, what: &str) -> On {
        let task = self.head.scope.owner.as_deref().unwrap_or_default();
        On { example: self.on.example.clone(), axes: [format!("{task}.{what}").into()].into() }
    }

    /// All memories end to end.
    fn memory(&mut self, inputs: Vec<Input>) -> Checked<NodeId> {
        let mut nodes = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.into_iter().enumerate() {
            nodes.push(self.layers.memory(self.c, i, input)?.node);
        }
        if let [one] = nodes[..] {
            return Ok(one);
        }
        let ty = Ty::Vector(self.along("memory"), self.layers.width.into());
        Ok(self.add("memories", nodes, Attrs::new(), vec![], ty, None))
    }

    fn written(
        &mut self,
        memory: NodeId,
        known: &Attrs,
        params: &[crate::sema::graph::ParamId],
        gold: Option<NodeId>,
    ) -> NodeId {
        let settings = &self.head.settings;
        let mut about = known.clone();
        about.extend(attrs([
            ("beam", settings.int("beam").unwrap_or(1).into()),
            ("length_penalty", settings.float("length_penalty").unwrap_or(0.6).into()),
            ("drawn", (settings.word("decoding") == Some("sample")).into()),
            ("temperature", settings.float("temperature").unwrap_or(1.0).into()),
            ("top_k", settings.int("top_k").unwrap_or(0).into()),
            ("top_p", settings.float("top_p").unwrap_or(1.0).into()),
        ]));
        if let Some(most) = settings.int("max_length") {
            about.insert("max_length".into(), most.into());
        }
        let gold = gold.or(self.head.gold.map(|gold| gold.0));
        let fields = gold.map(|gold| self.c.graph.token_fields(gold)).unwrap_or_default();
        let pair =
            |(data, field): &(crate::sema::types::DataId, usize)| Attr::List(vec![data.0.into(), (*field).into()]);
        about.insert("fields".into(), Attr::List(fields.iter().map(pair).collect()));
        let ty = Ty::Gold(self.on.clone(), GoldKind::Text, Some(self.space));
        self.add("written", vec![memory], about, params.to_vec(), ty, Some(WRITTEN_SITE))
    }

    fn states(
        &mut self,
        text: NodeId,
        memory: NodeId,
        known: &Attrs,
        params: &[crate::sema::graph::ParamId],
        axis: &str,
    ) -> NodeId {
        let ty = Ty::Vector(self.along(axis), self.layers.width.into());
        self.add("decoder_states", vec![text, memory], known.clone(), params.to_vec(), ty, Some(STATES_SITE))
    }

    fn add(
        &mut self,
        op: &'static str,
        inputs: Vec<NodeId>,
        attrs: Attrs,
        params: Vec<crate::sema::graph::ParamId>,
        ty: Ty,
        draw: Option<(u32, u32)>,
    ) -> NodeId {
        let path = self.head.path.as_str().into();
        let draw = draw.map(|part| Site {
            chain: self.head.site.chain.iter().copied().chain([part]).collect(),
            ..self.head.site.clone()
        });
        let vocab = self.vocabulary.vocab.filter(|_| !params.is_empty());
        self.c.graph.add(Node { op, inputs, attrs, params, ty, span: self.at, path, draw, vocab })
    }
}

/// An operation of such tasks.
pub struct Part {
    signature: &'static Signature,
    #[cfg(feature = "train")]
    run: fn(&Run<'_>, &[Value]) -> candle_core::Result<Value>,
}

macro_rules! parts {
    ($($item:ident, $sig:ident, $name:literal, $run:ident, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[many("x")], args: &[] };
        #[doc = $doc]
        pub static $item: Part = Part {
            signature: &$sig,
            #[cfg(feature = "train")]
            run: run::$run,
        };)*
        /// The operations of such tasks.
        pub const OPS: &[&dyn Operation] = &[$(&$item),*];
    };
}

parts! {
    MEMORIES, MEMORIES_S, "memories", memories, "The rows of several values of the same examples, end to end in each.";
    STATES, STATES_S, "decoder_states", decoder_states, "States of a decoder at all places of texts, the end included.";
    HANDED, HANDED_S, "handed_states", handed_states, "States without that of the end: in training over the gold, else over what was written.";
    LOGITS, LOGITS_S, "word_logits", word_logits, "Logits of the words that may stand at each place.";
    LOSS, LOSS_S, "word_loss", word_loss, "-log p of the words of each text and of its end.";
    EXPECTED, EXPECTED_S, "expected_words", expected_words, "The expected embeddings of the words that may stand at each place.";
    WRITTEN, WRITTEN_S, "written", written, "What a decoder writes.";
    TEXT, TEXT_S, "written_text", written_text, "The words that a decoder wrote.";
}

impl Operation for Part {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        (self.run)(run, inputs)
    }
}
