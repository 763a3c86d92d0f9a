//! Data files as lines: gzip by content, UTF-8 checked, byte order mark and CRLF accepted.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use crate::diagnostics::codes;

use super::fault::{Fault, Read};

/// A stream of bytes that may move between threads.
pub type Stream = Box<dyn BufRead + Send>;

enum Origin {
    Plain(BufReader<File>),
    Stream(Stream),
}

/// Bytes of a file that are read at once. An example that is read again takes as many, so they are
/// not more than reading in order needs to be fast.
const BUFFER: usize = 1 << 13;

/// A file, read line by line.
pub struct Lines {
    origin: Origin,
    shown: Arc<str>,
    buffer: Vec<u8>,
    line: u64,
    offset: u64,
    start: u64,
}

impl Lines {
    /// Opens a file; `shown` is how messages name it.
    pub fn open(path: &Path, shown: &str) -> Read<Self> {
        let unreadable = |e: std::io::Error| Fault::fatal(codes::DATA_FILE, format!("cannot read `{shown}`: {e}"));
        let file = File::open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => missing(path, shown),
            _ => unreadable(e),
        })?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(Fault::fatal(codes::DATA_FILE, format!("`{shown}` is a folder, and a file is needed"))
                .help("only `format: lines` reads a folder"));
        }
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let gzip = is_gzip(reader.fill_buf().map_err(unreadable)?);
        let origin = if gzip { Origin::Stream(unzip(reader)) } else { Origin::Plain(reader) };
        Ok(Self::new(origin, shown))
    }

    /// Reads from a stream that `shown` names.
    pub fn stream(mut stream: Stream, shown: &str) -> Read<Self> {
        let head =
            stream.fill_buf().map_err(|e| Fault::fatal(codes::DATA_FILE, format!("cannot read `{shown}`: {e}")))?;
        let origin = Origin::Stream(if is_gzip(head) { unzip(stream) } else { stream });
        Ok(Self::new(origin, shown))
    }

    fn new(origin: Origin, shown: &str) -> Self {
        Self { origin, shown: shown.into(), buffer: Vec::new(), line: 0, offset: 0, start: 0 }
    }

    /// The next line without its end; `None` at the end of the file.
    pub fn next(&mut self) -> Read<Option<&str>> {
        self.buffer.clear();
        self.start = self.offset;
        let read = match &mut self.origin {
            Origin::Plain(r) => r.read_until(b'\n', &mut self.buffer),
            Origin::Stream(r) => r.read_until(b'\n', &mut self.buffer),
        };
        let read = read.map_err(|e| {
            let text = format!("cannot read `{}` after line {}: {e}", self.shown, self.line);
            Fault::fatal(codes::DATA_FILE, text)
        })?;
        if read == 0 {
            return Ok(None);
        }
        self.offset += read as u64;
        self.line += 1;
        let mut bytes = self.buffer.as_slice();
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if self.start == 0 {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(e) => Err(not_utf8(&self.shown, self.line, e.valid_up_to(), bytes)),
        }
    }

    /// The number of the line last read, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The byte at which the line last read begins.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How messages name the file.
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// The size of the file, `None` where [`Lines::seek`] does not work.
    pub fn size(&self) -> Option<u64> {
        match &self.origin {
            Origin::Plain(r) => r.get_ref().metadata().ok().map(|m| m.len()),
            Origin::Stream(_) => None,
        }
    }

    /// Goes on reading at byte `offset`, which begins line `line`.
    pub fn seek(&mut self, offset: u64, line: u64) -> Read<()> {
        let fault =
            |e: &dyn std::fmt::Display| Fault::fatal(codes::DATA_FILE, format!("cannot read `{}`: {e}", self.shown));
        match &mut self.origin {
            // Within the buffer this moves, and nothing is read again.
            Origin::Plain(r) => r.seek_relative(offset.wrapping_sub(self.offset) as i64).map_err(|e| fault(&e))?,
            Origin::Stream(_) => return Err(fault(&"a compressed file has no places to return to")),
        };
        self.offset = offset;
        self.line = line.saturating_sub(1);
        Ok(())
    }

    /// How many lines are left that hold more than white space.
    pub fn count_rest(&mut self) -> usize {
        let mut left = 0;
        loop {
            match self.next() {
                Ok(None) => return left,
                Ok(Some(line)) => left += usize::from(!line.trim().is_empty()),
                Err(fault) if fault.fatal => return left,
                Err(_) => left += 1,
            }
        }
    }
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

fn unzip(reader: impl BufRead + Send + 'static) -> Stream {
    Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader)))
}

fn not_utf8(shown: &str, line: u64, at: usize, bytes: &[u8]) -> Fault {
    let byte = bytes.get(at).copied().unwrap_or(0);
    let text = format!("`{shown}` line {line}: byte {} (0x{byte:02X}) is not UTF-8", at + 1);
    let mut fault = Fault::example(text).help("save the file as UTF-8");
    fault.code = codes::DATA_ENCODING;
    fault
}

/// The fault for a file that is not there, with what stands beside it.
pub fn missing(path: &Path, shown: &str) -> Fault {
    let fault = Fault::fatal(codes::DATA_FILE, format!("cannot find `{shown}`"));
    let wanted = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.parent().map(names_in).unwrap_or_default();
    match super::fault::nearest(&wanted, beside.iter().map(String::as_str)) {
        Some(name) => fault.help(format!("there is a `{name}` in the same folder")),
        None => fault.help("paths are relative to the `.mtl` file, or to `--data DIR`"),
    }
}

/// The names in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
