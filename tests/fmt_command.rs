//! `mtlc fmt` as a user types it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const UGLY: &str = "let  a=b // so\n";
const NEAT: &str = "let a = b  // so\n";

/// Runs `mtlc fmt` on a standard input; gives its exit code and what it said on both outputs.
fn fmt(folder: &Path, args: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.current_dir(folder).env("NO_COLOR", "1").arg("fmt").args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mtlc starts");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("written");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("mtlc ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("a file")
}

#[test]
fn files_and_folders_are_laid_out() {
    let folder = folder(&[("a.mtl", UGLY), ("in/b.mtl", NEAT), ("in/deep/c.mtl", UGLY), ("in/d.txt", UGLY)]);
    let path = folder.path();
    let (code, printed, said) = fmt(path, &["a.mtl", "in"], "");
    assert_eq!((code, printed.as_str()), (Some(0), ""));
    assert_eq!(said, "a.mtl: laid out\nin/deep/c.mtl: laid out\n");
    assert_eq!(["a.mtl", "in/b.mtl", "in/deep/c.mtl"].map(|f| read(path, f)), [NEAT; 3]);
    assert_eq!(read(path, "in/d.txt"), UGLY);
    assert_eq!(fmt(path, &["a.mtl", "in"], ""), (Some(0), String::new(), String::new()));
    let left: Vec<_> = std::fs::read_dir(path).expect("a folder").collect();
    assert_eq!(left.len(), 2, "no temporary file is left");
}

#[test]
fn check_changes_nothing_and_shows_what_would() {
    let folder = folder(&[("a.mtl", UGLY), ("b.mtl", NEAT)]);
    let (code, printed, _) = fmt(folder.path(), &["--check", "."], "");
    assert_eq!(code, Some(1));
    assert!(printed.contains("--- ./a.mtl\n") && !printed.contains("b.mtl"), "{printed}");
    assert!(printed.contains(&format!("-{UGLY}+{NEAT}")), "{printed}");
    assert_eq!(read(folder.path(), "a.mtl"), UGLY);
    assert_eq!(fmt(folder.path(), &["--check", "b.mtl"], "").0, Some(0));
}

#[test]
fn the_standard_input_is_printed() {
    let folder = folder(&[]);
    for arg in ["--stdin", "-"] {
        assert_eq!(fmt(folder.path(), &[arg], UGLY), (Some(0), NEAT.into(), String::new()));
    }
    let (code, printed, _) = fmt(folder.path(), &["-", "--check"], UGLY);
    assert!(code == Some(1) && printed.contains("<stdin>"), "{printed}");
    assert_eq!(fmt(folder.path(), &["-", "--check"], NEAT), (Some(0), String::new(), String::new()));
    assert_eq!(fmt(folder.path(), &[], "").0, Some(2), "a file or `--stdin` is needed");
}

#[test]
fn sound_parts_of_a_broken_file_are_laid_out() {
    let folder = folder(&[("a.mtl", "let  a=b\nlet  c (\nlet  d=e\n")]);
    let (code, _, said) = fmt(folder.path(), &["a.mtl"], "");
    assert_eq!(code, Some(1));
    assert!(said.contains("error[E0101]") && said.contains("a.mtl:2:"), "{said}");
    assert_eq!(read(folder.path(), "a.mtl"), "let a = b\nlet  c (\nlet d = e\n");
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let folder = folder(&[]);
    let (code, _, said) = fmt(folder.path(), &["nowhere.mtl"], "");
    assert!(code == Some(1) && said.contains("error[E0908]: cannot read 'nowhere.mtl'"), "{said}");
    std::fs::write(folder.path().join("bytes.mtl"), [0xff, b'\n']).expect("written");
    let (code, _, said) = fmt(folder.path(), &["bytes.mtl"], "");
    assert!(code == Some(1) && said.contains("not UTF-8"), "{said}");
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder(&[("a.mtl", UGLY), ("locked.mtl", UGLY)]);
    let path = |name: &str| folder.path().join(name);
    let mode = |name: &str| std::fs::metadata(path(name)).expect("a file").permissions().mode() & 0o777;
    let set = |name: &str, mode| std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).expect("set");
    set("a.mtl", 0o640);
    set("locked.mtl", 0o444);
    symlink("a.mtl", path("link.mtl")).expect("a link");
    assert_eq!(fmt(folder.path(), &["link.mtl"], "").0, Some(0));
    assert!(path("link.mtl").is_symlink());
    assert_eq!((read(folder.path(), "a.mtl").as_str(), mode("a.mtl")), (NEAT, 0o640));
    let (code, _, said) = fmt(folder.path(), &["locked.mtl"], "");
    assert!(code == Some(1) && said.contains("error[E0904]: cannot write 'locked.mtl'"), "{said}");
    assert_eq!(read(folder.path(), "locked.mtl"), UGLY);
}
