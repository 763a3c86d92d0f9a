//! The real data sets, where they are at hand.

use std::path::PathBuf;

use crate::support::*;
use mtlc::data::spec::*;
use mtlc::data::{BatchSize, Corpus, Portion, Prepared, prepare};

fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let found = std::env::var_os("MTLC_DATA").map_or(beside, PathBuf::from);
    if found.is_dir() {
        return Some(found);
    }
    println!("skipped: no data in {} (set MTLC_DATA)", found.display());
    None
}

fn read(spec: DataSpec, spaces: &[SpaceSpec], base: &std::path::Path) -> (Corpus, Prepared) {
    let mut corpus = load(&[spec], base).unwrap_or_else(|e| panic!("{}", e[0].message));
    let prepared = prepare(&mut corpus, spaces, &[], base).unwrap_or_else(|e| panic!("{}", e[0].message));
    let dataset = &corpus.datasets[0];
    for batch in dataset.evaluation_batches(Portion::Train, BatchSize::Examples(64)) {
        dataset.batch(Portion::Train, &batch).unwrap();
    }
    (corpus, prepared)
}

fn lower() -> FieldType {
    FieldType::Text { lower: true, tokens: Tokens::Space, max: None }
}

#[test]
fn atis() {
    let Some(base) = folder() else { return };
    for (name, sizes, slots) in [("atis", [4478, 500, 893], 120), ("mixatis", [13162, 759, 828], 111)] {
        let intent = if name == "atis" { FieldType::Class } else { FieldType::Labels { separator: "#".into() } };
        let spec = data(Format::Lines, &format!("{name}/train"))
            .dev(&format!("{name}/dev"))
            .test(&format!("{name}/test"))
            .field("x", text(), "seq.in")
            .field("s", FieldType::Tags("x".into()), "seq.out")
            .field("i", intent, "label");
        let (_, prepared) = read(spec, &[space(&[("d", "s")]), space(&[("d", "i")])], &base);
        assert_eq!(prepared.schema.datasets[0].sizes, sizes);
        assert_eq!(prepared.schema.spaces[0].len(), slots);
        assert_eq!(prepared.schema.spaces[1].len(), if name == "atis" { 21 } else { 17 });
        let unseen = prepared.warnings.iter().map(|w| w.message.clone()).collect::<Vec<_>>().join("\n");
        assert!(unseen.contains("test of 'd.i' has "), "{unseen}");
        assert!(unseen.contains("atis_day_name"), "{unseen}");
    }
}

#[test]
fn ewt() {
    let Some(base) = folder() else { return };
    let spec = data(Format::Conllu, "ewt/train.conllu")
        .dev("ewt/dev.conllu")
        .test("ewt/test.conllu")
        .field("x", text(), "form")
        .field("pos", FieldType::Tags("x".into()), "upos")
        .field("arcs", FieldType::Tree("x".into()), "head|deprel");
    let (corpus, prepared) = read(spec, &[space(&[("d", "pos")]), space(&[("d", "arcs")])], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [12544, 2001, 2077]);
    assert_eq!((prepared.schema.spaces[0].len(), prepared.schema.spaces[1].len()), (17, 51));
    assert_eq!(corpus.datasets[0].lengths(Portion::Train).iter().sum::<u32>(), 204_577);
}

#[test]
fn conll2000_and_wnut17() {
    let Some(base) = folder() else { return };
    let spec = data(Format::Conll, "conll2000/train.txt").test("conll2000/test.txt").field("x", text(), "0").field(
        "chunk",
        FieldType::Tags("x".into()),
        "2",
    );
    let (corpus, prepared) = read(spec, &[space(&[("d", "chunk")])], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [8936, 0, 2012]);
    assert_eq!(corpus.datasets[0].lengths(Portion::Train).iter().sum::<u32>(), 211_727);
    assert_eq!(prepared.schema.spaces[0].len(), 22);
    let spec = data(Format::Conll, "wnut17/train.conll")
        .dev("wnut17/dev.conll")
        .test("wnut17/test.conll")
        .field("x", text(), "0")
        .field("n", FieldType::Spans("x".into()), "1");
    let bio = SpaceSpec { name: "n".into(), from: SpaceFrom::Bio(vec![pair("d", "n")]) };
    let (corpus, prepared) = read(spec, &[bio], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [3394, 1009, 1287]);
    assert_eq!(corpus.datasets[0].lengths(Portion::Train).iter().sum::<u32>(), 62_730);
    assert_eq!(prepared.schema.spaces[0].len(), 13);
    assert_eq!(prepared.schema.spaces[0].counts.iter().skip(1).step_by(2).sum::<u64>(), 1975);
}

