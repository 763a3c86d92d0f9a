//! Programs in the documents that are read with data, and what mtlc says about them.
//!
//! A block `data NAME` is a file (`data NAME latin1` one in that encoding), `mtl,data` a program
//! that is checked beside the files so far, and `text` after it what is printed.
//! `MTLC_BLESS=1 cargo test --test docs` rewrites the last.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Block, blocks, documents, markdown, read, root};

/// What `mtlc check` prints about a program, without what only this machine has.
fn said(folder: &Path, program: &str) -> String {
    fs::write(folder.join("page.mtl"), program).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null()).args(["check", "page.mtl"]);
    let said = String::from_utf8(command.output().expect("mtlc starts").stderr).expect("UTF-8");
    let lines = said.lines().map(|line| match line.split_once("this machine has ") {
        Some((before, _)) => format!("{before}this machine has 15.6 GiB"),
        None => line.trim_end().to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    // Runs of blank lines and what the mistakes come to are left out.
    format!("$ mtlc check page.mtl\n{}\n", lines.join("\n").trim_end())
}

fn write(folder: &Path, block: &Block) {
    let mut words = block.language.split(' ').skip(1);
    let name = words.next().expect("a file name");
    let bytes: Vec<u8> = match words.next() {
        Some("latin1") => block.text.chars().map(|c| u8::try_from(c).expect("a Latin-1 character")).collect(),
        _ => block.text.clone().into_bytes(),
    };
    fs::write(folder.join(name), bytes).expect("written");
}

/// What mtlc says of each program of a page.
fn all_said(page: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = Vec::new();
    for block in blocks(page) {
        match block.language.as_str() {
            data if data.starts_with("data ") => write(folder.path(), &block),
            "mtl,data" => all.push(said(folder.path(), &block.text)),
            _ => {}
        }
    }
    all
}

/// The page with what is said after each program that a `text` block follows.
fn renewed(page: &str) -> String {
    let (text, mut said) = (read(page), all_said(page).into_iter());
    let mut out = String::new();
    let mut last = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out += line;
        out.push('\n');
        match line {
            "```mtl,data" => last = said.next().expect("one for each program"),
            "```text" if !last.is_empty() => {
                out += &std::mem::take(&mut last);
                out += "```\n";
                lines.by_ref().find(|l| *l == "```");
            }
            _ => {}
        }
    }
    out
}

fn with_data() -> Vec<String> {
    let pages = documents().into_iter().chain(markdown("docs/errors"));
    pages.filter(|p| blocks(p).iter().any(|b| b.language == "mtl,data")).collect()
}

#[test]
fn what_is_printed_is_what_mtlc_says() {
    let mut seen = 0;
    for page in with_data() {
        let new = renewed(&page);
        if std::env::var_os("MTLC_BLESS").is_some() {
            fs::write(root().join(&page), &new).expect("written");
        }
        assert!(read(&page) == new, "{page} is old; MTLC_BLESS=1 cargo test --test docs rewrites it:\n{new}");
        seen += 1;
    }
    assert!(seen > 10, "{seen} pages");
}

#[test]
fn pages_of_data_show_their_code_and_mend_it() {
    for page in with_data().iter().filter(|p| p.starts_with("docs/errors")) {
        let code = Path::new(page).file_stem().expect("a name").to_string_lossy().into_owned();
        let said = all_said(page);
        let [first, last] = said.as_slice() else { panic!("{page} has {} programs", said.len()) };
        let codes: Vec<&str> =
            first.lines().filter_map(|l| l.split_once('[')?.1.split_once("]:")).map(|c| c.0).collect();
        assert!(!codes.is_empty() && codes.iter().all(|c| *c == code), "{page}: {first}");
        assert!(last.ends_with("page.mtl: no mistakes\n"), "{page}: {last}");
    }
}
