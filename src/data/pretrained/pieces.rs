//! Words to a checkpoint's pieces, and which pieces each word is.

use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::{Config, Misfit, Place, TOKENIZER, TOKENIZER_CONFIG, VOCABULARY};

/// A checkpoint's tokenizer.
pub struct WordPieces {
    tokenizer: Tokenizer,
    /// The special pieces that a text begins with.
    before: Vec<u32>,
    /// Those that it ends with.
    after: Vec<u32>,
    /// What a masked word is written as.
    mask: String,
    /// What stands for a word that has no piece.
    unknown: u32,
    /// Pieces of the longest text, the special ones with it.
    longest: usize,
}

/// Texts as pieces. A text that is too long is several windows, each with its special pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Rows of the table of pieces.
    pub pieces: Vec<u32>,
    /// How many pieces each window has.
    pub windows: Vec<usize>,
    /// The place of each word's first piece.
    pub first: Vec<u32>,
    /// How many pieces each word has.
    pub counts: Vec<u32>,
    /// The first place of each text.
    pub texts: Vec<u32>,
}

impl WordPieces {
    /// Reads the tokenizer of a folder, and makes sure that it fits the table of pieces.
    pub fn open(place: &Place<'_>, config: &Config) -> Result<Self, Misfit> {
        let folder = place.folder;
        let mut tokenizer = match folder.join(TOKENIZER).is_file() || !folder.join(VOCABULARY).is_file() {
            true => {
                let json = place.text(TOKENIZER)?;
                json.parse::<Tokenizer>().map_err(|e| {
                    let message = format!("'{}' is no tokenizer: {e}", place.named(TOKENIZER));
                    Misfit::new(message, "take the file again from where the model was published")
                })?
            }
            false => word_piece(place)?,
        };
        // Some published files cut and pad every text.
        let _ = tokenizer.with_truncation(None);
        tokenizer.with_padding(None);
        let vocabulary = tokenizer.get_vocab(true);
        if let Some((piece, id)) =
            vocabulary.iter().max_by_key(|(_, id)| **id).filter(|(_, id)| **id as usize >= config.pieces)
        {
            let message = format!(
                "the tokenizer in '{}' has piece {id}, '{piece}', and the table of the model {} rows",
                place.shown, config.pieces
            );
            return Err(Misfit::new(message, "take `tokenizer.json` and the weights from one model"));
        }
        Self::over(tokenizer, config).map_err(|why| {
            let message = format!("the tokenizer in '{}' cannot be used: {why}", place.shown);
            Misfit::new(message, "take the file again from where the model was published")
        })
    }

    fn over(tokenizer: Tokenizer, config: &Config) -> Result<Self, String> {
        let found = |names: &[&str]| names.iter().find_map(|n| Some(((*n).to_owned(), tokenizer.token_to_id(n)?)));
        let encode = |special| tokenizer.encode("a", special).map_err(|e| e.to_string());
        let (plain, whole) = (encode(false)?, encode(true)?);
        let (plain, whole) = (plain.get_ids(), whole.get_ids());
        let at = whole.windows(plain.len().max(1)).position(|w| w == plain).unwrap_or(0);
        let (before, after) = (whole[..at].to_vec(), whole[(at + plain.len()).min(whole.len())..].to_vec());
        let longest = config.longest();
        if before.len() + after.len() >= longest {
            return Err(format!("{} special pieces and {longest} positions", before.len() + after.len()));
        }
        let (unknown_word, unknown) = found(&["[UNK]", "<unk>", "<|unk|>"])
            .unwrap_or_else(|| (String::new(), before.first().copied().unwrap_or(0)));
        let (mask, _) = found(&["[MASK]", "<mask>"]).unwrap_or((unknown_word, unknown));
        Ok(Self { tokenizer, before, after, mask, unknown, longest })
    }

    /// The tokenizer as it is saved.
    pub fn json(&self) -> Result<String, String> {
        self.tokenizer.to_string(false).map_err(|e| e.to_string())
    }

