//! The block of a published encoder: BERT's and those of its kin, with the weights as they are
//! published. One operation where it is fused, and made of the others elsewhere.

use candle_core::{Result, Tensor};

use super::activation::Activation;
use super::attention::{Heads, attend_within};
use super::buffer::is_fused;
use super::encoder_block::Block;
use super::linear::linear;
use super::norm::layer_norm_of;
use super::random::{Draw, dropout};
use super::rotary::{Angles, rotate};
use super::shape::concat_cols;
use super::transformer::NormPlace;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// A linear map.
#[derive(Clone, Debug)]
pub struct Map {
    /// `[outputs, inputs]`.
    pub w: Param,
    /// `[outputs]`.
    pub b: Option<Param>,
}

impl Map {
    fn apply(&self, x: &Tensor, act: Activation) -> Result<Tensor> {
        linear(x, &self.w, self.b.as_ref(), act)
    }
}

/// Scale and shift of a norm.
#[derive(Clone, Debug)]
pub struct Scale {
    /// `[d]`.
    pub gain: Param,
    /// `[d]`.
    pub bias: Option<Param>,
}

impl Scale {
    /// Layer norm of `x [N, d]`.
    pub fn apply(&self, x: &Tensor, eps: f64) -> Result<Tensor> {
        layer_norm_of(x, &self.gain, self.bias.as_ref(), eps)
    }
}

/// Shares of numbers that training drops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drops {
    /// Of the attention's probabilities.
    pub attention: f32,
    /// Of what the attention adds.
    pub attended: f32,
    /// Of the net's inner layer.
    pub inner: f32,
    /// Of what the net adds.
    pub net: f32,
}

/// How a block is built.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Heads of the attention.
    pub heads: usize,
    /// What norms add to a variance.
    pub eps: f64,
    /// The net's activation.
    pub act: Activation,
    /// Whether the first half of the net's inner layer, activated, multiplies the second (Shazeer 2020).
    pub gated: bool,
    /// Where norms stand.
    pub place: NormPlace,
    /// The base of rotary positions (Su et al. 2021), where the block turns queries and keys.
    pub theta: Option<f64>,
    /// How many places to each side a place sees; all when `None`.
    pub reach: Option<usize>,
}

/// One block.
#[derive(Clone, Debug)]
pub struct EncoderBlock {
    /// Queries, keys and values: three maps, or one for all.
    pub qkv: Vec<Map>,
    /// After the attention.
    pub out: Map,
    /// Into the net.
    pub net_in: Map,
    /// Out of the net.
    pub net_out: Map,
    /// The norm of the attention; none in the first block of ModernBERT.
    pub norm_attention: Option<Scale>,
    /// The norm of the net.
    pub norm_net: Scale,
    /// How it is built.
    pub shape: Shape,
}

impl EncoderBlock {
    /// The block on `x [N, d]`.
    pub fn forward(&self, x: &Tensor, offsets: &Offsets, drops: Drops, draw: Option<Draw>) -> Result<Tensor> {
        if is_fused(x) {
            return Block::new(self, offsets, drops, draw)?.apply(x);
        }
        let Shape { eps, place, .. } = self.shape;
        let of_attention = |x: &Tensor| self.norm_attention.as_ref().map_or_else(|| Ok(x.clone()), |n| n.apply(x, eps));
        match place {
            NormPlace::Before => {
                let x = (x + self.attend(&of_attention(x)?, offsets, drops, draw)?)?;
                &x + self.net(&self.norm_net.apply(&x, eps)?, drops, draw)?
            }
            NormPlace::After => {
                let x = of_attention(&(x + self.attend(x, offsets, drops, draw)?)?)?;
                self.norm_net.apply(&(&x + self.net(&x, drops, draw)?)?, eps)
            }
        }
    }

    /// The attention of a block over these segments.
    pub(super) fn attention(&self, offsets: &Offsets, drops: Drops, draw: Option<Draw>) -> Result<Heads> {
        let width = self.out.w.var.dims2()?.1;
        let dropout = draw.map(|draw| (drops.attention, draw.part(0)));
        Ok(Heads::new(self.shape.heads, width, dropout, false, offsets, offsets)?.near(self.shape.reach))
    }

    /// The angles that it turns queries and keys by.
    pub(super) fn angles(&self, offsets: &Offsets) -> Result<Option<Angles>> {
        let head = self.out.w.var.dims2()?.1 / self.shape.heads.max(1);
        Ok(self.shape.theta.map(|theta| Angles::new(theta, head, offsets)))
    }

    fn attend(&self, x: &Tensor, offsets: &Offsets, drops: Drops, draw: Option<Draw>) -> Result<Tensor> {
        let parts = self.qkv.iter().map(|map| map.apply(x, Activation::None)).collect::<Result<Vec<_>>>()?;
        let mut qkv = if let [one] = parts.as_slice() { one.clone() } else { concat_cols(&parts)? };
        if let Some(angles) = self.angles(offsets)? {
            qkv = rotate(&qkv, &angles, offsets)?;
        }
        let y = self.out.apply(&attend_within(&qkv, self.attention(offsets, drops, draw)?)?, Activation::None)?;
        maybe_drop(&y, drops.attended, draw, 1)
    }

    fn net(&self, x: &Tensor, drops: Drops, draw: Option<Draw>) -> Result<Tensor> {
        let mut wide = match self.shape.gated {
            false => self.net_in.apply(x, self.shape.act)?,
            true => {
                let both = self.net_in.apply(x, Activation::None)?;
                let half = both.dim(1)? / 2;
                let gate = self.shape.act.apply(&both.narrow(1, 0, half)?.contiguous()?)?;
                (gate * both.narrow(1, half, half)?)?
            }
        };
        wide = maybe_drop(&wide, drops.inner, draw, 2)?;
        maybe_drop(&self.net_out.apply(&wide, Activation::None)?, drops.net, draw, 3)
    }
}

fn maybe_drop(x: &Tensor, p: f32, draw: Option<Draw>, part: u64) -> Result<Tensor> {
    draw.map_or_else(|| Ok(x.clone()), |draw| dropout(x, p, draw.part(part)))
}
