//! Losses of heads, one number for each place, with analytic gradients.

use std::sync::Arc;

use candle_core::{D, Result, Tensor, bail};

use super::buffer::is_fused;
use super::mapped::mapped;
use super::simd;
use super::softmax::log_softmax;

/// Cross-entropy of softmax(logits `[N, C]`) with label smoothing (Szegedy et al. 2016) and
/// weights of classes: `-Σ t log p` with `t = (1 - s) onehot + s / C`, times the weight of the
/// gold class, `[N, 1]`. A gold label that is no class gives 0 and no gradient.
pub fn softmax_cross_entropy(
    logits: &Tensor,
    gold: &Arc<Vec<u32>>,
    smoothing: f32,
    weights: Option<&[f32]>,
) -> Result<Tensor> {
    let (n, c) = logits.dims2()?;
    if gold.len() != n {
        bail!("{} gold labels for {n} places", gold.len());
    }
    let factors: Arc<Vec<f32>> = Arc::new(
        gold.iter().map(|&y| if y as usize >= c { 0.0 } else { weights.map_or(1.0, |w| w[y as usize]) }).collect(),
    );
    if !is_fused(logits) {
        return cross_entropy_plain(logits, gold, smoothing, &factors);
    }
    let (gold, back_gold, back_factors) = (gold.clone(), gold.clone(), factors.clone());
    mapped(
        logits,
        "softmax_cross_entropy",
        (n, 1),
        move |x| {
            let rows = x.chunks_exact(c.max(1)).zip(gold.iter()).zip(factors.iter());
            rows.map(|((row, &y), &f)| if f == 0.0 { 0.0 } else { f * row_loss(row, y as usize, smoothing) }).collect()
        },
        move |x, _, g| {
            let mut out = x.to_vec();
            for (i, row) in out.chunks_exact_mut(c.max(1)).enumerate() {
                row_gradient(row, back_gold[i] as usize, smoothing, g[i] * back_factors[i]);
            }
            out
        },
    )
}

pub(super) fn row_loss(row: &[f32], gold: usize, smoothing: f32) -> f32 {
    let mut loss = simd::log_sum_exp(row) - (1.0 - smoothing) * row[gold];
    if smoothing > 0.0 {
        loss -= smoothing * row.iter().sum::<f32>() / row.len() as f32;
    }
    loss
}

fn row_gradient(row: &mut [f32], gold: usize, smoothing: f32, factor: f32) {
    if factor == 0.0 {
        return row.fill(0.0);
    }
    simd::softmax(row);
    let spread = smoothing / row.len() as f32;
    row.iter_mut().for_each(|p| *p = factor * (*p - spread));
    row[gold] -= factor * (1.0 - smoothing);
}

fn cross_entropy_plain(logits: &Tensor, gold: &[u32], smoothing: f32, factors: &[f32]) -> Result<Tensor> {
    let (n, c) = logits.dims2()?;
    let mut targets = vec![0f32; n * c];
    for (i, (&y, &f)) in gold.iter().zip(factors).enumerate() {
        if f != 0.0 {
            targets[i * c..(i + 1) * c].fill(f * smoothing / c as f32);
            targets[i * c + y as usize] += f * (1.0 - smoothing);
        }
    }
    let targets = Tensor::from_vec(targets, (n, c), logits.device())?.to_dtype(logits.dtype())?;
    (log_softmax(logits)? * targets)?.sum_keepdim(D::Minus1)?.neg()
}

