//! Canonical layout. The tokens and comments of a text stay as they are and in their order; what
//! stands between them is made anew: one blank or none, two between settings, new lines and
//! indentation. Where the author broke a line on purpose (after a bracket, before `|>` or `=`,
//! between settings) the break is kept, and columns that were aligned stay aligned.
//!
//! A text with mistakes keeps its broken parts byte for byte. What comes out is parsed again, and
//! must say what the text said.

mod align;
mod expr;
mod layout;
mod lines;
mod same;
mod segments;
mod shape;
mod stream;

use crate::diagnostics::{Diagnostic, codes};
use crate::source::{FileId, Span};
use crate::syntax::{self, Parse};

/// Columns that a line may take, where it can be broken.
pub const WIDTH: usize = 120;

/// A text in canonical layout, and what is to be said about it.
#[derive(Clone, Debug)]
pub struct Formatted {
    /// The text to write in the place of the other.
    pub text: String,
    /// Syntax errors, whose places in the text were left alone; their spans are in `FileId(0)`
    /// and count in the text as it was.
    pub diagnostics: Vec<Diagnostic>,
}

/// Lays a text out. Line ends stay CRLF where the first one is, and a byte order mark stays too.
pub fn format(text: &str) -> Formatted {
    let bare = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let parse = syntax::parse(FileId(0), bare);
    let mut laid = segments::format(bare, &parse);
    let mut diagnostics = parse.diagnostics.clone();
    if !same::same(&parse, &syntax::parse(FileId(0), &laid)) {
        // Text with mistakes can be read in more than one way; sound text cannot.
        diagnostics.extend(parse.diagnostics.is_empty().then(|| bug(bare, &parse)));
        laid = bare.to_owned();
    }
    if bare.len() < text.len() {
        laid.insert(0, '\u{FEFF}');
    }
    Formatted { text: laid, diagnostics }
}

fn bug(text: &str, parse: &Parse) -> Diagnostic {
    let first = parse.ast.items.first().map_or(Span::new(FileId(0), 0, text.len().min(1)), |item| item.span);
    Diagnostic::new(codes::BUG, first, "this is a mistake in mtlc: formatting would change what the program says")
        .label("the text was left alone")
        .help("please report it with the program")
}
