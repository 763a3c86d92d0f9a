//! The block of an encoder as one operation.
//!
//! Of what the forward pass computes it keeps what is costly to find again: queries, keys and
//! values, what the attention gave, the sum after it and the net's inner layer before its
//! activation. Norms, activations and masks are computed again on the way back.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::activation::Activation;
use super::attention::Heads;
use super::buffer::{add, anchor, floats, operand, par_rows, result, sum_columns, tensor};
use super::encoder::{Drops, EncoderBlock, Map, Scale};
use super::linear::Linear;
use super::norm::Norm;
use super::random::{Draw, Mask};
use super::rotary::Angles;
use super::simd;
use super::transformer::NormPlace;
use super::views::{Into, Target, View, par_product};
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The block on one batch.
pub(super) struct Block {
    place: NormPlace,
    act: Activation,
    gated: bool,
    norm_attention: Option<Norm>,
    qkv: Maps,
    heads: Heads,
    angles: Option<Angles>,
    offsets: Offsets,
    out: Linear,
    norm_net: Norm,
    net_in: Linear,
    net_out: Linear,
    drops: Drops,
    draw: Option<Draw>,
    anchor: Tensor,
    saved: OnceLock<Saved>,
}

/// What the backward pass needs besides the input.
struct Saved {
    /// `[N, 3d]`, turned where there are rotary positions.
    qkv: Vec<f32>,
    /// What the heads gave, `[N, d]`.
    attended: Vec<f32>,
    /// The input plus the attention's part, `[N, d]`.
    middle: Vec<f32>,
    /// The net's inner layer before its activation.
    inner: Vec<f32>,
    /// With norms after: the sum before the last one, `[N, d]`.
    last: Vec<f32>,
}

impl Block {
    pub(super) fn new(of: &EncoderBlock, offsets: &Offsets, drops: Drops, draw: Option<Draw>) -> Result<Self> {
        let linear = |map: &Map| Linear::new(&map.w, map.b.as_ref(), Activation::None);
        let norm = |scale: &Scale| Norm::new(&scale.gain, scale.bias.as_ref(), of.shape.eps);
        let (out, net_in, net_out) = (linear(&of.out), linear(&of.net_in), linear(&of.net_out));
        let (norm_attention, norm_net) = (of.norm_attention.as_ref().map(norm), norm(&of.norm_net));
        let qkv = Maps::new(&of.qkv)?;
        let maps = [&out, &net_in, &net_out].into_iter().flat_map(Linear::params);
        let norms = norm_attention.iter().chain([&norm_net]).flat_map(Norm::params);
        let params: Vec<&Param> = qkv.params().chain(maps).chain(norms).collect();
        Ok(Self {
            anchor: anchor(&params),
            place: of.shape.place,
            act: of.shape.act,
            gated: of.shape.gated,
            heads: of.attention(offsets, drops, draw)?,
            angles: of.angles(offsets)?,
            offsets: offsets.clone(),
            norm_attention,
            qkv,
            out,
            norm_net,
            net_in,
            net_out,
            drops,
            draw,
            saved: OnceLock::new(),
        })
    }

