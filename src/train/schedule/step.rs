//! A rate that falls in steps.

use super::{Schedule, Time};

/// `gammaᵏ`, with k how often `every` epochs have passed.
pub struct Step {
    /// Epochs between two falls.
    pub every: usize,
    /// Factor of a fall.
    pub gamma: f64,
}

impl Schedule for Step {
    fn factor(&self, time: &Time) -> f64 {
        self.gamma.powf((time.epoch / self.every.max(1)) as f64)
    }
}
