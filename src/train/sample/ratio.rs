//! Tasks in given proportions.

use rand_chacha::ChaCha8Rng;

use super::{Draw, Part, Sampler, Supply, quotas, shuffled};

/// p ∝ the task's weight, in random order; a step trains the task that was drawn. A task with
/// several data sets takes them in proportion to their batches.
pub struct Ratio {
    /// The tasks.
    pub tasks: Vec<usize>,
    /// Their weights.
    pub weights: Vec<f64>,
}

impl Sampler for Ratio {
    fn epoch(&self, supply: &Supply, rng: &mut ChaCha8Rng) -> Vec<Vec<Draw>> {
        let mut counts = Vec::new();
        for (task, steps) in self.tasks.iter().zip(quotas(supply.total(), &self.weights)) {
            let sets = supply.of_task(*task);
            let sizes: Vec<f64> = sets.iter().map(|(_, batches)| *batches as f64).collect();
            let parts = sets.iter().map(|(data, _)| Part { data: *data, only: Some(*task) });
            counts.extend(parts.zip(quotas(steps, &sizes)));
        }
        vec![shuffled(counts, rng)]
    }
}
