//! Decoders: losses and layers against their plain forms, one place at a time against all at once,
//! and search against every text there is.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{check, numbers};
use crate::backend::kernels::decode::decoder::{Drops, Memory};
use crate::backend::kernels::decode::search::{About, Hypothesis, Options, Sampling, write};
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
    Decoder { words, body: Body::Lstm { layers, start, look: Some((cross, take.dense())) } }
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
