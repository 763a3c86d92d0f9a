//! The programs of the language's own collection, where it is at hand, parse as they stand.

use std::path::PathBuf;

use mtlc::source::{FileId, SourceMap};
use mtlc::syntax::parse;

/// The folder of the programs: `MTLC_SPECS`, else beside the repository; `None` when absent.
fn specs() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs");
    let folder = std::env::var_os("MTLC_SPECS").map_or(PathBuf::from(beside), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not a folder", folder.display());
    None
}

#[test]
fn every_program_parses() {
    let Some(folder) = specs() else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "mtl") || path.ends_with("bad.mtl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = parse(FileId(0), &text);
        assert!(parsed.diagnostics.is_empty(), "{}: {:#?}", path.display(), parsed.diagnostics);
        assert!(!parsed.ast.items.is_empty() && parsed.ast.docs.is_some(), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 0, "no program in the folder");
}

#[test]
fn the_bad_program_has_one_syntax_error() {
    let Some(folder) = specs() else { return };
    let text = std::fs::read_to_string(folder.join("bad.mtl")).unwrap();
    let mut map = SourceMap::new();
    let file = map.add("bad.mtl", &text);
    let parsed = parse(file, &map.file(file).text);
    let [only] = &parsed.diagnostics[..] else { panic!("{:#?}", parsed.diagnostics) };
    assert_eq!(only.message, "expected `(` after `classify`");
    let place = map.place(file, only.span.unwrap().start);
    let line = text.lines().nth(place.line as usize).unwrap();
    assert!(line.starts_with("task d: classify atis.intent = s"), "{line}");
    assert!(parsed.tolerated.contains("d"));
}
