//! Layers and heads that read the label before each place.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use super::{Numbers, check, compare, numbers, random};
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::crf::{Constraint, Rules};
use crate::backend::kernels::feedback::{Head, beside, beside_plain, greedy, previous};
use crate::backend::kernels::linear::linear;
use crate::backend::kernels::recurrent::{Labels, gru, lstm};
use crate::backend::param::Param;
use crate::backend::rows::{Offsets, offsets_of};

fn labels(p: &[Param]) -> Labels {
    Labels { table: p[0].clone(), weight: p[1].clone() }
}

fn before() -> (Offsets, Arc<Vec<u32>>) {
    let offsets = offsets_of([2, 0, 4, 1]);
    let before = previous(&[2, 1, 0, 0, 9, 1, 2], &offsets, 3);
    (offsets, before)
}

#[test]
fn beside_a_label() {
    let (_, rows) = before();
    check(&[&[7, 3]], &[&[4, 2]], &|x, p| beside(&x[0], &rows, &p[0]));
    compare(&[&[7, 30]], &[&[4, 20]], &|x, p| beside_plain(&x[0], &rows, &p[0])? + beside(&x[0], &rows, &p[0])?);
    let many: Arc<Vec<u32>> = Arc::new((0..3000).map(|i| i * i % 4).collect());
    compare(&[&[3000, 30]], &[&[4, 20]], &|x, p| beside(&x[0], &many, &p[0]));
}

#[test]
fn recurrent_layers_that_read_labels() {
    let (offsets, rows) = before();
    let shapes: [&[usize]; 5] = [&[4, 2], &[8, 2], &[8, 3], &[8, 2], &[8]];
    check(&[&[7, 3]], &shapes, &|x, p| lstm::fed(&x[0], &offsets, [&p[2], &p[3], &p[4]], labels(p), &rows));
    let shapes: [&[usize]; 6] = [&[4, 2], &[6, 2], &[6, 3], &[6, 2], &[6], &[6]];
    check(&[&[7, 3]], &shapes, &|x, p| gru::fed(&x[0], &offsets, [&p[2], &p[3], &p[4], &p[5]], labels(p), &rows));
    // Short ones: numbers as large as these make long sequences chaotic.
    let offsets = offsets_of((0..800).map(|i| i % 4));
    let count = *offsets.last().unwrap() as usize;
    let rows: Arc<Vec<u32>> = Arc::new((0..count as u32).map(|i| i * i % 20).collect());
    let shapes: [&[usize]; 5] = [&[20, 8], &[64, 8], &[64, 20], &[64, 16], &[64]];
    compare(&[&[count, 20]], &shapes, &|x, p| lstm::fed(&x[0], &offsets, [&p[2], &p[3], &p[4]], labels(p), &rows));
}

/// What a layer of labels is: one that reads `[x; e]` with the weights side by side.
#[test]
fn labels_are_a_part_of_the_input() {
    let (offsets, rows) = before();
    let shapes: [&[usize]; 5] = [&[4, 2], &[8, 2], &[8, 3], &[8, 2], &[8]];
    let all = Numbers { inputs: vec![], params: numbers(2, &shapes) };
    let (p, _) = all.params(DType::F32).unwrap();
    let x = random(1, &[7, 3]);
    let fed = lstm::fed(&x, &offsets, [&p[2], &p[3], &p[4]], labels(&p), &rows).unwrap();
    let wide = Tensor::cat(&[p[2].var.as_tensor(), p[1].var.as_tensor()], 1).unwrap();
    let (q, _) = crate::backend::param::flat_params(vec![("w".to_owned(), wide)]).unwrap();
    let both = beside(&x, &rows, &p[0]).unwrap();
    let expected = lstm::lstm(&both, &offsets, &q[0], &p[3], &p[4], false).unwrap();
    super::assert_close("states", &super::wide(&fed).unwrap(), &super::wide(&expected).unwrap(), 1e-5);
}

const NAMES: [&str; 5] = ["O", "B-x", "I-x", "E-x", "S-x"];

fn constraint() -> Constraint {
    Constraint::bio(&NAMES.map(String::from)).unwrap()
}

/// What is read at the places of one sequence, given the labels before them.
type Read<'a> = &'a dyn Fn(&Tensor, &Offsets, &Arc<Vec<u32>>) -> Result<Tensor>;

/// Each label in turn, from the whole of what stands before it.
fn naive(x: &Tensor, offsets: &Offsets, read: Read, head: [&Param; 2], chain: Option<[&Param; 3]>) -> Vec<u32> {
    let (allowed, c) = (constraint(), NAMES.len());
    let chain = chain.map(|p| p.map(|p| p.var.as_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap()));
    let mut all = Vec::new();
    for ends in offsets.windows(2) {
        let mut labels: Vec<u32> = Vec::new();
        for place in ends[0]..ends[1] {
            let length = (place + 1 - ends[0]) as usize;
            let only = offsets_of([length]);
            let with_any = [&labels[..], &[0]].concat();
            let x = x.narrow(0, ends[0] as usize, length).unwrap();
            let hidden = read(&x, &only, &previous(&with_any, &only, c)).unwrap();
            let scores = linear(&hidden, head[0], Some(head[1]), Activation::None).unwrap();
            let mut scores = scores.get(length - 1).unwrap().to_vec1::<f32>().unwrap();
            let from = labels.last().map(|l| *l as usize);
            for (label, score) in scores.iter_mut().enumerate() {
                let last = place + 1 == ends[1];
                if let Some([transitions, start, end]) = &chain {
                    *score += from.map_or(start[label], |from| transitions[from * c + label]);
                    *score += if last { end[label] } else { 0.0 };
                }
                let fits = from.map_or(allowed.start[label], |from| allowed.next[from * c + label]);
                if !fits || last && !allowed.end[label] {
                    *score -= 1e6;
                }
            }
            let best = (0..c).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            labels.push(best as u32);
        }
        all.extend(labels);
    }
    all
}

