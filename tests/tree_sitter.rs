//! The editors' grammar, `editors/tree-sitter-mtl`, held against the compiler's: what one accepts
//! the other accepts, and what is coloured is what its fixtures say.

use std::path::{Path, PathBuf};

use mtlc::source::FileId;
use mtlc::syntax;
use tree_sitter::{Node, Parser, Query, QueryCursor, StreamingIterator, Tree};
use tree_sitter_mtl::{FOLDS, HIGHLIGHTS, INDENTS, LANGUAGE, LOCALS, TAGS};

/// What mtlc refuses after it has parsed, so that no grammar can: words of its messages.
const BEYOND_A_GRAMMAR: &[&str] =
    &["too large", "is not the number of a column", "expected a percentage before `of`", "`, found `[`"];

fn tree(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&LANGUAGE.into()).expect("a language this version reads");
    parser.parse(text, None).expect("a tree")
}

/// The syntax errors of a text that a grammar can know of.
fn mistakes(text: &str) -> Vec<String> {
    let given = syntax::parse(FileId(0), text).diagnostics.into_iter().map(|d| format!("{} {}", d.code, d.message));
    given.filter(|d| !BEYOND_A_GRAMMAR.iter().any(|b| d.contains(b))).collect()
}

/// The files of a folder and those below it that end in `ending`.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

/// Texts of the repository with the places they come from.
fn texts(folders: &[&str], ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    folders.iter().for_each(|folder| files(&root.join(folder), ending, &mut found));
    let place = |p: &Path| p.strip_prefix(root).unwrap().display().to_string();
    found.iter().map(|p| (place(p), std::fs::read_to_string(p).unwrap_or_default())).collect()
}

/// Programs and parts of programs in the documents.
fn blocks() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (place, text) in texts(&["docs"], ".md") {
        for block in text.split("\n```mtl").skip(1) {
            let Some((_, body)) = block.split_once('\n') else { continue };
            found.push((place.clone(), body.split("```").next().unwrap_or_default().to_owned()));
        }
    }
    found
}

