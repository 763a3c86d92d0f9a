//! A tagger that reads its previous label learns what one without does not, and answers without
//! gold as it does beside gold.
#![cfg(feature = "train")]

#[path = "command/support.rs"]
mod support;

use serde_json::Value;
use support::{Project, Random};

/// A machine of five states. In `sums` each token moves it on by its number, in `turns` every
/// token by one, and the tags are its states.
fn examples(count: usize, seed: u64) -> String {
    let mut random = Random(seed);
    let mut lines = String::new();
    for _ in 0..count {
        let tokens: Vec<usize> = (0..4 + random.below(9)).map(|_| random.below(5)).collect();
        let mut state = 0;
        let sums: Vec<String> = tokens
            .iter()
            .map(|t| {
                state = (state + t) % 5;
                format!("s{state}")
            })
            .collect();
        let turns: Vec<String> = (0..tokens.len()).map(|i| format!("s{}", i % 5)).collect();
        let tokens: Vec<String> = tokens.iter().map(|t| format!("t{t}")).collect();
        lines += &format!("{}\t{}\t{}\n", tokens.join(" "), sums.join(" "), turns.join(" "));
    }
    format!("text\tsums\tturns\n{lines}")
}

const PROGRAM: &str = r#"data d {
  format: tsv
  train: "train.tsv"  test: "test.tsv"
  field text:  text       from "text"
  field sums:  tags(text) from "sums"
  field turns: tags(text) from "turns"
}
let h = d.text |> embed(12)
task sums:        tag(d.sums)  = h |> lstm(24) { feedback: 12 }
task sums_gru:    tag(d.sums)  = h |> gru(24)  { feedback: 12  head: crf }
task sums_blind:  tag(d.sums)  = h |> lstm(24)
task turns:       tag(d.turns) = h { feedback: 8 }
task turns_blind: tag(d.turns) = h
train { epochs: 4  batch: 8  seed: 1  optimizer: adam(lr: 1e-2) }
"#;

/// The share of tags that are right in what `predict` wrote, for a column of the test set.
fn right(lines: &str, test: &str, task: &str, column: usize) -> f64 {
    let (mut right, mut all) = (0, 0u32);
    for (line, example) in lines.lines().zip(test.lines().skip(1)) {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        let got: Vec<&str> = answer[task]["value"].as_array().expect("tags").iter().filter_map(Value::as_str).collect();
        let gold: Vec<&str> = example.split('\t').nth(column).expect("a column").split(' ').collect();
        assert_eq!(got.len(), gold.len(), "{line}");
        all += gold.len() as u32;
        right += got.iter().zip(&gold).filter(|(a, b)| a == b).count() as u32;
    }
    f64::from(right) / f64::from(all)
}

#[test]
fn a_tagger_learns_from_its_own_labels() {
    let project = Project::new(1, 1);
    project.write("train.tsv", examples(400, 1));
    project.write("test.tsv", examples(60, 2));
    project.write("machine.mtl", PROGRAM);
    project.fine(&["run", "machine.mtl", "--out", "r"]);
    let results: Value = serde_json::from_str(&project.text("r/results.json")).expect("JSON");
    let accuracy = |task: &str| results[task]["accuracy"].as_f64().unwrap_or_else(|| panic!("{task}: {results}"));
    for (task, blind) in [("sums", "sums_blind"), ("sums_gru", "sums_blind"), ("turns", "turns_blind")] {
        let (with, without) = (accuracy(task), accuracy(blind));
        assert!(with > 0.97 && without < 0.9, "{task} {with}, {blind} {without}");
    }
    // Without gold it says the same, however many it labels at a time.
    let test = project.text("test.tsv");
    let texts = test.lines().skip(1).filter_map(|l| l.split('\t').next());
    project.write("in.txt", texts.map(|t| format!("{t}\n")).collect::<String>());
    let predicted = ["1", "64"].map(|size| {
        let output = project.run(&["predict", "r", "in.txt", "--batch", size, "--tasks", "sums,sums_gru,turns"]);
        assert!(output.status.success(), "{}", support::said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    });
    for (task, column) in [("sums", 1), ("sums_gru", 1), ("turns", 2)] {
        for lines in &predicted {
            let (got, expected) = (right(lines, &test, task, column), accuracy(task));
            assert!((got - expected).abs() < 1e-6, "{task}: {got} for {expected}");
        }
    }
}

/// Families, and a task on the union of their data sets.
#[test]
fn families_read_their_labels() {
    let project = Project::new(1, 1);
    project.write("train.tsv", examples(12, 1));
    project.write(
        "family.mtl",
        r#"for m in [x, y] {
  data e[m] { format: tsv  train: "train.tsv"  test: "train.tsv"
    field text: text from "text"  field sums: tags(text) from "sums" }
  let h[m] = e[m].text |> words
  task own[m]: tag(e[m].sums) = h[m] |> lstm(4) { feedback: 3 }
}
layer words = embed(6)
task all: tag(e.sums) = h |> lstm(4, layers: 2) { feedback: 3  dropout: 0.1 }
train { epochs: 1  batch: 4 }
"#,
    );
    project.fine(&["run", "family.mtl", "--out", "r"]);
    let results = project.text("r/results.json");
    assert!(["own.x", "own.y", "all"].iter().all(|task| results.contains(task)), "{results}");
}
