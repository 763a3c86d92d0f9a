//! The tokens of a field to its text.

use std::sync::Arc;

use super::lexicon::Lexicon;
use super::pieces::Tokenizer;
use super::spec::{FieldType, Tokens};

/// Makes texts of the tokens of a field. What a field cuts by characters, bytes or pieces comes back exactly, but
/// for upper case that `lower: true` has folded and tokens that `max` has cut off; see [`Detokenizer::text`] for
/// the others.
#[derive(Clone, Debug)]
pub struct Detokenizer {
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Space,
    Words,
    Chars,
    Bytes,
    Pieces(Arc<Tokenizer>),
}

impl Default for Detokenizer {
    /// A space between tokens.
    fn default() -> Self {
        Self { rule: Rule::Space }
    }
}

impl Detokenizer {
    /// For a field of this type, which is cut by this tokenizer if it has one.
    pub fn new(ty: &FieldType, tokenizer: Option<&Arc<Tokenizer>>) -> Self {
        let (FieldType::Text { tokens, .. } | FieldType::Texts { tokens, .. }) = ty else {
            return Self { rule: Rule::Space };
        };
        let rule = match (tokens, tokenizer) {
            (Tokens::Bpe(_) | Tokens::File(_), Some(tokenizer)) => Rule::Pieces(tokenizer.clone()),
            (Tokens::Words, _) => Rule::Words,
            (Tokens::Chars, _) => Rule::Chars,
            (Tokens::Bytes, _) => Rule::Bytes,
            (Tokens::Space | Tokens::Bpe(_) | Tokens::File(_), _) => Rule::Space,
        };
        Self { rule }
    }

    /// The text of these tokens. `space` puts a space between them; `words` does too, but for the side of a mark
    /// that writing leaves none at: before `.`, `,`, `)` and their like, after `(` and its like.
    pub fn text<S: AsRef<str>>(&self, tokens: &[S]) -> String {
        let all = || tokens.iter().map(AsRef::as_ref);
        match &self.rule {
            Rule::Space => all().collect::<Vec<_>>().join(" "),
            Rule::Words => words(all()),
            Rule::Chars => all().collect(),
            Rule::Bytes => {
                let mut out = Vec::new();
                all().for_each(|token| match byte(token) {
                    Some(byte) => out.push(byte),
                    None => out.extend_from_slice(token.as_bytes()),
                });
                String::from_utf8_lossy(&out).into_owned()
            }
            Rule::Pieces(tokenizer) => tokenizer.text(tokens),
        }
    }

    /// The text of tokens by their numbers in the lexicon.
    pub fn of_ids(&self, ids: &[u32], lexicon: &Lexicon) -> String {
        self.text(&ids.iter().map(|id| lexicon.word(*id)).collect::<Vec<_>>())
    }
}

/// The byte that `<0x41>` writes.
fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>').filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

fn words<'a>(tokens: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut close = true;
    for token in tokens {
        let mark = |marks: &str| token.chars().next().is_some_and(|c| marks.contains(c)) && token.chars().count() == 1;
        if !close && !mark(".,;:!?…%)]}»”’") {
            text.push(' ');
        }
        text.push_str(token);
        close = mark("([{«“‘¿¡");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tokens: Tokens, pieces: &[&str]) -> String {
        Detokenizer::new(&FieldType::Text { lower: false, tokens, max: None }, None).text(pieces)
    }

    #[test]
    fn each_way_of_cutting_has_its_way_back() {
        assert_eq!(text(Tokens::Space, &["a", ",", "b"]), "a , b");
        assert_eq!(text(Tokens::Words, &["Well", ",", "(", "3.50", "%", ")", "$", "x", "!"]), "Well, (3.50%) $ x!");
        assert_eq!(text(Tokens::Chars, &["<2de>", " ", "é"]), "<2de> é");
        assert_eq!(text(Tokens::Bytes, &["<2de>", "<0xC3>", "<0xA9>", "<0xC3>", "x"]), "<2de>é\u{fffd}x");
    }
}
