//! How far a parameter is from what it was.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::buffer::{floats, is_fused, operand, result};
use super::simd;
use crate::backend::param::Param;

/// `Σ (θ - θ')²` for the numbers θ of a parameter and others θ' of its shape, as a scalar; 0, with
/// a gradient of zeros, if there are no others.
pub fn distance(param: &Param, other: Option<&Tensor>) -> Result<Tensor> {
    let theta = param.tensor();
    if !is_fused(&theta) {
        let other = other.cloned().unwrap_or_else(|| param.var.as_detached_tensor());
        return (theta - other)?.sqr()?.sum_all();
    }
    theta.apply_op1(Distance { param: param.clone(), other: other.cloned() })
}

struct Distance {
    param: Param,
    other: Option<Tensor>,
}

impl Distance {
    /// θ - θ'.
    fn apart(&self, theta: &[f32]) -> Result<Vec<f32>> {
        let mut apart = vec![0.0; theta.len()];
        if let Some(other) = &self.other {
            apart.copy_from_slice(theta);
            simd::add_scaled(&mut apart, -1.0, &floats(other)?);
        }
        Ok(apart)
    }
}

impl CustomOp1 for Distance {
    fn name(&self) -> &'static str {
        "distance"
    }

    fn cpu_fwd(&self, theta: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let sum = simd::square_sum(&self.apart(operand(theta, l)?)?);
        result(vec![sum as f32], ())
    }

    fn bwd(&self, theta: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (apart, g) = (self.apart(&floats(theta)?)?, grad.to_scalar::<f32>()?);
        self.param.sink.add_with(|into| simd::add_scaled(into, 2.0 * g, &apart));
        Ok(None)
    }
}
