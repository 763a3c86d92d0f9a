//! Decoders: losses and layers against their plain forms, one place at a time against all at once,
//! and search against every text there is.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{check, numbers};
use crate::backend::kernels::decode::copy::{Copier, Golds, copy_loss};
use crate::backend::kernels::decode::decoder::{Drops, Memory};
use crate::backend::kernels::decode::pointer::{self, Pairs};
use crate::backend::kernels::decode::search::{About, Copies, Hypothesis, Options, Sampling, feed, write};
use crate::backend::kernels::decode::{Body, Cross, Decoder, END, Layer, Table, Words, fed, logits, word_loss};
use crate::backend::kernels::random::Draw;
use crate::backend::kernels::softmax::log_softmax;
use crate::backend::kernels::transformer::{Dense, NormParams};
use crate::backend::param::{Param, flat_params};
use crate::backend::rows::{Offsets, offsets_of};

/// Words whose vectors lie in a table in another order, with a row for the end.
fn tied(params: &[Param]) -> Words {
    let table = Table { param: params[0].clone(), end: Some(params[1].clone()) };
    let rows = Some(Arc::new(vec![0, 4, 2, 3]));
    let (input, output, bias) = (table.clone(), table, params[2].clone());
    Words { input, output, bias, rows, inward: None, outward: None, factor: 0.5 }
}

#[test]
fn losses_of_words() {
    // Five words, that of the end the last; the third place has none.
    let gold = Arc::new(vec![1, 4, u32::MAX, 3, 0]);
    let run = |x: &[Tensor], p: &[Param]| word_loss(&x[0], &tied(p), &gold, 0.1, true);
    check(&[&[5, 3]], &[&[6, 3], &[1, 3], &[5]], &run);
    // Places that count differently go through the blocks again, as `check` weighs them; alike ones
    // do not.
    let once = |x: &[Tensor], p: &[Param]| word_loss(&x[0], &tied(p), &gold, 0.0, true)?.sum_all()?.reshape((1, 1));
    check(&[&[5, 3]], &[&[6, 3], &[1, 3], &[5]], &once);
}

#[test]
fn words_that_are_read() {
    let rows = [3, END, 0, 3, END];
    let run = |_: &[Tensor], p: &[Param]| fed(&rows, &Table { param: p[0].clone(), end: Some(p[1].clone()) });
    check(&[], &[&[5, 3], &[1, 3]], &run);
    let own = |_: &[Tensor], p: &[Param]| fed(&rows, &Table { param: p[0].clone(), end: None });
    check(&[], &[&[5, 3]], &own);
}

const D: usize = 4;
/// Words of the decoders below, the unknown one and the end among them.
const WORDS: usize = 5;

/// Takes parameters in order.
struct Take<'p>(std::slice::Iter<'p, Param>);

impl Take<'_> {
    fn one(&mut self) -> Param {
        self.0.next().expect("a parameter").clone()
    }

    fn dense(&mut self) -> Dense {
        Dense { w: self.one(), b: self.one() }
    }

    fn norm(&mut self) -> NormParams {
        NormParams { gamma: self.one(), beta: self.one() }
    }

    fn words(&mut self) -> Words {
        let [input, output] = [self.one(), self.one()].map(|param| Table { param, end: None });
        Words { input, output, bias: self.one(), rows: None, inward: None, outward: None, factor: 1.0 }
    }
}

const TABLES: [&[usize]; 3] = [&[WORDS, D], &[WORDS, D], &[WORDS]];
const LAYER: [&[usize]; 20] = [
    &[D],
    &[D],
    &[3 * D, D],
    &[3 * D],
    &[D, D],
    &[D],
    &[D],
    &[D],
    &[D, D],
    &[D],
    &[2 * D, D],
    &[2 * D],
    &[D, D],
    &[D],
    &[D],
    &[D],
    &[6, D],
    &[6],
    &[D, 6],
    &[D],
];
const CELL: [&[usize]; 3] = [&[4 * D, D], &[4 * D, D], &[4 * D]];
const LOOK: [&[usize]; 8] = [&[D, D], &[D], &[D, D], &[D], &[2 * D, D], &[2 * D], &[D, 2 * D], &[D]];

fn transformer_shapes() -> Vec<&'static [usize]> {
    [&TABLES[..], &LAYER, &LAYER, &[&[D], &[D]]].concat()
}

