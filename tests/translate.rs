//! Texts in pieces from end to end: one translator for two directions, told apart by tags, is
//! trained, measured again, resumed, and writes texts line by line.
#![cfg(feature = "train")]

#[path = "command/support.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;
use support::{Project, Random, said};

const PROGRAM: &str = r#"
const directions = [(en, de), (en, caps)]
layer words  = embed(32)
layer reader = transformer(32, layers: 1, heads: 2, ff: 64, dropout: 0)
layer writer = transformer(32, layers: 1, heads: 2, ff: 64, dropout: 0)
for (src, tgt) in directions {
  data pairs[src, tgt] {
    format: lines  train: "data/train"  dev: "data/dev"
    field plain:  text                                = "{raw}"
    field raw:    text                                from "{src}"
    field source: text(lower: true, tokens: bpe(300)) = "<2{tgt}> {plain}"
    field target: text(tokens: bpe(300)) from "{tgt}"
  }
  task translate[src, tgt]: generate(pairs[src, tgt].target) = pairs[src, tgt].source |> words |> reader {
    decoder: writer  head: words  beam: 2
  }
}
train {
  epochs: 8  batch: 16  seed: 1  optimizer: adam(lr: 4e-3)  select: mean(translate.bleu)
}
"#;

/// Words and what they are in the other languages.
const WORDS: &[(&str, &str)] =
    &[("dog", "hund"), ("cat", "katze"), ("runs", "läuft"), ("Red", "rot"), ("sun,", "sonne,"), ("2", "zwei")];

fn project() -> Project {
    let project = Project::new(1, 1);
    let mut random = Random(3);
    for (split, count) in [("train", 400), ("dev", 30)] {
        let (mut en, mut de, mut caps) = (String::new(), String::new(), String::new());
        for _ in 0..count {
            let words: Vec<_> = (0..1 + random.below(3)).map(|_| WORDS[random.below(WORDS.len())]).collect();
            let join = |of: fn(&(&str, &str)) -> String| words.iter().map(of).collect::<Vec<_>>().join(" ");
            en += &(join(|w| w.0.into()) + "\n");
            de += &(join(|w| w.1.into()) + "\n");
            caps += &(join(|w| w.0.to_uppercase()) + "\n");
        }
        for (language, text) in [("en", &en), ("de", &de), ("caps", &caps)] {
            project.write(&format!("data/{split}.{language}"), text);
        }
    }
    project.write("both.mtl", PROGRAM);
    project
}

