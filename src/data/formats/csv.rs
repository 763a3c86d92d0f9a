//! `csv`: columns between separators, quoted as in RFC 4180. With `separator: " "` there is no
//! quoting and the last column takes the rest of the line. A header stands where a source is a name.

use super::{Entry, Input, Raw, Read, Record, Records};
use crate::data::fault::{Fault, count, listed, nearest};
use crate::data::file::Lines;
use crate::data::spec::{DataSpec, Format, Source};
use crate::diagnostics::codes;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "csv", is: |f| matches!(f, Format::Csv { .. }), open };

/// How rows are cut into columns.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// What stands between columns.
    pub separator: char,
    /// Columns may be quoted.
    pub quoted: bool,
    /// The last column takes the rest of the line.
    pub rest: bool,
}

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    let Format::Csv { separator } = input.spec.format else { return Err(super::unread(&input.spec.format)) };
    let rest = separator == ' ';
    table(input, Table { separator, quoted: !rest, rest })
}

/// Opens a table: reads its header if it has one, and finds the columns of the fields.
pub fn table(input: Input<'_>, table: Table) -> Read<Box<dyn Records>> {
    let sources = super::sources(input.spec);
    let header = sources.iter().flatten().any(|s| matches!(s, Source::Name(_)));
    let wanted = sources.iter().flatten().filter_map(|s| match s {
        Source::Column(n) => Some(n + 1),
        Source::Name(_) => None,
    });
    let most = wanted.max().unwrap_or(1);
    let mut rows = Rows {
        lines: input.from.lines()?,
        table,
        most: if header { usize::MAX } else { most },
        keep_blank: input.lenient && !header,
    };
    let mut names = Vec::new();
    if header {
        names = rows.next()?.map(|row| row.cells).unwrap_or_default();
        names.iter_mut().for_each(|n| *n = n.trim().to_owned());
        rows.most = names.len().max(1);
    }
    let shown = rows.lines.shown().clone();
    let plan = plan(&sources, &names, input.spec, &shown, input.lenient || names.is_empty())?;
    let columns = header.then_some(names.len());
    Ok(Box::new(Reader { rows, plan, columns, lenient: input.lenient, names: field_names(input.spec) }))
}

fn field_names(spec: &DataSpec) -> Vec<String> {
    spec.fields.iter().map(|f| f.name.clone()).collect()
}

fn plan(
    sources: &[Vec<Source>],
    names: &[String],
    spec: &DataSpec,
    shown: &str,
    lenient: bool,
) -> Read<Vec<Vec<Option<usize>>>> {
    let find = |field: usize, source: &Source| match source {
        Source::Column(n) => Ok(Some(*n)),
        Source::Name(name) => match names.iter().position(|n| n == name) {
            None if !lenient => Err(no_column(shown, name, names, &spec.fields[field].name).of(field)),
            found => Ok(found),
        },
    };
    sources.iter().enumerate().map(|(f, list)| list.iter().map(|s| find(f, s)).collect()).collect()
}

fn no_column(shown: &str, name: &str, names: &[String], field: &str) -> Fault {
    let text = format!("`{shown}` has no column '{name}' for field '{field}'; it has {}", listed(names));
    let fault = Fault::fatal(codes::DATA_COLUMN, text);
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => fault.help(format!("write `from \"{near}\"`")),
        None => fault.help("the first line is the header; columns by number, from 0, mean that there is none"),
    }
}

struct Row {
    line: u64,
    at: u64,
    cells: Vec<String>,
}

struct Rows {
    lines: Lines,
    table: Table,
    most: usize,
    /// At prediction without a header, a blank line is an example like any other.
    keep_blank: bool,
}

impl Rows {
    fn next(&mut self) -> Read<Option<Row>> {
        loop {
            let Some(text) = self.lines.next()?.map(str::to_owned) else { return Ok(None) };
            let (line, at) = (self.lines.line(), self.lines.start());
            if text.trim().is_empty() {
                match self.keep_blank {
                    true => return Ok(Some(Row { line, at, cells: vec![String::new(); self.most] })),
                    false => continue,
                }
            }
            let Table { separator, quoted, rest } = self.table;
            let cells = match (quoted, rest) {
                (true, _) => self.quoted(text, line)?,
                (_, true) => text.trim().splitn(self.most, separator).map(|c| c.trim().to_owned()).collect(),
                _ => text.split(separator).map(str::to_owned).collect(),
            };
            return Ok(Some(Row { line, at, cells }));
        }
    }

