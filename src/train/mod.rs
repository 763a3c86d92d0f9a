//! Training: the loop, sampling, balancing, optimisers, metrics and checkpoints.

pub mod balance;
pub mod bits;
pub mod checkpoint;
pub mod events;
pub mod feed;
pub mod looping;
pub mod metrics;
pub mod optim;
pub mod reach;
pub mod sample;
pub mod schedule;
pub mod seed;
#[cfg(test)]
pub(crate) mod toy;
pub mod trainee;
