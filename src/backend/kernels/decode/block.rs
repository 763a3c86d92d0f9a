//! A layer of a Transformer decoder as one operation, as [`crate::backend::kernels::block`] is of an
//! encoder.
//!
//! Kept for the way back are queries, keys and values of both attentions, what they gave, the sums
//! after them and the net's inner layer before its activation.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::decoder::{Cross, Drop, Layer, Memory};
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::attention::Heads;
use crate::backend::kernels::buffer::{add, anchor, floats, operand, result, tensor};
use crate::backend::kernels::linear::Linear;
use crate::backend::kernels::norm::Norm;
use crate::backend::kernels::random::Mask;
use crate::backend::kernels::transformer::{Dense, EPS, NormParams, part};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The layer on one batch.
pub struct Block {
    within: Attention,
    across: Attention,
    /// Keys and values of the memory.
    keys: Linear,
    norm_ff: Norm,
    ff_in: Linear,
    ff_out: Linear,
    drop: Drop,
    anchor: Tensor,
    saved: OnceLock<Saved>,
}

/// One of the two attentions, with its norm before and its map after.
struct Attention {
    norm: Norm,
    /// Queries, with keys and values where they are of the same rows.
    into: Linear,
    heads: Heads,
    out: Linear,
    /// Number of the dropout of what comes out.
    dropout: u64,
}

struct Saved {
    /// Queries, keys and values of earlier words, `[N, 3d]`, and what they gave.
    qkv: Vec<f32>,
    attended: Vec<f32>,
    /// The sum after that.
    first: Vec<f32>,
    /// Queries of the memory, its keys and values, `[M, 2d]`, and what they gave.
    q: Vec<f32>,
    kv: Vec<f32>,
    seen: Vec<f32>,
    /// The sum after that.
    second: Vec<f32>,
    /// The net's inner layer before its activation.
    inner: Vec<f32>,
}

impl Block {
    /// The layer over texts with these places; `None` where each memory has one place.
    pub fn new(of: &Layer, offsets: &Offsets, memory: Memory, heads: usize, drop: Drop) -> Result<Option<Self>> {
        let Cross::Places { norm: Some(norm_cross), query, memory: keys } = &of.cross else { return Ok(None) };
        let linear = |dense: &Dense| Linear::new(&dense.w, Some(&dense.b), Activation::None);
        let norm = |norm: &NormParams| Norm::new(&norm.gamma, Some(&norm.beta), EPS);
        let width = of.norm_self.gamma.len();
        let maps = [&of.qkv, &of.self_out, query, keys, &of.cross_out, &of.ff_in, &of.ff_out];
        let norms = [&of.norm_self, norm_cross, &of.norm_ff];
        let params: Vec<&Param> = (maps.iter().flat_map(|dense| [&dense.w, &dense.b]))
            .chain(norms.iter().flat_map(|norm| [&norm.gamma, &norm.beta]))
            .collect();
        Ok(Some(Self {
            anchor: anchor(&params),
            within: Attention {
                norm: norm(&of.norm_self),
                into: linear(&of.qkv),
                heads: Heads::new(heads, width, part(drop, 0), true, offsets, offsets)?,
                out: linear(&of.self_out),
                dropout: 1,
            },
            across: Attention {
                norm: norm(norm_cross),
                into: linear(query),
                heads: Heads::new(heads, width, part(drop, 2), false, offsets, memory.offsets)?,
                out: linear(&of.cross_out),
                dropout: 3,
            },
            keys: linear(keys),
            norm_ff: norm(&of.norm_ff),
            ff_in: linear(&of.ff_in),
            ff_out: linear(&of.ff_out),
            drop,
            saved: OnceLock::new(),
        }))
    }

    /// The layer on `x [N, d]`.
    pub fn apply(self, x: &Tensor, memory: &Tensor) -> Result<Tensor> {
        let (rows, _) = x.dims2()?;
        self.within.heads.check(rows, rows)?;
        self.across.heads.check(rows, memory.dim(0)?)?;
        let anchor = self.anchor.clone();
        x.contiguous()?.apply_op3(&memory.contiguous()?, &anchor, self)
    }

    fn drop(&self, index: u64, numbers: &mut [f32]) {
        if let Some((p, draw)) = part(self.drop, index) {
            Mask::each(p, draw).apply(numbers, 1);
        }
    }

    fn normed(norm: &Norm, x: &[f32]) -> Result<Vec<f32>> {
        let mut x = x.to_vec();
        norm.forward(&mut x)?;
        Ok(x)
    }

    /// The map after an attention, and the sum with what went in.
    fn summed(&self, of: &Attention, attended: &[f32], x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let mut sum = of.out.affine(attended, rows)?;
        self.drop(of.dropout, &mut sum);
        add(&mut sum, x);
        Ok(sum)
    }

