//! Random comments, random blanks and random mistakes.

use mtlc::source::FileId;
use mtlc::syntax::{Parse, parse, tokens};
use proptest::prelude::*;

use super::said::{programs, unchanged};

fn parsed(text: &str) -> Parse {
    parse(FileId(0), text)
}

/// Programs without mistakes.
fn sound() -> &'static [String] {
    static SOUND: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    SOUND.get_or_init(|| programs().into_iter().map(|p| p.1).filter(|t| parsed(t).diagnostics.is_empty()).collect())
}

/// A text with something put at places between its tokens, given as parts of their number; what
/// would make a mistake of it is left out.
fn with(text: &str, bits: &[(f64, &str)]) -> String {
    let mut text = text.to_owned();
    for (part, bit) in bits {
        let all = tokens(&text);
        let at = all.get((all.len() as f64 * part) as usize).map_or(text.len(), |t| t.start);
        let next = format!("{}{bit}{}", &text[..at], &text[at..]);
        if parsed(&next).diagnostics.is_empty() {
            text = next;
        }
    }
    text
}

const COMMENTS: &[&str] =
    &["// so\n", " // why\n", "\n// over\n", "\n\n// far\n\n", "/// doc\n", "//\n", "\n//// 感情 \t\n"];
const BLANKS: &[&str] = &[" ", "   ", "\n", "\n\n\n", "\t", "\r\n", "\u{FEFF}"];
const DAMAGE: &[&str] =
    &["{", "}", "(", ")", "[", "]", "\"", "|>", "=", ":", ",", ".", "x", "task ", "感", "\n", " // c\n"];

fn some(bits: &'static [&str], most: usize) -> impl Strategy<Value = Vec<(f64, &'static str)>> {
    prop::collection::vec((0.0..1.0f64, prop::sample::select(bits)), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_comments_stay(which in any::<prop::sample::Index>(), bits in some(COMMENTS, 12)) {
        let text = with(which.get::<String>(sound()), &bits);
        unchanged("comments", &text);
    }

    #[test]
    fn random_blanks_change_nothing(which in any::<prop::sample::Index>(), bits in some(BLANKS, 30)) {
        let text = with(which.get::<String>(sound()), &bits);
        unchanged("blanks", &text);
    }

    #[test]
    fn random_mistakes_stay(which in any::<prop::sample::Index>(), bits in some(DAMAGE, 4)) {
        let mut text = which.get::<String>(sound()).clone();
        for (part, bit) in &bits {
            let all = tokens(&text);
            let at = all.get((all.len() as f64 * part) as usize).map_or(text.len(), |t| t.start);
            text.insert_str(at, bit);
        }
        unchanged("mistakes", &text);
    }
}
