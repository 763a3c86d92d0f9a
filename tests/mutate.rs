//! Each token of each example deleted, doubled or misspelt: checking never panics, says something
//! at the place, and does not say much more than that.

use std::path::{Path, PathBuf};
use std::thread;

use mtlc::diagnostics::Diagnostic;
use mtlc::driver::check::{Checked, Settings, check};
use mtlc::source::{FileId, Loader, SourceMap, Span};
use mtlc::syntax::{Token, TokenKind, tokens};

/// A program in the place of its file; others come from the disk.
struct Instead<'t>(&'t Path, &'t str);

impl Loader for Instead<'_> {
    fn load(&self, path: &Path) -> std::io::Result<String> {
        if path == self.0 { Ok(self.1.to_owned()) } else { std::fs::read_to_string(path) }
    }
}

fn checked(path: &Path, text: &str) -> Checked {
    check(path, &Instead(path, text), &Settings::default())
}

/// The examples, and the language's own collection where it is at hand.
fn programs() -> Vec<(PathBuf, String)> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs");
    let specs = std::env::var_os("MTLC_SPECS").map_or(PathBuf::from(beside), PathBuf::from);
    // Without `..`, as the loader is asked for it.
    let specs = specs.canonicalize().unwrap_or(specs);
    let mut found = Vec::new();
    for folder in [Path::new("examples"), &specs].into_iter().filter(|f| f.is_dir()) {
        let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        found.extend(entries.filter(|p| p.extension().is_some_and(|e| e == "mtl")));
    }
    found.sort();
    let texts = found.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap()));
    texts.filter(|(path, text)| checked(path, text).diagnostics.is_empty()).collect()
}

/// What is done to a token.
#[derive(Clone, Copy)]
enum Change {
    Deleted,
    Doubled,
    Misspelt,
}

impl Change {
    const ALL: [(Change, &str); 3] =
        [(Change::Deleted, "deleted"), (Change::Doubled, "doubled"), (Change::Misspelt, "misspelt")];

    /// The text with one token changed.
    fn of(self, text: &str, token: Token) -> String {
        let word = token.text(text);
        let new = match self {
            Change::Deleted => String::new(),
            Change::Doubled => format!("{word} {word}"),
            Change::Misspelt if token.kind == TokenKind::Word && word.len() > 3 => {
                format!("{}{}", &word[..2], &word[3..])
            }
            Change::Misspelt => format!("{word}x"),
        };
        format!("{}{new}{}", &text[..token.start], &text[token.end..])
    }
}

/// What was seen.
#[derive(Default)]
struct Tally {
    tried: usize,
    broken: usize,
    diagnostics: usize,
    most: usize,
    /// Changes with more diagnostics than five.
    floods: Vec<String>,
    /// Changes that nothing points at.
    elsewhere: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.tried += other.tried;
        self.broken += other.broken;
        self.diagnostics += other.diagnostics;
        self.most = self.most.max(other.most);
        self.floods.extend(other.floods);
        self.elsewhere.extend(other.elsewhere);
    }

    fn check(&mut self, path: &Path, text: &str, line: u32, what: &str) {
        let checked = checked(path, text);
        self.tried += 1;
        for d in &checked.diagnostics {
            places(d).chain(d.fix.iter().map(|f| f.span)).for_each(|s| inside(&checked.sources, s, what));
            assert!(!d.message.ends_with('.') && !d.message.is_empty(), "{d:?}");
        }
        let Some(first) = checked.diagnostics.first() else { return };
        self.broken += 1;
        let name = format!("{}:{} {what}", path.file_name().unwrap().to_string_lossy(), line + 1);
        let there = |s: Span| {
            let line_of = |at: u32| checked.sources.place(s.file, at).line;
            s.file == FileId(0) && (line_of(s.start)..=line_of(s.end)).contains(&line)
        };
        if !checked.diagnostics.iter().flat_map(places).any(there) {
            self.elsewhere.push(format!("{name}: {} {}", first.code, first.message));
        }
        let n = checked.diagnostics.len();
        self.diagnostics += n;
        self.most = self.most.max(n);
        if n > 5 {
            let said: Vec<&str> = checked.diagnostics.iter().map(|d| d.message.as_str()).collect();
            self.floods.push(format!("{name}: {n}: {said:?}"));
        }
    }
}

/// The primary and secondary places of a diagnostic.
fn places(d: &Diagnostic) -> impl Iterator<Item = Span> {
    d.span.into_iter().chain(d.labels.iter().map(|l| l.span))
}

fn inside(map: &SourceMap, span: Span, what: &str) {
    assert!(span.start <= span.end && map.file(span.file).text.get(span.range()).is_some(), "{what}: {span:?}");
}

/// All changes of the tokens of a program that `mine` chooses.
fn change(path: &Path, text: &str, mine: impl Fn(usize) -> bool) -> Tally {
    let mut tally = Tally::default();
    for (_, token) in tokens(text).into_iter().enumerate().filter(|(nth, _)| mine(*nth)) {
        let line = text[..token.start].matches('\n').count() as u32;
        for (change, name) in Change::ALL {
            tally.check(path, &change.of(text, token), line, &format!("`{}` {name}", token.text(text)));
        }
    }
    tally
}

#[test]
fn one_changed_token_gives_few_words_at_its_place() {
    let programs = programs();
    assert!(programs.len() >= 7, "{}", programs.len());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let programs = &programs;
        let share = |nth: usize| {
            move || {
                let mut tally = Tally::default();
                programs.iter().for_each(|(p, t)| tally.add(change(p, t, |at| at % threads == nth)));
                tally
            }
        };
        let running: Vec<_> = (0..threads).map(|nth| scope.spawn(share(nth))).collect();
        running.into_iter().for_each(|thread| tally.add(thread.join().unwrap()));
    });
    let Tally { tried, broken, diagnostics, most, floods, elsewhere } = tally;
    let share = 1.0 - elsewhere.len() as f64 / broken as f64;
    let mean = diagnostics as f64 / broken as f64;
    let figures = format!(
        "{tried} changes, {broken} noticed, {:.1} % on their line, {mean:.2} diagnostics each, {most} at most",
        100.0 * share
    );
    println!("{figures}\nfloods: {floods:#?}\nelsewhere: {elsewhere:#?}");
    assert!(broken * 10 >= tried * 8, "{figures}");
    assert!(share >= 0.95, "{figures}");
    assert!(mean <= 2.0 && most <= 5, "{figures}");
}
