//! Multi-head attention (Vaswani et al., 2017) over packed rows.
//!
//! Each (segment, head) is a few small products on one thread. Probabilities are never stored:
//! the backward pass finds them again, a block of queries at a time. Dropout acts on the
//! probabilities and is recomputed too.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::attention_plain;
use super::buffer::{floats, is_fused, operand, result, tensor};
use super::random::Draw;
use super::simd;
use super::views::{Into, Shared, Target, View, product};
use crate::backend::rows::Offsets;

/// Queries whose probabilities one thread holds at a time.
const BLOCK: usize = 128;

/// Attention within each segment. `qkv [N, 3d]` holds queries, keys and values side by side;
/// the result is `[N, d]`. With `causal`, a place sees itself and those before it.
pub fn self_attention(
    qkv: &Tensor,
    offsets: &Offsets,
    heads: usize,
    dropout: Option<(f32, Draw)>,
    causal: bool,
) -> Result<Tensor> {
    let (_, all) = qkv.dims2()?;
    let shape = Heads::new(heads, all / 3, dropout, causal, offsets, offsets)?;
    if all % 3 != 0 {
        bail!("queries, keys and values of width {all}");
    }
    attend_within(qkv, shape)
}

/// [`self_attention`] of a shape that is known.
pub(super) fn attend_within(qkv: &Tensor, shape: Heads) -> Result<Tensor> {
    let rows = qkv.dim(0)?;
    shape.check(rows, rows)?;
    if !is_fused(qkv) {
        return attention_plain::self_attention(qkv, &shape);
    }
    qkv.contiguous()?.apply_op1(shape)
}

/// Attention of segment `i` of `q [Nq, d]` over segment `i` of `kv [Nk, 2d]` (keys and values
/// side by side): `[Nq, d]`. Where there are no keys, the result is 0.
pub fn cross_attention(
    q: &Tensor,
    kv: &Tensor,
    q_offsets: &Offsets,
    k_offsets: &Offsets,
    heads: usize,
    dropout: Option<(f32, Draw)>,
) -> Result<Tensor> {
    let ((rows, width), (keys, both)) = (q.dims2()?, kv.dims2()?);
    if both != 2 * width {
        bail!("keys and values of width {both} for queries of width {width}");
    }
    let shape = Heads::new(heads, width, dropout, false, q_offsets, k_offsets)?;
    shape.check(rows, keys)?;
    if !(is_fused(q) && is_fused(kv)) {
        return attention_plain::cross_attention(q, kv, &shape);
    }
    q.contiguous()?.apply_op2(&kv.contiguous()?, shape)
}

/// The shape of an attention.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    pub heads: usize,
    /// Width of all heads together.
    pub width: usize,
    pub dropout: Option<(f32, Draw)>,
    pub causal: bool,
    /// How many places to each side a place sees; all when `None`.
    reach: Option<usize>,
    pub queries: Offsets,
    pub keys: Offsets,
    /// Length of the longest segment of keys.
    longest: usize,
}

/// Numbers in which queries, keys or values lie: rows that begin every `stride`, the part
/// wanted at column `at`.
#[derive(Clone, Copy)]
struct Part<'a> {
    numbers: &'a [f32],
    stride: usize,
    at: usize,
}

/// As [`Part`], for gradients.
#[derive(Clone, Copy)]
struct Slot<'a> {
    numbers: &'a Shared<'a>,
    stride: usize,
    at: usize,
}

/// Queries, keys and values.
type Three<T> = [T; 3];

/// A block of queries of one segment and head.
#[derive(Clone, Copy)]
struct Block {
    head: usize,
    query: usize,
    queries: usize,
    key: usize,
    /// Keys from the first to the last that some query of the block sees.
    keys: usize,
    /// The first key's position in its segment.
    from: usize,
    /// The first query's position in its segment.
    position: usize,
}

impl Heads {
    pub(super) fn new(
        heads: usize,
        width: usize,
        dropout: Option<(f32, Draw)>,
        causal: bool,
        queries: &Offsets,
        keys: &Offsets,
    ) -> Result<Self> {
        if heads == 0 || !width.is_multiple_of(heads) {
            bail!("{heads} heads of a width of {width}");
        }
        if queries.len() != keys.len() {
            bail!("{} segments of queries and {} of keys", queries.len() - 1, keys.len() - 1);
        }
        let longest = keys.windows(2).map(|w| (w[1] - w[0]) as usize).max().unwrap_or(0);
        let dropout = dropout.filter(|(p, _)| *p > 0.0);
        let (queries, keys) = (queries.clone(), keys.clone());
        Ok(Self { heads, width, dropout, causal, reach: None, queries, keys, longest })
    }

    /// The same, where a place sees this many others to each side (Beltagy et al., 2020).
    pub(super) fn near(self, reach: Option<usize>) -> Self {
        Self { reach, ..self }
    }

    pub(super) fn check(&self, rows: usize, keys: usize) -> Result<()> {
        let last = |offsets: &Offsets| offsets.last().map_or(0, |o| *o as usize);
        if last(&self.queries) != rows || last(&self.keys) != keys {
            bail!("offsets of {} and {} rows for {rows} and {keys}", last(&self.queries), last(&self.keys));
        }
        Ok(())
    }

