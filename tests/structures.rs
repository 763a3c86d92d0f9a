//! Heads over structures: their losses against plain code that reads the parameters by name, and
//! what `mtlc predict` writes.
#![cfg(feature = "train")]

use std::path::Path;

use candle_core::Tensor;
use mtlc::backend::exec::{Program, numbers};
use mtlc::data::Batch;
use mtlc::driver::compile::{base_of, compile};
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::{self, Settings, training};
use mtlc::source::Disk;
use mtlc::train::feed::{Feed, Portion};
use mtlc::train::trainee::{LossSource, Trainee};

#[path = "command/support.rs"]
mod support;

const TREES: &str = r#"{"a": "the cat sat", "t": [[2, "det"], [3, "nsubj"], [0, "root"]]}
{"a": "run", "t": [[0, "root"]]}
{"a": "no gold here"}
{"a": "a dog sat there", "t": [[2, "det"], ["_", "_"], [0, "root"], [3, "_"]]}
"#;

/// A program over some examples, and a batch of them.
struct Case {
    program: Program,
    batch: Batch,
}

fn case(body: &str, examples: &str) -> Case {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("d.jsonl"), examples).expect("written");
    let path = folder.path().join("case.mtl");
    std::fs::write(&path, body).expect("written");
    let checked = driver::check(&path, &Disk, &Settings::default());
    let model = checked.model.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let compiled = compile(&model, &base_of(Path::new(&path), None)).expect("compiled");
    let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
    let ids: Vec<u32> = (0..feed.size(0, Portion::Train) as u32).collect();
    let batch = feed.fetch(0, Portion::Train, &ids).expect("a batch");
    Case { program: training::program(&compiled).expect("a program"), batch }
}

impl Case {
    /// The loss of the first task.
    fn loss(&self) -> f32 {
        let terms = self.program.losses(0, &self.batch, &[LossSource::Task(0)], 5).expect("losses");
        terms[0].value.to_scalar().expect("a number")
    }

    /// The rows of a parameter whose name ends so.
    fn param(&self, name: &str) -> Vec<Vec<f32>> {
        let param = self.program.params.iter().find(|p| p.name.ends_with(name)).unwrap_or_else(|| panic!("no {name}"));
        let width = param.var.dims().last().copied().expect("a width");
        rows(param.var.as_tensor(), width)
    }

    /// The value of the first node of an operation.
    fn value(&self, op: &str) -> Vec<Vec<f32>> {
        let node = self.program.plan.nodes.iter().position(|n| n.op == op).expect("a node");
        let values = self.program.compute(&self.batch, &[node], true, 5).expect("computed");
        let tensor = values[&node].tensor().expect("numbers");
        rows(tensor, tensor.dim(1).expect("a width"))
    }
}

