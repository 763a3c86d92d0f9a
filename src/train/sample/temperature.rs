//! Between proportional and uniform.

use rand_chacha::ChaCha8Rng;

use super::{Draw, Sampler, Supply, by_weight};

/// p ∝ n^(1/T), with n the batches of a data set (Arivazhagan et al. 2019): T = 1 is
/// proportional, and uniform is where T goes.
pub struct Temperature {
    /// T.
    pub t: f64,
}

impl Sampler for Temperature {
    fn epoch(&self, supply: &Supply, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        by_weight(supply, |batches| (batches as f64).powf(1.0 / self.t), rng)
    }
}
