//! Packed batches.

use std::sync::Arc;

use crate::support::*;
use mtlc::data::spec::*;
use mtlc::data::{BatchSize, FieldBatch, MISSING, Portion, UNSEEN, View, prepare};

fn ids(values: &[u32]) -> Arc<Vec<u32>> {
    Arc::new(values.to_vec())
}

#[test]
fn texts_tags_and_classes() {
    let files = Files::new()
        .with("train/in", "a b\nc\nd e f\n")
        .with("train/out", "O B-x\n_\nO _ O\n")
        .with("train/label", "j\n_\ni\n")
        .with("test/in", "a\n")
        .with("test/out", "B-new\n")
        .with("test/label", "new\n");
    let spec = data(Format::Lines, "train")
        .test("test")
        .field("words", text(), "in")
        .field("slots", FieldType::Tags("words".into()), "out")
        .field("intent", FieldType::Class, "label");
    let mut corpus = files.load(spec).ok().unwrap();
    prepare(&mut corpus, &[space(&[("d", "slots")]), space(&[("d", "intent")])], &[], files.path()).ok().unwrap();
    let dataset = &corpus.datasets[0];
    let batch = dataset.batch(Portion::Train, &[2, 1, 0]).unwrap();
    assert_eq!((batch.len(), batch.tokens()), (3, 6));
    let word = |w: &str| corpus.lexicon().intern(w);
    let words = ["d", "e", "f", "c", "a", "b"].map(word);
    assert_eq!(batch.fields[0], FieldBatch::Text { ids: ids(&words), offsets: [0, 3, 4, 6].into() });
    let tags = ids(&[1, MISSING, 1, MISSING, 1, 0]);
    assert_eq!(batch.fields[1], FieldBatch::Tags { ids: tags, offsets: [0, 3, 4, 6].into() });
    assert_eq!(batch.fields[2], FieldBatch::Class(ids(&[0, MISSING, 1])));
    assert_eq!(batch.get(View { field: 2, space: Some(1) }), batch.field(2));
    let test = dataset.batch(Portion::Test, &[0]).unwrap();
    assert_eq!(test.fields[1], FieldBatch::Tags { ids: ids(&[UNSEEN]), offsets: [0, 1].into() });
    assert_eq!(test.fields[2], FieldBatch::Class(ids(&[UNSEEN])));
    assert!(dataset.batch(Portion::Train, &[3]).is_err());
    assert!(dataset.batch(Portion::Dev, &[0]).is_err());
}

#[test]
fn sets_and_numbers() {
    let spec = data(Format::Jsonl, "train")
        .field("p", texts(), "p")
        .field("c", FieldType::Choice("p".into()), "c")
        .field("r", FieldType::Ranking("p".into()), "r")
        .field("n", FieldType::Number, "n")
        .field("v", FieldType::Vector(2), "v")
        .field("l", FieldType::Labels { separator: ",".into() }, "l");
    let content = "{\"p\":[\"a b\",\"c\"],\"c\":1,\"r\":[1,2],\"n\":3,\"v\":[1,2],\"l\":\"y,x\"}\n{\"p\":[\"d\"]}\n{\"p\":[\"e\"],\"l\":[]}\n";
    let files = Files::new().with("train", content);
    let mut corpus = files.load(spec).ok().unwrap();
    prepare(&mut corpus, &[space(&[("d", "l")])], &[], files.path()).ok().unwrap();
    let batch = corpus.datasets[0].batch(Portion::Train, &[0, 1, 2]).unwrap();
    let FieldBatch::Texts { ids: words, members, tokens } = &batch.fields[0] else { panic!() };
    assert_eq!((words.len(), &members[..], &tokens[..]), (5, &[0, 2, 3, 4][..], &[0, 2, 3, 4, 5][..]));
    assert_eq!(batch.fields[1], FieldBatch::Choice(ids(&[1, MISSING, MISSING])));
    let FieldBatch::Ranking { values, offsets } = &batch.fields[2] else { panic!() };
    assert_eq!((&values[..2], &offsets[..]), (&[1.0, 2.0][..], &[0, 2, 3, 4][..]));
    assert!(values[2].is_nan() && values[3].is_nan());
    let FieldBatch::Number(numbers) = &batch.fields[3] else { panic!() };
    assert!(numbers[0] == 3.0 && numbers[1].is_nan());
    let FieldBatch::Vector { values, dim: 2 } = &batch.fields[4] else { panic!() };
    assert!(values.len() == 6 && values[1] == 2.0 && values[2].is_nan());
    let present = Arc::new(vec![true, false, true]);
    assert_eq!(batch.fields[5], FieldBatch::Labels { ids: ids(&[1, 0]), offsets: [0, 2, 2, 2].into(), present });
}

