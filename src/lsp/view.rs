//! A file as a request sees it: its text, and the program that it is part of.

use gen_lsp_types::{Location, Position, Range};

use super::documents::Document;
use super::workspace::{Program, Workspace};
use crate::sema::known::Known;
use crate::sema::references::References;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::Parse;

/// An open file in its program.
pub struct View<'w> {
    /// All open texts.
    pub workspace: &'w Workspace,
    /// The text.
    pub document: &'w Document,
    /// Its program.
    pub program: &'w Program,
    /// Which file of the program it is.
    pub file: FileId,
}

impl<'w> View<'w> {
    /// All texts of the program.
    pub fn sources(&self) -> &'w SourceMap {
        &self.program.checked.sources
    }

    /// The text.
    pub fn text(&self) -> &'w str {
        &self.sources().file(self.file).text
    }

    /// What names mean.
    pub fn references(&self) -> &'w References {
        self.program.checked.references()
    }

    /// Types and parameters.
    pub fn known(&self) -> &'w Known {
        &self.program.checked.known
    }

    /// The tree.
    pub fn parse(&self) -> Option<&'w Parse> {
        self.program.checked.files.iter().find(|f| f.file == self.file)
    }

    /// The byte at a position; what lies outside of the text is moved into it.
    pub fn offset(&self, at: Position) -> u32 {
        self.sources().file(self.file).offset(at.line, at.character)
    }

    /// The bytes of a range.
    pub fn span(&self, range: Range) -> Span {
        let (start, end) = (self.offset(range.start), self.offset(range.end));
        Span { file: self.file, start, end: end.max(start) }
    }

    /// The range of a span.
    pub fn range(&self, span: Span) -> Range {
        range(self.sources(), span)
    }

    /// The file and range of a span.
    pub fn location(&self, span: Span) -> Option<Location> {
        location(self.workspace, self.sources(), span)
    }
}

/// The position of a byte.
pub fn position(sources: &SourceMap, file: FileId, offset: u32) -> Position {
    let place = sources.place(file, offset);
    Position { line: place.line, character: place.utf16 }
}

/// The range of a span.
pub fn range(sources: &SourceMap, span: Span) -> Range {
    Range { start: position(sources, span.file, span.start), end: position(sources, span.file, span.end) }
}

/// The file and range of a span.
pub fn location(workspace: &Workspace, sources: &SourceMap, span: Span) -> Option<Location> {
    let uri = workspace.documents.uri_of(&sources.file(span.file).path)?;
    Some(Location { uri, range: range(sources, span) })
}
