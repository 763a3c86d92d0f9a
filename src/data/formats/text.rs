//! `text`: one example a line, one field. Blank lines are no examples.

use super::{Entry, Input, Raw, Read, Record, Records};
use crate::data::file::Lines;
use crate::data::spec::Format;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "text", is: |f| matches!(f, Format::Text), open };

struct Text {
    lines: Lines,
    /// For each field, how many sources read the line: at prediction only the input does.
    reads: Vec<usize>,
    keep_blank: bool,
}

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    let reads = super::sources(input.spec).iter().map(Vec::len).collect();
    Ok(Box::new(Text { lines: input.from.lines()?, reads, keep_blank: input.lenient }))
}

impl Records for Text {
    fn next(&mut self) -> Read<Option<Record>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            if line.trim().is_empty() && !self.keep_blank {
                continue;
            }
            let values = self.reads.iter().map(|&n| vec![Raw::Text(line.to_owned()); n]).collect();
            return Ok(Some(Record { line: self.lines.line(), at: vec![self.lines.start()], values }));
        }
    }

    fn files(&self) -> &[Lines] {
        std::slice::from_ref(&self.lines)
    }

    fn files_mut(&mut self) -> &mut [Lines] {
        std::slice::from_mut(&mut self.lines)
    }
}
