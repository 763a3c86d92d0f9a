//! Attention out of Candle's operations: segments are padded to the longest and masked.

use candle_core::{D, Result, Tensor};

use super::attention::Heads;
use super::select::select;
use crate::backend::rows::Offsets;

/// As `attention::self_attention`.
pub(super) fn self_attention(qkv: &Tensor, heads: &Heads) -> Result<Tensor> {
    let [q, k, v] = [0, 1, 2].map(|i| qkv.narrow(1, i * heads.width, heads.width));
    attend(&q?, &k?, &v?, heads)
}

/// As `attention::cross_attention`.
pub(super) fn cross_attention(q: &Tensor, kv: &Tensor, heads: &Heads) -> Result<Tensor> {
    let [k, v] = [0, 1].map(|i| kv.narrow(1, i * heads.width, heads.width));
    attend(q, &k?, &v?, heads)
}

fn attend(q: &Tensor, k: &Tensor, v: &Tensor, heads: &Heads) -> Result<Tensor> {
    if q.dim(0)? == 0 || k.dim(0)? == 0 {
        return q.zeros_like();
    }
    let (queries, keys) = (Padding::new(&heads.queries), Padding::new(&heads.keys));
    let (q, k, v) = (queries.pad(q, heads)?, keys.pad(k, heads)?, keys.pad(v, heads)?);
    let (hidden, kept) = masks(heads, &queries, &keys, &q)?;
    let scores = (q.matmul(&k.t()?.contiguous()?)? * f64::from(heads.scale()))?.broadcast_add(&hidden)?;
    let p = (candle_nn::ops::softmax(&scores, D::Minus1)? * kept)?;
    let all =
        p.matmul(&v)?.transpose(1, 2)?.contiguous()?.reshape((queries.segments() * queries.longest, heads.width))?;
    select(&all, queries.places())
}

/// Segments and the length that all are padded to.
struct Padding<'a> {
    offsets: &'a Offsets,
    longest: usize,
}

impl<'a> Padding<'a> {
    fn new(offsets: &'a Offsets) -> Self {
        let longest = offsets.windows(2).map(|w| (w[1] - w[0]) as usize).max().unwrap_or(0);
        Self { offsets, longest }
    }

    fn segments(&self) -> usize {
        self.offsets.len() - 1
    }

    fn len(&self, segment: usize) -> usize {
        (self.offsets[segment + 1] - self.offsets[segment]) as usize
    }

    /// `[N, d]` to `[segments, heads, longest, d / heads]`; row 0 stands in the padding.
    fn pad(&self, x: &Tensor, heads: &Heads) -> Result<Tensor> {
        let mut rows = vec![0u32; self.segments() * self.longest];
        for (row, place) in self.places().into_iter().enumerate() {
            rows[place as usize] = row as u32;
        }
        let dims = (self.segments(), self.longest, heads.heads, heads.width / heads.heads);
        select(x, rows)?.reshape(dims)?.transpose(1, 2)?.contiguous()
    }

    /// Where each packed row lies among the padded ones.
    fn places(&self) -> Vec<u32> {
        let segments = (0..self.segments()).map(|s| (s * self.longest, self.len(s)));
        segments.flat_map(|(at, len)| (at..at + len).map(|i| i as u32)).collect()
    }
}

/// What to add to the scores, `[segments, 1, queries, keys]`, and what to multiply the
/// probabilities by, `[segments, heads, queries, keys]`.
fn masks(heads: &Heads, queries: &Padding, keys: &Padding, like: &Tensor) -> Result<(Tensor, Tensor)> {
    let (segments, tall, wide) = (queries.segments(), queries.longest, keys.longest);
    let mut hidden = vec![-3e4f32; segments * tall * wide];
    let mut kept = vec![0f32; segments * heads.heads * tall * wide];
    for s in 0..segments {
        for i in 0..queries.len(s) {
            let seen = heads.seen(i, keys.len(s));
            hidden[(s * tall + i) * wide..][seen.clone()].fill(0.0);
            for head in 0..heads.heads {
                let row = &mut kept[((s * heads.heads + head) * tall + i) * wide..][seen.clone()];
                row.fill(1.0);
                heads.drop(head, queries.offsets[s] as usize + i, seen.start, row);
            }
        }
    }
    let on = |numbers, dims| Tensor::from_vec(numbers, dims, like.device())?.to_dtype(like.dtype());
    Ok((on(hidden, (segments, 1, tall, wide))?, on(kept, (segments, heads.heads, tall, wide))?))
}
