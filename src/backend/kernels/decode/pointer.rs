//! The attention that words are copied by (See et al. 2017, eq. 1, 2 and 11): e = v · tanh(q + k +
//! w c), softmax over the places of the memory, where c is the sum of what the places before looked
//! at, if it is read.
//!
//! Probabilities are kept: for each place of the text one for each place of its memory, packed
//! `[Σ T S, 1]`.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::backend::kernels::buffer::{anchor, floats, is_fused, operand, result, tensor};
use crate::backend::kernels::simd::{self, LANES, fused, load, simd, store, tanh_one};
use crate::backend::kernels::views::{Into, Shared, Target, View, product};
use crate::backend::param::Param;
use crate::backend::rows::{Offsets, offsets_of};

/// The places of texts and of their memories.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Places of the text of each example.
    pub texts: Offsets,
    /// Places of its memory.
    pub memories: Offsets,
    /// Where the probabilities of each example begin, and the end.
    pub starts: Vec<usize>,
}

impl Pairs {
    /// Those of these texts and memories.
    pub fn new(texts: &Offsets, memories: &Offsets) -> Result<Self> {
        if texts.len() != memories.len() {
            bail!("{} texts and {} memories", texts.len() - 1, memories.len() - 1);
        }
        let mut starts = vec![0];
        for (t, m) in texts.windows(2).zip(memories.windows(2)) {
            starts.push(starts[starts.len() - 1] + (t[1] - t[0]) as usize * (m[1] - m[0]) as usize);
        }
        Ok(Self { texts: texts.clone(), memories: memories.clone(), starts })
    }

    /// For each example the ranges of its text, its memory and its probabilities.
    fn each(&self) -> impl Iterator<Item = [std::ops::Range<usize>; 3]> {
        let range = |o: &[u32]| o[0] as usize..o[1] as usize;
        let pairs = self.texts.windows(2).zip(self.memories.windows(2)).zip(self.starts.windows(2));
        pairs.map(move |((t, m), p)| [range(t), range(m), p[0]..p[1]])
    }

    /// Where the probabilities of each place of a text begin.
    pub fn by_place(&self) -> Offsets {
        offsets_of(self.each().flat_map(|[t, m, _]| t.map(move |_| m.len())))
    }

    fn all(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }
}

/// Probabilities of queries `q [N, d]` over keys `k [M, d]`, with `v [d]` and, where coverage is
/// read, `w [d]`.
pub fn attention(q: &Tensor, k: &Tensor, v: &Param, w: Option<&Param>, pairs: &Pairs) -> Result<Tensor> {
    if !is_fused(q) || !is_fused(k) {
        return attention_plain(q, k, v, w, pairs);
    }
    let params: Vec<&Param> = std::iter::once(v).chain(w).collect();
    let op = Attention { v: v.clone(), w: w.cloned(), pairs: pairs.clone(), found: OnceLock::new() };
    q.contiguous()?.apply_op3(&k.contiguous()?, &anchor(&params), op)
}

fn attention_plain(q: &Tensor, k: &Tensor, v: &Param, w: Option<&Param>, pairs: &Pairs) -> Result<Tensor> {
    let mut all = Vec::new();
    for [text, memory, _] in pairs.each().filter(|[t, m, _]| !t.is_empty() && !m.is_empty()) {
        let k = k.narrow(0, memory.start, memory.len())?;
        let mut seen = Tensor::zeros((memory.len(), 1), q.dtype(), q.device())?;
        for place in text {
            let mut x = k.broadcast_add(&q.narrow(0, place, 1)?)?;
            if let Some(w) = w {
                x = (x + seen.broadcast_mul(&w.tensor().unsqueeze(0)?)?)?;
            }
            let e = x.tanh()?.broadcast_mul(&v.tensor())?.sum_keepdim(D::Minus1)?;
            let e = e.broadcast_sub(&e.max_keepdim(0)?.detach())?.exp()?;
            let p = e.broadcast_div(&e.sum_keepdim(0)?)?;
            seen = (seen + &p)?;
            all.push(p);
        }
    }
    if all.is_empty() { Tensor::zeros((0, 1), q.dtype(), q.device()) } else { Tensor::cat(&all, 0) }
}

struct Attention {
    v: Param,
    w: Option<Param>,
    pairs: Pairs,
    found: OnceLock<Vec<f32>>,
}