#[test]
fn what_the_compiler_parses_parses_and_what_not_does_not() {
    let programs = texts(&["examples", "tests", "src/cli/starter", "benches"], ".mtl");
    assert!(programs.len() > 100 && blocks().len() > 50, "{} and {}", programs.len(), blocks().len());
    let mut wrong = String::new();
    // How deep a text nests is no matter of grammar.
    let deep = ["tests/ui/syntax/too_deep.mtl", "tests/ui/syntax/too_deep_lists.mtl", "docs/errors/E0104.md"];
    for (place, text) in programs.into_iter().chain(blocks()).filter(|p| !deep.contains(&p.0.as_str())) {
        let (mistakes, broken) = (mistakes(&text), tree(&text).root_node().has_error());
        if mistakes.is_empty() == broken {
            wrong += &format!("{place}: mtlc says {mistakes:?}, the tree {}\n", tree(&text).root_node());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Each token of the examples is left out, once.
#[test]
fn what_the_compiler_parses_of_broken_examples_parses() {
    let (mut broken, mut missed, mut wrong) = (0, Vec::new(), String::new());
    for (place, text) in texts(&["examples"], ".mtl") {
        for range in leaves(tree(&text).root_node()) {
            let cut = format!("{}{}", &text[..range.start], &text[range.end..]);
            let (mistakes, error) = (mistakes(&cut), tree(&cut).root_node().has_error());
            broken += usize::from(!mistakes.is_empty());
            let line = cut[..range.start].matches('\n').count() + 1;
            match (mistakes.first(), error) {
                (None, true) => wrong += &format!("{place}:{line} without `{}` parses\n", &text[range]),
                (Some(said), false) => missed.push(format!("{place}:{line} without `{}`: {said}", &text[range])),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(missed.is_empty(), "{} of {broken}: {missed:#?}", missed.len());
}

/// The places of the tokens under a node.
fn leaves(node: Node) -> Vec<std::ops::Range<usize>> {
    if node.child_count() == 0 {
        return vec![node.byte_range()];
    }
    node.children(&mut node.walk()).flat_map(leaves).collect()
}

#[test]
fn the_corpus_gives_its_trees() {
    let mut seen = 0;
    for (place, text) in texts(&["editors/tree-sitter-mtl/test/corpus"], ".txt") {
        for (title, program, expected) in corpus(&text) {
            let tree = tree(program);
            if title.contains(":error") {
                assert!(tree.root_node().has_error(), "{place}: {title}");
            } else {
                assert_eq!(tree.root_node().to_sexp(), one_line(expected), "{place}: {title}");
            }
            seen += 1;
        }
    }
    assert!(seen > 20);
}

/// A corpus as `tree-sitter test` reads it: a title between lines of `=`, a text, `---`, and its
/// tree or, after a title with `:error`, nothing: what a parser makes of a mistake is its own matter.
fn corpus(text: &str) -> Vec<(&str, &str, &str)> {
    let parts: Vec<&str> = text.split("================\n").skip(1).collect();
    let case = |p: &[&'_ str]| p[1].find("\n---\n").map(|at| (at, at + "\n---\n".len()));
    parts.chunks(2).map(|p| case(p).map(|(at, to)| (p[0], &p[1][..at], &p[1][to..])).expect("a case")).collect()
}

fn one_line(tree: &str) -> String {
    tree.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")")
}

/// The captures of a query, each with its name and node.
fn captures<T>(source: &str, text: &str, take: impl Fn(&str, Node) -> T) -> Vec<T> {
    let query = Query::new(&LANGUAGE.into(), source).expect("a query of this grammar");
    let (tree, mut cursor) = (tree(text), QueryCursor::new());
    let mut found = Vec::new();
    let mut given = cursor.captures(&query, tree.root_node(), text.as_bytes());
    while let Some((matched, index)) = given.next() {
        let capture = matched.captures()[*index];
        found.push(take(query.capture_names()[capture.index as usize], capture.node));
    }
    found
}

#[test]
fn queries_find_what_they_are_for() {
    let examples = texts(&["examples"], ".mtl").into_iter().map(|(_, text)| text).collect::<String>();
    for query in [FOLDS, INDENTS, LOCALS, TAGS] {
        let found = captures(query, &examples, |name, _| name.to_owned());
        let names = Query::new(&LANGUAGE.into(), query).unwrap();
        let missing: Vec<_> = names.capture_names().iter().filter(|n| !found.iter().any(|f| f == *n)).collect();
        assert!(missing.is_empty(), "{missing:?} is never found by {query}");
    }
}

#[test]
fn nothing_has_two_colours() {
    for (place, text) in texts(&["examples", "tests/ui/syntax"], ".mtl") {
        let mut nodes = captures(HIGHLIGHTS, &text, |_, node| node.byte_range());
        nodes.sort_by_key(|n| (n.start, n.end));
        let twice = nodes.windows(2).find(|w| w[0] == w[1]);
        assert!(twice.is_none(), "{place}: `{}`", &text[twice.unwrap()[0].clone()]);
    }
}

/// `// ^^^ name` says what colour the marked bytes of the line before have, `// <- name` says it of
/// its first.
#[test]
fn colours_are_what_the_fixture_says() {
    for (place, text) in texts(&["editors/tree-sitter-mtl/test/highlight"], ".mtl") {
        let colours = captures(HIGHLIGHTS, &text, |name, node| (node.byte_range(), name.to_owned()));
        let colour = |at: usize| {
            let around = colours.iter().filter(|(range, _)| range.contains(&at));
            around.min_by_key(|(range, _)| range.len()).map_or("none", |(_, name)| name.as_str())
        };
        let (mut line, mut start, mut seen) = (0, 0, 0);
        for (number, content) in text.lines().enumerate() {
            match mark(content) {
                Some((columns, name)) => {
                    let given: Vec<&str> = columns.map(|c| colour(line + c)).collect();
                    assert!(given.iter().all(|g| *g == name), "{place}:{}: {given:?}", number + 1);
                    seen += 1;
                }
                None => line = start,
            }
            start += content.len() + 1;
        }
        assert!(seen > 50);
    }
}

fn mark(line: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let body = line.strip_prefix("//")?.trim_start();
    if let Some(name) = body.strip_prefix("<- ") {
        return Some((0..1, name));
    }
    let name = body.strip_prefix('^')?.trim_start_matches('^');
    let start = line.find('^')?;
    Some((start..line.len() - name.len(), name.trim()))
}
