//! Where the examples of a split are kept: in memory, or in their files for a very large one.

use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostics::codes;

use super::column::Column;
use super::fault::{Fault, Read};
use super::formats::{Record, Records};
use super::parse::Parser;
use super::places::Places;
use super::value::FieldValue;

/// A reader that several splits may return to.
pub type Shared = Arc<Vec<Mutex<Box<dyn Records>>>>;

/// The examples of one split.
#[derive(Clone)]
pub struct Stored {
    store: Store,
    /// Tokens of each example: those of its longest text field.
    lengths: Vec<u32>,
    /// Which reader each example is from.
    reader: Places,
    /// The line that each begins at.
    line: Places,
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
    /// The byte that each begins at, in each file of its reader.
    at: Vec<Places>,
}

impl Stored {
    fn new(store: Store) -> Self {
        Self { store, lengths: Vec::new(), reader: Places::default(), line: Places::default() }
    }

    /// An empty split in memory.
    pub fn memory(columns: Vec<Column>) -> Self {
        Self::new(Store::Memory(columns))
    }

    /// An empty split that only remembers where its examples are.
    pub fn indexed(readers: Shared, parser: Arc<Parser>) -> Self {
        Self::new(Store::Indexed(Index::new(readers, parser)))
    }

    /// Appends an example that reader `reader` gave.
    pub fn push(&mut self, reader: usize, record: &Record, values: &[FieldValue]) {
        self.lengths.push(length(values));
        self.reader.push(reader as u64);
        self.line.push(record.line);
        match &mut self.store {
            Store::Memory(columns) => columns.iter_mut().zip(values).for_each(|(c, v)| c.push(v)),
            Store::Indexed(index) => {
                index.push(|file| record.at.get(file).copied().unwrap_or(0));
            }
        }
    }

    /// Gives a field of every example in memory another value; in files it is read as it should be.
    pub fn change(&mut self, field: usize, change: impl FnMut(FieldValue) -> FieldValue) {
        if let Store::Memory(columns) = &mut self.store {
            columns[field] = columns[field].map(change);
        }
    }

    /// Takes the lengths of the examples anew.
    pub fn measure(&mut self) -> Read<()> {
        self.lengths = (0..self.len()).map(|i| self.example(i).map(|values| length(&values))).collect::<Read<_>>()?;
        Ok(())
    }

    /// Gives words and labels other numbers: `numbers` has the new one of each.
    pub fn renumber(&mut self, numbers: &[u32]) {
        if let Store::Memory(columns) = &mut self.store {
            columns.iter_mut().for_each(|column| column.renumber(numbers));
        }
    }

    /// Gives back the room that further examples would have taken.
    pub fn shrink(&mut self) {
        self.lengths.shrink_to_fit();
        [&mut self.reader, &mut self.line].into_iter().for_each(Places::shrink);
        match &mut self.store {
            Store::Memory(columns) => columns.iter_mut().for_each(Column::shrink),
            Store::Indexed(index) => index.at.iter_mut().for_each(Places::shrink),
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

    /// The reader and the line that an example is from.
    pub fn origin(&self, i: usize) -> (usize, u64) {
        (self.reader.get(i) as usize, self.line.get(i))
    }

    /// The fields of an example.
    pub fn example(&self, i: usize) -> Read<Vec<FieldValue>> {
        if i >= self.len() {
            return Err(Fault::fatal(codes::BUG, format!("there is no example {i} among {}", self.len())));
        }
        match &self.store {
            Store::Memory(columns) => Ok(columns.iter().map(|c| c.get(i)).collect()),
            Store::Indexed(index) => index.example(i, self.origin(i)),
        }
    }

    /// Only these examples, in this order.
    pub fn select(&self, examples: &[u32]) -> Stored {
        let store = match &self.store {
            Store::Memory(columns) => Store::Memory(columns.iter().map(|c| c.select(examples)).collect()),
            Store::Indexed(index) => {
                let mut some = Index::new(index.readers.clone(), index.parser.clone());
                for i in examples.iter().map(|i| *i as usize) {
                    some.push(|file| index.at[file].get(i));
                }
                Store::Indexed(some)
            }
        };
        let mut some = Self::new(store);
        for i in examples.iter().map(|i| *i as usize) {
            some.lengths.push(self.lengths[i]);
            some.reader.push(self.reader.get(i));
            some.line.push(self.line.get(i));
        }
        some
    }
}

/// Tokens of an example: those of its longest text field.
fn length(values: &[FieldValue]) -> u32 {
    values.iter().map(FieldValue::tokens).max().unwrap_or(0) as u32
}

fn lock(reader: &Mutex<Box<dyn Records>>) -> std::sync::MutexGuard<'_, Box<dyn Records>> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    fn new(readers: Shared, parser: Arc<Parser>) -> Self {
        let files = readers.iter().map(|r| lock(r).files().len()).max().unwrap_or(0);
        Self { readers, parser, at: vec![Places::default(); files] }
    }

    fn push(&mut self, at: impl Fn(usize) -> u64) {
        self.at.iter_mut().enumerate().for_each(|(file, places)| places.push(at(file)));
    }

    fn example(&self, i: usize, (reader, line): (usize, u64)) -> Read<Vec<FieldValue>> {
        let at: Vec<u64> = self.at.iter().map(|places| places.get(i)).collect();
        let mut reader = lock(&self.readers[reader]);
        reader.seek(&at, line)?;
        let changed = || Fault::fatal(codes::DATA_FILE, "a data file changed while it was read");
        let record = reader.next()?.ok_or_else(changed)?;
        self.parser.parse(&record).map_err(|f| {
            let shown = reader.shown(f.field.unwrap_or(0)).to_owned();
            f.at(&shown, record.line)
        })
    }
}
