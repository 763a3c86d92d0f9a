//! One task after another, each with all its data (Hashimoto et al. 2017).

use rand_chacha::ChaCha8Rng;

use super::{Draw, Part, Sampler, Supply, shuffled};

/// All batches of the first task's data, training that task only; then the next task's.
pub struct Ordered {
    /// The tasks, in order.
    pub tasks: Vec<usize>,
}

impl Sampler for Ordered {
    fn epoch(&self, supply: &Supply, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        let mut turn = |task: &usize| {
            let part = |(data, count)| (Part { data, only: Some(*task) }, count);
            shuffled(supply.of_task(*task).into_iter().map(part), rng)
        };
        self.tasks.iter().map(&mut turn).filter(|draws| !draws.is_empty()).collect()
    }
}
