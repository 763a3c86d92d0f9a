//! The layers of a decoder over all places of given texts at once.

use candle_core::{Result, Tensor};

use super::block::Block;
use super::fed::fed;
use super::words::Words;
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::attention::{cross_attention, self_attention};
use crate::backend::kernels::buffer::is_fused;
use crate::backend::kernels::linear::linear;
use crate::backend::kernels::random::{Draw, dropout};
use crate::backend::kernels::recurrent::lstm::lstm;
use crate::backend::kernels::segment;
use crate::backend::kernels::shape::concat_cols;
use crate::backend::kernels::transformer::{Dense, NormParams, maybe_drop, part, positions};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// A dropout and what it draws from.
pub type Drop = Option<(f32, Draw)>;

/// A decoder with its words.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// What it reads and writes.
    pub words: Words,
    /// Its layers.
    pub body: Body,
}

/// The layers of a decoder.
#[derive(Clone, Debug)]
pub enum Body {
    /// A Transformer decoder (Vaswani et al. 2017) with norms before each part.
    Transformer {
        /// From the first on.
        layers: Vec<Layer>,
        /// After the last.
        norm: NormParams,
        /// Of each attention.
        heads: usize,
    },
    /// An LSTM whose states look at the memory (Luong et al. 2015): tanh(W [c; h] + b) with c
    /// what the state h finds by a general score, without input feeding. The mean of the memory
    /// is added, projected, to what the first step reads.
    Lstm {
        /// Parameters of each layer: `w_ih`, `w_hh`, `bias`.
        layers: Vec<[Param; 3]>,
        /// The projection of the memory's mean.
        start: Dense,
        /// What states look at, and the map of that and of them; none where only copying looks.
        look: Option<Box<(Cross, Dense)>>,
    },
}

/// A layer of a Transformer decoder.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Before the attention to earlier words.
    pub norm_self: NormParams,
    /// Queries, keys and values, `[3d, d]`.
    pub qkv: Dense,
    /// After that attention.
    pub self_out: Dense,
    /// The attention to the memory.
    pub cross: Cross,
    /// After it.
    pub cross_out: Dense,
    /// Before the net.
    pub norm_ff: NormParams,
    /// `[inner, d]`
    pub ff_in: Dense,
    /// `[d, inner]`
    pub ff_out: Dense,
}

/// How states look at a memory.
#[derive(Clone, Debug)]
pub enum Cross {
    /// By attention.
    Places {
        /// Before the queries, in a Transformer.
        norm: Option<NormParams>,
        /// Queries, `[d, d]`.
        query: Dense,
        /// Keys and values, `[2d, d]`.
        memory: Dense,
    },
    /// At the only place that each memory has: there is nothing to choose from.
    One {
        /// Its value, `[d, d]`.
        value: Dense,
    },
}

/// What a decoder looks at: rows, and where those of each example begin.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    /// `[M, d]`
    pub rows: &'a Tensor,
    /// Rows of each example.
    pub offsets: &'a Offsets,
}

/// Dropouts of a decoder: within its layers, and on the words that it reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drops {
    /// Within the layers.
    pub layers: Drop,
    /// On the words.
    pub words: Drop,
}

fn apply(x: &Tensor, dense: &Dense, act: Activation) -> Result<Tensor> {
    linear(x, &dense.w, Some(&dense.b), act)
}

impl Decoder {
    /// The words before each place as the layers read them, `[N, d]`.
    pub fn read(&self, before: &[u32], drop: Drop) -> Result<Tensor> {
        let x = fed(before, &self.words.input)?;
        let x = match &self.words.inward {
            Some(dense) => apply(&x, dense, Activation::None)?,
            None => x,
        };
        maybe_drop(&x, drop)
    }

    /// States at all places of texts, `[N, d]`, from the rows of the words before them.
    pub fn states(&self, before: &[u32], offsets: &Offsets, memory: Memory, drops: Drops) -> Result<Tensor> {
        let x = self.read(before, drops.words)?;
        match &self.body {
            Body::Transformer { layers, norm, heads } => {
                let mut x = (&x + positions(offsets, x.dim(1)?, x.device())?.to_dtype(x.dtype())?)?;
                for (i, layer) in layers.iter().enumerate() {
                    x = layer.forward(&x, offsets, memory, *heads, part(drops.layers, i as u64))?;
                }
                norm.forward(&x)
            }
            Body::Lstm { layers, start, look } => {
                let mean = segment::mean(memory.rows, memory.offsets)?;
                let first = first_rows(&apply(&mean, start, Activation::Tanh)?, offsets)?;
                let mut x = (x + first)?;
                for (i, [w_ih, w_hh, bias]) in layers.iter().enumerate() {
                    if let (Some((p, draw)), true) = (part(drops.layers, i as u64), i > 0) {
                        x = dropout(&x, p, draw)?;
                    }
                    x = lstm(&x, offsets, w_ih, w_hh, bias, false)?;
                }
                let Some((cross, mix)) = look.as_deref() else { return Ok(x) };
                let seen = cross.look(&x, offsets, memory, (1, None))?;
                apply(&concat_cols(&[seen, x])?, mix, Activation::Tanh)
            }
        }
    }
}

/// Row `i` of `x` at the first place of segment `i`, zeros elsewhere.
fn first_rows(x: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let mut rows = vec![u32::MAX; offsets.last().map_or(0, |o| *o as usize)];
    for (i, text) in offsets.windows(2).enumerate().filter(|(_, text)| text[0] < text[1]) {
        rows[text[0] as usize] = i as u32;
    }
    segment::rows_or_zeros(x, rows)
}

impl Cross {
    /// What states `x [N, d]` find.
    fn look(&self, x: &Tensor, offsets: &Offsets, memory: Memory, (heads, drop): (usize, Drop)) -> Result<Tensor> {
        match self {
            Cross::Places { norm, query, memory: keys } => {
                let x = norm.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))?;
                let q = apply(&x, query, Activation::None)?;
                let kv = apply(memory.rows, keys, Activation::None)?;
                cross_attention(&q, &kv, offsets, memory.offsets, heads, drop)
            }
            Cross::One { value } => segment::repeat_rows(&apply(memory.rows, value, Activation::None)?, offsets),
        }
    }
}

impl Layer {
    fn forward(&self, x: &Tensor, offsets: &Offsets, memory: Memory, heads: usize, drop: Drop) -> Result<Tensor> {
        if is_fused(x)
            && is_fused(memory.rows)
            && let Some(block) = Block::new(self, offsets, memory, heads, drop)?
        {
            return block.apply(x, memory.rows);
        }
        let qkv = apply(&self.norm_self.forward(x)?, &self.qkv, Activation::None)?;
        let seen = self_attention(&qkv, offsets, heads, part(drop, 0), true)?;
        let x = (x + maybe_drop(&apply(&seen, &self.self_out, Activation::None)?, part(drop, 1))?)?;
        let seen = self.cross.look(&x, offsets, memory, (heads, part(drop, 2)))?;
        let x = (&x + maybe_drop(&apply(&seen, &self.cross_out, Activation::None)?, part(drop, 3))?)?;
        let y = apply(&self.norm_ff.forward(&x)?, &self.ff_in, Activation::Gelu)?;
        let y = apply(&maybe_drop(&y, part(drop, 4))?, &self.ff_out, Activation::None)?;
        &x + maybe_drop(&y, part(drop, 5))?
    }
}
