//! Adagrad.

use candle_core::{Result, Tensor};

use super::{At, Rule};

/// `g ← g + λθ`, `s ← s + g²`, `θ ← θ - η g / (√s + ε)` (Duchi et al. 2011).
pub struct Adagrad {
    /// ε.
    pub eps: f64,
    /// λ.
    pub weight_decay: f64,
}

impl Rule for Adagrad {
    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn pass(&self, at: &At, theta: &mut [f32], grad: &[f32], a: &mut [f32], _b: &mut [f32]) {
        let (lr, decay, eps) = (at.lr as f32, self.weight_decay as f32, self.eps as f32);
        for ((t, g), sum) in theta.iter_mut().zip(grad).zip(a) {
            let g = g * at.scale + decay * *t;
            *sum += g * g;
            *t -= lr * g / (sum.sqrt() + eps);
        }
    }

    fn tensors(&self, at: &At, theta: &Tensor, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let [sum] = state else { candle_core::bail!("Adagrad needs one state array") };
        let grad = (grad + (theta * self.weight_decay)?)?;
        let sum = (sum + grad.sqr()?)?;
        let way = grad.div(&(sum.sqrt()? + self.eps)?)?;
        Ok(((theta - (way * at.lr)?)?, vec![sum]))
    }
}
