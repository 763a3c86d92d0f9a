//! The tensor code of tasks that write text.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use crate::backend::exec::Run;
use crate::backend::kernels::decode::decoder::{Drops, Memory};
use crate::backend::kernels::decode::search::{self, About, Hypothesis, Options, Sampling};
use crate::backend::kernels::decode::{self, Body, Decoder, END, Layer, Table, Words};
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
struct Taker<'a> {
    run: &'a Run<'a>,
    next: usize,
}

impl Taker<'_> {
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

    fn layer(&mut self) -> Layer {
        Layer {
            norm_self: self.norm(),
            qkv: self.dense(),
            self_out: self.dense(),
            norm_cross: self.norm(),
            query: self.dense(),
            memory: self.dense(),
            cross_out: self.dense(),
            norm_ff: self.norm(),
            ff_in: self.dense(),
            ff_out: self.dense(),
        }
    }

    fn decoder(&mut self) -> Decoder {
        let words = self.words();
        let count = self.run.int("layers");
        let body = if self.run.str("cell") == "transformer" {
            let layers = (0..count).map(|_| self.layer()).collect();
            Body::Transformer { layers, norm: self.norm(), heads: self.run.int("heads") }
        } else {
            let layers = (0..count).map(|_| [self.one(), self.one(), self.one()]).collect();
            Body::Lstm { layers, start: self.dense(), query: self.dense(), memory: self.dense(), mix: self.dense() }
        };
        Decoder { words, body }
    }
}

fn decoder(run: &Run<'_>) -> Decoder {
    Taker { run, next: 0 }.decoder()
}

fn words(run: &Run<'_>) -> Words {
    Taker { run, next: 0 }.words()
}

/// The words of the texts of each example, and where each begins.
fn text(value: &Value) -> Result<(Vec<u32>, Offsets)> {
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
    let ((ids, offsets), (memory, memory_rows)) = (text(&inputs[0])?, inputs[1].as_float()?);
    let empty = may_be_empty(&inputs[0]);
    let before = match &inputs[0] {
        // Scheduled sampling has chosen what is read.
        Value::Written { .. } | Value::Tokens { .. } => shifted(&rows_of(run, &ids), &offsets, END, empty)[0].clone(),
        _ => return run.wrong_input(),
    };
    let (places, examples) = (places(&offsets, empty), memory_rows.by_example());
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
    let (memory, rows) = inputs[0].as_float()?;
    let gold = inputs.get(1).filter(|_| run.training).map(text).transpose()?;
    let p = run.float("gold") as f32;
    let given = |example: usize| gold.is_some() && run.draw().part(2).bernoulli(example as u64, p);
    let asked: Vec<usize> = (0..rows.batch).filter(|example| !given(*example)).collect();
    let mut found = look(run, memory, &rows.by_example(), &asked)?.into_iter();
    let mut each = Vec::with_capacity(rows.batch);
    for example in 0..rows.batch {
        each.push(match &gold {
            Some((ids, offsets)) if given(example) => {
                let words = ids[offsets[example] as usize..offsets[example + 1] as usize].to_vec();
                vec![Text { words, log_p: 0.0, score: 0.0 }]
            }
            _ => found.next().unwrap_or_default(),
        });
    }
    let rows: Arc<Rows> = Rows::examples(rows.batch).into();
    Ok(Value::Written { each: each.into(), lexicon: run.lexicon(), rows })
}

/// What the decoder writes about these examples.
fn look(run: &Run<'_>, memory: &Tensor, offsets: &Offsets, asked: &[usize]) -> Result<Vec<Vec<Text>>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let width = memory.dim(1)?;
    let all = crate::backend::exec::numbers(memory)?;
    let mut numbers = Vec::with_capacity(all.len());
    for example in asked {
        numbers.extend_from_slice(&all[offsets[*example] as usize * width..offsets[example + 1] as usize * width]);
    }
    let lengths = offsets_of(asked.iter().map(|e| (offsets[e + 1] - offsets[*e]) as usize));
    let known = run.lexicon_of_labels();
    let table = run.bool("tied").then(|| run.vocabulary_rows(&known));
    let rows = |word: u32| table.as_ref().map_or(word, |rows| rows.get(word as usize).copied().unwrap_or(UNKNOWN));
    let ids: Vec<u32> = asked.iter().map(|e| run.example_ids()[*e]).collect();
    let about = About { memory: &numbers, offsets: &lengths, rows: &rows, examples: &ids };
    let found = search::write(&decoder(run), about, &options(run))?;
    let word = |word: &u32| known.get(*word as usize).copied().unwrap_or(NO_LABEL);
    let text = |h: Hypothesis| Text { words: h.words.iter().map(word).collect(), log_p: h.log_p, score: h.score };
    Ok(found.into_iter().map(|texts| texts.into_iter().map(text).collect()).collect())
}
