//! A rate that stays.

use super::{Schedule, Time};

/// 1.
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _time: &Time) -> f64 {
        1.0
    }
}
