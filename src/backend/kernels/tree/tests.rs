//! Decoders against a look at every tree, scores and losses against plain code.

use std::sync::Arc;

use super::*;
use crate::backend::kernels::choice::choice_loss;
use crate::backend::kernels::random::Draw;
use crate::backend::kernels::tests::{check, compare, random};
use crate::backend::rows::offsets_of;

/// Every choice of a head for each token.
fn all_heads(n: usize) -> Vec<Vec<u32>> {
    (0..n).fold(vec![Vec::new()], |all, _| {
        all.iter().flat_map(|heads| (0..=n as u32).map(move |head| [heads.as_slice(), &[head]].concat())).collect()
    })
}

/// Whether each token reaches the root, on which one token hangs.
fn is_tree(heads: &[u32]) -> bool {
    let reaches = |token: usize| {
        let mut at = token as u32 + 1;
        for _ in 0..heads.len() {
            at = heads[at as usize - 1];
            if at == 0 {
                return true;
            }
        }
        false
    };
    heads.iter().filter(|head| **head == 0).count() == 1 && (0..heads.len()).all(reaches)
}

/// Whether no two arcs cross, the root standing before the first token.
fn is_projective(heads: &[u32]) -> bool {
    let arcs: Vec<(u32, u32)> =
        heads.iter().enumerate().map(|(i, head)| ((i as u32 + 1).min(*head), (i as u32 + 1).max(*head))).collect();
    let cross = |a: &(u32, u32), b: &(u32, u32)| a.0 < b.0 && b.0 < a.1 && a.1 < b.1;
    !arcs.iter().any(|a| arcs.iter().any(|b| cross(a, b)))
}

fn total(arcs: &Arcs, heads: &[u32]) -> f64 {
    heads.iter().enumerate().map(|(i, head)| arcs.score(i + 1, *head as usize)).sum()
}

#[test]
fn the_best_of_all_trees() {
    for n in 1..=5 {
        let trees: Vec<Vec<u32>> = all_heads(n).into_iter().filter(|heads| is_tree(heads)).collect();
        // Cayley: nᵐ⁻¹ trees on n tokens with a root among them.
        assert_eq!(trees.len(), n.pow(n as u32 - 1));
        for seed in 0..60 {
            let draw = Draw::new(seed).part(n as u64);
            // Some with few values, so that there are ties, and some with a strong root.
            let number = |i: u64| match seed % 3 {
                0 => draw.normal(i),
                1 => (draw.normal(i) * 2.0).round(),
                _ => draw.normal(i) + if i.is_multiple_of(n as u64 + 1) { 5.0 } else { 0.0 },
            };
            let scores: Vec<f32> = (0..(n * (n + 1)) as u64).map(number).collect();
            let arcs = Arcs { n, scores: &scores };
            for (shape, fits) in [(Shape::Any, (|_| true) as fn(&[u32]) -> bool), (Shape::Projective, is_projective)] {
                let all = trees.iter().filter(|heads| fits(heads)).map(|heads| total(&arcs, heads));
                let most = all.fold(f64::NEG_INFINITY, f64::max);
                let found = arcs.best(shape);
                assert!(is_tree(&found) && fits(&found), "{found:?}");
                assert!((total(&arcs, &found) - most).abs() < 1e-9, "{shape:?} {scores:?}: {found:?}");
            }
        }
    }
}

#[test]
fn many_tokens_and_odd_scores() {
    let n = 60;
    let scores: Vec<f32> = (0..(n * (n + 1)) as u64).map(|i| Draw::new(7).normal(i)).collect();
    let arcs = Arcs { n, scores: &scores };
    let (any, flat) = (arcs.best(Shape::Any), arcs.best(Shape::Projective));
    assert!(is_tree(&any) && is_tree(&flat) && is_projective(&flat));
    assert!(total(&arcs, &any) > total(&arcs, &flat));
    for odd in [0.0, f32::NAN, f32::INFINITY] {
        let scores = vec![odd; n * (n + 1)];
        assert_eq!(Arcs { n, scores: &scores }.best(Shape::Any).len(), n);
        assert_eq!(Arcs { n, scores: &scores }.best(Shape::Projective).len(), n);
    }
}

#[test]
fn trees_of_several_texts() {
    // One token, none, and two of which the second hangs on the first.
    let scores = [0.0, 9.0, 1.0, 5.0, 0.0, 0.0, 3.0, 0.0];
    let offsets = offsets_of([1, 0, 2]);
    assert_eq!(best_trees(&scores, &offsets, Shape::Any), [0, 0, 1]);
    assert_eq!(&*candidates(&offsets), &[0, 2, 5, 8]);
}

#[test]
fn scores_of_arcs() {
    let offsets = offsets_of([3, 0, 1, 4]);
    check(&[&[8, 3], &[8, 3], &[1, 3]], &[], &|x, _| arc_scores(&x[0], &x[1], &x[2], &offsets));
    let many = offsets_of([30, 7, 55]);
    compare(&[&[92, 40], &[92, 40], &[1, 40]], &[], &|x, _| arc_scores(&x[0], &x[1], &x[2], &many));
    let rows = |seed| random(seed, &[8, 3]).to_vec2::<f32>().unwrap();
    let (q, h, root) = (rows(1), rows(2), random(3, &[1, 3]).to_vec2::<f32>().unwrap());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let got = arc_scores(&random(1, &[8, 3]), &random(2, &[8, 3]), &random(3, &[1, 3]), &offsets).unwrap();
    let got = got.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let mut want = Vec::new();
    for text in [0..3, 3..4, 4..8] {
        for i in text.clone() {
            want.push(dot(&q[i], &root[0]));
            want.extend(text.clone().map(|j| dot(&q[i], &h[j])));
        }
    }
    assert_eq!(got.len(), want.len());
    assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?} {want:?}");
    assert_eq!(
        arc_scores(&random(1, &[0, 3]), &random(2, &[0, 3]), &random(3, &[1, 3]), &offsets_of([0])).unwrap().dims(),
        [0, 1]
    );
    assert!(arc_scores(&random(1, &[2, 3]), &random(2, &[3, 3]), &random(3, &[1, 3]), &offsets_of([2])).is_err());
}

#[test]
fn choices_within_segments() {
    let offsets = offsets_of([3, 0, 1, 4]);
    for gold in [[2, 0, 0, 1], [u32::MAX, 5, 0, 3], [3, u32::MAX - 1, 1, 4]] {
        let gold = Arc::new(gold.to_vec());
        check(&[&[8, 1]], &[], &|x, _| choice_loss(&x[0], &offsets, &gold));
        let scores: Vec<f32> = random(5, &[8, 1]).flatten_all().unwrap().to_vec1().unwrap();
        let got = choice_loss(&random(5, &[8, 1]), &offsets, &gold).unwrap().flatten_all().unwrap();
        for (i, got) in got.to_vec1::<f32>().unwrap().into_iter().enumerate() {
            let part = &scores[offsets[i] as usize..offsets[i + 1] as usize];
            let sum: f32 = part.iter().map(|x| x.exp()).sum();
            let want = part.get(gold[i] as usize).map_or(0.0, |x| sum.ln() - x);
            assert!((got - want).abs() < 1e-5, "{got} for {want}");
        }
    }
    assert!(choice_loss(&random(5, &[8, 1]), &offsets, &Arc::new(vec![0])).is_err());
}
