//! Recurrent layers.

use candle_core::{Device, Tensor, Var};

use super::{assert_close, check, compare, random, wide};
use crate::backend::kernels::recurrent::coupled::{Cell, coupled};
use crate::backend::kernels::recurrent::{Input, Projections, gru, lstm};
use crate::backend::looked::Looked;
use crate::backend::param::flat_params;
use crate::backend::rows::{Offsets, offsets_of};

fn ragged() -> Offsets {
    offsets_of([2, 0, 4, 1])
}

#[test]
fn cells_that_read_states() {
    let offsets = offsets_of([3, 0, 1, 4]);
    check(&[&[8, 21]], &[&[12, 3], &[3, 3]], &|x, p| {
        coupled(&x[0], &offsets, &[Cell { w_hh: &p[0], w_hg: &p[1], reads: None }])
    });
    let shapes: [&[usize]; 6] = [&[12, 3], &[3, 3], &[6, 2], &[8, 2], &[2, 2], &[4, 3]];
    check(&[&[8, 25]], &shapes, &|x, p| {
        let cell = |i: usize, other| Cell { w_hh: &p[i], w_hg: &p[i + 1], reads: Some((other, &p[i + 2])) };
        coupled(&x[0], &offsets, &[cell(0, 1), cell(3, 0)])
    });
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
    let y = lstm::lstm(x.as_tensor(), &ragged(), &p[0], &p[1], &p[2], false).unwrap();
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

#[test]
fn rows_of_a_table_as_their_numbers() {
    let lengths = [5, 0, 1, 9, 2, 7, 6];
    let (offsets, n) = (offsets_of(lengths), 30);
    let one: [&[usize]; 4] = [&[120, 9], &[120, 40], &[120], &[120]];
    let other: [&[usize]; 3] = [&[160, 9], &[160, 40], &[160]];
    let shapes: Vec<&[usize]> = [&[&[50, 9][..]][..], &one, &one, &other, &other].concat();
    let named = shapes.iter().enumerate().map(|(i, s)| (i.to_string(), (random(i as u64, s) * 0.3).unwrap()));
    let (p, _) = flat_params(named.collect()).unwrap();
    let gru = |x: Input<'_>, offsets: &Offsets| {
        gru::bi(x, offsets, [&p[1], &p[2], &p[3], &p[4]], [&p[5], &p[6], &p[7], &p[8]]).unwrap()
    };
    let lstm = |x: Input<'_>, offsets: &Offsets| {
        lstm::bi(x, offsets, [&p[9], &p[10], &p[11]], [&p[12], &p[13], &p[14]]).unwrap()
    };
    // Few words, of which there is something to save in a batch; many; and one sequence alone.
    for (words, n, offsets) in [(4, n, &offsets), (50, n, &offsets), (50, 6, &offsets_of([6]))] {
        let at: Vec<u32> = (0..n as u32).map(|i| i * 7 % words).collect();
        let looked = Looked::new(&p[0], at.into());
        let numbers = looked.numbers().unwrap();
        let kept = Projections::default();
        let same = |what: &str, run: &dyn Fn(Input<'_>) -> Tensor| {
            let expected = wide(&run(Input::Numbers(numbers))).unwrap();
            for kept in [None, Some(&kept), Some(&kept)] {
                assert_close(what, &wide(&run(Input::Rows(&looked, kept))).unwrap(), &expected, 1e-5);
            }
        };
        same("lstm", &|x| lstm(x, offsets));
        same("gru", &|x| gru(x, offsets));
    }
    let missing = Looked::new(&p[0], vec![50].into());
    assert!(lstm::lstm(Input::Rows(&missing, None), &offsets_of([1]), &p[9], &p[10], &p[11], false).is_err());
}

/// Liu et al. 2016, number by number: two cells of one unit that read each other over two words.
#[test]
fn coupled_cells_are_the_formula_of_the_paper() {
    let number = |n: usize| ((n * 7 + 3) as f32 * 0.61).sin();
    let column = |first: usize, count: usize| -> Vec<f32> { (first..first + count).map(number).collect() };
    let named = [0, 10].into_iter().flat_map(|k| {
        let one = |name: &str, first: usize, count: usize| {
            (format!("{name}{k}"), Tensor::from_vec(column(k + first, count), (count, 1), &Device::Cpu).unwrap())
        };
        [one("w_hh", 0, 4), one("w_hg", 4, 1), one("w_r", 5, 2)]
    });
    let (p, _) = flat_params(named.collect()).unwrap();
    let pre = column(40, 20);
    let cell = |i: usize, other| Cell { w_hh: &p[i], w_hg: &p[i + 1], reads: Some((other, &p[i + 2])) };
    let x = Tensor::from_slice(&pre, (2, 10), &Device::Cpu).unwrap();
    let y = coupled(&x, &offsets_of([2]), &[cell(0, 1), cell(3, 0)]).unwrap().to_vec2::<f32>().unwrap();
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c) = ([0f32; 2], [0f32; 2]);
    for t in 0..2 {
        let before = h;
        for k in 0..2 {
            let w = |n: usize| number(10 * k + n);
            let x = |n: usize| pre[10 * t + 5 * k + n];
            let (own, other) = (before[k], before[1 - k]);
            let [i, f, o] = [0, 1, 3].map(|n| sigmoid(x(n) + w(n) * own));
            let (g_own, g_other) = (sigmoid(x(4) + w(4) * own), sigmoid(x(4) + w(6) * other));
            let z = (x(2) + g_own * w(2) * own + g_other * w(5) * other).tanh();
            c[k] = f * c[k] + i * z;
            h[k] = o * c[k].tanh();
            assert!((y[t][k] - h[k]).abs() < 1e-6, "{} for {}", y[t][k], h[k]);
        }
    }
}
