//! One token deleted, doubled or misspelt: checking never panics, says something at the place,
//! and does not say much more than that.

use std::path::{Path, PathBuf};

use mtlc::driver::check::{Settings, check};
use mtlc::source::{FileId, Loader, SourceMap, Span};

/// A program in the place of its file; others come from the disk.
struct Instead<'t>(&'t Path, &'t str);

impl Loader for Instead<'_> {
    fn load(&self, path: &Path) -> std::io::Result<String> {
        if path == self.0 { Ok(self.1.to_owned()) } else { std::fs::read_to_string(path) }
    }
}

/// Sound programs of the repository.
fn programs() -> Vec<PathBuf> {
    let root = Path::new("");
    let mut found = Vec::new();
    for folder in ["examples", "tests/ui/sema"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|e| e.unwrap().path());
        found.extend(entries.filter(|p| p.extension().is_some_and(|e| e == "mtl")));
    }
    found.sort();
    found.retain(|p| {
        let text = std::fs::read_to_string(p).unwrap();
        check(p, &Instead(p, &text), &Settings::default()).diagnostics.is_empty()
    });
    found
}

/// Words, numbers and marks of a text that stand outside comments and strings.
fn tokens(text: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'/' if text[at..].starts_with("//") => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'"' => at += 2 + text[at + 1..].find('"').unwrap_or(0),
            b if word(b) => {
                while at < bytes.len() && word(bytes[at]) {
                    at += 1;
                }
                found.push(start..at);
            }
            b if b.is_ascii_whitespace() => at += 1,
            _ => {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                found.push(start..at);
            }
        }
    }
    found
}

#[derive(Default)]
struct Tally {
    tried: usize,
    broken: usize,
    on_line: usize,
    diagnostics: usize,
    most: usize,
    floods: Vec<String>,
    elsewhere: Vec<String>,
}

impl Tally {
    fn check(&mut self, path: &Path, text: &str, line: u32, what: &str) {
        let checked = check(path, &Instead(path, text), &Settings::default());
        self.tried += 1;
        let map = &checked.sources;
        for d in &checked.diagnostics {
            let spans = d.span.iter().chain(d.labels.iter().map(|l| &l.span)).chain(d.fix.iter().map(|f| &f.span));
            for span in spans {
                assert!(inside(map, *span), "{}: {what}: {d:?}", path.display());
            }
            assert!(!d.message.ends_with('.') && !d.message.is_empty(), "{d:?}");
        }
        if checked.diagnostics.is_empty() {
            return;
        }
        self.broken += 1;
        let name = path.file_name().unwrap().to_string_lossy();
        let touches = |s: &Span| {
            let (from, to) = (map.place(s.file, s.start).line, map.place(s.file, s.end).line);
            // What is missing may be noticed at the next token, one line on.
            s.file == FileId(0) && (from..=to + 1).contains(&line) || s.file == FileId(0) && from == line + 1
        };
        let told =
            |d: &&mtlc::diagnostics::Diagnostic| d.span.iter().chain(d.labels.iter().map(|l| &l.span)).any(touches);
        if checked.diagnostics.iter().any(|d| told(&d)) {
            self.on_line += 1;
        } else {
            self.elsewhere.push(format!("{name}:{} {what}: {}", line + 1, checked.diagnostics[0].message));
        }
        let n = checked.diagnostics.len();
        self.diagnostics += n;
        self.most = self.most.max(n);
        if n > 5 {
            self.floods.push(format!("{name}:{} {what}: {n}", line + 1));
        }
    }
}

fn inside(map: &SourceMap, span: Span) -> bool {
    span.start <= span.end && map.file(span.file).text.get(span.range()).is_some()
}

#[test]
fn one_changed_token_gives_few_words_at_its_place() {
    let mut tally = Tally::default();
    for path in programs() {
        let text = std::fs::read_to_string(&path).unwrap();
        let all = tokens(&text);
        for (nth, at) in all.iter().enumerate() {
            let line = text[..at.start].matches('\n').count() as u32;
            let token = &text[at.clone()];
            let (before, after) = (&text[..at.start], &text[at.end..]);
            let (change, new) = match nth % 3 {
                0 => ("deleted", String::new()),
                1 => ("doubled", format!("{token} {token}")),
                _ if token.len() > 3 => ("misspelt", format!("{}{}", &token[..2], &token[3..])),
                _ => ("misspelt", format!("{token}x")),
            };
            tally.check(&path, &format!("{before}{new}{after}"), line, &format!("`{token}` {change}"));
        }
    }
    let Tally { tried, broken, on_line, diagnostics, most, floods, elsewhere } = tally;
    let (share, mean) = (on_line as f64 / broken as f64, diagnostics as f64 / broken as f64);
    println!(
        "{tried} changes, {broken} noticed, {:.1} % at their place, {mean:.2} diagnostics each, {most} at most",
        100.0 * share
    );
    println!("floods: {floods:#?}\nelsewhere: {elsewhere:#?}");
    assert!(broken * 10 >= tried * 7, "{broken} of {tried} noticed");
    assert!(share >= 0.9, "{share}");
    assert!(mean <= 2.5, "{mean}");
    assert!(floods.len() * 100 <= broken, "{} of {broken} give more than 5", floods.len());
}
