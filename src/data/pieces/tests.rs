use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::*;
use crate::data::Lexicon;
use crate::data::spec::{DataSpec, FieldSpec, FieldType, Format, Tokens};

fn counts(text: &str) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    bytes::words(text, |word| {
        let mut seen = String::new();
        bytes::seen(word, &mut seen);
        *counts.entry(seen).or_default() += 1;
    });
    counts
}

/// A cutter of a field `d.x`, with this tokenizer if there is one.
fn cutter(tokenizer: Option<&Tokenizer>) -> Cutter {
    let ty = FieldType::Text { lower: false, tokens: Tokens::Bpe(300), max: None };
    let field =
        FieldSpec { name: "x".into(), ty, sources: vec![], template: None, optional: false, span: Default::default() };
    let spec = DataSpec {
        name: "d".into(),
        format: Format::Text,
        train: vec![],
        dev: None,
        test: None,
        limit: None,
        skip_malformed: false,
        fields: vec![field],
        span: Default::default(),
    };
    let slots = Slots::new(&[spec], &[]);
    let own = vec![("d".to_owned(), "x".to_owned())];
    let known = tokenizer.map(|t| Arc::new(Tokenizer { fields: own, ..t.clone() }));
    slots.fill(&known.into_iter().collect::<Vec<_>>());
    Cutter::new(slots.of("d", "x").unwrap().clone())
}

fn cut(tokenizer: &Tokenizer, parts: &[(&str, bool)]) -> Vec<String> {
    let (lexicon, mut ids) = (Lexicon::default(), Vec::new());
    cutter(Some(tokenizer)).cut(parts, &lexicon, &mut ids);
    ids.iter().map(|id| lexicon.word(*id).to_string()).collect()
}

#[test]
fn the_most_frequent_pair_is_merged_first() {
    // Sennrich et al. 2016, figure 1, with the space before a word in place of the mark after it.
    let text = format!("{}{}{}{}", " low".repeat(5), " lower".repeat(2), " newest".repeat(6), " widest".repeat(3));
    let merged = |n: usize| Tokenizer::trained(LEAST + n, &counts(&text)).unwrap();
    // e+s and s+t are both met nine times; of equals that of older pieces goes first.
    assert_eq!(merged(1).pieces("Ġnewest"), ["Ġ", "n", "e", "w", "es", "t"]);
    assert_eq!(merged(2).pieces("Ġnewest"), ["Ġ", "n", "e", "w", "est"]);
    assert_eq!(merged(2).pieces("Ġlowest"), ["Ġ", "l", "o", "w", "est"]);
    assert_eq!(merged(3).pieces("Ġlow"), ["Ġ", "lo", "w"]);
    assert_eq!(merged(1000).pieces("Ġlower"), ["Ġlower"]);
    // What train has once is not merged, and a byte that it lacks is a piece.
    let once = Tokenizer::trained(1000, &counts(" abc")).unwrap();
    let mut word = String::new();
    bytes::seen(" abcé", &mut word);
    assert_eq!(once.pieces(&word), ["Ġ", "a", "b", "c", "Ã", "©"]);
}

#[test]
fn a_tag_is_one_piece() {
    let tokenizer = Tokenizer::trained(400, &counts(&" a man <2de> a man <2de>".repeat(9))).unwrap();
    let parts = [("<2de>", true), (" a man <2de>", false)];
    assert_eq!(cut(&tokenizer, &parts), ["<2de>", "Ġa", "Ġman", "Ġ<", "2", "de", ">"]);
    assert_eq!(tokenizer.text(&cut(&tokenizer, &parts)), "<2de> a man <2de>");
    assert_eq!(cut(&tokenizer, &[("a man", false)]), ["Ġa", "Ġman"]);
    assert!(cut(&tokenizer, &[(" \n", false)]).is_empty());
}

#[test]
fn what_a_run_keeps_cuts_the_same() {
    let tokenizer = Tokenizer::trained(500, &counts(&TEXT.repeat(3))).unwrap();
    let again: Tokenizer = serde_json::from_str(&serde_json::to_string(&tokenizer).unwrap()).unwrap();
    assert_eq!(again, tokenizer);
    for word in counts(&format!("{TEXT} unheard words")).keys() {
        assert_eq!(again.pieces(word), tokenizer.pieces(word));
    }
}

#[test]
fn a_model_may_write_bytes_that_are_no_text() {
    let tokenizer = Tokenizer::trained(LEAST, &HashMap::new()).unwrap();
    assert_eq!(tokenizer.text(&["Ġ", "a", "Ã", "b", "<unk>", "日"]), "a\u{fffd}b<unk>日");
}

const TEXT: &str = " Zwei Männer, 12 dogs: it's l’été — 猫が走る 👩‍🚀 don't stop 3.14!";

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>(), tag in "<[a-zé猫0-9]{1,4}>", at_start: bool) {
        static TRAINED: OnceLock<Tokenizer> = OnceLock::new();
        let tokenizer = TRAINED.get_or_init(|| Tokenizer::trained(500, &counts(&TEXT.repeat(3))).unwrap());
        prop_assume!(!text.trim().is_empty());
        let both = format!("{text}{TEXT}");
        let parts = if at_start { [(&*tag, true), (&*both, false)] } else { [(&*both, false), (&*tag, true)] };
        let pieces = cut(tokenizer, &parts);
        prop_assert_eq!(tokenizer.text(&pieces), parts.map(|(text, _)| text).concat());
        prop_assert_eq!(cut(tokenizer, &[(&text, false)]), cut(tokenizer, &[(&text, false)]));
        prop_assert_eq!(tokenizer.text(&cut(tokenizer, &[(&text, false)])), text);
    }

    #[test]
    fn words_end_to_end_are_the_text(text in any::<String>()) {
        let mut all = String::new();
        bytes::words(&text, |word| all.push_str(word));
        prop_assert_eq!(all, text);
    }
}
