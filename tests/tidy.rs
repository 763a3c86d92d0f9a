//! The house plan, held against the code: which room imports which, how long files are, and
//! that nothing a user can meet panics by design.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms that a room may import, as `docs/architecture.md` draws them. `ops` is read by the
/// checker, the lowering and the backend, and each operation's file speaks to all three.
const PLAN: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("diagnostics", &["source"]),
    ("syntax", &["source", "diagnostics"]),
    ("fmt", &["source", "diagnostics", "syntax"]),
    ("data", &["source", "diagnostics"]),
    ("sema", &["source", "diagnostics", "syntax", "data", "ops", "plan"]),
    ("plan", &["source", "data", "sema", "ops"]),
    ("ops", &["source", "diagnostics", "syntax", "data", "sema", "plan", "backend"]),
    ("backend", &["data", "ops", "plan", "train"]),
    ("train", &["source", "diagnostics", "data", "ops", "plan", "backend"]),
    ("report", &["source", "diagnostics", "data", "plan", "train"]),
    ("driver", &["source", "diagnostics", "syntax", "sema", "ops", "data", "plan", "backend", "train", "report"]),
    ("lsp", &["source", "diagnostics", "syntax", "fmt", "sema", "ops", "data", "plan", "report", "driver"]),
    ("cli", &["source", "diagnostics", "fmt", "sema", "ops", "data", "plan", "train", "report", "driver", "lsp"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Code outside tests: what stands before the first test module, without comments.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..end].lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), &mut found);
    let is_test =
        |p: &Path| p.components().any(|c| c.as_os_str() == "tests") || p.ends_with("tests.rs") || p.ends_with("toy.rs");
    found.retain(|p| !is_test(p));
    found.into_iter().map(|p| (p.clone(), std::fs::read_to_string(&p).expect("a file"))).collect()
}

fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("inside src");
    inside.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default()
}

#[test]
fn rooms_import_what_the_plan_says() {
    let rooms: BTreeSet<&str> = PLAN.iter().map(|p| p.0).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some((_, allowed)) = PLAN.iter().find(|p| p.0 == room(&path)) else { continue };
        for part in code(&text).split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if rooms.contains(name.as_str()) && name != room(&path) && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} imports {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the house plan:\n{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let homes: &[(&str, &[&str])] = &[
        ("pest", &["syntax"]),
        ("codespan_reporting", &["diagnostics"]),
        ("candle_core", &["backend", "ops", "train", "driver"]),
        ("clap::", &["cli"]),
        ("pretty::", &["fmt"]),
        ("indicatif", &["report"]),
        ("gen_lsp_types", &["lsp"]),
        ("lsp_server", &["lsp"]),
        ("url::", &["lsp"]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (library, rooms) in homes {
            if code(&text).contains(library) && !rooms.contains(&room(&path).as_str()) {
                wrong.push(format!("{} uses {library}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if text.lines().count() > 600 {
            wrong.push(format!("{} has {} lines", path.display(), text.lines().count()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not say what it is", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_panics_by_design() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for never in [".unwrap()", "todo!(", "unimplemented!(", "unreachable!(", "panic!("] {
            if code(&text).contains(never) {
                wrong.push(format!("{} has {never}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
