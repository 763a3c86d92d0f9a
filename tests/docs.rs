//! The documents, held against the build: each program in them checks as its page says, each
//! command line runs, and the reference is what the table of operations gives.
//!
//! Every fenced block says what it is by its language: `mtl` is a whole program, `mtl,fragment` a
//! part of one, `sh` holds commands, and `text` what a program printed. `lua` and `toml` are what
//! editors read: `tests/editors.rs` runs those.

use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;
use mtlc::cli::args::Cli;
use mtlc::driver::check::{Checked, Settings, check};
use mtlc::source::{FileId, Loader};
use mtlc::syntax;

/// A fenced block of a document.
struct Block {
    /// The document, from the root of the repository, and the line of the block.
    place: String,
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The Markdown files of a folder, from the root of the repository.
fn markdown(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder");
    let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("a plain name"));
    let mut pages: Vec<String> = names.filter(|n| n.ends_with(".md")).map(|n| format!("{folder}/{n}")).collect();
    pages.sort();
    assert!(!pages.is_empty(), "{folder} has no page");
    pages
}

/// What is written for users, but for the pages of diagnostics and the reference.
fn documents() -> Vec<String> {
    let front = ["README.md", "CONTRIBUTING.md"].map(String::from);
    front.into_iter().chain(markdown("docs")).collect()
}

fn blocks(page: &str) -> Vec<Block> {
    blocks_in(page, &read(page))
}

fn blocks_in(page: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(l, _)| l).take_while(|l| *l != "```").collect();
        let text = body.join("\n") + "\n";
        found.push(Block { place: format!("{page}:{number}"), language: language.into(), text });
    }
    found
}

/// The blocks of all documents in a language.
fn all(language: &str) -> Vec<Block> {
    let found: Vec<Block> = documents().iter().flat_map(|p| blocks(p)).filter(|b| b.language == language).collect();
    assert!(!found.is_empty(), "no document has a block of {language}");
    found
}

/// A program, and a file that programs can use.
struct Memory<'t>(&'t str);

