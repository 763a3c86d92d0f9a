//! The texts of a field to pieces, as numbers of the lexicon.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Slot, Tokenizer, bytes};
use crate::data::lexicon::Lexicon;

/// Before the tokenizer is there a tag is a word that begins with this; words of bytes have no space in them.
pub const TAG: char = ' ';

/// Words whose pieces are kept at most.
const KEPT: usize = 1 << 17;

/// Cuts the texts of a field.
#[derive(Debug)]
pub struct Cutter {
    slot: Arc<Slot>,
    /// The pieces of words that were met.
    known: RwLock<HashMap<Box<str>, Box<[u32]>>>,
}

impl Cutter {
    /// What cuts by the tokenizer of a slot; until it is there, texts are cut into words of bytes.
    pub fn new(slot: Arc<Slot>) -> Self {
        Self { slot, known: RwLock::default() }
    }

    /// The pieces of a text, given as parts of which some are tags. White space alone has none.
    pub fn cut(&self, parts: &[(&str, bool)], lexicon: &Lexicon, out: &mut Vec<u32>) {
        if parts.iter().all(|(text, _)| text.trim().is_empty()) {
            return;
        }
        match self.slot.tokenizer() {
            Some(tokenizer) if !tokenizer.merges() => published(tokenizer, parts, lexicon, out),
            tokenizer => self.merged(tokenizer, parts, lexicon, out),
        }
    }

    fn merged(&self, tokenizer: Option<&Tokenizer>, parts: &[(&str, bool)], lexicon: &Lexicon, out: &mut Vec<u32>) {
        let mut word = String::new();
        for (i, (text, tag)) in parts.iter().enumerate() {
            if *tag {
                word.clear();
                word.extend(tokenizer.is_none().then_some(TAG));
                bytes::seen(text, &mut word);
                out.push(lexicon.intern(&word));
                continue;
            }
            // The first word of a text is like any other: a space is before it.
            let spaced;
            let text = match i {
                0 => {
                    spaced = format!(" {text}");
                    &spaced
                }
                _ => *text,
            };
            bytes::words(text, |part| {
                word.clear();
                bytes::seen(part, &mut word);
                match tokenizer {
                    Some(tokenizer) => self.word(tokenizer, &word, lexicon, out),
                    None => out.push(lexicon.intern(&word)),
                }
            });
        }
    }

    fn word(&self, tokenizer: &Tokenizer, word: &str, lexicon: &Lexicon, out: &mut Vec<u32>) {
        if let Some(ids) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(word) {
            out.extend_from_slice(ids);
            return;
        }
        let ids = pieces(tokenizer, word, lexicon);
        out.extend_from_slice(&ids);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < KEPT {
            known.insert(word.into(), ids);
        }
    }
}

/// The pieces of a word that was read before its tokenizer was there.
pub(super) fn pieces(tokenizer: &Tokenizer, word: &str, lexicon: &Lexicon) -> Box<[u32]> {
    match word.strip_prefix(TAG) {
        Some(tag) => Box::new([lexicon.intern(tag)]),
        None => tokenizer.pieces(word).iter().map(|piece| lexicon.intern(piece)).collect(),
    }
}

/// A tag that the file does not have is a piece of its own.
fn published(tokenizer: &Tokenizer, parts: &[(&str, bool)], lexicon: &Lexicon, out: &mut Vec<u32>) {
    let mut text = String::new();
    let flush = |text: &mut String, out: &mut Vec<u32>| {
        out.extend(tokenizer.pieces(text).iter().map(|piece| lexicon.intern(piece)));
        text.clear();
    };
    for (part, tag) in parts {
        if *tag && !tokenizer.knows(part) {
            flush(&mut text, out);
            out.push(lexicon.intern(part));
        } else {
            text.push_str(part);
        }
    }
    flush(&mut text, out);
}
