//! Activations, as operations of their own and for use inside others.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::buffer::{floats, is_fused, operand, par_chunks, result, tensor};
use super::simd;

/// What follows a linear map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`, with gradient 0 at 0.
    Relu,
    /// `x` times the normal distribution function of `x`, exactly (not the tanh form).
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Activation {
    /// Applies it to `x` in any shape.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::None => Ok(x.clone()),
            _ if is_fused(x) => x.contiguous()?.apply_op1(self),
            _ => self.apply_plain(x),
        }
    }

    /// [`Activation::apply`] out of Candle's operations.
    pub fn apply_plain(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::None => Ok(x.clone()),
            // Candle's relu has gradient 1 at 0.
            Activation::Relu => x.gt(&x.zeros_like()?)?.where_cond(x, &x.zeros_like()?),
            Activation::Gelu => x.gelu_erf(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => candle_nn::ops::sigmoid(x),
        }
    }

    /// Applies it in place, in parallel.
    pub fn forward(self, x: &mut [f32]) {
        let one = match self {
            Activation::None => return,
            Activation::Relu => simd::relu,
            Activation::Gelu => simd::gelu,
            Activation::Tanh => simd::tanh,
            Activation::Sigmoid => simd::sigmoid,
        };
        par_chunks(x, |_, chunk| one(chunk));
    }

    /// Multiplies `grad` by the derivative, in place and in parallel. `saved` holds the inputs
    /// where [`Activation::saves_input`] says so, else the results.
    pub fn backward(self, saved: &[f32], grad: &mut [f32]) {
        let one = match self {
            Activation::None => return,
            Activation::Relu => simd::relu_gradient,
            Activation::Gelu => simd::gelu_gradient,
            Activation::Tanh => simd::tanh_gradient,
            Activation::Sigmoid => simd::sigmoid_gradient,
        };
        par_chunks(grad, |first, chunk| one(&saved[first..first + chunk.len()], chunk));
    }

    /// Whether the derivative is computed from the input rather than the result.
    pub fn saves_input(self) -> bool {
        self == Activation::Gelu
    }

    /// Whether a larger input never gives a smaller result.
    pub fn is_monotone(self) -> bool {
        self != Activation::Gelu
    }
}

/// `max(x, 0)`.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    Activation::Relu.apply(x)
}

/// The exact GELU.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    Activation::Gelu.apply(x)
}

/// Hyperbolic tangent.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    Activation::Tanh.apply(x)
}

/// Logistic function.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    Activation::Sigmoid.apply(x)
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = operand(x, l)?.to_vec();
        self.forward(&mut out);
        result(out, l.shape().clone())
    }

    fn bwd(&self, x: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut out = floats(&grad.contiguous()?)?.to_vec();
        self.backward(&floats(if self.saves_input() { x } else { res })?, &mut out);
        tensor(out, x.shape()).map(Some)
    }
}
