//! How the places of a packed value group into examples.

use std::ops::Range;
use std::sync::Arc;

/// Offsets of segments: segment `i` covers rows `offsets[i]..offsets[i + 1]`; the first is 0.
pub type Offsets = Arc<[u32]>;

/// Builds offsets from the length of each segment.
pub fn offsets_of(lengths: impl IntoIterator<Item = usize>) -> Offsets {
    let mut at = 0u32;
    let mut offsets = vec![0];
    for length in lengths {
        at += length as u32;
        offsets.push(at);
    }
    offsets.into()
}

/// The rows of a value: `batch` examples, split by each level in turn.
///
/// `atis[64]` has no level, `atis[utterance, 64]` one (examples into tokens), and
/// `squad[passages, passages.tokens, 64]` two (examples into passages, passages into tokens).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Examples in the batch.
    pub batch: usize,
    /// Offsets of each level, from the outermost in. Level 0 has `batch` segments.
    pub levels: Vec<Offsets>,
}

impl Rows {
    /// One row for each example.
    pub fn examples(batch: usize) -> Self {
        Self { batch, levels: Vec::new() }
    }

    /// Rows along one axis below the examples.
    pub fn along(offsets: Offsets) -> Self {
        Self { batch: offsets.len() - 1, levels: vec![offsets] }
    }

    /// The number of rows.
    pub fn places(&self) -> usize {
        self.levels.last().map_or(self.batch, |o| o.last().copied().unwrap_or(0) as usize)
    }

    /// Offsets of the innermost level, when there is one.
    pub fn inner(&self) -> Option<&Offsets> {
        self.levels.last()
    }

    /// The rows one level further out: what pooling the innermost axis leaves.
    pub fn outer(&self) -> Rows {
        let mut outer = self.clone();
        outer.levels.pop();
        outer
    }

    /// For each row, the row of `outer` (a prefix of these levels) that it belongs to.
    pub fn parents(&self, outer: &Rows) -> Vec<u32> {
        let mut parents: Vec<u32> = (0..outer.places() as u32).collect();
        for offsets in &self.levels[outer.levels.len()..] {
            let mut next = Vec::with_capacity(offsets.last().copied().unwrap_or(0) as usize);
            for (segment, parent) in parents.iter().enumerate() {
                let count = offsets[segment + 1] - offsets[segment];
                next.extend(std::iter::repeat_n(*parent, count as usize));
            }
            parents = next;
        }
        parents
    }

    /// The rows of several batches, one after another; all have the same depth.
    pub fn join(parts: &[&Rows]) -> Rows {
        let depth = parts.iter().map(|part| part.levels.len()).min().unwrap_or_default();
        let lengths = |level: usize| parts.iter().flat_map(move |part| part.levels[level].windows(2));
        let level = |level| offsets_of(lengths(level).map(|w| (w[1] - w[0]) as usize));
        Rows { batch: parts.iter().map(|part| part.batch).sum(), levels: (0..depth).map(level).collect() }
    }

    /// The rows of these examples alone, and where they stand among all.
    pub fn cut(&self, examples: Range<usize>) -> (Rows, Range<usize>) {
        let batch = examples.len();
        let mut places = examples;
        let mut levels = Vec::with_capacity(self.levels.len());
        for offsets in &self.levels {
            let inside = &offsets[places.start..=places.end];
            levels.push(inside.iter().map(|offset| offset - inside[0]).collect());
            places = inside[0] as usize..inside[inside.len() - 1] as usize;
        }
        (Rows { batch, levels }, places)
    }

    /// Offsets that split all rows by example, whatever the depth.
    pub fn by_example(&self) -> Offsets {
        self.grouped(0)
    }

    /// Offsets that split all rows by the places of the first `depth` levels.
    pub fn grouped(&self, depth: usize) -> Offsets {
        let outer = Rows { batch: self.batch, levels: self.levels[..depth.min(self.levels.len())].to_vec() };
        let mut ends: Vec<u32> = (0..=outer.places() as u32).collect();
        for offsets in &self.levels[outer.levels.len()..] {
            for end in &mut ends {
                *end = offsets[*end as usize];
            }
        }
        ends.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_levels() {
        let rows = Rows { batch: 2, levels: vec![offsets_of([2, 1]), offsets_of([1, 3, 2])] };
        assert_eq!(rows.places(), 6);
        assert_eq!(rows.parents(&Rows::examples(2)), [0, 0, 0, 0, 1, 1]);
        assert_eq!(rows.parents(&rows.outer()), [0, 1, 1, 1, 2, 2]);
        assert_eq!(&*rows.by_example(), &[0, 4, 6]);
        assert_eq!(&*rows.grouped(1), &[0, 1, 4, 6]);
        assert_eq!(&*rows.grouped(2), &[0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn joined_rows_part_again() {
        let a = Rows { batch: 2, levels: vec![offsets_of([2, 1]), offsets_of([1, 3, 2])] };
        let b = Rows { batch: 3, levels: vec![offsets_of([0, 1, 1]), offsets_of([4, 0])] };
        let both = Rows::join(&[&a, &b]);
        assert_eq!((both.batch, both.places()), (5, 10));
        assert_eq!(both.cut(0..2), (a, 0..6));
        assert_eq!(both.cut(2..5), (b, 6..10));
        assert_eq!(both.cut(1..3).0.levels, [offsets_of([1, 0]), offsets_of([2])]);
    }
}
