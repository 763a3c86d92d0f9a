//! Broken data: each kind is refused with its code, and the message says what and where.

#[path = "data/support.rs"]
mod support;

use mtlc::data::spec::*;
use mtlc::data::{Corpus, prepare};
use mtlc::diagnostics::{Diagnostic, codes};
use support::*;

/// What loading and preparing a data set reports, errors and warnings.
fn found(files: &Files, spec: DataSpec, spaces: &[SpaceSpec], vocabs: &[VocabSpec]) -> Vec<Diagnostic> {
    let mut corpus: Corpus = match files.load(spec) {
        Ok(corpus) => corpus,
        Err(found) => return found,
    };
    let mut all = corpus.warnings.clone();
    match prepare(&mut corpus, spaces, vocabs, files.path()) {
        Ok(prepared) => all.extend(prepared.warnings),
        Err(errors) => all.extend(errors),
    }
    all
}

/// The first diagnostic has this code, and its message and help hold these words.
#[track_caller]
fn says(found: &[Diagnostic], code: &str, gist: &str) {
    let first = found.first().unwrap_or_else(|| panic!("nothing was reported, not even: {gist}"));
    let text = format!("{} | {}", first.message, first.help.as_deref().unwrap_or(""));
    assert_eq!(first.code.0, code, "{text}");
    assert!(text.contains(gist), "{text}\nlacks: {gist}");
    assert!(!first.message.ends_with('.'), "{text}");
}

#[track_caller]
fn refused(files: Files, spec: DataSpec, code: &str, gist: &str) {
    says(&found(&files, spec, &[], &[]), code, gist);
}

fn atis() -> DataSpec {
    data(Format::Lines, "train")
        .field("utterance", text(), "seq.in")
        .field("slots", FieldType::Tags("utterance".into()), "seq.out")
        .field("intent", FieldType::Class, "label")
}

fn atis_files(input: &str, output: &str, label: &str) -> Files {
    Files::new().with("train/seq.in", input).with("train/seq.out", output).with("train/label", label)
}

fn conll() -> DataSpec {
    data(Format::Conll, "train").field("words", text(), "0").field("tags", FieldType::Tags("words".into()), "1")
}

fn ud() -> DataSpec {
    data(Format::Conllu, "train").field("words", text(), "form").field(
        "arcs",
        FieldType::Tree("words".into()),
        "head|deprel",
    )
}

fn ud_file(heads: &[&str]) -> Files {
    let row = |(i, h): (usize, &&str)| format!("{}\tw\tw\tN\t_\t_\t{h}\tdep\t_\t_\n", i + 1);
    Files::new().with("train", heads.iter().enumerate().map(row).collect::<String>())
}

fn json() -> DataSpec {
    data(Format::Jsonl, "train").field("x", text(), "x")
}

fn one(line: &str) -> Files {
    Files::new().with("train", line)
}

fn spans() -> DataSpec {
    json().field("s", FieldType::Spans("x".into()), "s")
}

fn relations() -> DataSpec {
    spans().field("r", FieldType::Relations("s".into()), "r")
}

fn read() -> DataSpec {
    data(Format::Jsonl, "train")
        .field("p", texts(), "p")
        .field("c", FieldType::Choice("p".into()), "c")
        .field("a", FieldType::Span("p".into()), "a")
        .field("g", FieldType::Ranking("p".into()), "g")
}

#[test]
fn files_that_are_not_there() {
    let files = || Files::new().with("train.tsv", "x\na\n");
    let spec = |path: &str| data(Format::Tsv, path).field("x", text(), "x");
    refused(files(), spec("tarin.tsv"), "E0801", "cannot find `tarin.tsv` | there is a `train.tsv` in the same folder");
    refused(files(), spec("no/where"), "E0801", "cannot find `no/where` | paths are relative");
    refused(files(), spec("train.tsv").dev("dev.tsv"), "E0801", "cannot find `dev.tsv`");
    refused(files(), spec("train.tsv").test("test.tsv"), "E0801", "cannot find `test.tsv`");
    refused(files(), spec("."), "E0801", "`.` is a folder, and a file is needed");
    let found = found(&files(), spec("a").dev("b").test("c"), &[], &[]);
    assert_eq!(found.len(), 3, "every missing split is reported");
}

