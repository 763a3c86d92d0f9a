//! `conll`: columns separated by tabs or white space, a blank line between examples. `from 0` reads
//! a column, `from "# intent"` a comment line: `# intent = x` or `# intent: x`. The document marks
//! of CoNLL-2003, `-DOCSTART-`, are no examples.

use super::{Cells, Entry, Input, Raw, Read, Record, Records};
use crate::data::fault::{Fault, count, listed};
use crate::data::file::Lines;
use crate::data::spec::{DataSpec, Format, Source};
use crate::diagnostics::codes;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "conll", is: |f| matches!(f, Format::Conll), open };

/// Where a source is found.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// A column.
    Column(usize),
    /// The value of a comment.
    Comment(String),
}

/// The lines of one example, numbered.
#[derive(Default)]
pub struct Block {
    /// Number of the first line.
    pub line: u64,
    /// Byte of the first line.
    pub at: u64,
    /// Every line with its number.
    pub lines: Vec<(u64, String)>,
}

/// The lines up to the next blank one; `None` at the end of the file.
pub fn block(lines: &mut Lines) -> Read<Option<Block>> {
    let mut block = Block::default();
    let mut fault: Option<Fault> = None;
    loop {
        let text = match lines.next() {
            Ok(Some(text)) => text,
            Ok(None) => break,
            Err(e) if e.fatal => return Err(e),
            Err(e) => {
                fault = fault.or(Some(e));
                continue;
            }
        };
        let blank = text.trim().is_empty();
        if blank && (fault.is_some() || !block.lines.is_empty()) {
            break;
        }
        if !blank {
            let text = text.to_owned();
            if block.lines.is_empty() {
                (block.line, block.at) = (lines.line(), lines.start());
            }
            block.lines.push((lines.line(), text));
        }
    }
    match fault {
        Some(fault) => Err(fault),
        None => Ok((!block.lines.is_empty()).then_some(block)),
    }
}

/// The key and the value of a comment line: `# key = value` or `# key: value`.
pub fn comment(line: &str) -> Option<(&str, &str)> {
    let text = line.strip_prefix('#')?;
    let at = text.find(['=', ':'])?;
    let (key, value) = (text[..at].trim(), text[at + 1..].trim());
    (!key.is_empty()).then_some((key, value))
}

/// The value of the comment that a source names.
pub fn comment_value(comments: &[(String, String)], key: &str) -> Raw {
    comments.iter().find(|(k, _)| k == key).map_or(Raw::Absent, |(_, v)| Raw::Text(v.clone()))
}

struct Reader {
    lines: Lines,
    plan: Vec<Vec<Pick>>,
    names: Vec<String>,
    columns: Option<usize>,
    commented: bool,
    lenient: bool,
}

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    let plan = picks(input.spec)?;
    let commented = plan.iter().flatten().any(|p| matches!(p, Pick::Comment(_)));
    let names = input.spec.fields.iter().map(|f| f.name.clone()).collect();
    let lines = input.from.lines()?;
    Ok(Box::new(Reader { lines, plan, names, columns: None, commented, lenient: input.lenient }))
}

fn picks(spec: &DataSpec) -> Read<Vec<Vec<Pick>>> {
    let pick = |field: usize, source: &Source| match source {
        Source::Column(n) => Ok(Pick::Column(*n)),
        Source::Name(name) => match name.strip_prefix('#') {
            Some(key) => Ok(Pick::Comment(key.trim().to_owned())),
            None => Err(Fault::fatal(
                codes::DATA_COLUMN,
                format!("CoNLL columns have numbers, not names: field '{}' reads '{name}'", spec.fields[field].name),
            )
            .help("write a column, as in `from 0`, or a comment line, as in `from \"# intent\"`")
            .of(field)),
        },
    };
    let all = super::sources(spec);
    all.iter().enumerate().map(|(f, list)| list.iter().map(|s| pick(f, s)).collect()).collect()
}

fn cells(line: &str) -> Vec<&str> {
    if line.contains('\t') { line.split('\t').map(str::trim).collect() } else { line.split_whitespace().collect() }
}

impl Reader {
    /// A token may be `#` too, so a line is a comment by its form: `# key = value`, a key that is
    /// declared, or (where comments are declared) another number of columns than a row has.
    fn is_comment(&self, line: &str) -> bool {
        let key = comment(line).map(|(key, _)| key);
        let declared = |key| self.plan.iter().flatten().any(|p| *p == Pick::Comment(String::from(key)));
        let word = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        let other = || self.commented && self.columns != Some(cells(line).len());
        key.is_some_and(declared) || line.starts_with("# ") && (key.is_some_and(word) || other())
    }

    fn read(&mut self, block: &Block) -> Read<Vec<Vec<Raw>>> {
        let head = block.lines.iter().take_while(|(_, l)| self.is_comment(l)).count();
        let (comments, rows) = block.lines.split_at(head);
        let comments: Vec<_> =
            comments.iter().filter_map(|(_, l)| comment(l)).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let mut columns: Vec<Vec<Cells>> = self.plan.iter().map(|list| vec![Cells::default(); list.len()]).collect();
        for (line, text) in rows {
            let row = cells(text);
            self.check(*line, row.len())?;
            for (list, out) in self.plan.iter().zip(&mut columns) {
                for (pick, out) in list.iter().zip(out) {
                    if let Pick::Column(n) = pick
                        && let Some(cell) = row.get(*n)
                    {
                        out.push(cell);
                    }
                }
            }
        }
        if rows.is_empty() {
            return Err(Fault::example("comment lines without a row after them").at(self.lines.shown(), block.line));
        }
        let width = self.columns.unwrap_or(0);
        let raw = |(pick, column): (&Pick, Cells)| match pick {
            Pick::Comment(key) => comment_value(&comments, key),
            Pick::Column(n) if *n >= width => Raw::Absent,
            Pick::Column(_) => Raw::Column(column),
        };
        Ok(self.plan.iter().zip(columns).map(|(list, out)| list.iter().zip(out).map(raw).collect()).collect())
    }

    fn check(&mut self, line: u64, has: usize) -> Read<()> {
        let shown = self.lines.shown();
        let columns = *self.columns.get_or_insert(has);
        if has != columns {
            let text = format!("{} where the rows before have {columns}", count(has, "column"));
            return Err(Fault::example(text).at(shown, line));
        }
        let lacking = |list: &Vec<Pick>| {
            list.iter().find_map(|p| match p {
                Pick::Column(n) if *n >= columns => Some(*n),
                _ => None,
            })
        };
        match self.plan.iter().enumerate().find_map(|(f, list)| Some((f, lacking(list)?))) {
            Some((field, column)) if !self.lenient => {
                let exist: Vec<String> = (0..columns).map(|c| c.to_string()).collect();
                let name = &self.names[field];
                let text = format!("`{shown}` has no column {column} for field '{name}'; it has {}", listed(&exist));
                Err(Fault::fatal(codes::DATA_COLUMN, text).of(field))
            }
            _ => Ok(()),
        }
    }
}

impl Records for Reader {
    fn next(&mut self) -> Read<Option<Record>> {
        loop {
            let Some(block) = block(&mut self.lines)? else { return Ok(None) };
            if block.lines.len() == 1 && block.lines[0].1.starts_with("-DOCSTART-") {
                continue;
            }
            let values = self.read(&block)?;
            return Ok(Some(Record { line: block.line, at: vec![block.at], values }));
        }
    }

    fn files(&self) -> &[Lines] {
        std::slice::from_ref(&self.lines)
    }

    fn files_mut(&mut self) -> &mut [Lines] {
        std::slice::from_mut(&mut self.lines)
    }
}
