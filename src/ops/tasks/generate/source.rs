//! What a decoder writes about some examples of a batch, in numbers.

use std::sync::Arc;

use candle_core::{Result, bail};

use super::run::{Taker, text};
use crate::backend::exec::{Run, numbers};
use crate::backend::kernels::decode::copy::Copier;
use crate::backend::kernels::decode::search::{About, Copies, Hypothesis};
use crate::backend::rows::{Offsets, offsets_of};
use crate::backend::value::Text;
use crate::backend::{NO_LABEL, Value};
use crate::data::UNKNOWN;

/// What is written about.
pub struct Source {
    memory: Part,
    /// Numbers of the examples, for draws.
    examples: Vec<u32>,
    /// The words of the decoder, as those of the lexicon.
    known: Arc<Vec<u32>>,
    /// Rows of the table that is read, of each of the decoder's words and of each that only one
    /// example has.
    table: Option<Arc<Vec<u32>>>,
    others: Others,
    copied: Option<(Part, Copier, Vec<u32>)>,
}

/// Rows of some examples, end to end.
struct Part {
    rows: Vec<f32>,
    offsets: Offsets,
}

/// The words of each example that the decoder does not know: of the lexicon, and as rows of the
/// table that is read.
#[derive(Default)]
struct Others {
    words: Vec<Vec<u32>>,
    rows: Vec<Vec<u32>>,
}

impl Part {
    fn of(value: &Value, asked: &[usize]) -> Result<Self> {
        let (tensor, rows) = value.as_float()?;
        let (all, width, offsets) = (numbers(tensor)?, tensor.dim(1)?, rows.by_example());
        let range = |e: &usize| offsets[*e] as usize..offsets[*e + 1] as usize;
        let mut rows = Vec::with_capacity(all.len());
        asked.iter().map(range).for_each(|r| rows.extend_from_slice(&all[r.start * width..r.end * width]));
        Ok(Self { rows, offsets: offsets_of(asked.iter().map(range).map(|r| r.len())) })
    }
}

impl Source {
    /// What the examples `asked` are written about: the memory and, where words are copied, that
    /// which runs along their text, and the text.
    pub fn new(run: &Run<'_>, inputs: &[Value], asked: &[usize]) -> Result<Self> {
        let memory = Part::of(&inputs[0], asked)?;
        let examples = asked.iter().map(|e| run.example_ids()[*e]).collect();
        let known = run.lexicon_of_labels();
        let table = run.bool("tied").then(|| run.vocabulary_rows(&known));
        let mut source = Self { memory, examples, known, table, others: Others::default(), copied: None };
        if run.bool("copies") {
            let [_, along, words, ..] = inputs else { bail!("words are copied from nothing") };
            source.copy(run, along, words, asked)?;
        }
        Ok(source)
    }

    fn copy(&mut self, run: &Run<'_>, along: &Value, words: &Value, asked: &[usize]) -> Result<()> {
        let mut taker = Taker::new(run);
        let count = taker.decoder().words.count() as u32;
        let copier = taker.copier();
        let (ids, offsets) = text(words)?;
        let mut numbered = Vec::new();
        for example in asked {
            let ids = &ids[offsets[*example] as usize..offsets[*example + 1] as usize];
            let mut own: Vec<u32> = Vec::new();
            for (id, label) in ids.iter().zip(run.word_labels(ids)) {
                if label != UNKNOWN {
                    numbered.push(label);
                    continue;
                }
                let at = own.iter().position(|known| known == id).unwrap_or_else(|| {
                    own.push(*id);
                    own.len() - 1
                });
                numbered.push(count + at as u32);
            }
            let rows = if run.bool("tied") { run.vocabulary_rows(&own).to_vec() } else { vec![UNKNOWN; own.len()] };
            self.others.words.push(own);
            self.others.rows.push(rows);
        }
        self.copied = Some((Part::of(along, asked)?, copier, numbered));
        Ok(())
    }

    /// As the search takes it.
    pub fn with<T>(&self, count: usize, f: impl FnOnce(About<'_>) -> T) -> T {
        let rows = |example: u32, word: u32| {
            let other = || self.others.rows.get(example as usize)?.get(word as usize - count).copied();
            match (&self.table, word as usize >= count) {
                (_, true) => other().unwrap_or(UNKNOWN),
                (Some(table), _) => table.get(word as usize).copied().unwrap_or(UNKNOWN),
                (None, _) => word,
            }
        };
        let copies = self.copied.as_ref().map(|(along, copier, words)| Copies {
            copier,
            memory: &along.rows,
            offsets: &along.offsets,
            words,
            extras: self.others.words.iter().map(Vec::len).max().unwrap_or(0),
        });
        let Part { rows: memory, offsets } = &self.memory;
        f(About { memory, offsets, rows: &rows, examples: &self.examples, copies })
    }

    /// What was written, in words of the lexicon.
    pub fn texts(&self, count: usize, found: Vec<Vec<Hypothesis>>) -> Vec<Vec<Text>> {
        let word = |example: usize, word: u32| {
            let other = || self.others.words.get(example)?.get((word as usize).checked_sub(count)?).copied();
            self.known.get(word as usize).copied().or_else(other).unwrap_or(NO_LABEL)
        };
        let text = |(example, texts): (usize, Vec<Hypothesis>)| {
            let one = |h: Hypothesis| {
                let words = h.words.iter().map(|w| word(example, *w)).collect();
                Text { words, log_p: h.log_p, score: h.score }
            };
            texts.into_iter().map(one).collect()
        };
        found.into_iter().enumerate().map(text).collect()
    }
}
