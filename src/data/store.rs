//! Where the examples of a split are kept: in memory, or in their files for a very large one.

use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostics::codes;

use super::column::Column;
use super::fault::{Fault, Read};
use super::formats::{Record, Records};
use super::parse::Parser;
use super::value::FieldValue;

/// A reader that several splits may return to.
pub type Shared = Arc<Vec<Mutex<Box<dyn Records>>>>;

/// The examples of one split.
#[derive(Clone)]
pub struct Stored {
    store: Store,
    /// Tokens of each example: those of its longest text field.
    lengths: Vec<u32>,
}

#[derive(Clone)]
enum Store {
    Memory(Vec<Column>),
    Indexed(Index),
}

/// The places of examples in their files; they are parsed when asked for.
#[derive(Clone)]
pub struct Index {
    readers: Shared,
    parser: Arc<Parser>,
    /// For each example: its reader, its line, and its byte in each file of the reader.
    places: Vec<u64>,
    width: usize,
}

impl Stored {
    /// An empty split in memory.
    pub fn memory(columns: Vec<Column>) -> Self {
        Self { store: Store::Memory(columns), lengths: Vec::new() }
    }

    /// An empty split that only remembers where its examples are.
    pub fn indexed(readers: Shared, parser: Arc<Parser>) -> Self {
        let width = readers.iter().map(|r| lock(r).files().len()).max().unwrap_or(0);
        let index = Index { readers, parser, places: Vec::new(), width: width + 2 };
        Self { store: Store::Indexed(index), lengths: Vec::new() }
    }

    /// Appends an example that reader `reader` gave.
    pub fn push(&mut self, reader: usize, record: &Record, values: &[FieldValue]) {
        self.lengths.push(values.iter().map(FieldValue::tokens).max().unwrap_or(0) as u32);
        match &mut self.store {
            Store::Memory(columns) => columns.iter_mut().zip(values).for_each(|(c, v)| c.push(v)),
            Store::Indexed(index) => {
                let start = index.places.len();
                index.places.extend([reader as u64, record.line]);
                index.places.extend(&record.at);
                index.places.resize(start + index.width, 0);
            }
        }
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Tokens of each example.
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// Whether the examples stay in their files.
    pub fn is_indexed(&self) -> bool {
        matches!(self.store, Store::Indexed(_))
    }

    /// The fields of an example.
    pub fn example(&self, i: usize) -> Read<Vec<FieldValue>> {
        if i >= self.len() {
            return Err(Fault::fatal(codes::BUG, format!("there is no example {i} among {}", self.len())));
        }
        match &self.store {
            Store::Memory(columns) => Ok(columns.iter().map(|c| c.get(i)).collect()),
            Store::Indexed(index) => index.example(i),
        }
    }

    /// Only these examples, in this order.
    pub fn select(&self, examples: &[u32]) -> Stored {
        let lengths = examples.iter().map(|&i| self.lengths[i as usize]).collect();
        let store = match &self.store {
            Store::Memory(columns) => Store::Memory(columns.iter().map(|c| c.select(examples)).collect()),
            Store::Indexed(index) => {
                let place = |&i: &u32| index.place(i as usize).iter().copied();
                let places = examples.iter().flat_map(place).collect();
                Store::Indexed(Index { places, ..index.clone() })
            }
        };
        Stored { store, lengths }
    }
}

fn lock(reader: &Mutex<Box<dyn Records>>) -> std::sync::MutexGuard<'_, Box<dyn Records>> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    fn place(&self, i: usize) -> &[u64] {
        &self.places[i * self.width..(i + 1) * self.width]
    }

    fn example(&self, i: usize) -> Read<Vec<FieldValue>> {
        let place = self.place(i);
        let (line, at) = (place[1], &place[2..]);
        let mut reader = lock(&self.readers[place[0] as usize]);
        reader.seek(at, line)?;
        let changed = || Fault::fatal(codes::DATA_FILE, "a data file changed while it was read");
        let record = reader.next()?.ok_or_else(changed)?;
        self.parser.parse(&record).map_err(|f| {
            let shown = reader.shown(f.field.unwrap_or(0)).to_owned();
            f.at(&shown, record.line)
        })
    }
}
