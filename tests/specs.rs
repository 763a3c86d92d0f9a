//! The programs of the language's own collection, where it is at hand, check as they stand.

use std::path::{Path, PathBuf};

use mtlc::diagnostics::Diagnostic;
use mtlc::driver::check::{Settings, check};
use mtlc::source::{Disk, FileId, SourceMap};
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

/// What checking a program says, as line, the text that is marked, code and message.
fn said(path: &Path) -> (bool, Vec<(usize, String, String, Diagnostic)>) {
    let checked = check(path, &Disk, &Settings::default());
    let told = checked.diagnostics.iter().map(|d| {
        let span = d.span.unwrap();
        let line = checked.sources.place(span.file, span.start).line as usize + 1;
        (line, checked.sources.text(span).to_owned(), d.code.to_string(), d.clone())
    });
    let told = told.collect();
    (checked.model.is_some(), told)
}

#[test]
fn every_program_checks_without_a_word() {
    let Some(folder) = specs() else { return };
    let mut wrong = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "mtl") || path.ends_with("bad.mtl") {
            continue;
        }
        let (sound, told) = said(&path);
        if !sound || !told.is_empty() {
            wrong += &format!("{}: {told:#?}\n", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What the comments of the bad program say: the text to mark, and words of the message or help.
const MISTAKES: &[(usize, &str, &str, &[&str])] = &[
    (1, "utterence", "E0201", &["utterence", "utterance"]),
    (2, "clas", "E0205", &["clas", "class"]),
    (3, "droput", "E0301", &["droput"]),
    (4, "h", "E0501", &["utterance", "mean_pool", "attention_pool", "vote: true"]),
    (5, "s", "E0501", &["token"]),
    (6, "b.probs", "E0601", &["'a'", "'b'"]),
    (7, "spare", "W0201", &["spare"]),
    (8, "pooled", "E0202", &["pooled"]),
    (9, "c2.gold", "E0602", &["gold"]),
    (10, "atis", "E0101", &["expected `(` after `classify`"]),
    (11, "atis.utterance", "E0502", &["text", "class"]),
    (12, "span_f1", "E0503", &["span_f1", "classify"]),
    (13, "-3", "E0303", &["epochs", "at least 1"]),
    (14, "optimzer", "E0304", &["optimzer", "optimizer"]),
];

#[test]
fn the_bad_program_has_its_fourteen_mistakes() {
    let Some(folder) = specs() else { return };
    let path = folder.join("bad.mtl");
    let text = std::fs::read_to_string(&path).unwrap();
    let line_of = |nth: usize| {
        let says = |l: &str| l.split_once("// ").is_some_and(|(_, c)| c.starts_with(&format!("{nth} ")));
        text.lines().position(says).map(|l| l + 1)
    };
    let (sound, mut told) = said(&path);
    assert!(!sound);
    for (nth, marked, code, words) in MISTAKES {
        let line = line_of(*nth).unwrap_or_else(|| panic!("no comment for mistake {nth}"));
        let at = told.iter().position(|(l, m, c, _)| (*l, m.as_str(), c.as_str()) == (line, *marked, *code));
        let Some(at) = at else { panic!("mistake {nth}, `{marked}` {code} in line {line}: {told:#?}") };
        let (.., d) = told.remove(at);
        let all = format!("{} {} {}", d.message, d.label, d.help.clone().unwrap_or_default());
        assert!(words.iter().all(|w| all.contains(w)), "mistake {nth} says {all}");
        if *nth == 6 {
            let [other] = &d.labels[..] else { panic!("{d:#?}") };
            assert_eq!(&text[other.span.range()], "a.probs");
            assert!(d.label.contains("'a' reads 'b'") && other.message.contains("'b' reads 'a'"), "{d:#?}");
        }
        if *nth == 8 {
            assert_eq!(&text[d.labels[0].span.range()], "pooled");
        }
    }
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn the_programs_with_results_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What a program learns from, or begins with, is a run or an encoder that is not here.
        let begins = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.contains("use run") || text.contains("pretrained(")
        };
        if path.extension().is_none_or(|e| e != "mtl") || begins(&path) {
            continue;
        }
        let (sound, told) = said(&path);
        assert!(sound && told.is_empty(), "{told:#?}");
        seen += 1;
    }
    assert!(seen > 0, "no program in the folder");
}
