//! Every data set in every step.

use rand_chacha::ChaCha8Rng;

use super::{Draw, Part, Sampler, Supply};

/// A batch of each data set in each step, for methods that compare the tasks' gradients.
pub struct All;

impl Sampler for All {
    fn epoch(&self, supply: &Supply, _rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        let sets = supply.batches.keys();
        let draw: Draw = sets.map(|data| Part { data: *data, only: None }).collect();
        vec![vec![draw; supply.total()]]
    }
}