fn rows(tensor: &Tensor, width: usize) -> Vec<Vec<f32>> {
    numbers(tensor).expect("numbers").chunks(width).map(<[f32]>::to_vec).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// W x + b.
fn affine(w: &[Vec<f32>], b: &[f32], x: &[f32]) -> Vec<f32> {
    w.iter().zip(b).map(|(w, b)| dot(w, x) + b).collect()
}

fn relu(x: Vec<f32>) -> Vec<f32> {
    x.into_iter().map(|x| x.max(0.0)).collect()
}

/// -log of the softmax at `at`.
fn surprise(scores: &[f32], at: usize) -> f32 {
    scores.iter().map(|x| x.exp()).sum::<f32>().ln() - scores[at]
}

const PARSER: &str = r#"data d { format: jsonl  train: "d.jsonl"  field a: text from "a"  field t: tree(a) from "t" }
task p: parse(d.t) = d.a |> embed(5) "#;

/// A token with its head and label.
type Arc = (usize, Option<usize>, Option<usize>);

/// Gold of [`TREES`]: the first token of each text, and head and label of each token that has them,
/// the labels being det, nsubj and root.
const ARCS: &[(usize, &[Arc])] = &[
    (0, &[(0, Some(2), Some(0)), (1, Some(3), Some(1)), (2, Some(0), Some(2))]),
    (3, &[(0, Some(0), Some(2))]),
    (7, &[(0, Some(2), Some(0)), (1, None, None), (2, Some(0), Some(2)), (3, Some(3), None)]),
];

/// Tokens of the texts of [`ARCS`].
const LENGTHS: [usize; 3] = [3, 1, 4];

/// The loss of a parser by the scores of `head` (0 is the root) and of the labels at a head.
fn plain_loss(arc: impl Fn(usize, Option<usize>) -> f32, labels: impl Fn(usize, Option<usize>) -> Vec<f32>) -> f32 {
    let mut loss = 0.0;
    for ((first, arcs), n) in ARCS.iter().zip(LENGTHS) {
        for (token, head, label) in arcs.iter() {
            let Some(head) = head else { continue };
            let at = |head: usize| head.checked_sub(1).map(|h| first + h);
            let scores: Vec<f32> = (0..=n).map(|head| arc(first + token, at(head))).collect();
            loss += surprise(&scores, *head);
            loss += label.map_or(0.0, |label| surprise(&labels(first + token, at(*head)), label));
        }
    }
    loss / LENGTHS.len() as f32
}

#[test]
fn a_biaffine_parser_has_the_loss_of_its_paper() {
    let case = case(&format!("{PARSER} {{ arc: 4  label: 3  inner_dropout: 0.0 }}"), TREES);
    let x = case.value("embed");
    let layer = |name: &str| {
        let (w, b) = (case.param(&format!("{name}.weight")), case.param(&format!("{name}.bias")).remove(0));
        x.iter().map(|x| relu(affine(&w, &b, x))).collect::<Vec<_>>()
    };
    let (arc_token, arc_head) = (layer("arc_token"), layer("arc_head"));
    let (token, head) = (layer("label_token"), layer("label_head"));
    let (u, bias, root) =
        (case.param("head.arc.weight"), case.param("head.arc.bias").remove(0), case.param("arc_root"));
    // hᵀ U d + uᵀ h.
    let arc = |d: usize, h: Option<usize>| {
        let h = h.map_or(&root[0], |h| &arc_head[h]);
        let pairs = h.iter().zip(&u).map(|(h, row)| h * dot(row, &arc_token[d])).sum::<f32>();
        pairs + dot(&bias, h)
    };
    let (both, w, b) =
        (case.param("label.both"), case.param("head.label.weight"), case.param("head.label.bias").remove(0));
    let root = case.param("label_root");
    let labels = |d: usize, h: Option<usize>| -> Vec<f32> {
        let (h, d) = (h.map_or(&root[0], |h| &head[h]), &token[d]);
        let joined = [h.as_slice(), d].concat();
        let linear = affine(&w, &b, &joined);
        let of = |k: usize| (0..3).map(|i| h[i] * dot(&both[k * 3 + i], d)).sum::<f32>() + linear[k];
        (0..3).map(of).collect()
    };
    let (got, want) = (case.loss(), plain_loss(arc, labels));
    assert!((got - want).abs() < 1e-4, "{got} for {want}");
}

#[test]
fn head_selection_has_the_loss_of_its_paper() {
    let case = case(&format!("{PARSER} {{ head: heads }}"), TREES);
    let (x, w, root) = (case.value("embed"), case.param("arc.weight"), case.param("head.root"));
    let (lw, lb) = (case.param("label.weight"), case.param("label.bias").remove(0));
    let above = |h: Option<usize>| h.map_or(&root[0], |h| &x[h]);
    let arc = |d: usize, h: Option<usize>| above(h).iter().zip(&w).map(|(h, row)| h * dot(row, &x[d])).sum::<f32>();
    let labels = |d: usize, h: Option<usize>| affine(&lw, &lb, &[above(h).as_slice(), &x[d]].concat());
    let (got, want) = (case.loss(), plain_loss(arc, labels));
    assert!((got - want).abs() < 1e-4, "{got} for {want}");
}

const LINKS: &str = r#"{"a": "Ann lives in New York", "s": [[0, 1, "P"], [3, 5, "L"]], "r": [[0, 1, "live"]]}
{"a": "no gold here"}
{"a": "Bo and Cy work in Rome", "s": [[0, 1, "P"], [2, 3, "P"], [5, 6, "L"]], "r": [[0, 2, "work"], [1, 2, "live"]]}
{"a": "nobody", "s": [], "r": []}
"#;

const RELATER: &str = r#"data d { format: jsonl  train: "d.jsonl"  field a: text from "a"
  field s: spans(a) from "s"  field r: relations(s) from "r" }
