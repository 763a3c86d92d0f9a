//! What the tests of the binary share: running it, judging how it ended, and a small project.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Two tasks in two stages, with dropout, Adam and a schedule; `{EPOCHS}` of the second stage.
const PROGRAM: &str = r#"data home {
  format: tsv
  train: "data/train.tsv"  dev: 10% of train  test: "data/test.tsv"
  field text: text       from "text"
  field kind: class      from "kind"
  field tags: tags(text) from "tags"
}
const width = 24
layer words = embed(width) |> dropout(0.2)
layer reader(x) = x |> bilstm(width) |> dropout(0.3)
let h = home.text |> words |> reader
task kind: classify(home.kind) = h |> lstm(16) { vote: true }
task tags: tag(home.tags) = h |> lstm(16) { head: crf }
train {
  batch: 4  seed: 1  clip: 5.0
  optimizer: adam(lr: 1e-2)  schedule: linear
  stage first { tasks: [kind]  epochs: 2  select: kind.accuracy }
  stage both  { epochs: {EPOCHS}  select: mean(kind.accuracy, tags.accuracy) }
}
"#;

/// SplitMix64 (Steele et al. 2014), so that every run of a test draws the same.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// In [0, 1).
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A folder with `small.mtl` and its data.
pub struct Project(tempfile::TempDir);

impl Project {
    pub fn new(examples: usize, epochs: usize) -> Self {
        let project = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(project.path("data")).expect("a folder");
        let mut random = Random(7);
        project.write("data/train.tsv", rows(examples, &mut random));
        project.write("data/test.tsv", rows(20, &mut random));
        project.write("small.mtl", PROGRAM.replace("{EPOCHS}", &epochs.to_string()));
        project
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("written");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("UTF-8")
    }

    /// The binary in this folder.
    pub fn mtlc(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
        command.args(args).current_dir(self.root()).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.mtlc(args).output().expect("mtlc starts")
    }

    #[track_caller]
    pub fn fine(&self, args: &[&str]) {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }

    /// Copies a folder.
    pub fn copy(&self, from: &str, to: &str) {
        let to = self.path(to);
        let _ = std::fs::remove_dir_all(&to);
        for (name, bytes) in contents(&self.path(from)) {
            let path = to.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("written");
        }
    }

    /// What must not differ between a run that was interrupted and one that was not.
    pub fn result(&self, run: &str) -> (Vec<u8>, String) {
        (self.read(&format!("{run}/model.safetensors")), self.text(&format!("{run}/results.json")))
    }
}

fn rows(count: usize, random: &mut Random) -> String {
    let words = ["red", "green", "blue", "cat", "dog", "house", "tree", "seven"];
    let mut text = "text\tkind\ttags\n".to_string();
    for _ in 0..count {
        let length = 2 + random.below(6);
        let row: Vec<&str> = (0..length).map(|_| words[random.below(words.len())]).collect();
        let tags: Vec<&str> = row.iter().map(|w| if words[..3].contains(w) { "B-color" } else { "O" }).collect();
        let kind = if row.contains(&"cat") { "yes" } else { "no" };
        text += &format!("{}\t{kind}\t{}\n", row.join(" "), tags.join(" "));
    }
    text
}

/// Every file below a folder, by its path there.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").to_path_buf();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What is wrong with the way a command failed: it must end with this code, say one error that
/// holds these words, and never panic.
pub fn complaint(output: &Output, code: i32, gist: &str) -> Option<String> {
    let said = said(output);
    let errors = said.matches("error[").count();
    let wanted = usize::from(code == 1);
    let fault = if output.status.code() != Some(code) {
        format!("ended with {:?}, not {code}", output.status)
    } else if errors != wanted {
        format!("said {errors} errors, not {wanted}")
    } else if !said.contains(gist) {
        format!("did not say `{gist}`")
    } else if let Some(never) = ["panicked", "backtrace", "E0999"].iter().find(|never| said.contains(**never)) {
        format!("said `{never}`")
    } else {
        return None;
    };
    Some(format!("{fault}: {}", said.chars().take(600).collect::<String>()))
}
