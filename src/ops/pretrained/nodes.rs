//! The parts that `pretrained` lowers to: what the first layer reads, layers, the last norm, and
//! what words and texts have of the states of pieces.

use super::super::Operation;
use super::super::signature::*;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;

#[cfg(feature = "train")]
use {
    crate::backend::{
        Offsets, Param, Value,
        exec::Run,
        kernels::{
            self,
            activation::Activation,
            encoder::{Drops, EncoderBlock, Map, Scale, Shape},
            random::Draw,
            transformer::NormPlace,
        },
        rows::offsets_of,
    },
    crate::data::pretrained::pieces::Split,
    candle_core::{Result, Tensor},
    std::sync::Arc,
};

macro_rules! part {
    ($item:ident, $signature:ident, $name:literal, $doc:literal, $run:ident) => {
        #[doc = $doc]
        pub struct $item;

        static $signature: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[input("x")], args: &[] };

        impl Operation for $item {
            fn signature(&self) -> &'static Signature {
                &$signature
            }

            fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
                c.node(call, 0).map(Val::Node)
            }

            fn by_example(&self) -> bool {
                true
            }

            #[cfg(feature = "train")]
            fn run(&self, run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
                $run(run, &inputs[0])
            }
        }
    };
}

part!(Embedded, EMBEDDED, "encoder_input", "What the first layer of a pretrained encoder reads.", embedded);
part!(Layer, LAYER, "encoder_layer", "A layer of a pretrained encoder.", layer);
part!(LastNorm, LAST_NORM, "encoder_norm", "The norm after the last layer of a pretrained encoder.", last_norm);
part!(WordStates, WORD_STATES, "word_states", "The states of words, from those of their pieces.", word_states);
part!(TextState, TEXT_STATE, "text_state", "A vector of each text, from the states of its pieces.", text_state);

/// Parameters of a node, taken in order.
#[cfg(feature = "train")]
struct Params<'r, 'a> {
    run: &'r Run<'a>,
    at: usize,
}

#[cfg(feature = "train")]
impl Params<'_, '_> {
    fn one(&mut self) -> Param {
        self.at += 1;
        self.run.param(self.at - 1).clone()
    }

    fn map(&mut self, bias: bool) -> Map {
        Map { w: self.one(), b: bias.then(|| self.one()) }
    }

    fn scale(&mut self, bias: bool) -> Scale {
        Scale { gain: self.one(), bias: bias.then(|| self.one()) }
    }
}

/// The draw of a node in training.
#[cfg(feature = "train")]
fn draw(run: &Run<'_>) -> Option<Draw> {
    run.training.then(|| run.draw())
}

/// States of pieces with all that belongs to them.
#[cfg(feature = "train")]
type Encoded<'v> = (&'v Tensor, &'v Arc<Split>, &'v Offsets);

#[cfg(feature = "train")]
fn encoded(value: &Value) -> Result<Encoded<'_>> {
    match value {
        Value::Encoded { states, split, windows, .. } => Ok((states, split, windows)),
        _ => candle_core::bail!("the states of an encoder are needed here"),
    }
}

/// The value with other states.
#[cfg(feature = "train")]
fn with(value: &Value, states: Tensor) -> Result<Value> {
    let Value::Encoded { split, windows, rows, .. } = value else { return encoded(value).map(|_| value.clone()) };
    Ok(Value::Encoded { states, split: split.clone(), windows: windows.clone(), rows: rows.clone() })
}

