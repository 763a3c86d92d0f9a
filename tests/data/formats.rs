//! Each format on small files.

use crate::support::*;
use mtlc::data::spec::*;
use mtlc::data::{Corpus, FieldValue, MISSING, Portion};

/// An example with its words and labels as text.
fn show(corpus: &Corpus, portion: Portion, i: usize) -> Vec<String> {
    let word = |id: u32| if id == MISSING { "-".to_string() } else { corpus.lexicon().word(id).to_string() };
    let words = |ids: &[u32]| ids.iter().map(|&i| word(i)).collect::<Vec<_>>().join(" ");
    let one = |value: FieldValue| match value {
        FieldValue::Missing => "?".into(),
        FieldValue::Text(ids) | FieldValue::Tags(ids) | FieldValue::Labels(ids) => words(&ids),
        FieldValue::Texts(texts) => texts.iter().map(|t| words(t)).collect::<Vec<_>>().join(" / "),
        FieldValue::Class(id) => word(id),
        FieldValue::Number(n) => n.to_string(),
        FieldValue::Vector(v) | FieldValue::Ranking(v) => format!("{v:?}"),
        FieldValue::Choice(i) => i.to_string(),
        FieldValue::Span(r) => format!("{}:{}..{}", r.member, r.start, r.end),
        FieldValue::Spans(spans) => {
            let one = |s: &mtlc::data::Labelled| format!("{}..{} {}", s.range.start, s.range.end, word(s.label));
            spans.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        FieldValue::Relations(pairs) => {
            let one = |r: &mtlc::data::Relation| format!("{}>{} {}", r.head, r.tail, word(r.label));
            pairs.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        FieldValue::Tree(nodes) => {
            let head = |h: u32| if h == MISSING { "-".into() } else { h.to_string() };
            nodes.iter().map(|n| format!("{}:{}", head(n.head), word(n.label))).collect::<Vec<_>>().join(" ")
        }
        FieldValue::Clusters(sets) => {
            let set = |s: &Vec<mtlc::data::Range>| {
                s.iter().map(|r| format!("{}..{}", r.start, r.end)).collect::<Vec<_>>().join("+")
            };
            sets.iter().map(set).collect::<Vec<_>>().join(" | ")
        }
    };
    corpus.datasets[0].example(portion, i).unwrap().into_iter().map(one).collect()
}

fn sound(corpus: Result<Corpus, Vec<mtlc::diagnostics::Diagnostic>>) -> Corpus {
    corpus.unwrap_or_else(|all| panic!("{}", all.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("\n")))
}

fn atis() -> DataSpec {
    data(Format::Lines, "train")
        .field("words", text(), "in")
        .field("slots", FieldType::Tags("words".into()), "out")
        .field("intent", FieldType::Class, "label")
}

#[test]
fn lines_in_a_folder_or_with_a_dot() {
    let files = Files::new().with("train/in", "a b\nc\n").with("train/out", "O B-x\n_\n").with("train/label", "i\n_");
    let corpus = sound(files.load(atis()));
    assert_eq!(show(&corpus, Portion::Train, 0), ["a b", "O B-x", "i"]);
    assert_eq!(show(&corpus, Portion::Train, 1), ["c", "?", "?"]);
    let files =
        Files::new().with("train.in", "a b").with("train.out", gzip("O O\r\n\n")).with("train.label.gz", gzip("i\n"));
    assert_eq!(show(&sound(files.load(atis())), Portion::Train, 0), ["a b", "O O", "i"]);
}

#[test]
fn byte_order_marks_and_crlf() {
    let files = Files::new()
        .with("train/in", "\u{FEFF}a b\r\nc\r\n")
        .with("train/out", "\u{FEFF}O O\r\nO")
        .with("train/label", "\u{FEFF}i\r\nj\r\n");
    let corpus = sound(files.load(atis()));
    assert_eq!(show(&corpus, Portion::Train, 0), ["a b", "O O", "i"]);
    assert_eq!(show(&corpus, Portion::Train, 1), ["c", "O", "j"]);
}

#[test]
fn conll_columns_and_comments() {
    let spec = data(Format::Conll, "train")
        .field("words", text(), "0")
        .field("tags", FieldType::Tags("words".into()), "2")
        .field("intent", FieldType::Class, "# intent");
    let content =
        "-DOCSTART- -X- O\n\n# intent = greet\nHello UH O\nworld NN _\n \t\n\n# intent: bye\n# NN B-x\nBye UH I-x\n";
    let corpus = sound(Files::new().with("train", content).load(spec.clone()));
    assert_eq!(corpus.datasets[0].size(Portion::Train), 2);
    assert_eq!(show(&corpus, Portion::Train, 0), ["Hello world", "O -", "greet"]);
    assert_eq!(show(&corpus, Portion::Train, 1), ["# Bye", "B-x I-x", "bye"]);
}

#[test]
fn conll_without_comments_keeps_tokens_that_look_like_some() {
    let spec =
        data(Format::Conll, "train").field("words", text(), "0").field("tag", FieldType::Tags("words".into()), "2");
    let content = "# # B-NP\n200 CD I-NP\n\na tab\tx y\tO\n\n";
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["# 200", "B-NP I-NP"]);
    assert_eq!(show(&corpus, Portion::Train, 1), ["a tab", "O"]);
}

#[test]
fn conllu_with_ranges_and_empty_nodes() {
    let row = |id: &str, form: &str, upos: &str, head: &str, rel: &str| {
        format!("{id}\t{form}\t{form}\t{upos}\tX\t_\t{head}\t{rel}\t_\t_\n")
    };
    let content = ["# sent_id = s1\n".to_string()]
        .into_iter()
        .chain([
            row("1-2", "don't", "_", "_", "_"),
            row("1", "do", "AUX", "3", "aux"),
            row("2", "n't", "PART", "3", "advmod"),
            row("2.1", "ghost", "_", "_", "_"),
            row("3", "go", "_", "0", "root"),
        ])
        .collect::<String>();
    let spec = data(Format::Conllu, "train")
        .field("words", text(), "form")
        .field("pos", FieldType::Tags("words".into()), "upos")
        .field("arcs", FieldType::Tree("words".into()), "head|deprel")
        .field("id", FieldType::Class, "# sent_id");
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["do n't go", "AUX PART -", "3:aux 3:advmod 0:root", "s1"]);
}

