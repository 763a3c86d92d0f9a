//! A rate that falls along half a cosine.

use super::{Schedule, Time};

/// `(1 + cos πw) / 2`, with w the share of the way after the warm-up (Loshchilov & Hutter 2017,
/// without restarts).
pub struct Cosine;

impl Schedule for Cosine {
    fn factor(&self, time: &Time) -> f64 {
        0.5 * (1.0 + (std::f64::consts::PI * time.way()).cos())
    }
}
