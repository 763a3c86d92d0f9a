//! Texts from a decoder: the likeliest by beam search, or drawn ones.
//!
//! All hypotheses of a batch go through a step together. A text ends with the end symbol, at the
//! latest after `max_length` words; the unknown word is never written.

use candle_core::Result;
use rayon::prelude::*;

use super::best::greatest;
use super::cached::Cached;
use super::copy::{Copied, Copier, Copying};
use super::decoder::{Body, Decoder};
use super::number::Map;
use super::unrolled::Unrolled;
use super::words::{END, Table, numbers};
use crate::backend::kernels::random::Draw;
use crate::backend::kernels::simd;

/// A hypothesis that takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The hypothesis of the step before that it continues.
    pub parent: u32,
    /// The example that it is of.
    pub example: u32,
}

/// Layers that go from place to place.
pub trait Steps {
    /// States `[n, d]` of hypotheses that read `x [n, d]`, each after what its parent has read.
    fn step(&mut self, places: &[Place], x: Vec<f32>) -> Vec<f32>;
}

/// How texts are written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Hypotheses kept.
    pub beam: usize,
    /// Texts wanted of each example.
    pub wanted: usize,
    /// α: a text of n words is worth log p / ((5 + n + 1) / 6)^α (Wu et al. 2016), its end counted.
    pub length_penalty: f32,
    /// Words that a text has at most.
    pub max_length: usize,
    /// Draws, instead of searching.
    pub sampling: Option<Sampling>,
}

/// How words are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Logits are divided by it.
    pub temperature: f32,
    /// Only that many of the likeliest words are drawn from; 0 for all.
    pub top_k: usize,
    /// Only the likeliest words that together have this probability (Holtzman et al. 2020).
    pub top_p: f32,
    /// What is drawn from, by the number of the example and the place.
    pub draw: Draw,
}

impl Sampling {
    /// From what the decoder gives, as it is.
    fn plain(draw: Draw) -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, draw }
    }
}

/// A text that a decoder may write.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its words, as numbers of the decoder's vocabulary or of those copied; the end is not among
    /// them.
    pub words: Vec<u32>,
    /// log p of its words and its end.
    pub log_p: f32,
    /// By what it is ranked.
    pub score: f32,
}

/// What a decoder writes about.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// Rows `[M, d]`.
    pub memory: &'a [f32],
    /// Rows of each example.
    pub offsets: &'a [u32],
    /// The row of the input's table of each word of an example but the end.
    pub rows: &'a (dyn Fn(u32, u32) -> u32 + Sync),
    /// Numbers of the examples, for draws.
    pub examples: &'a [u32],
    /// What words are copied from.
    pub copies: Option<Copies<'a>>,
}

/// What words are copied from.
#[derive(Clone, Copy)]
pub struct Copies<'a> {
    /// How.
    pub copier: &'a Copier,
    /// Rows `[M, d]`.
    pub memory: &'a [f32],
    /// Rows of each example.
    pub offsets: &'a [u32],
    /// The word at each row; those that the decoder does not know are numbered for each example
    /// from the number of its words on.
    pub words: &'a [u32],
    /// The most of these that an example has.
    pub extras: usize,
}

/// A hypothesis that goes on.
#[derive(Clone, Copy)]
struct Live {
    place: Place,
    /// Its last word, among all that were taken up; `None` before the first.
    last: Option<u32>,
    log_p: f32,
}

/// What may follow a hypothesis: log p of the end, and of the likeliest words.
struct Next {
    end: f32,
    words: Vec<(f32, u32)>,
}

/// Writes texts, the best first: as many as wanted for each example, or as there are.
pub fn write(decoder: &Decoder, about: About, options: &Options) -> Result<Vec<Vec<Hypothesis>>> {
    let Some(mut steps) = steps_of(decoder, &about)? else { return Ok(Vec::new()) };
    let mut writer = Writer::new(decoder, about, options)?;
    let mut live: Vec<Live> = (0..about.offsets.len() as u32 - 1)
        .map(|example| Live { place: Place { parent: 0, example }, last: None, log_p: 0.0 })
        .collect();
    for length in 0.. {
        if live.is_empty() {
            break;
        }
        let places: Vec<Place> = live.iter().map(|l| l.place).collect();
        let states = steps.step(&places, writer.read(&live));
        let (states, copied) = writer.copied(&places, states);
        let next = writer.next(&live, states, &copied, length);
        live = writer.choose(&live, next, length);
    }
    Ok(writer.finished())
}

