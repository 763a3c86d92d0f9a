//! A transformer block as one operation.
//!
//! Of what the forward pass computes it keeps what is costly to find again: queries, keys and
//! values, what the attention gave, the sum after it and the net's inner layer before its
//! activation. Norms, activations and masks are computed again on the way back.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::activation::Activation;
use super::attention::Heads;
use super::buffer::{add, anchor, floats, operand, result, tensor};
use super::linear::Linear;
use super::norm::Norm;
use super::random::{Draw, Mask};
use super::transformer::{Dense, EPS, NormParams, NormPlace, TransformerBlock, part};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The block on one batch.
pub(super) struct Block {
    place: NormPlace,
    norm_attn: Norm,
    qkv: Linear,
    heads: Heads,
    out: Linear,
    norm_ff: Norm,
    ff_in: Linear,
    ff_out: Linear,
    drop: Option<(f32, Draw)>,
    anchor: Tensor,
    saved: OnceLock<Saved>,
}

/// What the backward pass needs besides the input.
struct Saved {
    /// `[N, 3d]`
    qkv: Vec<f32>,
    /// What the heads gave, `[N, d]`.
    attended: Vec<f32>,
    /// The input plus the attention's part, `[N, d]`.
    middle: Vec<f32>,
    /// The net's inner layer before its activation, `[N, inner]`.
    inner: Vec<f32>,
    /// With norms after: the sum before the last one, `[N, d]`.
    last: Vec<f32>,
}

impl Block {
    pub(super) fn new(
        of: &TransformerBlock,
        offsets: &Offsets,
        heads: usize,
        place: NormPlace,
        drop: Option<(f32, Draw)>,
    ) -> Result<Self> {
        let linear = |dense: &Dense| Linear::new(&dense.w, Some(&dense.b), Activation::None);
        let norm = |norm: &NormParams| Norm::new(&norm.gamma, Some(&norm.beta), EPS);
        let width = of.norm_attn.gamma.len();
        let (qkv, out, ff_in, ff_out) =
            (linear(&of.attn_qkv), linear(&of.attn_out), linear(&of.ff_in), linear(&of.ff_out));
        let norms = [&of.norm_attn, &of.norm_ff].into_iter().flat_map(|norm| [&norm.gamma, &norm.beta]);
        let params: Vec<&Param> =
            [&qkv, &out, &ff_in, &ff_out].into_iter().flat_map(Linear::params).chain(norms).collect();
        Ok(Self {
            place,
            anchor: anchor(&params),
            norm_attn: norm(&of.norm_attn),
            norm_ff: norm(&of.norm_ff),
            heads: Heads::new(heads, width, part(drop, 0), false, offsets, offsets)?,
            drop,
            saved: OnceLock::new(),
            qkv,
            out,
            ff_in,
            ff_out,
        })
    }

