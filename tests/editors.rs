//! What editors are given: snippets that parse, and the lines of `docs/editors.md`, read or run by
//! the editors themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mtlc::source::FileId;
use mtlc::syntax;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The blocks of `docs/editors.md` in a language.
fn blocks(language: &str) -> Vec<String> {
    let page = read("docs/editors.md");
    let parts = page.split("\n```").skip(1).step_by(2);
    let found = parts.filter_map(|p| p.split_once('\n')).filter(|(l, _)| *l == language);
    found.map(|(_, body)| body.to_owned() + "\n").collect()
}

/// A snippet as it stands before anything is typed: each place with its default, or with the first
/// of its choices.
fn expanded(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some((before, place)) = rest.split_once("${") {
        let (inside, after) = place.split_once('}').expect("a place is closed");
        let default = inside.split_once(':').map(|(_, default)| default);
        let choice = || inside.split_once('|').and_then(|(_, list)| list.split([',', '|']).next());
        out += before;
        out += default.or_else(choice).unwrap_or_default();
        rest = after;
    }
    out + &rest.replace("$0", "")
}

#[test]
fn snippets_parse() {
    let snippets: serde_json::Value = serde_json::from_str(&read("editors/vscode/snippets/mtl.json")).unwrap();
    let snippets = snippets.as_object().unwrap();
    for (name, snippet) in snippets {
        let lines = snippet["body"].as_array().cloned().unwrap_or_else(|| vec![snippet["body"].clone()]);
        let text = expanded(&lines.iter().map(|l| l.as_str().unwrap()).collect::<Vec<_>>().join("\n"));
        // Fields and stages stand in blocks.
        let whole = match name.as_str() {
            "Field" => format!("data d {{ {text} }}"),
            "Stage" => format!("train {{ {text} }}"),
            _ => text,
        };
        let parsed = syntax::parse(FileId(0), &whole);
        assert!(parsed.diagnostics.is_empty(), "{name}: {whole}\n{:#?}", parsed.diagnostics);
        assert_eq!(parsed.ast.items.len(), 1, "{name}: {whole}");
    }
}

#[test]
fn every_kind_of_task_has_a_snippet() {
    let snippets = read("editors/vscode/snippets/mtl.json");
    for kind in mtlc::ops::TASKS {
        let name = kind.signature().name;
        assert!(snippets.contains(&format!("\"task {name}\"")), "{name}");
    }
}

#[test]
fn lines_for_helix_are_toml() {
    let blocks = blocks("toml");
    assert_eq!(blocks.len(), 1);
    let table: toml::Table = blocks[0].parse().unwrap();
    assert_eq!(table["language"][0]["language-servers"][0].as_str(), Some("mtlc"));
    assert_eq!(table["language-server"]["mtlc"]["args"][0].as_str(), Some("lsp"));
    assert_eq!(table["grammar"][0]["name"], table["language"][0]["name"]);
}

/// Whether there is a Neovim; CI has one.
fn neovim() -> bool {
    let there = Command::new("nvim").arg("--version").output().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "CI has Neovim");
    if !there {
        println!("skipped: there is no nvim");
    }
    there
}

/// A home with the lines for Neovim in its place and a program with a mistake.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".config/nvim");
    fs::create_dir_all(&config).unwrap();
    let [new, old, colours] = blocks("lua").try_into().expect("three blocks of lua");
    fs::write(config.join("new.lua"), new).unwrap();
    fs::write(config.join("old.lua"), old).unwrap();
    fs::write(config.join("colours.lua"), colours).unwrap();
    fs::write(config.join("init.lua"), include_str!("editors/init.lua")).unwrap();
    let program = read("examples/slu.mtl").replace("home.utterance", "home.utterence");
    fs::write(home.path().join("typo.mtl"), program).unwrap();
    home
}

fn run(command: &mut Command, home: &Path) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_mtlc"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let command = command.env("PATH", path).env("HOME", home);
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

/// Whether this build has a server, which is a feature.
fn server(home: &Path) -> bool {
    let there = run(Command::new("mtlc").args(["lsp", "--help"]), home).status.success();
    if !there {
        println!("skipped: this build has no `mtlc lsp`");
    }
    there
}

/// Neovim with the lines of the page colours a program and shows its mistake.
#[test]
fn lines_for_neovim_run() {
    if !neovim() {
        return;
    }
    let home = home();
    let built = run(Command::new("sh").args(["-ec", &compiles_the_parser()]).current_dir(root()), home.path());
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::write(home.path().join("check.lua"), include_str!("editors/check.lua")).unwrap();
    let mut nvim = Command::new("nvim");
    nvim.args(["--headless", "typo.mtl", "-c", "luafile check.lua"]).current_dir(home.path());
    nvim.env("SERVER", if server(home.path()) { "there" } else { "" });
    let output = run(&mut nvim, home.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all is well"), "{said}");
}

/// Neovim with the lines of the page mends, explains, renames, completes and formats.
#[test]
fn a_session_in_neovim() {
    let home = home();
    if !neovim() || !server(home.path()) {
        return;
    }
    fs::write(home.path().join("layers.mtl"), include_str!("editors/session/layers.mtl")).unwrap();
    fs::write(home.path().join("program.mtl"), include_str!("editors/session/program.mtl")).unwrap();
    fs::write(home.path().join("session.lua"), include_str!("editors/session.lua")).unwrap();
    // There are no colours in this one.
    fs::write(home.path().join(".config/nvim/colours.lua"), "").unwrap();
    let mut nvim = Command::new("nvim");
    nvim.args(["--headless", "-c", "luafile session.lua"]).current_dir(home.path());
    let output = run(&mut nvim, home.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all is well"), "{said}");
}

/// The commands of the page that make the parser.
fn compiles_the_parser() -> String {
    let found = blocks("sh").into_iter().find(|b| b.contains("cc ") && b.contains("nvim"));
    found.expect("commands for Neovim")
}
