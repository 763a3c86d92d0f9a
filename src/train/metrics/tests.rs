use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::span_f1::{Chunk, chunks};
use super::*;
use crate::data::Range;
use crate::train::trainee::{Labelled, Linked, Node, Written};

fn item(predicted: Answer, gold: Answer) -> Judged {
    Judged { predicted, gold: Some(gold), confidence: None }
}

fn classes(predicted: &[u32], gold: &[u32]) -> Vec<Judged> {
    predicted.iter().zip(gold).map(|(p, g)| item(Answer::Class(*p), Answer::Class(*g))).collect()
}

fn sets_of(pairs: &[(&[u32], &[u32])]) -> Vec<Judged> {
    let answer = |set: &[u32]| Answer::Labels(set.to_vec());
    pairs.iter().map(|(p, g)| item(answer(p), answer(g))).collect()
}

fn numbers_of(predicted: &[f32], gold: &[f32]) -> Vec<Judged> {
    predicted.iter().zip(gold).map(|(p, g)| item(Answer::Number(*p), Answer::Number(*g))).collect()
}

fn value(name: &str, items: &[Judged], classes: usize) -> f64 {
    metric(name).unwrap().value(items, &Context { labels: &[], classes, loss: 0.0, k: 3 })
}

fn close(got: f64, want: f64) {
    assert!((got - want).abs() < 1e-9, "{got} {want}");
}

#[test]
fn names_are_unique() {
    let names: HashSet<_> = TABLE.iter().map(|metric| metric.name()).collect();
    assert_eq!(names.len(), TABLE.len());
}

#[test]
fn classes_as_scikit_learn() {
    // accuracy_score, f1_score(average="macro") and "micro" of these lists.
    let items = classes(&[0, 2, 1, 0, 0, 1], &[0, 1, 2, 0, 1, 2]);
    close(value("accuracy", &items, 3), 2.0 / 6.0);
    close(value("macro_f1", &items, 3), 0.8 / 3.0);
    close(value("micro_f1", &items, 3), 2.0 / 6.0);
    // A class of the space that occurs nowhere does not count.
    close(value("macro_f1", &items, 9), 0.8 / 3.0);
}

#[test]
fn an_unseen_label_is_wrong() {
    let items = classes(&[0, 0], &[0, UNSEEN]);
    close(value("accuracy", &items, 2), 0.5);
    close(value("macro_f1", &items, 2), (2.0 / 3.0) / 2.0);
    assert_eq!(is_correct(&items[1]), Some(false));
    let matrix = confusion::confusion(&items, 2);
    assert_eq!((matrix.at(0, 0), matrix.at(UNSEEN, 0), matrix.at(1, 1)), (1, 1, 0));
}

#[test]
fn undefined_is_nothing() {
    for metric in TABLE {
        close(metric.value(&[], &Context::default()), 0.0);
    }
    close(value("pearson", &numbers_of(&[1.0, 1.0], &[1.0, 2.0]), 0), 0.0);
    close(value("jaccard", &sets_of(&[(&[], &[])]), 2), 1.0);
    close(value("micro_f1", &sets_of(&[(&[], &[])]), 2), 0.0);
}

#[test]
fn label_sets_as_scikit_learn() {
    let items = sets_of(&[(&[0, 1], &[0]), (&[2], &[1, 2]), (&[], &[]), (&[0], &[2])]);
    close(value("micro_f1", &items, 4), 4.0 / 8.0);
    // F1 of the labels: 2/3, 0, 2/3, and 0 for one that never occurs.
    close(value("macro_f1", &items, 4), (2.0 / 3.0 + 2.0 / 3.0) / 4.0);
    close(value("jaccard", &items, 4), (0.5 + 0.5 + 1.0) / 4.0);
}

#[test]
fn numbers_as_scipy() {
    let items = numbers_of(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 9.0]);
    close(value("mse", &items, 0), 27.0 / 4.0);
    close(value("pearson", &items, 0), 11.5 / (5.0f64.sqrt() * 38.75f64.sqrt()));
    close(value("spearman", &items, 0), 0.8);
    let tied = numbers_of(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]);
    close(value("spearman", &tied, 0), 0.75f64.sqrt());
}

