//! Each batch of each data set once.

use rand_chacha::ChaCha8Rng;

use super::{Draw, Sampler, Supply, by_weight};

/// p ∝ n, without replacement: an epoch sees every batch once, in random order.
pub struct Proportional;

impl Sampler for Proportional {
    fn epoch(&self, supply: &Supply, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        by_weight(supply, |batches| batches as f64, rng)
    }
}
