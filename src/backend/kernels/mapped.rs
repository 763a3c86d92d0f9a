//! An operation of one tensor given as two functions on its numbers.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::buffer::{floats, operand, result, tensor};

/// What the forward pass computes from the numbers of `x`.
type Forward = Box<dyn Fn(&[f32]) -> Vec<f32> + Send + Sync>;

/// The gradient of `x` from the numbers of `x`, of the result and of its gradient.
type Backward = Box<dyn Fn(&[f32], &[f32], &[f32]) -> Vec<f32> + Send + Sync>;

struct Mapped {
    name: &'static str,
    shape: Shape,
    forward: Forward,
    backward: Backward,
}

/// Applies `forward` to `x`, with `backward` as its gradient; the result has the shape `shape`.
pub fn mapped(
    x: &Tensor,
    name: &'static str,
    shape: impl Into<Shape>,
    forward: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static,
    backward: impl Fn(&[f32], &[f32], &[f32]) -> Vec<f32> + Send + Sync + 'static,
) -> Result<Tensor> {
    let op = Mapped { name, shape: shape.into(), forward: Box::new(forward), backward: Box::new(backward) };
    x.contiguous()?.apply_op1(op)
}

impl CustomOp1 for Mapped {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        result((self.forward)(operand(x, l)?), self.shape.clone())
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let out = (self.backward)(&floats(x)?, &floats(y)?, &floats(&grad)?);
        Ok(Some(tensor(out, x.shape())?))
    }
}