    fn activated(&self, inner: &[f32]) -> Vec<f32> {
        let mut wide = inner.to_vec();
        Activation::Gelu.forward(&mut wide);
        self.drop(4, &mut wide);
        wide
    }

    fn forward(&self, x: &[f32], memory: &[f32], (rows, keys): (usize, usize)) -> Result<Vec<f32>> {
        let (within, across) = (&self.within, &self.across);
        let qkv = within.into.affine(&Self::normed(&within.norm, x)?, rows)?;
        let attended = within.heads.within(&qkv, rows);
        let first = self.summed(within, &attended, x, rows)?;
        let q = across.into.affine(&Self::normed(&across.norm, &first)?, rows)?;
        let kv = self.keys.affine(memory, keys)?;
        let seen = across.heads.across(&q, &kv, rows);
        let second = self.summed(across, &seen, &first, rows)?;
        let inner = self.ff_in.affine(&Self::normed(&self.norm_ff, &second)?, rows)?;
        let mut y = self.ff_out.affine(&self.activated(&inner), rows)?;
        self.drop(5, &mut y);
        add(&mut y, &second);
        let _ = self.saved.set(Saved { qkv, attended, first, q, kv, seen, second, inner });
        Ok(y)
    }

    /// Adds the gradients of a map before a norm and of that, and gives that of the norm's rows.
    fn through(norm: &Norm, into: &Linear, x: &[f32], dz: &[f32], rows: usize) -> Result<Vec<f32>> {
        into.parameters(&Self::normed(norm, x)?, dz, rows)?;
        let mut dx = into.input(dz, rows)?;
        norm.parameters(x, &dx);
        norm.input(x, &mut dx)?;
        Ok(dx)
    }

    /// The gradient of what an attention gave, from that of the sum after it.
    fn attended(&self, of: &Attention, attended: &[f32], dsum: &[f32], rows: usize) -> Result<Vec<f32>> {
        let mut part = dsum.to_vec();
        self.drop(of.dropout, &mut part);
        of.out.parameters(attended, &part, rows)?;
        of.out.input(&part, rows)
    }

    /// Adds the gradients of the parameters, and gives those of `x` and of the memory.
    fn backward(&self, x: &[f32], memory: &[f32], dy: &[f32], (rows, keys): (usize, usize)) -> Result<[Vec<f32>; 2]> {
        let Some(saved) = self.saved.get() else { bail!("the backward pass of a layer came before the forward pass") };
        let (within, across) = (&self.within, &self.across);
        let mut part = dy.to_vec();
        self.drop(5, &mut part);
        self.ff_out.parameters(&self.activated(&saved.inner), &part, rows)?;
        let mut dinner = self.ff_out.input(&part, rows)?;
        self.drop(4, &mut dinner);
        Activation::Gelu.backward(&saved.inner, &mut dinner);
        let mut dsecond = Self::through(&self.norm_ff, &self.ff_in, &saved.second, &dinner, rows)?;
        add(&mut dsecond, dy);
        let dseen = self.attended(across, &saved.seen, &dsecond, rows)?;
        let [dq, dkv] = across.heads.across_gradient(&saved.q, &saved.kv, &dseen);
        self.keys.parameters(memory, &dkv, keys)?;
        let dmemory = self.keys.input(&dkv, keys)?;
        let mut dfirst = Self::through(&across.norm, &across.into, &saved.first, &dq, rows)?;
        add(&mut dfirst, &dsecond);
        let dattended = self.attended(within, &saved.attended, &dfirst, rows)?;
        let dqkv = within.heads.within_gradient(&saved.qkv, &dattended);
        let mut dx = Self::through(&within.norm, &within.into, x, &dqkv, rows)?;
        add(&mut dx, &dfirst);
        Ok([dx, dmemory])
    }
}

impl CustomOp3 for Block {
    fn name(&self) -> &'static str {
        "decoder_layer"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        l: &Layout,
        memory: &CpuStorage,
        lm: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let rows = (l.dims()[0], lm.dims()[0]);
        result(self.forward(operand(x, l)?, operand(memory, lm)?, rows)?, l.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        memory: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let rows = (x.dim(0)?, memory.dim(0)?);
        let [dx, dmemory] = self.backward(&floats(x)?, &floats(memory)?, &floats(&grad)?, rows)?;
        let dx = if x.track_op() { Some(tensor(dx, x.shape())?) } else { None };
        let dmemory = if memory.track_op() { Some(tensor(dmemory, memory.shape())?) } else { None };
        Ok((dx, dmemory, None))
    }
}
