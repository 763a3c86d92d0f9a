//! Packed rows in the order of time, for operations that go through sequences step by step.
//!
//! Segments are sorted by length, longest first, so that those still running at a step are the
//! first few: a step is one contiguous block of rows, and nothing is padded.

use std::ops::Range;

use candle_core::{Result, Tensor};

use super::select::select;

/// Rows step after step. A segment's *slot* is its rank by length.
pub struct Steps {
    /// The packed row at each position.
    rows: Vec<u32>,
    /// Where each step begins, and the end.
    starts: Vec<usize>,
    /// The segment in each slot, empty segments last.
    segments: Vec<u32>,
}

impl Steps {
    /// Steps through each segment of `offsets` from its first row on, or from its last row back.
    pub fn new(offsets: &[u32], reverse: bool) -> Self {
        let length = |s: u32| offsets[s as usize + 1] - offsets[s as usize];
        let mut segments: Vec<u32> = (0..offsets.len().saturating_sub(1) as u32).collect();
        segments.sort_by_key(|s| std::cmp::Reverse(length(*s)));
        let mut rows = Vec::with_capacity(offsets.last().copied().unwrap_or(0) as usize);
        let mut starts = vec![0];
        for t in 0..segments.first().map_or(0, |s| length(*s)) {
            let running = segments.iter().take_while(|s| length(**s) > t);
            rows.extend(running.map(|s| match reverse {
                false => offsets[*s as usize] + t,
                true => offsets[*s as usize + 1] - 1 - t,
            }));
            starts.push(rows.len());
        }
        Self { rows, starts, segments }
    }

    /// The number of steps.
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The segment in each slot.
    pub fn segments(&self) -> &[u32] {
        &self.segments
    }

    /// Positions of step `t`; none after the last step.
    pub fn at(&self, t: usize) -> Range<usize> {
        if t < self.count() { self.starts[t]..self.starts[t + 1] } else { self.rows()..self.rows() }
    }

    /// The packed rows of step `t`, by slot.
    pub fn rows_at(&self, t: usize) -> &[u32] {
        &self.rows[self.at(t)]
    }

    /// How many segments run at step `t`.
    pub fn running(&self, t: usize) -> usize {
        self.at(t).len()
    }

    /// Rows of `from`, which is packed, in the order of time.
    pub fn gather(&self, from: &[f32], width: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.rows() * width);
        self.rows.iter().for_each(|row| out.extend_from_slice(&from[*row as usize * width..][..width]));
        out
    }

    /// Puts rows that are in the order of time at their packed places.
    pub fn scatter(&self, from: &[f32], width: usize, into: &mut [f32]) {
        for (&row, from) in self.rows.iter().zip(from.chunks_exact(width.max(1))) {
            into[row as usize * width..][..width].copy_from_slice(from);
        }
    }

    /// For each position after the first step, the row of the same segment one step before.
    pub fn previous(&self, from: &[f32], width: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity((self.rows() - self.running(0)) * width);
        for t in 1..self.count() {
            let start = self.at(t - 1).start * width;
            out.extend_from_slice(&from[start..start + self.running(t) * width]);
        }
        out
    }

    /// The slot at each position.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        (0..self.count()).flat_map(|t| 0..self.running(t))
    }

    /// [`Steps::gather`] for tensors on any device.
    pub fn gather_tensor(&self, x: &Tensor) -> Result<Tensor> {
        select(x, self.rows.clone())
    }

    /// Undoes [`Steps::gather_tensor`].
    pub fn scatter_tensor(&self, x: &Tensor) -> Result<Tensor> {
        select(x, inverse(&self.rows))
    }

    /// Rows by slot in the order of segments.
    pub fn by_segment(&self, x: &Tensor) -> Result<Tensor> {
        select(x, inverse(&self.segments))
    }
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, at)| inverse[*at as usize] = i as u32);
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_first_without_padding() {
        let steps = Steps::new(&[0, 1, 1, 4, 6], false);
        assert_eq!(steps.rows, [1, 4, 0, 2, 5, 3]);
        assert_eq!(steps.starts, [0, 3, 5, 6]);
        assert_eq!(steps.segments, [2, 3, 0, 1]);
        assert_eq!(Steps::new(&[0, 1, 1, 4, 6], true).rows, [3, 5, 0, 2, 4, 1]);
        let numbers = [0., 1., 2., 3., 4., 5.];
        let timed = steps.gather(&numbers, 1);
        assert_eq!(steps.previous(&timed, 1), [1., 4., 2.]);
        let mut back = vec![0.0; 6];
        steps.scatter(&timed, 1, &mut back);
        assert_eq!(back, numbers);
    }

    #[test]
    fn nothing_to_do() {
        for offsets in [&[0][..], &[0, 0, 0]] {
            let steps = Steps::new(offsets, false);
            assert_eq!((steps.count(), steps.rows(), steps.running(0)), (0, 0, 0));
        }
    }
}