simd! {
    /// v · tanh(q + k + w c), where w is as wide as the others or empty.
    fn score(q: &[f32], k: &[f32], v: &[f32], w: &[f32], c: f32) -> f32 {
        let mut sums = [0.0; LANES];
        for at in (0..q.len()).step_by(LANES) {
            let (q, k, v) = (load(q, at), load(k, at), load(v, at));
            let w = if w.is_empty() { [0.0; LANES] } else { load(w, at) };
            for i in 0..LANES {
                sums[i] = fused::<FMA>(v[i], tanh_one::<FMA>(fused::<FMA>(w[i], c, q[i] + k[i])), sums[i]);
            }
        }
        sums.iter().sum()
    }
}

simd! {
    /// Adds the gradients of one score, of which `g` is that of the result: of q and k, of v, of w
    /// where it is read; gives that of c.
    fn score_back(of: [&[f32]; 4], c: f32, g: f32, into: [&mut [f32]; 4]) -> f32 {
        let ([q, k, v, w], [dq, dk, dv, dw]) = (of, into);
        let mut sums = [0.0; LANES];
        for at in (0..q.len()).step_by(LANES) {
            let (q, k, v) = (load(q, at), load(k, at), load(v, at));
            let w = if w.is_empty() { [0.0; LANES] } else { load(w, at) };
            let (mut a, mut b, mut e) = (load(dq, at), load(dk, at), load(dv, at));
            let mut f = if dw.is_empty() { [0.0; LANES] } else { load(dw, at) };
            for i in 0..LANES {
                let u = tanh_one::<FMA>(fused::<FMA>(w[i], c, q[i] + k[i]));
                let du = g * v[i] * (1.0 - u * u);
                e[i] = fused::<FMA>(g, u, e[i]);
                a[i] += du;
                b[i] += du;
                f[i] = fused::<FMA>(du, c, f[i]);
                sums[i] = fused::<FMA>(du, w[i], sums[i]);
            }
            store(&a, dq, at);
            store(&b, dk, at);
            store(&e, dv, at);
            if !dw.is_empty() {
                store(&f, dw, at);
            }
        }
        sums.iter().sum()
    }
}

/// One step: probabilities of a query over keys, given what was looked at before.
pub(super) fn look(q: &[f32], k: &[f32], [v, w]: [&[f32]; 2], seen: &[f32], out: &mut [f32]) {
    for ((out, k), c) in out.iter_mut().zip(k.chunks_exact(q.len())).zip(seen) {
        *out = score(q, k, v, w, *c);
    }
    simd::softmax(out);
}

impl Attention {
    fn params(&self) -> Result<[Vec<f32>; 2]> {
        let w = self.w.as_ref().map(super::words::numbers).transpose()?;
        Ok([super::words::numbers(&self.v)?, w.unwrap_or_default()])
    }

    fn forward(&self, q: &[f32], k: &[f32]) -> Result<Vec<f32>> {
        let [v, w] = self.params()?;
        let d = v.len();
        let mut out = vec![0.0; self.pairs.all()];
        let shared = Shared::new(&mut out);
        self.pairs.each().collect::<Vec<_>>().into_par_iter().for_each(|[text, memory, at]| {
            if at.is_empty() {
                return;
            }
            // SAFETY: each example has its own probabilities.
            let p = unsafe { shared.numbers(at.start, at.len()) };
            let mut seen = vec![0.0; memory.len()];
            for (place, p) in text.zip(p.chunks_exact_mut(memory.len())) {
                look(&q[place * d..][..d], &k[memory.start * d..memory.end * d], [&v, &w], &seen, p);
                if self.w.is_some() {
                    simd::add(&mut seen, p);
                }
            }
        });
        Ok(out)
    }