#[test]
fn jsonl_with_paths_and_structures() {
    let spec = data(Format::Jsonl, "train")
        .field("relations", FieldType::Relations("entities".into()), "gold.rel")
        .field("tokens", text(), "doc.tokens")
        .field("entities", FieldType::Spans("tokens".into()), "gold.ents")
        .field("sets", FieldType::Clusters("tokens".into()), "sets")
        .field("tree", FieldType::Tree("tokens".into()), "tree")
        .field("year", FieldType::Number, "year")
        .field("v", FieldType::Vector(2), "v")
        .field("kinds", FieldType::Labels { separator: "#".into() }, "kinds");
    let content = concat!(
        r#"{"doc":{"tokens":["A","b",3]},"gold":{"ents":[{"start":0,"end":1,"type":"P"},[1,3,"Q"]],"#,
        r#""rel":[{"head":1,"tail":0,"type":"r"}]},"sets":[[[0,1],{"start":2,"end":3}],[[1,2]]],"#,
        r#""tree":[{"head":2,"label":"x"},[0,"root"],{"head":2}],"year":1.5,"v":[1,2.5],"kinds":"a#b#a"}"#,
        "\n\n",
        r#"{"doc":{"tokens":"x y"},"gold":{"ents":[],"rel":null},"year":null,"kinds":[]}"#
    );
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(
        show(&corpus, Portion::Train, 0),
        ["1>0 r", "A b 3", "0..1 P, 1..3 Q", "0..1+2..3 | 1..2", "2:x 0:root 2:-", "1.5", "[1.0, 2.5]", "a b"]
    );
    assert_eq!(show(&corpus, Portion::Train, 1), ["?", "x y", "", "?", "?", "?", "?", ""]);
}

#[test]
fn jsonl_through_lists() {
    let spec = data(Format::Jsonl, "train")
        .field("tokens", text(), "tokens")
        .field("kinds", FieldType::Labels { separator: ",".into() }, "gold.rel.type")
        .field("first", FieldType::Class, "gold.rel.0.type");
    let content = concat!(
        r#"{"tokens":"a b","gold":{"rel":[{"head":1,"type":"r"},{"type":"q r"},{"type":"r"}]}}"#,
        "\n",
        r#"{"tokens":"c","gold":{"rel":[]}}"#
    );
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["a b", "r q r", "r"]);
    assert_eq!(show(&corpus, Portion::Train, 1), ["c", "", "?"]);
}