task p: relate(d.r) = d.a |> embed(4) "#;

/// A text of [`LINKS`] with gold: its first token and how many it has, its spans, and its relations,
/// the labels being live and work.
struct Links {
    first: usize,
    n: usize,
    spans: &'static [(usize, usize)],
    pairs: &'static [(usize, usize, usize)],
}

const GOLD: [Links; 3] = [
    Links { first: 0, n: 5, spans: &[(0, 1), (3, 5)], pairs: &[(0, 1, 0)] },
    Links { first: 8, n: 6, spans: &[(0, 1), (2, 3), (5, 6)], pairs: &[(0, 2, 1), (1, 2, 0)] },
    Links { first: 14, n: 1, spans: &[], pairs: &[] },
];

/// The hidden layer and the logits that it gives.
fn layered(case: &Case, x: &[f32]) -> Vec<f32> {
    let bias = |name: &str| case.param(name).remove(0);
    let hidden = relu(affine(&case.param("hidden.weight"), &bias("hidden.bias"), x));
    affine(&case.param("out.weight"), &bias("out.bias"), &hidden)
}

#[test]
fn pairs_have_the_cross_entropy_of_their_labels() {
    let case = case(&format!("{RELATER} {{ hidden: 5 }}"), LINKS);
    let x = case.value("embed");
    let mut want = 0.0;
    for Links { first, spans, pairs, .. } in GOLD {
        for (i, a) in spans.iter().enumerate() {
            for (j, b) in spans.iter().enumerate().filter(|(j, _)| *j != i) {
                let between = first + a.1.min(b.1)..first + a.0.max(b.0);
                let most = |k: usize| between.clone().map(|t| x[t][k]).reduce(f32::max).unwrap_or(0.0);
                let ends = [a.0, a.1 - 1, b.0, b.1 - 1].map(|t| x[first + t].clone()).concat();
                let vector = [ends, (0..4).map(most).collect()].concat();
                let gold = pairs.iter().find(|p| (p.0, p.1) == (i, j)).map_or(2, |p| p.2);
                want += surprise(&layered(&case, &vector), gold);
            }
        }
    }
    let (got, want) = (case.loss(), want / GOLD.len() as f32);
    assert!((got - want).abs() < 1e-4, "{got} for {want}");
}

#[test]
fn selected_heads_have_the_loss_of_their_paper() {
    let case = case(&format!("{RELATER} {{ head: heads  hidden: 3 }}"), LINKS);
    let x = case.value("embed");
    let (from, b, to) = (case.param("from.weight"), case.param("from.bias").remove(0), case.param("to.weight"));
    let (v, c) = (case.param("out.weight"), case.param("out.bias").remove(0));
    let mut want = 0.0;
    for Links { first, n, spans, pairs } in GOLD {
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let (u, w) = (affine(&from, &b, &x[first + i]), affine(&to, &[0.0; 3], &x[first + j]));
            let features: Vec<f32> = u.iter().zip(&w).map(|(u, w)| (u + w).tanh()).collect();
            for (label, score) in affine(&v, &c, &features).into_iter().enumerate() {
                let last = |span: usize| spans[span].1 - 1;
                let is = pairs.iter().any(|p| (last(p.0), last(p.1), p.2) == (i, j, label));
                let p = 1.0 / (1.0 + (-score).exp());
                want -= if is { p.ln() } else { (1.0 - p).ln() };
            }
        }
    }
    let (got, want) = (case.loss(), want / GOLD.len() as f32);
    assert!((got - want).abs() < 1e-3, "{got} for {want}");
}

