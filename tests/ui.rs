//! UI tests: each `.mtl` file in a folder of `tests/ui/` says in comments which diagnostics it
//! gives, and where.
//!
//! After a line, `//   ^^^^ E0101 part of the message` expects a diagnostic whose span is exactly
//! what the carets mark. Where the span begins too far left for carets, `// <- 0..4 E0101 …`
//! gives its columns. A span over several lines is marked to the end of its first line, an empty
//! one as one column. Each diagnostic is expected exactly once.
//!
//! In folders that check whole programs the other parts of a diagnostic are marked too: `also` is
//! a second place, `help` and `fix` stand under the primary span. A fix is applied, and must mend
//! what it was offered for.
//!
//! Every diagnostic that the fixtures give also follows the house style of messages, and every code
//! has fixtures.
//!
//! `MTLC_BLESS=1 cargo test --test ui` rewrites the comments from what the compiler says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use mtlc::diagnostics::{Diagnostic, codes};
use mtlc::driver::check::{Settings, check};
#[cfg(feature = "train")]
use mtlc::driver::compile::{base_of, compile};
use mtlc::source::{Disk, FileId, Loader, SourceMap, Span};
use mtlc::syntax;

#[path = "ui/style.rs"]
mod style;

type Phase = fn(&Path, &str) -> (SourceMap, Vec<Diagnostic>);

/// Folders of `tests/ui/`, the phase that their files are for, and whether all parts of a
/// diagnostic are marked.
const PHASES: &[(&str, Phase, bool)] = &[
    ("syntax", parse_only, false),
    ("sema", check_only, true),
    ("data", check_only, false),
    ("train", check_only, false),
    ("notes", with_notes, true),
    #[cfg(feature = "train")]
    ("reading", with_data, true),
];

/// Checks a program, with what is often meant.
fn with_notes(path: &Path, text: &str) -> (SourceMap, Vec<Diagnostic>) {
    let mut checked = check(path, &Instead(path, text), &Settings::default());
    let notes = std::mem::take(&mut checked.notes);
    checked.add(notes);
    (checked.sources, checked.diagnostics)
}

/// Checks a program and reads its data.
#[cfg(feature = "train")]
fn with_data(path: &Path, text: &str) -> (SourceMap, Vec<Diagnostic>) {
    let mut checked = check(path, &Instead(path, text), &Settings::default());
    let Some(model) = &checked.model else { return (checked.sources, checked.diagnostics) };
    let read = compile(model, &base_of(path, None));
    checked.add(read.map_or_else(|errors| errors, |compiled| compiled.warnings));
    checked.diagnostics.iter_mut().for_each(|d| d.message = without_machine(&d.message));
    (checked.sources, checked.diagnostics)
}

/// A message without what only this machine has.
#[cfg(feature = "train")]
fn without_machine(message: &str) -> String {
    match message.split_once("this machine has ") {
        Some((before, _)) => format!("{before}this machine has less"),
        None => message.to_owned(),
    }
}

fn parse_only(path: &Path, text: &str) -> (SourceMap, Vec<Diagnostic>) {
    let mut map = SourceMap::new();
    let file = map.add(path, text);
    let text = map.file(file).text.clone();
    (map, syntax::parse(file, &text).diagnostics)
}

/// A text in the place of the file at a path; other files come from the disk.
struct Instead<'t>(&'t Path, &'t str);

impl Loader for Instead<'_> {
    fn load(&self, path: &Path) -> std::io::Result<String> {
        if path == self.0 { Ok(self.1.to_owned()) } else { Disk.load(path) }
    }
}