fn steps_of(decoder: &Decoder, about: &About) -> Result<Option<Box<dyn Steps>>> {
    Ok(match &decoder.body {
        Body::Transformer { layers, norm, heads } => {
            Some(Box::new(Cached::new((layers, norm, *heads), about.memory, about.offsets)?))
        }
        body => Unrolled::new(body, about.memory, about.offsets)?.map(|unrolled| Box::new(unrolled) as Box<dyn Steps>),
    })
}

/// The rows of the input's table that a decoder reads before each place of texts, where it reads
/// the gold one with a probability of `gold` and else one drawn from what it gives (scheduled
/// sampling, Bengio et al. 2015). `texts` are the rows of the golds.
pub fn feed(decoder: &Decoder, about: About, texts: &[&[u32]], gold: f32, draw: Draw) -> Result<Vec<Vec<u32>>> {
    let options = Options {
        beam: 1,
        wanted: 1,
        length_penalty: 0.0,
        max_length: usize::MAX,
        sampling: Some(Sampling::plain(draw)),
    };
    let mut fed: Vec<Vec<u32>> = texts.iter().map(|text| if text.is_empty() { vec![] } else { vec![END] }).collect();
    let Some(mut steps) = steps_of(decoder, &about)? else { return Ok(fed) };
    let mut writer = Writer::new(decoder, about, &options)?;
    let mut before: Vec<u32> = (0..texts.len() as u32).collect();
    for t in 0..texts.iter().map(|text| text.len()).max().unwrap_or(0) {
        // Those that have a place after this one; a step goes on from where theirs was.
        let live: Vec<u32> = (0..texts.len() as u32).filter(|e| t < texts[*e as usize].len()).collect();
        let parent = |example: u32| before.binary_search(&example).unwrap_or(0) as u32;
        let places: Vec<Place> = live.iter().map(|e| Place { parent: parent(*e), example: *e }).collect();
        let x = writer.vectors(live.iter().map(|e| fed[*e as usize][t]));
        let states = steps.step(&places, x);
        let (states, copied) = writer.copied(&places, states);
        let lives: Vec<Live> = places.iter().map(|place| Live { place: *place, last: None, log_p: 0.0 }).collect();
        let drawn = writer.next(&lives, states, &copied, t);
        for (example, next) in live.iter().zip(drawn) {
            let at = *example as usize;
            let seed = about.examples.get(at).copied().unwrap_or_default();
            let takes_gold = draw.part(u64::from(seed)).part(1).bernoulli(t as u64, gold);
            let row = next.words.first().filter(|_| !takes_gold).map(|(_, word)| (about.rows)(*example, *word));
            fed[at].push(row.unwrap_or(texts[at][t]));
        }
        before = live;
    }
    Ok(fed)
}

struct Writer<'a> {
    about: About<'a>,
    options: &'a Options,
    /// Words, the end and the unknown one included.
    count: usize,
    input: Vectors,
    inward: Option<Map>,
    outward: Option<Map>,
    factor: f32,
    output: Map,
    copying: Option<Copying>,
    /// All words taken up, each with the one before it.
    taken: Vec<(Option<u32>, u32)>,
    done: Vec<Vec<Hypothesis>>,
}

/// A table in numbers.
struct Vectors {
    rows: Vec<f32>,
    end: Vec<f32>,
}

impl Vectors {
    fn of(table: &Table) -> Result<Self> {
        let mut rows = numbers(&table.param)?;
        let end = match &table.end {
            Some(end) => numbers(end)?,
            None => rows.split_off(table.rows() * table.width()),
        };
        Ok(Self { rows, end })
    }

    fn row(&self, row: u32) -> &[f32] {
        let width = self.end.len();
        if row == END { &self.end } else { &self.rows[row as usize * width..][..width] }
    }
}

impl<'a> Writer<'a> {
    fn new(decoder: &Decoder, about: About<'a>, options: &'a Options) -> Result<Self> {
        let words = &decoder.words;
        let map = |dense: &Option<_>| dense.as_ref().map(Map::of).transpose();
        Ok(Self {
            about,
            options,
            count: words.count(),
            input: Vectors::of(&words.input)?,
            inward: map(&words.inward)?,
            outward: map(&words.outward)?,
            factor: words.factor,
            output: Map::new(words.matrix()?, numbers(&words.bias)?),
            copying: about
                .copies
                .map(|copies| Copying::new(copies.copier, copies.memory, copies.words.len()))
                .transpose()?,
            taken: Vec::new(),
            done: vec![Vec::new(); about.offsets.len() - 1],
        })
    }

