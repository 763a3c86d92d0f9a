//! Which fields share a tokenizer, and where it comes from.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::cutter::pieces;
use super::{TAG, Tokenizer};
use crate::data::dataset::{Corpus, Portion};
use crate::data::lexicon::Lexicon;
use crate::data::spec::{DataSpec, FieldType, FilePath, Tokens, VocabSpec};
use crate::data::value::FieldValue;
use crate::diagnostics::{Diagnostic, codes};

/// The tokenizer of some fields: there as soon as it is trained or read.
#[derive(Debug)]
pub struct Slot {
    fields: Vec<(String, String)>,
    vocabs: Vec<String>,
    tokens: Tokens,
    tokenizer: OnceLock<Arc<Tokenizer>>,
}

/// The tokenizers of all fields that need one.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    all: Vec<Arc<Slot>>,
    of: HashMap<(String, String), Arc<Slot>>,
}

impl Slot {
    /// The tokenizer, once it is there.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.get().map(|tokenizer| &**tokenizer)
    }

    fn set(&self, tokenizer: Tokenizer) {
        drop(self.tokenizer.set(Arc::new(self.named(tokenizer))));
    }

    /// A tokenizer as that of these fields.
    fn named(&self, tokenizer: Tokenizer) -> Tokenizer {
        Tokenizer { fields: self.fields.clone(), vocabs: self.vocabs.clone(), ..tokenizer }
    }
}

fn tokens(ty: &FieldType) -> Option<&Tokens> {
    match ty {
        FieldType::Text { tokens, .. } | FieldType::Texts { tokens, .. } => {
            matches!(tokens, Tokens::Bpe(_) | Tokens::File(_)).then_some(tokens)
        }
        _ => None,
    }
}

/// Whether both ask for the same pieces, if they ask together.
fn equal(a: &Tokens, b: &Tokens) -> bool {
    match (a, b) {
        (Tokens::Bpe(a), Tokens::Bpe(b)) => a == b,
        (Tokens::File(a), Tokens::File(b)) => a.path == b.path,
        _ => false,
    }
}

impl Slots {
    /// A tokenizer for each group of fields: equal `bpe(n)` that reach one vocabulary have one, and equal files.
    pub fn new(specs: &[DataSpec], vocabs: &[VocabSpec]) -> Self {
        let mut fields: Vec<((String, String), &Tokens)> = Vec::new();
        for spec in specs {
            let some = |f: &'_ crate::data::spec::FieldSpec| (spec.name.clone(), f.name.clone());
            fields.extend(spec.fields.iter().filter_map(|f| Some((some(f), tokens(&f.ty)?))));
        }
        let mut group: Vec<usize> = (0..fields.len()).collect();
        let meet = |i: usize, j: usize| {
            let both = |v: &&VocabSpec| [i, j].iter().all(|k| v.fields.contains(&fields[*k].0));
            matches!(fields[i].1, Tokens::File(_)) || vocabs.iter().any(|v| both(&v))
        };
        for i in 0..fields.len() {
            for j in 0..i {
                if group[i] != group[j] && equal(fields[i].1, fields[j].1) && meet(i, j) {
                    let (from, to) = (group[i].max(group[j]), group[i].min(group[j]));
                    group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
                }
            }
        }
        let mut slots = Self::default();
        for first in (0..fields.len()).filter(|i| group[*i] == *i) {
            let members: Vec<_> = (first..fields.len()).filter(|i| group[*i] == first).collect();
            let names: Vec<_> = members.iter().map(|i| fields[*i].0.clone()).collect();
            let tokens = fields[first].1.clone();
            let reached = vocabs.iter().filter(|v| v.fields.iter().any(|field| names.contains(field)));
            let reached = reached.map(|v| v.name.clone()).collect();
            let slot = Arc::new(Slot { fields: names.clone(), vocabs: reached, tokens, tokenizer: OnceLock::new() });
            slots.of.extend(names.into_iter().map(|name| (name, slot.clone())));
            slots.all.push(slot);
        }
        slots
    }

    /// The slot of a field that needs one.
    pub fn of(&self, data: &str, field: &str) -> Option<&Arc<Slot>> {
        self.of.get(&(data.to_owned(), field.to_owned()))
    }

    /// Takes over tokenizers that are there: those of a run.
    pub fn fill(&self, known: &[Arc<Tokenizer>]) {
        for slot in &self.all {
            let own = known.iter().find(|t| slot.fields.iter().any(|field| t.fields.contains(field)));
            own.into_iter().for_each(|tokenizer| drop(slot.tokenizer.set(tokenizer.clone())));
        }
    }

