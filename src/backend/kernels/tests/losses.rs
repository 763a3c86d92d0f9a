//! Losses and softmax.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::{assert_close, check, compare, random, wide};
use crate::backend::NO_LABEL;
use crate::backend::kernels::loss::{kl_to_soft, regression, sigmoid_bce, softmax_cross_entropy};
use crate::backend::kernels::orthogonal::orthogonal;
use crate::backend::kernels::softmax::{log_softmax, softmax};
use crate::backend::rows::Offsets;

const NAN: f32 = f32::NAN;

#[test]
fn softmaxes() {
    check(&[&[3, 5]], &[], &|x, _| softmax(&x[0]));
    check(&[&[3, 5]], &[], &|x, _| log_softmax(&x[0]));
    compare(&[&[700, 50]], &[], &|x, _| softmax(&x[0]));
    compare(&[&[700, 50]], &[], &|x, _| log_softmax(&x[0]));
}

#[test]
fn cross_entropy() {
    let gold = Arc::new(vec![2, NO_LABEL, 0, 4]);
    for smoothing in [0.0, 0.1] {
        for weights in [None, Some(&[0.5, 1.0, 2.0, 0.0, 3.0][..])] {
            check(&[&[4, 5]], &[], &|x, _| softmax_cross_entropy(&x[0], &gold, smoothing, weights));
        }
    }
    let gold = Arc::new((0..500).map(|i| i * 7 % 90).collect());
    compare(&[&[500, 90]], &[], &|x, _| softmax_cross_entropy(&x[0], &gold, 0.1, None));
    assert!(softmax_cross_entropy(&random(1, &[2, 3]), &Arc::new(vec![0]), 0.0, None).is_err());
}

#[test]
fn cross_entropy_is_minus_log_p() {
    let x = Tensor::new(&[[1f32, 2.0, 3.0], [500.0, -500.0, 0.0]], &Device::Cpu).unwrap();
    let y = softmax_cross_entropy(&x, &Arc::new(vec![0, 1]), 0.0, None).unwrap();
    assert_eq!(y.dims(), [2, 1]);
    assert_close("loss", &wide(&y).unwrap(), &[2.407_605_964, 1000.0], 1e-6);
}

#[test]
fn binary_cross_entropy() {
    let gold = Arc::new(vec![1.0, 0.0, 0.3, NAN, NAN, NAN, 0.0, 1.0, 1.0]);
    check(&[&[3, 3]], &[], &|x, _| sigmoid_bce(&x[0], &gold));
    let x = Var::new(&[[40f32, -120.0, 0.0]], &Device::Cpu).unwrap();
    let y = sigmoid_bce(&x, &Arc::new(vec![0.0, 1.0, 1.0])).unwrap();
    assert_close("loss", &wide(&y).unwrap(), &[160.0 + std::f64::consts::LN_2], 1e-6);
    let grad = wide(y.backward().unwrap().get(&x).unwrap()).unwrap();
    assert_close("gradient", &grad, &[1.0, -1.0, -0.5], 1e-6);
}

#[test]
fn numbers() {
    let gold = Arc::new(vec![1.0, 0.0, NAN, NAN, 0.2, -3.0]);
    for huber in [false, true] {
        check(&[&[3, 2]], &[], &|x, _| regression(&x[0], &gold, huber));
    }
    let x = Tensor::new(&[[0.5f32], [4.0]], &Device::Cpu).unwrap();
    let gold = Arc::new(vec![0.0, 1.0]);
    assert_close("squares", &wide(&regression(&x, &gold, false).unwrap()).unwrap(), &[0.25, 9.0], 1e-6);
    assert_close("huber", &wide(&regression(&x, &gold, true).unwrap()).unwrap(), &[0.125, 2.5], 1e-6);
}

#[test]
fn soft_labels() {
    let gold = Arc::new(vec![0.2, 0.8, 0.0, NAN, NAN, NAN, 0.0, 0.0, 1.0]);
    check(&[&[3, 3]], &[], &|x, _| kl_to_soft(&x[0], &gold));
    let x = Tensor::zeros((1, 2), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(wide(&kl_to_soft(&x, &Arc::new(vec![0.5, 0.5])).unwrap()).unwrap(), [0.0]);
}

#[test]
fn orthogonality() {
    let offsets = Offsets::from([0, 3, 3, 7]);
    check(&[&[7, 3], &[7, 4]], &[], &|x, _| orthogonal(&x[0], &x[1], &offsets));
    let offsets = Offsets::from([0, 100, 300]);
    compare(&[&[300, 20], &[300, 30]], &[], &|x, _| orthogonal(&x[0], &x[1], &offsets));
}

#[test]
fn orthogonality_is_the_mean_squared_entry() {
    // Rows of length 1: (0.6, 0.8), (1, 0) and (0, 1), (0.6, 0.8); AᵀB = [[0.6, 1.4], [0, 0.8]].
    let a = Tensor::new(&[[3f32, 4.0], [2.0, 0.0]], &Device::Cpu).unwrap();
    let b = Tensor::new(&[[0f32, 5.0], [6.0, 8.0]], &Device::Cpu).unwrap();
    let y = orthogonal(&a, &b, &Offsets::from([0, 2])).unwrap();
    assert_close("loss", &wide(&y).unwrap(), &[(0.36 + 1.96 + 0.64) / 4.0], 1e-6);
    let apart = orthogonal(&a, &Tensor::zeros((2, 2), DType::F32, &Device::Cpu).unwrap(), &Offsets::from([0, 2]));
    assert_close("of nothing", &wide(&apart.unwrap()).unwrap(), &[0.0], 1e-6);
}
