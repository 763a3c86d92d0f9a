//! Data: declarations to streams of typed examples, vocabularies and batches. Knows no tensors.
//!
//! [`Corpus::load`] reads every data set of a program, [`prepare`] makes label spaces and
//! vocabularies of train and gives the [`Schema`], and [`Dataset::batch`] packs examples.
//! [`Reader::unlabelled`] reads what is to be predicted.

pub mod ahead;
pub mod batch;
mod column;
pub mod columns;
pub mod dataset;
pub mod detokenize;
pub mod digest;
pub mod fault;
mod file;
pub mod formats;
mod leak;
pub mod lexicon;
pub mod load;
mod odd;
pub mod order;
mod parallel;
mod parse;
pub mod pieces;
mod places;
pub mod pretrained;
mod random;
pub mod reader;
pub mod schema;
pub mod space;
pub mod spec;
mod store;
mod tally;
pub mod template;
pub mod value;
pub mod vectors;
pub mod vocab;

pub use batch::{Batch, FieldBatch, Offsets, View};
pub use dataset::{Corpus, Dataset, Portion};
pub use detokenize::Detokenizer;
pub use digest::digests;
pub use file::Stream;
pub use lexicon::Lexicon;
pub use load::LoadOptions;
pub use order::BatchSize;
pub use pieces::Tokenizer;
pub use reader::{Inputs, Packer, Reader, Wanted};
pub use schema::{DataInfo, FieldInfo, Prepared, Schema, prepare};
pub use space::{Space, SpaceKind};
pub use store::Stored;
pub use template::Template;
pub use value::{FieldValue, Labelled, MISSING, Node, Range, Relation, UNSEEN};
pub use vectors::Vectors;
pub use vocab::{UNKNOWN, Vocab};