fn check_only(path: &Path, text: &str) -> (SourceMap, Vec<Diagnostic>) {
    let checked = check(path, &Instead(path, text), &Settings::default());
    assert_eq!(checked.failed(), checked.model.is_none(), "{}", path.display());
    (checked.sources, checked.diagnostics)
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
    for (folder, phase, parts) in PHASES {
        let fixtures = fixtures(folder);
        assert!(!fixtures.is_empty(), "no fixture in tests/ui/{folder}");
        for path in fixtures {
            run(&path, (*phase, *parts), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}\nMTLC_BLESS=1 rewrites the comments");
}

#[test]
fn each_code_has_fixtures() {
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for path in PHASES.iter().flat_map(|(folder, ..)| fixtures(folder)) {
        let marks = expectations(&std::fs::read_to_string(path).unwrap());
        let given: BTreeSet<String> = marks.into_iter().map(|mark| mark.code).collect();
        given.into_iter().for_each(|code| *files.entry(code).or_default() += 1);
        all += 1;
    }
    // These are given while training or by a command, and tested there.
    let runs = |code: &str| code == "E0603" || ["E09", "W09"].iter().any(|p| code.starts_with(p));
    let reading =
        |code: &str| ["E08", "W08", "W0402"].iter().any(|p| code.starts_with(p)) && cfg!(not(feature = "train"));
    let few = |code: &&str| !runs(code) && !reading(code) && files.get(*code).copied().unwrap_or(0) < 3;
    let few: Vec<&str> = codes::ALL.iter().map(|(code, _)| code.0).filter(few).collect();
    assert!(few.is_empty() && all >= 120, "{all} fixtures; fewer than three for {few:?}");
}

#[test]
fn messages_follow_the_house_style() {
    let mut wrong = String::new();
    for (folder, phase, _) in PHASES {
        for path in fixtures(folder) {
            let (_, diagnostics) = phase(&path, &std::fs::read_to_string(&path).unwrap());
            for d in &diagnostics {
                for (fault, text) in style::faults(d) {
                    writeln!(wrong, "{}: {} {fault}: {text}", path.display(), d.code).unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Relative paths, so that messages name no machine; tests run in the folder of the package.
fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/ui").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "mtl")).collect();
    files.sort();
    files
}

fn run(path: &Path, phase: (Phase, bool), wrong: &mut String) {
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
    message && Mark { message: String::new(), ..given.clone() } == Mark { message: String::new(), ..expected.clone() }
}

fn report(wrong: &mut String, path: &Path, what: &str, mark: &Mark) {
    let Mark { line, start, end, code, message } = mark;
    writeln!(wrong, "{}:{} columns {start}..{end}: {what}: {code} {message}", path.display(), line + 1).unwrap();
}

/// What the compiler says about a text.
fn marks(path: &Path, text: &str, (phase, parts): (Phase, bool)) -> Vec<Mark> {
    let (map, diagnostics) = phase(path, text);
    let mut marks: Vec<Mark> = Vec::new();
    for d in diagnostics {
        let span = d.span.unwrap_or_else(|| panic!("no place: {d:?}"));
        marks.push(mark(&map, span, &d.code.to_string(), &d.message));
        if parts {
            marks.extend(d.labels.iter().map(|l| mark(&map, l.span, "also", &l.message)));
            marks.extend(d.help.iter().map(|help| mark(&map, span, "help", help)));
            marks.extend(d.fix.iter().map(|fix| mark(&map, fix.span, "fix", &fix.replacement)));
            mends(path, text, phase, &d);
        }
    }
    marks.sort();
    marks
}

/// A fix mends what it was offered for, and the program still parses.
fn mends(path: &Path, text: &str, phase: Phase, d: &Diagnostic) {
    let Some(fix) = &d.fix else { return };
    let mended = format!("{}{}{}", &text[..fix.span.range().start], fix.replacement, &text[fix.span.range().end..]);
    let (_, after) = phase(path, &mended);
    let same = |list: &[Diagnostic]| list.iter().filter(|x| x.code == d.code && x.message == d.message).count();
    let (_, before) = phase(path, text);
    assert!(same(&after) < same(&before), "{}: the fix `{}` does not mend: {d:?}", path.display(), fix.replacement);
    assert!(
        after.len() <= before.len(),
        "{}: the fix `{}` makes it worse: {after:#?}",
        path.display(),
        fix.replacement
    );
}

/// A place in the first file; other files have no lines of their own here.
fn mark(map: &SourceMap, span: Span, code: &str, message: &str) -> Mark {
    let (code, message) = (code.to_owned(), message.to_owned());
    if span.file != FileId(0) {
        let name = map.file(span.file).path.file_name().unwrap_or_default().to_string_lossy();
        let line = map.place(span.file, span.start).line + 1;
        return Mark { line: 0, start: 0, end: 1, code, message: format!("{name}:{line} {message}") };
    }
    let (from, to) = (map.place(span.file, span.start), map.place(span.file, span.end));
    let line = map.file(span.file).text.lines().nth(from.line as usize).unwrap_or("");
    let start = from.column as usize;
    let end = if to.line == from.line { to.column as usize } else { line.chars().count() };
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
fn bless(path: &Path, text: &str, phase: (Phase, bool)) -> String {
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