#[test]
fn jsonl_sets_of_texts() {
    let spec = data(Format::Jsonl, "train")
        .field("passages", texts(), "passages")
        .field("gold", FieldType::Choice("passages".into()), "gold")
        .field("answer", FieldType::Span("passages".into()), "answer")
        .field("grades", FieldType::Ranking("passages".into()), "grades")
        .field("kind", FieldType::Tags("passages".into()), "kind");
    let content = r#"{"passages":["a b c","d"],"gold":1,"answer":{"member":0,"start":1,"end":3},"grades":[2,null],"kind":["x","y"]}"#;
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["a b c / d", "1", "0:1..3", "[2.0, NaN]", "x y"]);
}

#[test]
fn csv_quotes_headers_and_separators() {
    let spec = data(csv(','), "train").field("x", text(), "text").field("y", FieldType::Class, "label").field(
        "n",
        FieldType::Number,
        "n",
    );
    let content = "label,n,text\n\"a \"\"b\"\"\",1,\"one, two\nthree\"\n\nc,,plain\n";
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(
        show(&corpus, Portion::Train, 0),
        ["one two three".replace("one ", "one, "), "a \"b\"".into(), "1".into()]
    );
    assert_eq!(show(&corpus, Portion::Train, 1), ["plain", "c", "?"]);
    let spec = data(csv(' '), "train").field("y", FieldType::Class, "0").field("x", text(), "1");
    let corpus = sound(Files::new().with("train", "DESC:def What is \"it\" ?\n").load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["DESC:def", "What is \"it\" ?"]);
    let spec = data(csv(';'), "train").field("x", text(), "1").field("s", FieldType::Spans("x".into()), "0");
    let corpus = sound(
        Files::new().with("train", "\"[{\"\"start\"\":0,\"\"end\"\":1,\"\"type\"\":\"\"T\"\"}]\";a b\n").load(spec),
    );
    assert_eq!(show(&corpus, Portion::Train, 0), ["a b", "0..1 T"]);
}

#[test]
fn tsv_has_no_quoting() {
    let spec = data(Format::Tsv, "train").field("y", FieldType::Class, "0").field("x", text(), "1");
    let corpus = sound(Files::new().with("train", "1\t\"open quote\n0\tb\n").load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["1", "\"open quote"]);
    let spec = data(Format::Tsv, "train").field("x", text(), "body").field("y", FieldType::Class, "");
    let corpus = sound(Files::new().with("train", "y\tbody\n1\ta\n").load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0), ["a", "1"]);
}

#[test]
fn text_and_templates() {
    let spec = data(Format::Text, "train").field("x", text(), "").made("y", text(), "<2de> {x} {{z}}");
    let corpus = sound(Files::new().with("train", gzip("a  b\n\nc\n")).load(spec));
    assert_eq!(corpus.datasets[0].size(Portion::Train), 2);
    assert_eq!(show(&corpus, Portion::Train, 0), ["a b", "<2de> a b {z}"]);
}

#[test]
fn tokens_and_max() {
    let field = |lower, tokens, max| FieldType::Text { lower, tokens, max };
    let spec = data(Format::Jsonl, "train")
        .field("w", field(true, Tokens::Words, None), "x")
        .field("c", field(false, Tokens::Chars, Some(3)), "x")
        .field("b", field(false, Tokens::Bytes, Some(2)), "x")
        .field("cut", field(false, Tokens::Space, Some(2)), "x")
        .field("tags", FieldType::Tags("cut".into()), "t")
        .field("spans", FieldType::Spans("cut".into()), "s")
        .field("pairs", FieldType::Relations("spans".into()), "r")
        .field("tree", FieldType::Tree("cut".into()), "h");
    let content = r#"{"x":"É, don't b","t":"p q r","s":[[1,3,"gone"],[0,2,"kept"],[2,3,"gone"]],"r":[[1,1,"a"],[0,1,"b"]],"h":[3,1,0]}"#;
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(
        show(&corpus, Portion::Train, 0),
        ["é , don't b", "É ,  ", "<0xC3> <0x89>", "É, don't", "p q", "0..2 kept", "0>0 a", "-:- 1:-"]
    );
}

