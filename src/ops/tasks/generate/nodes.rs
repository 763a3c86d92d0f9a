//! The nodes of such a task.
//!
//! Training computes the states over the gold and each word's loss from them. What is written is
//! one node, which searches or draws; it is run where a prediction is asked for. What others read
//! of the task is, in training, what was computed over the gold, and at prediction the same over
//! what was written.

use super::copy::{self, Copying};
use super::layers::Layers;
use super::words::Vocabulary;
use crate::ops::attrs;
use crate::ops::part::parts;
use crate::ops::tasks::heads::Input;
use crate::plan::{Attr, Attrs};
use crate::sema::call::Checked;
use crate::sema::checker::Checker;
use crate::sema::graph::{Node, NodeId, ParamId, Site};
use crate::sema::model::{Built, Head};
use crate::sema::types::{DataId, GoldKind, On, SpaceId, Ty, Width};
use crate::source::Span;

#[cfg(feature = "train")]
use super::run;

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

/// A decoder's parameters, what nodes have to know of it, and what it looks at.
struct Decoder {
    params: Vec<ParamId>,
    known: Attrs,
    memory: NodeId,
    copying: Option<Copying>,
}

impl Decoder {
    /// What nodes read that copy.
    fn copied(&self) -> impl Iterator<Item = NodeId> {
        self.copying.iter().flat_map(|copying| [copying.memory, copying.text])
    }

    /// With those of copying.
    fn all_params(&self) -> Vec<ParamId> {
        let more = self.copying.iter().flat_map(|copying| &copying.params);
        self.params.iter().chain(more).copied().collect()
    }
}

/// What draws within a task are told apart by.
const STATES_SITE: (u32, u32) = (u32::MAX, 2);
const LOSS_SITE: (u32, u32) = (u32::MAX, 3);
const WRITTEN_SITE: (u32, u32) = (u32::MAX, 4);
const FED_SITE: (u32, u32) = (u32::MAX, 6);