    fn end(&self) -> usize {
        self.count - 1
    }

    /// The last words of hypotheses as the layers read them.
    fn read(&self, live: &[Live]) -> Vec<f32> {
        let row = |l: &Live| l.last.map_or(END, |at| (self.about.rows)(l.place.example, self.taken[at as usize].1));
        self.vectors(live.iter().map(row))
    }

    /// Rows of the input's table as the layers read them.
    fn vectors(&self, rows: impl ExactSizeIterator<Item = u32>) -> Vec<f32> {
        let n = rows.len();
        let x: Vec<f32> = rows.flat_map(|row| self.input.row(row)).copied().collect();
        match &self.inward {
            Some(map) => map.apply(&x, n),
            None => x,
        }
    }

    /// What hypotheses copy, and the states that they write from.
    fn copied(&mut self, places: &[Place], states: Vec<f32>) -> (Vec<f32>, Vec<Copied>) {
        let (Some(copying), Some(copies)) = (&mut self.copying, self.about.copies) else { return (states, Vec::new()) };
        let rows = |e: u32| copies.offsets[e as usize] as usize..copies.offsets[e as usize + 1] as usize;
        let (copied, states) = copying.look(&states, copies.memory, places, rows);
        (states, copied)
    }

    /// A row of logits with the words that may be copied, so that each less what is given is its
    /// log p.
    fn mixed(&self, row: &[f32], total: f32, example: usize, copied: &Copied) -> (Vec<f32>, f32) {
        let Some(copies) = self.about.copies else { return (row.to_vec(), total) };
        let total = total - copied.gate.max(f32::MIN_POSITIVE).ln();
        let mut wide = row.to_vec();
        wide.resize(self.count + copies.extras, f32::NEG_INFINITY);
        let words = &copies.words[copies.offsets[example] as usize..copies.offsets[example + 1] as usize];
        let mut pairs: Vec<(u32, f32)> = words.iter().copied().zip(copied.p.iter().copied()).collect();
        pairs.sort_by_key(|pair| pair.0);
        for same in pairs.chunk_by(|a, b| a.0 == b.0) {
            let place = &mut wide[same[0].0 as usize];
            let share: f32 = same.iter().map(|pair| pair.1).sum();
            *place = ((*place - total).exp() + (1.0 - copied.gate) * share).ln() + total;
        }
        (wide, total)
    }

    /// What may follow each hypothesis of `length` words.
    fn next(&self, live: &[Live], states: Vec<f32>, copied: &[Copied], length: usize) -> Vec<Next> {
        let n = live.len();
        let mut x = match &self.outward {
            Some(map) => map.apply(&states, n),
            None => states,
        };
        x.iter_mut().for_each(|x| *x *= self.factor);
        let mut rows = self.output.apply(&x, n);
        let one = |(i, row): (usize, &mut [f32])| {
            let mut total = simd::log_sum_exp(row);
            let example = live[i].place.example as usize;
            let mut mixed = copied.get(i).map(|copied| self.mixed(row, total, example, copied));
            let row = match &mut mixed {
                Some((wide, with)) => {
                    total = *with;
                    wide.as_mut_slice()
                }
                None => row,
            };
            let end = row[self.end()] - total;
            row[0] = f32::NEG_INFINITY;
            if length == self.options.max_length {
                return Next { end, words: Vec::new() };
            }
            if let Some(sampling) = &self.options.sampling {
                let example = self.about.examples.get(example).copied().unwrap_or_default();
                let at = sampling.draw.part(u64::from(example)).uniform(length as u64);
                return self.drawn(row, total, sampling, at);
            }
            row[self.end()] = f32::NEG_INFINITY;
            let words = greatest(row, self.options.beam);
            Next { end, words: words.into_iter().map(|(z, word)| (z - total, word)).collect() }
        };
        rows.par_chunks_mut(self.count).enumerate().map(one).collect()
    }

    /// A word, or the end, at a share of what the sampling leaves of a row.
    fn drawn(&self, row: &[f32], total: f32, sampling: &Sampling, at: f32) -> Next {
        let left = kept(row, sampling);
        let mass: f32 = left.iter().map(|(p, _)| p).sum();
        let mut sum = 0.0;
        let found = left.iter().find(|(p, _)| {
            sum += p;
            sum > at * mass
        });
        match found.or(left.last()) {
            Some((_, word)) if *word as usize != self.end() => {
                Next { end: f32::NEG_INFINITY, words: vec![(row[*word as usize] - total, *word)] }
            }
            _ => Next { end: row[self.end()] - total, words: Vec::new() },
        }
    }

