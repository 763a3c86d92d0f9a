//! Attention, also against one example at a time.

use candle_core::{D, Result, Tensor};

use super::{assert_close, check, compare, random, wide};
use crate::backend::kernels::attention::{cross_attention, self_attention};
use crate::backend::kernels::random::Draw;
use crate::backend::rows::{Offsets, offsets_of};

#[test]
fn within_segments() {
    let offsets = offsets_of([3, 0, 1, 4]);
    for causal in [false, true] {
        for dropout in [None, Some((0.4, Draw::new(3)))] {
            check(&[&[8, 12]], &[], &|x, _| self_attention(&x[0], &offsets, 2, dropout, causal));
        }
    }
}

#[test]
fn across_segments() {
    let (queries, keys) = (offsets_of([2, 1, 3, 0]), offsets_of([3, 0, 1, 2]));
    for dropout in [None, Some((0.4, Draw::new(3)))] {
        check(&[&[6, 4], &[6, 8]], &[], &|x, _| cross_attention(&x[0], &x[1], &queries, &keys, 2, dropout));
    }
}

#[test]
fn longer_than_a_block() {
    let offsets = offsets_of([300, 7]);
    for causal in [false, true] {
        let dropout = Some((0.1, Draw::new(8)));
        compare(&[&[307, 24]], &[], &|x, _| self_attention(&x[0], &offsets, 2, dropout, causal));
    }
    let keys = offsets_of([150, 20]);
    compare(&[&[307, 8], &[170, 16]], &[], &|x, _| cross_attention(&x[0], &x[1], &offsets, &keys, 2, None));
}

#[test]
fn one_example_at_a_time() {
    let offsets = offsets_of([5, 2, 9]);
    let qkv = random(4, &[16, 3 * 8]);
    let got = wide(&self_attention(&qkv, &offsets, 4, None, false).unwrap()).unwrap();
    assert_close("attention", &got, &wide(&naive(&qkv, &offsets, 4).unwrap()).unwrap(), 1e-5);
}

fn naive(qkv: &Tensor, offsets: &Offsets, heads: usize) -> Result<Tensor> {
    let width = qkv.dim(1)? / 3;
    let dim = width / heads;
    let mut examples = Vec::new();
    for segment in offsets.windows(2) {
        let rows = qkv.narrow(0, segment[0] as usize, (segment[1] - segment[0]) as usize)?;
        let mut columns = Vec::new();
        for head in 0..heads {
            let part = |i: usize| rows.narrow(1, i * width + head * dim, dim)?.contiguous();
            let scores = (part(0)?.matmul(&part(1)?.t()?)? / (dim as f64).sqrt())?;
            columns.push(candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&part(2)?)?);
        }
        examples.push(Tensor::cat(&columns, 1)?);
    }
    Tensor::cat(&examples, 0)
}

#[test]
fn no_keys_give_zeros() {
    let (queries, keys) = (offsets_of([2, 1]), offsets_of([0, 2]));
    let y = cross_attention(&random(1, &[3, 4]), &random(2, &[2, 8]), &queries, &keys, 2, None).unwrap();
    let y = y.to_vec2::<f32>().unwrap();
    assert!(y[0] == [0.0; 4] && y[1] == [0.0; 4] && y[2] != [0.0; 4]);
}

#[test]
fn sizes_are_checked() {
    let offsets = offsets_of([2, 1]);
    assert!(self_attention(&random(1, &[3, 12]), &offsets, 3, None, false).is_err());
    assert!(self_attention(&random(1, &[4, 12]), &offsets, 2, None, false).is_err());
    assert!(cross_attention(&random(1, &[3, 4]), &random(1, &[3, 6]), &offsets, &offsets, 2, None).is_err());
}
