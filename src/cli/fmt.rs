//! `mtlc fmt`.

use std::io::Read;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::args::Fmt;
use super::{Ended, Voice, out, print_diagnostics, say};
use crate::diagnostics::{Diagnostic, codes};
use crate::fmt::{Formatted, format};
use crate::report::results::write_whole;
use crate::source::{Disk, Loader, SourceMap};

/// Lays programs out, or says which are not; files with mistakes are laid out around them.
pub fn run(args: &Fmt, voice: Voice) -> Ended {
    let mut ok = true;
    if args.stdin {
        return stdin(args.check, voice);
    }
    for given in &args.files {
        if given.as_os_str() == "-" {
            ok &= stdin(args.check, voice)?;
            continue;
        }
        for path in programs(given)? {
            let text = Disk.load(&path).map_err(|e| unreadable(&path, &e))?;
            let formatted = laid_out(&path, &text, voice);
            ok &= formatted.diagnostics.is_empty();
            match (formatted.text == text, args.check) {
                (true, _) => {}
                (false, true) => {
                    out(&difference(&path, &text, &formatted.text));
                    ok = false;
                }
                (false, false) => replace(&path, &formatted.text, voice)?,
            }
        }
    }
    Ok(ok)
}

fn stdin(check: bool, voice: Voice) -> Ended {
    let path = Path::new("<stdin>");
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    let text = String::from_utf8(bytes).map_err(|e| unreadable(path, &e))?;
    let formatted = laid_out(path, &text, voice);
    let same = formatted.text == text;
    out(&if check { difference(path, &text, &formatted.text) } else { formatted.text });
    Ok(formatted.diagnostics.is_empty() && (same || !check))
}

/// A text laid out; what is wrong with it is printed.
fn laid_out(path: &Path, text: &str, voice: Voice) -> Formatted {
    let formatted = format(text);
    if !formatted.diagnostics.is_empty() {
        let mut sources = SourceMap::new();
        sources.add(path, text);
        print_diagnostics(&sources, &formatted.diagnostics, voice);
    }
    formatted
}

/// A file, or the programs in a folder and those in it.
fn programs(given: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    if !given.is_dir() {
        return Ok(vec![given.to_owned()]);
    }
    let entries = std::fs::read_dir(given).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> = entries.map_err(|e| unreadable(given, &e))?.iter().map(|e| e.path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        // A link to a folder could lead in a circle.
        if path.is_dir() && !path.is_symlink() {
            found.extend(programs(&path)?);
        } else if path.extension().is_some_and(|e| e == "mtl") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Writes a file beside its place and renames it; what a link points to is replaced, not the link.
fn replace(path: &Path, text: &str, voice: Voice) -> Result<(), Diagnostic> {
    let failed = |e: std::io::Error| {
        let message = format!("cannot write '{}': {e}", path.display());
        Diagnostic::placeless(codes::OUTPUT, message).help("the file is as it was")
    };
    let target = std::fs::canonicalize(path).map_err(failed)?;
    let permissions = std::fs::metadata(&target).map_err(failed)?.permissions();
    if permissions.readonly() {
        return Err(failed(std::io::ErrorKind::PermissionDenied.into()));
    }
    write_whole(&target, text.as_bytes())
        .and_then(|()| std::fs::set_permissions(&target, permissions))
        .map_err(failed)?;
    if !voice.quiet {
        say(&format!("{}: laid out\n", path.display()));
    }
    Ok(())
}

fn difference(path: &Path, before: &str, after: &str) -> String {
    let name = path.display().to_string();
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(1).header(&name, &format!("{name} (laid out)")).to_string()
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::placeless(codes::INPUT, format!("cannot read '{}': {error}", path.display()))
        .help("name a `.mtl` file that exists")
}
