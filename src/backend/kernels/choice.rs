//! The loss of choosing one row of each segment.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::buffer::is_fused;
use super::mapped::mapped;
use super::segment;
use super::select::select;
use super::simd;
use crate::backend::rows::Offsets;

/// `log Σ e^x - x_gold` over the scores `[N, 1]` of each segment, `[S, 1]`: the cross-entropy of the
/// softmax within it. A gold that is no row of its segment gives 0 and no gradient.
pub fn choice_loss(scores: &Tensor, offsets: &Offsets, gold: &Arc<Vec<u32>>) -> Result<Tensor> {
    let ((n, one), s) = (scores.dims2()?, offsets.len() - 1);
    if one != 1 || gold.len() != s || offsets.last().copied().unwrap_or(0) as usize != n {
        bail!("{} choices among {:?} scores in {s} segments", gold.len(), scores.dims());
    }
    if !is_fused(scores) {
        return choice_loss_plain(scores, offsets, gold);
    }
    let (o, y) = (offsets.clone(), gold.clone());
    let (back_o, back_y) = (offsets.clone(), gold.clone());
    let loss = |x: &[f32], gold: u32| x.get(gold as usize).map_or(0.0, |score| simd::log_sum_exp(x) - score);
    mapped(
        scores,
        "choice_loss",
        (s, 1),
        move |x| o.windows(2).zip(y.iter()).map(|(w, y)| loss(&x[w[0] as usize..w[1] as usize], *y)).collect(),
        move |x, _, g| {
            let mut out = x.to_vec();
            for ((w, gold), g) in back_o.windows(2).zip(back_y.iter()).zip(g) {
                gradient(&mut out[w[0] as usize..w[1] as usize], *gold as usize, *g);
            }
            out
        },
    )
}

fn gradient(x: &mut [f32], gold: usize, g: f32) {
    if gold >= x.len() {
        return x.fill(0.0);
    }
    simd::softmax(x);
    x[gold] -= 1.0;
    x.iter_mut().for_each(|p| *p *= g);
}

/// [`choice_loss`] out of Candle's operations.
pub fn choice_loss_plain(scores: &Tensor, offsets: &Offsets, gold: &[u32]) -> Result<Tensor> {
    let segments = offsets.windows(2).enumerate();
    let known: Vec<bool> = segments.clone().map(|(i, w)| gold[i] < w[1] - w[0]).collect();
    let parents: Vec<u32> = segments.clone().flat_map(|(i, w)| vec![i as u32; (w[1] - w[0]) as usize]).collect();
    let top = segment::max(&scores.detach(), offsets)?;
    let each = segment::sum(&(scores - select(&top, parents)?)?.exp()?, offsets)?;
    let at = segments.map(|(i, w)| if known[i] { w[0] + gold[i] } else { 0 }).collect();
    let like = |v: Vec<f32>| Tensor::from_vec(v, (known.len(), 1), scores.device())?.to_dtype(scores.dtype());
    // Where nothing is known, an empty segment has no logarithm either.
    let keep = like(known.iter().map(|k| f32::from(u8::from(*k))).collect())?;
    let fill = like(known.iter().map(|k| f32::from(u8::from(!k))).collect())?;
    let chosen = if scores.dim(0)? == 0 { keep.zeros_like()? } else { select(scores, at)? };
    (((each + fill)?.log()? + top)? - chosen)?.mul(&keep)
}
