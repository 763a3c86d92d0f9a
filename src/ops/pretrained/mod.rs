//! `pretrained("dir or hub id")`: a published encoder of the BERT family over the words of a text.

pub mod nodes;

use std::sync::Arc;

use super::signature::*;
use super::{Operation, attrs};
use crate::data::pretrained::layout::{self, Block, Embedding, Part};
use crate::data::pretrained::{Checkpoint, Config, Dropout, Misfit};
use crate::data::spec::{FieldType, Tokens};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Attrs, Init};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::{NodeId, ParamId, Rate};
use crate::sema::types::{DataId, EncoderId, On, Ty, Width};

/// `pretrained("dir or hub id")`.
pub struct Pretrained;

static PRETRAINED: Signature = Signature {
    name: "pretrained",
    group: Group::Words,
    doc: "A pretrained encoder: BERT, MiniLM, RoBERTa, XLM-R, DistilBERT, ELECTRA or ModernBERT, from a folder with `config.json`, `tokenizer.json` and `model.safetensors`, or from the hub. Each word of the text is split into the pieces of the encoder, special pieces are put around each text, and the state of a word is that of its first piece. A text with more pieces than the encoder has positions is read in windows, one after another, cut between words.",
    inputs: &[input("x")],
    args: &[
        required(
            "from",
            Kind::Str,
            "A folder, relative to the program or to `--data`; or an id on the hub such as `\"org/name\"`.",
        ),
        arg("revision", Kind::Str, Default::Unset, "Branch, tag or commit on the hub; the run keeps the commit."),
        arg(
            "train",
            Kind::Bool,
            Default::Bool(true),
            "Whether it is fine-tuned. If not, it computes in training as at prediction, without dropout.",
        ),
        arg(
            "layers",
            Kind::Places,
            Default::Unset,
            "The layers whose states are given, 0 for what the first layer reads; the last when left out. Several stand side by side.",
        ),
        arg(
            "mix",
            Kind::Bool,
            Default::Bool(false),
            "γ Σ softmax(w)ᵢ hᵢ over the layers, or over all where none are named, with learned w and γ (Peters et al. 2018).",
        ),
        arg(
            "pool",
            Kind::Word(&["first", "mean"]),
            Default::Word("first"),
            "The state of a word from those of its pieces: that of the first (Devlin et al. 2019), or their mean.",
        ),
        arg(
            "whole",
            Kind::Word(&["none", "cls", "pooled", "mean"]),
            Default::Word("none"),
            "Also gives a vector of each text, as the second of a tuple: the state of the first special piece (`[CLS]`), the same after BERT's pooler (a linear map and tanh), or the mean over all pieces, special ones too, as sentence encoders take it.",
        ),
        arg(
            "dropout",
            Kind::Share,
            Default::Unset,
            "Dropout where the encoder was trained with some, instead of what its configuration says.",
        ),
        arg("lr", POSITIVE, Default::Unset, "Learning rate of its parameters, instead of the train block's."),
        arg(
            "lr_decay",
            Kind::Float(0.0, 1.0),
            Default::Float(1.0),
            "Each layer learns this many times as fast as the one above it, and the tables as one below the first (Howard & Ruder 2018).",
        ),
    ],
};

impl Operation for Pretrained {
    fn signature(&self) -> &'static Signature {
        &PRETRAINED
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on) = c.tokens(call, 0)?;
        refuse_pieces(c, call, x)?;
        let path = c.graph.path(&call.site, "pretrained");
        let owner = path.strip_suffix(".pretrained").unwrap_or(&path).to_string();
        let id = c.encoder(call, &owner)?;
        let Some(checkpoint) = c.graph.encoders[id.0].checkpoint.clone() else {
            return Ok(unknown(c, call, x, on, id));
        };
        let layers = layers(c, call, &checkpoint.config)?;
        let mut build = Build { c, call, checkpoint, owner, id, top: layers.iter().copied().max().unwrap_or(0) };
        build.value(x, on, &layers)
    }

    fn by_example(&self) -> bool {
        true
    }
}

