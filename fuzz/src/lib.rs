//! What must hold whatever a text is. The fuzz targets call these functions, and `tests/corpus.rs`
//! calls them on the corpus that is kept.

use std::io::{Error, ErrorKind};
use std::path::Path;

use mtlc::diagnostics::{Diagnostic, codes, render};
use mtlc::driver::check::{Checked, Settings, check as checked};
use mtlc::fmt::format;
use mtlc::source::{FileId, SourceMap, Span};
use mtlc::syntax;
use serde_json::Value;

mod server;

pub use server::edits;

/// Stands between the texts of two files.
const NEXT_FILE: &str = "//// ";

/// Parsing never fails, and speaks of places in the text.
pub fn parse(text: &str) {
    let mut map = SourceMap::new();
    let file = map.add("a.mtl", text);
    let text = map.file(file).text.clone();
    let parsed = syntax::parse(file, &text);
    parsed.diagnostics.iter().for_each(|d| sensible(&map, d));
    parsed.trivia.iter().for_each(|c| inside(&map, c.span));
    spans(&serde_json::to_value(&parsed.ast).expect("a tree"), &mut |span| inside(&map, span));
    let tokens = syntax::tokens(&text);
    assert!(tokens.windows(2).all(|w| w[0].end <= w[1].start), "tokens out of order");
}

/// Checking never fails, says the same each time, and speaks of places in the texts.
pub fn check(text: &str) {
    let first = program(text);
    first.diagnostics.iter().for_each(|d| sensible(&first.sources, d));
    assert_eq!(first.failed(), first.model.is_none(), "a model where there are errors, or neither");
    assert!(first.diagnostics.iter().all(|d| d.code != codes::BUG), "{:?}", first.diagnostics);
    let said = render::human(&first.sources, &first.diagnostics, false);
    assert_eq!(said, render::human(&first.sources, &program(text).diagnostics, false), "said otherwise");
}

/// Checks a text: up to a line that begins with `//// ` it is `a.mtl`, what follows is `b.mtl`.
fn program(text: &str) -> Checked {
    let (a, b) = text.split_once(NEXT_FILE).unwrap_or((text, ""));
    let load = |path: &Path| match path.to_str() {
        Some("a.mtl") => Ok(a.to_owned()),
        Some("b.mtl") => Ok(b.to_owned()),
        _ => Err(Error::from(ErrorKind::NotFound)),
    };
    checked(Path::new("a.mtl"), &load, &Settings::default())
}

/// Formatting changes nothing of what a text says, and nothing at all the second time.
pub fn fmt(text: &str) {
    let first = format(text);
    assert!(first.diagnostics.iter().all(|d| d.code != codes::BUG), "a mistake of the formatter");
    assert_eq!(said(text), said(&first.text), "the text says something else");
    assert_eq!(first.text, format(&first.text).text, "laid out in two ways");
}

/// Tokens without commas that end a list, comments, and what is wrong.
fn said(text: &str) -> (Vec<&str>, Vec<&str>, Vec<String>) {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let parsed = syntax::parse(FileId(0), text);
    let words: Vec<&str> = syntax::tokens(text).iter().map(|t| t.text(text)).collect();
    let ends = |i: usize| words[i] == "," && matches!(words.get(i + 1), Some(&(")" | "]")));
    let kept = (0..words.len()).filter(|i| !ends(*i)).map(|i| words[i]).collect();
    let comments = parsed.trivia.iter().map(|c| text[c.span.range()].trim_end()).collect();
    (kept, comments, parsed.diagnostics.into_iter().map(|d| d.message).collect())
}

fn sensible(map: &SourceMap, d: &Diagnostic) {
    assert!(!d.message.is_empty() && !d.message.ends_with('.'), "{d:?}");
    let labels = d.labels.iter().map(|l| l.span);
    d.span.into_iter().chain(labels).chain(d.fix.iter().map(|f| f.span)).for_each(|s| inside(map, s));
}

fn inside(map: &SourceMap, span: Span) {
    assert!(map.has(span.file) && map.file(span.file).text.get(span.range()).is_some(), "{span:?} is not in the text");
}

/// The places in a tree.
fn spans(tree: &Value, see: &mut impl FnMut(Span)) {
    match tree {
        Value::Object(map) => {
            let number = |key: &str| map.get(key).and_then(Value::as_u64);
            if let (Some(file), Some(start), Some(end)) = (number("file"), number("start"), number("end")) {
                see(Span::new(FileId(file as u32), start as usize, end as usize));
            }
            map.values().for_each(|v| spans(v, see));
        }
        Value::Array(list) => list.iter().for_each(|v| spans(v, see)),
        _ => {}
    }
}
