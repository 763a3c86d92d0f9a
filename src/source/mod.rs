//! Source texts: files, byte spans and the conversions from bytes to lines.
//!
//! Every later phase speaks of places as [`Span`]s; only renderings of diagnostics turn them
//! into lines and columns, through the one [`line_index::LineIndex`] of each file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use line_index::{LineIndex, TextSize, WideEncoding};
use serde::{Deserialize, Serialize};

/// A file in a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file the range lies in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span of `file` from byte `start` up to byte `end`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that covers both (of the same file).
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether all of `other` lies inside.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// The bytes as a range.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A place as people and editors count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 0.
    pub line: u32,
    /// Column in Unicode scalar values, from 0.
    pub column: u32,
    /// Column in UTF-16 code units, from 0, as the Language Server Protocol counts.
    pub utf16: u32,
    /// Byte offset in the file.
    pub offset: u32,
}

/// One file's text.
#[derive(Debug)]
pub struct SourceFile {
    /// Path as the user gave it, or as a `use` resolved it.
    pub path: PathBuf,
    /// The text, without a byte order mark.
    pub text: Arc<str>,
    lines: LineIndex,
}

/// All files of a compilation.
#[derive(Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text and returns its id. A leading byte order mark is dropped.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: &str) -> FileId {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let file = SourceFile { path: path.into(), text: text.into(), lines: LineIndex::new(text) };
        self.files.push(file);
        FileId(self.files.len() as u32 - 1)
    }

    /// The file with this id.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Whether a file of this id is there.
    pub fn has(&self, id: FileId) -> bool {
        (id.0 as usize) < self.files.len()
    }

    /// All files, in the order they were added.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }

    /// The text a span covers.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.range()).unwrap_or("")
    }

    /// The bytes of a line, counted from 0, with its line break.
    pub fn line_range(&self, file: FileId, line: u32) -> Option<std::ops::Range<usize>> {
        self.file(file).lines.line(line).map(std::ops::Range::from)
    }

    /// Where a byte of a file is; offsets past the end, or inside a character, are moved back.
    pub fn place(&self, file: FileId, offset: u32) -> Place {
        let file = self.file(file);
        let mut at = (offset as usize).min(file.text.len());
        while !file.text.is_char_boundary(at) {
            at -= 1;
        }
        let start = file.lines.line_col(TextSize::new(at as u32));
        let wide = file.lines.to_wide(WideEncoding::Utf16, start);
        let line_start = at - start.col as usize;
        let column = file.text[line_start..at].chars().count() as u32;
        Place { line: start.line, column, utf16: wide.map_or(column, |w| w.col), offset: at as u32 }
    }
}

/// Where texts come from: the disk, an editor's buffers, or memory in tests.
pub trait Loader {
    /// Reads the text at `path`.
    fn load(&self, path: &Path) -> io::Result<String>;
}

/// A function that gives texts is a loader.
impl<F: Fn(&Path) -> io::Result<String>> Loader for F {
    fn load(&self, path: &Path) -> io::Result<String> {
        self(path)
    }
}

/// Reads from the disk; a file that is not UTF-8 is an error that says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Loader for Disk {
    fn load(&self, path: &Path) -> io::Result<String> {
        let bytes = std::fs::read(path)?;
        String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            io::Error::new(io::ErrorKind::InvalidData, format!("byte {at} is not UTF-8"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_utf16_units() {
        let mut map = SourceMap::new();
        let id = map.add("a.mtl", "\u{FEFF}感情 😀 x\nnext");
        let x = map.file(id).text.find('x').unwrap() as u32;
        let place = map.place(id, x);
        assert_eq!((place.line, place.column, place.utf16), (0, 5, 6));
        let end = map.file(id).text.len() as u32;
        assert_eq!(map.place(id, end + 9).line, 1);
    }
}
