//! AdamW.

use candle_core::{Result, Tensor};

use crate::backend::kernels::simd::simd;

use super::adam::{corrections, moment_tensors, moments, move_tensors};
use super::{At, Rule};

/// Adam with the decay outside the gradient: `θ ← (1 - ηλ)θ`, then Adam's step
/// (Loshchilov & Hutter 2019).
pub struct AdamW {
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// λ.
    pub weight_decay: f64,
}

simd! {
    fn pass(
        factors: [f32; 5],
        betas: (f32, f32),
        theta: &mut [f32],
        grad: &[f32],
        a: &mut [f32],
        b: &mut [f32],
    ) {
        let [scale, step, root, eps, keep] = factors;
        for (((t, g), m), v) in theta.iter_mut().zip(grad).zip(a).zip(b) {
            moments(betas, g * scale, m, v);
            *t = *t * keep - step * *m / (v.sqrt() * root + eps);
        }
    }
}

impl Rule for AdamW {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn pass(&self, at: &At, theta: &mut [f32], grad: &[f32], a: &mut [f32], b: &mut [f32]) {
        let (step, root) = corrections(self.beta1, self.beta2, at);
        let (step, root, eps) = (step as f32, 1.0 / root as f32, self.eps as f32);
        let betas = (self.beta1 as f32, self.beta2 as f32);
        let keep = (1.0 - at.lr * self.weight_decay) as f32;
        pass([at.scale, step, root, eps, keep], betas, theta, grad, a, b);
    }

    fn tensors(&self, at: &At, theta: &Tensor, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let (step, root) = corrections(self.beta1, self.beta2, at);
        let kept = (theta * (1.0 - at.lr * self.weight_decay))?;
        let (m, v) = moment_tensors(self.beta1, self.beta2, grad, state)?;
        let theta = move_tensors(&kept, &m, &v, step, root, self.eps)?;
        Ok((theta, vec![m, v]))
    }
}
