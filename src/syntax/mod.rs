//! Text to tree: the grammar, the parser and its recovery. Parsing never fails; what does not
//! parse is reported and left out.

pub mod ast;
