//! Conditional random fields, against all paths written out and in all three forms.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Result, Tensor, Var};

use super::{assert_close, check, compare, random, wide};
use crate::backend::kernels::crf::{Constraint, best_labels, best_paths, crf_nll, crf_nll_plain, marginals, viterbi};
use crate::backend::param::{Param, flat_params};
use crate::backend::rows::{Offsets, offsets_of};
use crate::backend::{Grads, NO_LABEL};

const LABELS: usize = 3;

type Loss = fn(&Tensor, &Param, &Param, &Param, &Arc<Vec<u32>>, &Offsets) -> Result<Tensor>;

/// Emissions of three sequences, one of them empty, and transitions, start and end.
fn tiny(scale: f64) -> (Tensor, Vec<Param>, Arc<Grads>, Offsets) {
    let scaled = |seed, shape: &[usize]| (random(seed, shape) * scale).unwrap();
    let named = [vec![LABELS, LABELS], vec![LABELS], vec![LABELS]];
    let named = named.iter().enumerate().map(|(i, shape)| (i.to_string(), scaled(i as u64 + 5, shape)));
    let (params, grads) = flat_params(named.collect()).unwrap();
    (scaled(1, &[5, LABELS]), params, grads, offsets_of([4, 0, 1]))
}

/// Every sequence of `n` labels with its score.
fn paths(x: &[f64], p: &[Vec<f64>]) -> Vec<(Vec<usize>, f64)> {
    let n = x.len() / LABELS;
    let all = (0..LABELS.pow(n as u32)).map(|code| (0..n).map(|t| code / LABELS.pow(t as u32) % LABELS).collect());
    let score = |path: Vec<usize>| {
        let places: f64 = path.iter().enumerate().map(|(t, y)| x[t * LABELS + y]).sum();
        let pairs: f64 = path.windows(2).map(|y| p[0][y[0] * LABELS + y[1]]).sum();
        let edges = p[1][path[0]] + p[2][path[n - 1]];
        (path, places + pairs + edges)
    };
    all.map(score).collect()
}

/// What [`paths`] needs for the sequences of [`tiny`] that are not empty.
fn written_out(x: &Tensor, p: &[Param]) -> [Vec<(Vec<usize>, f64)>; 2] {
    let x = wide(x).unwrap();
    let p: Vec<Vec<f64>> = p.iter().map(|p| wide(p.var.as_tensor()).unwrap()).collect();
    [paths(&x[..4 * LABELS], &p), paths(&x[4 * LABELS..], &p)]
}

fn log_sum(paths: &[(Vec<usize>, f64)]) -> f64 {
    let top = paths.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    top + paths.iter().map(|p| (p.1 - top).exp()).sum::<f64>().ln()
}

#[test]
fn loss_of_all_paths() {
    for scale in [1.0, 8.0, 60.0] {
        let (x, p, _, offsets) = tiny(scale);
        let gold = Arc::new(vec![2, 0, 1, 1, 2]);
        let got = wide(&crf_nll(&x, &p[0], &p[1], &p[2], &gold, &offsets).unwrap()).unwrap();
        let [long, short] = written_out(&x, &p);
        let of = |paths: &[(Vec<usize>, f64)], gold: &[usize]| {
            log_sum(paths) - paths.iter().find(|p| p.0 == gold).unwrap().1
        };
        assert_close("loss", &got, &[of(&long, &[2, 0, 1, 1]), 0.0, of(&short, &[2])], 1e-6);
    }
}

#[test]
fn marginals_of_all_paths() {
    for scale in [1.0, 8.0, 60.0] {
        let (x, p, _, offsets) = tiny(scale);
        let got = wide(&marginals(&x, &p[0], &p[1], &p[2], &offsets).unwrap()).unwrap();
        let mut expected = vec![0.0; 5 * LABELS];
        for (first, paths) in [0, 4].into_iter().zip(written_out(&x, &p)) {
            let all = log_sum(&paths);
            for (path, score) in paths {
                for (t, y) in path.iter().enumerate() {
                    expected[(first + t) * LABELS + y] += (score - all).exp();
                }
            }
        }
        assert_close("marginals", &got, &expected, 1e-5);
    }
}