/// Binary cross-entropy of sigmoid(logits `[N, C]`) with targets in 0..1, summed over the
/// width: `Σ max(x, 0) - x t + log(1 + e^-|x|)`, `[N, 1]`. A row that begins with NaN is ignored.
pub fn sigmoid_bce(logits: &Tensor, targets: &Arc<Vec<f32>>) -> Result<Tensor> {
    let (n, c) = logits.dims2()?;
    if targets.len() != n * c {
        bail!("{} targets for {n} places of {c} labels", targets.len());
    }
    if !is_fused(logits) {
        return sigmoid_bce_plain(logits, targets);
    }
    let (t, back) = (targets.clone(), targets.clone());
    mapped(
        logits,
        "sigmoid_bce",
        (n, 1),
        move |x| {
            let rows = x.chunks_exact(c.max(1)).zip(t.chunks_exact(c.max(1)));
            rows.map(|(x, t)| if t[0].is_nan() { 0.0 } else { x.iter().zip(t).map(|(x, t)| bce(*x, *t)).sum() })
                .collect()
        },
        move |x, _, g| {
            let mut out = x.to_vec();
            for (i, row) in out.chunks_exact_mut(c.max(1)).enumerate() {
                let t = &back[i * c..(i + 1) * c];
                if t[0].is_nan() {
                    row.fill(0.0);
                } else {
                    row.iter_mut().zip(t).for_each(|(x, t)| *x = g[i] * (1.0 / (1.0 + (-*x).exp()) - t));
                }
            }
            out
        },
    )
}

fn bce(x: f32, t: f32) -> f32 {
    x.max(0.0) - x * t + (-x.abs()).exp().ln_1p()
}

fn sigmoid_bce_plain(logits: &Tensor, targets: &[f32]) -> Result<Tensor> {
    let (n, c) = logits.dims2()?;
    let known: Vec<f32> = targets.chunks_exact(c.max(1)).map(|t| if t[0].is_nan() { 0.0 } else { 1.0 }).collect();
    let clean: Vec<f32> = targets.iter().map(|t| if t.is_nan() { 0.0 } else { *t }).collect();
    let like = |v: Vec<f32>, w: usize| Tensor::from_vec(v, (n, w), logits.device())?.to_dtype(logits.dtype());
    let (t, known) = (like(clean, c)?, like(known, 1)?);
    let soft = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    ((logits.relu()? - (logits * t)?)? + soft)?.sum_keepdim(D::Minus1)?.mul(&known)
}

/// The mean over the width of (x - t)², or with `huber` of Huber's loss with δ = 1 (Huber 1964),
/// `[N, 1]`. A row whose target begins with NaN is ignored.
pub fn regression(x: &Tensor, targets: &Arc<Vec<f32>>, huber: bool) -> Result<Tensor> {
    let (n, d) = x.dims2()?;
    if targets.len() != n * d {
        bail!("{} targets for {n} places of {d} numbers", targets.len());
    }
    let known: Vec<f32> = targets.chunks_exact(d.max(1)).map(|t| if t[0].is_nan() { 0.0 } else { 1.0 }).collect();
    let clean: Vec<f32> = targets.iter().map(|t| if t.is_nan() { 0.0 } else { *t }).collect();
    let like = |v: Vec<f32>, w: usize| Tensor::from_vec(v, (n, w), x.device())?.to_dtype(x.dtype());
    let error = (x - like(clean, d)?)?;
    let each = if huber {
        // r²/2 where |r| ≤ 1, |r| - 1/2 beyond: m (|r| - m/2) with m = min(|r|, 1).
        let size = error.abs()?;
        let least = size.minimum(&size.ones_like()?)?;
        (&least * (&size - (&least * 0.5)?)?)?
    } else {
        error.sqr()?
    };
    each.mean_keepdim(D::Minus1)?.mul(&like(known, 1)?)
}

/// KL(target ‖ softmax(logits)) at each place, `[N, 1]`; a row of targets that begins with NaN
/// is ignored.
pub fn kl_to_soft(logits: &Tensor, targets: &Arc<Vec<f32>>) -> Result<Tensor> {
    let (n, c) = logits.dims2()?;
    let clean: Vec<f32> = targets.iter().map(|t| if t.is_nan() { 0.0 } else { *t }).collect();
    let entropy: Vec<f32> =
        clean.chunks_exact(c.max(1)).map(|t| t.iter().map(|p| if *p > 0.0 { p * p.ln() } else { 0.0 }).sum()).collect();
    let like = |v: Vec<f32>, w: usize| Tensor::from_vec(v, (n, w), logits.device())?.to_dtype(logits.dtype());
    like(entropy, 1)? - (log_softmax(logits)? * like(clean, c)?)?.sum_keepdim(D::Minus1)?
}