#[test]
fn parallel_files_that_do_not_fit() {
    let files = Files::new().with("train/seq.in", "a\n").with("train/labels", "i\n");
    let gist = "cannot find `train/seq.out` or `train.seq.out` | the folder `train` has labels, seq.in";
    refused(files, atis(), "E0801", gist);
    refused(atis_files("a\nb\n", "O\n", "i\nj\n"), atis(), "E0802", "`train/seq.out` has 1 line and `train/seq.in` 2");
    let gist = "`train/seq.out` line 2: field 'slots' has 3 tags and 'utterance' 2 tokens";
    refused(atis_files("a\nb c\n", "O\nO O O\n", "i\ni\n"), atis(), "E0802", gist);
    let gist = "`train/seq.in` line 2: field 'utterance' has no tokens";
    refused(atis_files("a\n\nb\n", "O\n\nO\n", "i\ni\ni\n"), atis(), "E0802", gist);
    let numbered = data(Format::Lines, "train").field("x", text(), "0");
    refused(one("a"), numbered, "E0803", "field 'x' reads a column by number, but `lines` has a file for each field");
}

#[test]
fn bytes_that_are_no_text() {
    let spec = || data(Format::Text, "train").field("x", text(), "");
    let files = Files::new().with("train", b"fine\nna\xEFve\n");
    refused(files, spec(), "E0806", "`train` line 2: byte 3 (0xEF) is not UTF-8");
    let wide: Vec<u8> = "hello\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(
        Files::new().with("train", [b"\xFF\xFE".to_vec(), wide].concat()),
        spec(),
        "E0806",
        "line 1: byte 1 (0xFF)",
    );
    let mut cut = gzip("one line\nand another one\n");
    cut.truncate(cut.len() - 9);
    refused(Files::new().with("train", cut), spec(), "E0801", "cannot read `train` after line");
    let mut bad = gzip("one line\n");
    bad[12] ^= 0x5A;
    refused(Files::new().with("train", bad), spec(), "E0801", "cannot read `train`");
}

#[test]
fn splits_without_examples() {
    let spec = || data(Format::Text, "train").field("x", text(), "");
    refused(one(""), spec(), "E0805", "`train` has no examples");
    refused(one("\n \n\n"), spec(), "E0805", "`train` has no examples");
    let header = data(Format::Tsv, "train").field("x", text(), "x");
    refused(one("x\ty\n"), header, "E0805", "`train` has no examples");
    let skip = json().skip();
    refused(
        one("{\n}\n"),
        skip,
        "E0805",
        "all 2 examples of `train` are malformed; the first: `train` line 1: not JSON",
    );
    let mut drawn = spec();
    drawn.dev = Some(Split::OfTrain(0.1));
    refused(one("only\n"), drawn, "E0805", "data set 'd' has 1 example, too few to draw a split from");
}