    /// The block on `x [N, d]`.
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        self.heads.check(rows, rows)?;
        if width != self.heads.width {
            bail!("a transformer block of width {} takes no rows of {width}", self.heads.width);
        }
        let anchor = self.anchor.clone();
        x.contiguous()?.apply_op2(&anchor, self)
    }

    /// Applies dropout number `index`.
    fn drop(&self, index: u64, numbers: &mut [f32]) {
        if let Some((p, draw)) = part(self.drop, index) {
            Mask::each(p, draw).apply(numbers, 1);
        }
    }

    fn before(&self) -> bool {
        self.place == NormPlace::Before
    }

    /// What queries, keys and values are made of.
    fn attention_input(&self, x: &[f32]) -> Result<Vec<f32>> {
        let mut x = x.to_vec();
        if self.before() {
            self.norm_attn.forward(&mut x)?;
        }
        Ok(x)
    }

    /// The norm between attention and net.
    fn middle_norm(&self) -> &Norm {
        if self.before() { &self.norm_ff } else { &self.norm_attn }
    }

    /// What the net is given.
    fn net_input(&self, middle: &[f32]) -> Result<Vec<f32>> {
        let mut x = middle.to_vec();
        self.middle_norm().forward(&mut x)?;
        Ok(x)
    }

    /// The net's inner layer after activation and dropout.
    fn activated(&self, inner: &[f32]) -> Vec<f32> {
        let mut wide = inner.to_vec();
        Activation::Gelu.forward(&mut wide);
        self.drop(2, &mut wide);
        wide
    }

    fn forward(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let qkv = self.qkv.affine(&self.attention_input(x)?, rows)?;
        let attended = self.heads.within(&qkv, rows);
        let mut middle = self.out.affine(&attended, rows)?;
        self.drop(1, &mut middle);
        add(&mut middle, x);
        let normed = self.net_input(&middle)?;
        let inner = self.ff_in.affine(&normed, rows)?;
        let mut y = self.ff_out.affine(&self.activated(&inner), rows)?;
        self.drop(3, &mut y);
        add(&mut y, if self.before() { &middle } else { &normed });
        let mut last = Vec::new();
        if !self.before() {
            last = y.clone();
            self.norm_ff.forward(&mut y)?;
        }
        let _ = self.saved.set(Saved { qkv, attended, middle, inner, last });
        Ok(y)
    }

    /// Adds the gradients of the parameters, and gives that of `x`.
    fn backward(&self, x: &[f32], grad: &[f32], rows: usize) -> Result<Vec<f32>> {
        let Some(saved) = self.saved.get() else { bail!("the backward pass of a block came before the forward pass") };
        let mut dy = grad.to_vec();
        if !self.before() {
            self.norm_ff.parameters(&saved.last, grad);
            self.norm_ff.input(&saved.last, &mut dy)?;
        }
        let dmiddle = self.net_backward(saved, dy, rows)?;
        self.attention_backward(saved, x, dmiddle, rows)
    }

    /// From the gradient of the net's sum to that of the attention's.
    fn net_backward(&self, saved: &Saved, dy: Vec<f32>, rows: usize) -> Result<Vec<f32>> {
        let mut part = dy.clone();
        self.drop(3, &mut part);
        self.ff_out.parameters(&self.activated(&saved.inner), &part, rows)?;
        let mut dinner = self.ff_out.input(&part, rows)?;
        self.drop(2, &mut dinner);
        Activation::Gelu.backward(&saved.inner, &mut dinner);
        self.ff_in.parameters(&self.net_input(&saved.middle)?, &dinner, rows)?;
        let mut dmiddle = self.ff_in.input(&dinner, rows)?;
        if !self.before() {
            add(&mut dmiddle, &dy);
        }
        self.middle_norm().parameters(&saved.middle, &dmiddle);
        self.middle_norm().input(&saved.middle, &mut dmiddle)?;
        if self.before() {
            add(&mut dmiddle, &dy);
        }
        Ok(dmiddle)
    }

    /// From the gradient of the attention's sum to that of the input.
    fn attention_backward(&self, saved: &Saved, x: &[f32], dmiddle: Vec<f32>, rows: usize) -> Result<Vec<f32>> {
        let mut part = dmiddle.clone();
        self.drop(1, &mut part);
        self.out.parameters(&saved.attended, &part, rows)?;
        let dqkv = self.heads.within_gradient(&saved.qkv, &self.out.input(&part, rows)?);
        self.qkv.parameters(&self.attention_input(x)?, &dqkv, rows)?;
        let mut dx = self.qkv.input(&dqkv, rows)?;
        if self.before() {
            self.norm_attn.parameters(x, &dx);
            self.norm_attn.input(x, &mut dx)?;
        }
        add(&mut dx, &dmiddle);
        Ok(dx)
    }
}

impl CustomOp2 for Block {
    fn name(&self) -> &'static str {
        "transformer_block"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        result(self.forward(operand(x, l)?, l.dims()[0])?, l.shape().clone())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = self.backward(&floats(x)?, &floats(&grad)?, x.dim(0)?)?;
        if !x.track_op() {
            return Ok((None, None));
        }
        Ok((Some(tensor(dx, x.shape())?), None))
    }
}
