//! What a text says, without the formatter's own opinion on it; and the texts to try.

use std::path::{Path, PathBuf};

use mtlc::diagnostics::codes;
use mtlc::fmt::format;
use mtlc::source::FileId;
use mtlc::syntax::{parse, tokens};
use serde_json::Value;

/// All programs at hand, with a name each: fixtures, examples, the blocks of documents, and the
/// language's own collection where it is.
pub fn programs() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for folder in ["examples", "tests/ui", "tests/programs", "src/cli/starter"] {
        files(Path::new(folder), "mtl", &mut paths);
    }
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs");
    let specs = std::env::var_os("MTLC_SPECS").map_or(PathBuf::from(beside), PathBuf::from);
    if specs.is_dir() {
        files(&specs, "mtl", &mut paths);
    }
    let mut found: Vec<_> = paths.iter().map(|p| (p.display().to_string(), read(p))).collect();
    let mut pages = Vec::new();
    files(Path::new("docs"), "md", &mut pages);
    pages.push("README.md".into());
    found.extend(pages.iter().flat_map(|page| blocks(page)));
    found
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The programs in a document.
fn blocks(page: &Path) -> Vec<(String, String)> {
    let text = read(page);
    let starts = text.match_indices("```mtl").enumerate();
    let block = |(nth, (at, _)): (usize, (usize, &str))| {
        let body = text[at..].split_once('\n')?.1.split("```").next()?;
        Some((format!("{} {nth}", page.display()), body.to_owned()))
    };
    starts.filter_map(block).collect()
}

/// Formatting changes nothing of what a text says, and nothing at all the second time.
pub fn unchanged(name: &str, text: &str) {
    let first = format(text);
    assert!(first.diagnostics.iter().all(|d| d.code != codes::BUG), "{name}: {text}");
    assert_eq!(said(text), said(&first.text), "{name}: {text}");
    let second = format(&first.text).text;
    assert_eq!(first.text, second, "{name} is laid out in two ways: {text}");
    let before: Vec<_> = parse(FileId(0), text).diagnostics.into_iter().map(|d| (d.code, d.message)).collect();
    let after: Vec<_> = parse(FileId(0), &first.text).diagnostics.into_iter().map(|d| (d.code, d.message)).collect();
    assert_eq!(before, after, "{name}: {text}");
}

/// Tokens without commas that end a list, comments, and the tree without its places.
pub fn said(text: &str) -> (Vec<String>, Vec<String>, Value) {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let parsed = parse(FileId(0), text);
    let words: Vec<&str> = tokens(text).iter().map(|t| t.text(text)).collect();
    let ends = |i: usize| words[i] == "," && matches!(words.get(i + 1), Some(&(")" | "]")));
    let kept = (0..words.len()).filter(|i| !ends(*i)).map(|i| words[i].to_owned()).collect();
    let comments = parsed.trivia.iter().map(|c| text[c.span.range()].trim_end().to_owned()).collect();
    let mut tree = serde_json::to_value(&parsed.ast).unwrap();
    without_places(&mut tree);
    (kept, comments, tree)
}

fn without_places(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.contains_key("start") && map.contains_key("end") {
                map.clear();
            }
            map.values_mut().for_each(without_places);
        }
        Value::Array(list) => list.iter_mut().for_each(without_places),
        _ => {}
    }
}