#[test]
fn spans_in_both_spaces() {
    let spec = data(Format::Jsonl, "train")
        .test("test")
        .field("x", text(), "x")
        .field("s", FieldType::Spans("x".into()), "s")
        .field("r", FieldType::Relations("s".into()), "r");
    let files = Files::new()
        .with(
            "train",
            "{\"x\":\"a b c d\",\"s\":[[2,3,\"q\"],[0,2,\"p\"],[1,2,\"q\"]],\"r\":[[0,1,\"k\"]]}\n{\"x\":\"e\"}\n",
        )
        .with("test", "{\"x\":\"a b\",\"s\":[[0,2,\"new\"]],\"r\":[]}\n");
    let mut corpus = files.load(spec).ok().unwrap();
    let bio = SpaceSpec { name: "bio".into(), from: SpaceFrom::Bio(vec![pair("d", "s")]) };
    let spaces = [bio, space(&[("d", "s")]), space(&[("d", "r")])];
    let prepared = prepare(&mut corpus, &spaces, &[], files.path()).ok().unwrap();
    assert_eq!(prepared.schema.spaces[0].labels, ["O", "B-p", "I-p", "B-q", "I-q"]);
    assert_eq!(prepared.schema.spaces[0].counts, [1, 1, 1, 1, 0]);
    let batch = corpus.datasets[0].batch(Portion::Train, &[0, 1]).unwrap();
    let views: Vec<_> = batch.views.iter().map(|v| (v.field, v.space)).collect();
    assert_eq!(views, [(0, None), (1, Some(1)), (2, Some(2)), (1, Some(0))]);
    let FieldBatch::Spans(spans) = &batch.fields[1] else { panic!() };
    let labels: Vec<u32> = spans[0].as_ref().unwrap().iter().map(|s| s.label).collect();
    assert_eq!((labels, spans[1].is_none()), (vec![1, 0, 1], true));
    let tags = FieldBatch::Tags { ids: ids(&[1, 2, 3, 0, MISSING]), offsets: [0, 4, 5].into() };
    assert_eq!(batch.get(View { field: 1, space: Some(0) }), Some(&tags));
    let test = corpus.datasets[0].batch(Portion::Test, &[0]).unwrap();
    assert_eq!(test.fields[3], FieldBatch::Tags { ids: ids(&[UNSEEN, UNSEEN]), offsets: [0, 2].into() });
}

#[test]
fn order_is_a_function_of_seed_and_epoch() {
    let content: String = (0..200).map(|i| "w ".repeat(1 + i % 9) + "\n").collect();
    let files = Files::new().with("train", content);
    let spec = data(Format::Text, "train").field("x", text(), "");
    let of = |seed, epoch| {
        let corpus = files.load(spec.clone()).ok().unwrap();
        corpus.datasets[0].epoch_batches(Portion::Train, BatchSize::Tokens(40), seed, epoch)
    };
    assert_eq!(of(1, 2), of(1, 2));
    assert_ne!(of(1, 2), of(1, 3));
    let corpus = files.load(spec.clone()).ok().unwrap();
    let batches = corpus.datasets[0].evaluation_batches(Portion::Train, BatchSize::Examples(64));
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 64, 8]);
    assert_eq!(corpus.datasets[0].lengths(Portion::Train)[batches[0][0] as usize], 9);
}

#[test]
fn batches_of_examples_in_their_files_are_those_of_memory() {
    let line = |i: usize| (0..=i % 9).map(|n| format!("w{} ", i * n % 50)).collect::<String>() + "\n";
    let tags = |i: usize| (0..=i % 9).map(|n| format!("t{} ", (i + n) % 4)).collect::<String>() + "\n";
    let files = Files::new()
        .with("train/in", (0..3000).map(line).collect::<String>())
        .with("train/out", (0..3000).map(tags).collect::<String>())
        .with("train/label", (0..3000).map(|i| format!("l{}\n", i % 7)).collect::<String>());
    let mut spec = data(Format::Lines, "train")
        .field("words", text(), "in")
        .field("slots", FieldType::Tags("words".into()), "out")
        .field("intent", FieldType::Class, "label");
    spec.dev = Some(Split::OfTrain(0.1));
    let spaces = [space(&[("d", "slots")]), space(&[("d", "intent")])];
    let mut memory = files.load(spec.clone()).ok().unwrap();
    let mut indexed = load_indexed(&[spec], files.path()).ok().unwrap();
    let schema = prepare(&mut memory, &spaces, &[], files.path()).ok().unwrap().schema;
    assert_eq!(schema, prepare(&mut indexed, &spaces, &[], files.path()).ok().unwrap().schema);
    let (memory, indexed) = (&memory.datasets[0], &indexed.datasets[0]);
    for (portion, size) in [(Portion::Train, 2700), (Portion::Dev, 300)] {
        let batches = memory.epoch_batches(portion, BatchSize::Tokens(200), 1, 0);
        assert_eq!(batches, indexed.epoch_batches(portion, BatchSize::Tokens(200), 1, 0));
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), size);
        for batch in batches {
            let both = [memory, indexed].map(|d| d.batch(portion, &batch).unwrap().fields);
            assert_eq!(both[0], both[1]);
        }
    }
}