#[test]
fn reviews_sick_and_trec() {
    let Some(base) = folder() else { return };
    let mut spec = data(Format::Tsv, "reviews/books.train")
        .test("reviews/books.test")
        .field("y", FieldType::Class, "0")
        .field("x", lower(), "1");
    spec.dev = Some(Split::OfTrain(0.1));
    let (_, prepared) = read(spec, &[space(&[("d", "y")])], &base);
    assert_eq!((prepared.schema.datasets[0].sizes, prepared.schema.spaces[0].len()), ([1440, 160, 400], 2));
    let (_, prepared) = read(data(Format::Text, "reviews/books.unlabel").field("x", lower(), ""), &[], &base);
    assert_eq!(prepared.schema.datasets[0].sizes[0], 2000);
    let spec = data(Format::Tsv, "sick/train.tsv")
        .dev("sick/dev.tsv")
        .test("sick/test.tsv")
        .field("p", lower(), "sentence_A")
        .field("h", lower(), "sentence_B")
        .field("r", FieldType::Number, "relatedness_score")
        .field("e", FieldType::Class, "entailment_judgment");
    let grades = SpaceSpec { name: "r".into(), from: SpaceFrom::Grades(vec![pair("d", "r")]) };
    let (_, prepared) = read(spec, &[space(&[("d", "e")]), grades], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [4500, 500, 4927]);
    assert_eq!(prepared.schema.spaces[0].counts, [665, 1299, 2536]);
    assert_eq!(prepared.schema.spaces[1].labels, ["1", "2", "3", "4", "5"]);
    let spec = data(csv(' '), "trec/train.txt").test("trec/test.txt").field("y", FieldType::Class, "0").field(
        "x",
        lower(),
        "1",
    );
    let (_, prepared) = read(spec, &[space(&[("d", "y")])], &base);
    assert_eq!((prepared.schema.datasets[0].sizes, prepared.schema.spaces[0].len()), ([5452, 0, 500], 50));
}

#[test]
fn conll04_and_passages() {
    let Some(base) = folder() else { return };
    let spec = data(Format::Jsonl, "conll04/train.jsonl")
        .dev("conll04/dev.jsonl")
        .test("conll04/test.jsonl")
        .field("x", text(), "tokens")
        .field("e", FieldType::Spans("x".into()), "entities")
        .field("r", FieldType::Relations("e".into()), "relations");
    let bio = SpaceSpec { name: "bio".into(), from: SpaceFrom::Bio(vec![pair("d", "e")]) };
    let (_, prepared) = read(spec, &[space(&[("d", "e")]), space(&[("d", "r")]), bio], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [910, 243, 288]);
    assert_eq!(prepared.schema.spaces[0].counts.iter().sum::<u64>(), 3391);
    assert_eq!(prepared.schema.spaces[1].counts.iter().sum::<u64>(), 1273);
    assert_eq!(prepared.schema.spaces[2].len(), 9);
    let spec = data(Format::Jsonl, "passages/train.jsonl")
        .dev("passages/dev.jsonl")
        .test("passages/test.jsonl")
        .field("q", lower(), "question")
        .field("p", FieldType::Texts { of: None, lower: true, tokens: Tokens::Space, max: None }, "passages")
        .field("s", FieldType::Choice("p".into()), "gold")
        .field("a", FieldType::Span("p".into()), "answer");
    let (_, prepared) = read(spec, &[], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [4000, 600, 600]);
    assert_eq!(prepared.schema.datasets[0].fields[1].max_members, 5);
}

#[test]
fn goemotions_and_multi30k() {
    let Some(base) = folder() else { return };
    let spec = data(Format::Tsv, "goemotions/train.tsv")
        .dev("goemotions/dev.tsv")
        .test("goemotions/test.tsv")
        .field("x", text(), "0")
        .field("y", FieldType::Labels { separator: ",".into() }, "1");
    let (_, prepared) = read(spec, &[space(&[("d", "y")])], &base);
    assert_eq!((prepared.schema.datasets[0].sizes, prepared.schema.spaces[0].len()), ([10000, 5426, 5427], 28));
    let spec = data(Format::Lines, "multi30k/train")
        .dev("multi30k/dev")
        .test("multi30k/test")
        .field("plain", text(), "en")
        .made("source", lower(), "<2de> {plain}")
        .field("target", lower(), "de");
    let (_, prepared) = read(spec, &[], &base);
    assert_eq!(prepared.schema.datasets[0].sizes, [29000, 1014, 1000]);
}