    pub fn scale(&self) -> f32 {
        1.0 / (self.dim() as f32).sqrt()
    }

    /// Width of one head.
    fn dim(&self) -> usize {
        self.width / self.heads
    }

    /// Applies the dropout to the probabilities of one query (a row of the packed queries),
    /// from its key number `from` on.
    pub fn drop(&self, head: usize, query: usize, from: usize, row: &mut [f32]) {
        if let Some((p, draw)) = self.dropout {
            let rows = self.queries.last().map_or(0, |o| *o as usize);
            draw.mask(((head * rows + query) * self.longest + from) as u64, p, row);
        }
    }

    /// Which of `keys` the query at `position` sees.
    pub fn seen(&self, position: usize, keys: usize) -> Range<usize> {
        let end = if self.causal { keys.min(position + 1) } else { keys };
        match self.reach {
            Some(reach) => position.saturating_sub(reach).min(end)..end.min(position + reach + 1),
            None => 0..end,
        }
    }

    /// Runs `work` for every (segment, head) with a query and a key, given its blocks.
    fn for_each(&self, work: impl Fn(&mut dyn Iterator<Item = Block>, &mut Scratch) + Sync) {
        let segments = self.queries.len().saturating_sub(1);
        (0..segments * self.heads).into_par_iter().for_each_init(Scratch::default, |scratch, item| {
            let (segment, head) = (item / self.heads, item % self.heads);
            let [q0, q1] = [0, 1].map(|i| self.queries[segment + i] as usize);
            let [k0, k1] = [0, 1].map(|i| self.keys[segment + i] as usize);
            if k0 == k1 {
                return;
            }
            let mut blocks = (q0..q1).step_by(BLOCK).map(|query| {
                let queries = BLOCK.min(q1 - query);
                let position = query - q0;
                let from = self.seen(position, k1 - k0).start;
                let keys = self.seen(position + queries - 1, k1 - k0).end - from;
                Block { head, query, queries, key: k0 + from, keys, from, position }
            });
            work(&mut blocks, scratch);
        });
    }