#[test]
fn spans_from_bio_columns() {
    let spec = data(Format::Conll, "train").field("x", text(), "0").field("s", FieldType::Spans("x".into()), "1");
    let content = "a B-p\nb I-p\nc I-q\nd O\ne S-r\nf B-r\n";
    let corpus = sound(Files::new().with("train", content).load(spec));
    assert_eq!(show(&corpus, Portion::Train, 0)[1], "0..2 p, 2..3 q, 4..5 r, 5..6 r");
}

#[test]
fn several_files_limits_and_drawn_splits() {
    let lines = |from: usize, to: usize| (from..to).map(|i| format!("w{i}\n")).collect::<String>();
    let files = Files::new().with("a", lines(0, 30)).with("b", lines(30, 100));
    let mut spec = data(Format::Text, "a").field("x", text(), "");
    spec.train.push(file("b"));
    spec.dev = Some(Split::OfTrain(0.1));
    spec.test = Some(Split::OfTrain(0.2));
    let read = |spec: &DataSpec| {
        let corpus = sound(files.load(spec.clone()));
        Portion::ALL
            .map(|p| (0..corpus.datasets[0].size(p)).map(|i| show(&corpus, p, i)[0].clone()).collect::<Vec<_>>())
    };
    let [train, dev, test] = read(&spec);
    assert_eq!((train.len(), dev.len(), test.len()), (70, 10, 20));
    assert_eq!(read(&spec), [train.clone(), dev.clone(), test.clone()]);
    let mut all = [train, dev.clone(), test].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 100);
    assert_ne!(read(&spec.clone().named("other"))[1], dev);
    spec.limit = Some(40);
    assert_eq!(read(&spec).map(|p| p.len()), [28, 4, 8]);
}

#[test]
fn an_index_gives_the_same_examples_as_memory() {
    let files = Files::new()
        .with("train/in", "a b\nc\nd e f\n")
        .with("train/out", "O B-x\n_\nO O O\n")
        .with("train/label", "i\nj\nk\n");
    let spec = atis();
    let memory = sound(files.load(spec.clone()));
    let indexed = load_indexed(&[spec], files.path()).unwrap_or_else(|_| panic!());
    assert!(indexed.datasets[0].split(Portion::Train).unwrap().is_indexed());
    for i in [2, 0, 1, 0] {
        assert_eq!(show(&memory, Portion::Train, i), show(&indexed, Portion::Train, i));
    }
    let csv = Files::new().with("train", "a,b\n\"x\ny\",1\nz,2\n");
    let mut spec = data(csv_format(), "train").field("x", text(), "a").field("y", FieldType::Class, "b");
    spec.dev = Some(Split::OfTrain(0.5));
    let indexed = load_indexed(&[spec.clone()], csv.path()).unwrap_or_else(|_| panic!());
    let memory = sound(csv.load(spec));
    assert_eq!(show(&memory, Portion::Dev, 0), show(&indexed, Portion::Dev, 0));
    assert_eq!(show(&memory, Portion::Train, 0), show(&indexed, Portion::Train, 0));
}

fn csv_format() -> Format {
    csv(',')
}

#[test]
fn words_have_the_numbers_of_reading_in_order() {
    let files = Files::new()
        .with("train/in", "a b\nc\n".repeat(500))
        .with("train/out", "O B-x\nO\n".repeat(500))
        .with("train/label", "i\nj\n".repeat(500))
        .with("dev/in", "c d\n")
        .with("dev/out", "B-y O\n")
        .with("dev/label", "k\n");
    let mut first = atis().named("one");
    first.dev = Some(Split::Files(vec![file("dev")]));
    let mut second = first.clone().named("two");
    second.train = vec![file("dev")];
    let order = ["a", "b", "O", "B-x", "i", "c", "j", "d", "B-y", "k"];
    let words = |corpus: &Corpus| {
        let lexicon = corpus.lexicon();
        (0..lexicon.len() as u32).map(|i| lexicon.word(i).to_string()).collect::<Vec<_>>()
    };
    for _ in 0..10 {
        let corpus = sound(load(&[first.clone(), second.clone()], files.path()));
        assert_eq!(words(&corpus), order);
        let indexed = sound(load_indexed(&[first.clone(), second.clone()], files.path()));
        assert_eq!(words(&indexed), order);
        for (portion, size) in [(Portion::Train, 1000), (Portion::Dev, 1)] {
            for i in (0..size).step_by(333) {
                assert_eq!(show(&corpus, portion, i), show(&indexed, portion, i));
            }
        }
    }
}
