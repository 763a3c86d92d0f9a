//! Adversarial training in two passes (Miyato et al. 2017): the first notes the gradients of
//! values that `perturb` marks, the second moves the values by them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use super::exec::numbers;

/// What is known of the marked values of a step, by the seed of their draws.
#[derive(Default)]
pub struct Perturbations {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Zeros that stand beside each value in the first pass, whose gradient is that of the value.
    beside: HashMap<u64, Vec<Var>>,
    /// The gradients noted so far.
    gradients: HashMap<u64, Tensor>,
    second: bool,
}

impl Perturbations {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value `x [N, d]` as the pass at hand reads it; `examples` are the offsets of its rows.
    pub fn apply(&self, key: u64, x: &Tensor, examples: &[u32], epsilon: f64) -> Result<Tensor> {
        let mut state = self.state();
        if state.second {
            return match state.gradients.get(&key) {
                Some(gradient) => x + adversary(gradient, examples, epsilon)?,
                None => Ok(x.clone()),
            };
        }
        let zeros = Var::zeros(x.shape(), x.dtype(), x.device())?;
        let y = x + zeros.as_tensor();
        state.beside.entry(key).or_default().push(zeros);
        y
    }

    /// Takes what a backward pass of the first pass says of the marked values.
    pub fn note(&self, store: &GradStore) -> Result<()> {
        let mut state = self.state();
        let State { beside, gradients, .. } = &mut *state;
        for (key, zeros) in beside.iter() {
            for gradient in zeros.iter().filter_map(|zeros| store.get(zeros.as_tensor())) {
                let sum = match gradients.remove(key) {
                    Some(sum) => (sum + gradient)?,
                    None => gradient.clone(),
                };
                gradients.insert(*key, sum.detach());
            }
        }
        Ok(())
    }

    /// Begins the second pass, or ends it and forgets the step.
    pub fn second(&self, begins: bool) {
        let mut state = self.state();
        state.second = begins;
        state.beside.clear();
        if !begins {
            state.gradients.clear();
        }
    }
}

/// ε √D g / ‖g‖, with the length taken over the rows of each example.
fn adversary(gradient: &Tensor, examples: &[u32], epsilon: f64) -> Result<Tensor> {
    let d = gradient.dim(1)?;
    let mut g = numbers(gradient)?;
    for w in examples.windows(2) {
        let mine = &mut g[w[0] as usize * d..w[1] as usize * d];
        let length = mine.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let factor = if length > 0.0 { epsilon * (d as f64).sqrt() / length } else { 0.0 };
        mine.iter_mut().for_each(|g| *g = (f64::from(*g) * factor) as f32);
    }
    Tensor::from_vec(g, gradient.shape(), gradient.device())?.to_dtype(gradient.dtype())
}
