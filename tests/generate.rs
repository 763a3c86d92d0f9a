//! Decoders learn to turn short texts round and to copy words that they have never seen, write the
//! same without gold, however many at a time, and the same bits twice.
#![cfg(feature = "train")]

#[path = "command/support.rs"]
mod support;

use serde_json::Value;
use support::{Project, Random};

/// Texts of a few letters, and the same from the end.
fn turned(count: usize, seed: u64) -> String {
    let mut random = Random(seed);
    let mut lines = String::from("text\tgold\n");
    for _ in 0..count {
        let letters: Vec<String> = (0..1 + random.below(4)).map(|_| format!("w{}", random.below(6))).collect();
        let back: Vec<&str> = letters.iter().rev().map(String::as_str).collect();
        lines += &format!("{}\t{}\n", letters.join(" "), back.join(" "));
    }
    lines
}

/// A name among other words, and a text with it; names have numbers from `first` on.
fn named(count: usize, first: usize, seed: u64) -> String {
    let mut random = Random(seed);
    let mut lines = String::from("text\tgold\n");
    for _ in 0..count {
        let name = format!("n{}", first + random.below(200));
        let words: Vec<String> = (0..4).map(|_| format!("w{}", random.below(4))).collect();
        let at = random.below(5);
        let text = [&words[..at], std::slice::from_ref(&name), &words[at..]].concat();
        lines += &format!("{}\t{} is {name}\n", text.join(" "), words[0].replace('w', "v"));
    }
    lines
}

const DATA: &str = r#"data d {
  format: tsv
  train: "train.tsv"  dev: "dev.tsv"  test: "test.tsv"
  field text: text from "text"
  field gold: text from "gold"
}
"#;

fn project(tasks: &str, splits: [String; 3]) -> Project {
    let project = Project::new(1, 1);
    for (name, lines) in ["train", "dev", "test"].iter().zip(splits) {
        project.write(&format!("{name}.tsv"), lines);
    }
    project.write("program.mtl", format!("{DATA}{tasks}\n"));
    project
}

/// The texts that `predict` writes for the test set.
fn predicted(project: &Project, task: &str, size: &str) -> Vec<String> {
    let test = project.text("test.tsv");
    let texts = test.lines().skip(1).filter_map(|l| l.split('\t').next());
    project.write("in.txt", texts.map(|t| format!("{t}\n")).collect::<String>());
    let output = project.run(&["predict", "r", "in.txt", "--batch", size, "--tasks", task]);
    assert!(output.status.success(), "{}", support::said(&output));
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let text = |line: &str| {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        let p = answer[task]["confidence"].as_f64().expect("a confidence");
        assert!((0.0..=1.0).contains(&p), "{line}");
        answer[task]["value"].as_str().expect("a text").to_string()
    };
    lines.lines().map(text).collect()
}

/// The share of texts of the test set that a task writes word for word, and its figures.
fn right(project: &Project, task: &str) -> (f64, Value) {
    let both = ["1", "32"].map(|size| predicted(project, task, size));
    assert_eq!(both[0], both[1], "{task}: however many at a time");
    let test = project.text("test.tsv");
    let golds = test.lines().skip(1).filter_map(|l| l.split('\t').nth(1));
    let right = both[0].iter().zip(golds).filter(|(text, gold)| text.as_str() == *gold).count();
    let results: Value = serde_json::from_str(&project.text("r/results.json")).expect("JSON");
    (right as f64 / both[0].len() as f64, results[task].clone())
}

#[test]
fn decoders_turn_texts_round() {
    let project = project(
        "layer words = embed(32)\nlayer writer = transformer(32, layers: 2, heads: 4, ff: 64, dropout: 0)\n\
         task recurrent: generate(d.gold) = d.text |> words |> bilstm(32) { decoder: lstm(32)  beam: 3 }\n\
         task attention: generate(d.gold) = d.text |> words |> transformer(32, layers: 2, ff: 64, dropout: 0)\n\
         { decoder: writer  head: words  beam: 3  smoothing: 0.05 }\n\
         train { epochs: 24  batch: 8  seed: 1  clip: 1.0  optimizer: adam(lr: 3e-3)  schedule: linear }",
        [turned(1500, 1), turned(30, 2), turned(80, 3)],
    );
    project.fine(&["run", "program.mtl", "--out", "r"]);
    for task in ["recurrent", "attention"] {
        let (share, figures) = right(&project, task);
        assert!(share > 0.9, "{task}: {share} of {figures}");
        let of = |metric: &str| figures[metric].as_f64().unwrap_or_else(|| panic!("{metric}: {figures}"));
        assert!(of("bleu") > 0.8 && of("rouge") > 0.8 && of("chrf") > 0.9, "{figures}");
        assert!(of("perplexity") > 1.0 && of("perplexity") < 1.4, "{figures}");
    }
}

#[test]
fn words_that_train_never_had_are_copied() {
    let project = project(
        "layer words = embed(24, min_count: 5)\nlet h = d.text |> words |> bilstm(32)\n\
         task copies: generate(d.gold) = h { decoder: lstm(32)  head: words  copy: d.text  beam: 2  coverage: true  gold: 90% }\n\
         task writes: generate(d.gold) = h { decoder: lstm(32)  head: words }\n\
         train {\n\
           epochs: 14  batch: 8  seed: 1  clip: 1.0  optimizer: adam(lr: 5e-3)  schedule: linear\n\
           // Texts of three words have no runs of four, so their BLEU is always 0.\n\
           select: mean(copies.rouge, writes.rouge)\n\
         }",
        [named(500, 0, 1), named(30, 1000, 2), named(60, 1000, 3)],
    );
    project.fine(&["run", "program.mtl", "--out", "r"]);
    let ((copies, figures), (writes, _)) = (right(&project, "copies"), right(&project, "writes"));
    assert!(copies > 0.97 && writes == 0.0, "{copies} and {writes}: {figures}");
    for out in ["one", "two"] {
        project.fine(&["run", "program.mtl", "--out", out, "--epochs", "1"]);
    }
    assert_eq!(project.result("one"), project.result("two"), "the same bits twice");
}

/// Texts of three words have no runs of four, and the BLEU that chooses by default is always 0.
#[test]
fn a_figure_that_is_always_nothing_is_told_of() {
    let run = |choice: &str| {
        let project = project(
            &format!(
                "task t: generate(d.gold) = d.text |> embed(8) {{ decoder: lstm(8) }}\n\
                 train {{ epochs: 2  batch: 8  seed: 1  optimizer: adam(lr: 1e-2)  {choice} }}"
            ),
            [named(40, 0, 1), named(10, 0, 2), named(10, 0, 3)],
        );
        support::said(&project.run(&["run", "program.mtl", "--out", "r"]))
    };
    let (bare, chosen) = (run(""), run("select: t.perplexity"));
    assert!(bare.contains("warning[W0903]: ") && bare.contains("was 0 on dev after each of 2 epochs"), "{bare}");
    assert!(!chosen.contains("W0903"), "{chosen}");
}
