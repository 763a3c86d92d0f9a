//! Text to tree: the grammar, the parser and its recovery. Parsing never fails; what does not
//! parse is reported and left out.
//!
//! A text goes through a small lexer first, which finds comments and nesting that is too deep;
//! then pest parses it with a grammar whose islands catch what is wrong ([`parse()`]).

pub mod ast;
mod build;
mod describe;
mod docs;
mod errors;
mod expr;
mod grammar;
mod items;
pub mod lexer;
mod near;
mod nesting;
mod numbers;
mod parse;
mod pieces;

pub use lexer::{Kind as TokenKind, Token, tokens};
pub use parse::{Comment, Parse, parse};

/// The words that name nothing a program declares.
pub const KEYWORDS: &[&str] = &[
    "use", "const", "data", "field", "layer", "def", "let", "task", "loss", "metric", "train", "stage", "for", "in",
    "from",
];

/// The keywords that begin an item.
pub const ITEM_KEYWORDS: &[&str] =
    &["use", "const", "data", "layer", "def", "let", "task", "loss", "metric", "train", "for"];