#[test]
fn best_of_all_paths() {
    let labels = ["O", "B", "I"].map(str::to_string);
    let constraint = Constraint::bio(&labels).unwrap();
    for (scale, allowed) in [(1.0, None), (1.0, Some(&constraint)), (30.0, Some(&constraint)), (30.0, None)] {
        let (x, p, _, offsets) = tiny(scale);
        let got = best_paths(&x, Some((&p[0], &p[1], &p[2])), allowed, &offsets).unwrap();
        let (mut labels, mut scores) = (vec![], vec![]);
        for paths in written_out(&x, &p) {
            let ids = |path: &[usize]| path.iter().map(|y| *y as u32).collect::<Vec<_>>();
            let well_formed = paths.iter().filter(|p| allowed.is_none_or(|a| a.allows(&ids(&p.0))));
            let best = well_formed.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            labels.extend(ids(&best.0));
            scores.push(best.1);
        }
        assert_eq!(got.labels, labels);
        let got: Vec<f64> = got.scores.iter().map(|s| f64::from(*s)).collect();
        assert_close("scores", &got, &[scores[0], 0.0, scores[1]], 1e-6);
    }
}

#[test]
fn tags_of_a_softmax() {
    let constraint = Constraint::bio(&["O", "B", "I"].map(str::to_string)).unwrap();
    let x = Tensor::new(&[[0.0f32, -1.0, 5.0], [0.0, -3.0, 2.0]], &Device::Cpu).unwrap();
    let decode = |allowed, lengths: &[usize]| viterbi(&x, None, allowed, &offsets_of(lengths.iter().copied()));
    assert_eq!(decode(None, &[2]).unwrap(), [2, 2]);
    assert_eq!(decode(Some(&constraint), &[2]).unwrap(), [1, 2]);
    assert_eq!(decode(Some(&constraint), &[1, 0, 1]).unwrap(), [0, 0]);
    assert!(decode(None, &[1]).is_err());
    let impossible = Constraint::new(vec![false; 3], vec![true; 3], vec![false; 9]);
    assert_eq!(decode(Some(&impossible), &[2]).unwrap().len(), 2);
}

#[test]
fn labels_without_transitions() {
    let offsets = offsets_of([9, 0, 1, 5]);
    for labels in ["O B-X I-X B-Y I-Y I-Z", "O B-X I-X E-X S-X B-Y I-Y"] {
        let constraint = Constraint::bio(&labels.split(' ').map(str::to_string).collect::<Vec<_>>()).unwrap();
        for seed in 0..50 {
            let x = random(seed, &[15, constraint.start.len()]);
            let all = viterbi(&x, None, Some(&constraint), &offsets).unwrap();
            assert_eq!(best_labels(&x, &constraint, &offsets).unwrap(), all);
        }
    }
}

#[test]
fn loss_three_ways() {
    let offsets = offsets_of([2, 0, 3, 1, 1]);
    let gold = Arc::new(vec![0, 3, 1, 2, 2, NO_LABEL, 1]);
    check(&[&[7, 4]], &[&[4, 4], &[4], &[4]], &|x, p| crf_nll(&x[0], &p[0], &p[1], &p[2], &gold, &offsets));
}

#[test]
fn marginals_three_ways() {
    let offsets = offsets_of([2, 0, 3, 1]);
    check(&[&[6, 4]], &[&[4, 4], &[4], &[4]], &|x, p| marginals(&x[0], &p[0], &p[1], &p[2], &offsets));
}

#[test]
fn many_labels() {
    let offsets = offsets_of((0..20).map(|i| i % 9));
    let rows = *offsets.last().unwrap() as usize;
    let gold = Arc::new((0..rows as u32).map(|i| if i == 5 { NO_LABEL } else { i * 7 % 90 }).collect());
    let shapes: [&[usize]; 3] = [&[90, 90], &[90], &[90]];
    compare(&[&[rows, 90]], &shapes, &|x, p| crf_nll(&x[0], &p[0], &p[1], &p[2], &gold, &offsets));
}

