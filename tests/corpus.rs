//! What fuzzing found worth keeping, and every text that once went wrong, run again through the
//! functions that the fuzz targets call.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "the targets call all of it")]
mod targets;

use std::path::Path;

/// The files of a target's corpus.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let files: Vec<Vec<u8>> = entries.map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// As a target reads its bytes: up to the first that is not UTF-8.
fn text(bytes: &[u8]) -> &str {
    let end = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
    std::str::from_utf8(&bytes[..end]).unwrap()
}

#[test]
fn parse() {
    corpus("parse").iter().for_each(|bytes| targets::parse(text(bytes)));
}

#[test]
fn check() {
    corpus("check").iter().for_each(|bytes| targets::check(text(bytes)));
}

#[test]
fn fmt() {
    corpus("fmt").iter().for_each(|bytes| targets::fmt(text(bytes)));
}

#[test]
fn edits() {
    corpus("edits").iter().for_each(|bytes| targets::edits(bytes));
}

/// The words that fuzzing puts into texts: keywords, marks and the names of operations.
#[test]
fn the_dictionary_holds_the_words_of_the_language() {
    let marks = ["|>", "->", "//", "///", "//// ", "{}", "()", "[]", "\"\"", ": ", " = ", "10% of train", "1e-3"];
    let kinds = mtlc::ops::TASKS.iter().map(|t| t.signature().name);
    let words = mtlc::syntax::KEYWORDS.iter().copied().chain(mtlc::ops::names()).chain(kinds);
    let mut lines: Vec<String> = words.chain(marks).map(|w| format!("\"{}\"\n", w.replace('"', "\\\""))).collect();
    lines.sort();
    lines.dedup();
    let (path, wanted) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/mtl.dict"), lines.concat());
    if std::env::var_os("MTLC_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let given = std::fs::read_to_string(&path).unwrap();
    assert_eq!(given, wanted, "MTLC_BLESS=1 cargo test --test corpus rewrites it");
}
