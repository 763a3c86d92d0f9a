//! `results.json`: the test figures, `{"intent": {"accuracy": 0.96}, "sentence": 0.87}`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::watch::{Figure, parts};

/// Figures by task, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// Name and value; a figure that is not a number is NaN.
    pub figures: Vec<(String, f64)>,
}

impl Results {
    /// The results of these figures.
    pub fn of(figures: &[Figure]) -> Self {
        Self { figures: figures.iter().map(|f| (f.name.clone(), f.value)).collect() }
    }

    /// A figure by its name, `intent.accuracy`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// An object for each task, a number for each `metric` item.
    pub fn to_json(&self) -> Value {
        let mut root = Map::new();
        for (name, value) in &self.figures {
            let value = serde_json::json!(value);
            match parts(name) {
                (None, name) => drop(root.insert(name.into(), value)),
                (Some(task), measure) => {
                    let entry = root.entry(task).or_insert_with(|| Value::Object(Map::new()));
                    if let Some(object) = entry.as_object_mut() {
                        object.insert(measure.into(), value);
                    }
                }
            }
        }
        Value::Object(root)
    }

    /// Reads what [`Results::to_json`] gave.
    pub fn from_json(json: &Value) -> Self {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let mut figures = Vec::new();
        for (name, value) in json.as_object().into_iter().flatten() {
            match value.as_object() {
                None => figures.push((name.clone(), number(value))),
                Some(object) => figures.extend(object.iter().map(|(m, v)| (format!("{name}.{m}"), number(v)))),
            }
        }
        Self { figures }
    }

    /// Writes the file whole, or not at all.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(&self.to_json())?;
        text.push('\n');
        write_whole(path, text.as_bytes())
    }

    /// Reads the file.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::from_json(&serde_json::from_str(&std::fs::read_to_string(path)?)?))
    }
}

/// How the names of files begin that are not yet in their place.
const UNFINISHED: &str = ".writing-";

/// Whether this is what a process that was killed while it wrote a file left.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Weights are written by the training loop, under a name of its own.
    name.starts_with(UNFINISHED) || name.starts_with(".part-")
}

/// Writes a file beside its place and renames it: readers see the old one or the new one. What
/// is no file, such as `/dev/stdout`, is written to and never replaced.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir).map_err(nameless)?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    readable(file.as_file())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// An error without the path of the temporary file, which says nothing to anyone.
fn nameless(error: io::Error) -> io::Error {
    error.kind().into()
}

/// Temporary files begin readable by their owner alone; what is kept is like any other file.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let figures = [
            Figure::new("intent.accuracy", 0.96),
            Figure::new("slots.span_f1", 0.5),
            Figure::new("intent.loss", f64::NAN),
            Figure::new("sentence", 0.875),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        Results::of(&figures).write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let flat: String = text.split_whitespace().collect();
        assert_eq!(flat, r#"{"intent":{"accuracy":0.96,"loss":null},"slots":{"span_f1":0.5},"sentence":0.875}"#);
        let back = Results::read(&path).unwrap();
        assert_eq!(back.get("intent.accuracy"), Some(0.96));
        assert!(back.get("intent.loss").unwrap().is_nan());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
