//! Adam.

use candle_core::{Result, Tensor};

use crate::backend::kernels::simd::simd;

use super::{At, Rule};

/// `m ← β₁m + (1-β₁)g`, `v ← β₂v + (1-β₂)g²`, `θ ← θ - η m̂ / (√v̂ + ε)` with `m̂ = m/(1-β₁ᵗ)`
/// and `v̂ = v/(1-β₂ᵗ)` (Kingma & Ba 2015). Weight decay is L2 regularisation: `g ← g + λθ`.
pub struct Adam {
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// λ.
    pub weight_decay: f64,
}

/// What Adam and its kin compute once for a step: `η/(1-β₁ᵗ)` and `√(1-β₂ᵗ)`.
pub(super) fn corrections(beta1: f64, beta2: f64, at: &At) -> (f64, f64) {
    let t = at.step as f64;
    (at.lr / (1.0 - beta1.powf(t)), (1.0 - beta2.powf(t)).sqrt())
}

/// Both moments after gradient `g`.
#[inline(always)]
pub(super) fn moments(betas: (f32, f32), g: f32, m: &mut f32, v: &mut f32) {
    *m += (g - *m) * (1.0 - betas.0);
    *v = betas.1 * *v + (1.0 - betas.1) * g * g;
}

/// Both moments in tensors.
pub(super) fn moment_tensors(beta1: f64, beta2: f64, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Tensor)> {
    let [m, v] = state else { candle_core::bail!("Adam needs two state arrays") };
    let m = ((m * beta1)? + (grad * (1.0 - beta1))?)?;
    let v = ((v * beta2)? + (grad.sqr()? * (1.0 - beta2))?)?;
    Ok((m, v))
}

/// `θ - step · m / (√v/root + ε)`.
pub(super) fn move_tensors(theta: &Tensor, m: &Tensor, v: &Tensor, step: f64, root: f64, eps: f64) -> Result<Tensor> {
    let under = ((v.sqrt()? / root)? + eps)?;
    theta - (m.div(&under)? * step)?
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
        let [scale, step, root, eps, decay] = factors;
        for (((t, g), m), v) in theta.iter_mut().zip(grad).zip(a).zip(b) {
            moments(betas, g * scale + decay * *t, m, v);
            *t -= step * *m / (v.sqrt() * root + eps);
        }
    }
}

impl Rule for Adam {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn pass(&self, at: &At, theta: &mut [f32], grad: &[f32], a: &mut [f32], b: &mut [f32]) {
        let (step, root) = corrections(self.beta1, self.beta2, at);
        let (step, root, eps) = (step as f32, 1.0 / root as f32, self.eps as f32);
        let betas = (self.beta1 as f32, self.beta2 as f32);
        let decay = self.weight_decay as f32;
        pass([at.scale, step, root, eps, decay], betas, theta, grad, a, b);
    }

    fn tensors(&self, at: &At, theta: &Tensor, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let (step, root) = corrections(self.beta1, self.beta2, at);
        let grad = (grad + (theta * self.weight_decay)?)?;
        let (m, v) = moment_tensors(self.beta1, self.beta2, &grad, state)?;
        let theta = move_tensors(theta, &m, &v, step, root, self.eps)?;
        Ok((theta, vec![m, v]))
    }
}
