//! Operations on segments of rows.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};

use super::{check, compare, random, wide};
use crate::backend::kernels::edges::{Form, Neighbours, attend};
use crate::backend::kernels::segment;
use crate::backend::param::flat_params;
use crate::backend::rows::{Offsets, offsets_of};

type Pool = fn(&Tensor, &Offsets) -> Result<Tensor>;

const POOLS: [Pool; 5] = [segment::sum, segment::mean, segment::max, segment::first, segment::last];

#[test]
fn pools_three_ways() {
    let offsets = offsets_of([2, 0, 3, 1]);
    for pool in POOLS {
        check(&[&[6, 3]], &[], &|x, _| pool(&x[0], &offsets));
    }
}

#[test]
fn many_segments() {
    let offsets = offsets_of((0..300).map(|i| i % 7));
    let rows = *offsets.last().unwrap() as usize;
    for pool in POOLS {
        compare(&[&[rows, 20]], &[], &|x, _| pool(&x[0], &offsets));
    }
    compare(&[&[rows, 2]], &[], &|x, _| segment::segment_softmax(&x[0], &offsets));
    compare(&[&[rows, 1], &[rows, 20]], &[], &|x, _| segment::weighted_sum(&x[0], &x[1], &offsets));
    compare(&[&[300, 20]], &[], &|x, _| segment::repeat_rows(&x[0], &offsets));
}

#[test]
fn pools_give_what_they_say() {
    let x = Tensor::new(&[[1f32, 8.0], [3.0, 4.0], [5.0, -6.0]], &Device::Cpu).unwrap();
    let expected = [
        [4.0, 12.0, 0.0, 0.0, 5.0, -6.0],
        [2.0, 6.0, 0.0, 0.0, 5.0, -6.0],
        [3.0, 8.0, 0.0, 0.0, 5.0, -6.0],
        [1.0, 8.0, 0.0, 0.0, 5.0, -6.0],
        [3.0, 4.0, 0.0, 0.0, 5.0, -6.0],
    ];
    for (pool, expected) in POOLS.into_iter().zip(expected) {
        let y = pool(&x, &offsets_of([2, 0, 1])).unwrap();
        assert_eq!(y.dims(), [3, 2]);
        assert_eq!(wide(&y).unwrap(), expected);
        assert!(pool(&x, &offsets_of([2])).is_err());
        assert_eq!(pool(&random(1, &[0, 2]), &offsets_of([0])).unwrap().dims(), [1, 2]);
    }
}

#[test]
fn one_of_equal_maxima_gets_the_gradient() {
    let x = Var::new(&[[2f32], [2.0], [1.0]], &Device::Cpu).unwrap();
    let store = segment::max(&x, &offsets_of([3])).unwrap().backward().unwrap();
    assert_eq!(wide(store.get(&x).unwrap()).unwrap(), [1.0, 0.0, 0.0]);
}

#[test]
fn weights_within_segments() {
    let offsets = offsets_of([2, 0, 3, 1]);
    check(&[&[6, 2]], &[], &|x, _| segment::segment_softmax(&x[0], &offsets));
    check(&[&[6, 1], &[6, 3]], &[], &|x, _| segment::weighted_sum(&x[0], &x[1], &offsets));
    let y = segment::segment_softmax(&(random(1, &[6, 1]) * 300.0).unwrap(), &offsets).unwrap();
    let sums = wide(&segment::sum(&y, &offsets).unwrap()).unwrap();
    assert!(sums.iter().zip([1.0, 0.0, 1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn rows_by_index() {
    let ids = Arc::new(vec![2, 0, 2]);
    check(&[&[4, 3]], &[], &|x, _| segment::repeat_rows(&x[0], &offsets_of([2, 0, 3, 1])));
    check(&[&[4, 3]], &[], &|x, _| segment::gather_rows(&x[0], &ids));
    assert!(segment::gather_rows(&random(1, &[2, 3]), &ids).is_err());
}

#[test]
fn graph_attention() {
    let offsets = offsets_of([3, 0, 1, 4]);
    for (forms, heads) in [(&[Form::Window(1)][..], 1), (&[Form::All], 2), (&[Form::Across, Form::Window(2)], 2)] {
        let parts = if heads == 1 { vec![] } else { vec![offsets_of([2, 0, 1, 1]), offsets_of([1, 0, 0, 3])] };
        let edges = Arc::new(Neighbours::new(&offsets, &parts, forms, &[]));
        check(&[&[8, 4]], &[&[4], &[4]], &|x, p| attend(&x[0], &p[0], &p[1], &edges, heads));
    }
    let offsets = offsets_of((0..60).map(|i| i % 25));
    let edges = Arc::new(Neighbours::new(&offsets, &[], &[Form::Window(2)], &[]));
    let rows = *offsets.last().unwrap() as usize;
    compare(&[&[rows, 32]], &[&[32], &[32]], &|x, p| attend(&x[0], &p[0], &p[1], &edges, 4));
}

/// Veličković et al. 2018, eq. 3 and 4, place by place.
#[test]
fn graph_attention_is_the_formula_of_the_paper() {
    let (h, a, b) = (random(1, &[3, 2]), random(2, &[2]), random(3, &[2]));
    let (p, _) = flat_params(vec![("a".into(), a.clone()), ("b".into(), b.clone())]).unwrap();
    let of = |forms: &[Form], given: &[[u32; 2]]| {
        let edges = Arc::new(Neighbours::new(&offsets_of([3]), &[], forms, given));
        attend(&h, &p[0], &p[1], &edges, 1).unwrap().to_vec2::<f32>().unwrap()
    };
    let (by_window, by_pairs) = (of(&[Form::Window(1)], &[]), of(&[], &[[2, 0]]));
    let (h, a, b) = (h.to_vec2::<f32>().unwrap(), a.to_vec1::<f32>().unwrap(), b.to_vec1::<f32>().unwrap());
    let dot = |w: &[f32], x: &[f32]| w[0] * x[0] + w[1] * x[1];
    let window = [(0, vec![0, 1]), (1, vec![0, 1, 2]), (2, vec![1, 2])].map(|case| (&by_window, case));
    let pairs = [(0, vec![0, 2]), (1, vec![1]), (2, vec![0, 2])].map(|case| (&by_pairs, case));
    for (y, (i, near)) in window.into_iter().chain(pairs) {
        let score = |j: &usize| {
            let e = dot(&a, &h[i]) + dot(&b, &h[*j]);
            (if e > 0.0 { e } else { 0.2 * e }).exp()
        };
        let total: f32 = near.iter().map(score).sum();
        for k in 0..2 {
            let expected: f32 = near.iter().map(|j| score(j) / total * h[*j][k]).sum();
            assert!((y[i][k] - expected).abs() < 1e-5, "{} for {expected}", y[i][k]);
        }
    }
}
