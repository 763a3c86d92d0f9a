//! Reads the splits that a declaration names.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::diagnostics::{Diagnostic, codes};

use super::column::Column;
use super::fault::{Fault, count};
use super::formats::{From, Input, Records, open};
use super::lexicon::Lexicon;
use super::odd::Oddities;
use super::parallel::parallel;
use super::parse::{Need, Parser};
use super::pieces::{Slots, Tokenizer};
use super::random::Random;
use super::spec::{DataSpec, FilePath, Split, VocabSpec};
use super::store::Stored;

/// Splits whose files are together larger than this stay in their files. Their examples are parsed
/// again whenever a batch is made, ahead of training and on another thread, so that costs little.
pub const LARGE: u64 = 16 << 20;

/// After this many malformed examples of a split, the rest is not looked at.
const MOST_FAULTS: usize = 5;

/// What loading depends on besides the declarations.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions<'a> {
    /// What paths are relative to.
    pub base: &'a Path,
    /// Draws the splits that are a share of train.
    pub seed: u64,
    /// Splits of more bytes than this stay in their files.
    pub large: u64,
    /// Fields whose texts reach one of these share a tokenizer, if they ask for equal ones.
    pub vocabs: &'a [VocabSpec],
    /// Tokenizers that are there already; others are trained or read.
    pub known: &'a [Arc<Tokenizer>],
}

impl<'a> LoadOptions<'a> {
    /// What most programs need: paths relative to `base`, and shares of train drawn by `seed`.
    pub fn new(base: &'a Path, seed: u64) -> Self {
        Self { base, seed, large: LARGE, vocabs: &[], known: &[] }
    }
}

/// The train, dev and test examples of a data set.
pub type Splits = [Option<Stored>; 3];

/// Reads all splits of all data sets, several at the same time; warnings and errors go to `out`,
/// in the order of the declarations, and a data set with an error is `None`.
pub fn load(
    specs: &[DataSpec],
    options: LoadOptions<'_>,
    lexicon: &Arc<Lexicon>,
    slots: &Slots,
    out: &mut Vec<Diagnostic>,
) -> Vec<Option<Splits>> {
    let parser = |spec| Parser::new(spec, lexicon, Need::Texts, slots).map(Arc::new);
    let parsers: Vec<_> = specs.iter().map(parser).collect();
    let splits: Vec<(usize, &[FilePath])> = specs.iter().enumerate().flat_map(|(i, s)| own_files(i, s)).collect();
    let read = parallel(splits.len(), |i| {
        let (data, files) = splits[i];
        parsers[data].as_ref().ok().map(|parser| read(&specs[data], files, options, parser.clone(), slots))
    });
    let mut read = splits.iter().map(|split| split.0).zip(read).peekable();
    let mut sets = Vec::with_capacity(specs.len());
    for (data, (spec, parser)) in specs.iter().zip(&parsers).enumerate() {
        let mut own = Vec::new();
        while let Some((_, read)) = read.next_if(|(of, _)| *of == data) {
            own.extend(read.map(|read| read.join(lexicon, out)));
        }
        if let Err(fault) = parser {
            out.push(fault.diagnostic(spec, spec.span));
        }
        sets.push(assemble(spec, options, own, out));
    }
    sets
}

/// The splits of data set `data` that have files of their own: train first, then dev and test.
fn own_files(data: usize, spec: &DataSpec) -> impl Iterator<Item = (usize, &[FilePath])> {
    let own = [&spec.dev, &spec.test].into_iter().filter_map(|split| match split {
        Some(Split::Files(files)) => Some(files.as_slice()),
        _ => None,
    });
    std::iter::once(spec.train.as_slice()).chain(own).map(move |files| (data, files))
}

/// A split that was read with a lexicon of its own, so that numbers of words do not depend on
/// which split is read faster.
struct ReadSplit {
    stored: Option<Stored>,
    found: Vec<Diagnostic>,
    words: Arc<Lexicon>,
}

