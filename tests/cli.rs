//! The commands as a user types them.
#![cfg(feature = "train")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn mtlc(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    mtlc(folder).args(args).output().expect("mtlc starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command that succeeds, and gives its standard output.
fn fine(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that fails, and gives its one message.
fn fails(folder: &Path, code: i32, args: &[&str]) -> String {
    let output = run(folder, args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    for never in ["panicked", "stack backtrace", "[E0999]"] {
        assert!(!said.contains(never), "{args:?}: {said}");
    }
    said
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fine(folder.path(), &["new", "demo"]);
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[test]
fn a_new_project_trains_and_predicts() {
    let folder = project();
    let demo = folder.path().join("demo");
    let table = fine(&demo, &["run", "demo.mtl", "--epochs", "2", "--out", "r"]);
    assert!(table.contains("intent.accuracy"), "{table}");
    for file in
        ["plan.json", "vocabularies.json", "model.safetensors", "metrics.jsonl", "report.html", "source/demo.mtl"]
    {
        assert!(demo.join("r").join(file).exists(), "{file}");
    }
    let results = json(&demo.join("r/results.json"));
    assert!(results["intent"]["accuracy"].as_f64().is_some_and(|a| a > 0.05), "{results}");

    let again: Value = serde_json::from_str(&fine(&demo, &["eval", "r", "--json"])).expect("JSON");
    assert_eq!(results, again);

    std::fs::write(demo.join("in.txt"), "play some jazz\nset an alarm for seven\n").expect("written");
    let predicted = fine(&demo, &["predict", "r", "in.txt", "--tasks", "slots"]);
    let lines: Vec<Value> = predicted.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let tags = |i: usize| lines[i]["slots"]["value"].as_array().map(Vec::len);
    assert_eq!((lines.len(), tags(0), tags(1)), (2, Some(3), Some(5)));
    assert!(lines[0].get("intent").is_none());
}

#[test]
fn a_plan_trains_as_its_program_does() {
    let folder = project();
    let demo = folder.path().join("demo");
    fine(&demo, &["compile", "demo.mtl", "-o", "plan.json"]);
    fine(&demo, &["run", "demo.mtl", "--epochs", "1", "--out", "a"]);
    fine(&demo, &["run", "plan.json", "--epochs", "1", "--out", "b"]);
    let model = |run: &str| std::fs::read(demo.join(run).join("model.safetensors")).expect("a model");
    assert_eq!(model("a"), model("b"), "the same program and seed give the same bits");
    fine(&demo, &["run", "demo.mtl", "--epochs", "1", "--seed", "7", "--out", "c"]);
    assert_ne!(model("a"), model("c"));
    for emit in ["ast", "types", "graph", "plan", "dot", "svg", "mermaid"] {
        let printed = fine(&demo, &["compile", "demo.mtl", "--emit", emit]);
        let beside = fine(&demo, &["compile", "demo.mtl", "--emit", emit, "-o", emit]);
        let written = std::fs::read_to_string(demo.join(emit)).expect("written");
        assert!(!printed.is_empty() && beside.is_empty() && printed == written, "{emit}");
    }
}

#[test]
fn passes_are_shown_and_can_be_left_out() {
    let folder = project();
    let demo = folder.path().join("demo");
    let plan = |args: &[&str]| -> Value {
        let printed = fine(&demo, &[&["compile", "demo.mtl", "--emit", "plan"], args].concat());
        serde_json::from_str(&printed).expect("JSON")
    };
    let says = |plan: &Value, i: usize| plan["passes"][i]["says"].as_str().expect("a line").to_string();
    let whole = plan(&[]);
    let names: Vec<&str> =
        whole["passes"].as_array().expect("passes").iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names, ["dead_values", "common_values", "fusion", "joined_batches", "early_freeing"]);
    assert!(says(&whole, 1).contains("is computed once for intent, slots"), "{}", says(&whole, 1));
    let apart = plan(&["--no-pass", "common_values", "--no-pass", "fusion"]);
    assert_eq!((says(&apart, 1), &apart["passes"][2]["on"]), ("common values: off".into(), &Value::Bool(false)));
    let nodes = |plan: &Value| plan["nodes"].as_array().map(Vec::len);
    assert!(nodes(&apart) > nodes(&whole));

    let trained = |off: &[&str], out: &str| {
        let off: Vec<&str> = off.iter().flat_map(|name| ["--no-pass", name]).collect();
        fine(&demo, &[&["run", "demo.mtl", "--epochs", "1", "--out", out], &off[..]].concat());
        std::fs::read(demo.join(out).join("model.safetensors")).expect("a model")
    };
    let model = trained(&[], "r");
    assert_eq!(model, trained(&["dead_values", "fusion", "joined_batches", "early_freeing"], "most"));
    assert_ne!(model, trained(&names, "plain"), "gradients of copies are added up in another order");
    std::fs::write(demo.join("in.txt"), "play some jazz\n").expect("written");
    assert_eq!(fine(&demo, &["predict", "r", "in.txt"]), fine(&demo, &["predict", "most", "in.txt"]));
    fine(&demo, &["predict", "plain", "in.txt"]);
    fine(&demo, &["eval", "plain"]);

    let said = fails(&demo, 2, &["run", "demo.mtl", "--no-pass", "comon_values"]);
    assert!(said.contains("similar value exists: 'common_values'") && said.contains("early_freeing"), "{said}");
    fine(&demo, &["compile", "demo.mtl", "-o", "plan.json"]);
    let said = fails(&demo, 1, &["run", "plan.json", "--no-pass", "fusion"]);
    assert!(said.contains("E0909") && said.contains("is a plan"), "{said}");
    let said = fails(&demo, 1, &["run", "demo.mtl", "--out", "r", "--resume", "--no-pass", "fusion"]);
    assert!(said.contains("E0910"), "{said}");
}

#[test]
fn mistakes_end_in_one_message() {
    let folder = project();
    let demo = folder.path().join("demo");
    let write = |name: &str, text: &str| std::fs::write(demo.join(name), text).expect("written");
    let program = std::fs::read_to_string(demo.join("demo.mtl")).expect("the program");

    assert!(fails(&demo, 1, &["check", "nowhere.mtl"]).contains("nowhere.mtl"));
    write("typo.mtl", &program.replace("home.utterance", "home.utterence"));
    let said = fails(&demo, 1, &["check", "typo.mtl"]);
    assert!(said.contains("did you mean 'utterance'?"), "{said}");
    write("data.mtl", &program.replace("data/train", "data/nowhere"));
    assert!(fails(&demo, 1, &["run", "data.mtl"]).contains("error[E08"));
    write("later.mtl", &program.replace("|> words", "|> words |> select_layers"));
    assert!(fails(&demo, 1, &["run", "later.mtl"]).contains("E0703"));
    write("far.mtl", &program.replace("adam(lr: 4e-3)", "sgd(lr: 1e30)"));
    let said = fails(&demo, 1, &["run", "far.mtl", "--out", "far"]);
    assert!(said.contains("E0906"), "{said}");

    assert!(fails(&demo, 1, &["run", "demo.mtl", "--set", "width=wide"]).contains("E0909"));
    assert!(fails(&demo, 1, &["run", "demo.mtl", "--device", "cuda:0"]).contains("E0905"));
    fails(&demo, 2, &["run", "demo.mtl", "--epochs", "0"]);
    fails(&demo, 2, &["unknown"]);
    assert!(fails(&demo, 1, &["explain", "E9999"]).contains("E9999"));
    assert!(fails(&demo, 1, &["eval", "nowhere"]).contains("E0901"));
    assert!(fails(&demo, 1, &["predict", "nowhere"]).contains("E0901"));
    assert!(fails(&demo, 1, &["new", "../demo"]).contains("E0904"));
}

#[test]
fn a_damaged_run_is_named() {
    let folder = project();
    let demo = folder.path().join("demo");
    fine(&demo, &["run", "demo.mtl", "--epochs", "1", "--out", "r"]);
    let path = |name: &str| demo.join("r").join(name);
    let model = std::fs::read(path("model.safetensors")).expect("a model");
    std::fs::write(path("model.safetensors"), &model[..model.len() / 2]).expect("written");
    assert!(fails(&demo, 1, &["eval", "r"]).contains("E0902"));
    std::fs::write(path("model.safetensors"), &model).expect("written");
    let plan = std::fs::read_to_string(path("plan.json")).expect("a plan");
    std::fs::write(path("plan.json"), plan.replacen("\"version\": 2", "\"version\": 99", 1)).expect("written");
    assert!(fails(&demo, 1, &["eval", "r"]).contains("E0903"));
    std::fs::write(path("plan.json"), "{").expect("written");
    fails(&demo, 1, &["predict", "r"]);
    std::fs::remove_file(path("model.safetensors")).expect("removed");
    assert!(fails(&demo, 1, &["eval", "r"]).contains("E0901"));
}

#[test]
fn diagnostics_for_programs() {
    let folder = project();
    let demo = folder.path().join("demo");
    assert_eq!(fine(&demo, &["check", "demo.mtl", "--format", "json"]).trim(), "[]");
    std::fs::write(demo.join("bad.mtl"), "let x = y\n").expect("written");
    let output = run(&demo, &["check", "bad.mtl", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let all: Value = serde_json::from_str(&text(&output.stdout)).expect("JSON");
    let first = &all[0];
    for key in ["code", "severity", "message", "file", "start", "end", "labels", "help", "fix"] {
        assert!(first.get(key).is_some(), "{key}: {first}");
    }
    assert_eq!((&first["start"]["line"], &first["start"]["column"]), (&Value::from(1), &Value::from(5)));
    let sarif: Value =
        serde_json::from_str(&text(&run(&demo, &["check", "bad.mtl", "--format", "sarif"]).stdout)).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    assert!(fine(&demo, &["explain", "e0201"]).starts_with("# E0201"));
    assert!(fine(&demo, &["completions", "bash"]).contains("mtlc"));
    assert!(fine(&demo, &["reference"]).contains("bilstm"));
}
