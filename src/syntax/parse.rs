//! From a text to a [`Parse`].

use pest::Parser;
use pest::error::InputLocation;
use rustc_hash::FxHashSet;

use super::ast;
use super::build::{Builder, Source};
use super::docs;
use super::grammar::{MtlParser, Rule};
use super::lexer::{Kind, Lexed, lex};
use super::{nesting, pieces};
use crate::diagnostics::{Diagnostic, codes};
use crate::source::{FileId, Span};

/// A comment; the formatter puts it back where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// From its first slash to the end of the line.
    pub span: Span,
    /// What follows the slashes, without the first blank and those at the end.
    pub text: String,
    /// Whether it begins with exactly three slashes.
    pub doc: bool,
}

/// What a text says, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Parse {
    /// The file.
    pub file: FileId,
    /// All that parsed.
    pub ast: ast::File,
    /// All comments, in order.
    pub trivia: Vec<Comment>,
    /// Names in slices that did not parse. They count as declared and as used, so that one
    /// mistake is reported once.
    pub tolerated: FxHashSet<String>,
    /// Syntax errors, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file. Whatever the text is, this gives a tree of what could be read.
pub fn parse(file: FileId, text: &str) -> Parse {
    let lexed = lex(text);
    let trivia = docs::comments(file, text, &lexed);
    if let Some(token) = nesting::too_deep(text, &lexed) {
        let problem = too_deep(Span::new(file, token.start, token.end));
        return unreadable(file, text, &lexed, trivia, problem);
    }
    let docs = docs::attach(text, &lexed, &trivia);
    let blanked = lexed.blanked(text);
    let source = Source { file, text, blanked: &blanked, lexed: &lexed, docs: &docs };
    if let Some(items) = pieces::items(source) {
        let ast = ast::File { docs: docs.file.clone(), items };
        return Parse { file, ast, trivia, ..Parse::default() };
    }
    match MtlParser::parse(Rule::file, &blanked) {
        Ok(pairs) => {
            let mut builder = Builder::new(source);
            let items = builder.file(pairs);
            let ast = ast::File { docs: docs.file.clone(), items };
            let mut diagnostics = builder.diagnostics;
            diagnostics.sort_by_key(|d| d.span.map(|s| (s.start, s.end)));
            Parse { file, ast, trivia, tolerated: builder.tolerated, diagnostics }
        }
        // The islands leave nothing over, so this is pest running out of stack.
        Err(error) => {
            let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
            unreadable(file, text, &lexed, trivia, too_deep(Span::new(file, at, at)))
        }
    }
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(codes::TOO_DEEP, span, "this nests too deeply")
        .label("too deep here")
        .help("give the inner parts names of their own with `let`")
}

/// A file of which nothing could be read: all its names are tolerated.
fn unreadable(file: FileId, text: &str, lexed: &Lexed, trivia: Vec<Comment>, problem: Diagnostic) -> Parse {
    let words = lexed.tokens.iter().filter(|t| t.kind == Kind::Word);
    let tolerated = words.map(|t| t.text(text).to_owned()).collect();
    Parse { file, ast: ast::File::default(), trivia, tolerated, diagnostics: vec![problem] }
}
