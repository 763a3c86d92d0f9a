//! Recurrent layers.

use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var};

use super::{assert_close, check, compare, random, wide};
use crate::backend::kernels::recurrent::{gru, lstm};
use crate::backend::param::flat_params;
use crate::backend::rows::{Offsets, offsets_of};

fn ragged() -> Offsets {
    offsets_of([2, 0, 4, 1])
}

#[test]
fn lstm_one_direction() {
    for reverse in [false, true] {
        for offsets in [ragged(), offsets_of([7])] {
            check(&[&[7, 3]], &[&[8, 3], &[8, 2], &[8]], &|x, p| {
                lstm::lstm(&x[0], &offsets, &p[0], &p[1], &p[2], reverse)
            });
        }
    }
}

#[test]
fn lstm_both_directions() {
    let shapes: [&[usize]; 6] = [&[8, 3], &[8, 2], &[8], &[12, 3], &[12, 3], &[12]];
    check(&[&[7, 3]], &shapes, &|x, p| lstm::bi(&x[0], &ragged(), [&p[0], &p[1], &p[2]], [&p[3], &p[4], &p[5]]));
}

#[test]
fn gru_one_direction() {
    for reverse in [false, true] {
        for offsets in [ragged(), offsets_of([7])] {
            check(&[&[7, 3]], &[&[6, 3], &[6, 2], &[6], &[6]], &|x, p| {
                gru::gru(&x[0], &offsets, &p[0], &p[1], &p[2], &p[3], reverse)
            });
        }
    }
}

#[test]
fn gru_both_directions() {
    let one: [&[usize]; 4] = [&[6, 3], &[6, 2], &[6], &[6]];
    check(&[&[7, 3]], &[one, one].concat(), &|x, p| {
        gru::bi(&x[0], &ragged(), [&p[0], &p[1], &p[2], &p[3]], [&p[4], &p[5], &p[6], &p[7]])
    });
}

#[test]
fn wide_layers() {
    // Short ones: numbers as large as these make long sequences chaotic.
    let offsets = offsets_of((0..60).map(|i| i % 5));
    let rows = *offsets.last().unwrap() as usize;
    let one: [&[usize]; 3] = [&[160, 50], &[160, 40], &[160]];
    compare(&[&[rows, 50]], &[one, one].concat(), &|x, p| {
        lstm::bi(&x[0], &offsets, [&p[0], &p[1], &p[2]], [&p[3], &p[4], &p[5]])
    });
}

/// States that torch 2 gives for the same numbers.
#[test]
fn against_pytorch() {
    let weights = |n: usize, shape: &[usize]| {
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|i| ((i * 7 + n) % 11) as f32 / 10.0 - 0.5).collect();
        (n.to_string(), Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap())
    };
    let x = weights(3, &[4, 2]).1;
    let (p, _) = flat_params(vec![weights(0, &[8, 2]), weights(1, &[8, 2]), weights(2, &[8])]).unwrap();
    let y = lstm::lstm(&x, &offsets_of([3, 1]), &p[0], &p[1], &p[2], false).unwrap();
    let (p, _) =
        flat_params(vec![weights(0, &[6, 2]), weights(1, &[6, 2]), weights(2, &[6]), weights(4, &[6])]).unwrap();
    let z = gru::gru(&x, &offsets_of([3, 1]), &p[0], &p[1], &p[2], &p[3], true).unwrap();
    let of_lstm = [0.07822095, -0.11232226, 0.06504013, -0.021779, 0.04976862, -0.05519004, 0.08301581, -0.06812089];
    let of_gru = [0.4084897, -0.1636567, 0.21017425, 0.03643689, 0.13514477, -0.05730268, 0.31563473, -0.10593903];
    for (got, expected) in [(y, of_lstm), (z, of_gru)] {
        assert_close("PyTorch's states", &wide(&got).unwrap(), &expected, 1e-6);
    }
}

