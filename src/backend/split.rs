//! Words to the pieces of pretrained encoders.

use std::sync::Arc;

use candle_core::{Result, bail};

use super::Rows;
use super::exec::{Program, Run};
use crate::data::Lexicon;
use crate::data::pretrained::pieces::{Split, WordPieces};

impl Program {
    /// The same with the tokenizers of its pretrained encoders.
    pub fn with_pieces(mut self, pieces: Vec<Arc<WordPieces>>) -> Self {
        self.pieces = pieces;
        self
    }
}

impl Run<'_> {
    /// The pieces of words by the tokenizer of the node's encoder; a dropped word is masked.
    pub fn split(&self, ids: &[u32], lexicon: &Lexicon, rows: &Rows) -> Result<Split> {
        let Some(pieces) = self.program.pieces.get(self.int("encoder")) else { bail!("an encoder has no tokenizer") };
        let words: Vec<Option<Arc<str>>> =
            ids.iter().map(|id| (*id != super::NO_LABEL).then(|| lexicon.word(*id))).collect();
        let Some(texts) = rows.inner() else { bail!("an encoder reads texts") };
        let text = |w: &[u32]| words[w[0] as usize..w[1] as usize].iter().map(Option::as_deref).collect();
        pieces.split(texts.windows(2).map(text), self.bool("pieces")).map_err(candle_core::Error::msg)
    }
}
