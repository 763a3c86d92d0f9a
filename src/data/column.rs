//! Examples in memory: for each field one flat array and offsets.

use super::spec::{DataSpec, FieldType};
use super::value::{FieldValue, MISSING, decode, word_places};

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

    /// The same with other values.
    pub fn map(&self, mut change: impl FnMut(FieldValue) -> FieldValue) -> Column {
        let mut out = Column::new(&self.ty);
        (0..self.len()).for_each(|i| out.push(&change(self.get(i))));
        out.shrink();
        out
    }

    /// Gives its words and labels other numbers: `numbers` has the new one of each.
    pub fn renumber(&mut self, numbers: &[u32]) {
        let Self { ty, words, offsets, .. } = self;
        for ends in offsets.windows(2) {
            for word in word_places(ty, &mut words[ends[0]..ends[1]]).filter(|word| **word != MISSING) {
                *word = numbers[*word as usize];
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::spec::Tokens;
    use crate::data::value::{Labelled, Node, Range, Relation};

    fn text() -> FieldType {
        FieldType::Text { lower: false, tokens: Tokens::Space, max: None }
    }

    #[test]
    fn words_and_labels_get_other_numbers_and_nothing_else() {
        let along = || String::from("x");
        let range = Range { member: 1, start: 0, end: 1 };
        let label = |label| Labelled { range, label };
        let pair = |label| Relation { head: 1, tail: 0, label };
        let node = |head, label| Node { head, label };
        let texts = FieldType::Texts { of: None, lower: false, tokens: Tokens::Space, max: None };
        use FieldValue as V;
        let cases = [
            (text(), V::Text(vec![0, 1, 2]), V::Text(vec![7, 8, 9])),
            (texts, V::Texts(vec![vec![1], vec![], vec![0, 1]]), V::Texts(vec![vec![8], vec![], vec![7, 8]])),
            (FieldType::Class, V::Class(2), V::Class(9)),
            (FieldType::Labels { separator: ",".into() }, V::Labels(vec![2, 0]), V::Labels(vec![9, 7])),
            (FieldType::Tags(along()), V::Tags(vec![1, MISSING, 2]), V::Tags(vec![8, MISSING, 9])),
            (FieldType::Spans(along()), V::Spans(vec![label(1), label(2)]), V::Spans(vec![label(8), label(9)])),
            (FieldType::Relations(along()), V::Relations(vec![pair(0)]), V::Relations(vec![pair(7)])),
            (FieldType::Tree(along()), V::Tree(vec![node(1, 2), node(0, 0)]), V::Tree(vec![node(1, 9), node(0, 7)])),
            (FieldType::Choice(along()), V::Choice(1), V::Choice(1)),
            (FieldType::Number, V::Number(1.5), V::Number(1.5)),
            (FieldType::Vector(2), V::Vector(vec![0.5, 2.0]), V::Vector(vec![0.5, 2.0])),
            (FieldType::Span(along()), V::Span(range), V::Span(range)),
            (FieldType::Clusters(along()), V::Clusters(vec![vec![range]]), V::Clusters(vec![vec![range]])),
        ];
        for (ty, before, after) in cases {
            let mut column = Column::new(&ty);
            [&V::Missing, &before, &V::Missing, &before].into_iter().for_each(|v| column.push(v));
            column.renumber(&[7, 8, 9]);
            column.shrink();
            assert_eq!((column.get(1), column.get(3)), (after.clone(), after));
            assert_eq!((column.get(0), column.len()), (V::Missing, 4));
        }
    }
}
