//! Decoders learn to copy and to turn round short texts, write them without gold as they do beside
//! it, the same bits twice and after a checkpoint.
#![cfg(feature = "train")]

#[path = "command/support.rs"]
mod support;

use serde_json::Value;
use support::{Project, Random};

/// Texts of a few letters, and the same from the end.
fn examples(count: usize, seed: u64) -> String {
    let mut random = Random(seed);
    let mut lines = String::from("text\tback\n");
    for _ in 0..count {
        let letters: Vec<String> = (0..1 + random.below(6)).map(|_| format!("w{}", random.below(8))).collect();
        let back: Vec<&str> = letters.iter().rev().map(String::as_str).collect();
        lines += &format!("{}\t{}\n", letters.join(" "), back.join(" "));
    }
    lines
}

const DATA: &str = r#"data d {
  format: tsv
  train: "train.tsv"  dev: "dev.tsv"  test: "test.tsv"
  field text: text from "text"
  field back: text from "back"
}
layer words = embed(48)
"#;

const TRAIN: &str = "train { epochs: 12  batch: 16  seed: 1  clip: 1.0  optimizer: adam(lr: 3e-3) }\n";

fn project(tasks: &str) -> Project {
    let project = Project::new(1, 1);
    for (name, count, seed) in [("train", 1500, 1), ("dev", 60, 2), ("test", 100, 3)] {
        project.write(&format!("{name}.tsv"), examples(count, seed));
    }
    project.write("back.mtl", format!("{DATA}{tasks}\n{TRAIN}"));
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

/// The share of texts that are right word for word.
fn right(texts: &[String], test: &str) -> f64 {
    let golds = test.lines().skip(1).filter_map(|l| l.split('\t').nth(1));
    let right = texts.iter().zip(golds).filter(|(text, gold)| text.as_str() == *gold).count();
    right as f64 / texts.len() as f64
}

#[test]
fn decoders_turn_texts_round() {
    let project = project(
        "layer writer = transformer(48, layers: 2, heads: 4, ff: 96, dropout: 0)\n\
         task recurrent: generate(d.back) = d.text |> words |> bilstm(48) { decoder: lstm(48)  beam: 3 }\n\
         task attention: generate(d.back) = d.text |> words |> transformer(48, layers: 2, ff: 96, dropout: 0)\n\
         { decoder: writer  head: words  beam: 3  smoothing: 0.05 }",
    );
    project.fine(&["run", "back.mtl", "--out", "r"]);
    let results: Value = serde_json::from_str(&project.text("r/results.json")).expect("JSON");
    let test = project.text("test.tsv");
    for task in ["recurrent", "attention"] {
        let both = ["1", "32"].map(|size| predicted(&project, task, size));
        assert_eq!(both[0], both[1], "{task}: however many at a time");
        let share = right(&both[0], &test);
        assert!(share > 0.9, "{task}: {share} of {results}");
        let of = |metric: &str| results[task][metric].as_f64().unwrap_or_else(|| panic!("{metric}: {results}"));
        assert!(of("bleu") > 0.9 && of("rouge") > 0.9 && of("chrf") > 0.9, "{results}");
        assert!(of("perplexity") > 1.0 && of("perplexity") < 1.3, "{results}");
    }
}
