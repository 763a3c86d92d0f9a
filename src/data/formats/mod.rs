//! File formats: one file each, registered in [`FORMATS`].

pub mod conll;
pub mod conllu;
pub mod csv;
pub mod jsonl;
pub mod lines;
pub mod text;
pub mod tsv;

use std::path::PathBuf;

use crate::diagnostics::codes;

use super::fault::{Fault, Read};
use super::file::{Lines, Stream};
use super::spec::{DataSpec, Format, Source};

/// A column of cells, stored end to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    /// Appends a cell.
    pub fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    /// The cells in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.ends.iter().scan(0, |start, &end| {
            let cell = self.text.get(*start..end).unwrap_or("");
            *start = end;
            Some(cell)
        })
    }
}

/// What a file holds for one source of one field, before its type is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// There is nothing.
    Absent,
    /// A string.
    Text(String),
    /// A cell for each row of the example.
    Column(Cells),
    /// A JSON value.
    Json(serde_json::Value),
}

/// One example as the file has it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The line it begins at, from 1.
    pub line: u64,
    /// The byte it begins at, in each file that the reader reads at once.
    pub at: Vec<u64>,
    /// What the file holds for each source of each field.
    pub values: Vec<Vec<Raw>>,
}

/// A reader of one file (or one set of parallel files).
pub trait Records: Send {
    /// The next example; `None` at the end. After a fault that is not fatal, reading goes on.
    fn next(&mut self) -> Read<Option<Record>>;

    /// The files that are read.
    fn files(&self) -> &[Lines];

    /// The files that are read.
    fn files_mut(&mut self) -> &mut [Lines];

    /// How messages name the file of a field.
    fn shown(&self, _field: usize) -> &str {
        self.files().first().map_or("", |f| f.shown())
    }

    /// Goes on reading at an example that [`Records::next`] gave before.
    fn seek(&mut self, at: &[u64], line: u64) -> Read<()> {
        self.files_mut().iter_mut().zip(at).try_for_each(|(file, &at)| file.seek(at, line))
    }

    /// The bytes of the files, `None` where [`Records::seek`] does not work.
    fn size(&self) -> Option<u64> {
        self.files().iter().map(Lines::size).sum()
    }
}

/// Where a reader reads.
pub enum From {
    /// A path, and how messages name it.
    Path(PathBuf, String),
    /// A stream, and how messages name it.
    Stream(Stream, String),
}

impl From {
    /// The lines of the one file that it is.
    pub fn lines(self) -> Read<Lines> {
        match self {
            From::Path(path, shown) => Lines::open(&path, &shown),
            From::Stream(stream, shown) => Lines::stream(stream, &shown),
        }
    }
}

/// What a reader has to read.
pub struct Input<'a> {
    /// The declaration.
    pub spec: &'a DataSpec,
    /// The file.
    pub from: From,
    /// Columns that the file lacks are labels that are not there, as at prediction.
    pub lenient: bool,
}

/// A format of the table.
pub struct Entry {
    /// Its name in a program.
    pub name: &'static str,
    /// Whether it is the format declared.
    pub is: fn(&Format) -> bool,
    /// Opens a file.
    pub open: fn(Input<'_>) -> Read<Box<dyn Records>>,
}

/// Every format that this build reads.
pub const FORMATS: &[Entry] =
    &[lines::ENTRY, conll::ENTRY, conllu::ENTRY, jsonl::ENTRY, csv::ENTRY, tsv::ENTRY, text::ENTRY];

/// Opens a file in the format that the declaration names.
pub fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    match FORMATS.iter().find(|e| (e.is)(&input.spec.format)) {
        Some(entry) => (entry.open)(input),
        None => Err(unread(&input.spec.format)),
    }
}

/// The fault for a format that is checked but not read.
pub fn unread(format: &Format) -> Fault {
    let name = if matches!(format, Format::Squad) { "squad" } else { "parquet" };
    let readable = FORMATS.iter().map(|e| e.name).collect::<Vec<_>>().join(", ");
    Fault::fatal(codes::NOT_RUN_YET, format!("this build does not read the format '{name}'"))
        .help(format!("convert the data to one of {readable}"))
}

/// The sources of a field by number or name, none for a field made from others.
pub fn sources(spec: &DataSpec) -> Vec<Vec<Source>> {
    let of = |f: &super::spec::FieldSpec| match (&f.template, f.sources.is_empty()) {
        (Some(_), _) => Vec::new(),
        (None, true) => vec![Source::Name(f.name.clone())],
        (None, false) => f.sources.clone(),
    };
    spec.fields.iter().map(of).collect()
}
