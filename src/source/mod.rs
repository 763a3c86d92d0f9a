//! Source texts: files, byte spans and the conversions from bytes to lines.
//!
//! Every later phase speaks of places as [`Span`]s; only renderings of diagnostics turn them
//! into lines and columns, through the one [`line_index::LineIndex`] of each file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use line_index::{LineIndex, TextSize, WideEncoding, WideLineCol};
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

impl SourceFile {
    /// A text with its lines. A leading byte order mark is dropped.
    pub fn new(path: impl Into<PathBuf>, text: &str) -> Self {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        Self { path: path.into(), text: text.into(), lines: LineIndex::new(text) }
    }

    /// Where a byte is; offsets past the end, or inside a character, are moved back.
    pub fn place(&self, offset: u32) -> Place {
        let at = self.boundary(offset as usize);
        let start = self.lines.line_col(TextSize::new(at as u32));
        let wide = self.lines.to_wide(WideEncoding::Utf16, start);
        let line_start = at - start.col as usize;
        let column = self.text[line_start..at].chars().count() as u32;
        Place { line: start.line, column, utf16: wide.map_or(column, |w| w.col), offset: at as u32 }
    }

    /// The byte at a line and a column in UTF-16 code units. What lies past the end of its line,
    /// past the last line, or inside a character is moved back.
    pub fn offset(&self, line: u32, utf16: u32) -> u32 {
        let Some(range) = self.lines.line(line) else { return self.text.len() as u32 };
        let range = std::ops::Range::<usize>::from(range);
        let width = self.text[range.clone()].trim_end_matches(['\n', '\r']).len();
        let wide = WideLineCol { line, col: utf16 };
        let place = self.lines.to_utf8(WideEncoding::Utf16, wide).and_then(|p| self.lines.offset(p));
        let at = place.map_or(range.end, usize::from).clamp(range.start, range.start + width);
        self.boundary(at) as u32
    }

    fn boundary(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
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
        self.files.push(SourceFile::new(path, text));
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

    /// The file of this path.
    pub fn find(&self, path: &Path) -> Option<FileId> {
        self.files().find(|(_, f)| f.path == path).map(|(id, _)| id)
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
        self.file(file).place(offset)
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

    #[test]
    fn utf16_columns_become_bytes_and_strays_are_moved_back() {
        let file = SourceFile::new("a.mtl", "感情 😀 x\r\nnext");
        assert_eq!(file.offset(0, 6) as usize, file.text.find('x').unwrap());
        assert_eq!(file.offset(0, 3), 7, "the first half of the smiley");
        assert_eq!(file.offset(0, 4), 7, "inside of the smiley");
        assert_eq!(file.offset(0, 99) as usize, file.text.find('\r').unwrap());
        assert_eq!(file.offset(1, 2) as usize, file.text.find("xt").unwrap());
        assert_eq!(file.offset(9, 0) as usize, file.text.len());
        for at in 0..=file.text.len() as u32 {
            let place = file.place(at);
            if place.offset == at && !file.text[..at as usize].ends_with('\r') {
                assert_eq!(file.offset(place.line, place.utf16), at);
            }
        }
    }
}
