//! What the data files hold: columns and labels, read as far as an editor needs them, and kept until
//! the files change.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::view::View;
use crate::data::spec::{DataSpec, FieldType, Format, SpaceFrom, SpaceSpec};
use crate::data::{Corpus, Lexicon, LoadOptions, columns, prepare};

/// Examples of train that are looked at.
const EXAMPLES: usize = 5_000;

/// Data sets that are remembered.
const KEPT: usize = 32;

/// When the files of a data set last changed.
type Stamp = Vec<Option<SystemTime>>;

/// The answers that are remembered, the latest last.
#[derive(Default)]
pub struct Samples {
    known: RefCell<Vec<(String, Stamp, Vec<String>)>>,
}

impl Samples {
    /// The labels that train has for a field of a data set, as far as it is looked at; of a family,
    /// those of its first member.
    pub fn labels(&self, view: &View<'_>, data: &str, field: &str) -> Vec<String> {
        let Some(spec) = spec(view, data) else { return Vec::new() };
        let base = base(view);
        let key = format!("labels {} {} {:?}", base.display(), field, spec);
        self.remember(key, stamp(spec, &base), || labels(spec, field, &base).unwrap_or_default())
    }

    /// What `from` may name in files of a format.
    pub fn columns(&self, format: &Format, files: &[PathBuf]) -> Vec<String> {
        let key = format!("columns {format:?} {files:?}");
        let stamp = files.iter().map(|f| changed(f)).collect();
        self.remember(key, stamp, || columns::columns(format, files))
    }

    fn remember(&self, key: String, stamp: Stamp, read: impl FnOnce() -> Vec<String>) -> Vec<String> {
        let mut known = self.known.borrow_mut();
        if let Some((_, _, answer)) = known.iter().find(|(k, s, _)| *k == key && *s == stamp) {
            return answer.clone();
        }
        known.retain(|(k, ..)| *k != key);
        let answer = read();
        known.push((key, stamp, answer.clone()));
        let surplus = known.len().saturating_sub(KEPT);
        known.drain(..surplus);
        answer
    }
}

/// The declaration of a data set, or of the first member of a family.
pub fn spec<'v>(view: &View<'v>, data: &str) -> Option<&'v DataSpec> {
    let mut specs = view.known().datasets.iter();
    specs.find(|s| s.name == data || s.name.strip_prefix(data).is_some_and(|rest| rest.starts_with('.')))
}

/// What the paths of the program's data are relative to.
pub fn base(view: &View<'_>) -> PathBuf {
    view.program.entry.parent().unwrap_or(Path::new("")).to_path_buf()
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

fn stamp(spec: &DataSpec, base: &Path) -> Stamp {
    let mut stamp = Vec::new();
    for file in &spec.train {
        let path = base.join(&file.path);
        stamp.push(changed(&path));
        // Formats with a file for each field.
        for name in spec.fields.iter().flat_map(|f| f.sources.iter()) {
            if let crate::data::spec::Source::Name(name) = name {
                stamp.push(changed(&path.join(name)));
                stamp.push(changed(Path::new(&format!("{}.{name}", path.display()))));
            }
        }
    }
    stamp
}

fn labels(spec: &DataSpec, field: &str, base: &Path) -> Option<Vec<String>> {
    let declared = spec.fields.iter().find(|f| f.name == field).filter(|f| f.ty.has_labels())?;
    let pair = vec![(spec.name.clone(), field.to_string())];
    let from = match declared.ty {
        FieldType::Spans(_) => SpaceFrom::Bio(pair),
        _ => SpaceFrom::Fields(pair),
    };
    let spec = DataSpec {
        dev: None,
        test: None,
        limit: Some(spec.limit.unwrap_or(EXAMPLES).min(EXAMPLES)),
        skip_malformed: true,
        ..spec.clone()
    };
    let options = LoadOptions { large: u64::MAX, ..LoadOptions::new(base, 0) };
    let mut corpus = Corpus::load_with(&[spec], options, &Arc::new(Lexicon::default())).ok()?;
    let space = SpaceSpec { name: field.to_string(), from };
    let prepared = prepare(&mut corpus, &[space], &[], base).ok()?;
    prepared.schema.spaces.first().map(|s| s.labels.clone())
}
