//! Prediction: examples without labels, from any stream, in their order.

use std::sync::Arc;

use crate::diagnostics::{Diagnostic, codes};

use super::batch::{Batch, View, pack, views};
use super::dataset::Portion;
use super::fault::{Fault, Read};
use super::file::Stream;
use super::formats::{From, Input, Records, open};
use super::lexicon::Lexicon;
use super::parse::{Need, Parser};
use super::pieces::Slots;
use super::schema::Schema;
use super::space::{Space, placed};
use super::spec::{DataSpec, Format, Source};
use super::value::FieldValue;

/// How the input of a prediction is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// As the data set is; labels may be left out.
    Same,
    /// An example a line; several inputs stand between tabs, in the order declared.
    Lines,
    /// A JSON object a line, whose keys are the fields' names (or their keys in a JSONL data set).
    Jsonl,
    /// A token a line, a blank line between examples; several inputs stand in columns.
    Conll,
}

/// What is read from an input.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// How it is written.
    pub inputs: Inputs,
    /// The fields that the program reads; none means every text.
    pub fields: &'a [&'a str],
    /// How messages name the stream.
    pub shown: &'a str,
}

/// Reads unlabelled examples.
pub struct Reader {
    records: Box<dyn Records>,
    parser: Parser,
    packer: Packer,
    slots: Slots,
    next: u32,
}

/// Packs the examples of a reader.
#[derive(Clone)]
pub struct Packer {
    spec: DataSpec,
    views: Arc<[View]>,
    spaces: Vec<Arc<Space>>,
    data: usize,
}

impl Packer {
    /// Examples that [`Reader::next_example`] gave, packed.
    pub fn pack(&self, examples: Vec<u32>, rows: &[Vec<FieldValue>]) -> Batch {
        let fields = pack(&self.spec, &self.views, &self.spaces, rows);
        Batch { data: self.data, portion: Portion::Test, examples, views: self.views.clone(), fields }
    }
}

impl Reader {
    /// Reads examples of the data set `spec` from a stream (gzip too). Fields that are not wanted
    /// are missing in every example.
    pub fn unlabelled(
        spec: &DataSpec,
        wanted: &Wanted<'_>,
        stream: Stream,
        lexicon: &Arc<Lexicon>,
    ) -> Result<Self, Diagnostic> {
        placed(Self::open(spec, wanted, stream, lexicon), spec).map_err(input)
    }

    fn open(spec: &DataSpec, wanted: &Wanted<'_>, stream: Stream, lexicon: &Arc<Lexicon>) -> Read<Self> {
        let needed = needed(spec, wanted.fields)?;
        let spec = rewritten(spec, wanted.inputs, &needed);
        let slots = Slots::new(std::slice::from_ref(&spec), &[]);
        let parser = Parser::new(&spec, lexicon, Need::Only(needed), &slots)?;
        let from = From::Stream(stream, wanted.shown.to_owned());
        let records = open(Input { spec: &spec, from, lenient: true })?;
        let views = views(&spec, &[]).into();
        let packer = Packer { spec, views, spaces: Vec::new(), data: 0 };
        Ok(Self { records, parser, packer, slots, next: 0 })
    }

    /// Makes batches show the same views as those of a corpus that is bound to this schema, and cuts
    /// texts with its tokenizers.
    pub fn bind(mut self, schema: &Schema) -> Self {
        self.slots.fill(&schema.tokenizers);
        let packer = &mut self.packer;
        packer.views = views(&packer.spec, &schema.spaces).into();
        packer.spaces = schema.spaces.clone();
        packer.data = schema.datasets.iter().position(|d| d.name == packer.spec.name).unwrap_or(0);
        self
    }

    /// The next example; `None` at the end. After an error that is about one example, reading may
    /// go on.
    pub fn next_example(&mut self) -> Result<Option<Vec<FieldValue>>, Diagnostic> {
        let read = match self.records.next() {
            Ok(None) => return Ok(None),
            Ok(Some(record)) => self.parser.parse(&record).map_err(|f| {
                let shown = self.records.shown(f.field.unwrap_or(0)).to_owned();
                f.at(&shown, record.line)
            }),
            Err(fault) => Err(fault),
        };
        placed(read, &self.packer.spec).map(Some).map_err(input)
    }