    /// Reads the tokenizers that are files.
    pub fn read(&self, base: &Path) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for slot in &self.all {
            let Tokens::File(file) = &slot.tokens else { continue };
            if slot.tokenizer().is_some() {
                continue;
            }
            match read(&base.join(&file.path), file) {
                Ok(tokenizer) => slot.set(tokenizer),
                Err(diagnostic) => found.push(diagnostic),
            }
        }
        found
    }

    /// The tokenizers that are there.
    pub fn tokenizers(&self) -> Vec<Arc<Tokenizer>> {
        let own = |slot: &Arc<Slot>| -> Option<Arc<Tokenizer>> {
            let tokenizer = slot.tokenizer.get()?;
            let same = tokenizer.fields == slot.fields && tokenizer.vocabs == slot.vocabs;
            Some(if same { tokenizer.clone() } else { Arc::new(slot.named((**tokenizer).clone())) })
        };
        self.all.iter().filter_map(own).collect()
    }

    /// Trains those that are not there yet on the train texts of their fields, which were cut into words, and gives
    /// for each the pieces of the words that any text has.
    pub(in crate::data) fn train(&self, corpus: &Corpus) -> Result<Vec<Recut>, Vec<Diagnostic>> {
        let mut recut = Vec::new();
        for slot in self.all.iter().filter(|slot| slot.tokenizer().is_none()) {
            let Tokens::Bpe(size) = slot.tokens else { continue };
            let fields = corpus.find_all(&slot.fields);
            let counts = count(corpus, &fields).map_err(|d| vec![d])?;
            let lexicon = corpus.lexicon();
            let words = counts.into_iter().map(|(id, n)| (lexicon.word(id).to_string(), n));
            let words = words.filter(|(word, _)| !word.starts_with(TAG)).collect();
            slot.set(
                Tokenizer::trained(size, &words).map_err(|e| {
                    vec![Diagnostic::placeless(codes::BUG, format!("byte pairs cannot be merged: {e}"))]
                })?,
            );
            let tokenizer = slot.tokenizer.get().cloned();
            recut.extend(tokenizer.map(|tokenizer| Recut { fields, tokenizer, known: HashMap::new() }));
        }
        Ok(recut)
    }
}

/// Words that were read before the tokenizer was there, to pieces.
pub(in crate::data) struct Recut {
    /// Data sets and fields, by their places.
    pub fields: Vec<(usize, usize)>,
    tokenizer: Arc<Tokenizer>,
    known: HashMap<u32, Box<[u32]>>,
}

impl Recut {
    /// The pieces of these words, as many as the field keeps.
    pub fn value(&mut self, ty: &FieldType, value: FieldValue, lexicon: &Lexicon) -> FieldValue {
        let most = match ty {
            FieldType::Text { max, .. } | FieldType::Texts { max, .. } => max.unwrap_or(usize::MAX).max(1),
            _ => return value,
        };
        let mut cut = |words: Vec<u32>| {
            let mut out = Vec::with_capacity(words.len());
            for word in words {
                let known = self.known.entry(word);
                out.extend_from_slice(known.or_insert_with(|| pieces(&self.tokenizer, &lexicon.word(word), lexicon)));
            }
            out.truncate(most);
            out
        };
        match value {
            FieldValue::Text(words) => FieldValue::Text(cut(words)),
            FieldValue::Texts(texts) => FieldValue::Texts(texts.into_iter().map(cut).collect()),
            other => other,
        }
    }
}

/// How often train has each word of these fields.
fn count(corpus: &Corpus, fields: &[(usize, usize)]) -> Result<HashMap<u32, u64>, Diagnostic> {
    let mut counts = HashMap::new();
    for (at, dataset) in corpus.datasets.iter().enumerate() {
        let own: Vec<usize> = fields.iter().filter(|(data, _)| *data == at).map(|(_, field)| *field).collect();
        if own.is_empty() {
            continue;
        }
        dataset.for_each(Portion::Train, |_, values| {
            for value in own.iter().map(|field| &values[*field]) {
                let mut add = |words: &[u32]| words.iter().for_each(|word| *counts.entry(*word).or_default() += 1);
                match value {
                    FieldValue::Text(words) => add(words),
                    FieldValue::Texts(texts) => texts.iter().for_each(|words| add(words)),
                    _ => {}
                }
            }
            Ok(())
        })?;
    }
    Ok(counts)
}

/// Reads a tokenizer file.
fn read(path: &Path, file: &FilePath) -> Result<Tokenizer, Diagnostic> {
    let shown = file.path.display();
    let broken = |message: String| Diagnostic::new(codes::TOKENIZER, file.span, message);
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => broken(format!("cannot find the tokenizer `{shown}`"))
            .help("paths are relative to the `.mtl` file, or to `--data DIR`"),
        std::io::ErrorKind::InvalidData => broken(format!("the tokenizer `{shown}` is not UTF-8")),
        _ => broken(format!("cannot read the tokenizer `{shown}`: {e}")),
    })?;
    Tokenizer::published(text).map_err(|why| {
        let why = why.trim().trim_end_matches('.');
        broken(format!("`{shown}` is no tokenizer: {why}"))
    })
}