#[test]
fn columns_and_keys_that_do_not_exist() {
    let csv_spec = |from: &str| data(csv(','), "train").field("x", text(), from);
    let gist = "`train` has no column 'sentence' for field 'x'; it has id, Sentence, label | write `from \"Sentence\"`";
    refused(one("id,Sentence,label\n1,a,b\n"), csv_spec("sentence"), "E0803", gist);
    let gist = "`train` has 2 columns (counted from 0), so no column 2 for field 'x'";
    refused(one("a,b\n"), csv_spec("2"), "E0803", gist);
    let gist = "`train` has no column 1 for field 'tags'; it has 0";
    refused(one("a\nb\n"), conll(), "E0803", gist);
    let named = data(Format::Conll, "train").field("words", text(), "word");
    refused(one("a\n"), named, "E0803", "CoNLL columns have numbers, not names: field 'words' reads 'word'");
    let form = data(Format::Conllu, "train").field("words", text(), "from");
    refused(one("a\n"), form, "E0803", "CoNLL-U has no column 'from' for field 'words'; it has id, form, lemma");
    let gist = "`train` has no key 'x' for field 'x'; its first example has text, label";
    refused(one("{\"text\":\"a\",\"label\":1}\n"), json(), "E0803", gist);
    let labelled = json().field("y", FieldType::Class, "lable");
    let gist = "`train` has no key 'lable' for field 'y'; its first example has x, label | write `from \"label\"`";
    refused(one("{\"x\":\"a\",\"label\":1}\n"), labelled, "E0803", gist);
}

#[test]
fn ragged_rows() {
    let gist = "`train` line 2: 3 columns where the rows before have 2";
    refused(one("a O\nb N O\n"), conll(), "E0802", gist);
    refused(one("a O\nb\n\n"), conll(), "E0802", "`train` line 2: 1 column where the rows before have 2");
    let tsv = data(Format::Tsv, "train").field("x", text(), "x");
    refused(one("x\ty\na\n"), tsv, "E0802", "`train` line 2: 1 column where the rows before have 2");
    let csv_spec = || data(csv(','), "train").field("x", text(), "x");
    refused(one("x,y\na,b,c\n"), csv_spec(), "E0802", "`train` line 2: 3 columns where the rows before have 2");
    refused(
        one("x,y\n\"a,b\nc,d\n"),
        csv_spec(),
        "E0802",
        "`train` line 2: a quote that is opened here is never closed",
    );
    refused(one("x,y\n\"a\"b,c\n"), csv_spec(), "E0802", "`train` line 2: 'b' after a closing quote");
    let rest = data(csv(' '), "train").field("y", FieldType::Class, "0").field("x", text(), "1");
    refused(one("A b c\nalone\n"), rest, "E0802", "`train` line 2: 1 column where 2 are needed");
    let gist = "`train` line 1: 3 columns where CoNLL-U has 10, separated by tabs";
    refused(one("1\tw\tw\n"), ud(), "E0802", gist);
    let row = |id: &str| format!("{id}\tw\tw\tN\t_\t_\t0\troot\t_\t_\n");
    refused(one(&(row("1") + &row("3"))), ud(), "E0802", "`train` line 2: word '3' where 2 is due");
    refused(one("# text = x\n\n"), ud(), "E0802", "`train` line 1: a sentence without words");
}

#[test]
fn trees_that_are_none() {
    refused(ud_file(&["2", "9"]), ud(), "E0802", "field 'arcs' has head '9' for token 2, but there are 2 tokens");
    refused(ud_file(&["2", "3", "2"]), ud(), "E0802", "field 'arcs' has a cycle through token");
    refused(ud_file(&["0", "2"]), ud(), "E0802", "field 'arcs' has head '2' for token 2, which is the token itself");
    refused(ud_file(&["0", "-1"]), ud(), "E0802", "field 'arcs' has head '-1' for token 2, which is no number");
    let tree = json().field("t", FieldType::Tree("x".into()), "t");
    let gist = "field 't' has 1 head and 'x' 2 tokens";
    refused(one("{\"x\":\"a b\",\"t\":[{\"head\":0,\"label\":\"r\"}]}"), tree, "E0802", gist);
}