    /// The hypotheses that go on after one of `length` words.
    fn choose(&mut self, live: &[Live], next: Vec<Next>, length: usize) -> Vec<Live> {
        let mut on = Vec::with_capacity(live.len());
        let mut first = 0;
        while first < live.len() {
            let example = live[first].place.example;
            let count = live[first..].iter().take_while(|l| l.place.example == example).count();
            let of_one = first..first + count;
            on.extend(self.choose_one(example as usize, of_one.start, &live[of_one.clone()], &next[of_one], length));
            first += count;
        }
        on
    }

    fn choose_one(&mut self, example: usize, first: usize, live: &[Live], next: &[Next], length: usize) -> Vec<Live> {
        let beam = self.options.beam;
        let mut all: Vec<(f32, usize, u32)> = Vec::new();
        for (i, (l, next)) in live.iter().zip(next).enumerate() {
            let words = next.words.iter().map(|(p, word)| (l.log_p + p, i, *word));
            all.extend(words.chain((next.end > f32::NEG_INFINITY).then_some((l.log_p + next.end, i, END))));
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut on = Vec::with_capacity(beam);
        for (rank, (log_p, i, word)) in all.into_iter().enumerate() {
            if word != END && on.len() < beam {
                let place = Place { parent: (first + i) as u32, example: example as u32 };
                self.taken.push((live[i].last, word));
                on.push(Live { place, last: Some(self.taken.len() as u32 - 1), log_p });
            } else if word == END && (rank < beam || length == self.options.max_length) {
                let text = self.ended(live[i].last, log_p, length);
                self.done[example].push(text);
            }
        }
        if on.is_empty() || self.is_done(example, &on, length + 1) { Vec::new() } else { on }
    }

    /// Whether no more texts of an example are looked for: as many have ended as hypotheses are
    /// kept, and none that goes on, now of `length` words, is worth more so far than those that are
    /// wanted; or none can still be, however long it becomes.
    fn is_done(&self, example: usize, on: &[Live], length: usize) -> bool {
        let done = &self.done[example];
        let best = on.first().map_or(f32::NEG_INFINITY, |l| l.log_p);
        let above = |length: usize| {
            let worth = best / self.penalty(length);
            done.iter().filter(|h| h.score >= worth).count() >= self.options.wanted
        };
        (done.len() >= self.options.beam && above(length)) || above(self.options.max_length)
    }

    fn penalty(&self, length: usize) -> f32 {
        ((6 + length) as f32 / 6.0).powf(self.options.length_penalty)
    }

    fn ended(&self, last: Option<u32>, log_p: f32, length: usize) -> Hypothesis {
        let mut words = Vec::with_capacity(length);
        let mut at = last;
        while let Some((before, word)) = at.map(|at| self.taken[at as usize]) {
            words.push(word);
            at = before;
        }
        words.reverse();
        Hypothesis { words, log_p, score: log_p / self.penalty(length) }
    }

    fn finished(mut self) -> Vec<Vec<Hypothesis>> {
        for done in &mut self.done {
            done.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.words.cmp(&b.words)));
            done.truncate(self.options.wanted.max(1));
        }
        self.done
    }
}

/// The probabilities that words are drawn by, up to a factor, the likeliest first where only some
/// are left.
fn kept(row: &[f32], sampling: &Sampling) -> Vec<(f32, u32)> {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let p = |z: f32| ((z - top) / sampling.temperature).exp();
    let all = || row.iter().zip(0..).filter(|(z, _)| **z > f32::NEG_INFINITY).map(|(z, word)| (p(*z), word));
    if sampling.top_k == 0 && sampling.top_p >= 1.0 {
        return all().collect();
    }
    let mut left: Vec<(f32, u32)> = match sampling.top_k {
        0 => {
            let mut all: Vec<(f32, u32)> = all().collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            all
        }
        k => greatest(row, k).into_iter().map(|(z, word)| (p(z), word)).collect(),
    };
    if sampling.top_p < 1.0 {
        let mass: f32 = left.iter().map(|(p, _)| p).sum();
        let mut sum = 0.0;
        let enough = left.iter().position(|(p, _)| {
            sum += p;
            sum >= sampling.top_p * mass
        });
        left.truncate(enough.map_or(left.len(), |at| at + 1));
    }
    left
}
