//! Embedding, convolution and small operations on rows.

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::{check, compare, random};
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::conv::{conv_max, conv1d};
use crate::backend::kernels::embedding::{lookup, lookup_dropped};
use crate::backend::kernels::random::{Draw, dropout};
use crate::backend::kernels::segment::rows_or_zeros;
use crate::backend::kernels::shape::{add_rows, concat_cols, mul_rows, reverse_gradient, scale, sub_rows};
use crate::backend::kernels::stitch::stitch;
use crate::backend::param::flat_params;
use crate::backend::rows::offsets_of;

#[test]
fn embedding() {
    let ids = Arc::new(vec![3, 0, 3, 1]);
    check(&[], &[&[5, 2]], &|_, p| lookup(&ids, &p[0]));
    let (params, _) = flat_params(vec![("table".to_owned(), random(1, &[5, 2]))]).unwrap();
    assert!(lookup(&Arc::new(vec![5]), &params[0]).is_err());
    assert_eq!(lookup(&Arc::new(vec![]), &params[0]).unwrap().dims(), [0, 2]);
}

#[test]
fn embedding_with_dropout() {
    let ids = Arc::new(vec![3, 0, 3, 1]);
    let drop = (0.4, Draw::new(11));
    check(&[], &[&[5, 20]], &|_, p| lookup_dropped(&ids, &p[0], Some(drop)));
    let bits = |fused: bool| {
        let (params, grads) = flat_params(vec![("table".to_owned(), random(1, &[5, 20]))]).unwrap();
        let y = match fused {
            true => lookup_dropped(&ids, &params[0], Some(drop)).unwrap(),
            false => dropout(&lookup(&ids, &params[0]).unwrap(), drop.0, drop.1).unwrap(),
        };
        y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        (y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), grads.lock().to_vec())
    };
    assert_eq!(bits(true), bits(false));
}

#[test]
fn convolution() {
    let offsets = offsets_of([4, 0, 1, 2]);
    for (k, act) in [(3, Activation::Tanh), (1, Activation::None), (4, Activation::Gelu), (5, Activation::Sigmoid)] {
        let shapes: [&[usize]; 2] = [&[3, 2 * k], &[3]];
        check(&[&[7, 2]], &shapes, &|x, p| conv1d(&x[0], &offsets, &p[0], &p[1], k, act));
        check(&[&[7, 2]], &shapes, &|x, p| conv_max(&x[0], &offsets, &p[0], &p[1], k, act));
    }
}

#[test]
fn large_convolution() {
    let offsets = offsets_of((0..200).map(|i| i % 12));
    let rows = *offsets.last().unwrap() as usize;
    for act in [Activation::Relu, Activation::Gelu] {
        let shapes: [&[usize]; 2] = [&[40, 3 * 25], &[40]];
        compare(&[&[rows, 25]], &shapes, &|x, p| conv1d(&x[0], &offsets, &p[0], &p[1], 3, act));
        compare(&[&[rows, 25]], &shapes, &|x, p| conv_max(&x[0], &offsets, &p[0], &p[1], 3, act));
    }
}

#[test]
fn convolution_reads_neighbours_in_order() {
    let w = Tensor::new(&[[1f32, 10.0, 100.0]], &Device::Cpu).unwrap();
    let b = Tensor::new(&[0f32], &Device::Cpu).unwrap();
    let (p, _) = flat_params(vec![("w".to_owned(), w), ("b".to_owned(), b)]).unwrap();
    let x = Tensor::new(&[[1f32], [2.0], [3.0], [4.0]], &Device::Cpu).unwrap();
    let y = conv1d(&x, &offsets_of([3, 1]), &p[0], &p[1], 3, Activation::None).unwrap();
    assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [210.0, 321.0, 32.0, 40.0]);
    let best = conv_max(&x, &offsets_of([3, 0, 1]), &p[0], &p[1], 3, Activation::Sigmoid).unwrap();
    assert_eq!(best.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1.0, 0.0, 1.0]);
}

#[test]
fn equal_maxima_share_nothing() {
    let ones = |shape: (usize, usize)| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let b = Tensor::new(&[0f32], &Device::Cpu).unwrap();
    let (p, _) = flat_params(vec![("w".to_owned(), ones((1, 1))), ("b".to_owned(), b)]).unwrap();
    let x = Var::from_tensor(&ones((3, 1))).unwrap();
    let y = conv_max(&x, &offsets_of([3]), &p[0], &p[1], 1, Activation::None).unwrap();
    let grad = y.backward().unwrap().get(&x).unwrap().flatten_all().unwrap();
    assert_eq!(grad.to_vec1::<f32>().unwrap(), [1.0, 0.0, 0.0]);
}

#[test]
fn side_by_side() {
    let shapes: [&[usize]; 5] = [&[4, 2], &[4, 1], &[4, 3], &[4, 2], &[4, 1]];
    for count in 1..=5 {
        check(&shapes[..count], &[], &|x, _| concat_cols(x));
    }
    compare(&[&[3000, 20], &[3000, 9]], &[], &|x, _| concat_cols(x));
    assert!(concat_cols(&[random(1, &[2, 3]), random(1, &[3, 3])]).is_err());
    assert!(concat_cols(&[]).is_err());
    let empty = concat_cols(&[random(1, &[0, 3]), random(1, &[0, 2])]).unwrap();
    assert_eq!(empty.dims(), [0, 5]);
}

#[test]
fn one_number_to_a_row() {
    for op in [mul_rows, add_rows, sub_rows] {
        check(&[&[4, 3], &[4, 1]], &[], &|x, _| op(&x[0], &x[1]));
        compare(&[&[2000, 33], &[2000, 1]], &[], &|x, _| op(&x[0], &x[1]));
    }
}

#[test]
fn rows_that_are_not_there() {
    let ids = vec![2, u32::MAX, 0, 3];
    check(&[&[4, 3]], &[], &|x, _| rows_or_zeros(&x[0], ids.clone()));
    let y = rows_or_zeros(&random(1, &[0, 2]), vec![u32::MAX]).unwrap();
    assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.0, 0.0]]);
}

#[test]
fn columns_mixed() {
    check(&[&[4, 6]], &[&[3, 3]], &|x, p| stitch(&x[0], &p[0]));
    compare(&[&[900, 120]], &[&[4, 4]], &|x, p| stitch(&x[0], &p[0]));
    // Misra et al. 2016, eq. 1, for two columns of two numbers.
    let alpha = Tensor::new(&[[0.9f32, 0.1], [0.25, 0.75]], &Device::Cpu).unwrap();
    let (p, _) = flat_params(vec![("alpha".to_owned(), alpha)]).unwrap();
    let x = Tensor::new(&[[1f32, 2.0, 10.0, 20.0]], &Device::Cpu).unwrap();
    let y = stitch(&x, &p[0]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(y, [0.9 + 1.0, 1.8 + 2.0, 0.25 + 7.5, 0.5 + 15.0]);
}

#[test]
fn factors() {
    check(&[&[4, 3]], &[], &|x, _| scale(&x[0], -2.5));
    compare(&[&[4, 3]], &[], &|x, _| reverse_gradient(&x[0], 0.7));
    let x = Var::new(&[1f32, 2.0], &Device::Cpu).unwrap();
    let y = reverse_gradient(&x, 0.5).unwrap();
    assert_eq!(y.to_vec1::<f32>().unwrap(), [1.0, 2.0]);
    let grads = y.backward().unwrap();
    assert_eq!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap(), [-0.5, -0.5]);
}
