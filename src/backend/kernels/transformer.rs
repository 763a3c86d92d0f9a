//! The block of a transformer encoder (Vaswani et al., 2017), which is the one of published encoders
//! in its plainest form.

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::encoder::{Drops, EncoderBlock, Map, Scale, Shape};
use super::init::Init;
use super::norm::layer_norm;
use super::random::{Draw, dropout};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// What PyTorch adds to a variance.
pub const EPS: f64 = 1e-5;

/// Where a block normalises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlace {
    /// Before each part (Xiong et al., 2020): trains from scratch without warm-up. The last
    /// block is followed by one more norm.
    #[default]
    Before,
    /// After each residual sum, as in BERT.
    After,
}

/// Weights and bias of a linear map.
#[derive(Clone, Debug)]
pub struct Dense {
    /// `[outputs, inputs]`.
    pub w: Param,
    /// `[outputs]`.
    pub b: Param,
}

/// Scale and shift of a layer norm.
#[derive(Clone, Debug)]
pub struct NormParams {
    /// `[d]`.
    pub gamma: Param,
    /// `[d]`.
    pub beta: Param,
}

impl NormParams {
    /// Layer norm of `x [N, d]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.gamma, &self.beta, EPS)
    }
}

/// One block: attention and a two-layer net, each with a residual sum and a norm.
#[derive(Clone, Debug)]
pub struct TransformerBlock {
    /// Queries, keys and values, `[3d, d]`.
    pub attn_qkv: Dense,
    /// After the attention, `[d, d]`.
    pub attn_out: Dense,
    /// Into the net, `[inner, d]`.
    pub ff_in: Dense,
    /// Out of the net, `[d, inner]`.
    pub ff_out: Dense,
    /// The norm of the attention.
    pub norm_attn: NormParams,
    /// The norm of the net.
    pub norm_ff: NormParams,
}

impl TransformerBlock {
    /// Name, shape and first values of each parameter of a block.
    pub fn parameters(width: usize, inner: usize) -> Vec<(&'static str, Vec<usize>, Init)> {
        let weight = || Init::XavierUniform { gain: 1.0 };
        vec![
            ("attn_qkv.w", vec![3 * width, width], weight()),
            ("attn_qkv.b", vec![3 * width], Init::Zeros),
            ("attn_out.w", vec![width, width], weight()),
            ("attn_out.b", vec![width], Init::Zeros),
            ("ff_in.w", vec![inner, width], weight()),
            ("ff_in.b", vec![inner], Init::Zeros),
            ("ff_out.w", vec![width, inner], weight()),
            ("ff_out.b", vec![width], Init::Zeros),
            ("norm_attn.gamma", vec![width], Init::Ones),
            ("norm_attn.beta", vec![width], Init::Zeros),
            ("norm_ff.gamma", vec![width], Init::Ones),
            ("norm_ff.beta", vec![width], Init::Zeros),
        ]
    }

    /// A block of the parameters that `find` knows by the names of
    /// [`TransformerBlock::parameters`].
    pub fn new(mut find: impl FnMut(&str) -> Result<Param>) -> Result<Self> {
        let mut dense = |name: &str| {
            Ok::<_, candle_core::Error>(Dense { w: find(&format!("{name}.w"))?, b: find(&format!("{name}.b"))? })
        };
        let (attn_qkv, attn_out) = (dense("attn_qkv")?, dense("attn_out")?);
        let (ff_in, ff_out) = (dense("ff_in")?, dense("ff_out")?);
        let norm_attn = NormParams { gamma: find("norm_attn.gamma")?, beta: find("norm_attn.beta")? };
        let norm_ff = NormParams { gamma: find("norm_ff.gamma")?, beta: find("norm_ff.beta")? };
        Ok(Self { attn_qkv, attn_out, ff_in, ff_out, norm_attn, norm_ff })
    }

    /// The block on `x [N, d]`. Dropout acts on attention probabilities, on the net's inner
    /// layer and on what is added to the residual.
    pub fn forward(
        &self,
        x: &Tensor,
        offsets: &Offsets,
        heads: usize,
        place: NormPlace,
        drop: Option<(f32, Draw)>,
    ) -> Result<Tensor> {
        let (p, draw) = drop.map_or((0.0, None), |(p, draw)| (p, Some(draw)));
        let drops = Drops { attention: p, attended: p, inner: p, net: p };
        self.encoder(heads, place).forward(x, offsets, drops, draw)
    }

    /// The same as a block of the general form.
    fn encoder(&self, heads: usize, place: NormPlace) -> EncoderBlock {
        let map = |dense: &Dense| Map { w: dense.w.clone(), b: Some(dense.b.clone()) };
        let scale = |norm: &NormParams| Scale { gain: norm.gamma.clone(), bias: Some(norm.beta.clone()) };
        let shape = Shape { heads, eps: EPS, act: Activation::Gelu, gated: false, place, theta: None, reach: None };
        EncoderBlock {
            qkv: vec![map(&self.attn_qkv)],
            out: map(&self.attn_out),
            net_in: map(&self.ff_in),
            net_out: map(&self.ff_out),
            norm_attention: Some(scale(&self.norm_attn)),
            norm_net: scale(&self.norm_ff),
            shape,
        }
    }
}

pub(super) fn part(drop: Option<(f32, Draw)>, index: u64) -> Option<(f32, Draw)> {
    drop.map(|(p, draw)| (p, draw.part(index)))
}

pub(super) fn maybe_drop(x: &Tensor, drop: Option<(f32, Draw)>) -> Result<Tensor> {
    drop.map_or_else(|| Ok(x.clone()), |(p, draw)| dropout(x, p, draw))
}

/// The angle of each column at place 1: sines in even columns and cosines in odd ones.
fn rates(d: usize) -> impl Iterator<Item = f64> {
    (0..d).map(move |c| 10_000f64.powf(-((c / 2 * 2) as f64) / d as f64))
}

/// The sinusoidal position `place` of a segment, `d` wide.
pub(super) fn position(place: usize, d: usize) -> Vec<f32> {
    let angles = rates(d).map(|rate| place as f64 * rate);
    angles.enumerate().map(|(c, a)| if c % 2 == 0 { a.sin() } else { a.cos() } as f32).collect()
}

/// Sinusoidal positions of the places of each segment: `[N, d]`, sines in even columns and
/// cosines in odd ones.
pub fn positions(offsets: &Offsets, d: usize, device: &Device) -> Result<Tensor> {
    let lengths = || offsets.windows(2).map(|segment| (segment[1] - segment[0]) as usize);
    let rates: Vec<f64> = rates(d).collect();
    let mut table = Vec::with_capacity(lengths().max().unwrap_or(0) * d);
    for place in 0..lengths().max().unwrap_or(0) {
        let angles = rates.iter().map(|rate| place as f64 * rate);
        table.extend(angles.enumerate().map(|(c, a)| if c % 2 == 0 { a.sin() } else { a.cos() } as f32));
    }
    let rows = offsets.last().map_or(0, |o| *o as usize);
    let mut out = Vec::with_capacity(rows * d);
    lengths().for_each(|length| out.extend_from_slice(&table[..length * d]));
    Tensor::from_vec(out, (rows, d), device)
}
