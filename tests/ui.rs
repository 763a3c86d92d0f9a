//! UI tests: each `.mtl` file in a folder of `tests/ui/` says in comments which diagnostics it
//! gives, and where.
//!
//! After a line, `//   ^^^^ E0101 part of the message` expects a diagnostic whose span is exactly
//! what the carets mark. Where the span begins too far left for carets, `// <- 0..4 E0101 …`
//! gives its columns. A span over several lines is marked to the end of its first line, an empty
//! one as one column. Each diagnostic is expected exactly once.
//!
//! `MTLC_BLESS=1 cargo test --test ui` rewrites the comments from what the compiler says.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use mtlc::diagnostics::Diagnostic;
use mtlc::source::{FileId, SourceMap};
use mtlc::{sema, syntax};

type Phase = fn(&mut SourceMap, FileId) -> Vec<Diagnostic>;

/// Folders of `tests/ui/` and the phase that their files are for.
const PHASES: &[(&str, Phase)] = &[("syntax", parse_only), ("data", whole), ("train", whole)];

fn parse_only(map: &mut SourceMap, file: FileId) -> Vec<Diagnostic> {
    let text = map.file(file).text.clone();
    syntax::parse(file, &text).diagnostics
}

fn whole(map: &mut SourceMap, file: FileId) -> Vec<Diagnostic> {
    let text = map.file(file).text.clone();
    let mut parse = syntax::parse(file, &text);
    let diagnostics = std::mem::take(&mut parse.diagnostics);
    let program = sema::Program { name: "program".into(), files: vec![parse], diagnostics };
    sema::check(program, map, Default::default()).diagnostics
}

/// A diagnostic as the comments describe it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    line: usize,
    start: usize,
    end: usize,
    code: String,
    message: String,
}

#[test]
fn fixtures_give_what_they_say() {
    let mut wrong = String::new();
    for (folder, phase) in PHASES {
        let fixtures = fixtures(folder);
        assert!(!fixtures.is_empty(), "no fixture in tests/ui/{folder}");
        for path in fixtures {
            run(&path, *phase, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}\nMTLC_BLESS=1 rewrites the comments");
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "mtl")).collect();
    files.sort();
    files
}

fn run(path: &Path, phase: Phase, wrong: &mut String) {
    let text = std::fs::read_to_string(path).unwrap();
    if std::env::var_os("MTLC_BLESS").is_some() {
        std::fs::write(path, bless(path, &text, phase)).unwrap();
        return;
    }
    let expected = expectations(&text);
    let mut given = marks(path, &text, phase);
    for mark in expected {
        match given.iter().position(|g| fits(g, &mark)) {
            Some(at) => drop(given.remove(at)),
            None => report(wrong, path, "expected, not given", &mark),
        }
    }
    given.iter().for_each(|mark| report(wrong, path, "given, not expected", mark));
}

fn fits(given: &Mark, expected: &Mark) -> bool {
    let message = given.message.contains(&expected.message);
    message
        && Mark { message: String::new(), ..given.clone() }
            == Mark { message: String::new(), ..expected.clone() }
}

fn report(wrong: &mut String, path: &Path, what: &str, mark: &Mark) {
    let Mark { line, start, end, code, message } = mark;
    writeln!(wrong, "{}:{} columns {start}..{end}: {what}: {code} {message}", path.display(), line + 1)
        .unwrap();
}

/// What the compiler says about a text.
fn marks(path: &Path, text: &str, phase: Phase) -> Vec<Mark> {
    let mut map = SourceMap::new();
    let file = map.add(path, text);
    let diagnostics = phase(&mut map, file);
    let mut marks: Vec<Mark> = diagnostics.iter().map(|d| mark(&map, d)).collect();
    marks.sort();
    marks
}

fn mark(map: &SourceMap, diagnostic: &Diagnostic) -> Mark {
    let span = diagnostic.span.unwrap_or_else(|| panic!("no place: {diagnostic:?}"));
    let (from, to) = (map.place(span.file, span.start), map.place(span.file, span.end));
    let line = map.file(span.file).text.lines().nth(from.line as usize).unwrap_or("");
    let start = from.column as usize;
    let end = if to.line == from.line { to.column as usize } else { line.chars().count() };
    let (code, message) = (diagnostic.code.to_string(), diagnostic.message.clone());
    Mark { line: from.line as usize, start, end: end.max(start + 1), code, message }
}

/// What the comments of a text expect.
fn expectations(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut code_line = 0;
    for (number, line) in text.lines().enumerate() {
        match expectation(line) {
            Some(mark) => marks.push(Mark { line: code_line, ..mark }),
            None => code_line = number,
        }
    }
    marks
}

fn expectation(line: &str) -> Option<Mark> {
    let body = line.trim_start().strip_prefix("//")?.trim_start();
    let (start, end, rest) = if body.starts_with('^') {
        let start = line.chars().take_while(|c| *c != '^').count();
        let rest = body.trim_start_matches('^');
        (start, start + (body.len() - rest.len()), rest)
    } else {
        let (range, rest) = body.strip_prefix("<-")?.trim_start().split_once(' ')?;
        let (start, end) = range.split_once("..")?;
        (start.parse().ok()?, end.parse().ok()?, rest)
    };
    let (code, message) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    Some(Mark { line: 0, start, end, code: code.to_owned(), message: message.to_owned() })
}

/// The text with comments that say what the compiler says.
fn bless(path: &Path, text: &str, phase: Phase) -> String {
    // Offsets shift with the comments, lines and columns of the others do not change meaning.
    let bare: Vec<&str> = text.lines().filter(|line| expectation(line).is_none()).collect();
    let bare_text = bare.join("\n") + "\n";
    let marks = marks(path, &bare_text, phase);
    let mut out = String::new();
    for (number, line) in bare.iter().enumerate() {
        out.push_str(line);
        out.push('\n');
        for mark in marks.iter().filter(|m| m.line == number) {
            out.push_str(&comment(mark));
        }
    }
    out
}

fn comment(mark: &Mark) -> String {
    let Mark { start, end, code, message, .. } = mark;
    if *start < 3 {
        return format!("// <- {start}..{end} {code} {message}\n");
    }
    format!("//{}{} {code} {message}\n", " ".repeat(start - 2), "^".repeat(end - start))
}