    /// The block on `x [N, d]`.
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        self.heads.check(rows, rows)?;
        if width != self.heads.width || self.qkv.outputs != 3 * width {
            bail!("a block of width {} takes no rows of {width}", self.heads.width);
        }
        let anchor = self.anchor.clone();
        x.contiguous()?.apply_op2(&anchor, self)
    }

    /// Applies dropout number `part`.
    fn drop(&self, part: u64, p: f32, numbers: &mut [f32]) {
        if let Some(draw) = self.draw.filter(|_| p > 0.0) {
            Mask::each(p, draw.part(part)).apply(numbers, 1);
        }
    }

    fn before(&self) -> bool {
        self.place == NormPlace::Before
    }

    /// What queries, keys and values are made of.
    fn attention_input(&self, x: &[f32]) -> Result<Vec<f32>> {
        let mut x = x.to_vec();
        if let Some(norm) = self.norm_attention.as_ref().filter(|_| self.before()) {
            norm.forward(&mut x)?;
        }
        Ok(x)
    }

    /// The norm between attention and net.
    fn middle_norm(&self) -> Option<&Norm> {
        if self.before() { Some(&self.norm_net) } else { self.norm_attention.as_ref() }
    }

    /// What the net is given.
    fn net_input(&self, middle: &[f32]) -> Result<Vec<f32>> {
        let mut x = middle.to_vec();
        if let Some(norm) = self.middle_norm() {
            norm.forward(&mut x)?;
        }
        Ok(x)
    }

    /// Numbers of the net's inner layer in a row.
    fn inner(&self) -> usize {
        self.net_in.outputs()
    }

    /// The net's inner layer after activation, gate and dropout.
    fn activated(&self, inner: &[f32]) -> Vec<f32> {
        let mut wide = match self.gated {
            true => halves(inner, self.inner(), 0),
            false => inner.to_vec(),
        };
        self.act.forward(&mut wide);
        if self.gated {
            let gates = halves(inner, self.inner(), 1);
            wide.iter_mut().zip(&gates).for_each(|(x, gate)| *x *= gate);
        }
        self.drop(2, self.drops.inner, &mut wide);
        wide
    }

    /// From the gradient of what [`Block::activated`] gives to that of what it takes.
    fn activated_gradient(&self, inner: &[f32], mut grad: Vec<f32>) -> Vec<f32> {
        self.drop(2, self.drops.inner, &mut grad);
        if !self.gated {
            self.act.backward(inner, &mut grad);
            return grad;
        }
        let (first, gates) = (halves(inner, self.inner(), 0), halves(inner, self.inner(), 1));
        let mut of_gates = first.clone();
        self.act.forward(&mut of_gates);
        of_gates.iter_mut().zip(&grad).for_each(|(x, g)| *x *= g);
        grad.iter_mut().zip(&gates).for_each(|(g, gate)| *g *= gate);
        self.act.backward(&first, &mut grad);
        let half = self.inner() / 2;
        let mut both = vec![0.0; inner.len()];
        for (i, row) in both.chunks_exact_mut(2 * half).enumerate() {
            row[..half].copy_from_slice(&grad[i * half..][..half]);
            row[half..].copy_from_slice(&of_gates[i * half..][..half]);
        }
        both
    }

    fn forward(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let mut qkv = self.qkv.affine(&self.attention_input(x)?, rows)?;
        if let Some(angles) = &self.angles {
            angles.turn(&mut qkv, self.heads.width, &self.offsets, 1.0);
        }
        let attended = self.heads.within(&qkv, rows);
        let mut middle = self.out.affine(&attended, rows)?;
        self.drop(1, self.drops.attended, &mut middle);
        add(&mut middle, x);
        let normed = self.net_input(&middle)?;
        let inner = self.net_in.affine(&normed, rows)?;
        let mut y = self.net_out.affine(&self.activated(&inner), rows)?;
        self.drop(3, self.drops.net, &mut y);
        add(&mut y, if self.before() { &middle } else { &normed });
        let mut last = Vec::new();
        if !self.before() {
            last = y.clone();
            self.norm_net.forward(&mut y)?;
        }
        let _ = self.saved.set(Saved { qkv, attended, middle, inner, last });
        Ok(y)
    }

    /// Adds the gradients of the parameters, and gives that of `x`.
    fn backward(&self, x: &[f32], grad: &[f32], rows: usize) -> Result<Vec<f32>> {
        let Some(saved) = self.saved.get() else { bail!("the backward pass of a block came before the forward pass") };
        let mut dy = grad.to_vec();
        if !self.before() {
            self.norm_net.parameters(&saved.last, grad);
            self.norm_net.input(&saved.last, &mut dy)?;
        }
        let dmiddle = self.net_backward(saved, dy, rows)?;
        self.attention_backward(saved, x, dmiddle, rows)
    }

    /// From the gradient of the net's sum to that of the attention's.
    fn net_backward(&self, saved: &Saved, dy: Vec<f32>, rows: usize) -> Result<Vec<f32>> {
        let mut part = dy.clone();
        self.drop(3, self.drops.net, &mut part);
        self.net_out.parameters(&self.activated(&saved.inner), &part, rows)?;
        let dinner = self.activated_gradient(&saved.inner, self.net_out.input(&part, rows)?);
        self.net_in.parameters(&self.net_input(&saved.middle)?, &dinner, rows)?;
        let mut dmiddle = self.net_in.input(&dinner, rows)?;
        if !self.before() {
            add(&mut dmiddle, &dy);
        }
        if let Some(norm) = self.middle_norm() {
            norm.parameters(&saved.middle, &dmiddle);
            norm.input(&saved.middle, &mut dmiddle)?;
        }
        if self.before() {
            add(&mut dmiddle, &dy);
        }
        Ok(dmiddle)
    }

    /// From the gradient of the attention's sum to that of the input.
    fn attention_backward(&self, saved: &Saved, x: &[f32], dmiddle: Vec<f32>, rows: usize) -> Result<Vec<f32>> {
        let mut part = dmiddle.clone();
        self.drop(1, self.drops.attended, &mut part);
        self.out.parameters(&saved.attended, &part, rows)?;
        let mut dqkv = self.heads.within_gradient(&saved.qkv, &self.out.input(&part, rows)?);
        if let Some(angles) = &self.angles {
            angles.turn(&mut dqkv, self.heads.width, &self.offsets, -1.0);
        }
        self.qkv.parameters(&self.attention_input(x)?, &dqkv, rows)?;
        let mut dx = self.qkv.input(&dqkv, rows)?;
        if let Some(norm) = self.norm_attention.as_ref().filter(|_| self.before()) {
            norm.parameters(x, &dx);
            norm.input(x, &mut dx)?;
        }
        add(&mut dx, &dmiddle);
        Ok(dx)
    }
}