/// Scores so far apart that probabilities leave f32.
#[test]
fn far_apart() {
    let offsets = offsets_of([3, 2, 2]);
    let gold = Arc::new(vec![0, 1, 2, 0, 3, 1, 1]);
    for scale in [30.0, 200.0, 3000.0] {
        compare(&[&[7, 4]], &[&[4, 4], &[4], &[4]], &|x, p| {
            crf_nll(&(&x[0] * scale)?, &p[0], &p[1], &p[2], &gold, &offsets)
        });
    }
    // Labels that must not follow one another, and yet do.
    let transitions = Tensor::full(-500f32, (4, 4), &Device::Cpu).unwrap();
    let zeros = Tensor::zeros(4, candle_core::DType::F32, &Device::Cpu).unwrap();
    let named = [transitions, zeros.clone(), zeros].into_iter().enumerate().map(|(i, t)| (i.to_string(), t));
    let (p, grads) = flat_params(named.collect()).unwrap();
    let x = Var::from_tensor(&(random(3, &[7, 4]) * 400.0).unwrap()).unwrap();
    let run = |f: Loss| {
        grads.clear();
        let y = f(&x, &p[0], &p[1], &p[2], &gold, &offsets).unwrap();
        let store = y.sum_all().unwrap().backward().unwrap();
        grads.collect(&p, &store).unwrap();
        let params: Vec<f64> = grads.lock().iter().map(|g| f64::from(*g)).collect();
        (wide(&y).unwrap(), wide(store.get(&x).unwrap()).unwrap(), params)
    };
    let (fused, plain) = (run(crf_nll), run(crf_nll_plain));
    assert_close("loss", &fused.0, &plain.0, 1e-5);
    assert_close("emissions", &fused.1, &plain.1, 1e-4);
    assert_close("parameters", &fused.2, &plain.2, 1e-4);
}

#[test]
fn no_labels_no_gradient() {
    let (x, p, grads, offsets) = tiny(1.0);
    let x = Var::from_tensor(&x).unwrap();
    let gold = Arc::new(vec![0, 1, NO_LABEL, 1, NO_LABEL]);
    let y = crf_nll(&x, &p[0], &p[1], &p[2], &gold, &offsets).unwrap();
    let store = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(wide(&y).unwrap(), [0.0; 3]);
    assert_eq!(wide(store.get(&x).unwrap()).unwrap(), [0.0; 15]);
    assert!(grads.lock().iter().all(|g| *g == 0.0));
    let none = crf_nll(&random(1, &[0, LABELS]), &p[0], &p[1], &p[2], &Arc::new(vec![]), &offsets_of([0, 0])).unwrap();
    assert_eq!(wide(&none).unwrap(), [0.0; 2]);
    assert_eq!(marginals(&random(1, &[0, LABELS]), &p[0], &p[1], &p[2], &offsets_of([])).unwrap().dims(), [0, LABELS]);
}

/// `cargo test --release time_of_a_crf -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn time_of_a_crf() {
    let shapes: [&[usize]; 3] = [&[120, 120], &[120], &[120]];
    let named = shapes.iter().enumerate().map(|(i, s)| (i.to_string(), (random(i as u64, s) * 0.1).unwrap()));
    let (p, _) = flat_params(named.collect()).unwrap();
    let offsets = offsets_of((0..16).map(|i| 6 + i % 11));
    let rows = *offsets.last().unwrap() as usize;
    let x = Var::from_tensor(&random(1, &[rows, 120])).unwrap();
    let gold = Arc::new((0..rows as u32).map(|i| i * 7 % 120).collect());
    let mut best = [f64::MAX; 3];
    for _ in 0..30 {
        let start = Instant::now();
        let y = crf_nll(&x, &p[0], &p[1], &p[2], &gold, &offsets).unwrap();
        best[0] = best[0].min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        y.sum_all().unwrap().backward().unwrap();
        best[1] = best[1].min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        viterbi(&x, Some((&p[0], &p[1], &p[2])), None, &offsets).unwrap();
        best[2] = best[2].min(start.elapsed().as_secs_f64());
    }
    let [forward, backward, decode] = best.map(|b| b * 1e3);
    println!("{rows} tokens: forward {forward:.2} ms, backward {backward:.2} ms, decoding {decode:.2} ms");
}