/// Rows of the tables of pieces, positions and segments, summed and normalised.
#[cfg(feature = "train")]
fn embedded(run: &Run<'_>, x: &Value) -> Result<Value> {
    let Value::Tokens { ids, lexicon, rows } = x else { return run.wrong_input() };
    let split = Arc::new(run.split(ids, lexicon, rows)?);
    let windows = offsets_of(split.windows.iter().copied());
    let mut params = Params { run, at: 0 };
    let mut sum = kernels::embedding::lookup(&split.pieces.clone().into(), &params.one())?;
    if run.int("positions") > 0 {
        let first = run.int("first") as u32;
        let places = split.windows.iter().flat_map(|count| (0..*count as u32).map(|place| first + place));
        sum = (sum + kernels::embedding::lookup(&places.collect::<Vec<_>>().into(), &params.one())?)?;
    }
    if run.int("segments") > 0 {
        sum = (sum + kernels::embedding::lookup(&vec![0; split.pieces.len()].into(), &params.one())?)?;
    }
    let mut states = params.scale(run.bool("norm_bias")).apply(&sum, run.float("eps"))?;
    if let Some(draw) = draw(run) {
        states = kernels::random::dropout(&states, run.float("dropout") as f32, draw)?;
    }
    if params.at < run.node.params.len() {
        let map = params.map(true);
        states = kernels::linear::linear(&states, &map.w, map.b.as_ref(), Activation::None)?;
    }
    Ok(Value::Encoded { states, split, windows, rows: rows.clone() })
}

#[cfg(feature = "train")]
fn layer(run: &Run<'_>, x: &Value) -> Result<Value> {
    let (states, _, windows) = encoded(x)?;
    let mut params = Params { run, at: 0 };
    let (attention, net, norms) = (run.bool("attention_bias"), run.bool("net_bias"), run.bool("norm_bias"));
    let before = run.bool("before");
    let reach = run.node.attrs.contains_key("reach").then(|| run.int("reach"));
    let theta = run.node.attrs.contains_key("theta").then(|| run.float("theta"));
    let qkv = (0..run.int("maps")).map(|_| params.map(attention)).collect();
    let block = EncoderBlock {
        qkv,
        out: params.map(attention),
        norm_attention: run.bool("first_norm").then(|| params.scale(norms)),
        net_in: params.map(net),
        net_out: params.map(net),
        norm_net: params.scale(norms),
        shape: Shape {
            heads: run.int("heads"),
            eps: run.float("eps"),
            act: run.activation("act"),
            gated: before,
            place: if before { NormPlace::Before } else { NormPlace::After },
            theta,
            reach,
        },
    };
    let share = |name: &str| run.float(name) as f32;
    let drops = Drops {
        attention: share("attention_dropout"),
        attended: share("attended_dropout"),
        inner: share("inner_dropout"),
        net: share("dropout"),
    };
    with(x, block.forward(states, windows, drops, draw(run))?)
}

#[cfg(feature = "train")]
fn last_norm(run: &Run<'_>, x: &Value) -> Result<Value> {
    let bias = run.node.params.len() > 1;
    with(x, Params { run, at: 0 }.scale(bias).apply(encoded(x)?.0, run.float("eps"))?)
}

#[cfg(feature = "train")]
fn word_states(run: &Run<'_>, x: &Value) -> Result<Value> {
    let (states, split, _) = encoded(x)?;
    let Some(rows) = x.rows() else { return run.wrong_input() };
    let words = match run.str("pool") {
        "mean" => {
            let counts = split.counts.iter().map(|n| *n as usize);
            let pieces = split.first.iter().zip(&split.counts).flat_map(|(first, n)| *first..first + n);
            let pieces = kernels::segment::gather_rows(states, &pieces.collect::<Vec<_>>().into())?;
            kernels::segment::mean(&pieces, &offsets_of(counts))?
        }
        _ => kernels::segment::gather_rows(states, &split.first.clone().into())?,
    };
    Ok(Value::float(words, rows))
}

#[cfg(feature = "train")]
fn text_state(run: &Run<'_>, x: &Value) -> Result<Value> {
    let (states, split, _) = encoded(x)?;
    let Some(rows) = x.rows() else { return run.wrong_input() };
    let texts = match run.str("form") {
        "mean" => {
            let ends: Offsets = split.texts.iter().copied().chain([split.pieces.len() as u32]).collect();
            kernels::segment::mean(states, &ends)?
        }
        form => {
            let first = kernels::segment::gather_rows(states, &split.texts.clone().into())?;
            match form {
                "pooled" => kernels::linear::linear(&first, run.param(0), Some(run.param(1)), Activation::Tanh)?,
                _ => first,
            }
        }
    };
    Ok(Value::float(texts, &Arc::new(rows.outer())))
}
