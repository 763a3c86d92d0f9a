//! Conditional random fields out of Candle's operations, for other devices and types.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::Chain;
use crate::backend::kernels::segment;
use crate::backend::kernels::select::select;
use crate::backend::kernels::steps::Steps;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// [`super::crf_nll`] out of Candle's operations.
pub fn crf_nll_plain(
    emissions: &Tensor,
    transitions: &Param,
    start: &Param,
    end: &Param,
    gold: &Arc<Vec<u32>>,
    offsets: &Offsets,
) -> Result<Tensor> {
    let chain = Chain::new(emissions, [transitions, start, end], offsets)?;
    let known = chain.known(gold);
    let nll = (log_sums(&chain, emissions)? - gold_scores(&chain, emissions, gold, &known)?)?;
    let known = known.iter().enumerate().map(|(s, k)| *k && !chain.range(s).is_empty());
    let known: Vec<f32> = known.map(|k| if k { 1.0 } else { 0.0 }).collect();
    let known = Tensor::from_vec(known, nll.shape(), nll.device())?.to_dtype(nll.dtype())?;
    nll * known
}

/// [`super::marginals`] out of Candle's operations.
pub fn marginals_plain(
    emissions: &Tensor,
    transitions: &Param,
    start: &Param,
    end: &Param,
    offsets: &Offsets,
) -> Result<Tensor> {
    let chain = Chain::new(emissions, [transitions, start, end], offsets)?;
    if chain.steps.count() == 0 {
        return emissions.zeros_like();
    }
    let (ahead, _) = ahead(&chain, emissions)?;
    let x = chain.steps.gather_tensor(emissions)?;
    let onward = onward(&chain, &x)?;
    let both = (Tensor::cat(&ahead, 0)? + onward)?;
    let p = both.broadcast_sub(&log_sum_exp(&both, 1)?.unsqueeze(1)?)?.exp()?;
    chain.steps.scatter_tensor(&p)
}

fn log_sum_exp(x: &Tensor, dim: usize) -> Result<Tensor> {
    let top = x.detach().max_keepdim(dim)?;
    (x.broadcast_sub(&top)?.exp()?.sum(dim)?.log()? + top.squeeze(dim)?)?.contiguous()
}

fn first(x: &Tensor, n: usize) -> Result<Tensor> {
    x.narrow(0, 0, n)?.contiguous()
}

/// For each step, the logarithms of the sums of the paths that end in each label, and those of
/// all finished sequences by slot.
fn ahead(chain: &Chain, emissions: &Tensor) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    let Chain { steps, params: [transitions, start, _], .. } = chain;
    let x = steps.gather_tensor(emissions)?;
    let (mut sums, mut finished) = (Vec::<Tensor>::new(), Vec::new());
    for t in 0..steps.count() {
        let (n, at) = (steps.running(t), steps.at(t).start);
        let own = x.narrow(0, at, n)?;
        let sum = match sums.last() {
            None => own.broadcast_add(&start.tensor())?,
            Some(before) => {
                let paths = first(before, n)?.unsqueeze(2)?.broadcast_add(&transitions.tensor().unsqueeze(0)?)?;
                (log_sum_exp(&paths, 1)? + own)?
            }
        };
        let left = steps.running(t + 1);
        if left < n {
            finished.push(sum.narrow(0, left, n - left)?);
        }
        sums.push(sum);
    }
    finished.reverse();
    Ok((sums, finished))
}

/// The logarithms of the sums of the paths from each label on, `[N, C]` in the order of time,
/// for emissions `x` in the same order.
fn onward(chain: &Chain, x: &Tensor) -> Result<Tensor> {
    let Chain { steps, params: [transitions, _, end], classes, .. } = chain;
    let mut sums: Vec<Tensor> = Vec::new();
    for t in (0..steps.count()).rev() {
        let (n, later) = (steps.running(t), steps.running(t + 1));
        let mut parts = Vec::new();
        if let Some(after) = sums.last() {
            let next = (after + x.narrow(0, steps.at(t + 1).start, later)?)?;
            let paths = next.unsqueeze(1)?.broadcast_add(&transitions.tensor().unsqueeze(0)?)?;
            parts.push(log_sum_exp(&paths, 2)?);
        }
        if later < n {
            parts.push(end.tensor().unsqueeze(0)?.broadcast_as((n - later, *classes))?.contiguous()?);
        }
        sums.push(Tensor::cat(&parts, 0)?);
    }
    sums.reverse();
    Tensor::cat(&sums, 0)
}

/// The logarithm of the sum over all paths of each sequence, `[B, 1]`; 0 for an empty one.
fn log_sums(chain: &Chain, emissions: &Tensor) -> Result<Tensor> {
    let steps: &Steps = &chain.steps;
    let empty = steps.segments().len() - steps.running(0);
    let mut all = Vec::new();
    if steps.count() > 0 {
        let last = Tensor::cat(&ahead(chain, emissions)?.1, 0)?;
        all.push(log_sum_exp(&last.broadcast_add(&chain.params[2].tensor())?, 1)?);
    }
    if empty > 0 || all.is_empty() {
        all.push(Tensor::zeros(empty, emissions.dtype(), emissions.device())?);
    }
    steps.by_segment(&Tensor::cat(&all, 0)?)?.unsqueeze(1)
}

/// The score of the gold labels of each sequence, `[B, 1]`, taking unknown ones as 0.
fn gold_scores(chain: &Chain, emissions: &Tensor, gold: &[u32], known: &[bool]) -> Result<Tensor> {
    let c = chain.classes as u32;
    let mut labels = gold.to_vec();
    let (mut pairs, mut pair_at, mut starts, mut ends, mut at) = (vec![], vec![0u32], vec![], vec![], vec![0u32]);
    for (s, known) in known.iter().enumerate() {
        let gold = &mut labels[chain.range(s)];
        if !known {
            gold.fill(0);
        }
        pairs.extend(gold.windows(2).map(|y| y[0] * c + y[1]));
        pair_at.push(pairs.len() as u32);
        starts.extend(gold.first());
        ends.extend(gold.last());
        at.push(starts.len() as u32);
    }
    let [transitions, start, end] = &chain.params;
    let pick = |from: &Tensor, ids: Vec<u32>| select(&from.flatten_all()?, ids)?.unsqueeze(1);
    let (pair_at, at): (Offsets, Offsets) = (pair_at.into(), at.into());
    let ids = labels.iter().enumerate().map(|(row, y)| row as u32 * c + y).collect();
    let places = segment::sum(&pick(emissions, ids)?, &chain.offsets)?;
    let pairs = segment::sum(&pick(&transitions.tensor(), pairs)?, &pair_at)?;
    let edges = segment::sum(&(pick(&start.tensor(), starts)? + pick(&end.tensor(), ends)?)?, &at)?;
    (places + pairs)? + edges
}
