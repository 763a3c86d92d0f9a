//! Vocabularies: the words (or characters) of train that an embedding has rows for.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::diagnostics::Diagnostic;

use super::dataset::{Corpus, Portion};
use super::lexicon::Lexicon;
use super::spec::VocabSpec;
use super::tally::Tallies;
use super::vectors::{self, Vectors};

/// The row of words that the vocabulary lacks.
pub const UNKNOWN: u32 = 0;
/// How the unknown word is written in a saved vocabulary.
pub const UNKNOWN_WORD: &str = "<unk>";

/// A vocabulary: row 0 is the unknown word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vocab {
    /// The path of the layer that owns it.
    pub name: String,
    /// Of characters instead of words.
    pub chars: bool,
    /// The words in the order of their rows: the most frequent first.
    pub words: Vec<String>,
    /// For each number of the lexicon, its row; numbers past the end are unknown.
    #[serde(skip)]
    rows: Vec<u32>,
    /// Of a vocabulary of characters, their rows.
    #[serde(skip)]
    letters: HashMap<char, u32>,
}

impl Vocab {
    /// How many rows there are, the unknown one among them.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is none; a vocabulary that was built has at least one.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Finds the words in the lexicon of this run; after reading a saved vocabulary, before rows
    /// are asked for.
    pub fn attach(&mut self, lexicon: &Lexicon) {
        if self.chars {
            let letter = |(row, word): (usize, &String)| Some((word.chars().next()?, row as u32));
            self.letters = self.words.iter().enumerate().skip(1).filter_map(letter).collect();
            return;
        }
        self.rows.clear();
        for (row, word) in self.words.iter().enumerate().skip(1) {
            let id = lexicon.intern(word) as usize;
            if id >= self.rows.len() {
                self.rows.resize(id + 1, UNKNOWN);
            }
            self.rows[id] = row as u32;
        }
    }

    /// The row of a word by its number in the lexicon, [`UNKNOWN`] for one met later.
    pub fn row(&self, word: u32) -> u32 {
        self.rows.get(word as usize).copied().unwrap_or(UNKNOWN)
    }

    /// The row of a character.
    pub fn letter(&self, letter: char) -> u32 {
        self.letters.get(&letter).copied().unwrap_or(UNKNOWN)
    }

    /// The rows of the characters of a word.
    pub fn letters(&self, word: &str) -> impl Iterator<Item = u32> {
        word.chars().map(|c| self.letter(c))
    }
}

/// Builds a vocabulary, and reads its vectors if it has some.
pub fn build(
    spec: &VocabSpec,
    corpus: &Corpus,
    tallies: &Tallies,
    base: &Path,
) -> Result<(Vocab, Option<Vectors>), Diagnostic> {
    let train = count(spec, corpus, tallies, &[Portion::Train]);
    let mut kept: HashMap<&str, u64> =
        train.iter().filter(|(_, n)| **n >= spec.min_count.max(1) as u64).map(|(w, n)| (w.as_str(), *n)).collect();
    let table = match &spec.vectors {
        Some(file) => {
            let all = count(spec, corpus, tallies, &Portion::ALL);
            Some(vectors::read(base, file, |word| all.contains_key(word))?)
        }
        None => None,
    };
    for word in table.iter().flat_map(|t| t.words()) {
        kept.entry(word).or_insert_with(|| train.get(word).copied().unwrap_or(0));
    }
    let words = sorted(&kept);
    let vectors = table.as_ref().map(|t| t.matrix(&words));
    let mut vocab =
        Vocab { name: spec.name.clone(), chars: spec.chars, words, rows: Vec::new(), letters: HashMap::new() };
    vocab.attach(corpus.lexicon());
    Ok((vocab, vectors))
}

/// The unknown word, then the most frequent first, ties by the alphabet.
fn sorted(kept: &HashMap<&str, u64>) -> Vec<String> {
    let mut words: Vec<(&str, u64)> =
        kept.iter().map(|(w, n)| (*w, *n)).filter(|(w, _)| *w != UNKNOWN_WORD && !w.is_empty()).collect();
    words.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    std::iter::once(UNKNOWN_WORD).chain(words.into_iter().map(|w| w.0)).map(str::to_owned).collect()
}

/// How often these splits have each word or character.
fn count(spec: &VocabSpec, corpus: &Corpus, tallies: &Tallies, portions: &[Portion]) -> HashMap<String, u64> {
    let mut ids: HashMap<u32, u64> = HashMap::new();
    for (data, field) in corpus.find_all(&spec.fields) {
        for &portion in portions {
            let words = &tallies.get(data, portion, field).words;
            words.iter().for_each(|(word, n)| *ids.entry(*word).or_default() += n);
        }
    }
    let mut counts = HashMap::new();
    for (id, n) in ids {
        let word = corpus.lexicon().word(id);
        match spec.chars {
            false => *counts.entry(word.to_string()).or_default() += n,
            true => word.chars().for_each(|c| *counts.entry(c.to_string()).or_default() += n),
        }
    }
    counts
}
