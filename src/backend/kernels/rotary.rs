//! Rotary positions (Su et al., 2021): queries and keys are turned by angles that grow with the
//! place, so that their products know how far apart they are.

use candle_core::{Device, Result, Tensor};

use super::buffer::par_rows;
use super::shape::concat_cols;
use crate::backend::rows::Offsets;

/// Cosines and sines for each place of the longest segment and each pair of a head's columns.
#[derive(Clone, Debug)]
pub struct Angles {
    /// Width of a head.
    head: usize,
    /// `[places, head / 2]`.
    cosines: Vec<f32>,
    /// `[places, head / 2]`.
    sines: Vec<f32>,
}

impl Angles {
    /// Place p turns pair i by p / theta^(2 i / head).
    pub fn new(theta: f64, head: usize, offsets: &Offsets) -> Self {
        let places = offsets.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
        // The reference library computes these in f32.
        let rates: Vec<f32> = (0..head / 2).map(|i| 1.0 / (theta as f32).powf((2 * i) as f32 / head as f32)).collect();
        let angles = (0..places).flat_map(|place| rates.iter().map(move |rate| place as f32 * rate));
        let (cosines, sines) = angles.map(|angle| (angle.cos(), angle.sin())).unzip();
        Self { head, cosines, sines }
    }

    fn half(&self) -> usize {
        self.head / 2
    }

    /// Turns the queries and keys of `qkv [N, 3 d]` in place; `way` is -1 to turn back.
    pub(super) fn turn(&self, qkv: &mut [f32], width: usize, offsets: &Offsets, way: f32) {
        let places = places(offsets);
        let half = self.half();
        par_rows(qkv, 3 * width, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(3 * width).enumerate() {
                let at = places[first + i] as usize * half;
                let (cosines, sines) = (&self.cosines[at..at + half], &self.sines[at..at + half]);
                for head in row[..2 * width].chunks_exact_mut(self.head) {
                    let (a, b) = head.split_at_mut(half);
                    for (((a, b), cosine), sine) in a.iter_mut().zip(b).zip(cosines).zip(sines) {
                        let sine = way * sine;
                        (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                    }
                }
            }
        });
    }

    /// The numbers of a table for each row and column of one head.
    fn table(&self, numbers: &[f32], places: &[u32], device: &Device) -> Result<Tensor> {
        let half = self.half();
        let rows: Vec<f32> =
            places.iter().flat_map(|p| numbers[*p as usize * half..][..half].iter().copied()).collect();
        Tensor::from_vec(rows, (places.len(), 1, half), device)
    }
}

/// The place of each row in its segment.
fn places(offsets: &Offsets) -> Vec<u32> {
    offsets.windows(2).flat_map(|w| 0..w[1] - w[0]).collect()
}

/// [`Angles::turn`] out of Candle's operations.
pub fn rotate(qkv: &Tensor, angles: &Angles, offsets: &Offsets) -> Result<Tensor> {
    let (rows, all) = qkv.dims2()?;
    let width = all / 3;
    let places = places(offsets);
    let of = |numbers: &[f32]| angles.table(numbers, &places, qkv.device())?.to_dtype(qkv.dtype());
    let (cosines, sines) = (of(&angles.cosines)?, of(&angles.sines)?);
    let turned = qkv.narrow(1, 0, 2 * width)?.contiguous()?.reshape((rows, 2 * width / angles.head, angles.head))?;
    let (a, b) = (turned.narrow(2, 0, angles.half())?, turned.narrow(2, angles.half(), angles.half())?);
    let first = (a.broadcast_mul(&cosines)? - b.broadcast_mul(&sines)?)?;
    let second = (b.broadcast_mul(&cosines)? + a.broadcast_mul(&sines)?)?;
    let turned = Tensor::cat(&[first, second], 2)?.reshape((rows, 2 * width))?;
    concat_cols(&[turned, qkv.narrow(1, 2 * width, width)?.contiguous()?])
}
