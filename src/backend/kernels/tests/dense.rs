//! Linear maps, activations, norms, the transformer block.

use candle_core::{DType, Device, Tensor, Var};

use super::{check, compare, random};
use crate::backend::kernels::activation::{Activation, relu};
use crate::backend::kernels::biaffine::{biaffine, biaffine_plain};
use crate::backend::kernels::linear::{linear, linear_plain, tied};
use crate::backend::kernels::norm::{add_norm, layer_norm};
use crate::backend::kernels::random::Draw;
use crate::backend::kernels::transformer::{NormPlace, TransformerBlock, positions};
use crate::backend::param::flat_params;
use crate::backend::rows::offsets_of;

const ALL: [Activation; 5] =
    [Activation::None, Activation::Relu, Activation::Gelu, Activation::Tanh, Activation::Sigmoid];

#[test]
fn linear_with_each_activation() {
    for act in ALL {
        check(&[&[5, 3]], &[&[4, 3], &[4]], &|x, p| linear(&x[0], &p[0], Some(&p[1]), act));
    }
    check(&[&[5, 3]], &[&[4, 3]], &|x, p| tied(&x[0], &p[0]));
}

#[test]
fn large_linear() {
    for act in ALL {
        compare(&[&[300, 70]], &[&[90, 70], &[90]], &|x, p| linear(&x[0], &p[0], Some(&p[1]), act));
    }
}

#[test]
fn biaffine_maps() {
    let shapes: [&[usize]; 3] = [&[4, 3, 2], &[4, 5], &[4]];
    check(&[&[5, 3], &[5, 2]], &shapes, &|x, p| biaffine(&x[0], &x[1], &p[0], &p[1], &p[2]));
    let shapes: [&[usize]; 3] = [&[9, 40, 33], &[9, 73], &[9]];
    compare(&[&[300, 40], &[300, 33]], &shapes, &|x, p| biaffine(&x[0], &x[1], &p[0], &p[1], &p[2]));
    compare(&[&[30, 40], &[30, 33]], &shapes, &|x, p| {
        let fused = biaffine(&x[0], &x[1], &p[0], &p[1], &p[2])?;
        biaffine_plain(&x[0], &x[1], &p[0], &p[1], &p[2])? + fused
    });
    // Of no places, and with what does not fit.
    let tensors = vec![("u", random(1, &[4, 3, 2])), ("w", random(2, &[4, 5])), ("c", random(3, &[4]))];
    let (p, _) = flat_params(tensors.into_iter().map(|(n, t)| (n.to_owned(), t)).collect()).unwrap();
    let apply = |a: &[usize], b: &[usize]| biaffine(&random(1, a), &random(2, b), &p[0], &p[1], &p[2]);
    assert_eq!(apply(&[0, 3], &[0, 2]).unwrap().dims(), [0, 4]);
    for (a, b) in [([2, 3], [3, 2]), ([2, 2], [2, 2]), ([2, 3], [2, 3])] {
        assert!(apply(&a, &b).is_err());
    }
}

#[test]
fn plain_linear_in_single_precision() {
    let run = |x: &[Tensor], p: &[_]| {
        let fused = linear(&x[0], &p[0], Some(&p[1]), Activation::Gelu)?;
        linear_plain(&x[0], &p[0], Some(&p[1]), Activation::Gelu)? + fused
    };
    compare(&[&[50, 30]], &[&[20, 30], &[20]], &run);
}

#[test]
fn activations() {
    for act in ALL {
        check(&[&[4, 3]], &[], &|x, _| act.apply(&x[0]));
        compare(&[&[500, 70]], &[], &|x, _| act.apply(&x[0]));
    }
}

#[test]
fn relu_is_flat_at_zero() {
    let x = Var::new(&[-1f32, 0.0, 2.0], &Device::Cpu).unwrap();
    let fused = relu(&x).unwrap().backward().unwrap();
    assert_eq!(fused.get(&x).unwrap().to_vec1::<f32>().unwrap(), [0.0, 0.0, 1.0]);
    let plain = Activation::Relu.apply_plain(&x).unwrap().backward().unwrap();
    assert_eq!(plain.get(&x).unwrap().to_vec1::<f32>().unwrap(), [0.0, 0.0, 1.0]);
}

#[test]
fn norms() {
    check(&[&[4, 6]], &[&[6], &[6]], &|x, p| layer_norm(&x[0], &p[0], &p[1], 1e-5));
    check(&[&[4, 6], &[4, 6]], &[&[6], &[6]], &|x, p| add_norm(&x[0], &x[1], &p[0], &p[1], 1e-5));
    compare(&[&[700, 65]], &[&[65], &[65]], &|x, p| layer_norm(&x[0], &p[0], &p[1], 1e-5));
    compare(&[&[300, 65], &[300, 65]], &[&[65], &[65]], &|x, p| add_norm(&x[0], &x[1], &p[0], &p[1], 1e-5));
}

#[test]
fn frozen_and_untracked() {
    let tensors = vec![("w".to_owned(), random(1, &[4, 3])), ("b".to_owned(), random(2, &[4]))];
    let (mut params, grads) = flat_params(tensors).unwrap();
    let x = random(3, &[5, 3]);
    // Only the bias is trained, and the input needs no gradient.
    params[0].trainable = false;
    let y = linear(&x, &params[0], Some(&params[1]), Activation::Tanh).unwrap();
    y.sum_all().unwrap().backward().unwrap();
    assert!(!grads.touched(0) && grads.touched(1));
    assert!(grads.lock()[..12].iter().all(|g| *g == 0.0) && grads.lock()[12..].iter().all(|g| *g != 0.0));
    // Twice back adds twice.
    let once = grads.lock()[12];
    y.sum_all().unwrap().backward().unwrap();
    assert!((grads.lock()[12] - 2.0 * once).abs() < 1e-5);
    // Nothing to train: not part of a graph.
    params[1].trainable = false;
    assert!(!linear(&x, &params[0], Some(&params[1]), Activation::Tanh).unwrap().track_op());
}

#[test]
fn no_rows() {
    let tensors = vec![("w".to_owned(), random(1, &[4, 3])), ("b".to_owned(), random(2, &[4]))];
    let (params, _) = flat_params(tensors).unwrap();
    let x = Var::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
    let y = linear(&x, &params[0], Some(&params[1]), Activation::Gelu).unwrap();
    assert_eq!(y.dims(), [0, 4]);
    y.sum_all().unwrap().backward().unwrap();
}

#[test]
fn transformer_block() {
    let offsets = offsets_of([3, 1, 0, 5]);
    let shapes: Vec<Vec<usize>> = TransformerBlock::parameters(4, 6).into_iter().map(|(_, s, _)| s).collect();
    let shapes: Vec<&[usize]> = shapes.iter().map(|s| s.as_slice()).collect();
    for place in [NormPlace::Before, NormPlace::After] {
        for drop in [None, Some((0.3, Draw::new(5)))] {
            compare(&[&[9, 4]], &shapes, &|x, p| {
                let names: Vec<_> = TransformerBlock::parameters(4, 6).into_iter().map(|(n, ..)| n).collect();
                let find = |name: &str| Ok(p[names.iter().position(|n| *n == name).unwrap()].clone());
                TransformerBlock::new(find)?.forward(&x[0], &offsets, 2, place, drop)
            });
        }
    }
}

#[test]
fn sinusoids() {
    let p = positions(&offsets_of([2, 1]), 4, &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(p[0], [0.0, 1.0, 0.0, 1.0]);
    assert_eq!(p[0], p[2]);
    assert_eq!(p[1], [1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()].map(|v| v as f32));
}
