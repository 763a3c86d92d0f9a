//! The parser that pest derives from `grammar/mtl.pest`.
#![allow(missing_docs)]

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/mtl.pest"]
pub(super) struct MtlParser;
