//! What needs the binary and data: whole programs, and the commands of each document.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{Block, all, blocks, documents, root};

/// Lines that are not run here: they build, test or serve mtlc itself, or need an editor.
const NOT_RUN: &[&str] = &[
    "cargo test",
    "cargo install cargo-fuzz",
    ".ci/run",
    "mdbook serve docs",
    "rustup component add rustfmt clippy",
    // `editors/test` runs these two.
    "npm ci",
    "npm run package",
    "code --install-extension mtlc.vsix",
    "hx --grammar build",
];

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::copy(from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    }
}

fn mtlc(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null()).args(args);
    command.output().expect("mtlc starts")
}

#[test]
fn programs_check_with_their_data() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join("examples/data"), &folder.path().join("data"));
    for block in all("mtl") {
        fs::write(folder.path().join("program.mtl"), &block.text).expect("written");
        let output = mtlc(folder.path(), &["check", "program.mtl"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said == "program.mtl: no mistakes\n", "{}: {said}", block.place);
    }
}

/// A translator of three sentences.
const TRANSLATE: &str = r#"data captions {
  format: lines  train: "captions/train"
  field source: text from "en"
  field target: text from "de"
}
task translate: generate(captions.target) = captions.source |> embed(8) |> lstm(8)
"#;

/// A folder with the examples and what a document takes for granted.
fn scene(page: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    copy(&root().join("examples"), &at("examples"));
    let write = |name: &str, text: &str| fs::write(at(name), text).expect("written");
    match page {
        "docs/tutorial.md" => {
            let programs: Vec<Block> = blocks(page).into_iter().filter(|b| b.language == "mtl").collect();
            write("examples/first.mtl", &programs[0].text);
            write("requests.jsonl", "{\"utterance\": \"play some jazz\"}\n");
        }
        "docs/commands.md" => {
            copy(&root().join("examples/tagging.mtl"), &at("model.mtl"));
            copy(&root().join("examples/data"), &at("data"));
            copy(&root().join("examples/data"), &at("other/data"));
            write("requests.jsonl", "{\"utterance\": \"play some jazz\"}\n");
            write("text.conll", "the\nlight\n\nsome\njazz\n");
            write("english.txt", "two dogs play\ntwo cats sleep\n");
            fs::create_dir(at("captions")).expect("a folder");
            write("captions/train.en", "two dogs play\ntwo cats play\ntwo cats sleep\n");
            write("captions/train.de", "zwei hunde spielen\nzwei katzen spielen\nzwei katzen schlafen\n");
            write("translate.mtl", TRANSLATE);
            for program in ["examples/tagging.mtl", "translate.mtl"] {
                let trained = mtlc(folder.path(), &["run", program, "--epochs", "1"]);
                assert!(trained.status.success(), "{trained:?}");
            }
        }
        "docs/editors.md" => {
            for part in ["vscode/package.json", "tree-sitter-mtl/src", "tree-sitter-mtl/queries"] {
                let part = Path::new("editors").join(part);
                fs::create_dir_all(at("").join(part.parent().expect("a folder"))).expect("a folder");
                copy(&root().join(&part), &folder.path().join(&part));
            }
        }
        _ => {}
    }
    folder
}

/// A line as it is run here: with the built binary, and training cut short.
fn translated(line: &str) -> Option<String> {
    let code = line.split(" #").next().unwrap_or_default().trim();
    if NOT_RUN.contains(&code) || code.starts_with("cargo fuzz ") {
        return None;
    }
    let code = code.replace("cargo run --release -- ", "mtlc ");
    assert!(!code.contains("cargo "), "neither run nor known: `{line}`");
    let trains = code.starts_with("mtlc run ") && !code.contains("--epochs");
    Some(if trains { code + " --epochs 1" } else { code })
}

/// Runs the blocks of commands one after the other in `folder`, a shell for each.
fn run_all(folder: &Path, commands: &[Block]) {
    let binary = Path::new(env!("CARGO_BIN_EXE_mtlc")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    for block in commands {
        let lines: Vec<String> = block.text.lines().filter_map(translated).collect();
        let mut shell = Command::new("sh");
        shell.current_dir(folder).env("PATH", &path).env("NO_COLOR", "1").stdin(Stdio::null());
        shell.env("HOME", folder).env_remove("XDG_CONFIG_HOME");
        let output = shell.args(["-exc", &lines.join("\n")]).output().expect("sh starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", block.place);
    }
}

#[test]
fn commands_run() {
    let mut seen = 0;
    for page in documents() {
        let commands: Vec<Block> = blocks(&page).into_iter().filter(|b| b.language == "sh").collect();
        if !commands.is_empty() {
            run_all(scene(&page).path(), &commands);
            seen += commands.len();
        }
    }
    assert!(seen > 0, "no document has commands");
}

#[test]
fn commands_of_the_starter_run() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(mtlc(folder.path(), &["new", "demo"]).status.success());
    let demo = folder.path().join("demo");
    let readme = fs::read_to_string(demo.join("README.md")).expect("a README");
    let commands = super::blocks_in("demo/README.md", &readme);
    assert_eq!(commands.iter().map(|b| b.language.as_str()).collect::<Vec<_>>(), ["sh"]);
    run_all(&demo, &commands);
    assert!(demo.join("runs/demo/report.html").exists());
}
