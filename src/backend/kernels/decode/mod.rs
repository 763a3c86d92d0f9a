//! Decoders of text: what training computes over a whole text at once, and what writing one
//! computes word by word.
//!
//! - `words`: the tables of what is read and written, `fed` and `loss` over them.
//! - `decoder`, `block`: the layers over all places of given texts.
//! - `pointer`, `copy`: words that are copied from a text.
//! - `number`, `cached`, `unrolled`: the same layers one place at a time, in plain numbers, with
//!   what earlier places left.
//! - `search`: beams, greedy and drawn texts over these; `best` finds the likeliest words.

mod best;
mod block;
mod cached;
pub mod copy;
pub mod decoder;
mod fed;
mod loss;
mod number;
pub mod pointer;
pub mod search;
mod unrolled;
mod words;

pub use decoder::{Body, Cross, Decoder, Layer};
pub use fed::fed;
pub use loss::{expected, logits, word_loss};
pub use words::{END, Table, Words};
