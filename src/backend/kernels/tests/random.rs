//! Random numbers and dropout.

use candle_core::{Device, Tensor, Var};

use super::check;
use crate::backend::kernels::random::{Draw, dropout, row_dropout};

#[test]
fn moments() {
    let draw = Draw::new(11);
    let count = 200_000u64;
    let mean = |f: &dyn Fn(u64) -> f32| (0..count).map(|i| f64::from(f(i))).sum::<f64>() / count as f64;
    assert!((mean(&|i| draw.uniform(i)) - 0.5).abs() < 3e-3);
    assert!((mean(&|i| draw.uniform(i).powi(2)) - 1.0 / 3.0).abs() < 3e-3);
    assert!(mean(&|i| draw.normal(i)).abs() < 1e-2);
    assert!((mean(&|i| draw.normal(i).powi(2)) - 1.0).abs() < 1.5e-2);
    assert!((mean(&|i| draw.normal(i).powi(4)) - 3.0).abs() < 0.1);
    assert!((mean(&|i| f32::from(u8::from(draw.bernoulli(i, 0.3)))) - 0.3).abs() < 5e-3);
    // Neighbours, and the same place of neighbouring seeds and parts, are uncorrelated.
    let centred = |d: Draw, i| d.uniform(i) - 0.5;
    for other in [Draw::new(12), draw.part(0), draw.part(1)] {
        assert!(mean(&|i| centred(draw, i) * centred(other, i)).abs() < 1e-3);
    }
    assert!(mean(&|i| centred(draw, i) * centred(draw, i + 1)).abs() < 1e-3);
}

#[test]
fn certain_events() {
    let draw = Draw::new(0);
    assert!((0..1000).all(|i| draw.bernoulli(i, 1.0) && !draw.bernoulli(i, 0.0)));
    let x = Tensor::ones((3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(dropout(&x, 1.0, draw).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
    assert!(dropout(&x, 1.5, draw).is_err());
}

#[test]
fn masks_follow_the_counter_past_32_bits() {
    let draw = Draw::new(4);
    let start = (1u64 << 32) - 3;
    let mut row = [1.0; 6];
    draw.mask(start, 0.5, &mut row);
    let one = |i: u64| if draw.bernoulli(start + i, 0.5) { 0.0 } else { 2.0 };
    assert_eq!(row.to_vec(), (0..6).map(one).collect::<Vec<f32>>());
}

#[test]
fn gradients() {
    let draw = Draw::new(21);
    check(&[&[6, 5]], &[], &|x, _| dropout(&x[0], 0.4, draw));
    check(&[&[6, 5]], &[], &|x, _| row_dropout(&x[0], 0.4, draw));
}

#[test]
fn forward_and_backward_drop_the_same() {
    let x = Var::ones((400, 100), candle_core::DType::F32, &Device::Cpu).unwrap();
    let y = dropout(&x, 0.25, Draw::new(2)).unwrap();
    let grads = y.backward().unwrap();
    let forward = y.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(forward, grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap());
    let kept = forward.iter().filter(|v| **v != 0.0).count() as f64 / forward.len() as f64;
    assert!((kept - 0.75).abs() < 0.01, "{kept}");
    assert!(forward.iter().all(|v| *v == 0.0 || *v == 1.0 / 0.75));
}

#[test]
fn whole_rows_go_without_rescaling() {
    let x = Tensor::ones((2000, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let rows = row_dropout(&x, 0.25, Draw::new(2)).unwrap().to_vec2::<f32>().unwrap();
    let gone = rows.iter().filter(|r| **r == [0.0; 3]).count();
    assert!(rows.iter().all(|r| *r == [0.0; 3] || *r == [1.0; 3]));
    assert!((gone as f64 / 2000.0 - 0.25).abs() < 0.04, "{gone}");
}