#[test]
fn lines_that_are_not_json() {
    refused(
        one("{\"x\":\"a\"}\n{\"x\":\n"),
        json(),
        "E0802",
        "`train` line 2: not JSON at column 5: EOF while parsing a value",
    );
    refused(one("[1,2]\n"), json(), "E0802", "`train` line 1: an array where a JSON object is needed");
    refused(one("{\"x\":{\"y\":1}}\n"), json(), "E0802", "field 'x' is an object, where a text is needed");
    refused(one("{\"x\":[\"a\",[]]}\n"), json(), "E0802", "field 'x' has an array as its token 1");
    refused(one("{\"x\":null}\n"), json(), "E0802", "`train` line 1: field 'x' is missing");
    let deep = format!("{{\"x\":{}1{}}}\n", "[".repeat(500), "]".repeat(500));
    refused(one(&deep), json(), "E0802", "not JSON at column 132: recursion limit exceeded");
}

#[test]
fn spans_and_relations_out_of_place() {
    let file = |s: &str| one(&format!("{{\"x\":\"a b c\",\"s\":{s}}}\n"));
    let gist = "`train` line 1: span 0 of field 's' ends at 4, but 'x' has 3 tokens";
    refused(file("[{\"start\":1,\"end\":4,\"type\":\"P\"}]"), spans(), "E0802", gist);
    refused(file("[[0,1],[2,2]]"), spans(), "E0802", "span 1 of field 's' is empty: it starts at 2 and ends at 2");
    refused(file("[[2,1]]"), spans(), "E0802", "span 0 of field 's' is empty");
    refused(file("[{\"begin\":0,\"end\":1}]"), spans(), "E0802", "span 0 of field 's' is not {start, end}");
    refused(file("[[-1,1]]"), spans(), "E0802", "span 0 of field 's' is not {start, end}");
    refused(file("[[0,4294967297]]"), spans(), "E0802", "span 0 of field 's' is not {start, end}");
    refused(file("\"B-x O\""), spans(), "E0802", "field 's' has 2 tags and 'x' 3 tokens");
    refused(file("7"), spans(), "E0802", "field 's' is a number, where an array of spans is needed");
    let file = |r: &str| one(&format!("{{\"x\":\"a b c\",\"s\":[[0,1,\"P\"]],\"r\":{r}}}\n"));
    let gist = "relation 0 of field 'r' has tail 1, but 's' has 1 span";
    refused(file("[{\"head\":0,\"tail\":1,\"type\":\"T\"}]"), relations(), "E0802", gist);
    refused(file("[{\"from\":0,\"to\":0}]"), relations(), "E0802", "relation 0 of field 'r' is not {head, tail, type}");
    refused(file("{}"), relations(), "E0802", "field 'r' is an object, where an array of relations is needed");
    let clusters = json().field("k", FieldType::Clusters("x".into()), "k");
    let gist = "span 1 of cluster 0 of field 'k' ends at 9, but 'x' has 2 tokens";
    refused(one("{\"x\":\"a b\",\"k\":[[[0,1],[1,9]]]}\n"), clusters, "E0802", gist);
}

#[test]
fn answers_outside_their_texts() {
    let file = |rest: &str| {
        one(&format!("{{\"p\":[\"a b\",\"c\"],\"c\":null,\"a\":null,\"g\":null}}\n{{\"p\":[\"a b\",\"c\"],{rest}}}\n"))
    };
    refused(file("\"c\":2"), read(), "E0802", "`train` line 2: field 'c' chooses 2 (from 0), but 'p' has 2 texts");
    refused(file("\"c\":-1"), read(), "E0802", "field 'c' is no index of a member of 'p'");
    let answer = |m: u32, s: u32, e: u32| file(&format!("\"a\":{{\"member\":{m},\"start\":{s},\"end\":{e}}}"));
    refused(answer(1, 0, 2), read(), "E0802", "field 'a' ends at 2, but 'p' has 1 token");
    refused(answer(5, 0, 1), read(), "E0802", "field 'a' lies in member 5 (from 0), but 'p' has 2 texts");
    refused(file("\"a\":{\"start\":0,\"end\":1}"), read(), "E0802", "field 'a' is not {member, start, end}");
    refused(file("\"g\":[1]"), read(), "E0802", "field 'g' has 1 grade and 'p' 2 texts");
    refused(one("{\"p\":[],\"c\":1,\"a\":1,\"g\":1}\n"), read(), "E0802", "field 'p' has no texts");
    refused(one("{\"p\":[\"a\",\"\"],\"c\":1,\"a\":1,\"g\":1}\n"), read(), "E0802", "field 'p[1]' has no tokens");
}

