//! The tensor code of tasks that write text.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::source::Source;
use crate::backend::exec::Run;
use crate::backend::kernels::decode::copy::{self, Copier, Golds};
use crate::backend::kernels::decode::decoder::{Drops, Memory};
use crate::backend::kernels::decode::pointer::Pairs;
use crate::backend::kernels::decode::search::{self, About, Options, Sampling};
use crate::backend::kernels::decode::{self, Body, Cross, Decoder, END, Layer, Table, Words};
use crate::backend::kernels::random::dropout;
use crate::backend::kernels::segment;
use crate::backend::kernels::transformer::{Dense, NormParams};
use crate::backend::rows::{Offsets, offsets_of};
use crate::backend::value::Text;
use crate::backend::{NO_LABEL, Param, Rows, Value};
use crate::data::UNKNOWN;
use crate::ops::tasks::heads;
use crate::plan::Attr;

/// Takes parameters in their order.
pub(super) struct Taker<'a> {
    run: &'a Run<'a>,
    next: usize,
}

impl<'a> Taker<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        Self { run, next: 0 }
    }

    fn one(&mut self) -> Param {
        self.next += 1;
        self.run.param(self.next - 1).clone()
    }

    fn dense(&mut self) -> Dense {
        Dense { w: self.one(), b: self.one() }
    }

    fn norm(&mut self) -> NormParams {
        NormParams { gamma: self.one(), beta: self.one() }
    }

    fn words(&mut self) -> Words {
        let run = self.run;
        let (table, second, bias) = (self.one(), self.one(), self.one());
        let maps = run.bool("maps");
        let inward = maps.then(|| self.dense());
        let outward = maps.then(|| self.dense());
        if !run.bool("tied") {
            let [input, output] = [table, second].map(|param| Table { param, end: None });
            return Words { input, output, bias, rows: None, inward, outward, factor: 1.0 };
        }
        let width = table.var.dims()[1] as f32;
        let table = Table { param: table, end: Some(second) };
        let rows = Some(run.rows_of_labels());
        Words { input: table.clone(), output: table, bias, rows, inward, outward, factor: 1.0 / width.sqrt() }
    }

    fn cross(&mut self, norm: bool) -> Cross {
        if self.run.bool("one") {
            return Cross::One { value: self.dense() };
        }
        Cross::Places { norm: norm.then(|| self.norm()), query: self.dense(), memory: self.dense() }
    }

    pub(super) fn copier(&mut self) -> Copier {
        let (query, memory, score) = (self.dense(), self.dense(), self.one());
        let (gate, mix) = (self.dense(), self.dense());
        let coverage = (self.next < self.run.node.params.len()).then(|| self.one());
        Copier { query, memory, score, coverage, gate, mix }
    }

    fn layer(&mut self) -> Layer {
        Layer {
            norm_self: self.norm(),
            qkv: self.dense(),
            self_out: self.dense(),
            cross: self.cross(true),
            cross_out: self.dense(),
            norm_ff: self.norm(),
            ff_in: self.dense(),
            ff_out: self.dense(),
        }
    }

    pub(super) fn decoder(&mut self) -> Decoder {
        let words = self.words();
        let count = self.run.int("layers");
        let body = if self.run.str("cell") == "transformer" {
            let layers = (0..count).map(|_| self.layer()).collect();
            Body::Transformer { layers, norm: self.norm(), heads: self.run.int("heads") }
        } else {
            let layers = (0..count).map(|_| [self.one(), self.one(), self.one()]).collect();
            let start = self.dense();
            let look = (!self.run.bool("bare")).then(|| Box::new((self.cross(false), self.dense())));
            Body::Lstm { layers, start, look }
        };
        Decoder { words, body }
    }
}

fn decoder(run: &Run<'_>) -> Decoder {
    Taker::new(run).decoder()
}

fn words(run: &Run<'_>) -> Words {
    Taker::new(run).words()
}

/// The words of the texts of each example, and where each begins.
pub(super) fn text(value: &Value) -> Result<(Vec<u32>, Offsets)> {
    match value {
        Value::Tokens { ids, rows, .. } => Ok((ids.to_vec(), rows.by_example())),
        Value::Written { each, .. } => {
            let best = || each.iter().map(|texts| texts.first().map_or(&[][..], |text| &text.words));
            Ok((best().flatten().copied().collect(), offsets_of(best().map(<[u32]>::len))))
        }
        _ => bail!("a text is needed here"),
    }
}

/// Whether a text without words is one: what was written is, gold is missing.
fn may_be_empty(value: &Value) -> bool {
    matches!(value, Value::Written { .. })
}