#[test]
fn empty_batches() {
    let (p, _) = flat_params(vec![
        ("a".to_owned(), random(1, &[8, 3])),
        ("b".to_owned(), random(2, &[8, 2])),
        ("c".to_owned(), random(3, &[8])),
    ])
    .unwrap();
    for offsets in [offsets_of([]), offsets_of([0, 0])] {
        let y = lstm::bi(&random(1, &[0, 3]), &offsets, [&p[0], &p[1], &p[2]], [&p[0], &p[1], &p[2]]).unwrap();
        assert_eq!(y.dims(), [0, 4]);
        y.sum_all().unwrap().backward().unwrap();
    }
    assert!(lstm::lstm(&random(1, &[2, 3]), &offsets_of([1]), &p[0], &p[1], &p[2], false).is_err());
    assert!(lstm::lstm(&random(1, &[1, 2]), &offsets_of([1]), &p[0], &p[1], &p[2], false).is_err());
}

#[test]
fn frozen_weights_and_untracked_inputs() {
    let shapes: [&[usize]; 3] = [&[8, 3], &[8, 2], &[8]];
    let named = (0..3).map(|i| (i.to_string(), random(i as u64, shapes[i]))).collect();
    let (mut p, grads) = flat_params(named).unwrap();
    p[1].trainable = false;
    let y = lstm::lstm(&random(9, &[7, 3]), &ragged(), &p[0], &p[1], &p[2], false).unwrap();
    y.sum_all().unwrap().backward().unwrap();
    assert!(grads.touched(0) && !grads.touched(1) && grads.touched(2));
    p.iter_mut().for_each(|p| p.trainable = false);
    grads.clear();
    let x = Var::from_tensor(&random(9, &[7, 3])).unwrap();
    let y = lstm::lstm(&x, &ragged(), &p[0], &p[1], &p[2], false).unwrap();
    let store = y.sum_all().unwrap().backward().unwrap();
    assert!(store.get(&x).is_some() && (0..3).all(|i| !grads.touched(i)));
}

#[test]
fn long_sequences_on_a_small_stack() {
    let run = || {
        let shapes: [&[usize]; 3] = [&[64, 8], &[64, 16], &[64]];
        let named = (0..3).map(|i| (i.to_string(), (random(i as u64, shapes[i]) * 0.2).unwrap())).collect();
        let (p, grads) = flat_params(named).unwrap();
        let offsets = offsets_of([4096, 100]);
        let y = lstm::lstm(&random(7, &[4196, 8]), &offsets, &p[0], &p[1], &p[2], true).unwrap();
        y.sum_all().unwrap().backward().unwrap();
        assert!(grads.lock().iter().all(|g| g.is_finite()));
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
}

/// `cargo test --release time_of_a_bilstm -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn time_of_a_bilstm() {
    let one = |h: usize, i: usize| [vec![4 * h, i], vec![4 * h, h], vec![4 * h]];
    let shapes = [one(128, 128), one(128, 128)].concat();
    let named = shapes.iter().enumerate().map(|(i, s)| (i.to_string(), (random(i as u64, s) * 0.1).unwrap()));
    let (p, _) = flat_params(named.collect()).unwrap();
    let offsets = offsets_of((0..16).map(|i| 6 + i % 11));
    let rows = *offsets.last().unwrap() as usize;
    let x = Var::from_tensor(&Tensor::randn(0f32, 1.0, (rows, 128), &Device::Cpu).unwrap()).unwrap();
    let run = || lstm::bi(&x, &offsets, [&p[0], &p[1], &p[2]], [&p[3], &p[4], &p[5]]).unwrap();
    let seed = Tensor::ones((rows, 256), DType::F32, &Device::Cpu).unwrap();
    let mut best = [f64::MAX; 2];
    for _ in 0..50 {
        let start = Instant::now();
        let y = run();
        best[0] = best[0].min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        (y * &seed).unwrap().sum_all().unwrap().backward().unwrap();
        best[1] = best[1].min(start.elapsed().as_secs_f64());
    }
    println!("{rows} tokens: forward {:.2} ms, backward {:.2} ms", best[0] * 1e3, best[1] * 1e3);
}