impl Loader for Memory<'_> {
    fn load(&self, path: &Path) -> std::io::Result<String> {
        match path.to_str() {
            Some("page.mtl") => Ok(self.0.into()),
            Some("encoders.mtl") => Ok("layer shared = embed(64) |> bilstm(64)\n".into()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

fn checked(text: &str) -> Checked {
    let mut checked = check(Path::new("page.mtl"), &Memory(text), &Settings::default());
    let notes = std::mem::take(&mut checked.notes);
    checked.add(notes);
    checked
}

#[test]
fn pages_of_diagnostics_show_them_and_mend_them() {
    let mut wrong = String::new();
    for page in markdown("docs/errors") {
        let code = Path::new(&page).file_stem().expect("a name").to_string_lossy().into_owned();
        let programs: Vec<Block> = blocks(&page).into_iter().filter(|b| b.language == "mtl").collect();
        let (Some(first), Some(last)) = (programs.first(), programs.last()) else { continue };
        let given = checked(&first.text).diagnostics;
        if given.is_empty() || given.iter().any(|d| d.code.0 != code) {
            wrong += &format!("{} gives {given:#?}\n", first.place);
        }
        let given = checked(&last.text).diagnostics;
        if !given.is_empty() {
            wrong += &format!("{} gives {given:#?}\n", last.place);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn pages_of_diagnostics_have_programs_where_checking_gives_them() {
    for page in markdown("docs/errors") {
        let name = Path::new(&page).file_stem().expect("a name").to_string_lossy().into_owned();
        // What only a run can give shows a command.
        let shown = name[1..] >= *"0901" || name == "E0603";
        let programs = blocks(&page).iter().filter(|b| ["mtl", "mtl,data"].contains(&b.language.as_str())).count();
        assert_eq!(programs, if shown { 0 } else { 2 }, "{page}");
    }
}

#[test]
fn the_reference_is_what_the_operations_say() {
    let page = "docs/reference/README.md";
    let reference = mtlc::ops::reference();
    if std::env::var_os("MTLC_BLESS").is_some() {
        std::fs::write(root().join(page), &reference).expect("written");
    }
    assert!(read(page) == reference, "{page} is old; MTLC_BLESS=1 cargo test --test docs rewrites it");
}

#[test]
fn fragments_parse() {
    let pages = documents().into_iter().chain(markdown("docs/errors"));
    for block in pages.flat_map(|p| blocks(&p)).filter(|b| b.language == "mtl,fragment") {
        let given = syntax::parse(FileId(0), &block.text).diagnostics;
        assert!(given.is_empty(), "{}: {given:#?}", block.place);
    }
}

#[test]
fn blocks_are_of_known_languages() {
    let pages = documents().into_iter().chain(markdown("docs/errors"));
    for block in pages.flat_map(|p| blocks(&p)) {
        let known = ["mtl", "mtl,data", "mtl,fragment", "sh", "text", "rust,ignore", "lua", "toml"];
        let known = known.contains(&block.language.as_str()) || block.language.starts_with("data ");
        assert!(known, "{}: `{}`", block.place, block.language);
    }
}

/// The `mtlc …` commands that a page names in passing: in backticks, or after a prompt.
fn named_commands(text: &str) -> Vec<&str> {
    let prompts = text.lines().filter_map(|l| l.strip_prefix("$ "));
    let inline = text.split("\n```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    prompts.chain(inline).filter(|c| c.starts_with("mtlc ")).collect()
}

#[test]
fn commands_named_in_passing_exist() {
    let (mut seen, mut wrong) = (0, String::new());
    for page in documents().into_iter().chain(markdown("docs/errors")) {
        for command in named_commands(&read(&page)) {
            seen += 1;
            let plain = command.split(['>', '|', '#', '…', '\\']).next().unwrap_or_default();
            let Err(e) = Cli::try_parse_from(plain.split_whitespace()) else { continue };
            // Some leave out what the text has said before, such as the file.
            if !matches!(e.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelp) {
                wrong += &format!("{page}: `{command}`: {e}\n");
            }
        }
    }
    assert!(seen > 0 && wrong.is_empty(), "{seen} seen; wrong:\n{wrong}");
}

#[test]
fn code_in_documents_is_in_the_source() {
    let sources = ["src/ops/mod.rs", "src/ops/sparsity.rs", "tests/gradients.rs"].map(read);
    for block in all("rust,ignore") {
        assert!(sources.iter().any(|source| source.contains(&block.text)), "{}: in no source", block.place);
    }
}

/// Where the links and the paths in backticks of a page lead, each from the root.
fn targets(page: &str) -> Vec<String> {
    let text = read(page);
    let folder = Path::new(page).parent().expect("a folder").to_string_lossy().into_owned();
    let links = text.split("](").skip(1).filter_map(|t| t.split([')', '#']).next());
    let links = links.filter(|l| !l.is_empty() && !l.contains("://")).map(|l| format!("{folder}/{l}"));
    let is_path = |c: &&str| ["src/", "tests/", "docs/", "examples/", "benches/"].iter().any(|f| c.starts_with(f));
    let paths =
        text.split('`').skip(1).step_by(2).filter(is_path).filter(|c| !c.contains([' ', '*'])).map(str::to_string);
    links.map(|l| l.trim_start_matches('/').to_string()).chain(paths).collect()
}

#[test]
fn links_and_paths_lead_somewhere() {
    let mut seen = 0;
    for page in documents() {
        for target in targets(&page) {
            assert!(root().join(&target).exists(), "{page}: there is no {target}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[cfg(feature = "train")]
#[path = "docs/pages.rs"]
mod pages;
#[cfg(feature = "train")]
#[path = "docs/run.rs"]
mod run;

/// The lines of the files of `src` that name something, with their files.
fn lines_that_name(what: &str) -> Vec<(String, String)> {
    fn visit(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { visit(&path, files) } else { files.push(path) }
        }
    }
    let mut files = Vec::new();
    visit(&root().join("src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let name = file.strip_prefix(root()).expect("in the repository").display().to_string();
        let lines = text.lines().filter(|line| line.to_lowercase().contains(what));
        found.extend(lines.map(|line| (name.clone(), line.trim().to_string())));
    }
    found
}

#[test]
fn the_walk_to_a_new_operation_is_one_file_and_the_table() {
    let walk = blocks("CONTRIBUTING.md");
    let whole = read("src/ops/sparsity.rs");
    assert!(walk.iter().any(|block| block.text == whole), "CONTRIBUTING.md does not show src/ops/sparsity.rs");
    let elsewhere: Vec<_> =
        lines_that_name("sparsity").into_iter().filter(|(file, _)| file != "src/ops/sparsity.rs").collect();
    let table = |line: &str| ("src/ops/mod.rs".to_string(), line.to_string());
    assert_eq!(elsewhere, [table("pub mod sparsity;"), table("&sparsity::Sparsity,")]);
    for line in ["pub mod sparsity;\n", "    &sparsity::Sparsity,\n"] {
        assert!(walk.iter().any(|block| block.text == line), "CONTRIBUTING.md does not show {line}");
    }
    assert!(mtlc::ops::reference().contains("sparsity(x)"));
}

#[test]
fn each_system_has_a_program_that_tests_train() {
    let page = read("docs/systems.md");
    let (built, _) = page.split_once("## Open").expect("the open ones at the end");
    let mut linked = std::collections::BTreeSet::new();
    for line in built.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| system")) {
        let links: Vec<&str> = line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        let programs: Vec<&str> = links.into_iter().filter(|link| link.ends_with(".mtl")).collect();
        assert!(!programs.is_empty(), "no program: {line}");
        linked.extend(programs.iter().map(|link| link.trim_start_matches("../").to_string()));
    }
    // All programs of these two folders are trained, by tests/examples.rs and tests/programs.rs.
    for program in &linked {
        assert!(program.starts_with("examples/") || program.starts_with("tests/programs/"), "{program}");
        assert!(root().join(program).exists(), "{program}");
    }
}
