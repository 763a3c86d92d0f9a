//! The programs of ways to share, and the language's own `slot_gated`, train on tiny data that is
//! made here in the form of the published sets.
#![cfg(feature = "train")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WORDS: [&str; 8] = ["show", "flights", "from", "boston", "to", "denver", "cheap", "fares"];

/// Words of sentence `i`.
fn sentence(i: usize) -> Vec<&'static str> {
    (0..3 + i % 4).map(|j| WORDS[(i * 5 + j * 3) % WORDS.len()]).collect()
}

fn write(path: PathBuf, lines: impl Iterator<Item = String>) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, lines.map(|line| line + "\n").collect::<String>()).expect("written");
}

fn slots(i: usize) -> String {
    let tag = |word: &&str| if matches!(*word, "boston" | "denver") { "B-city" } else { "O" };
    sentence(i).iter().map(tag).collect::<Vec<_>>().join(" ")
}

/// Stand-ins for the data sets, with as few examples as train, dev and test can have.
fn data(folder: &Path) {
    for (split, first, count) in [("train", 0, 30), ("dev", 3, 8), ("test", 7, 8)] {
        let rows = || first..first + count;
        for set in ["atis", "mixatis"] {
            let several = |i: usize| ["flight", "fare", if set == "atis" { "fare" } else { "flight#fare" }][i % 3];
            let file = |name: &str| folder.join(set).join(split).join(name);
            write(file("seq.in"), rows().map(|i| sentence(i).join(" ")));
            write(file("seq.out"), rows().map(slots));
            write(file("label"), rows().map(|i| several(i).to_string()));
        }
        for domain in ["books", "dvd", "electronics", "kitchen", "toys"] {
            let review = |i: usize| format!("{}\t{}", i % 2, sentence(i).join(" "));
            write(folder.join(format!("reviews/{domain}.{split}")), rows().map(review));
        }
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
fn every_program_of_sharing_trains() {
    let folder = tempfile::tempdir().expect("a folder");
    data(folder.path());
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    for name in [
        "co_interactive",
        "gl_gin",
        "reviews_single",
        "reviews_uniform",
        "reviews_coupled",
        "reviews_shared",
        "reviews_experts",
        "reviews_cross_stitch",
        "reviews_sluice",
    ] {
        trained(&programs.join(format!("{name}.mtl")), folder.path(), &folder.path().join(name));
    }
}

#[test]
fn the_slot_gate_of_the_collection_trains_as_it_stands() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs");
    let specs = std::env::var_os("MTLC_SPECS").map_or(PathBuf::from(beside), PathBuf::from);
    if !specs.is_dir() {
        println!("skipped: {} is not a folder", specs.display());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    data(&folder.path().join("data"));
    std::fs::create_dir(folder.path().join("specs")).expect("made");
    trained(&specs.join("slot_gated.mtl"), &folder.path().join("specs"), &folder.path().join("run"));
}
