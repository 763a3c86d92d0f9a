//! Matrix products between strided views, over the `gemm` crate.

use std::marker::PhantomData;

use gemm::Parallelism;

/// A matrix inside a slice.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// All of `data`, `columns` wide.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// A matrix whose rows begin every `stride` numbers.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(rows == 0 || columns == 0 || (rows - 1) * stride + columns <= data.len());
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The transpose, without a copy.
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// Where a product goes.
pub struct Target<'a> {
    start: *mut f32,
    rows: usize,
    columns: usize,
    stride: usize,
    life: PhantomData<&'a mut [f32]>,
}

impl<'a> Target<'a> {
    /// All of `data`, `columns` wide.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert!(rows * columns <= data.len());
        Self { start: data.as_mut_ptr(), rows, columns, stride: columns, life: PhantomData }
    }

    /// Columns of `data`, from `at` on, whose rows begin every `stride`.
    pub fn part(data: &'a mut [f32], at: usize, rows: usize, columns: usize, stride: usize) -> Self {
        assert!(rows == 0 || columns == 0 || at + (rows - 1) * stride + columns <= data.len());
        let end = data.len();
        let start = data[at.min(end)..].as_mut_ptr();
        Self { start, rows, columns, stride, life: PhantomData }
    }
}

/// Numbers that several threads write to, each at its own places.
pub struct Shared<'a> {
    start: *mut f32,
    len: usize,
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only way in is `block`, whose callers promise that blocks in use at one time
// have no place in common.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Shares `data`.
    pub fn new(data: &'a mut [f32]) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len(), life: PhantomData }
    }

    /// The `len` numbers from `at` on.
    ///
    /// # Safety
    /// As [`Shared::block`].
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn numbers(&self, at: usize, len: usize) -> &mut [f32] {
        assert!(at + len <= self.len);
        // SAFETY: inside the slice, and its caller's alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }

    /// The block of `rows` times `columns` numbers from `at` on, whose rows begin every
    /// `stride`.
    ///
    /// # Safety
    /// No two blocks that are alive at one time may overlap.
    pub unsafe fn block(&self, at: usize, rows: usize, columns: usize, stride: usize) -> Target<'_> {
        assert!(rows == 0 || columns == 0 || at + (rows - 1) * stride + columns <= self.len);
        // SAFETY: `at` is inside the slice (or the block is empty and never touched).
        let start = unsafe { self.start.add(at.min(self.len)) };
        Target { start, rows, columns, stride, life: PhantomData }
    }
}

/// Whether the earlier numbers of the target count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// They are replaced.
    Set,
    /// The product is added to them.
    Add,
}

/// `target (+)= factor * a b` on this thread.
pub fn product(target: Target, how: Into, factor: f32, a: View, b: View) {
    multiply(target, how, factor, a, b, Parallelism::None);
}

/// Multiplications below which waking another thread takes longer than they do.
const WORTH_WAKING: usize = 2 << 20;

/// `target (+)= a b` on all threads.
pub fn par_product(target: Target, how: Into, a: View, b: View) {
    let parallel = target.rows * target.columns * a.columns >= WORTH_WAKING;
    multiply(target, how, 1.0, a, b, if parallel { Parallelism::Rayon(0) } else { Parallelism::None });
}

fn multiply(target: Target, how: Into, factor: f32, a: View, b: View, parallelism: Parallelism) {
    let (m, n, k) = (target.rows, target.columns, a.columns);
    assert!(a.rows == m && b.columns == n && b.rows == k, "matrix sizes");
    if m == 0 || n == 0 {
        return;
    }
    // With no terms to add, `gemm` would still have to write zeros: it does for k = 0.
    // SAFETY: the constructors checked that all places of the three matrices are inside their
    // slices, and the target is borrowed mutably.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.start,
            1,
            target.stride as isize,
            how == Into::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes_and_blocks() {
        let a = [1., 2., 3., 4., 5., 6.];
        let mut out = vec![1.0; 8];
        {
            let shared = Shared::new(&mut out);
            // SAFETY: the only block.
            let block = unsafe { shared.block(1, 2, 2, 4) };
            product(block, Into::Add, 2.0, View::new(&a, 2, 3), View::new(&a, 2, 3).t());
        }
        assert_eq!(out, [1., 29., 65., 1., 1., 65., 155., 1.]);
    }

    #[test]
    fn no_terms_make_zeros() {
        let mut out = vec![1.0; 4];
        par_product(Target::new(&mut out, 2, 2), Into::Set, View::new(&[], 2, 0), View::new(&[], 0, 2));
        assert_eq!(out, [0.0; 4]);
    }
}