#[test]
fn numbers_that_are_none() {
    let number = || data(Format::Tsv, "train").field("x", text(), "0").field("n", FieldType::Number, "1");
    refused(one("a\tmany\n"), number(), "E0802", "`train` line 1: field 'n' is 'many', which is no number");
    refused(one("a\t1\nb\tNaN\n"), number(), "E0802", "`train` line 2: field 'n' has a number that is not finite");
    refused(one("a\tinf\n"), number(), "E0802", "field 'n' has a number that is not finite");
    refused(one("a\t1e39\n"), number(), "E0802", "field 'n' has a number that is not finite");
    let vector = || json().field("v", FieldType::Vector(3), "v");
    refused(
        one("{\"x\":\"a\",\"v\":[1,2]}"),
        vector(),
        "E0802",
        "field 'v' has 2 numbers, where vector(3) is declared",
    );
    refused(
        one("{\"x\":\"a\",\"v\":[1,2,1e39]}"),
        vector(),
        "E0802",
        "field 'v' has a number (item 2) that is not finite",
    );
    refused(one("{\"x\":\"a\",\"v\":[1,\"b\",2]}"), vector(), "E0802", "field 'v' has a string as its item 1");
    refused(one("{\"x\":\"a\",\"v\":[1,null,2]}"), vector(), "E0802", "field 'v' has no number as its item 1");
    refused(
        one("{\"x\":\"a\",\"v\":\"1 nan 2\"}"),
        vector(),
        "E0802",
        "field 'v' has a number (item 1) that is not finite",
    );
}

#[test]
fn labels_that_are_none() {
    let class = json().field("y", FieldType::Class, "y");
    refused(one("{\"x\":\"a\",\"y\":[\"p\"]}"), class, "E0802", "field 'y' is an array, where one label is needed");
    let column = data(Format::Conll, "train").field("x", text(), "0").field("y", FieldType::Class, "1");
    refused(one("a p\nb q\n"), column, "E0802", "field 'y' is a column whose rows differ, where one label is needed");
    let labels = json().field("y", FieldType::Labels { separator: "#".into() }, "y");
    refused(
        one("{\"x\":\"a\",\"y\":{}}"),
        labels,
        "E0802",
        "field 'y' is an object, where an array or a string is needed",
    );
    let none = || json().field("y", FieldType::Class, "y");
    let files = one("{\"x\":\"a\",\"y\":null}\n");
    says(&found(&files, none(), &[space(&[("d", "y")])], &[]), "E0804", "field 'y' of 'd' has no label in train");
    let far = json().field("n", FieldType::Number, "n");
    let grades = SpaceSpec { name: "g".into(), from: SpaceFrom::Grades(vec![pair("d", "n")]) };
    let files = one("{\"x\":\"a\",\"n\":1}\n{\"x\":\"a\",\"n\":1e9}\n");
    says(&found(&files, far, &[grades], &[]), "E0804", "goes from 1 to 1000000000, too far for a space of grades");
}

