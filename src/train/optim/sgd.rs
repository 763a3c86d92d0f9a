//! Stochastic gradient descent with momentum.

use candle_core::{Result, Tensor};

use super::{At, Rule};

/// `g ← g + λθ`, `b ← μb + g`, `θ ← θ - η b`; with Nesterov's momentum `θ ← θ - η (g + μb)`
/// (Sutskever et al. 2013, in PyTorch's form: dampening 0).
pub struct Sgd {
    /// μ.
    pub momentum: f64,
    /// Look ahead.
    pub nesterov: bool,
    /// λ.
    pub weight_decay: f64,
}

impl Rule for Sgd {
    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    fn pass(&self, at: &At, theta: &mut [f32], grad: &[f32], a: &mut [f32], _b: &mut [f32]) {
        let (lr, decay, mu) = (at.lr as f32, self.weight_decay as f32, self.momentum as f32);
        let grads = grad.iter().map(|g| g * at.scale);
        if a.is_empty() {
            theta.iter_mut().zip(grads).for_each(|(t, g)| *t -= lr * (g + decay * *t));
            return;
        }
        let ahead = if self.nesterov { (1.0, mu) } else { (0.0, 1.0) };
        for ((t, g), buf) in theta.iter_mut().zip(grads).zip(a) {
            let g = g + decay * *t;
            *buf = mu * *buf + g;
            *t -= lr * (ahead.0 * g + ahead.1 * *buf);
        }
    }

    fn tensors(&self, at: &At, theta: &Tensor, grad: &Tensor, state: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let grad = (grad + (theta * self.weight_decay)?)?;
        let Some(old) = state.first() else {
            return Ok(((theta - (grad * at.lr)?)?, Vec::new()));
        };
        let buf = ((old * self.momentum)? + &grad)?;
        let way = if self.nesterov { (grad + (&buf * self.momentum)?)? } else { buf.clone() };
        Ok(((theta - (way * at.lr)?)?, vec![buf]))
    }
}