    fn view<'a>(&self, part: Part<'a>, head: usize, row: usize, rows: usize) -> View<'a> {
        let start = row * part.stride + part.at + head * self.dim();
        View::strided(&part.numbers[start..], rows, self.dim(), part.stride)
    }

    /// The block of gradients of these rows and this head.
    ///
    /// # Safety
    /// As [`Shared::block`]: other threads must be at other segments or heads.
    unsafe fn slot<'a>(&self, slot: Slot<'a>, head: usize, row: usize, rows: usize) -> Target<'a> {
        let start = row * slot.stride + slot.at + head * self.dim();
        // SAFETY: passed on.
        unsafe { slot.numbers.block(start, rows, self.dim(), slot.stride) }
    }

    /// Probabilities of a block, `[queries, keys]`, before dropout.
    fn probabilities(&self, b: Block, [q, k, _]: Three<Part>, out: &mut Vec<f32>) {
        out.resize(b.queries * b.keys, 0.0);
        let (q, k) = (self.view(q, b.head, b.query, b.queries), self.view(k, b.head, b.key, b.keys));
        product(Target::new(out, b.queries, b.keys), Into::Set, self.scale(), q, k.t());
        for (i, row) in out.chunks_exact_mut(b.keys).enumerate() {
            let seen = self.seen(b.position + i, b.from + b.keys);
            let (row, after) = row.split_at_mut(seen.end - b.from);
            let (before, seen) = row.split_at_mut(seen.start - b.from);
            before.fill(0.0);
            simd::softmax(seen);
            after.fill(0.0);
        }
    }

    fn drop_block(&self, b: Block, numbers: &mut [f32]) {
        if self.dropout.is_some() {
            let rows = numbers.chunks_exact_mut(b.keys).enumerate();
            rows.for_each(|(i, row)| self.drop(b.head, b.query + i, b.from, row));
        }
    }

    /// The result for all rows.
    fn forward(&self, parts: Three<Part>, rows: usize) -> Vec<f32> {
        let mut out = vec![0.0; rows * self.width];
        let shared = Shared::new(&mut out);
        let slot = Slot { numbers: &shared, stride: self.width, at: 0 };
        self.for_each(|blocks, scratch| {
            for b in blocks {
                self.probabilities(b, parts, &mut scratch.p);
                self.drop_block(b, &mut scratch.p);
                let v = self.view(parts[2], b.head, b.key, b.keys);
                // SAFETY: only this task has this segment and head.
                let target = unsafe { self.slot(slot, b.head, b.query, b.queries) };
                product(target, Into::Set, 1.0, View::new(&scratch.p, b.queries, b.keys), v);
            }
        });
        out
    }

    /// Self-attention over queries, keys and values side by side.
    pub(super) fn within(&self, qkv: &[f32], rows: usize) -> Vec<f32> {
        self.forward(self.in_one(qkv), rows)
    }

    /// Attention of `q [rows, d]` over `kv [_, 2d]`.
    pub(super) fn across(&self, q: &[f32], kv: &[f32], rows: usize) -> Vec<f32> {
        self.forward(self.in_two(q, kv), rows)
    }

    /// The gradients of what [`Heads::across`] takes.
    pub(super) fn across_gradient(&self, q: &[f32], kv: &[f32], grad: &[f32]) -> [Vec<f32>; 2] {
        let (mut dq, mut dkv) = (vec![0.0; q.len()], vec![0.0; kv.len()]);
        {
            let (of_q, of_kv) = (Shared::new(&mut dq), Shared::new(&mut dkv));
            let slots = [
                Slot { numbers: &of_q, stride: self.width, at: 0 },
                Slot { numbers: &of_kv, stride: 2 * self.width, at: 0 },
                Slot { numbers: &of_kv, stride: 2 * self.width, at: self.width },
            ];
            self.backward(self.in_two(q, kv), grad, slots);
        }
        [dq, dkv]
    }

    /// The gradient of what [`Heads::within`] takes.
    pub(super) fn within_gradient(&self, qkv: &[f32], grad: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; qkv.len()];
        let shared = Shared::new(&mut out);
        let slots = [0, 1, 2].map(|i| Slot { numbers: &shared, stride: 3 * self.width, at: i * self.width });
        self.backward(self.in_one(qkv), grad, slots);
        out
    }

    /// Adds the gradients of queries, keys and values to `into`, given that of the result.
    fn backward(&self, parts: Three<Part>, grad: &[f32], into: Three<Slot>) {
        let grad = Part { numbers: grad, stride: self.width, at: 0 };
        self.for_each(|blocks, scratch| {
            for b in blocks {
                self.block_gradient(b, parts, grad, into, scratch);
            }
        });
    }

    fn block_gradient(&self, b: Block, parts: Three<Part>, grad: Part, into: Three<Slot>, scratch: &mut Scratch) {
        let g = self.view(grad, b.head, b.query, b.queries);
        let q = self.view(parts[0], b.head, b.query, b.queries);
        let [k, v] = [1, 2].map(|i| self.view(parts[i], b.head, b.key, b.keys));
        // SAFETY: only this task has this segment and head, and the three slots are different
        // columns or arrays.
        let [dq, dk, dv] = unsafe {
            [
                self.slot(into[0], b.head, b.query, b.queries),
                self.slot(into[1], b.head, b.key, b.keys),
                self.slot(into[2], b.head, b.key, b.keys),
            ]
        };
        let Scratch { p, dp } = scratch;
        self.probabilities(b, parts, p);
        dp.clear();
        dp.extend_from_slice(p);
        self.drop_block(b, dp);
        product(dv, Into::Add, 1.0, View::new(dp, b.queries, b.keys).t(), g);
        product(Target::new(dp, b.queries, b.keys), Into::Set, 1.0, g, v.t());
        self.drop_block(b, dp);
        for (p, dp) in p.chunks_exact(b.keys).zip(dp.chunks_exact_mut(b.keys)) {
            simd::softmax_gradient(p, dp);
        }
        let ds = View::new(dp, b.queries, b.keys);
        product(dq, Into::Set, self.scale(), ds, k);
        product(dk, Into::Add, self.scale(), ds.t(), q);
    }

    fn in_one<'a>(&self, qkv: &'a [f32]) -> Three<Part<'a>> {
        [0, 1, 2].map(|i| Part { numbers: qkv, stride: 3 * self.width, at: i * self.width })
    }

    fn in_two<'a>(&self, q: &'a [f32], kv: &'a [f32]) -> Three<Part<'a>> {
        let of_kv = |at| Part { numbers: kv, stride: 2 * self.width, at };
        [Part { numbers: q, stride: self.width, at: 0 }, of_kv(0), of_kv(self.width)]
    }
}

/// What a thread computes in.
#[derive(Default)]
struct Scratch {
    p: Vec<f32>,
    dp: Vec<f32>,
}

/// Self-attention.
impl CustomOp1 for Heads {
    fn name(&self) -> &'static str {
        "self_attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = l.dims()[0];
        result(self.within(operand(qkv, l)?, rows), (rows, self.width))
    }

    fn bwd(&self, qkv: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        tensor(self.within_gradient(&floats(qkv)?, &floats(&grad)?), qkv.shape()).map(Some)
    }
}

/// Cross-attention.
impl CustomOp2 for Heads {
    fn name(&self) -> &'static str {
        "cross_attention"
    }

    fn cpu_fwd(&self, q: &CpuStorage, lq: &Layout, kv: &CpuStorage, lk: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = lq.dims()[0];
        let parts = self.in_two(operand(q, lq)?, operand(kv, lk)?);
        result(self.forward(parts, rows), (rows, self.width))
    }

    fn bwd(&self, q: &Tensor, kv: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let [dq, dkv] = self.across_gradient(&floats(q)?, &floats(kv)?, &floats(&grad)?);
        let dq = if q.track_op() { Some(tensor(dq, q.shape())?) } else { None };
        let dkv = if kv.track_op() { Some(tensor(dkv, kv.shape())?) } else { None };
        Ok((dq, dkv))
    }
}
