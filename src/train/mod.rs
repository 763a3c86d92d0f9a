//! Training: the loop, sampling, balancing, optimisers, metrics and checkpoints.

pub mod trainee;