impl<'a> Maker<'_, 'a> {
    /// All of the task; `source` is what words are copied from, and which input runs along it.
    pub fn built(
        mut self,
        inputs: Vec<Input>,
        source: Option<(usize, NodeId)>,
        gold: Option<NodeId>,
    ) -> Checked<Built> {
        let (memory, copying) = self.memory(inputs, source)?;
        let mut decoder = Decoder {
            params: self.vocabulary.params.clone(),
            known: self.vocabulary.attrs(self.space),
            memory,
            copying,
        };
        decoder.params.extend(self.layers.params(self.c)?);
        decoder.known.extend(self.layers.attrs());
        decoder.known.insert("drop_words".into(), self.setting("dropout", 0.0));
        let label = self.written(&decoder, gold);
        let own = self.states(label, &decoder, "own");
        let read = gold.map(|gold| self.read(gold, &decoder));
        let taught = read.map(|read| self.states(read, &decoder, "taught"));
        let hidden = self.handed(own, taught);
        let logits = if decoder.copying.is_some() { hidden } else { self.logits(hidden) };
        let loss = taught.zip(gold).map(|(states, gold)| self.loss(states, gold, &decoder));
        let (on, width) = (self.on.clone(), self.layers.width.into());
        Ok(Built { on, hidden, width, logits, probs: None, label, gold, loss })
    }

    /// A number among the settings.
    fn setting(&self, name: &str, other: f64) -> Attr {
        self.head.settings.float(name).unwrap_or(other).into()
    }

    /// What the decoder reads in training: the gold, or now and then what it would have written.
    fn read(&mut self, gold: NodeId, decoder: &Decoder) -> NodeId {
        let share = self.head.settings.float("gold").unwrap_or(1.0);
        if share >= 1.0 {
            return gold;
        }
        let mut about = decoder.known.clone();
        about.insert("gold".into(), share.into());
        about.insert("copies".into(), decoder.copying.is_some().into());
        let mut inputs = vec![gold, decoder.memory];
        inputs.extend(decoder.copied());
        let ty = Ty::Label(self.along("read"), self.space);
        self.add("fed_words", inputs, about, decoder.all_params(), ty, Some(FED_SITE))
    }

    /// The states that others read.
    fn handed(&mut self, own: NodeId, taught: Option<NodeId>) -> NodeId {
        let inputs = std::iter::once(own).chain(taught).collect();
        let ty = Ty::Vector(self.along("words"), self.layers.width.into());
        self.add("handed_states", inputs, Attrs::new(), vec![], ty, None)
    }

    fn logits(&mut self, hidden: NodeId) -> NodeId {
        let (about, params) = (self.vocabulary.attrs(self.space), self.vocabulary.params.clone());
        let ty = Ty::Vector(self.along("words"), Width::from(self.space).plus(&1.into()));
        self.add("word_logits", vec![hidden], about, params, ty, None)
    }

    fn loss(&mut self, states: NodeId, gold: NodeId, decoder: &Decoder) -> NodeId {
        let mut about = self.vocabulary.attrs(self.space);
        about.insert("smoothing".into(), self.setting("smoothing", 0.0));
        about.insert("drop_words".into(), self.setting("dropout", 0.0));
        about.insert("coverage".into(), decoder.copying.as_ref().is_some_and(|copying| copying.coverage).into());
        let mut params = self.vocabulary.params.clone();
        let mut inputs = vec![states, gold];
        if let Some(copying) = &decoder.copying {
            params.extend(&copying.params);
            inputs.extend(decoder.copied());
        }
        let op = if decoder.copying.is_some() { "copy_loss" } else { "word_loss" };
        self.add(op, inputs, about, params, Ty::Vector(self.on.clone(), 1.into()), Some(LOSS_SITE))
    }

    /// The places of something that the task makes.
    fn along(&self, what: &str) -> On {
        let task = self.head.scope.owner.as_deref().unwrap_or_default();
        On { example: self.on.example.clone(), axes: [format!("{task}.{what}").into()].into() }
    }

    /// All memories end to end, and what is copied from.
    fn memory(&mut self, inputs: Vec<Input>, source: Option<(usize, NodeId)>) -> Checked<(NodeId, Option<Copying>)> {
        let mut nodes = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.into_iter().enumerate() {
            nodes.push(self.layers.memory(self.c, i, input)?.node);
        }
        let copying = match source {
            Some((index, text)) => {
                let params = copy::params(self.c, self.head, &self.layers, self.at)?;
                Some(Copying { memory: nodes[index], text, params, coverage: self.head.settings.bool("coverage") })
            }
            None => None,
        };
        if let [one] = nodes[..] {
            return Ok((one, copying));
        }
        let ty = Ty::Vector(self.along("memory"), self.layers.width.into());
        Ok((self.add("memories", nodes, Attrs::new(), vec![], ty, None), copying))
    }

    fn written(&mut self, decoder: &Decoder, gold: Option<NodeId>) -> NodeId {
        let settings = &self.head.settings;
        let mut about = decoder.known.clone();
        about.extend(attrs([
            ("beam", settings.int("beam").unwrap_or(1).into()),
            ("length_penalty", settings.float("length_penalty").unwrap_or(0.6).into()),
            ("drawn", (settings.word("decoding") == Some("sample")).into()),
            ("temperature", settings.float("temperature").unwrap_or(1.0).into()),
            ("top_k", settings.int("top_k").unwrap_or(0).into()),
            ("top_p", settings.float("top_p").unwrap_or(1.0).into()),
            ("copies", decoder.copying.is_some().into()),
        ]));
        if let Some(most) = settings.int("max_length") {
            about.insert("max_length".into(), most.into());
        }
        let gold = gold.or(self.head.gold.map(|gold| gold.0));
        let fields = gold.map(|gold| self.c.graph.token_fields(gold)).unwrap_or_default();
        let pair = |(data, field): &(DataId, usize)| Attr::List(vec![data.0.into(), (*field).into()]);
        about.insert("fields".into(), Attr::List(fields.iter().map(pair).collect()));
        let ty = Ty::Gold(self.on.clone(), GoldKind::Text, Some(self.space));
        let mut inputs = vec![decoder.memory];
        inputs.extend(decoder.copied());
        self.add("written", inputs, about, decoder.all_params(), ty, Some(WRITTEN_SITE))
    }

    fn states(&mut self, text: NodeId, decoder: &Decoder, axis: &str) -> NodeId {
        let ty = Ty::Vector(self.along(axis), self.layers.width.into());
        let (inputs, about) = (vec![text, decoder.memory], decoder.known.clone());
        self.add("decoder_states", inputs, about, decoder.params.clone(), ty, Some(STATES_SITE))
    }

    fn add(
        &mut self,
        op: &'static str,
        inputs: Vec<NodeId>,
        attrs: Attrs,
        params: Vec<ParamId>,
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

parts! {
    MEMORIES, MEMORIES_S, "memories", run::memories, "The rows of several values of the same examples, end to end in each.";
    STATES, STATES_S, "decoder_states", run::decoder_states, "States of a decoder at all places of texts, the end included.";
    HANDED, HANDED_S, "handed_states", run::handed_states, "States without that of the end: in training over the gold, else over what was written.";
    LOGITS, LOGITS_S, "word_logits", run::word_logits, "Logits of the words that may stand at each place.";
    LOSS, LOSS_S, "word_loss", run::word_loss, "-log p of the words of each text and of its end.";
    EXPECTED, EXPECTED_S, "expected_words", run::expected_words, "The expected embeddings of the words that may stand at each place.";
    COPY_LOSS, COPY_LOSS_S, "copy_loss", run::copy_loss, "The same where words are copied too.";
    FED, FED_S, "fed_words", run::fed_words, "What a decoder reads in training, with scheduled sampling.";
    WRITTEN, WRITTEN_S, "written", run::written, "What a decoder writes.";
    FORCED, FORCED_S, "forced_text", run::written, "The gold some of the time in training, else what a decoder writes.";
    TEXT, TEXT_S, "written_text", run::written_text, "The words that a decoder wrote.";
}
