//! The examples: each program checks with its data and learns, the data is what its generators
//! make, and mtlc is of use as a library.
#![cfg(feature = "train")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

#[path = "../examples/library.rs"]
#[allow(dead_code)]
mod library;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn programs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("examples")).expect("the examples");
    let mut found: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "mtl"));
    found.sort();
    assert!(!found.is_empty());
    found
}

fn mtlc(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.current_dir(root().join("examples")).env("NO_COLOR", "1").stdin(Stdio::null()).args(args);
    command.output().expect("mtlc starts")
}

fn name(program: &Path) -> &str {
    program.file_name().and_then(|n| n.to_str()).expect("a plain name")
}

#[test]
fn every_program_checks_with_its_data() {
    for program in programs() {
        let output = mtlc(&["check", name(&program)]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said == format!("{}: no mistakes\n", name(&program)), "{said}");
    }
}

/// The tasks of a run that have something to be tested on, as its results name them.
fn tested(run: &Path) -> Vec<String> {
    let plan = std::fs::read_to_string(run.join("plan.json")).expect("a plan");
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    let list = |value: &Value| value.as_array().cloned().expect("a list");
    let has_test = |on: &Value| !plan["datasets"][on["data"].as_u64().expect("an index") as usize]["test"].is_null();
    let tasks = list(&plan["tasks"]).into_iter().filter(|t| list(&t["on"]).iter().any(has_test));
    let found: Vec<String> = tasks.map(|t| t["name"].as_str().expect("a name").to_string()).collect();
    assert!(!found.is_empty(), "no task has a test split");
    found
}

/// Trains a program for an epoch and gives what went wrong.
fn trained(program: &Path, run: &Path) -> Result<(), String> {
    let out = run.to_str().expect("a plain path");
    let output = mtlc(&["run", name(program), "--epochs", "1", "--out", out]);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let results = std::fs::read_to_string(run.join("results.json")).map_err(|e| e.to_string())?;
    let results: Value = serde_json::from_str(&results).map_err(|e| e.to_string())?;
    for task in tested(run) {
        let figures = results[&task].as_object().ok_or(format!("no figures of '{task}': {results}"))?;
        if figures.is_empty() || !figures.values().all(|f| f.as_f64().is_some_and(f64::is_finite)) {
            return Err(format!("'{task}': {figures:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_program_trains() {
    let folder = tempfile::tempdir().expect("a folder");
    for program in programs() {
        let run = folder.path().join(name(&program));
        trained(&program, &run).unwrap_or_else(|e| panic!("{}: {e}", name(&program)));
    }
}

#[test]
fn the_data_is_what_its_generators_make() {
    let mut python = Command::new("python3");
    let Ok(output) = python.arg(root().join("examples/data/generate.py")).arg("--check").output() else {
        println!("skipped: there is no python3");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_library_trains_and_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = root().join("examples/slu.mtl");
    let answers = library::train_and_ask(&program, &folder.path().join("run"), 1).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(answers.len(), library::REQUESTS.len());
    for (request, answer) in library::REQUESTS.iter().zip(&answers) {
        assert!(answer["intent"]["value"].is_string(), "{answer}");
        let slots = answer["slots"]["value"].as_array().map(Vec::len);
        assert_eq!(slots, Some(request.split(' ').count()), "{answer}");
    }
}

#[test]
fn the_library_says_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("home.mtl");
    let text = std::fs::read_to_string(root().join("examples/slu.mtl")).expect("a program");
    std::fs::write(&program, text.replace("home.utterance", "home.utterence")).expect("written");
    let failure = library::train_and_ask(&program, &folder.path().join("run"), 1).expect_err("a mistake");
    assert!(failure.to_string().contains("did you mean 'utterance'?"), "{failure}");
}
