//! Recurrent layers out of Candle's operations, for other devices and types.

use candle_core::{Result, Tensor};

use super::{Cell, Direction, Layer};

/// All directions of a layer side by side.
pub(super) fn layer<C: Cell>(layer: &Layer<C>, x: &Tensor) -> Result<Tensor> {
    let parts = layer.directions.iter().map(|d| direction(d, x)).collect::<Result<Vec<_>>>()?;
    if parts.len() == 1 { Ok(parts[0].clone()) } else { Tensor::cat(&parts, 1) }
}

fn direction<C: Cell>(direction: &Direction<C>, x: &Tensor) -> Result<Tensor> {
    let (weights, steps) = (&direction.weights, &direction.steps);
    let zeros = Tensor::zeros((steps.running(0), weights.hidden()), x.dtype(), x.device())?;
    if steps.count() == 0 {
        return Ok(zeros);
    }
    let mut gates = x.matmul(&weights.w_ih.tensor().t()?)?.broadcast_add(&weights.bias.tensor())?;
    if let Some(labels) = &weights.labels {
        gates = (gates + labels.plain()?)?;
    }
    let gates = steps.gather_tensor(&gates)?;
    let mut now = (zeros.clone(), zeros);
    let mut states = Vec::with_capacity(steps.count());
    for t in 0..steps.count() {
        let (at, n) = (steps.at(t), steps.running(t));
        let before = (now.0.narrow(0, 0, n)?.contiguous()?, now.1.narrow(0, 0, n)?.contiguous()?);
        now = C::step_plain(weights, &gates.narrow(0, at.start, n)?.contiguous()?, &before)?;
        states.push(now.0.clone());
    }
    steps.scatter_tensor(&Tensor::cat(&states, 0)?)
}
