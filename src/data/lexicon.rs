//! The words of a run, each stored once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Interned words: every distinct token of the data has one number for the whole run, and
/// vocabularies map these numbers to rows of an embedding.
#[derive(Debug, Default)]
pub struct Lexicon {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    words: Vec<Arc<str>>,
    index: HashMap<Arc<str>, u32>,
}

impl Lexicon {
    /// The number of `word`, a new one if it was not seen before.
    pub fn intern(&self, word: &str) -> u32 {
        if let Some(&id) = self.inner.read().unwrap_or_else(PoisonError::into_inner).index.get(word) {
            return id;
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = inner.index.get(word) {
            return id;
        }
        let id = inner.words.len() as u32;
        let word: Arc<str> = word.into();
        inner.words.push(word.clone());
        inner.index.insert(word, id);
        id
    }

    /// The word with this number.
    pub fn word(&self, id: u32) -> Arc<str> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).words[id as usize].clone()
    }

    /// The number of `word`, if it was seen before.
    pub fn find(&self, word: &str) -> Option<u32> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).index.get(word).copied()
    }

    /// Takes over the words of another lexicon in the order of their numbers, and gives for each
    /// its number here.
    pub fn absorb(&self, other: &Lexicon) -> Vec<u32> {
        let other = other.inner.read().unwrap_or_else(PoisonError::into_inner);
        other.words.iter().map(|word| self.intern(word)).collect()
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).words.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