/// Parameters of a layer `h` wide with labels `d` wide, of a head on `out` numbers, of a CRF.
fn shapes(gates: usize, out: usize) -> Vec<Vec<usize>> {
    let (g, c, h) = (gates * 7, NAMES.len(), 7);
    let head = [vec![c, out], vec![c], vec![c, c], vec![c], vec![c]];
    [vec![c + 1, 4], vec![g, 4], vec![g, 6], vec![g, h], vec![g], vec![g]].into_iter().chain(head).collect()
}

#[test]
fn one_label_after_another() {
    let offsets = offsets_of([3, 0, 9, 1, 6, 9, 2]);
    let (x, c) = (random(1, &[30, 6]), NAMES.len());
    let wide = x.to_dtype(DType::F64).unwrap();
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..8 {
        for (form, gates, out) in [("lstm", 4, 7), ("gru", 3, 7), ("beside", 1, 10)] {
            let shapes = shapes(gates, out);
            let shapes: Vec<&[usize]> = shapes.iter().map(|s| &s[..]).collect();
            let all = Numbers { inputs: vec![], params: numbers(10 + seed, &shapes) };
            let ((p, _), (q, _)) = (all.params(DType::F32).unwrap(), all.params(DType::F64).unwrap());
            for crf in [false, true] {
                let decode = |x: &Tensor, p: &[Param]| {
                    let chain = crf.then_some([&p[8], &p[9], &p[10]]);
                    let rules = Rules::new(c, chain, Some(&constraint())).unwrap();
                    let head = Head { weight: &p[6], bias: &p[7], rules };
                    match form {
                        "lstm" => lstm::greedy(x, &offsets, [&p[2], &p[3], &p[4]], &labels(p), &head),
                        "gru" => gru::greedy(x, &offsets, [&p[2], &p[3], &p[4], &p[5]], &labels(p), &head),
                        _ => greedy(x, &p[0], &head, &offsets),
                    }
                };
                let read = |x: &Tensor, offsets: &Offsets, rows: &Arc<Vec<u32>>| match form {
                    "lstm" => lstm::fed(x, offsets, [&p[2], &p[3], &p[4]], labels(&p), rows),
                    "gru" => gru::fed(x, offsets, [&p[2], &p[3], &p[4], &p[5]], labels(&p), rows),
                    _ => beside(x, rows, &p[0]),
                };
                let got = decode(&x, &p).unwrap();
                let chain = crf.then_some([&p[8], &p[9], &p[10]]);
                assert_eq!(got, naive(&x, &offsets, &read, [&p[6], &p[7]], chain), "{form} {crf}");
                assert_eq!(got, decode(&wide, &q).unwrap(), "{form} {crf}, plain");
                let well_formed = |w: &[u32]| constraint().allows(&got[w[0] as usize..w[1] as usize]);
                assert!(offsets.windows(2).all(well_formed), "{got:?}");
                met.extend(got);
            }
        }
    }
    assert_eq!(met.len(), c, "all labels are met");
}

#[test]
fn nothing_to_label_and_what_does_not_fit() {
    let shapes = shapes(4, 7);
    let shapes: Vec<&[usize]> = shapes.iter().map(|s| &s[..]).collect();
    let (p, _) = Numbers { inputs: vec![], params: numbers(3, &shapes) }.params(DType::F32).unwrap();
    let head = |weight| Head { weight, bias: &p[7], rules: Rules::new(NAMES.len(), None, None).unwrap() };
    let (none, layer) = (offsets_of([0, 0]), [&p[2], &p[3], &p[4]]);
    assert_eq!(lstm::greedy(&random(1, &[0, 6]), &none, layer, &labels(&p), &head(&p[6])).unwrap(), [0u32; 0]);
    assert!(lstm::greedy(&random(1, &[1, 6]), &none, layer, &labels(&p), &head(&p[6])).is_err());
    assert!(lstm::greedy(&random(1, &[0, 6]), &none, layer, &labels(&p), &head(&p[8])).is_err());
    assert!(greedy(&random(1, &[0, 6]), &p[0], &head(&p[6]), &none).is_err());
    let x = random(1, &[2, 6]);
    assert!(lstm::fed(&x, &offsets_of([2]), layer, labels(&p), &Arc::new(vec![0])).is_err());
    assert!(lstm::fed(&x, &offsets_of([2]), layer, labels(&p), &Arc::new(vec![0, 6])).is_err());
    assert!(beside(&x, &Arc::new(vec![0, 6]), &p[0]).is_err());
    assert!(Rules::new(2, None, Some(&constraint())).is_err());
}