    /// The gradients of q and k; adds those of the parameters.
    fn backward(&self, q: &[f32], k: &[f32], grad: &[f32]) -> Result<[Vec<f32>; 2]> {
        let Some(p) = self.found.get() else { bail!("the backward pass of a pointer came before the forward pass") };
        let [v, w] = self.params()?;
        let d = v.len();
        let [mut dq, mut dk] = [vec![0.0; q.len()], vec![0.0; k.len()]];
        let (of_q, of_k) = (Shared::new(&mut dq), Shared::new(&mut dk));
        let examples: Vec<_> = self.pairs.each().collect();
        let one = |[text, memory, at]: &[std::ops::Range<usize>; 3]| {
            let (mut dv, mut dw) = (vec![0.0; d], vec![0.0; w.len()]);
            if at.is_empty() {
                return (dv, dw);
            }
            let n = memory.len();
            let (p, g) = (&p[at.clone()], &grad[at.clone()]);
            // SAFETY: each example has its own rows.
            let (dq, dk) =
                unsafe { (of_q.numbers(text.start * d, text.len() * d), of_k.numbers(memory.start * d, n * d)) };
            // What each place had been looked at before the place at hand, and the gradient of that.
            let mut seen = vec![0.0; n];
            p.chunks_exact(n).for_each(|row| simd::add(&mut seen, row));
            let mut later = vec![0.0; n];
            for t in (0..text.len()).rev() {
                let row = &p[t * n..(t + 1) * n];
                seen.iter_mut().zip(row).for_each(|(c, p)| *c -= p);
                let mut de = g[t * n..(t + 1) * n].to_vec();
                simd::add(&mut de, &later);
                simd::softmax_gradient(row, &mut de);
                let q = &q[(text.start + t) * d..][..d];
                for i in 0..n {
                    let k = &k[(memory.start + i) * d..][..d];
                    let c = if w.is_empty() { 0.0 } else { seen[i] };
                    let into = [&mut dq[t * d..(t + 1) * d], &mut dk[i * d..(i + 1) * d], &mut dv, &mut dw];
                    let dc = score_back([q, k, &v, &w], c, de[i], into);
                    later[i] += if w.is_empty() { 0.0 } else { dc };
                }
            }
            (dv, dw)
        };
        let sums: Vec<(Vec<f32>, Vec<f32>)> = examples.par_iter().map(one).collect();
        if self.v.trainable {
            self.v.sink.add_with(|into| sums.iter().for_each(|(dv, _)| simd::add(into, dv)));
        }
        if let Some(w) = self.w.as_ref().filter(|w| w.trainable) {
            w.sink.add_with(|into| sums.iter().for_each(|(_, dw)| simd::add(into, dw)));
        }
        Ok([dq, dk])
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "pointer_attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let p = self.forward(operand(q, lq)?, operand(k, lk)?)?;
        let _ = self.found.set(p.clone());
        let rows = p.len();
        result(p, (rows, 1))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let [dq, dk] = self.backward(&floats(q)?, &floats(k)?, &floats(&grad)?)?;
        let dq = if q.track_op() { Some(tensor(dq, q.shape())?) } else { None };
        let dk = if k.track_op() { Some(tensor(dk, k.shape())?) } else { None };
        Ok((dq, dk, None))
    }
}

/// What probabilities `p [Σ T S, 1]` find in a memory `m [M, d]`: `[N, d]`.
pub fn context(p: &Tensor, m: &Tensor, pairs: &Pairs) -> Result<Tensor> {
    if !is_fused(p) || !is_fused(m) {
        let mut all = Vec::new();
        for [text, memory, at] in pairs.each().filter(|[t, _, _]| !t.is_empty()) {
            all.push(match memory.len() {
                0 => Tensor::zeros((text.len(), m.dim(1)?), m.dtype(), m.device())?,
                n => {
                    let p = p.narrow(0, at.start, at.len())?.reshape((text.len(), n))?;
                    p.matmul(&m.narrow(0, memory.start, n)?.contiguous()?)?
                }
            });
        }
        return if all.is_empty() { m.narrow(0, 0, 0) } else { Tensor::cat(&all, 0) };
    }
    p.contiguous()?.apply_op2(&m.contiguous()?, Context { pairs: pairs.clone() })
}

struct Context {
    pairs: Pairs,
}

