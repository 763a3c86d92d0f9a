//! Data: declarations to streams of typed examples, vocabularies and batches. Knows no tensors.

pub mod lexicon;
pub mod spec;
