//! The columns, keys or files that a data set could read fields from, as its first example has them.

use std::path::Path;

use serde_json::Value;

use super::file::{Lines, names_in};
use super::spec::Format;

/// Lines that are looked at.
const LOOKED_AT: usize = 64;

/// The names or numbers that `from` could name, of the first of these files that can be read.
pub fn columns(format: &Format, files: &[std::path::PathBuf]) -> Vec<String> {
    let found = files.iter().map(|file| of_file(format, file));
    found.into_iter().find(|names| !names.is_empty()).unwrap_or_default()
}

fn of_file(format: &Format, file: &Path) -> Vec<String> {
    match format {
        Format::Lines => beside(file),
        Format::Csv { separator } => cells(file, *separator),
        Format::Tsv => cells(file, '\t'),
        Format::Jsonl => {
            first(file).and_then(|l| serde_json::from_str(&l).ok()).map_or_else(Vec::new, |v| keys(&v, ""))
        }
        Format::Conll => numbered(file),
        Format::Conllu => {
            ["id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"].map(String::from).into()
        }
        Format::Text | Format::Parquet | Format::Squad => Vec::new(),
    }
}

/// The first lines of a file.
fn lines(file: &Path) -> Vec<String> {
    let Ok(mut lines) = Lines::open(file, &file.display().to_string()) else { return Vec::new() };
    let mut found = Vec::new();
    while let (true, Ok(Some(line))) = (found.len() < LOOKED_AT, lines.next()) {
        found.push(line.to_string());
    }
    found
}

fn first(file: &Path) -> Option<String> {
    lines(file).into_iter().find(|l| !l.trim().is_empty())
}

/// The cells of the first line, which may be a header.
fn cells(file: &Path, separator: char) -> Vec<String> {
    let line = first(file).unwrap_or_default();
    line.split(separator).map(|c| c.trim().trim_matches('"').to_string()).filter(|c| !c.is_empty()).collect()
}

/// The keys of an object, inner ones as `a.b`.
fn keys(value: &Value, above: &str) -> Vec<String> {
    let Value::Object(fields) = value else { return Vec::new() };
    let mut found = Vec::new();
    for (key, inner) in fields {
        let full = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let below = keys(inner, &full);
        found.push(full);
        found.extend(below);
    }
    found
}

/// The numbers of columns, and the comments of the first example.
fn numbered(file: &Path) -> Vec<String> {
    let lines = lines(file);
    let (comments, rows): (Vec<&String>, Vec<&String>) = lines.iter().partition(|l| l.starts_with('#'));
    let width = rows.iter().map(|l| l.split_whitespace().count()).find(|n| *n > 0).unwrap_or(0);
    let name = |l: &&String| l.split_once(['=', ':']).map(|(name, _)| name.trim().to_string());
    let mut found: Vec<String> = (0..width).map(|n| n.to_string()).collect();
    for comment in comments.iter().filter_map(name) {
        if !found.contains(&comment) {
            found.push(comment);
        }
    }
    found
}

/// The names that `train` may be followed by: those of files in a folder, or behind a dot.
fn beside(path: &Path) -> Vec<String> {
    let plain = |name: &str| name.strip_suffix(".gz").unwrap_or(name).to_string();
    if path.is_dir() {
        return names_in(path).iter().map(|n| plain(n)).collect();
    }
    let (Some(folder), Some(stem)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let after = |name: &String| name.strip_prefix(stem)?.strip_prefix('.').map(plain);
    names_in(folder).iter().filter_map(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(format: Format, name: &str, text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        columns(&format, &[folder.path().join("missing"), file])
    }

    #[test]
    fn each_format_tells_its_columns() {
        assert_eq!(of(Format::Csv { separator: ';' }, "a", "\"text\";label\nx;y\n"), ["text", "label"]);
        assert_eq!(of(Format::Tsv, "a", "a\tb c\n"), ["a", "b c"]);
        assert_eq!(of(Format::Jsonl, "a", "{\"x\": 1, \"y\": {\"z\": 2}}\n"), ["x", "y", "y.z"]);
        assert_eq!(of(Format::Conll, "a", "# intent = f\n感 B-x\n\n"), ["0", "1", "# intent"]);
        assert_eq!(of(Format::Conllu, "a", "")[1], "form");
        assert!(of(Format::Text, "a", "x\n").is_empty());
    }

    #[test]
    fn lines_stand_in_a_folder_or_behind_a_dot() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["train.seq.in", "train.label.gz", "other"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut found = columns(&Format::Lines, &[folder.path().join("train")]);
        found.sort();
        assert_eq!(found, ["label", "seq.in"]);
        found = columns(&Format::Lines, &[folder.path().to_path_buf()]);
        assert!(found.contains(&"other".to_string()), "{found:?}");
    }
}
