//! The formatter: house style stays, the rest becomes it, and nothing that a text says is lost.

#[path = "layout/random.rs"]
mod random;
#[path = "layout/said.rs"]
mod said;

use mtlc::fmt::{WIDTH, format};
use mtlc::source::FileId;
use mtlc::syntax::parse;
use said::{programs, unchanged};

/// The layout of a text that has no mistakes.
fn laid(text: &str) -> String {
    let formatted = format(text);
    assert!(formatted.diagnostics.is_empty(), "{text}: {:#?}", formatted.diagnostics);
    formatted.text
}

#[test]
fn every_program_says_what_it_said() {
    let all = programs();
    assert!(all.len() > 150, "{} programs", all.len());
    all.iter().for_each(|(name, text)| unchanged(name, text));
}

#[test]
fn the_examples_are_laid_out() {
    for (name, text) in programs().iter().filter(|(name, _)| !name.starts_with("tests/ui/")) {
        let formatted = format(text);
        let sound = formatted.diagnostics.is_empty();
        let shown = name.starts_with("examples") || name.starts_with("src") || name.starts_with("tests/programs");
        assert!(!shown || sound && formatted.text == *text, "{name} is not laid out");
    }
}

/// What is written to the left is laid out as to the right.
const BLANKS: &[(&str, &str)] = &[
    ("let  x=- a*( b+c )|>f( b,c :3 ,)", "let x = -a * (b + c) |> f(b, c: 3)"),
    ("let x=g.train ( |d . e|-|f|,- 2)", "let x = g.train(|d.e| - |f|, -2)"),
    ("use run\"r\"as t", "use run \"r\" as t"),
    ("for(a,b)in[(c,d)]{let(x,y)=(a,b)}", "for (a, b) in [(c, d)] { let (x, y) = (a, b) }"),
    ("layer l(p,q:1):[T,64],[T , 64]->[T,|d.e|]=f", "layer l(p, q: 1): [T, 64], [T, 64] -> [T, |d.e|] = f"),
    ("task t[a,b]:tag(d.x)=h{head:crf  weight:2}", "task t[a, b]: tag(d.x) = h { head: crf  weight: 2 }"),
    ("const a=1_000 const b=10%", "const a = 1_000\nconst b = 10%"),
    ("data d{dev:10% of train}", "data d { dev: 10% of train }"),
    ("train{}", "train {}"),
    (" \n\n", ""),
    ("\n\nconst a = 1\n\n\n\n\n// so\n", "const a = 1\n\n// so"),
    ("train {\n\n  epochs: 1\n\n\n  seed: 2\n\n}", "train {\n  epochs: 1\n\n  seed: 2\n}"),
];

#[test]
fn blanks_are_where_they_belong() {
    for (text, wanted) in BLANKS {
        let end = if wanted.is_empty() { "" } else { "\n" };
        assert_eq!(laid(text), format!("{wanted}{end}"), "{text}");
    }
}

#[test]
fn line_ends_and_marks_stay() {
    assert_eq!(laid("const a=1\r\nconst b=2\n"), "const a = 1\r\nconst b = 2\r\n");
    assert_eq!(laid("\u{FEFF}// so \t\n\n"), "\u{FEFF}// so\n");
}

/// Breaks that the author made.
const BREAKS: &[&str] = &[
    "let h = a\n  |> f\n  |> g(\n    b,\n    c\n  )\n",
    "task t: tag(d.x)\n  = h |> f {\n  head: crf  weight: 2\n  dropout: 0.1\n}\n",
    "let x = f(\n  a\n    |> g\n    |> h,\n  named: b\n)\n",
    "train {\n  sample: ordered([\n    a, b, c\n  ])\n}\n",
    "layer l(x) = y {\n  let y = f(x)\n}\n",
];

#[test]
fn breaks_that_were_made_stay() {
    for text in BREAKS {
        assert_eq!(laid(text), *text);
    }
    assert_eq!(laid("let x = f(a,\n   b)\n\n  |> g"), "let x = f(a, b)\n  |> g\n");
}

