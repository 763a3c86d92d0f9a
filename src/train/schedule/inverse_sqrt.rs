//! A rate that falls with the square root of time.

use super::{Schedule, Time};

/// `√(W / k)` at step k, counted from 1, after W steps of warm-up (Vaswani et al. 2017).
pub struct InverseSqrt;

impl Schedule for InverseSqrt {
    fn factor(&self, time: &Time) -> f64 {
        let warmup = time.warmup.max(1) as f64;
        (warmup / (time.step + 1) as f64).sqrt().min(1.0)
    }
}
