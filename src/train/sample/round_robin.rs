//! One data set after another.

use rand_chacha::ChaCha8Rng;

use super::{Draw, Part, Sampler, Supply};

/// A batch of each data set in turn, in the order in which they are declared.
pub struct RoundRobin;

impl Sampler for RoundRobin {
    fn epoch(&self, supply: &Supply, _rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        let sets = supply.batches.keys().cycle().take(supply.total());
        vec![sets.map(|data| vec![Part { data: *data, only: None }]).collect()]
    }
}
