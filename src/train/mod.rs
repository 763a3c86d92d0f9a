//! Training: the loop, sampling, balancing, optimisers, metrics and checkpoints.

pub mod bits;
pub mod events;
pub mod trainee;
