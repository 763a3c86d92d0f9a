//! Examples in memory: for each field one flat array and offsets.

use super::spec::{DataSpec, FieldType};
use super::value::{FieldValue, decode};

/// The values of one field, end to end.
#[derive(Clone, Debug)]
pub struct Column {
    ty: FieldType,
    words: Vec<u32>,
    offsets: Vec<usize>,
    present: Vec<bool>,
}

impl Column {
    /// An empty column for values of this type.
    pub fn new(ty: &FieldType) -> Self {
        Self { ty: ty.clone(), words: Vec::new(), offsets: vec![0], present: Vec::new() }
    }

    /// A column for each field.
    pub fn all(spec: &DataSpec) -> Vec<Column> {
        spec.fields.iter().map(|f| Column::new(&f.ty)).collect()
    }

    /// Appends a value.
    pub fn push(&mut self, value: &FieldValue) {
        value.encode(&mut self.words);
        self.offsets.push(self.words.len());
        self.present.push(!value.is_missing());
    }

    /// The value of example `i`; [`FieldValue::Missing`] past the end.
    pub fn get(&self, i: usize) -> FieldValue {
        if !self.present.get(i).copied().unwrap_or(false) {
            return FieldValue::Missing;
        }
        decode(&self.ty, &self.words[self.offsets[i]..self.offsets[i + 1]])
    }

    /// Gives back the room that further values would have taken.
    pub fn shrink(&mut self) {
        self.words.shrink_to_fit();
        self.offsets.shrink_to_fit();
        self.present.shrink_to_fit();
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Only these values, in this order.
    pub fn select(&self, examples: &[u32]) -> Column {
        let mut out = Column::new(&self.ty);
        for &i in examples {
            let i = i as usize;
            out.words.extend_from_slice(&self.words[self.offsets[i]..self.offsets[i + 1]]);
            out.offsets.push(out.words.len());
            out.present.push(self.present[i]);
        }
        out
    }
}
