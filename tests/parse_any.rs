//! Whatever is done to a program's text, parsing it gives a tree and diagnostics whose spans lie
//! in the text.

use mtlc::source::{FileId, Span};
use mtlc::syntax::parse;
use proptest::prelude::*;

/// Fixtures and a few programs with what fixtures lack.
fn programs() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui/syntax");
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    let mut texts: Vec<String> = paths.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    texts.push("/// 感情 😀\nconst s = \"感情 😀\" // 😀\nlet x = f(\"é\", |a.b|)".to_owned());
    texts.push("\u{FEFF}task t: tag(a.b) = h\r\n{ head: crf }\r\n".to_owned());
    texts.push("for d in [a, b] { for e in [c] { let x[d, e] = y } }".repeat(3));
    texts
}

const BITS: &[&str] =
    &["{", "}", "(", ")", "[", "]", "\"", "//", "///", "|>", "|", "=", ":", ",", "for ", "task ", "let (", "感", "\\"];

/// A change to a text, at places given as parts of its length.
#[derive(Clone, Debug)]
enum Edit {
    Delete(f64, f64),
    Duplicate(f64, f64),
    Truncate(f64),
    Insert(f64, String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let part = || 0.0..1.0f64;
    let short = || 0.0..0.1f64;
    prop_oneof![
        (part(), short()).prop_map(|(at, len)| Edit::Delete(at, len)),
        (part(), short()).prop_map(|(at, len)| Edit::Duplicate(at, len)),
        part().prop_map(Edit::Truncate),
        (part(), prop::sample::select(BITS)).prop_map(|(at, s)| Edit::Insert(at, s.to_owned())),
    ]
}

fn place(text: &str, part: f64) -> usize {
    let mut at = ((text.len() as f64 * part) as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn apply(text: &str, edit: &Edit) -> String {
    match edit {
        Edit::Delete(at, len) => {
            let (from, to) = (place(text, *at), place(text, (at + len).min(1.0)));
            format!("{}{}", &text[..from], &text[to..])
        }
        Edit::Duplicate(at, len) => {
            let (from, to) = (place(text, *at), place(text, (at + len).min(1.0)));
            format!("{}{}{}", &text[..to], &text[from..to], &text[to..])
        }
        Edit::Truncate(at) => text[..place(text, *at)].to_owned(),
        Edit::Insert(at, bit) => {
            let at = place(text, *at);
            format!("{}{bit}{}", &text[..at], &text[at..])
        }
    }
}

fn inside(text: &str, span: Span) -> bool {
    let range = span.range();
    range.start <= range.end && text.get(range).is_some()
}

/// Spans of everything in a tree, by way of its JSON.
fn spans(value: &serde_json::Value, out: &mut Vec<(u64, u64)>) {
    match value {
        serde_json::Value::Object(map) => {
            if let (Some(start), Some(end)) = (map.get("start"), map.get("end")) {
                out.extend(start.as_u64().zip(end.as_u64()));
            }
            map.values().for_each(|v| spans(v, out));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|v| spans(v, out)),
        _ => {}
    }
}

fn check(text: &str) {
    let parsed = parse(FileId(0), text);
    for diagnostic in &parsed.diagnostics {
        assert!(inside(text, diagnostic.span.unwrap()), "{diagnostic:?}");
        assert!(diagnostic.labels.iter().all(|l| inside(text, l.span)), "{diagnostic:?}");
        assert!(diagnostic.fix.iter().all(|f| inside(text, f.span)), "{diagnostic:?}");
        assert!(!diagnostic.message.ends_with('.'), "{}", diagnostic.message);
    }
    assert!(parsed.trivia.iter().all(|c| inside(text, c.span)));
    let mut all = Vec::new();
    spans(&serde_json::to_value(&parsed.ast).unwrap(), &mut all);
    for (start, end) in all {
        assert!(inside(text, Span::new(FileId(0), start as usize, end as usize)), "{start}..{end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_programs(which in 0usize..1000, edits in prop::collection::vec(edit(), 1..6)) {
        let programs = programs();
        let text = programs[which % programs.len()].clone();
        check(&edits.iter().fold(text, |text, edit| apply(&text, edit)));
    }

    #[test]
    fn token_soup(words in prop::collection::vec(prop::sample::select(SOUP), 0..200)) {
        check(&words.join(" "));
        check(&words.concat());
    }
}

const SOUP: &[&str] = &[
    "{", "}", "(", ")", "[", "]", ",", ":", "=", ".", "|", "|>", "->", "+", "-", "*", "\"", "\"a\"", "x", "3", "10%",
    "task", "let", "data", "layer", "for", "in", "train", "stage", "field", "use", "from", "of", "\n", "//", "///",
    "感", "😀", "\r\n", "\\", "|a|", "1e",
];

#[test]
fn long_bad_files_take_no_time() {
    let texts = [
        "{ ( [ ".repeat(5_000),
        "data a { ".repeat(60),
        "task x ( { [".repeat(5_000),
        "let x = a b\n".repeat(5_000),
        format!("train {{ {} }}", "a b ( c: ".repeat(5_000)),
        "for d in x { ".repeat(60) + &"} junk ".repeat(60),
        "\"a\n".repeat(5_000),
        "f(x: ".repeat(60),
        "a: b c: d } ".repeat(2_000),
        "let x = a |> f".to_owned() + &" |> f".repeat(20_000),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        check(&text);
        let taken = start.elapsed();
        assert!(taken.as_secs() < 10, "{taken:?} for {}", &text[..40.min(text.len())]);
    }
}