fn read(spec: &DataSpec, files: &[FilePath], options: LoadOptions<'_>, kept: Arc<Parser>, slots: &Slots) -> ReadSplit {
    let words = Arc::new(Lexicon::default());
    let mut found = Vec::new();
    let stored = match Parser::new(spec, &words, Need::Texts, slots) {
        Ok(parser) => Loader { spec, options, parser, kept, out: &mut found }.files(files),
        Err(_) => None,
    };
    ReadSplit { stored, found, words }
}

impl ReadSplit {
    /// Gives the words the numbers that they would have if splits were read one after another.
    fn join(mut self, lexicon: &Lexicon, out: &mut Vec<Diagnostic>) -> Option<Stored> {
        out.append(&mut self.found);
        let numbers = lexicon.absorb(&self.words);
        let same = numbers.iter().zip(0..).all(|(number, own)| *number == own);
        if let Some(stored) = self.stored.as_mut().filter(|_| !same) {
            stored.renumber(&numbers);
        }
        self.stored
    }
}

/// The splits of a data set from those with files of their own.
fn assemble(
    spec: &DataSpec,
    options: LoadOptions<'_>,
    own: Vec<Option<Stored>>,
    out: &mut Vec<Diagnostic>,
) -> Option<Splits> {
    let mut own = own.into_iter().collect::<Option<Vec<Stored>>>()?.into_iter();
    let train = own.next()?;
    let mut next = |split: &Option<Split>| matches!(split, Some(Split::Files(_))).then(|| own.next()).flatten();
    let (dev, test) = (next(&spec.dev), next(&spec.test));
    let [train, dev_share, test_share] = draw(spec, options.seed, train, [share(&spec.dev), share(&spec.test)], out)?;
    Some([train, dev.or(dev_share), test.or(test_share)])
}

fn share(split: &Option<Split>) -> f64 {
    match split {
        Some(Split::OfTrain(share)) => *share,
        _ => 0.0,
    }
}

struct Loader<'a> {
    spec: &'a DataSpec,
    options: LoadOptions<'a>,
    parser: Parser,
    /// Parses the examples that stay in their files.
    kept: Arc<Parser>,
    out: &'a mut Vec<Diagnostic>,
}

/// What went wrong in one file.
#[derive(Default)]
struct Tally {
    read: usize,
    faults: usize,
    first: Option<Fault>,
    failed: bool,
}