impl candle_core::CustomOp2 for Context {
    fn name(&self) -> &'static str {
        "pointer_context"
    }

    fn cpu_fwd(&self, p: &CpuStorage, lp: &Layout, m: &CpuStorage, lm: &Layout) -> Result<(CpuStorage, Shape)> {
        let (p, m, d) = (operand(p, lp)?, operand(m, lm)?, lm.dims()[1]);
        let rows = self.pairs.texts.last().map_or(0, |o| *o as usize);
        let mut out = vec![0.0; rows * d];
        for [text, memory, at] in self.pairs.each().filter(|[_, _, at]| !at.is_empty()) {
            let target = Target::new(&mut out[text.start * d..text.end * d], text.len(), d);
            let m = View::new(&m[memory.start * d..memory.end * d], memory.len(), d);
            product(target, Into::Set, 1.0, View::new(&p[at], text.len(), memory.len()), m);
        }
        result(out, (rows, d))
    }

    fn bwd(&self, p: &Tensor, m: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (d, g, pn, mn) = (m.dim(1)?, floats(&grad)?, floats(p)?, floats(m)?);
        let [mut dp, mut dm] = [vec![0.0; pn.len()], vec![0.0; mn.len()]];
        for [text, memory, at] in self.pairs.each().filter(|[_, _, at]| !at.is_empty()) {
            let (t, n) = (text.len(), memory.len());
            let g = View::new(&g[text.start * d..text.end * d], t, d);
            let m = View::new(&mn[memory.start * d..memory.end * d], n, d);
            product(Target::new(&mut dp[at.clone()], t, n), Into::Set, 1.0, g, m.t());
            let target = Target::new(&mut dm[memory.start * d..memory.end * d], n, d);
            product(target, Into::Set, 1.0, View::new(&pn[at], t, n).t(), g);
        }
        let dp = if p.track_op() { Some(tensor(dp, p.shape())?) } else { None };
        let dm = if m.track_op() { Some(tensor(dm, m.shape())?) } else { None };
        Ok((dp, dm))
    }
}

/// Σ min(a, c) of each place of a text, with a its probabilities and c the sum of those before (See
/// et al. 2017, eq. 12): `[N, 1]`.
pub fn coverage_loss(p: &Tensor, pairs: &Pairs) -> Result<Tensor> {
    if !is_fused(p) {
        let mut all = Vec::new();
        for [text, memory, at] in pairs.each().filter(|[t, _, _]| !t.is_empty()) {
            let mut seen = Tensor::zeros((memory.len(), 1), p.dtype(), p.device())?;
            for t in 0..text.len() {
                if memory.is_empty() {
                    all.push(Tensor::zeros((1, 1), p.dtype(), p.device())?);
                    continue;
                }
                let a = p.narrow(0, at.start + t * memory.len(), memory.len())?;
                all.push(a.minimum(&seen)?.sum_all()?.reshape((1, 1))?);
                seen = (seen + a)?;
            }
        }
        return if all.is_empty() { p.narrow(0, 0, 0) } else { Tensor::cat(&all, 0) };
    }
    p.contiguous()?.apply_op1(Coverage { pairs: pairs.clone() })
}

struct Coverage {
    pairs: Pairs,
}

impl CustomOp1 for Coverage {
    fn name(&self) -> &'static str {
        "coverage_loss"
    }

    fn cpu_fwd(&self, p: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let p = operand(p, l)?;
        let rows = self.pairs.texts.last().map_or(0, |o| *o as usize);
        let mut out = vec![0.0; rows];
        for [text, memory, at] in self.pairs.each().filter(|[_, _, at]| !at.is_empty()) {
            let mut seen = vec![0.0; memory.len()];
            for (place, a) in text.zip(p[at].chunks_exact(memory.len())) {
                out[place] = a.iter().zip(&seen).map(|(a, c)| a.min(*c)).sum();
                simd::add(&mut seen, a);
            }
        }
        result(out, (rows, 1))
    }

    fn bwd(&self, p: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (p_numbers, g) = (floats(p)?, floats(&grad)?);
        let mut out = vec![0.0; p_numbers.len()];
        for [text, memory, at] in self.pairs.each().filter(|[_, _, at]| !at.is_empty()) {
            let n = memory.len();
            let (p, out) = (&p_numbers[at.clone()], &mut out[at]);
            let mut seen = vec![0.0; n];
            p.chunks_exact(n).for_each(|row| simd::add(&mut seen, row));
            let mut later = vec![0.0; n];
            for (t, place) in text.enumerate().rev() {
                let row = &p[t * n..(t + 1) * n];
                seen.iter_mut().zip(row).for_each(|(c, p)| *c -= p);
                for i in 0..n {
                    // Of equals the earlier sum gives way, but for the first place, which has none.
                    let (own, before) = if row[i] < seen[i] { (g[place], 0.0) } else { (0.0, g[place]) };
                    out[t * n + i] = own + later[i];
                    later[i] += before;
                }
            }
        }
        Ok(Some(tensor(out, p.shape())?))
    }
}
