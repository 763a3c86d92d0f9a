//! What codespan-reporting asks of a [`SourceMap`].

use std::fmt;
use std::ops::Range;
use std::path::Path;

use codespan_reporting::files::{Error, Files};

use crate::source::{FileId, SourceMap};

/// A path as it is shown.
pub struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl<'a> Files<'a> for SourceMap {
    type FileId = FileId;
    type Name = Shown<'a>;
    type Source = &'a str;

    fn name(&'a self, id: FileId) -> Result<Shown<'a>, Error> {
        Ok(Shown(&self.file(id).path))
    }

    fn source(&'a self, id: FileId) -> Result<&'a str, Error> {
        Ok(&self.file(id).text)
    }

    fn line_index(&'a self, id: FileId, byte: usize) -> Result<usize, Error> {
        Ok(self.place(id, byte as u32).line as usize)
    }

    fn line_range(&'a self, id: FileId, line: usize) -> Result<Range<usize>, Error> {
        self.line_range(id, line as u32).ok_or(Error::LineTooLarge { given: line, max: line })
    }
}