    /// The columns of a row that may go on over several lines.
    fn quoted(&mut self, mut text: String, line: u64) -> Read<Vec<String>> {
        loop {
            match split_quoted(&text, self.table.separator) {
                Ok(cells) => return Ok(cells),
                Err(Quote::Open) => match self.lines.next()? {
                    Some(more) => {
                        text.push('\n');
                        text.push_str(more);
                    }
                    None => {
                        return Err(
                            Fault::example("a quote that is opened here is never closed").at(self.lines.shown(), line)
                        );
                    }
                },
                Err(Quote::Stray(c)) => {
                    let text = format!("'{c}' after a closing quote, where a separator or the end of the line belongs");
                    return Err(Fault::example(text).at(self.lines.shown(), line));
                }
            }
        }
    }
}

enum Quote {
    Open,
    Stray(char),
}

fn split_quoted(text: &str, separator: char) -> Result<Vec<String>, Quote> {
    let mut cells = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        let mut cell = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    None => return Err(Quote::Open),
                    Some('"') if chars.next_if_eq(&'"').is_some() => cell.push('"'),
                    Some('"') => break,
                    Some(c) => cell.push(c),
                }
            }
            if let Some(&c) = chars.peek().filter(|&&c| c != separator) {
                return Err(Quote::Stray(c));
            }
        } else {
            while let Some(c) = chars.next_if(|&c| c != separator) {
                cell.push(c);
            }
        }
        cells.push(cell);
        if chars.next().is_none() {
            return Ok(cells);
        }
    }
}

struct Reader {
    rows: Rows,
    plan: Vec<Vec<Option<usize>>>,
    /// How many columns each row must have, once known.
    columns: Option<usize>,
    lenient: bool,
    names: Vec<String>,
}

impl Reader {
    fn check(&mut self, row: &Row) -> Read<()> {
        let shown = self.rows.lines.shown();
        let has = row.cells.len();
        if !self.lenient && self.columns.is_none() {
            let lacking = |list: &Vec<Option<usize>>| list.iter().flatten().copied().find(|&c| c >= has);
            if let Some((field, column)) = self.plan.iter().enumerate().find_map(|(f, l)| Some((f, lacking(l)?))) {
                let name = &self.names[field];
                let text = format!(
                    "`{shown}` has {} (counted from 0), so no column {column} for field '{name}'",
                    count(has, "column")
                );
                return Err(Fault::fatal(codes::DATA_COLUMN, text).of(field));
            }
        }
        let columns = *self.columns.get_or_insert(has);
        if has != columns && !self.rows.table.rest && !self.lenient {
            let text = format!("{} where the rows before have {columns}", count(has, "column"));
            return Err(Fault::example(text).at(shown, row.line));
        }
        if has < columns && self.rows.table.rest && !self.lenient {
            let text = format!("{} where {columns} are needed", count(has, "column"));
            return Err(Fault::example(text).at(shown, row.line));
        }
        Ok(())
    }
}

impl Records for Reader {
    fn next(&mut self) -> Read<Option<Record>> {
        let Some(row) = self.rows.next()? else { return Ok(None) };
        self.check(&row)?;
        let raw = |c: &Option<usize>| c.and_then(|c| row.cells.get(c)).map_or(Raw::Absent, |t| Raw::Text(t.clone()));
        let values = self.plan.iter().map(|list| list.iter().map(raw).collect()).collect();
        Ok(Some(Record { line: row.line, at: vec![row.at], values }))
    }

    fn files(&self) -> &[Lines] {
        std::slice::from_ref(&self.rows.lines)
    }

    fn files_mut(&mut self) -> &mut [Lines] {
        std::slice::from_mut(&mut self.rows.lines)
    }
}