/// Half number `which` of each row, `width` wide.
fn halves(rows: &[f32], width: usize, which: usize) -> Vec<f32> {
    let half = width / 2;
    rows.chunks_exact(width.max(1)).flat_map(|row| row[which * half..][..half].iter().copied()).collect()
}

impl CustomOp2 for Block {
    fn name(&self) -> &'static str {
        "encoder_block"
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

/// Maps of one input whose outputs lie side by side.
struct Maps {
    parts: Vec<Map>,
    /// The map, where there is but one.
    one: Option<Linear>,
    inputs: usize,
    outputs: usize,
}

impl Maps {
    fn new(parts: &[Map]) -> Result<Self> {
        let sizes = parts.iter().map(|map| map.w.var.dims2()).collect::<Result<Vec<_>>>()?;
        let inputs = sizes.first().map_or(0, |size| size.1);
        if sizes.iter().any(|size| size.1 != inputs) {
            bail!("maps of one input that take {sizes:?} numbers");
        }
        let one = match parts {
            [one] => Some(Linear::new(&one.w, one.b.as_ref(), Activation::None)),
            _ => None,
        };
        Ok(Self { parts: parts.to_vec(), one, inputs, outputs: sizes.iter().map(|size| size.0).sum() })
    }

    fn params(&self) -> impl Iterator<Item = &Param> {
        self.parts.iter().flat_map(|map| [&map.w].into_iter().chain(&map.b))
    }

    /// Each map with its first output.
    fn placed(&self) -> impl Iterator<Item = (usize, usize, &Map)> {
        let mut at = 0;
        self.parts.iter().map(move |map| {
            let outputs = map.w.var.dims()[0];
            at += outputs;
            (at - outputs, outputs, map)
        })
    }

    fn affine(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        if let Some(one) = &self.one {
            return one.affine(x, rows);
        }
        let mut y = vec![0.0; rows * self.outputs];
        let mut biases = vec![0.0; self.outputs];
        for (at, outputs, map) in self.placed() {
            if let Some(b) = &map.b {
                biases[at..at + outputs].copy_from_slice(&floats(b.var.as_tensor())?);
            }
        }
        par_rows(&mut y, self.outputs, |_, rows| {
            rows.chunks_exact_mut(biases.len().max(1)).for_each(|row| row.copy_from_slice(&biases));
        });
        for (at, outputs, map) in self.placed() {
            let w = floats(map.w.var.as_tensor())?;
            let target = Target::part(&mut y, at, rows, outputs, self.outputs);
            par_product(target, Into::Add, View::new(x, rows, self.inputs), View::new(&w, outputs, self.inputs).t());
        }
        Ok(y)
    }

    fn parameters(&self, x: &[f32], dy: &[f32], rows: usize) -> Result<()> {
        if let Some(one) = &self.one {
            return one.parameters(x, dy, rows);
        }
        let mut sums = vec![0.0; self.outputs];
        if self.parts.iter().any(|map| map.b.as_ref().is_some_and(|b| b.trainable)) {
            sum_columns(dy, &mut sums);
        }
        for (at, outputs, map) in self.placed().filter(|_| rows > 0) {
            if map.w.trainable {
                let dy = View::strided(&dy[at..], rows, outputs, self.outputs).t();
                let x = View::new(x, rows, self.inputs);
                map.w.sink.add_with(|into| par_product(Target::new(into, outputs, self.inputs), Into::Add, dy, x));
            }
            if let Some(b) = map.b.as_ref().filter(|b| b.trainable) {
                b.sink.add_with(|into| simd::add(into, &sums[at..at + outputs]));
            }
        }
        Ok(())
    }

    fn input(&self, dy: &[f32], rows: usize) -> Result<Vec<f32>> {
        if let Some(one) = &self.one {
            return one.input(dy, rows);
        }
        let mut dx = vec![0.0; rows * self.inputs];
        for (at, outputs, map) in self.placed().filter(|_| rows > 0) {
            let w = floats(map.w.var.as_tensor())?;
            let dy = View::strided(&dy[at..], rows, outputs, self.outputs);
            let target = Target::new(&mut dx, rows, self.inputs);
            par_product(target, Into::Add, dy, View::new(&w, outputs, self.inputs));
        }
        Ok(dx)
    }
}