/// The places of texts with their ends; none of a text that is missing.
fn places(offsets: &Offsets, may_be_empty: bool) -> Offsets {
    offsets_of(offsets.windows(2).map(|o| match (o[1] - o[0]) as usize {
        0 if !may_be_empty => 0,
        n => n + 1,
    }))
}

/// What stands before each place of texts and at it, in numbers that `of` gives for words.
fn shifted(ids: &[u32], offsets: &Offsets, end: u32, may_be_empty: bool) -> [Vec<u32>; 2] {
    let (mut before, mut at) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
    for o in offsets.windows(2).filter(|o| may_be_empty || o[0] < o[1]) {
        let text = &ids[o[0] as usize..o[1] as usize];
        before.push(end);
        before.extend_from_slice(text);
        at.extend_from_slice(text);
        at.push(end);
    }
    [before, at]
}

/// Words as rows of the table that the decoder reads.
fn rows_of(run: &Run<'_>, ids: &[u32]) -> Vec<u32> {
    if run.bool("tied") { run.vocabulary_rows(ids).to_vec() } else { run.word_labels(ids) }
}

pub fn memories(_: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let mut parts = Vec::with_capacity(inputs.len());
    let mut offsets = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (x, rows) = input.as_float()?;
        parts.push(x);
        offsets.push(rows.by_example());
    }
    let (order, each) = crate::ops::join::interleaved(&offsets);
    let all = Tensor::cat(&parts, 0)?;
    Ok(Value::float(segment::rows_or_zeros(&all, order)?, &Rows::along(each).into()))
}

pub fn decoder_states(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (memory, memory_rows) = inputs[1].as_float()?;
    let (before, places) = match &inputs[0] {
        // Scheduled sampling has chosen what is read.
        Value::Label { ids, rows, .. } => (ids.to_vec(), rows.by_example()),
        given => {
            let (ids, offsets) = text(given)?;
            let [before, _] = shifted(&rows_of(run, &ids), &offsets, END, may_be_empty(given));
            (before, places(&offsets, may_be_empty(given)))
        }
    };
    let examples = memory_rows.by_example();
    let drop = |name: &str, part: u64| {
        let p = run.float(name) as f32;
        (run.training && p > 0.0).then(|| (p, run.draw().part(part)))
    };
    let drops = Drops { layers: drop("dropout", 0), words: drop("drop_words", 1) };
    let memory = Memory { rows: memory, offsets: &examples };
    let states = decoder(run).states(&before, &places, memory, drops)?;
    Ok(Value::float(states, &Rows::along(places).into()))
}

pub fn handed_states(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let of = if run.training { inputs.last() } else { inputs.first() };
    let Some((x, rows)) = of.map(Value::as_float).transpose()? else { return run.wrong_input() };
    let Some(offsets) = rows.inner() else { return run.wrong_input() };
    let kept: Vec<u32> = offsets.windows(2).flat_map(|o| o[0]..o[1].max(o[0] + 1) - 1).collect();
    let each = offsets_of(offsets.windows(2).map(|o| (o[1] - o[0]).saturating_sub(1) as usize));
    Ok(Value::float(segment::rows_or_zeros(x, kept)?, &Rows::along(each).into()))
}

pub fn word_logits(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (x, rows) = inputs[0].as_float()?;
    Ok(Value::float(decode::logits(x, &words(run))?, rows))
}

pub fn word_loss(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let ((x, rows), (ids, offsets)) = (inputs[0].as_float()?, text(&inputs[1])?);
    let words = words(run);
    let [_, gold] = shifted(&run.word_labels(&ids), &offsets, words.end(), may_be_empty(&inputs[1]));
    let p = run.float("drop_words") as f32;
    let x = if run.training && p > 0.0 { dropout(x, p, run.draw())? } else { x.clone() };
    let smoothing = if run.training { run.float("smoothing") as f32 } else { 0.0 };
    heads::by_example(&decode::word_loss(&x, &words, &gold.into(), smoothing, run.training)?, rows)
}