impl Loader<'_> {
    fn report(&mut self, fault: &Fault, file: &FilePath) {
        let place = match fault.code {
            codes::DATA_FILE | codes::DATA_EMPTY | codes::DATA_ENCODING => file.span,
            _ => self.spec.span,
        };
        let named = Fault { field: fault.field.filter(|_| fault.code != codes::DATA_ENCODING), ..fault.clone() };
        self.out.push(named.diagnostic(self.spec, place));
    }

    fn open(&mut self, file: &FilePath) -> Option<Box<dyn Records>> {
        let path = self.options.base.join(&file.path);
        let from = From::Path(path, file.path.display().to_string());
        match open(Input { spec: self.spec, from, lenient: false }) {
            Ok(records) => Some(records),
            Err(fault) => {
                self.report(&fault, file);
                None
            }
        }
    }

    /// Reads a split from its files.
    fn files(&mut self, files: &[FilePath]) -> Option<Stored> {
        let opened: Vec<_> = files.iter().map(|file| self.open(file)).collect();
        let readers: Vec<_> = opened.into_iter().collect::<Option<_>>()?;
        let size: Option<u64> = readers.iter().map(|r| r.size()).sum();
        let mut readers: Vec<_> = readers.into_iter().map(Mutex::new).collect();
        let limit = self.spec.limit.unwrap_or(usize::MAX);
        let shared = size.is_some_and(|s| s > self.options.large);
        let mut stored = Stored::memory(Column::all(self.spec));
        if shared {
            let kept = Arc::new(readers);
            stored = Stored::indexed(kept, self.kept.clone());
            readers = files.iter().filter_map(|file| self.open(file)).map(Mutex::new).collect();
        }
        let mut sound = true;
        for (i, (reader, file)) in readers.into_iter().zip(files).enumerate() {
            if stored.len() >= limit {
                break;
            }
            let records = reader.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            sound &= self.file(i, records, file, limit, &mut stored);
        }
        stored.shrink();
        sound.then_some(stored)
    }

    fn file(
        &mut self,
        number: usize,
        mut records: Box<dyn Records>,
        file: &FilePath,
        limit: usize,
        stored: &mut Stored,
    ) -> bool {
        let mut tally = Tally::default();
        let (mut odds, mut here) = (Oddities::new(self.spec), Vec::new());
        while stored.len() < limit && !tally.failed {
            here.clear();
            let fault = match records.next() {
                Ok(None) => break,
                Ok(Some(record)) => match self.parser.parse_noting(&record, |field, odd| here.push((field, odd))) {
                    Ok(values) => {
                        here.drain(..).for_each(|(field, odd)| odds.add(field, odd, record.line));
                        stored.push(number, &record, &values);
                        tally.read += 1;
                        continue;
                    }
                    Err(fault) => {
                        let shown = records.shown(fault.field.unwrap_or(0)).to_owned();
                        fault.at(&shown, record.line)
                    }
                },
                Err(fault) => fault,
            };
            self.malformed(fault, file, &mut tally);
        }
        self.out.extend(odds.warnings(self.spec, &file.path.display().to_string()));
        self.close(file, &tally)
    }

    fn malformed(&mut self, fault: Fault, file: &FilePath, tally: &mut Tally) {
        tally.faults += 1;
        if fault.fatal || !self.spec.skip_malformed {
            self.report(&fault, file);
            tally.failed = fault.fatal || tally.faults >= MOST_FAULTS;
        }
        tally.first.get_or_insert(fault);
    }

    /// Says what was left out of a file, or that nothing is in it.
    fn close(&mut self, file: &FilePath, tally: &Tally) -> bool {
        if tally.failed || tally.faults > 0 && !self.spec.skip_malformed {
            return false;
        }
        let shown = file.path.display();
        let first = tally.first.as_ref().map_or("", |f| f.message.as_str());
        if tally.read == 0 {
            let text = match tally.faults {
                0 => format!("`{shown}` has no examples"),
                n => format!("all {} of `{shown}` are malformed; the first: {first}", count(n, "example")),
            };
            self.report(&Fault::fatal(codes::DATA_EMPTY, text), file);
            return false;
        }
        if tally.faults > 0 {
            let text =
                format!("{} of `{shown}` left out; the first: {first}", count(tally.faults, "malformed example"));
            self.out.push(Diagnostic::new(codes::SKIPPED, file.span, text));
        }
        true
    }
}

/// Draws dev and test from train.
fn draw(
    spec: &DataSpec,
    seed: u64,
    train: Stored,
    shares: [f64; 2],
    out: &mut Vec<Diagnostic>,
) -> Option<[Option<Stored>; 3]> {
    if shares == [0.0, 0.0] {
        return Some([Some(train), None, None]);
    }
    let n = train.len();
    let sizes = shares.map(|s| if s > 0.0 { ((s * n as f64).round() as usize).max(1) } else { 0 });
    if sizes[0] + sizes[1] >= n {
        let text = format!("data set '{}' has {}, too few to draw a split from", spec.name, count(n, "example"));
        out.push(Diagnostic::new(codes::DATA_EMPTY, spec.span, text));
        return None;
    }
    let mut order: Vec<u32> = (0..n as u32).collect();
    Random::new(seed, &format!("split {}", spec.name), 0).shuffle(&mut order);
    let mut part = |from: usize, to: usize| {
        order[from..to].sort_unstable();
        (to > from).then(|| train.select(&order[from..to]))
    };
    let (dev, test) = (part(0, sizes[0]), part(sizes[0], sizes[0] + sizes[1]));
    Some([part(sizes[0] + sizes[1], n), dev, test])
}