fn lines(output: std::process::Output) -> Vec<String> {
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn a_translator_reads_tags_and_writes_line_by_line() {
    let project = project();
    project.fine(&["run", "both.mtl", "--out", "r"]);
    let results: Value = serde_json::from_str(&project.text("r/results.json")).expect("JSON");
    let of = |task: &str| results[task]["bleu"].as_f64().unwrap_or_else(|| panic!("{results}"));
    assert!(of("translate.en.de") > 0.5 && of("translate.en.caps") > 0.5, "{results}");

    // Evaluation cuts and writes as training did.
    let again = lines(project.run(&["eval", "r", "--split", "dev", "--json"]));
    let again: Value = serde_json::from_str(&again.join("\n")).expect("JSON");
    assert_eq!(again["translate.en.de"]["bleu"].as_f64(), Some(of("translate.en.de")), "{again}");

    // What is written is what is predicted, one text a line, however many at a time.
    let write = |more: &[&str]| {
        let args = [&["generate", "r", "data/dev.en", "--task", "translate.en.caps"], more].concat();
        lines(project.run(&args))
    };
    let texts = write(&[]);
    let predicted = lines(project.run(&["predict", "r", "data/dev.en", "--tasks", "translate.en.caps"]));
    let value = |line: &String| -> String {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["translate.en.caps"]["value"].as_str().expect("a text").into()
    };
    assert_eq!(texts, predicted.iter().map(value).collect::<Vec<_>>());
    assert_eq!(texts, write(&["--batch", "1"]));
    assert_eq!(texts, write(&["--beam", "2"]));
    let gold = project.text("data/dev.caps");
    let right = texts.iter().zip(gold.lines()).filter(|(text, gold)| text == gold).count();
    assert!(right > texts.len() / 2, "{texts:?}");
    // The tag says what is written, and so the task does.
    let german = lines(project.run(&["generate", "r", "data/dev.en", "--task", "translate.en.de"]));
    assert_ne!(german, texts);

    // Draws follow from the seed and the place in the input.
    let drawn = write(&["--sample", "--temperature", "2.5"]);
    assert_eq!(drawn, write(&["--sample", "--temperature", "2.5", "--batch", "7"]));
    assert_ne!(drawn, write(&["--sample", "--temperature", "2.5", "--seed", "1"]));
    assert_eq!(write(&["--sample", "--top-k", "1"]), write(&["--beam", "1"]));
    let short = write(&["--max-length", "1"]);
    assert!(short.iter().all(|text| text.chars().count() <= 6) && short.len() == texts.len(), "{short:?}");
    answers_while_asked(&project, &texts);
    refused(&project);
}

/// A program that asks line by line is answered line by line.
fn answers_while_asked(project: &Project, texts: &[String]) {
    let mut mtlc = project.mtlc(&["generate", "r", "-", "--task", "translate.en.caps"]);
    let mut child = mtlc.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("mtlc starts");
    let (mut to, mut from) =
        (child.stdin.take().expect("a pipe"), BufReader::new(child.stdout.take().expect("a pipe")));
    for (asked, expected) in project.text("data/dev.en").lines().zip(texts).take(3) {
        writeln!(to, "{asked}").expect("written");
        let mut answer = String::new();
        from.read_line(&mut answer).expect("an answer");
        assert_eq!(answer.trim_end_matches('\n'), expected);
    }
    drop(to);
    assert!(child.wait().expect("ended").success());
}

fn refused(project: &Project) {
    let refused = |args: &[&str], code: i32, gist: &str| {
        let output = project.run(args);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(gist), "{gist}: {}", said(&output));
    };
    let several =
        "2 tasks of the run write texts\n = help: name one with `--task`: `translate.en.de` or `translate.en.caps`";
    refused(&["generate", "r", "data/dev.en"], 1, several);
    refused(&["generate", "r", "data/dev.en", "--task", "x"], 1, "the run has no task 'x' that writes texts");
    refused(&["generate", "r", "--top-k", "3"], 2, "--sample");
    refused(&["generate", "r", "--sample", "--beam", "3"], 2, "--beam");
    refused(&["generate", "r", "--sample", "--top-p", "1.5"], 2, "it is a number above 0, at most 1");
}

#[test]
fn a_run_goes_on_with_the_pieces_it_began_with() {
    let project = project();
    let short = |epochs: &str| PROGRAM.replace("epochs: 8", epochs).replace("beam: 2", "beam: 1");
    project.write("once.mtl", short("epochs: 2"));
    project.fine(&["run", "once.mtl", "--out", "once"]);
    let cut = ["run", "once.mtl", "--out", "twice"];
    let mut child = project.mtlc(&cut).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("mtlc starts");
    let first = project.path("twice/checkpoints");
    while std::fs::read_dir(&first).map_or(0, Iterator::count) == 0 {
        assert!(child.try_wait().expect("a process").is_none() || first.exists(), "it ended too soon");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    project.fine(&["run", "once.mtl", "--out", "twice", "--resume"]);
    assert_eq!(project.result("once"), project.result("twice"));
    assert_eq!(project.text("once/vocabularies.json"), project.text("twice/vocabularies.json"));
}

#[test]
fn a_tokenizer_file_may_go_away() {
    let project = project();
    let tokenizer = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "dog": 1, "cat": 2, "runs": 3, "HUND": 4, "CAT": 5}, "unk_token": "[UNK]"}}"#;
    project.write("t.json", tokenizer);
    let program =
        PROGRAM.replace("bpe(300)", "\"t.json\"").replace("epochs: 8", "epochs: 1").replace("beam: 2", "beam: 1");
    project.write("file.mtl", program);
    project.fine(&["run", "file.mtl", "--out", "r"]);
    let before = lines(project.run(&["generate", "r", "data/dev.en", "--task", "translate.en.caps"]));
    std::fs::remove_file(project.path("t.json")).expect("removed");
    assert_eq!(before, lines(project.run(&["generate", "r", "data/dev.en", "--task", "translate.en.caps"])));
    project.fine(&["eval", "r", "--split", "dev"]);
    let again = project.run(&["run", "file.mtl", "--out", "r2"]);
    assert!(said(&again).contains("E0809") && said(&again).contains("file.mtl:11"), "{}", said(&again));
}
