//! Fused operations with their own backward passes, and the same made of Candle's.

pub mod activation;
pub mod attention;
mod attention_plain;
pub mod biaffine;
mod buffer;
pub mod choice;
pub mod conv;
mod conv_plain;
pub mod crf;
pub mod decode;
pub mod distance;
pub mod edges;
pub mod embedding;
pub mod encoder;
mod encoder_block;
pub mod erase;
pub mod feedback;
mod few;
pub mod init;
pub mod linear;
pub mod loss;
mod mapped;
pub mod norm;
pub mod orthogonal;
pub mod random;
pub mod recurrent;
mod rotary;
pub mod segment;
mod select;
pub mod shape;
pub(crate) mod simd;
pub mod softmax;
mod steps;
pub mod stitch;
pub mod transformer;
pub mod tree;
mod views;

pub use buffer::{is_fused, plainly};

#[cfg(test)]
mod tests;
