//! `mtlc new`: a starter project that trains as it stands.

use std::path::Path;

use super::args::New;
use super::{Ended, Voice, say};
use crate::diagnostics::{Diagnostic, codes};

const FILES: &[(&str, &str)] = &[
    ("data/train/seq.in", include_str!("starter/train/seq.in")),
    ("data/train/seq.out", include_str!("starter/train/seq.out")),
    ("data/train/label", include_str!("starter/train/label")),
    ("data/test/seq.in", include_str!("starter/test/seq.in")),
    ("data/test/seq.out", include_str!("starter/test/seq.out")),
    ("data/test/label", include_str!("starter/test/label")),
];

const README: &str = include_str!("starter/README.md");
const PROGRAM: &str = include_str!("starter/program.mtl");

/// Writes the project.
pub fn run(args: &New, voice: Voice) -> Ended {
    let root = Path::new(&args.name);
    let name = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) && !name.is_empty();
    if !valid {
        let message = format!("'{}' is no name for a project", args.name);
        return Err(Diagnostic::placeless(codes::INPUT, message).help("use letters, digits, `-` and `_`").into());
    }
    if root.exists() {
        let message = format!("'{}' is there already", args.name);
        return Err(Diagnostic::placeless(codes::OUTPUT, message).help("choose another name").into());
    }
    let failed = |path: &Path, e: std::io::Error| {
        Diagnostic::placeless(codes::OUTPUT, format!("cannot write '{}': {e}", path.display()))
    };
    let program = format!("{name}.mtl");
    let readme = README.replace("{name}", &name);
    let all = FILES.iter().copied().chain([(program.as_str(), PROGRAM), ("README.md", readme.as_str())]);
    for (file, text) in all {
        let path = root.join(file);
        let folder = path.parent().unwrap_or(root);
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        std::fs::write(&path, text).map_err(|e| failed(&path, e))?;
    }
    if !voice.quiet {
        say(&format!("made '{0}'; train it with: cd {0} && mtlc run {program}\n", args.name));
    }
    Ok(true)
}
