//! Each data set equally often.

use rand_chacha::ChaCha8Rng;

use super::{Draw, Sampler, Supply, by_weight};

/// p = 1/N for each of N data sets, in random order.
pub struct Uniform;

impl Sampler for Uniform {
    fn epoch(&self, supply: &Supply, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        by_weight(supply, |_| 1.0, rng)
    }
}
