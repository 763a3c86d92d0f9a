//! A rate that falls when the dev figure stops rising.

use super::{Schedule, Time};

/// `factorʳ` after r reductions, one for every `patience` epochs without improvement.
pub struct Plateau {
    /// Factor of a reduction.
    pub factor: f64,
    /// Epochs without improvement before one.
    pub patience: usize,
}

impl Schedule for Plateau {
    fn factor(&self, time: &Time) -> f64 {
        self.factor.powf(time.reductions as f64)
    }

    fn patience(&self) -> Option<usize> {
        Some(self.patience)
    }
}
