//! The texts that are open in the editor, and the disk behind them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use gen_lsp_types::{TextDocumentContentChangeEvent as Change, Uri};

use crate::sema::analysis::plain;
use crate::source::{Disk, Loader, SourceFile};

/// An open text.
#[derive(Debug)]
pub struct Document {
    /// Its name, as the editor writes it.
    pub uri: Uri,
    /// Counts its changes.
    pub version: i32,
    /// The text.
    pub text: SourceFile,
}

/// All open texts.
#[derive(Debug, Default)]
pub struct Documents {
    open: BTreeMap<PathBuf, Document>,
}

/// The path of a document; one that is no file has its URI as its path.
pub fn path_of(uri: &Uri) -> PathBuf {
    let file = (uri.scheme() == "file").then(|| uri.to_file_path().ok()).flatten();
    file.map_or_else(|| PathBuf::from(uri.as_str()), |path| plain(&path))
}

impl Documents {
    /// Opens a text.
    pub fn open(&mut self, uri: Uri, version: i32, text: &str) -> PathBuf {
        let path = path_of(&uri);
        let text = SourceFile::new(&path, text);
        self.open.insert(path.clone(), Document { uri, version, text });
        path
    }

    /// Applies changes in their order; `None` for a text that is not open.
    pub fn change(&mut self, uri: &Uri, version: i32, changes: &[Change]) -> Option<PathBuf> {
        let path = path_of(uri);
        let document = self.open.get_mut(&path)?;
        document.version = version;
        for change in changes {
            document.text = SourceFile::new(&path, &changed(&document.text, change));
        }
        Some(path)
    }

    /// Closes a text.
    pub fn close(&mut self, uri: &Uri) -> Option<PathBuf> {
        let path = path_of(uri);
        self.open.remove(&path).map(|_| path)
    }

    /// The open text of a path.
    pub fn get(&self, path: &Path) -> Option<&Document> {
        self.open.get(path)
    }

    /// The paths of open texts, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.open.keys()
    }

    /// How the editor names a file.
    pub fn uri_of(&self, path: &Path) -> Option<Uri> {
        if let Some(document) = self.get(path) {
            return Some(document.uri.clone());
        }
        Uri::from_file_path(path).ok().or_else(|| Uri::parse(path.to_str()?).ok())
    }
}

fn changed(text: &SourceFile, change: &Change) -> String {
    match change {
        Change::TextDocumentContentChangeWholeDocument(whole) => whole.text.clone(),
        Change::TextDocumentContentChangePartial(part) => {
            let start = text.offset(part.range.start.line, part.range.start.character) as usize;
            let end = text.offset(part.range.end.line, part.range.end.character) as usize;
            let mut new = text.text.to_string();
            new.replace_range(start..end.max(start), &part.text);
            new
        }
    }
}

/// Loads open texts, and from the disk what is not open; remembers what was asked for.
pub struct Buffers<'d> {
    documents: &'d Documents,
    /// The files that were asked for, also those that are not there.
    pub asked: RefCell<BTreeSet<PathBuf>>,
}

impl<'d> Buffers<'d> {
    /// Over these texts.
    pub fn new(documents: &'d Documents) -> Self {
        Self { documents, asked: RefCell::default() }
    }
}

impl Loader for Buffers<'_> {
    fn load(&self, path: &Path) -> io::Result<String> {
        self.asked.borrow_mut().insert(path.to_path_buf());
        match self.documents.get(path) {
            Some(document) => Ok(document.text.text.to_string()),
            None => Disk.load(path),
        }
    }
}
