//! `conllu`: Universal Dependencies. Columns have their UD names; multiword ranges (`3-4`) and empty
//! nodes (`8.1`) are skipped; `from "# sent_id"` reads a comment line.

use super::conll::{Block, Pick, block, comment, comment_value};
use super::{Cells, Entry, Input, Raw, Read, Record, Records};
use crate::data::fault::{Fault, count, nearest};
use crate::data::file::Lines;
use crate::data::spec::{DataSpec, Format, Source};
use crate::diagnostics::codes;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "conllu", is: |f| matches!(f, Format::Conllu), open };

const COLUMNS: [&str; 10] = ["id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"];

struct Reader {
    lines: Lines,
    plan: Vec<Vec<Pick>>,
}

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    let plan = picks(input.spec)?;
    Ok(Box::new(Reader { lines: input.from.lines()?, plan }))
}

fn picks(spec: &DataSpec) -> Read<Vec<Vec<Pick>>> {
    let pick = |field: usize, source: &Source| {
        let known = match source {
            Source::Column(n) => (*n < COLUMNS.len()).then_some(Pick::Column(*n)),
            Source::Name(name) => match name.strip_prefix('#') {
                Some(key) => Some(Pick::Comment(key.trim().to_owned())),
                None => COLUMNS.iter().position(|c| c.eq_ignore_ascii_case(name)).map(Pick::Column),
            },
        };
        known.ok_or_else(|| unknown(source, &spec.fields[field].name).of(field))
    };
    let all = super::sources(spec);
    all.iter().enumerate().map(|(f, list)| list.iter().map(|s| pick(f, s)).collect()).collect()
}

fn unknown(source: &Source, field: &str) -> Fault {
    let name = match source {
        Source::Column(n) => n.to_string(),
        Source::Name(name) => name.clone(),
    };
    let text = format!("CoNLL-U has no column '{name}' for field '{field}'; it has {}", COLUMNS.join(", "));
    let fault = Fault::fatal(codes::DATA_COLUMN, text);
    match nearest(&name, COLUMNS) {
        Some(near) => fault.help(format!("write `from {near}`")),
        None => fault,
    }
}

impl Reader {
    fn read(&self, block: &Block) -> Read<Vec<Vec<Raw>>> {
        let shown = self.lines.shown();
        let mut comments = Vec::new();
        let mut columns: Vec<Vec<Cells>> = self.plan.iter().map(|l| vec![Cells::default(); l.len()]).collect();
        let mut words = 0;
        for (line, text) in &block.lines {
            if text.starts_with('#') {
                comments.extend(comment(text).map(|(k, v)| (k.to_owned(), v.to_owned())));
                continue;
            }
            let row: Vec<&str> = text.split('\t').collect();
            if row.len() != COLUMNS.len() {
                let text = format!("{} where CoNLL-U has 10, separated by tabs", count(row.len(), "column"));
                return Err(Fault::example(text).at(shown, *line));
            }
            if row[0].contains(['-', '.']) {
                continue;
            }
            words += 1;
            if row[0].parse() != Ok(words) {
                return Err(Fault::example(format!("word '{}' where {words} is due", row[0])).at(shown, *line));
            }
            for (list, out) in self.plan.iter().zip(&mut columns) {
                for (pick, out) in list.iter().zip(out) {
                    if let Pick::Column(n) = pick {
                        out.push(row[*n]);
                    }
                }
            }
        }
        if words == 0 {
            return Err(Fault::example("a sentence without words").at(shown, block.line));
        }
        let raw = |(pick, column): (&Pick, Cells)| match pick {
            Pick::Comment(key) => comment_value(&comments, key),
            Pick::Column(_) => Raw::Column(column),
        };
        Ok(self.plan.iter().zip(columns).map(|(list, out)| list.iter().zip(out).map(raw).collect()).collect())
    }
}

impl Records for Reader {
    fn next(&mut self) -> Read<Option<Record>> {
        let Some(block) = block(&mut self.lines)? else { return Ok(None) };
        let values = self.read(&block)?;
        Ok(Some(Record { line: block.line, at: vec![block.at], values }))
    }

    fn files(&self) -> &[Lines] {
        std::slice::from_ref(&self.lines)
    }

    fn files_mut(&mut self) -> &mut [Lines] {
        std::slice::from_mut(&mut self.lines)
    }
}
