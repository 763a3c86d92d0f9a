//! Texts in pieces: which fields share a tokenizer, what it is trained on, and that a run keeps it.

use std::io::Cursor;
use std::sync::Arc;

use mtlc::data::spec::*;
use mtlc::data::*;

use crate::support::*;

fn bpe(size: usize, lower: bool, max: Option<usize>) -> FieldType {
    FieldType::Text { lower, tokens: Tokens::Bpe(size), max }
}

/// Lines of English and German with words that come again.
fn lines(from: usize, to: usize, words: &[&str]) -> String {
    (from..to).map(|i| format!("{} {} {i}\n", words[i % words.len()], words[i / 3 % words.len()])).collect()
}

const ENGLISH: &[&str] = &["Running", "jumping", "swimming", "walked", "walking"];
const GERMAN: &[&str] = &["läuft", "springt", "schwimmt", "gehend", "laufend"];

fn pairs(name: &str) -> DataSpec {
    data(Format::Lines, "train")
        .named(name)
        .field("plain", FieldType::Text { lower: false, tokens: Tokens::Space, max: None }, "en")
        .made("source", bpe(400, true, None), "<2de> {plain}")
        .field("target", bpe(400, true, None), "de")
        .dev("dev")
}

fn files() -> Files {
    Files::new()
        .with("train/en", lines(0, 60, ENGLISH))
        .with("train/de", lines(0, 60, GERMAN))
        .with("dev/en", "Unseen walking\n")
        .with("dev/de", "  Ungesehen\tläuft \n")
}

fn vocab(name: &str, fields: &[(&str, &str)]) -> VocabSpec {
    VocabSpec { name: name.into(), fields: fields.iter().map(|(d, f)| pair(d, f)).collect(), ..words_of("", "") }
}

fn read(files: &Files, specs: &[DataSpec], vocabs: &[VocabSpec], large: u64) -> (Corpus, Schema) {
    let options = LoadOptions { vocabs, large, ..LoadOptions::new(files.path(), 1) };
    let mut corpus =
        Corpus::load_with(specs, options, &Arc::new(Lexicon::default())).unwrap_or_else(|d| panic!("{d:?}"));
    let prepared = prepare(&mut corpus, &[], vocabs, files.path()).unwrap_or_else(|d| panic!("{d:?}"));
    (corpus, prepared.schema)
}