fn spans(tags: &[&'static str]) -> Vec<(usize, usize, &'static str)> {
    chunks(tags).into_iter().map(|Chunk { start, end, kind }| (start, end, kind)).collect()
}

#[test]
fn chunks_as_conlleval() {
    assert_eq!(spans(&["B-A", "I-A", "O", "B-A", "B-A"]), [(0, 2, "A"), (3, 4, "A"), (4, 5, "A")]);
    assert_eq!(spans(&["O", "I-A", "I-A"]), [(1, 3, "A")]);
    assert_eq!(spans(&["B-A", "I-B", "I-B"]), [(0, 1, "A"), (1, 3, "B")]);
    assert_eq!(spans(&["S-A", "B-A", "I-A", "E-A"]), [(0, 1, "A"), (1, 4, "A")]);
    assert_eq!(spans(&["B-A", "E-A", "E-A", "I-A"]), [(0, 2, "A"), (2, 3, "A"), (3, 4, "A")]);
    assert_eq!(spans(&["B-A", "S-A", "I-A"]), [(0, 1, "A"), (1, 2, "A"), (2, 3, "A")]);
    assert_eq!(spans(&["B", "I", "O"]), [(0, 2, "_")]);
    assert_eq!(spans(&["B-A-B", "I-A-B"]), [(0, 2, "A-B")]);
    assert_eq!(spans(&["O", "O"]), []);
    assert_eq!(spans(&[]), []);
}

#[test]
fn span_f1_counts_whole_spans() {
    let labels = ["B-A", "B-B", "I-A", "I-B", "O"].map(String::from);
    let context = Context { labels: &labels, classes: 5, loss: 0.0, k: 3 };
    let tags = |p: &[u32], g: &[u32]| vec![item(Answer::Tags(p.into()), Answer::Tags(g.into()))];
    let f1 = |items: &[Judged]| metric("span_f1").unwrap().value(items, &context);
    close(f1(&tags(&[0, 2, 4, 1], &[0, 2, 4, 1])), 1.0);
    close(f1(&tags(&[0, 4, 4, 1], &[0, 2, 4, 1])), 0.5);
    close(f1(&tags(&[0, 4], &[0, NO_LABEL])), 1.0);
    close(f1(&tags(&[0, 4], &[0, UNSEEN])), 2.0 / 3.0);
    close(value("accuracy", &tags(&[0, 4, 4], &[0, 4, NO_LABEL]), 5), 1.0);
}

#[test]
fn arcs_are_counted_as_the_conll_2018_evaluator_counts_them() {
    let labels = ["nmod", "nmod:poss", "obj"].map(String::from);
    let context = Context { labels: &labels, classes: 3, loss: 0.0, k: 3 };
    let tree = |arcs: &[(u32, u32)]| {
        Answer::Tree(arcs.iter().map(|(head, label)| Node { head: *head, label: *label }).collect())
    };
    // A subtype does not count, a wrong head makes a right label wrong, and a token without a head is passed over.
    let predicted = tree(&[(2, 0), (0, 2), (2, 1), (1, 2), (1, 0)]);
    let gold = tree(&[(2, 1), (0, 0), (1, 1), (NO_LABEL, NO_LABEL), (1, UNSEEN)]);
    let items = vec![item(predicted, gold)];
    let value = |name: &str| metric(name).unwrap().value(&items, &context);
    close(value("uas"), 3.0 / 4.0);
    close(value("las"), 1.0 / 4.0);
    assert_eq!(is_correct(&items[0]), Some(false));
    assert_eq!(is_correct(&item(tree(&[(0, 1), (1, 0)]), tree(&[(0, 1), (NO_LABEL, 2)]))), Some(true));
}

#[test]
fn relations_are_counted_with_their_spans() {
    let span = |start: u32, end: u32, label: u32| Labelled { range: Range { member: 0, start, end }, label };
    let link = |head: Labelled, tail: Labelled, label: u32| Linked { head, tail, label };
    let gold = vec![link(span(0, 2, 0), span(3, 5, 1), 0), link(span(3, 5, 1), span(6, 7, 0), 1)];
    let strict = |predicted: Vec<Linked>| {
        value("strict_f1", &[item(Answer::Relations(predicted), Answer::Relations(gold.clone()))], 2)
    };
    let relaxed = |predicted: Vec<Linked>| {
        value("relaxed_f1", &[item(Answer::Relations(predicted), Answer::Relations(gold.clone()))], 2)
    };
    close(strict(gold.clone()), 1.0);
    // A boundary, a type, the direction, the label.
    for wrong in [
        link(span(1, 2, 0), span(3, 5, 1), 0),
        link(span(0, 2, 1), span(3, 5, 1), 0),
        link(span(3, 5, 1), span(0, 2, 0), 0),
        link(span(0, 2, 0), span(3, 5, 1), 1),
    ] {
        close(strict(vec![wrong, gold[1]]), 0.5);
    }
    close(relaxed(vec![link(span(1, 2, 0), span(3, 4, 1), 0), link(span(0, 2, 0), span(4, 5, 1), 0)]), 0.5);
    close(relaxed(vec![link(span(0, 2, 1), span(3, 5, 1), 0)]), 0.0);
    close(strict(vec![gold[0], gold[0]]), 2.0 / 3.0);
    close(strict(Vec::new()), 0.0);
}

/// Cases that scikit-learn, scipy and seqeval have judged.
fn fixture(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn cases<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

/// Each named figure of a case is the measure's; `null` stands for 0.
fn check(case: &Value, names: &[&str], items: &[Judged], context: &Context) {
    for name in names {
        let want = case[*name].as_f64().unwrap_or(0.0);
        let got = metric(name).unwrap().value(items, context);
        assert!((got - want).abs() < 1e-6, "{name} {got}: {case}");
    }
}

#[test]
fn figures_of_scikit_learn_and_scipy() {
    let all = fixture("metrics.json");
    let ints = |case: &Value| -> Vec<u32> { serde_json::from_value(case.clone()).unwrap() };
    for case in cases(&all, "classes") {
        let items = classes(&ints(&case["pred"]), &ints(&case["gold"]));
        check(case, &["accuracy", "macro_f1"], &items, &Context { labels: &[], classes: 9, loss: 0.0, k: 3 });
    }
    for case in cases(&all, "sets") {
        let both = cases(case, "pred").iter().zip(cases(case, "gold"));
        let items: Vec<Judged> = both.map(|(p, g)| item(Answer::Labels(ints(p)), Answer::Labels(ints(g)))).collect();
        let classes = case["labels"].as_u64().unwrap() as usize;
        let names = ["micro_f1", "macro_f1", "jaccard"];
        check(case, &names, &items, &Context { labels: &[], classes, loss: 0.0, k: 3 });
    }
    for case in cases(&all, "numbers") {
        let floats = |name: &str| -> Vec<f32> { serde_json::from_value(case[name].clone()).unwrap() };
        let items = numbers_of(&floats("pred"), &floats("gold"));
        check(case, &["pearson", "spearman", "mse"], &items, &Context::default());
    }
}

#[test]
fn spans_of_seqeval() {
    let all = fixture("seqeval.json");
    for case in all.as_array().unwrap() {
        let tags = |name: &str| -> Vec<Vec<String>> { serde_json::from_value(case[name].clone()).unwrap() };
        let (predicted, gold) = (tags("pred"), tags("gold"));
        let labels: BTreeSet<String> = predicted.iter().chain(&gold).flatten().cloned().collect();
        let labels: Vec<String> = labels.into_iter().collect();
        let index = |tags: &Vec<String>| {
            Answer::Tags(tags.iter().map(|tag| labels.binary_search(tag).unwrap() as u32).collect())
        };
        let items: Vec<Judged> = predicted.iter().zip(&gold).map(|(p, g)| item(index(p), index(g))).collect();
        let got = metric("span_f1")
            .unwrap()
            .value(&items, &Context { labels: &labels, classes: labels.len(), loss: 0.0, k: 3 });
        assert!((got - case["f1"].as_f64().unwrap()).abs() < 1e-9, "{got}: {case}");
    }
}

#[test]
fn rankings_by_hand() {
    let item = |scores: &[f32], grades: &[f32]| Judged {
        predicted: Answer::Scores(scores.to_vec()),
        gold: Some(Answer::Scores(grades.to_vec())),
        confidence: None,
    };
    // Right members at places 1, 3 and 4; two of three right ones among the first two; and nothing right.
    let items = [
        item(&[0.9, 0.1], &[1., 0.]),
        item(&[0.9, 0.5, 0.2], &[0., 0., 1.]),
        item(&[0.1, 0.2, 0.3, 0.4], &[2., 1., 0., 0.]),
        item(&[3., 2., 2., 1.], &[1., 1., 1., 0.]),
        item(&[1., 2.], &[0., 0.]),
    ];
    let figure = |name: &str, items: &[Judged]| {
        metric(name).expect("a metric").value(items, &Context { k: 2, ..Context::default() })
    };
    let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got} for {expected}");
    near(figure("mrr", &items), (1.0 + 1.0 / 3.0 + 1.0 / 3.0 + 1.0) / 4.0);
    near(figure("recall_at_k", &items), (1.0 + 0.0 + 0.0 + 2.0 / 3.0) / 4.0);
    near(figure("accuracy", &items[..4]), 0.5);
}

fn text(text: &str) -> Answer {
    Answer::Text(Written { text: text.into(), pieces: text.split(' ').count() + 1 })
}

#[test]
fn texts_by_hand() {
    let items = [item(text("the cat sat"), text("the cat sat down")), item(text(""), text("yes"))];
    let figure = |name: &str| metric(name).unwrap().value(&items, &Context { loss: 14.0, ..Context::default() });
    // No prediction has four words, so the fourth order is undefined.
    close(figure("bleu"), 0.0);
    let four = [item(text("the cat sat on it"), text("the cat sat on a mat"))];
    let precision = (4.0 / 5.0 * 3.0 / 4.0 * 2.0 / 3.0 * 1.0 / 2.0f64).powf(0.25);
    close(metric("bleu").unwrap().value(&four, &Context::default()), (1.0 - 6.0 / 5.0f64).exp() * precision);
    close(metric("bleu").unwrap().of_one(&items[0], &Context::default()), (1.0 - 4.0 / 3.0f64).exp());
    close(figure("rouge_1"), 6.0 / 7.0 / 2.0);
    close(figure("rouge_2"), 4.0 / 5.0 / 2.0);
    close(figure("rouge_l"), 6.0 / 7.0 / 2.0);
    close(figure("rouge"), (6.0 / 7.0 + 4.0 / 5.0 + 6.0 / 7.0) / 3.0 / 2.0);
    // Five pieces and two.
    close(figure("perplexity"), 2f64.exp());
    assert_eq!(is_correct(&items[0]), Some(false));
    assert_eq!(is_correct(&item(text("a"), Answer::Text(Written { text: "a".into(), pieces: 7 }))), Some(true));
}

#[test]
fn texts_of_sacrebleu_and_rouge_score() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/text_metrics.json.gz");
    let all: Value = serde_json::from_reader(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())).unwrap();
    let pairs: Vec<(String, String)> = serde_json::from_value(all["pairs"].clone()).unwrap();
    assert_eq!(pairs.len(), 1000);
    let items: Vec<Judged> = pairs.iter().map(|(p, g)| item(text(p), text(g))).collect();
    let context = Context::default();
    for (figures, item) in cases(&all, "each").iter().zip(&items) {
        for (want, name) in figures.as_array().unwrap().iter().zip(["bleu", "chrf", "rouge_1", "rouge_2", "rouge_l"]) {
            let got = metric(name).unwrap().of_one(item, &context);
            assert!((got - want.as_f64().unwrap()).abs() < 1e-6, "{name} {got} {want} of {item:?}");
        }
    }
    let runs = items.chunks(10).chain([&items[..]]);
    assert_eq!(cases(&all, "corpora").len(), 101);
    for (figures, run) in cases(&all, "corpora").iter().zip(runs) {
        for (want, name) in figures.as_array().unwrap().iter().zip(["bleu", "chrf"]) {
            let got = metric(name).unwrap().value(run, &context);
            assert!((got - want.as_f64().unwrap()).abs() < 1e-8, "{name} {got} {want}");
        }
    }
}