pub fn copy_loss(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let ((x, rows), (ids, offsets)) = (inputs[0].as_float()?, text(&inputs[1])?);
    let ((memory, memory_rows), (source, _)) = (inputs[2].as_float()?, text(&inputs[3])?);
    let mut taker = Taker::new(run);
    let (words, copier) = (taker.words(), taker.copier());
    let empty = may_be_empty(&inputs[1]);
    let [_, gold] = shifted(&run.word_labels(&ids), &offsets, words.end(), empty);
    let [_, exact] = shifted(&ids, &offsets, NO_LABEL, empty);
    let places = rows.by_example();
    let pairs = Pairs::new(&places, &memory_rows.by_example())?;
    let (mut known, mut matches) = (Vec::with_capacity(gold.len()), Vec::new());
    for (text, memory) in pairs.texts.windows(2).zip(pairs.memories.windows(2)) {
        let there = &source[memory[0] as usize..memory[1] as usize];
        for at in text[0] as usize..text[1] as usize {
            let before = matches.len();
            matches.extend(there.iter().map(|word| f32::from(u8::from(*word == exact[at]))));
            let copied = matches[before..].contains(&1.0);
            known.push(f32::from(u8::from(gold[at] != UNKNOWN || !copied)));
        }
    }
    let golds = Golds { words: gold.into(), known, matches };
    let p = run.float("drop_words") as f32;
    let x = if run.training && p > 0.0 { dropout(x, p, run.draw())? } else { x.clone() };
    let how = (run.training && run.bool("coverage"), run.training);
    heads::by_example(&copy::copy_loss((&words, &copier), (&x, memory), &pairs, &golds, how)?, rows)
}

pub fn expected_words(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (p, rows) = inputs[0].as_float()?;
    Ok(Value::float(decode::expected(p, &words(run))?, rows))
}

pub fn written_text(_: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let Value::Written { lexicon, .. } = &inputs[0] else { bail!("a text is needed here") };
    let (ids, offsets) = text(&inputs[0])?;
    Ok(Value::Tokens { ids: ids.into(), lexicon: lexicon.clone(), rows: Rows::along(offsets).into() })
}

/// How texts are written here.
fn options(run: &Run<'_>) -> Options {
    let drawn = run.bool("drawn");
    let sampling = drawn.then(|| Sampling {
        temperature: run.float_or("temperature", 1.0) as f32,
        top_k: run.int("top_k"),
        top_p: run.float_or("top_p", 1.0) as f32,
        draw: run.draw(),
    });
    let longest = || match run.node.attrs.get("fields") {
        Some(Attr::List(fields)) => fields.iter().map(|pair| run.longest(pair)).max().unwrap_or(0),
        _ => 0,
    };
    let most = run.int("max_length");
    Options {
        beam: if drawn { 1 } else { run.int("beam").max(1) },
        wanted: 1,
        length_penalty: run.float_or("length_penalty", 0.6) as f32,
        max_length: if most > 0 { most } else { longest().max(1) },
        sampling,
    }
}

pub fn written(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let batch = inputs[0].rows().map_or(0, |rows| rows.batch);
    let forced = run.training && run.node.op == "forced_text";
    let gold = inputs.last().filter(|_| forced).map(text).transpose()?;
    let p = run.float("gold") as f32;
    let given = |example: usize| gold.is_some() && run.draw().part(2).bernoulli(example as u64, p);
    let asked: Vec<usize> = (0..batch).filter(|example| !given(*example)).collect();
    let mut found = Vec::new();
    if !asked.is_empty() {
        let source = Source::new(run, inputs, &asked)?;
        let decoder = decoder(run);
        let count = decoder.words.count();
        let written = source.with(count, |about| search::write(&decoder, about, &options(run)))?;
        found = source.texts(count, written);
    }
    let mut found = found.into_iter();
    let mut each = Vec::with_capacity(batch);
    for example in 0..batch {
        each.push(match &gold {
            Some((ids, offsets)) if given(example) => {
                let words = ids[offsets[example] as usize..offsets[example + 1] as usize].to_vec();
                vec![Text { words, log_p: 0.0, score: 0.0 }]
            }
            _ => found.next().unwrap_or_default(),
        });
    }
    Ok(Value::Written { each: each.into(), lexicon: run.lexicon(), rows: Arc::new(Rows::examples(batch)) })
}

pub fn fed_words(run: &Run<'_>, inputs: &[Value]) -> Result<Value> {
    let (ids, offsets) = text(&inputs[0])?;
    let rows = rows_of(run, &ids);
    let places = places(&offsets, false);
    let fed = if run.training {
        let asked: Vec<usize> = (0..offsets.len() - 1).collect();
        let source = Source::new(run, &inputs[1..], &asked)?;
        let texts: Vec<&[u32]> = offsets.windows(2).map(|o| &rows[o[0] as usize..o[1] as usize]).collect();
        let (decoder, share) = (decoder(run), run.float("gold") as f32);
        let feed = |about: About<'_>| search::feed(&decoder, about, &texts, share, run.draw());
        source.with(decoder.words.count(), feed)?.concat()
    } else {
        shifted(&rows, &offsets, END, false)[0].clone()
    };
    Ok(Value::Label { ids: fed.into(), space: 0, rows: Rows::along(places).into() })
}
