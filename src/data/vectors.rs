//! Word vectors in the text formats of GloVe and word2vec, read line by line.

use std::path::Path;

use indexmap::IndexMap;

use crate::diagnostics::{Diagnostic, codes};

use super::fault::{Fault, Read};
use super::file::Lines;
use super::spec::FilePath;

/// The vectors of a vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// Numbers of a vector.
    pub dim: usize,
    /// A row of `dim` numbers for each word; zeros where the file lacks the word.
    pub rows: Vec<f32>,
    /// Which rows the file has.
    pub known: Vec<bool>,
    /// How many rows the file has.
    pub matched: usize,
    /// The file as the program names it, for diagnostics.
    pub file: FilePath,
}

impl Vectors {
    /// Checks that the vectors fit an embedding of width `d`.
    pub fn check(&self, d: usize) -> Result<(), Diagnostic> {
        if self.dim == d {
            return Ok(());
        }
        let text = format!(
            "the vectors of `{}` have {} numbers, and the embedding has {d}",
            self.file.path.display(),
            self.dim
        );
        Err(Diagnostic::new(codes::VECTORS, self.file.span, text).help(format!("write `embed({})`", self.dim)))
    }
}

/// The vectors that a file has for the words of the data.
pub struct Table {
    dim: usize,
    found: IndexMap<String, Vec<f32>>,
    file: FilePath,
}

impl Table {
    /// The words found, in the order of the file.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// A row for each of these words.
    pub fn matrix(&self, words: &[String]) -> Vectors {
        let mut rows = Vec::with_capacity(words.len() * self.dim);
        let mut known = Vec::with_capacity(words.len());
        for word in words {
            match self.found.get(word) {
                Some(vector) => rows.extend_from_slice(vector),
                None => rows.resize(rows.len() + self.dim, 0.0),
            }
            known.push(self.found.contains_key(word));
        }
        let matched = known.iter().filter(|k| **k).count();
        Vectors { dim: self.dim, rows, known, matched, file: self.file.clone() }
    }
}

/// Reads the vectors of the words that `wanted` accepts.
pub fn read(base: &Path, file: &FilePath, wanted: impl Fn(&str) -> bool) -> Result<Table, Diagnostic> {
    let shown = file.path.display().to_string();
    let place = |fault: Fault| {
        let diagnostic = Diagnostic::new(codes::VECTORS, file.span, fault.message);
        match fault.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    };
    let mut lines = Lines::open(&base.join(&file.path), &shown).map_err(place)?;
    let mut table = Table { dim: 0, found: IndexMap::new(), file: file.clone() };
    table.fill(&mut lines, wanted).map_err(place)?;
    Ok(table)
}

impl Table {
    fn fill(&mut self, lines: &mut Lines, wanted: impl Fn(&str) -> bool) -> Read<()> {
        let shown = lines.shown().clone();
        let mut rows = 0;
        while let Some(text) = lines.next()? {
            let text = text.trim_end().to_owned();
            let line = lines.line();
            if text.is_empty() || line == 1 && self.header(&text) {
                continue;
            }
            self.row(&text, &wanted).map_err(|f| f.at(&shown, line))?;
            rows += 1;
        }
        match rows {
            0 => Err(Fault::example(format!("`{shown}` has no vectors"))),
            _ => Ok(()),
        }
    }

    /// The first line of word2vec: how many words, how many numbers.
    fn header(&mut self, text: &str) -> bool {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [words, dim] = parts[..] else { return false };
        match (words.parse::<usize>(), dim.parse()) {
            (Ok(_), Ok(dim)) => {
                self.dim = dim;
                dim > 0
            }
            _ => false,
        }
    }

    fn row(&mut self, text: &str, wanted: &impl Fn(&str) -> bool) -> Read<()> {
        let gaps = || text.char_indices().filter(|(_, c)| *c == ' ' || *c == '\t').map(|(i, _)| i);
        let has = gaps().count();
        if self.dim == 0 {
            self.dim = has;
        }
        if has < self.dim || self.dim == 0 {
            return Err(Fault::example(format!("a vector of {has} numbers, where {} are due", self.dim)));
        }
        // A word may hold spaces itself, as some of GloVe's do: the last `dim` columns are the numbers.
        let at = gaps().nth(has - self.dim).unwrap_or(0);
        let (word, numbers) = (&text[..at], &text[at..]);
        if has > self.dim && text[..at].rsplit([' ', '\t']).next().is_some_and(|w| w.parse::<f32>().is_ok()) {
            let numbers = text.split([' ', '\t']).skip(1).filter(|w| w.parse::<f32>().is_ok()).count();
            if numbers == has {
                return Err(Fault::example(format!("a vector of {has} numbers, where {} are due", self.dim)));
            }
        }
        if !wanted(word) || self.found.contains_key(word) {
            return Ok(());
        }
        let number = |text: &str| match text.parse::<f32>() {
            Ok(n) if n.is_finite() => Ok(n),
            Ok(_) => Err(Fault::example(format!("the vector of '{word}' has a number that is not finite"))),
            Err(_) => Err(Fault::example(format!("the vector of '{word}' has '{text}', which is no number"))),
        };
        let vector = numbers.split_whitespace().map(number).collect::<Read<Vec<f32>>>()?;
        if vector.len() != self.dim {
            return Err(Fault::example(format!("a vector of {} numbers, where {} are due", vector.len(), self.dim)));
        }
        self.found.insert(word.to_owned(), vector);
        Ok(())
    }
}