/// How the fields of a text are cut.
fn cuts(c: &Checker<'_>, x: NodeId) -> Vec<Tokens> {
    let of = |(data, field): (DataId, usize)| match &c.datasets.get(data.0)?.fields.get(field)?.ty {
        FieldType::Text { tokens, .. } | FieldType::Texts { tokens, .. } => Some(tokens.clone()),
        _ => None,
    };
    c.graph.token_fields(x).into_iter().filter_map(of).collect()
}

/// Reports a text whose tokens are no words that the encoder could cut into its own pieces.
fn refuse_pieces<'a>(c: &mut Checker<'a>, call: &Call<'a>, x: NodeId) -> Checked<()> {
    let name = cuts(c, x).iter().find_map(|cut| match cut {
        Tokens::Bpe(n) => Some(format!("bpe({n})")),
        Tokens::Bytes => Some("bytes".into()),
        Tokens::Chars => Some("chars".into()),
        Tokens::Space | Tokens::Words | Tokens::File(_) => None,
    });
    let Some(name) = name else { return Ok(()) };
    let message = format!("`pretrained` cuts words into pieces of its own, and this text is cut by `{name}`");
    let at = call.inputs.first().map_or(call.span, |input| input.1);
    let d = Diagnostic::new(codes::WRONG_INPUT, at, message);
    Err(c.error_in(&call.scope, d.help("leave `tokens` out where the field is declared, or write `tokens: words`")))
}

/// What stands for an encoder that is not at hand: values whose width is not known.
fn unknown<'a>(c: &mut Checker<'a>, call: &Call<'a>, x: NodeId, on: On, id: EncoderId) -> Val<'a> {
    let width = Width::from(id);
    let attributes = || attrs([("encoder", id.0.into())]);
    let whole = call.args.word("whole").unwrap_or("none");
    let words = match call.args.widths("layers").filter(|_| !call.args.bool("mix")) {
        Some(layers) => width.times(layers.len()),
        None => width.clone(),
    };
    let words = Val::Node(c.emit(call, vec![x], attributes(), vec![], Ty::Vector(on.clone(), words)));
    if whole == "none" {
        return words;
    }
    let whole = c.emit(call, vec![x], attributes(), vec![], Ty::Vector(on.outer(), width));
    Val::Tuple(vec![words, Val::Node(whole)])
}

/// The layers whose states are asked for.
fn layers<'a>(c: &mut Checker<'a>, call: &Call<'a>, config: &Config) -> Checked<Vec<usize>> {
    let named = match call.args.widths("layers") {
        Some(layers) => layers.to_vec(),
        None if call.args.bool("mix") => (0..=config.layers).collect(),
        None => vec![config.layers],
    };
    let at = call.args.span("layers").unwrap_or(call.span);
    if let Some(layer) = named.iter().find(|layer| **layer > config.layers) {
        let message = format!("there is no layer {layer}: the encoder has {}", config.layers);
        let d = Diagnostic::new(codes::BAD_ARGUMENT, at, message);
        return Err(c.error_in(&call.scope, d.help("layers count from 1, and 0 is what the first one reads")));
    }
    if call.args.word("whole") == Some("pooled") && !named.contains(&config.layers) {
        let message = format!("`whole: pooled` reads layer {}, which is none of these", config.layers);
        let d = Diagnostic::new(codes::BAD_ARGUMENT, at, message);
        return Err(c.error_in(&call.scope, d.help("name the last layer too, or read another with `whole: cls`")));
    }
    Ok(named)
}

/// An encoder in the making.
struct Build<'b, 'c, 'a> {
    c: &'b mut Checker<'a>,
    call: &'c Call<'a>,
    checkpoint: Arc<Checkpoint>,
    owner: String,
    id: EncoderId,
    /// The last layer that is computed.
    top: usize,
}

