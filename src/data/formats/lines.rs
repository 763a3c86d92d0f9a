//! `lines`: one example a line, a file for each field: `train/NAME`, else `train.NAME`.

use std::path::{Path, PathBuf};

use super::{Entry, From, Input, Raw, Read, Record, Records};
use crate::data::fault::{Fault, count, listed};
use crate::data::file::{Lines, names_in};
use crate::data::spec::{Format, Source};
use crate::diagnostics::codes;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "lines", is: |f| matches!(f, Format::Lines), open };

struct Parallel {
    files: Vec<Lines>,
    /// For each field, the file of each of its sources.
    plan: Vec<Vec<usize>>,
}

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    let From::Path(path, shown) = input.from else {
        return Err(Fault::fatal(codes::INPUT, "the format 'lines' reads files, not a stream"));
    };
    let mut names: Vec<String> = Vec::new();
    let mut files = Vec::new();
    let mut plan = Vec::new();
    for (field, sources) in super::sources(input.spec).into_iter().enumerate() {
        let mut reads = Vec::new();
        for source in sources {
            let Source::Name(name) = source else { return Err(numbered(field, &input.spec.fields[field].name)) };
            let at = names.iter().position(|n| *n == name).unwrap_or(names.len());
            if at == names.len() {
                let (file, shown) = find(&path, &shown, &name, field)?;
                files.push(Lines::open(&file, &shown).map_err(|e| e.of(field))?);
                names.push(name);
            }
            reads.push(at);
        }
        plan.push(reads);
    }
    Ok(Box::new(Parallel { files, plan }))
}

fn numbered(field: usize, name: &str) -> Fault {
    Fault::fatal(
        codes::DATA_COLUMN,
        format!("field '{name}' reads a column by number, but `lines` has a file for each field"),
    )
    .help("write the name of the file, as in `from \"seq.in\"`")
    .of(field)
}

/// The file of a source, when there is one, and how messages name it.
pub(in crate::data) fn file(path: &Path, shown: &str, name: &str) -> Option<(PathBuf, String)> {
    find(path, shown, name, 0).ok()
}

/// `train/NAME`, else `train.NAME`, with or without `.gz`.
fn find(path: &Path, shown: &str, name: &str, field: usize) -> Read<(PathBuf, String)> {
    let dotted = PathBuf::from(format!("{}.{name}", path.display()));
    let inside = path.join(name);
    let zipped = |p: &Path| PathBuf::from(format!("{}.gz", p.display()));
    let shown = shown.trim_end_matches('/');
    let choices = [
        (inside.clone(), format!("{shown}/{name}")),
        (zipped(&inside), format!("{shown}/{name}.gz")),
        (dotted.clone(), format!("{shown}.{name}")),
        (zipped(&dotted), format!("{shown}.{name}.gz")),
    ];
    for choice in choices {
        if choice.0.exists() {
            return Ok(choice);
        }
    }
    let fault = Fault::fatal(codes::DATA_FILE, format!("cannot find `{shown}/{name}` or `{shown}.{name}`"));
    let beside = names_in(path);
    Err(match beside.is_empty() {
        true => fault.help("paths are relative to the `.mtl` file, or to `--data DIR`"),
        false => fault.help(format!("the folder `{shown}` has {}", listed(&beside))).of(field),
    })
}

impl Records for Parallel {
    fn next(&mut self) -> Read<Option<Record>> {
        let mut texts = Vec::with_capacity(self.files.len());
        let mut fault = None;
        for file in &mut self.files {
            match file.next() {
                Ok(line) => texts.push(line.map(str::to_owned)),
                Err(e) if e.fatal => return Err(e),
                Err(e) => {
                    fault = fault.or(Some(e));
                    texts.push(Some(String::new()));
                }
            }
        }
        if texts.iter().any(Option::is_none) {
            return self.ended(&texts).map(|()| None);
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        let raw = |&f: &usize| texts[f].clone().map_or(Raw::Absent, Raw::Text);
        let values = self.plan.iter().map(|reads| reads.iter().map(raw).collect()).collect();
        let line = self.files.first().map_or(0, Lines::line);
        Ok(Some(Record { line, at: self.files.iter().map(Lines::start).collect(), values }))
    }

    fn files(&self) -> &[Lines] {
        &self.files
    }

    fn files_mut(&mut self) -> &mut [Lines] {
        &mut self.files
    }

    fn shown(&self, field: usize) -> &str {
        let file = self.plan.get(field).and_then(|reads| reads.first()).copied().unwrap_or(0);
        self.files.get(file).map_or("", |f| f.shown())
    }
}

impl Parallel {
    /// One file is at its end: all must be, but for blank lines.
    fn ended(&mut self, texts: &[Option<String>]) -> Read<()> {
        let ended = texts.iter().position(Option::is_none).unwrap_or(0);
        let short = self.files[ended].line() as usize;
        for (file, text) in self.files.iter_mut().zip(texts) {
            let Some(text) = text else { continue };
            let left = file.count_rest() + usize::from(!text.trim().is_empty());
            if left > 0 {
                let longer = (file.shown().clone(), file.line() as usize);
                let shown = self.files[ended].shown();
                let text = format!("`{shown}` has {} and `{}` {}", count(short, "line"), longer.0, longer.1);
                return Err(Fault::fatal(codes::DATA_EXAMPLE, text).help("line n of every file belongs to example n"));
            }
        }
        Ok(())
    }
}