    /// Splits texts of words; a word that is `None` is masked. With `whole`, each word is a piece.
    pub fn split<'w>(
        &self,
        texts: impl IntoIterator<Item = Vec<Option<&'w str>>>,
        whole: bool,
    ) -> Result<Split, String> {
        let mut split = Split::default();
        for words in texts {
            let pieces = if whole { self.as_pieces(&words) } else { self.pieces_of(&words)? };
            self.put(&pieces, &mut split);
        }
        Ok(split)
    }

    /// Words that are pieces already.
    fn as_pieces(&self, words: &[Option<&str>]) -> Vec<Vec<u32>> {
        let id = |word: &Option<&str>| self.tokenizer.token_to_id(word.unwrap_or(&self.mask)).unwrap_or(self.unknown);
        words.iter().map(|word| vec![id(word)]).collect()
    }

    /// The pieces of each word of a text, which is its words with blanks between. A piece belongs
    /// to the word that its last character stands in, a blank to the word behind it.
    fn pieces_of(&self, words: &[Option<&str>]) -> Result<Vec<Vec<u32>>, String> {
        let mut text = String::new();
        let mut ends = Vec::with_capacity(words.len());
        for word in words {
            if !ends.is_empty() {
                text.push(' ');
            }
            text.push_str(word.unwrap_or(&self.mask));
            ends.push(text.len());
        }
        let encoded = self.tokenizer.encode(text.as_str(), false).map_err(|e| e.to_string())?;
        let mut pieces = vec![Vec::new(); words.len()];
        for (id, (start, end)) in encoded.get_ids().iter().zip(encoded.get_offsets()) {
            let last = if end > start { end - 1 } else { *start };
            let word = ends.partition_point(|end| *end <= last);
            if let Some(pieces) = pieces.get_mut(word) {
                pieces.push(*id);
            }
        }
        pieces.iter_mut().filter(|pieces| pieces.is_empty()).for_each(|pieces| pieces.push(self.unknown));
        Ok(pieces)
    }

    /// Puts a text behind those before it.
    fn put(&self, words: &[Vec<u32>], split: &mut Split) {
        split.texts.push(split.pieces.len() as u32);
        let room = self.longest - self.before.len() - self.after.len();
        let mut rest = words;
        loop {
            // As many words as fit; of a word that does not fit alone, its first pieces.
            let mut used = 0;
            let fitting = rest.iter().take_while(|pieces| {
                used += pieces.len();
                used <= room
            });
            let count = fitting.count().max(1).min(rest.len());
            let (here, later) = rest.split_at(count);
            let start = split.pieces.len();
            split.pieces.extend_from_slice(&self.before);
            for pieces in here {
                let pieces = &pieces[..pieces.len().min(room)];
                split.first.push(split.pieces.len() as u32);
                split.counts.push(pieces.len() as u32);
                split.pieces.extend_from_slice(pieces);
            }
            split.pieces.extend_from_slice(&self.after);
            split.windows.push(split.pieces.len() - start);
            rest = later;
            if rest.is_empty() {
                return;
            }
        }
    }
}

/// BERT's own tokenizer, of which there is only the vocabulary.
fn word_piece(place: &Place<'_>) -> Result<Tokenizer, Misfit> {
    let words: Vec<String> = place.text(VOCABULARY)?.lines().map(|line| line.trim_end().to_owned()).collect();
    let settings = std::fs::read_to_string(place.folder.join(TOKENIZER_CONFIG)).unwrap_or_default();
    let settings: Value = serde_json::from_str(&settings).unwrap_or_default();
    let lower = settings.get("do_lower_case").and_then(Value::as_bool).unwrap_or(true);
    let lacking = |what: String| {
        let message = format!("'{}' is no vocabulary of WordPiece: {what}", place.named(VOCABULARY));
        Misfit::new(message, "add the model's `tokenizer.json`")
    };
    let place = |word: &str| words.iter().position(|w| w == word);
    for word in ["[UNK]", "[CLS]", "[SEP]"] {
        place(word).ok_or_else(|| lacking(format!("it lacks '{word}'")))?;
    }
    let special = |word: &str| json!({"id": word, "ids": [place(word)], "tokens": [word]});
    let added = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].into_iter().filter_map(|word| {
        let id = place(word)?;
        Some(json!({"id": id, "content": word, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}))
    });
    let vocabulary: serde_json::Map<String, Value> =
        words.iter().enumerate().map(|(i, word)| (word.clone(), json!(i))).collect();
    let piece = |kind: &str, id: &str, ty: u32| json!({kind: {"id": id, "type_id": ty}});
    let (one, end) = (piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0));
    let text = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [piece("SpecialToken", "[CLS]", 0), one, end],
            "pair": [piece("SpecialToken", "[CLS]", 0), one, end, piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)],
            "special_tokens": {"[CLS]": special("[CLS]"), "[SEP]": special("[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    text.to_string().parse().map_err(|e: tokenizers::Error| lacking(e.to_string()))
}
