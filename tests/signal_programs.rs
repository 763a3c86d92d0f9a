//! The programs of training signals, and the language's own `cutoff`, train on tiny data that is
//! made here in the form of the published sets.
#![cfg(feature = "train")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WORDS: [&str; 8] = ["the", "cat", "who", "saw", "Rome", "in", "may", "?"];
const TYPES: [(&str, &str); 3] = [("HUM", "ind"), ("LOC", "city"), ("NUM", "date")];

/// Words of sentence `i`.
fn sentence(i: usize) -> Vec<&'static str> {
    (0..3 + i % 4).map(|j| WORDS[(i * 5 + j * 3) % WORDS.len()]).collect()
}

fn write(path: PathBuf, lines: impl Iterator<Item = String>) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, lines.collect::<String>()).expect("written");
}

fn columns(i: usize) -> String {
    let mut text = String::new();
    for (j, word) in sentence(i).iter().enumerate() {
        let tag = if j % 2 == 0 { "B-NP" } else { "I-NP" };
        writeln!(text, "{word} NN {tag}").expect("written");
    }
    text + "\n"
}

fn entities(i: usize) -> String {
    let tokens = sentence(i);
    let tokens: Vec<String> = tokens.iter().map(|word| format!("\"{word}\"")).collect();
    let tokens = tokens.join(", ");
    format!(
        "{{\"tokens\": [{tokens}], \"entities\": [{{\"start\": 1, \"end\": 2, \"type\": \"Loc\"}}], \"relations\": []}}\n"
    )
}

/// Stand-ins for the data sets, with as few examples as train, dev and test can have.
fn data(folder: &Path) {
    let question = |i: usize| sentence(i).join(" ");
    for (split, first, count) in [("train", 0, 40), ("dev", 3, 8), ("test", 7, 8), ("rest", 11, 20)] {
        let rows = || first..first + count;
        let header = |line: &str| std::iter::once(format!("{line}\n"));
        let kind = |i: usize| TYPES[i % 3];
        write(
            folder.join(format!("trec/{split}.txt")),
            rows().map(|i| format!("{}:{} {}\n", kind(i).0, kind(i).1, question(i))),
        );
        let types = rows().map(|i| format!("{0}\t{0}:{1}\t{2}\n", kind(i).0, kind(i).1, question(i)));
        write(folder.join(format!("trec_types/{split}.tsv")), header("coarse\tfine\tquestion").chain(types));
        let emotions = rows().map(|i| {
            format!(
                "{}\t{}\t{}\n",
                question(i),
                ["joy", "joy,love", "anger"][i % 3],
                ["positive", "positive", "negative"][i % 3]
            )
        });
        write(
            folder.join(format!("goemotions_sentiment/{split}.tsv")),
            header("text\temotions\tsentiment").chain(emotions),
        );
        for set in ["conll2000", "conll2000_part"] {
            write(folder.join(format!("{set}/{split}.txt")), rows().map(columns));
        }
        write(folder.join(format!("conll04/{split}.jsonl")), rows().map(entities));
    }
}

/// Trains a program for an epoch of each stage.
fn trained(program: &Path, data: &Path, out: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.env("NO_COLOR", "1").stdin(Stdio::null()).arg("run").arg(program);
    command.arg("--data").arg(data).args(["--epochs", "1", "--out"]).arg(out);
    let output = command.output().expect("mtlc starts");
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    assert!(out.join("results.json").exists(), "{}", program.display());
}

#[test]
fn every_program_of_a_signal_trains() {
    let folder = tempfile::tempdir().expect("a folder");
    data(folder.path());
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    for name in [
        "cross_view",
        "lm_auxiliary",
        "masked_words",
        "replaced_words",
        "adversarial_words",
        "distilled",
        "question_types",
        "dual_attention",
        "latent",
    ] {
        trained(&programs.join(format!("{name}.mtl")), folder.path(), &folder.path().join(name));
    }
}

/// What a run holds of a parameter.
fn weights(run: &Path, name: &str) -> Vec<u8> {
    let bytes = std::fs::read(run.join("model.safetensors")).expect("a model");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("tensors");
    tensors.tensor(name).unwrap_or_else(|_| panic!("no {name}")).data().to_vec()
}

#[test]
fn a_trained_run_teaches_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    data(folder.path());
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let student = folder.path().join("half_size.mtl");
    std::fs::copy(programs.join("half_size.mtl"), &student).expect("copied");
    let (teacher, half) = (folder.path().join("question_teacher"), folder.path().join("half_size"));
    trained(&programs.join("question_teacher.mtl"), folder.path(), &teacher);
    trained(&student, folder.path(), &half);
    for name in ["large.embed.weight", "large.bilstm.w_ih", "kind.head.weight"] {
        assert!(weights(&teacher, name) == weights(&half, &format!("teacher.{name}")), "{name}");
    }
    let results = std::fs::read_to_string(half.join("results.json")).expect("results");
    let results: serde_json::Value = serde_json::from_str(&results).expect("JSON");
    let tasks: Vec<&String> = results.as_object().expect("tasks").keys().collect();
    assert_eq!(tasks, ["student", "learned"], "the teacher is not measured");
    assert!(results["learned"]["agreement"].is_number(), "{results}");
}

#[test]
fn the_cutoff_of_the_collection_trains_as_it_stands() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs");
    let specs = std::env::var_os("MTLC_SPECS").map_or(PathBuf::from(beside), PathBuf::from);
    if !specs.is_dir() {
        println!("skipped: {} is not a folder", specs.display());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    data(&folder.path().join("data"));
    std::fs::create_dir(folder.path().join("specs")).expect("made");
    trained(&specs.join("cutoff.mtl"), &folder.path().join("specs"), &folder.path().join("run"));
}