fn pieces(corpus: &Corpus, data: usize, portion: Portion, i: usize, field: usize) -> Vec<String> {
    match &corpus.datasets[data].example(portion, i).unwrap()[field] {
        FieldValue::Text(ids) => ids.iter().map(|id| corpus.lexicon().word(*id).to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_of_one_vocabulary_share_a_tokenizer() {
    let (files, spec) = (files(), pairs("d"));
    let joint = vocab("words.embed", &[("d", "source"), ("d", "target")]);
    let (corpus, schema) = read(&files, std::slice::from_ref(&spec), &[joint], u64::MAX);
    assert_eq!(schema.tokenizers.len(), 1);
    let own = schema.tokenizers[0].fields.clone();
    assert_eq!(own, [pair("d", "source"), pair("d", "target")]);
    // Pieces are words of the vocabulary.
    let known = &schema.vocabs[0];
    let first = pieces(&corpus, 0, Portion::Train, 0, 1);
    assert_eq!(first[..2], ["<2de>", "Ġrunning"]);
    assert!(first.iter().all(|piece| known.words.contains(piece)), "{first:?}");
    assert_eq!(corpus.datasets[0].lengths(Portion::Train)[0] as usize, first.len());
    // Two vocabularies, or sizes that differ, have two.
    let apart = [vocab_of("source"), vocab_of("target")];
    assert_eq!(read(&files, std::slice::from_ref(&spec), &apart, u64::MAX).1.tokenizers.len(), 2);
    let mut other = spec.clone();
    other.fields[2].ty = bpe(500, true, None);
    let joint = [vocab("words.embed", &[("d", "source"), ("d", "target")])];
    assert_eq!(read(&files, &[other], &joint, u64::MAX).1.tokenizers.len(), 2);
    // What no embedding reads has its own.
    assert_eq!(read(&files, &[spec], &[], u64::MAX).1.tokenizers.len(), 2);
}

fn vocab_of(field: &str) -> VocabSpec {
    vocab(&format!("{field}.embed"), &[("d", field)])
}

#[test]
fn texts_come_back_exactly() {
    let (corpus, schema) = read(&files(), &[pairs("d")], &[vocab_of("source")], u64::MAX);
    let spec = &corpus.datasets[0].spec;
    let text = |portion, i, field| {
        let FieldValue::Text(ids) = &corpus.datasets[0].example(portion, i).unwrap()[field] else { panic!() };
        schema.detokenizer(spec, field).of_ids(ids, corpus.lexicon())
    };
    assert_eq!(text(Portion::Dev, 0, 1), "<2de> unseen walking");
    assert_eq!(text(Portion::Dev, 0, 2), "  ungesehen\tläuft ");
    assert_eq!(text(Portion::Train, 7, 2), "schwimmt schwimmt 7");
}

#[test]
fn what_stays_in_files_is_cut_the_same() {
    let (files, spec) = (files(), pairs("d"));
    let joint = [vocab("words.embed", &[("d", "source"), ("d", "target")])];
    let (near, schema) = read(&files, std::slice::from_ref(&spec), &joint, u64::MAX);
    let (far, other) = read(&files, std::slice::from_ref(&spec), &joint, 0);
    assert!(far.datasets[0].split(Portion::Train).unwrap().is_indexed());
    assert_eq!(schema.tokenizers, other.tokenizers);
    assert_eq!(schema.vocabs[0].words, other.vocabs[0].words);
    for portion in [Portion::Train, Portion::Dev] {
        assert_eq!(near.datasets[0].lengths(portion), far.datasets[0].lengths(portion));
        for (i, field) in (0..near.datasets[0].size(portion)).flat_map(|i| [(i, 0), (i, 1), (i, 2)]) {
            assert_eq!(pieces(&near, 0, portion, i, field), pieces(&far, 0, portion, i, field));
        }
    }
}

#[test]
fn a_run_cuts_as_it_was_trained() {
    let (files, spec) = (files(), pairs("d"));
    let joint = [vocab("words.embed", &[("d", "source"), ("d", "target")])];
    let (corpus, schema) = read(&files, std::slice::from_ref(&spec), &joint, u64::MAX);
    let mut saved: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    // As evaluation reads it, from other files.
    let changed = Files::new()
        .with("train/en", "unseen walking\n")
        .with("train/de", "unseen\n")
        .with("dev/en", "Unseen walking\n")
        .with("dev/de", "  Ungesehen\tläuft \n");
    let lexicon = Arc::new(Lexicon::default());
    saved.attach(&lexicon);
    let options = LoadOptions { vocabs: &joint, known: &saved.tokenizers, ..LoadOptions::new(changed.path(), 1) };
    let again = Corpus::load_with(std::slice::from_ref(&spec), options, &lexicon).unwrap_or_else(|d| panic!("{d:?}"));
    for field in [1, 2] {
        assert_eq!(pieces(&again, 0, Portion::Dev, 0, field), pieces(&corpus, 0, Portion::Dev, 0, field));
    }
    // As prediction reads it, from the field that the template is made of.
    let stream = Box::new(Cursor::new(b"Unseen walking\n\n".to_vec()));
    let wanted = Wanted { inputs: Inputs::Lines, fields: &["source"], shown: "input" };
    let mut reader = Reader::unlabelled(&spec, &wanted, stream, &lexicon).unwrap().bind(&saved);
    let FieldValue::Text(ids) = reader.next_example().unwrap().unwrap()[1].clone() else { panic!() };
    let words: Vec<String> = ids.iter().map(|id| lexicon.word(*id).to_string()).collect();
    assert_eq!(words, pieces(&corpus, 0, Portion::Dev, 0, 1));
}

#[test]
fn only_train_is_learned_from() {
    // A share of train is dev: its words come often, and are no pieces.
    let mut spec = data(Format::Text, "train").field("x", bpe(2000, false, None), "");
    spec.dev = Some(Split::OfTrain(0.5));
    let word = |i: u32| char::from_u32(0x4e00 + i).unwrap().to_string().repeat(2);
    let all: String = (0..40).map(|i| format!("{0} {0}\n", word(i))).collect();
    let (corpus, _) = read(&Files::new().with("train", all), &[spec], &[], u64::MAX);
    let whole = |portion| {
        let one = |i| pieces(&corpus, 0, portion, i, 0).len() == 2;
        (0..corpus.datasets[0].size(portion)).filter(|i| one(*i)).count()
    };
    assert_eq!((whole(Portion::Train), whole(Portion::Dev)), (20, 0));
}

#[test]
fn max_counts_pieces_and_sets_have_them_too() {
    let sets = FieldType::Texts { of: None, lower: false, tokens: Tokens::Bpe(257), max: Some(3) };
    let spec = data(Format::Jsonl, "train").field("x", bpe(257, false, Some(4)), "x").field("s", sets, "s");
    let files = Files::new().with("train", "{\"x\": [\"abc\", \"de\"], \"s\": [\"wxyz\", \"é\"]}\n");
    for large in [u64::MAX, 0] {
        let (corpus, _) = read(&files, std::slice::from_ref(&spec), &[], large);
        assert_eq!(pieces(&corpus, 0, Portion::Train, 0, 0), ["Ġ", "a", "b", "c"]);
        let FieldValue::Texts(texts) = &corpus.datasets[0].example(Portion::Train, 0).unwrap()[1] else { panic!() };
        assert_eq!(texts.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
    }
}

/// A BERT-like tokenizer whose file fills up and cuts short.
const WORD_PIECES: &str = r###"{"version": "1.0",
"truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
"padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
"added_tokens": [{"id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
 {"id": 2, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
"pre_tokenizer": {"type": "BertPreTokenizer"},
"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[PAD]", 0]},
"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
"vocab": {"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "walk": 3, "##ing": 4, "the": 5, "dog": 6, "##s": 7, ",": 8, "<": 9}}}"###;

#[test]
fn a_published_tokenizer_is_used_as_it_is() {
    let file = |max| FieldType::Text { lower: false, tokens: Tokens::File(file("t.json")), max };
    let spec = data(Format::Text, "train")
        .field("x", file(None), "")
        .made("y", file(None), "<2de> {x} [SEP] dog<end>")
        .made("z", file(Some(3)), "{x}");
    let files = Files::new().with("train", "The Dogs, walking dogs x\n").with("t.json", WORD_PIECES);
    let tokens = ["the", "dog", "##s", ",", "walk", "##ing", "dog", "##s", "[UNK]"];
    for large in [u64::MAX, 0] {
        let (corpus, schema) = read(&files, std::slice::from_ref(&spec), &[], large);
        assert_eq!(schema.tokenizers.len(), 1);
        assert_eq!(pieces(&corpus, 0, Portion::Train, 0, 0), tokens);
        let made = [&["<2de>"], &tokens[..], &["[SEP]", "dog", "<end>"]].concat();
        assert_eq!(pieces(&corpus, 0, Portion::Train, 0, 1), made);
        assert_eq!(pieces(&corpus, 0, Portion::Train, 0, 2), tokens[..3]);
        let saved: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
        let text = |field: usize, pieces: &[&str]| saved.detokenizer(&corpus.datasets[0].spec, field).text(pieces);
        assert_eq!(text(0, &tokens), "the dogs, walking dogs [UNK]");
        assert_eq!(text(1, &made), "<2de> the dogs, walking dogs [UNK] [SEP] dog <end>");
        assert_eq!(text(0, &[]), "");
    }
    // What a run keeps needs no file.
    let (_, schema) = read(&files, std::slice::from_ref(&spec), &[], u64::MAX);
    let gone = Files::new().with("train", "dogs\n");
    let options = LoadOptions { known: &schema.tokenizers, ..LoadOptions::new(gone.path(), 1) };
    let corpus = Corpus::load_with(&[spec], options, &Arc::new(Lexicon::default())).unwrap_or_else(|d| panic!("{d:?}"));
    assert_eq!(pieces(&corpus, 0, Portion::Train, 0, 0), ["dog", "##s"]);
}