    /// The next examples, at most `most`, in the order of the stream; `None` at the end.
    /// [`Batch::examples`] counts them from 0 on.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Batch>, Diagnostic> {
        let mut rows = Vec::new();
        while rows.len() < most.max(1) {
            match self.next_example()? {
                Some(values) => rows.push(values),
                None => break,
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let examples: Vec<u32> = (self.next..).take(rows.len()).collect();
        self.next += rows.len() as u32;
        Ok(Some(self.packer.pack(examples, &rows)))
    }

    /// What packs its examples; on other threads too.
    pub fn packer(&self) -> &Packer {
        &self.packer
    }
}

/// An input is no part of the program, so no place of it is to blame.
fn input(mut diagnostic: Diagnostic) -> Diagnostic {
    if diagnostic.code != codes::NOT_RUN_YET {
        diagnostic.code = codes::INPUT;
        diagnostic.help = diagnostic.help.filter(|h| !h.contains("on_error"));
    }
    diagnostic.span = None;
    diagnostic
}

/// Which fields are read: those wanted, and what their axes and templates need.
fn needed(spec: &DataSpec, wanted: &[&str]) -> Read<Vec<bool>> {
    use super::spec::FieldType::{Text, Texts};
    let find = |name: &str| spec.fields.iter().position(|f| f.name == name);
    let mut needed = vec![false; spec.fields.len()];
    let mut open: Vec<usize> = Vec::new();
    for name in wanted {
        match find(name) {
            Some(field) => open.push(field),
            None => return Err(Fault::fatal(codes::INPUT, format!("data set '{}' has no field '{name}'", spec.name))),
        }
    }
    if wanted.is_empty() {
        let text = |i: &usize| matches!(spec.fields[*i].ty, Text { .. } | Texts { .. });
        open.extend((0..spec.fields.len()).filter(text));
    }
    while let Some(field) = open.pop() {
        if std::mem::replace(&mut needed[field], true) {
            continue;
        }
        let declared = &spec.fields[field];
        open.extend(declared.ty.along().and_then(find));
        open.extend(declared.template.iter().flat_map(|template| template.fields()).filter_map(find));
    }
    Ok(needed)
}

/// The declaration as it fits the input.
fn rewritten(spec: &DataSpec, inputs: Inputs, needed: &[bool]) -> DataSpec {
    let mut spec = spec.clone();
    let inputs = match (inputs, &spec.format) {
        (Inputs::Same, Format::Lines | Format::Text) => Inputs::Lines,
        (Inputs::Jsonl, Format::Jsonl) => Inputs::Same,
        (inputs, _) => inputs,
    };
    let read = |i: usize, f: &super::spec::FieldSpec| needed[i] && f.template.is_none();
    let count = spec.fields.iter().enumerate().filter(|(i, f)| read(*i, f)).count();
    spec.format = match (inputs, count) {
        (Inputs::Same, _) => spec.format,
        (Inputs::Lines, 0 | 1) => Format::Text,
        (Inputs::Lines, _) => Format::Tsv,
        (Inputs::Jsonl, _) => Format::Jsonl,
        (Inputs::Conll, _) => Format::Conll,
    };
    if inputs == Inputs::Same {
        return spec;
    }
    let mut column = 0;
    for (i, field) in spec.fields.iter_mut().enumerate() {
        // Column 0 stands in for a field that is not read: its value is never looked at.
        field.sources = match (inputs, read(i, field)) {
            (Inputs::Jsonl, _) => vec![Source::Name(field.name.clone())],
            (_, false) => vec![Source::Column(0)],
            (_, true) => {
                column += 1;
                vec![Source::Column(column - 1)]
            }
        };
    }
    spec
}
