//! Texts cut into pieces of words: byte pairs merged as often as train has them, or a published tokenizer.
//!
//! - `bytes`: texts as words of bytes.
//! - `slots`: which fields share a tokenizer, and where it comes from.
//! - `cutter`: texts of a field to numbers of the lexicon.

pub mod bytes;
mod cutter;
mod slots;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{Model, Tokenizer as Published};

pub use cutter::{Cutter, TAG};
pub use slots::{Slot, Slots};

/// How many pieces there are at least: one for each byte.
pub const LEAST: usize = 256;

/// A pair that train has less often than this is not merged.
const TWICE: u64 = 2;

/// How the texts of some fields are cut into pieces.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Tokenizer {
    /// The fields, as data set and name.
    pub fields: Vec<(String, String)>,
    /// The layers with a table of its pieces.
    pub vocabs: Vec<String>,
    pieces: Pieces,
    /// What it is made from.
    text: Text,
}

#[derive(Clone, Debug)]
enum Pieces {
    /// Merged pairs of bytes.
    Pairs(Box<BPE>),
    /// Whatever the file says.
    Published(Box<Published>),
}

/// The text of a tokenizer, which a run keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Text {
    /// The pieces and merges.
    Pairs(String),
    /// The file.
    File(String),
}

#[derive(Serialize, Deserialize)]
struct Saved {
    fields: Vec<(String, String)>,
    vocabs: Vec<String>,
    text: Text,
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields && self.vocabs == other.vocabs && self.text == other.text
    }
}

impl From<Tokenizer> for Saved {
    fn from(tokenizer: Tokenizer) -> Self {
        Self { fields: tokenizer.fields, vocabs: tokenizer.vocabs, text: tokenizer.text }
    }
}

impl TryFrom<Saved> for Tokenizer {
    type Error = String;

    fn try_from(Saved { fields, vocabs, text }: Saved) -> Result<Self, String> {
        let pieces = match &text {
            Text::Pairs(text) => Pieces::Pairs(Box::new(serde_json::from_str(text).map_err(|e| e.to_string())?)),
            Text::File(text) => Pieces::Published(Box::new(published(text)?)),
        };
        Ok(Self { fields, vocabs, pieces, text })
    }
}

/// Reads a tokenizer file; texts are neither cut short nor filled up, whatever it says.
fn published(text: &str) -> Result<Published, String> {
    let mut tokenizer = Published::from_bytes(text).map_err(|e| e.to_string())?;
    tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

impl Tokenizer {
    /// The tokenizer that a file in the format of Hugging Face's `tokenizers` describes.
    pub fn published(text: String) -> Result<Self, String> {
        Self::read(Text::File(text))
    }

    /// A tokenizer of no field yet.
    fn read(text: Text) -> Result<Self, String> {
        Saved { fields: Vec::new(), vocabs: Vec::new(), text }.try_into()
    }

    /// Learns at most `size` pieces of words (Sennrich et al. 2016): beside the bytes the pairs that are most
    /// frequent, and appear twice at least. Of equally frequent pairs the one goes first whose pieces are older.
    pub fn trained(size: usize, words: &HashMap<String, u64>) -> Result<Self, String> {
        // The library counts pairs in 31 bits.
        let pairs: u64 = words.iter().map(|(word, n)| n.saturating_mul(word.chars().count() as u64)).sum();
        let share = pairs / i32::MAX as u64 + 1;
        let counts = words.iter().map(|(word, n)| (word.as_str().into(), n.div_ceil(share))).collect();
        let trainer = BpeTrainer::builder()
            .vocab_size(size.max(LEAST))
            .min_frequency(TWICE)
            .initial_alphabet(bytes::alphabet().collect())
            .show_progress(false)
            .build();
        let mut model = BPE::default();
        trainer.do_train(&counts, &mut model).map_err(|e| e.to_string())?;
        let text = serde_json::to_string(&model).map_err(|e| e.to_string())?;
        // As it will be read again, so that a run goes on with the very same.
        Self::read(Text::Pairs(text))
    }

    /// The same for other fields.
    pub fn of(&self, fields: Vec<(String, String)>) -> Self {
        Self { fields, ..self.clone() }
    }

    /// Whether it merges bytes, whose words are known before it is.
    fn merges(&self) -> bool {
        matches!(self.pieces, Pieces::Pairs(_))
    }

    /// The pieces of a text, or of a word of bytes.
    fn pieces(&self, text: &str) -> Vec<String> {
        match &self.pieces {
            Pieces::Pairs(model) => {
                let pieces = model.tokenize(text).unwrap_or_default();
                pieces.into_iter().map(|piece| piece.value).collect()
            }
            Pieces::Published(tokenizer) => {
                let pieces = tokenizer.encode_fast(text, false);
                let ids = pieces.map(|pieces| pieces.get_ids().to_vec()).unwrap_or_default();
                ids.into_iter().filter_map(|id| tokenizer.id_to_token(id)).collect()
            }
        }
    }

    /// Whether the file has this piece.
    fn knows(&self, piece: &str) -> bool {
        match &self.pieces {
            Pieces::Pairs(_) => true,
            Pieces::Published(tokenizer) => tokenizer.token_to_id(piece).is_some(),
        }
    }

    /// The text that pieces make. Bytes that are no UTF-8 together, which only a model writes, become `�`.
    pub fn text<S: AsRef<str>>(&self, pieces: &[S]) -> String {
        match &self.pieces {
            Pieces::Pairs(_) => {
                let mut all = Vec::new();
                pieces.iter().for_each(|piece| bytes::bytes(piece.as_ref(), &mut all));
                let text = String::from_utf8_lossy(&all);
                text.strip_prefix(' ').unwrap_or(&text).into()
            }
            Pieces::Published(tokenizer) => {
                let known = pieces.chunk_by(|a, b| self.knows(a.as_ref()) && self.knows(b.as_ref()));
                let part = |part: &[S]| -> String {
                    let ids: Option<Vec<u32>> = part.iter().map(|p| tokenizer.token_to_id(p.as_ref())).collect();
                    let text = ids.and_then(|ids| tokenizer.decode(&ids, false).ok());
                    text.unwrap_or_else(|| part.iter().map(AsRef::as_ref).collect())
                };
                known.map(part).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

#[cfg(test)]
mod tests;
