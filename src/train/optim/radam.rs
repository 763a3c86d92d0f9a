//! RAdam.

use candle_core::{Result, Tensor};

use super::adam::{moment_tensors, moments};
use super::{At, Rule};

/// Adam with its early steps rectified (Liu et al. 2020). With `ρ∞ = 2/(1-β₂) - 1` and
/// `ρ = ρ∞ - 2tβ₂ᵗ/(1-β₂ᵗ)`: where `ρ > 5`, `θ ← θ - η m̂ r √(1-β₂ᵗ)/(√v + ε)` with
/// `r = √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ))`, before that `θ ← θ - η m̂`. Decay is L2, as in Adam.
pub struct RAdam {
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// λ.
    pub weight_decay: f64,
}

impl RAdam {
    /// Factor of m, and whether it is divided by `√v + ε`.
    fn step(&self, at: &At) -> (f64, bool) {
        let t = at.step as f64;
        let (one, two) = (1.0 - self.beta1.powf(t), 1.0 - self.beta2.powf(t));
        let most = 2.0 / (1.0 - self.beta2) - 1.0;
        let rho = most - 2.0 * t * self.beta2.powf(t) / two;
        if rho <= 5.0 {
            return (at.lr / one, false);
        }
        let rect = (rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho);
        (at.lr / one * rect.sqrt() * two.sqrt(), true)
    }
}

impl Rule for RAdam {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn pass(&self, at: &At, theta: &mut [f32], grad: &[f32], a: &mut [f32], b: &mut [f32]) {
        let (step, adapts) = self.step(at);
        let (step, eps, decay) = (step as f32, self.eps as f32, self.weight_decay as f32);
        let betas = (self.beta1 as f32, self.beta2 as f32);
        for (((t, g), m), v) in theta.iter_mut().zip(grad).zip(a).zip(b) {
            moments(betas, g * at.scale + decay * *t, m, v);
            let under = if adapts { v.sqrt() + eps } else { 1.0 };
            *t -= step * *m / under;
        }
    }

    fn tensors(&self, at: &At, theta: &Tensor, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let (step, adapts) = self.step(at);
        let grad = (grad + (theta * self.weight_decay)?)?;
        let (m, v) = moment_tensors(self.beta1, self.beta2, &grad, state)?;
        let way = if adapts { m.div(&(v.sqrt()? + self.eps)?)? } else { m.clone() };
        Ok(((theta - (way * step)?)?, vec![m, v]))
    }
}
