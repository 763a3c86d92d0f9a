//! A rate that falls every epoch.

use super::{Schedule, Time};

/// `gammaᵉ` after e epochs.
pub struct Exponential {
    /// Factor of an epoch.
    pub gamma: f64,
}

impl Schedule for Exponential {
    fn factor(&self, time: &Time) -> f64 {
        self.gamma.powf(time.epoch as f64)
    }
}