#[test]
fn vectors_that_cannot_be_used() {
    let check = |content: &[u8], gist: &str| {
        let files = one("a b\n").with("glove", content);
        let spec = data(Format::Text, "train").field("x", text(), "");
        let vocab = VocabSpec { vectors: Some(file("glove")), ..words_of("d", "x") };
        says(&found(&files, spec, &[], &[vocab]), "E0807", gist);
    };
    check(b"a 1 2 3\nb 1 2\n", "`glove` line 2: a vector of 2 numbers, where 3 are due");
    check(b"a 1 2\nb 1 2 3\n", "`glove` line 2: a vector of 3 numbers, where 2 are due");
    check(b"2 4\na 1 2 3\n", "`glove` line 2: a vector of 3 numbers, where 4 are due");
    check(b"a 1 NaN\n", "`glove` line 1: the vector of 'a' has a number that is not finite");
    check(b"a 1 inf\n", "`glove` line 1: the vector of 'a' has a number that is not finite");
    check(b"a 1 2\nb 1 x\n", "`glove` line 2: the vector of 'b' has 'x', which is no number");
    check(b"a 1 2\n\xFF 1 2\n", "`glove` line 2: byte 1 (0xFF) is not UTF-8");
    check(b"", "`glove` has no vectors");
    let files = one("a b\n");
    let spec = data(Format::Text, "train").field("x", text(), "");
    let vocab = VocabSpec { vectors: Some(file("glove.txt")), ..words_of("d", "x") };
    says(&found(&files, spec, &[], &[vocab]), "E0807", "cannot find `glove.txt`");
}

#[test]
fn what_this_build_does_not_read() {
    let parquet = data(Format::Parquet, "train").field("x", text(), "x");
    refused(
        one(""),
        parquet,
        "E0703",
        "this build does not read the format 'parquet' | convert the data to one of lines, conll",
    );
    let squad = data(Format::Squad, "train").field("x", text(), "x");
    refused(one(""), squad, "E0703", "this build does not read the format 'squad'");
    let pieces = FieldType::Text { lower: false, tokens: Tokens::File(file("t.json")), max: None };
    let spec = || data(Format::Text, "train").field("x", pieces.clone(), "");
    refused(one("a"), spec(), "E0809", "cannot find the tokenizer `t.json`");
    refused(one("a").with("t.json", "{}"), spec(), "E0809", "`t.json` is no tokenizer");
    refused(one("a").with("t.json", [0xff]), spec(), "E0809", "the tokenizer `t.json` is not UTF-8");
    let itself = data(Format::Text, "train").made("x", text(), "{x}");
    refused(one("a"), itself, "E0802", "a template that is made from itself");
}

#[test]
fn skipping_counts_and_warns_once_a_file() {
    let files = Files::new()
        .with("train", "{\"x\":\"a\"}\n{\"x\":}\n{\"x\":\"b\"}\n\n{\"y\":1}\n")
        .with("dev", "{\"x\":\"a\"}\n");
    let found = found(&files, json().dev("dev").skip(), &[], &[]);
    assert_eq!(found.len(), 1);
    let gist = "2 malformed examples of `train` left out; the first: `train` line 2: not JSON";
    says(&found, codes::SKIPPED.0, gist);
    let files = Files::new().with("train", b"a O\nb\n\n\xFF O\nc O\n\nd O\n");
    let corpus = files.load(conll().skip()).ok().unwrap();
    assert_eq!((corpus.datasets[0].size(mtlc::data::Portion::Train), corpus.warnings.len()), (1, 1));
}

#[test]
fn places_to_blame() {
    let bad = one("a O\nb\n");
    assert_eq!(found(&bad, conll(), &[], &[])[0].span, Some(span(1)), "a malformed row: the data set");
    let bad = atis_files("a\n", "O O\n", "i\n");
    assert_eq!(found(&bad, atis(), &[], &[])[0].span, Some(span(11)), "a malformed field: the field");
    let bad = Files::new().with("train", "x\ta\n");
    let spec = data(Format::Tsv, "train").field("x", text(), "0").dev("dev");
    assert_eq!(found(&bad, spec, &[], &[])[0].span, Some(span(2)), "a missing file: the path");
    let many: String = "x\n".repeat(100);
    let found = found(&one(&many), json(), &[], &[]);
    assert_eq!(found.len(), 5, "a file that is bad throughout is not reported line by line");
    assert!(found.iter().all(|d| d.help.as_deref().is_some_and(|h| h.contains("on_error: skip"))));
}