fn lstm_shapes() -> Vec<&'static [usize]> {
    [&TABLES[..], &CELL, &CELL, &LOOK].concat()
}

fn transformer(params: &[Param]) -> Decoder {
    let mut take = Take(params.iter());
    let words = take.words();
    let mut layer = || Layer {
        norm_self: take.norm(),
        qkv: take.dense(),
        self_out: take.dense(),
        cross: Cross::Places { norm: Some(take.norm()), query: take.dense(), memory: take.dense() },
        cross_out: take.dense(),
        norm_ff: take.norm(),
        ff_in: take.dense(),
        ff_out: take.dense(),
    };
    let layers = vec![layer(), layer()];
    Decoder { words, body: Body::Transformer { layers, norm: take.norm(), heads: 2 } }
}

fn lstm(params: &[Param]) -> Decoder {
    let mut take = Take(params.iter());
    let words = take.words();
    let layers = (0..2).map(|_| [take.one(), take.one(), take.one()]).collect();
    let start = take.dense();
    let cross = Cross::Places { norm: None, query: take.dense(), memory: take.dense() };
    Decoder { words, body: Body::Lstm { layers, start, look: Some(Box::new((cross, take.dense()))) } }
}

type Make = fn(&[Param]) -> Decoder;

fn both() -> [(Make, Vec<&'static [usize]>); 2] {
    [(transformer, transformer_shapes()), (lstm, lstm_shapes())]
}

#[test]
fn states_of_decoders() {
    // Three texts, of which the second is missing; the last example has nothing to look at.
    let (places, memories): (Offsets, Offsets) = (offsets_of([3, 0, 2]), offsets_of([2, 1, 0]));
    let before = [END, 1, 3, END, 2];
    let drops = Drops { layers: Some((0.2, Draw::new(4))), words: Some((0.1, Draw::new(5))) };
    for (make, shapes) in both() {
        for drops in [Drops::default(), drops] {
            let run = |x: &[Tensor], p: &[Param]| {
                let decoder = make(p);
                // Rows that leave the attention in doubt, or next to no gradient comes back.
                let rows = (&x[0] * 0.2)?;
                let memory = Memory { rows: &rows, offsets: &memories };
                logits(&decoder.states(&before, &places, memory, drops)?, &decoder.words)
            };
            check(&[&[3, D]], &shapes, &run);
        }
    }
}

fn params(shapes: &[&[usize]], seed: u64) -> Result<Vec<Param>> {
    let tensor = |(i, (shape, values)): (usize, (Vec<usize>, Vec<f64>))| {
        let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
        Ok((format!("p{i}"), Tensor::from_vec(values, shape, &Device::Cpu)?))
    };
    let named = numbers(seed, shapes).into_iter().enumerate().map(tensor).collect::<Result<Vec<_>>>()?;
    Ok(flat_params(named)?.0)
}

/// Two examples, with memories of three rows and of one.
fn memory() -> (Tensor, Offsets) {
    let numbers: Vec<f32> = (0..4 * D as u64).map(|i| Draw::new(8).normal(i)).collect();
    (Tensor::from_vec(numbers, (4, D), &Device::Cpu).expect("a memory"), offsets_of([3, 1]))
}

/// log p of a text and its end, all places at once.
fn log_p(decoder: &Decoder, example: usize, text: &[u32]) -> Result<f32> {
    let (all, offsets) = memory();
    let rows = offsets[example] as usize..offsets[example + 1] as usize;
    let mine = all.narrow(0, rows.start, rows.len())?.contiguous()?;
    let before: Vec<u32> = [END].into_iter().chain(text.iter().copied()).collect();
    let memory = Memory { rows: &mine, offsets: &offsets_of([rows.len()]) };
    let states = decoder.states(&before, &offsets_of([before.len()]), memory, Drops::default())?;
    let p: Vec<Vec<f32>> = log_softmax(&logits(&states, &decoder.words)?)?.to_vec2()?;
    let after = text.iter().copied().chain([decoder.words.end()]);
    Ok(p.iter().zip(after).map(|(row, word)| row[word as usize]).sum())
}

fn written(decoder: &Decoder, options: &Options) -> Result<Vec<Vec<Hypothesis>>> {
    let (memory, offsets) = memory();
    let numbers = memory.flatten_all()?.to_vec1::<f32>()?;
    let rows = |_: u32, word: u32| word;
    let about = About { memory: &numbers, offsets: &offsets, rows: &rows, examples: &[7, 9], copies: None };
    write(decoder, about, options)
}

const MOST: usize = 3;

/// Every text of up to `MOST` of the words 1 to 3.
fn every_text() -> Vec<Vec<u32>> {
    let mut all = vec![vec![]];
    let mut last = all.clone();
    for _ in 0..MOST {
        last = last.iter().flat_map(|text| (1..4).map(|w| [&text[..], &[w]].concat())).collect();
        all.extend(last.clone());
    }
    all
}

#[test]
fn a_search_with_room_for_all_finds_the_best_of_all() -> Result<()> {
    for (make, shapes) in both() {
        for seed in 1..4 {
            let decoder = make(&params(&shapes, seed)?);
            for length_penalty in [0.0, 0.6, 1.0] {
                let all = every_text();
                let options =
                    Options { beam: all.len(), wanted: all.len(), length_penalty, max_length: MOST, sampling: None };
                let found = written(&decoder, &options)?;
                for (example, found) in found.iter().enumerate() {
                    let score = |text: &Vec<u32>| {
                        let p = log_p(&decoder, example, text).expect("a probability");
                        (p / ((6 + text.len()) as f32 / 6.0).powf(length_penalty), p)
                    };
                    let mut scored: Vec<((f32, f32), &Vec<u32>)> = all.iter().map(|text| (score(text), text)).collect();
                    scored.sort_by(|a, b| b.0.0.total_cmp(&a.0.0));
                    assert_eq!(found.len(), all.len());
                    for (h, ((score, p), text)) in found.iter().zip(&scored) {
                        assert_eq!(&h.words, *text, "{found:?}");
                        assert!((h.score - score).abs() < 1e-5 && (h.log_p - p).abs() < 1e-5, "{h:?} for {score}, {p}");
                    }
                    let one = Options { wanted: 1, ..options };
                    assert_eq!(written(&decoder, &one)?[example][0].words, found[0].words);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_beam_of_one_takes_the_likeliest_word_each_time() -> Result<()> {
    for (make, shapes) in both() {
        let decoder = make(&params(&shapes, 5)?);
        let options = Options { beam: 1, wanted: 1, length_penalty: 0.6, max_length: 6, sampling: None };
        for (example, found) in written(&decoder, &options)?.iter().enumerate() {
            let text = &found[0].words;
            assert!((found[0].log_p - log_p(&decoder, example, text)?).abs() < 1e-5);
            for at in 0..text.len() {
                let (with, p) = (log_p(&decoder, example, &text[..=at])?, log_p(&decoder, example, &text[..at])?);
                // The words that could have stood there, without what ends the text after them.
                let step = |word: u32| {
                    let other = [&text[..at], &[word]].concat();
                    let rest = options_of(&decoder, example, &other);
                    log_p(&decoder, example, &other).expect("a probability") - rest
                };
                let best = (1..4).map(step).fold(f32::NEG_INFINITY, f32::max);
                assert!((step(text[at]) - best).abs() < 1e-5, "{with} {p}");
            }
        }
    }
    Ok(())
}

/// log p of the end after a text.
fn options_of(decoder: &Decoder, example: usize, text: &[u32]) -> f32 {
    let (all, offsets) = memory();
    let rows = offsets[example] as usize..offsets[example + 1] as usize;
    let mine = all.narrow(0, rows.start, rows.len()).expect("rows").contiguous().expect("rows");
    let before: Vec<u32> = [END].into_iter().chain(text.iter().copied()).collect();
    let memory = Memory { rows: &mine, offsets: &offsets_of([rows.len()]) };
    let states = decoder.states(&before, &offsets_of([before.len()]), memory, Drops::default()).expect("states");
    let p: Vec<Vec<f32>> =
        log_softmax(&logits(&states, &decoder.words).expect("logits")).expect("log p").to_vec2().expect("numbers");
    p[text.len()][decoder.words.end() as usize]
}

#[test]
fn drawn_texts_come_as_often_as_they_are_likely() -> Result<()> {
    let decoder = lstm(&params(&lstm_shapes(), 3)?);
    let draws = 4000;
    let sampling = |seed, top_k, top_p, temperature| {
        let sampling = Some(Sampling { temperature, top_k, top_p, draw: Draw::new(seed) });
        Options { beam: 1, wanted: 1, length_penalty: 0.0, max_length: MOST, sampling }
    };
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..draws {
        let text = written(&decoder, &sampling(seed, 0, 1.0, 1.0))?[0][0].words.clone();
        *counts.entry(text).or_insert(0u32) += 1;
    }
    // A text of fewer words than it may have: its probability, but for the unknown word, which is
    // never drawn, at each of its places.
    for text in every_text().iter().filter(|text| text.len() < MOST) {
        let mut p = log_p(&decoder, 0, text)?.exp();
        for at in 0..=text.len() {
            p /= 1.0 - unknown(&decoder, &text[..at])?;
        }
        let found = f64::from(counts.get(text).copied().unwrap_or(0)) / draws as f64;
        let error = 4.0 * (f64::from(p) / draws as f64).sqrt() + 1e-3;
        assert!((found - f64::from(p)).abs() < error, "{text:?}: {found} for {p}");
    }
    // Of one word, or of next to no probability, only the likeliest is left.
    let greedy = Options { beam: 1, wanted: 1, length_penalty: 0.0, max_length: MOST, sampling: None };
    let likeliest = written(&decoder, &greedy)?;
    for options in [sampling(1, 1, 1.0, 1.0), sampling(2, 0, 1e-6, 1.0), sampling(3, 0, 1.0, 1e-3)] {
        assert_eq!(written(&decoder, &options)?[0][0].words, likeliest[0][0].words);
    }
    assert_eq!(written(&decoder, &sampling(5, 2, 0.9, 1.5))?, written(&decoder, &sampling(5, 2, 0.9, 1.5))?);
    Ok(())
}

/// p of the unknown word after a text of the first example.
fn unknown(decoder: &Decoder, text: &[u32]) -> Result<f32> {
    let (all, offsets) = memory();
    let mine = all.narrow(0, 0, offsets[1] as usize)?.contiguous()?;
    let before: Vec<u32> = [END].into_iter().chain(text.iter().copied()).collect();
    let memory = Memory { rows: &mine, offsets: &offsets_of([offsets[1] as usize]) };
    let states = decoder.states(&before, &offsets_of([before.len()]), memory, Drops::default())?;
    let p: Vec<Vec<f32>> = log_softmax(&logits(&states, &decoder.words)?)?.to_vec2()?;
    Ok(p[text.len()][0].exp())
}

/// Pairs of three texts with their memories, one of either empty.
fn pairs() -> Pairs {
    Pairs::new(&offsets_of([3, 0, 2, 1]), &offsets_of([2, 3, 4, 0])).expect("as many texts as memories")
}

#[test]
fn pointers_look_at_places() {
    let covered = |x: &[Tensor], p: &[Param]| pointer::attention(&x[0], &x[1], &p[0], Some(&p[1]), &pairs());
    check(&[&[6, 3], &[9, 3]], &[&[3], &[3]], &covered);
    let plain = |x: &[Tensor], p: &[Param]| pointer::attention(&x[0], &x[1], &p[0], None, &pairs());
    check(&[&[6, 5], &[9, 5]], &[&[5]], &plain);
    let found = |x: &[Tensor], _: &[Param]| pointer::context(&x[0], &x[1], &pairs());
    check(&[&[14, 1], &[9, 3]], &[], &found);
    let again = |x: &[Tensor], _: &[Param]| pointer::coverage_loss(&x[0].abs()?, &pairs());
    check(&[&[14, 1]], &[], &again);
}

/// The formulas of See et al. 2017 in plain code: equations 1, 8, 9, 11 and 12.
#[test]
fn a_pointer_generator_by_its_formulas() -> Result<()> {
    let shapes: Vec<&[usize]> = [&TABLES[..], &COPIER].concat();
    let params = params(&shapes, 11)?;
    let mut take = Take(params.iter());
    let (words, copier) = (take.words(), take.copier());
    let rows = |seed, n: usize| -> Vec<f32> { (0..(n * D) as u64).map(|i| Draw::new(seed).normal(i)).collect() };
    let (states, memory) = (rows(1, 3), rows(2, 2));
    let pairs = Pairs::new(&offsets_of([3]), &offsets_of([2]))?;
    // The second word is not the decoder's and stands in the memory, the third stands there too.
    let golds = Golds {
        words: Arc::new(vec![2, 0, 3]),
        known: vec![1.0, 0.0, 1.0],
        matches: vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0],
    };
    let tensor = |x: &[f32]| Tensor::from_slice(x, (x.len() / D, D), &Device::Cpu);
    let both = (&tensor(&states)?, &tensor(&memory)?);
    let got: Vec<f32> = copy_loss((&words, &copier), both, &pairs, &golds, (true, true))?.flatten_all()?.to_vec1()?;
    let numbers = |p: &Param| p.var.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
    let affine = |x: &[f32], dense: &Dense| -> Vec<f32> {
        let (w, b) = (numbers(&dense.w), numbers(&dense.b));
        w.chunks(x.len()).zip(b).map(|(w, b)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + b).collect()
    };
    let (v, w) = (numbers(&copier.score), numbers(copier.coverage.as_ref().expect("coverage")));
    let mut seen = [0.0f32; 2];
    for (t, state) in states.chunks(D).enumerate() {
        let q = affine(state, &copier.query);
        let e: Vec<f32> = memory
            .chunks(D)
            .zip(seen)
            .map(|(m, c)| {
                let k = affine(m, &copier.memory);
                (0..D).map(|i| v[i] * (q[i] + k[i] + w[i] * c).tanh()).sum::<f32>().exp()
            })
            .collect();
        let a: Vec<f32> = e.iter().map(|x| x / e.iter().sum::<f32>()).collect();
        let context: Vec<f32> = (0..D).map(|i| a[0] * memory[i] + a[1] * memory[D + i]).collect();
        let both = [&context[..], state].concat();
        let gate = 1.0 / (1.0 + (-affine(&both, &copier.gate)[0]).exp());
        let from: Vec<f32> = affine(&both, &copier.mix).iter().map(|x| x.tanh()).collect();
        let z: Vec<f32> = affine(&from, &Dense { w: words.output.param.clone(), b: words.bias.clone() });
        let total: f32 = z.iter().map(|z| z.exp()).sum();
        let written = golds.known[t] * z[golds.words[t] as usize].exp() / total;
        let copied: f32 = (0..2).map(|i| a[i] * golds.matches[2 * t + i]).sum();
        let coverage: f32 = (0..2).map(|i| a[i].min(seen[i])).sum();
        let expected = -(gate * written + (1.0 - gate) * copied).ln() + coverage;
        assert!((got[t] - expected).abs() < 1e-4, "{t}: {} for {expected}", got[t]);
        (seen[0], seen[1]) = (seen[0] + a[0], seen[1] + a[1]);
    }
    Ok(())
}

const COPIER: [&[usize]; 10] = [&[D, D], &[D], &[D, D], &[D], &[D], &[1, 2 * D], &[1], &[D, 2 * D], &[D], &[D]];

impl Take<'_> {
    fn copier(&mut self) -> Copier {
        let (query, memory, score) = (self.dense(), self.dense(), self.one());
        let (gate, mix, coverage) = (self.dense(), self.dense(), Some(self.one()));
        Copier { query, memory, score, coverage, gate, mix }
    }
}

/// A search over words that may be copied finds the best of all texts, as the loss has them.
#[test]
fn copied_words_are_searched_as_they_are_learned() -> Result<()> {
    let (mut shapes, copier_shapes) = (lstm_shapes(), COPIER);
    shapes.truncate(shapes.len() - LOOK.len() + 2);
    shapes.extend(copier_shapes);
    let params = params(&shapes, 4)?;
    let mut take = Take(params.iter());
    let words = take.words();
    let layers = (0..2).map(|_| [take.one(), take.one(), take.one()]).collect();
    let decoder = Decoder { words, body: Body::Lstm { layers, start: take.dense(), look: None } };
    let copier = take.copier();
    let (memory, offsets) = memory();
    let numbers = memory.flatten_all()?.to_vec1::<f32>()?;
    // Of the first example the words 2, another and the same again; of the second another one.
    let source = [2, 5, 5, 5];
    let rows = |_: u32, word: u32| if word >= WORDS as u32 { 0 } else { word };
    let copies = Copies { copier: &copier, memory: &numbers, offsets: &offsets, words: &source, extras: 1 };
    let about = About { memory: &numbers, offsets: &offsets, rows: &rows, examples: &[0, 1], copies: Some(copies) };
    let mut all = vec![vec![]];
    for _ in 0..2 {
        let longer: Vec<Vec<u32>> =
            all.iter().flat_map(|t: &Vec<u32>| [1, 2, 3, 5].map(|w| [&t[..], &[w]].concat())).collect();
        all.extend(longer);
        all.sort();
        all.dedup();
    }
    let options = Options { beam: all.len(), wanted: all.len(), length_penalty: 0.6, max_length: 2, sampling: None };
    for (example, found) in write(&decoder, about, &options)?.iter().enumerate() {
        assert_eq!(found.len(), all.len());
        for h in found {
            let at = offsets[example] as usize..offsets[example + 1] as usize;
            let mine = memory.narrow(0, at.start, at.len())?.contiguous()?;
            let before: Vec<u32> = [END].into_iter().chain(h.words.iter().map(|w| rows(0, *w))).collect();
            let places = offsets_of([before.len()]);
            let looked = Memory { rows: &mine, offsets: &offsets_of([at.len()]) };
            let states = decoder.states(&before, &places, looked, Drops::default())?;
            let golds: Vec<u32> = h.words.iter().copied().chain([WORDS as u32 - 1]).collect();
            let matches: Vec<f32> =
                golds.iter().flat_map(|g| source[at.clone()].iter().map(move |w| f32::from(w == g))).collect();
            let known = golds.iter().map(|g| f32::from(*g < WORDS as u32)).collect();
            let labels = golds.iter().map(|g| if *g < WORDS as u32 { *g } else { 0 }).collect::<Vec<u32>>();
            let golds = Golds { words: labels.into(), known, matches };
            let pairs = Pairs::new(&places, &offsets_of([at.len()]))?;
            let loss = copy_loss((&decoder.words, &copier), (&states, &mine), &pairs, &golds, (false, false))?;
            let expected = -loss.sum_all()?.to_scalar::<f32>()?;
            assert!((h.log_p - expected).abs() < 1e-4 * expected.abs(), "{h:?} for {expected}");
        }
        assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
    Ok(())
}

/// Where gold is always read, and where it never is.
#[test]
fn what_is_fed_is_gold_as_often_as_asked() -> Result<()> {
    let decoder = lstm(&params(&lstm_shapes(), 6)?);
    let (memory, offsets) = memory();
    let numbers = memory.flatten_all()?.to_vec1::<f32>()?;
    let rows = |_: u32, word: u32| word;
    let about = About { memory: &numbers, offsets: &offsets, rows: &rows, examples: &[3, 4], copies: None };
    let texts: [&[u32]; 2] = [&[1, 2, 3], &[2]];
    assert_eq!(feed(&decoder, about, &texts, 1.0, Draw::new(1))?, [vec![END, 1, 2, 3], vec![END, 2]]);
    let mut kept = 0;
    for seed in 0..400 {
        let fed = feed(&decoder, about, &texts, 0.5, Draw::new(seed))?;
        assert!(fed[0].len() == 4 && fed[1].len() == 2 && fed[0][0] == END);
        kept += fed[0][1..].iter().zip(texts[0]).filter(|(a, b)| a == b).count();
    }
    // Half are gold by choice, and of the others some by chance.
    assert!((600..1000).contains(&kept), "{kept} of 1200");
    Ok(())
}

/// Poor texts that end early do not end the search for the best one: with any beam, what is found is
/// worth no less than what a beam of one finds.
#[test]
fn early_ends_do_not_end_a_search() -> Result<()> {
    for seed in 1..30 {
        let decoder = lstm(&params(&lstm_shapes(), seed)?);
        let of = |beam| Options { beam, wanted: 1, length_penalty: 0.6, max_length: 8, sampling: None };
        let (one, two) = (written(&decoder, &of(1))?, written(&decoder, &of(2))?);
        let all = written(&decoder, &of(4))?;
        for ((one, two), all) in one.iter().zip(&two).zip(&all) {
            assert!(
                two[0].score >= one[0].score - 1e-5 || all[0].score >= one[0].score - 1e-5,
                "{one:?} {two:?} {all:?}"
            );
        }
    }
    Ok(())
}