/// Lines that are too long, and how they are broken.
fn long() -> Vec<(String, String)> {
    let word = "abcdefghij";
    let list = |n: usize, with: &str| vec![word; n].join(with);
    let fills = |n: usize| format!("    {}", list(n, ", "));
    vec![
        (format!("let h = {}", list(12, " |> ")), format!("let h = {}", list(12, "\n  |> "))),
        (format!("let h = f({})", list(12, ", ")), format!("let h = f(\n  {}\n)", list(12, ",\n  "))),
        (format!("let h = {}", list(12, " + ")), format!("let h = {}", list(12, "\n  + "))),
        (
            format!("train {{\n  freeze: [{}]\n}}", list(12, ", ")),
            format!("train {{\n  freeze: [\n{},\n{}\n  ]\n}}", fills(9), fills(3)),
        ),
        (
            format!("task t: tag({word}.{word}) = {}", list(8, " |> ")),
            format!("task t: tag({word}.{word})\n  = {}", list(8, " |> ")),
        ),
        (
            format!("task t: tag({word}.{word}) = {word} {{ head: {word}  lr: {} }}", list(6, "_")),
            format!("task t: tag({word}.{word}) = {word} {{\n  head: {word}  lr: {}\n}}", list(6, "_")),
        ),
        (
            format!("data d {{\n  train: \"{0}\"  dev: \"{0}\"\n}}", list(5, "/")),
            format!("data d {{\n  train: \"{0}\"\n  dev: \"{0}\"\n}}", list(5, "/")),
        ),
    ]
}

#[test]
fn long_lines_are_broken() {
    for (text, wanted) in long() {
        let given = laid(&text);
        assert_eq!(given, wanted + "\n");
        assert!(given.lines().all(|l| l.chars().count() <= WIDTH), "{given}");
        unchanged("long", &text);
    }
}

#[test]
fn columns_are_kept() {
    let text = "data d {\n  field a: text   from 0 // x\n  field longer: tags(a)from 1   // y\n  field c: class=\"{a}\"\n}\n\
        let a      =  b\nlet longer = c\nlet a = d   |> 感情\nlet b = \"感\" |> f\n";
    let wanted = "data d {\n  field a:      text    from 0  // x\n  field longer: tags(a) from 1  // y\n  field c:      class   = \"{a}\"\n}\n\
        let a      = b\nlet longer = c\nlet a = d |> f\n";
    let text = text.replace("let b = \"感\" |> f\n", "").replace("感情", "f");
    assert_eq!(laid(&text), wanted);
    let aligned = "const a = \"感情\"  // x\nconst b = \"ab\"    // y\n";
    assert_eq!(laid(aligned), aligned, "wide characters take two columns");
}

#[test]
fn broken_parts_stay_byte_for_byte() {
    let text = "let a=b\n\n\n\nlet   b = (  // why\n\nlet c=d // so\ndata  e {\n format  csv  // ?\n\n\n  train:\"x\" }\n\
        const f=1\n}   // stray\nconst  g=2";
    let wanted = "let a = b\n\nlet   b = (  // why\n\nlet c = d  // so\ndata  e {\n format  csv  // ?\n\n\n  train:\"x\" }\n\
        const f = 1\n}   // stray\nconst g = 2\n";
    let formatted = format(text);
    assert_eq!(formatted.text, wanted);
    assert_eq!(formatted.diagnostics.len(), parse(FileId(0), text).diagnostics.len());
    let shared = "let  a = b let c ( let  d = e\nlet  f = g\n";
    assert_eq!(format(shared).text, "let  a = b let c ( let  d = e\nlet f = g\n", "items on broken lines stay too");
}

#[test]
fn comments_stay_where_they_are() {
    let text = "// one\n/// doc\n\n// allow(W0201)\nlayer l = f( // two\n  a, // three\n  // four\n  b\n  // five\n) // six\n\
        train { // seven\n  // eight\n\n  epochs: 1 // nine\n  // ten\n} // eleven\n// twelve";
    let wanted = "// one\n/// doc\n\n// allow(W0201)\nlayer l = f(  // two\n  a,  // three\n  // four\n  b\n  // five\n)  // six\n\
        train {  // seven\n  // eight\n\n  epochs: 1  // nine\n  // ten\n}  // eleven\n// twelve\n";
    assert_eq!(laid(text), wanted);
}