#[test]
fn tags_of_each_subject_have_their_cross_entropy() {
    let case = case(&format!("{RELATER} {{ head: tags  hidden: 5 }}"), LINKS);
    let x = case.value("embed");
    let mut want = 0.0;
    for Links { first, n, spans, pairs } in GOLD {
        for (subject, (start, end)) in spans.iter().enumerate() {
            for token in 0..n {
                let object = pairs.iter().find(|p| p.0 == subject && (spans[p.1].0..spans[p.1].1).contains(&token));
                // O, B-live, I-live, B-work, I-work.
                let gold = object.map_or(0, |p| 1 + 2 * p.2 + usize::from(spans[p.1].0 < token));
                let vector = [token, *start, end - 1].map(|t| x[first + t].clone()).concat();
                want += surprise(&layered(&case, &vector), gold);
            }
        }
    }
    let (got, want) = (case.loss(), want / GOLD.len() as f32);
    assert!((got - want).abs() < 1e-4, "{got} for {want}");
}

#[test]
fn spans_have_the_cross_entropy_of_their_types() {
    let program = RELATER.replace(
        "task p: relate(d.r) = d.a |> embed(4)",
        "task p: spans(d.s) = d.a |> embed(4) |> spans_of(max: 2, width: 3)",
    );
    let case = case(&program, LINKS);
    let (x, lengths) = (case.value("embed"), case.param("length"));
    let (w, b) = (case.param("out.weight"), case.param("out.bias").remove(0));
    // L, P, none.
    let kinds: [&[usize]; 3] = [&[1, 0], &[1, 1, 0], &[]];
    let mut want = 0.0;
    for (Links { first, n, spans, .. }, kinds) in GOLD.into_iter().zip(kinds) {
        for (start, end) in (0..n).flat_map(|s| (s + 1..=n.min(s + 2)).map(move |e| (s, e))) {
            let vector =
                [x[first + start].clone(), x[first + end - 1].clone(), lengths[end - start - 1].clone()].concat();
            let gold = spans.iter().position(|span| *span == (start, end)).map_or(2, |at| kinds[at]);
            want += surprise(&affine(&w, &b, &vector), gold);
        }
    }
    let (got, want) = (case.loss(), want / GOLD.len() as f32);
    assert!((got - want).abs() < 1e-4, "{got} for {want}");
}

/// Sentences of two persons and a place, in which `near` or `from` says how they are related.
fn links(count: usize, seed: u64) -> String {
    let mut random = support::Random(seed);
    let mut lines = String::new();
    for _ in 0..count {
        let (person, place, verb) = (random.below(6), random.below(6), random.below(3));
        let word = ["lives near", "comes from", "forgets"][verb];
        let (start, kind) = if verb == 2 { (3, "") } else { (4, ["live", "born"][verb]) };
        let relation = if verb == 2 { String::new() } else { format!(r#"[0, 1, "{kind}"]"#) };
        lines += &format!(
            r#"{{"a": "Mr P{person} {word} New L{place}", "s": [[0, 2, "Peop"], [{start}, {end}, "Loc"]], "r": [{relation}]}}"#,
            end = start + 2,
        );
        lines += "\n";
    }
    lines
}

#[test]
fn relations_are_learnt_in_each_form() {
    let project = support::Project::new(1, 1);
    project.write("train.jsonl", links(200, 1));
    project.write("test.jsonl", links(40, 2));
    project.write(
        "links.mtl",
        r#"data d { format: jsonl  train: "train.jsonl"  test: "test.jsonl"
  field a: text from "a"  field s: spans(a) from "s"  field r: relations(s) from "r" }
let h = d.a |> embed(12) |> bilstm(16)
task names: tag(d.s) = h { head: crf }
task pairs: relate(d.r) = h { entities: names }
task heads: relate(d.r) = concat(h, names.label(gold: 100%) |> embed(4)) { head: heads  entities: names }
task tags:  relate(d.r) = h { head: tags  entities: names }
let v = h |> spans_of(max: 3)
task found: spans(d.s) = v
task enumerated: relate(d.r) = v { entities: found }
metric both = all_correct(names, pairs)
train { epochs: 6  batch: 8  seed: 1  optimizer: adam(lr: 1e-2)  select: mean(pairs.strict_f1, names.span_f1) }
"#,
    );
    project.fine(&["run", "links.mtl", "--out", "r"]);
    let results: serde_json::Value = serde_json::from_str(&project.text("r/results.json")).expect("JSON");
    assert!(results["found"]["span_f1"].as_f64().is_some_and(|f1| f1 > 0.97), "{results}");
    for task in ["pairs", "heads", "tags", "enumerated"] {
        let figure = |name: &str| results[task][name].as_f64().expect("a figure");
        assert!(figure("strict_f1") > 0.97 && figure("relaxed_f1") >= figure("strict_f1"), "{results}");
    }
    project.write("in.txt", "Mr P1 comes from New L2\nMr P3 forgets New L4\n");
    let output = project.run(&["predict", "r", "in.txt", "--tasks", "found,pairs"]);
    assert!(output.status.success(), "{}", support::said(&output));
    let found = r#"{"found":{"value":[{"start":0,"end":2,"type":"Peop"},{"start":4,"end":6,"type":"Loc"}]},"pairs":{"value":[{"head":{"start":0,"end":2,"type":"Peop"},"tail":{"start":4,"end":6,"type":"Loc"},"type":"born"}]}}
{"found":{"value":[{"start":0,"end":2,"type":"Peop"},{"start":3,"end":5,"type":"Loc"}]},"pairs":{"value":[]}}
"#;
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), found);
}

