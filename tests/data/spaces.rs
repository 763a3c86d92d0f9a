//! Label spaces, vocabularies and the schema.

use crate::support::*;
use mtlc::data::spec::*;
use mtlc::data::{Portion, Schema, UNKNOWN, UNSEEN, prepare};
use mtlc::diagnostics::codes;

fn tagged() -> (Files, DataSpec) {
    let files = Files::new()
        .with("train", "the D O\ncat N B-a\n\nthe D I-a\n")
        .with("dev", "a X O\ncat N B-a\n\nb X Y\n")
        .with("test", "the D O\n");
    let spec = data(Format::Conll, "train")
        .dev("dev")
        .test("test")
        .field("words", text(), "0")
        .field("pos", FieldType::Tags("words".into()), "1")
        .field("bio", FieldType::Tags("words".into()), "2");
    (files, spec)
}

#[test]
fn labels_are_trains_and_sorted_and_others_are_warned_of() {
    let (files, spec) = tagged();
    let mut corpus = files.load(spec).ok().unwrap();
    let spaces = [space(&[("d", "pos")]), space(&[("d", "bio")])];
    let prepared = prepare(&mut corpus, &spaces, &[words_of("d", "words")], files.path()).ok().unwrap();
    let schema = &prepared.schema;
    assert_eq!(schema.spaces[0].labels, ["D", "N"]);
    assert_eq!(schema.spaces[0].counts, [2, 1]);
    assert_eq!(schema.spaces[1].labels, ["B-a", "I-a", "O"]);
    let messages: Vec<_> = prepared.warnings.iter().map(|w| (w.code, w.message.as_str(), w.span)).collect();
    assert_eq!(
        messages,
        [
            (
                codes::UNSEEN_LABEL,
                "dev of 'd.pos' has 1 label that train never has, 2 places in all: X (2)",
                Some(span(11))
            ),
            (
                codes::UNSEEN_LABEL,
                "dev of 'd.bio' has 1 label that train never has, 1 place in all: Y (1)",
                Some(span(12))
            ),
        ]
    );
    let x = corpus.lexicon().intern("X");
    assert_eq!(schema.spaces[0].index(x), UNSEEN);
    assert_eq!(schema.vocabs[0].words, ["<unk>", "the", "cat"]);
    assert_eq!(schema.vocabs[0].row(corpus.lexicon().intern("cat")), 2);
    assert_eq!(schema.vocabs[0].row(corpus.lexicon().intern("never met")), UNKNOWN);
    let info = &schema.datasets[0];
    assert_eq!(info.sizes, [2, 2, 1]);
    assert_eq!((info.fields[0].mean_tokens, info.fields[0].max_tokens), (1.5, 2));
    assert_eq!(info.fields[2].loose_tags, 1);
    assert_eq!(corpus.datasets[0].size(Portion::Dev), 2);
}

#[test]
fn a_schema_survives_the_run_directory() {
    let (files, spec) = tagged();
    let mut corpus = files.load(spec).ok().unwrap();
    let letters = VocabSpec { chars: true, ..words_of("d", "words") };
    let prepared = prepare(&mut corpus, &[space(&[("d", "pos")])], &[words_of("d", "words"), letters], files.path());
    let schema = prepared.ok().unwrap().schema;
    let text = serde_json::to_string(&schema).unwrap();
    let mut back: Schema = serde_json::from_str(&text).unwrap();
    let lexicon = mtlc::data::Lexicon::default();
    lexicon.intern("zebra");
    back.attach(&lexicon);
    assert_eq!(back.spaces[0].index(lexicon.intern("N")), 1);
    assert_eq!(back.vocabs[0].row(lexicon.intern("the")), 1);
    assert_eq!(back.vocabs[0].row(lexicon.intern("zebra")), UNKNOWN);
    assert_eq!(back.vocabs[1].letter('t'), schema.vocabs[1].letter('t'));
    assert_ne!(back.vocabs[1].letter('t'), UNKNOWN);
    assert_eq!(back.vocabs[1].letters("tz").last(), Some(UNKNOWN));
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn one_space_over_two_data_sets_grades_and_lists() {
    let files = Files::new().with("a", "x\t3.6\n").with("b", "y\t1\n");
    let make = |name: &str, path: &str| {
        data(Format::Tsv, path).named(name).field("c", FieldType::Class, "0").field("n", FieldType::Number, "1")
    };
    let mut corpus = load(&[make("a", "a"), make("b", "b")], files.path()).ok().unwrap();
    let both = |f: &str| vec![pair("a", f), pair("b", f)];
    let specs = [
        SpaceSpec { name: "c".into(), from: SpaceFrom::Fields(both("c")) },
        SpaceSpec { name: "n".into(), from: SpaceFrom::Grades(both("n")) },
        SpaceSpec { name: "l".into(), from: SpaceFrom::List(vec!["q".into(), "p".into()]) },
    ];
    let schema = prepare(&mut corpus, &specs, &[], files.path()).ok().unwrap().schema;
    assert_eq!(schema.spaces[0].labels, ["x", "y"]);
    assert_eq!(schema.spaces[1].labels, ["1", "2", "3", "4"]);
    assert_eq!(schema.spaces[1].counts, [1, 0, 0, 1]);
    assert_eq!(schema.spaces[2].labels, ["q", "p"]);
}

#[test]
fn vectors_join_the_words_of_the_data() {
    let files = Files::new()
        .with("train", "often often rare lost\n")
        .with("dev", "fresh\n")
        .with("glove", "often 1 2\n. . . 7 7\nrare 3 4\nfresh 5 6\nother 7 8\n")
        .with("word2vec", gzip("2 2\nrare 3 4 \noften 1 2\n"));
    let spec = data(Format::Text, "train").dev("dev").field("x", text(), "");
    let mut corpus = files.load(spec).ok().unwrap();
    let vocab = |path: &str| VocabSpec { min_count: 2, vectors: Some(file(path)), ..words_of("d", "x") };
    let prepared = prepare(&mut corpus, &[], &[vocab("glove"), vocab("word2vec")], files.path());
    let prepared = prepared.unwrap_or_else(|e| panic!("{}", e[0].message));
    assert_eq!(prepared.schema.vocabs[0].words, ["<unk>", "often", "rare", "fresh"]);
    let vectors = prepared.vectors[0].as_ref().unwrap();
    assert_eq!((vectors.dim, vectors.matched), (2, 3));
    assert_eq!(vectors.rows, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(vectors.known, [false, true, true, true]);
    assert!(vectors.check(2).is_ok());
    assert_eq!(vectors.check(3).unwrap_err().code, codes::VECTORS);
    assert_eq!(prepared.schema.vocabs[1].words, ["<unk>", "often", "rare"]);
}