impl<'a> Build<'_, '_, 'a> {
    /// The states of words, and where asked for those of texts.
    fn value(&mut self, x: NodeId, on: On, layers: &[usize]) -> Checked<Val<'a>> {
        let d = Width::from(self.checkpoint.config.hidden);
        let states = self.states(x, &on)?;
        let pool = self.call.args.word("pool").unwrap_or("first");
        let mut words = Vec::new();
        for layer in layers {
            let attributes = self.attributes([("pool", pool.into())]);
            words.push(self.emit("word_states", vec![states[*layer]], attributes, vec![], &on, &d));
        }
        let words = self.together(words, &on, &d)?;
        let whole = self.call.args.word("whole").unwrap_or("none");
        if whole == "none" {
            return Ok(Val::Node(words));
        }
        let params = if whole == "pooled" { self.pooler()? } else { Vec::new() };
        let attributes = self.attributes([("form", whole.into())]);
        let text = self.emit("text_state", vec![states[self.top]], attributes, params, &on.outer(), &d);
        Ok(Val::Tuple(vec![Val::Node(words), Val::Node(text)]))
    }

    /// The states of all pieces: what the first layer reads, then those after each layer.
    fn states(&mut self, x: NodeId, on: &On) -> Checked<Vec<NodeId>> {
        let config = self.checkpoint.config.clone();
        let d = Width::from(config.hidden);
        let drop = self.dropout();
        let params = self.params(Embedding::of(&config).parts(), 0)?;
        let mut attributes = self.attributes([
            ("positions", i64_of(config.positions, config.turns.is_empty())),
            ("first", config.first_position.into()),
            ("segments", config.segments.into()),
            ("norm_bias", config.norm_bias.into()),
            ("eps", config.eps.into()),
            ("dropout", drop.table.into()),
            ("encoder", self.id.0.into()),
        ]);
        if self.are_pieces(x) {
            attributes.insert("pieces".into(), true.into());
        }
        let mut states = vec![self.drawn("encoder_input", vec![x], attributes, params, on, &d, 0)];
        for i in 0..self.top {
            let params = self.params(Block::of(&config, i).parts(), i + 1)?;
            let attributes = self.layer(&config, i, drop);
            let below = states[i];
            states.push(self.drawn("encoder_layer", vec![below], attributes, params, on, &d, i as u32 + 1));
        }
        let last = layout::last_norm(&config);
        if self.top == config.layers && !last.is_empty() {
            let params = self.params(last, config.layers)?;
            let attributes = self.attributes([("eps", config.eps.into())]);
            let below = states[self.top];
            states[self.top] = self.emit_encoded("encoder_norm", vec![below], attributes, params, on, &d);
        }
        Ok(states)
    }

    /// How layer `i` is built.
    fn layer(&self, config: &Config, i: usize, drop: Dropout) -> Attrs {
        let block = Block::of(config, i);
        let mut attributes = self.attributes([
            ("heads", config.heads.into()),
            ("eps", config.eps.into()),
            ("act", config.act.as_str().into()),
            ("maps", block.qkv.len().into()),
            ("attention_bias", config.attention_bias.into()),
            ("net_bias", config.net_bias.into()),
            ("norm_bias", config.norm_bias.into()),
            ("first_norm", (!block.norm_attention.is_empty()).into()),
            ("before", (!config.turns.is_empty()).into()),
            ("attention_dropout", drop.attention.into()),
            ("attended_dropout", drop.attended.into()),
            ("inner_dropout", drop.inner.into()),
            ("dropout", drop.net.into()),
        ]);
        if let Some(turn) = config.turns.get(i) {
            attributes.insert("theta".into(), turn.theta.into());
            attributes.extend(turn.reach.map(|reach| ("reach".to_string(), Attr::from(reach))));
        }
        attributes
    }

    fn dropout(&self) -> Dropout {
        let own = self.checkpoint.config.dropout;
        self.call.args.float("dropout").map_or(own, |p| own.all(p))
    }

    fn is_trained(&self) -> bool {
        self.call.args.bool("train")
    }

    /// Attributes of a node, which computes in training as at prediction where nothing is trained.
    fn attributes<const N: usize>(&self, pairs: [(&str, Attr); N]) -> Attrs {
        let mut attributes = attrs(pairs);
        if !self.is_trained() {
            attributes.insert("still".into(), true.into());
        }
        attributes
    }

    /// Whether the words of the field are pieces themselves: `tokens: "tokenizer.json"`.
    fn are_pieces(&self, x: NodeId) -> bool {
        let cuts = cuts(self.c, x);
        !cuts.is_empty() && cuts.iter().all(|cut| matches!(cut, Tokens::File(_)))
    }

    /// The parameters of these parts, which belong to layer `layer`.
    fn params(&mut self, parts: Vec<Part>, layer: usize) -> Checked<Vec<ParamId>> {
        let args = &self.call.args;
        let below = (self.checkpoint.config.layers - layer) as i32;
        let scale = args.float("lr_decay").unwrap_or(1.0).powi(below);
        let rate = Rate { lr: args.float("lr"), scale };
        let own = rate.lr.is_some() || scale != 1.0;
        let mut params = Vec::with_capacity(parts.len());
        for part in parts {
            let shape = part.shape.iter().map(|n| Width::from(*n)).collect();
            let init = Init::Pretrained { encoder: self.id.0, tensor: part.name.clone(), frozen: !self.is_trained() };
            let name = format!("{}.{}", self.owner, part.name);
            let id = self.c.param_at(name, shape, init, self.call.span, &self.call.scope)?;
            self.c.graph.params[id.0].rate = own.then_some(rate);
            params.push(id);
        }
        Ok(params)
    }

    /// BERT's pooler, which not every checkpoint has.
    fn pooler(&mut self) -> Checked<Vec<ParamId>> {
        let parts = layout::pooler(&self.checkpoint.config);
        let lacking = parts.iter().find_map(|part| self.checkpoint.has(part).err());
        if let Some(Misfit { message, .. }) = lacking {
            let help = "this model was published without a pooler: `whole: cls` gives the state that it would read";
            return Err(self.c.misfit(self.call, Misfit::new(message, help)));
        }
        self.params(parts, self.checkpoint.config.layers)
    }

    /// Several layers as one value.
    fn together(&mut self, words: Vec<NodeId>, on: &On, d: &Width) -> Checked<NodeId> {
        if let [one] = words.as_slice() {
            return Ok(*one);
        }
        let count = words.len();
        if !self.call.args.bool("mix") {
            let ty = Ty::Vector(on.clone(), d.times(count));
            return Ok(self.c.emit_as(self.call, "concat", words, attrs([]), vec![], ty));
        }
        let names = [("mix_weights", count, Init::Zeros), ("mix_gain", 1, Init::Ones)];
        let mut params = Vec::new();
        for (name, size, init) in names {
            let name = format!("{}.{name}", self.owner);
            params.push(self.c.param_at(name, vec![size.into()], init, self.call.span, &self.call.scope)?);
        }
        Ok(self.c.emit_as(self.call, "mix", words, attrs([]), params, Ty::Vector(on.clone(), d.clone())))
    }

    fn emit_encoded(
        &mut self,
        op: &'static str,
        inputs: Vec<NodeId>,
        attributes: Attrs,
        params: Vec<ParamId>,
        on: &On,
        d: &Width,
    ) -> NodeId {
        self.c.emit_as(self.call, op, inputs, attributes, params, Ty::Vector(on.clone(), d.clone()))
    }

    /// A node with draws of its own, number `part` of the call.
    #[allow(clippy::too_many_arguments)]
    fn drawn(
        &mut self,
        op: &'static str,
        inputs: Vec<NodeId>,
        attributes: Attrs,
        params: Vec<ParamId>,
        on: &On,
        d: &Width,
        part: u32,
    ) -> NodeId {
        let node = self.emit_encoded(op, inputs, attributes, params, on, d);
        if self.is_trained() {
            let site = self.c.sub_call(self.call, self.call.op, vec![], part).site;
            self.c.graph.nodes[node.0].draw = Some(site);
        }
        node
    }

    /// A node that gives a value of the language; no gradient passes where nothing is trained.
    fn emit(
        &mut self,
        op: &'static str,
        inputs: Vec<NodeId>,
        attributes: Attrs,
        params: Vec<ParamId>,
        on: &On,
        d: &Width,
    ) -> NodeId {
        let node = self.emit_encoded(op, inputs, attributes, params, on, d);
        if self.is_trained() {
            return node;
        }
        let ty = Ty::Vector(on.clone(), d.clone());
        self.c.emit_as(self.call, "detach", vec![node], Attrs::new(), vec![], ty)
    }
}

/// A number that only counts where something holds.
fn i64_of(n: usize, holds: bool) -> Attr {
    if holds { n.into() } else { 0usize.into() }
}
