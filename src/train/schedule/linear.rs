//! A rate that falls in a straight line.

use super::{Schedule, Time};

/// `1 - w`, with w the share of the way after the warm-up.
pub struct Linear;

impl Schedule for Linear {
    fn factor(&self, time: &Time) -> f64 {
        1.0 - time.way()
    }
}