/// Sentences `subject verb object` and `verb object` over words that say what they are.
fn sentences(count: usize, seed: u64) -> String {
    let mut random = support::Random(seed);
    let mut lines = String::new();
    for _ in 0..count {
        let (a, b) = (random.below(6), random.below(6));
        let (subject, verb) = (random.below(2) == 0, random.below(5));
        if subject {
            lines +=
                &format!(r#"{{"a": "n{a} v{verb} n{b}", "t": [[2, "subj"], [0, "root"], [2, "obj"]], "k": "whole"}}"#);
        } else {
            lines += &format!(r#"{{"a": "v{verb} n{b}", "t": [[0, "root"], [1, "obj"]], "k": "part"}}"#);
        }
        lines += "\n";
    }
    lines
}

#[test]
fn a_parser_learns_and_answers() {
    let project = support::Project::new(1, 1);
    project.write("train.jsonl", sentences(200, 1));
    project.write("test.jsonl", sentences(40, 2));
    project.write(
        "trees.mtl",
        r#"data d { format: jsonl  train: "train.jsonl"  test: "test.jsonl"  field a: text from "a"  field t: tree(a) from "t"  field k: class from "k" }
let h = d.a |> embed(12) |> bilstm(16)
task p: parse(d.t) = h { arc: 16  label: 8 }
task s: parse(d.t) = h { head: heads  decode: eisner }
task kind: classify(d.k) = concat(h, p.probs, p.hidden, s.embedding(3), p.label(gold: 50%) |> embed(2), p.label) |> mean_pool
metric both = all_correct(p, s)
train { epochs: 4  batch: 8  seed: 1  optimizer: adam(lr: 1e-2)  select: p.las }
"#,
    );
    project.fine(&["run", "trees.mtl", "--out", "r"]);
    let results: serde_json::Value = serde_json::from_str(&project.text("r/results.json")).expect("JSON");
    for task in ["p", "s"] {
        let figure = |name: &str| results[task][name].as_f64().expect("a figure");
        assert!(figure("las") > 0.98 && figure("uas") > 0.98, "{results}");
    }
    assert!(results["kind"]["accuracy"].as_f64().is_some_and(|share| share > 0.95), "{results}");
    assert!(results["both"].as_f64().is_some_and(|share| share > 0.95), "{results}");
    project.write("in.txt", "v1 n2\nn1 v2 n3\n");
    let output = project.run(&["predict", "r", "in.txt", "--tasks", "p"]);
    assert!(output.status.success(), "{}", support::said(&output));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let arcs = r#"{"p":{"value":[{"head":0,"label":"root"},{"head":1,"label":"obj"}]}}
{"p":{"value":[{"head":2,"label":"subj"},{"head":0,"label":"root"},{"head":2,"label":"obj"}]}}
"#;
    assert_eq!(said, arcs);
}
