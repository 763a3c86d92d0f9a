//! Scores of arcs: for each token a product with the root and with every token of its text.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::backend::kernels::buffer::{floats, is_fused, operand, result, tensor};
use crate::backend::kernels::simd;
use crate::backend::kernels::views::{Into, Shared, View, product};
use crate::backend::rows::{Offsets, offsets_of};

/// The candidates for the head of each token: the root, then the tokens of its text.
pub fn candidates(offsets: &Offsets) -> Offsets {
    let lengths = offsets.windows(2).map(|text| (text[1] - text[0]) as usize);
    offsets_of(lengths.flat_map(|n| std::iter::repeat_n(n + 1, n)))
}

/// `q · h` of each token's `q [N, d]` with the root's `h [1, d]` and with the `h [N, d]` of every
/// token of its text, packed as [`candidates`] says: `[Σ n (n + 1), 1]`.
pub fn arc_scores(q: &Tensor, h: &Tensor, root: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let ((n, d), ends) = (q.dims2()?, offsets.last().copied().unwrap_or(0) as usize);
    if h.dims2()? != (n, d) || root.dims2()? != (1, d) || ends != n {
        bail!("arcs of {:?}, {:?} and {:?} for {ends} tokens", q.dims(), h.dims(), root.dims());
    }
    if !is_fused(q) || !is_fused(h) {
        return arc_scores_plain(q, h, root, offsets);
    }
    let op = ArcScores { texts: texts(offsets), d };
    q.contiguous()?.apply_op3(&h.contiguous()?, &root.contiguous()?, op)
}

/// [`arc_scores`] out of Candle's operations.
pub fn arc_scores_plain(q: &Tensor, h: &Tensor, root: &Tensor, offsets: &Offsets) -> Result<Tensor> {
    let (mut parts, root) = (Vec::new(), root.contiguous()?);
    for Text { start, n, .. } in texts(offsets) {
        let heads = Tensor::cat(&[&root, &h.narrow(0, start, n)?], 0)?;
        parts.push(q.narrow(0, start, n)?.contiguous()?.matmul(&heads.t()?)?.reshape(((), 1))?);
    }
    match parts.is_empty() {
        true => q.narrow(1, 0, q.dim(1)?.min(1)),
        false => Tensor::cat(&parts, 0),
    }
}

/// A text with tokens.
#[derive(Clone, Copy, Debug)]
struct Text {
    /// Its first token.
    start: usize,
    /// Tokens.
    n: usize,
    /// Its first score.
    at: usize,
}

fn texts(offsets: &Offsets) -> Vec<Text> {
    let mut at = 0;
    let all = offsets.windows(2).map(|text| {
        let (start, n) = (text[0] as usize, (text[1] - text[0]) as usize);
        at += n * (n + 1);
        Text { start, n, at: at - n * (n + 1) }
    });
    all.filter(|text| text.n > 0).collect()
}

struct ArcScores {
    texts: Vec<Text>,
    d: usize,
}

impl ArcScores {
    fn rows<'x>(&self, x: &'x [f32], text: &Text) -> View<'x> {
        View::new(&x[text.start * self.d..], text.n, self.d)
    }

    /// The gradients of the arcs between the tokens of a text.
    fn inner<'g>(g: &'g [f32], text: &Text) -> View<'g> {
        View::strided(&g[text.at + 1..], text.n, text.n, text.n + 1)
    }

    /// The gradient of each token's arc from the root.
    fn outer<'g>(&self, g: &'g [f32]) -> impl Iterator<Item = (usize, f32)> + use<'_, 'g> {
        self.texts.iter().flat_map(|text| (0..text.n).map(|i| (text.start + i, g[text.at + i * (text.n + 1)])))
    }

    fn of_q(&self, h: &[f32], root: &[f32], g: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; h.len()];
        self.each(&mut out, |text| (Self::inner(g, text), self.rows(h, text)));
        self.outer(g).for_each(|(i, g)| simd::add_scaled(&mut out[i * self.d..(i + 1) * self.d], g, root));
        out
    }

    fn of_h(&self, q: &[f32], g: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; q.len()];
        self.each(&mut out, |text| (Self::inner(g, text).t(), self.rows(q, text)));
        out
    }

    fn of_root(&self, q: &[f32], g: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.d];
        self.outer(g).for_each(|(i, g)| simd::add_scaled(&mut out, g, &q[i * self.d..(i + 1) * self.d]));
        out
    }

    /// Sets the rows of each text to a product.
    fn each<'x>(&self, out: &mut [f32], factors: impl Fn(&Text) -> (View<'x>, View<'x>) + Sync) {
        let out = Shared::new(out);
        self.texts.par_iter().for_each(|text| {
            let (a, b) = factors(text);
            // SAFETY: texts have no token in common.
            let block = unsafe { out.block(text.start * self.d, text.n, self.d, self.d) };
            product(block, Into::Set, 1.0, a, b);
        });
    }
}

impl CustomOp3 for ArcScores {
    fn name(&self) -> &'static str {
        "arc_scores"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        h: &CpuStorage,
        lh: &Layout,
        root: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, h, root) = (operand(q, lq)?, operand(h, lh)?, operand(root, lr)?);
        let mut out = vec![0.0; self.texts.last().map_or(0, |text| text.at + text.n * (text.n + 1))];
        let shared = Shared::new(&mut out);
        self.texts.par_iter().for_each(|text| {
            let (q, n) = (self.rows(q, text), text.n);
            // SAFETY: two blocks of columns of this text alone.
            let (first, rest) = unsafe { (shared.block(text.at, n, 1, n + 1), shared.block(text.at + 1, n, n, n + 1)) };
            product(first, Into::Set, 1.0, q, View::new(root, 1, self.d).t());
            product(rest, Into::Set, 1.0, q, self.rows(h, text).t());
        });
        let count = out.len();
        result(out, (count, 1))
    }

    fn bwd(
        &self,
        q: &Tensor,
        h: &Tensor,
        root: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (qs, hs, roots, g) = (floats(q)?, floats(h)?, floats(root)?, floats(&grad)?);
        let of_q = q.track_op().then(|| tensor(self.of_q(&hs, &roots, &g), q.shape())).transpose()?;
        let of_h = h.track_op().then(|| tensor(self.of_h(&qs, &g), h.shape())).transpose()?;
        let of_root = root.track_op().then(|| tensor(self.of_root(&qs, &g), root.shape())).transpose()?;
        Ok((of_q, of_h, of_root))
    }
}
