//! From what a file holds to typed fields, checked against each other.

mod scalar;
mod structure;
mod tokens;

use std::cell::Cell;
use std::sync::Arc;

use serde_json::Value;

use super::fault::{Fault, Read, count};
use super::formats::{Raw, Record};
use super::lexicon::Lexicon;
use super::odd::Odd;
use super::pieces::{Cutter, Slots};
use super::spec::{DataSpec, FieldSpec, FieldType};
use super::template::{Made, Part, Template};
use super::value::FieldValue;
use crate::diagnostics::codes;

/// Parses the records of a data set.
pub struct Parser {
    spec: DataSpec,
    lexicon: Arc<Lexicon>,
    /// Fields in the order in which they can be parsed, each with the field whose axis it needs.
    order: Vec<(usize, Option<usize>)>,
    need: Need,
    /// Cuts the texts of each field that has a tokenizer.
    cutters: Vec<Option<Cutter>>,
}

/// Which fields an example must have.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// Every text, as in training.
    Texts,
    /// Only these, as at prediction; a text without words gets one empty word.
    Only(Vec<bool>),
}

/// The axis of a parsed field: what others are checked against.
#[derive(Clone, Debug)]
pub(super) enum Axis {
    /// It has none here, for the field is missing.
    None,
    /// Tokens: how many there were and how many `max` kept.
    Tokens(usize, usize),
    /// The same for each text of a set.
    Members(Vec<(usize, usize)>),
    /// Spans: the index that each has now, `None` for those that `max` cut off.
    Spans(Vec<Option<u32>>),
    /// Members without tokens of their own.
    Count(usize),
}

impl Axis {
    /// How many members the file must give along it, and how many of them are kept.
    fn length(&self) -> Option<(usize, usize)> {
        match self {
            Axis::None => None,
            Axis::Tokens(full, kept) => Some((*full, *kept)),
            Axis::Members(members) => Some((members.len(), members.len())),
            Axis::Spans(map) => Some((map.len(), map.iter().flatten().count())),
            Axis::Count(n) => Some((*n, *n)),
        }
    }
}

/// What parsing one field looks at.
pub(super) struct Context<'a> {
    /// The axis it is defined along.
    pub axis: &'a Axis,
    /// The name of the field that has this axis.
    pub along: &'a str,
    /// Words and labels.
    pub lexicon: &'a Lexicon,
    /// What is strange in the field without being a mistake.
    pub odd: &'a Cell<Odd>,
}

impl Parser {
    /// A parser for a declaration, whose texts are cut by these tokenizers.
    pub fn new(spec: &DataSpec, lexicon: &Arc<Lexicon>, need: Need, slots: &Slots) -> Read<Self> {
        let cutters = spec.fields.iter().map(|f| slots.of(&spec.name, &f.name).cloned().map(Cutter::new)).collect();
        Ok(Self { spec: spec.clone(), lexicon: lexicon.clone(), order: order(spec)?, need, cutters })
    }

    /// The typed fields of a record, in the order declared.
    pub fn parse(&self, record: &Record) -> Read<Vec<FieldValue>> {
        self.parse_noting(record, |_, _| {})
    }

    /// As [`Parser::parse`]; `note` hears what is strange in each field.
    pub fn parse_noting(&self, record: &Record, mut note: impl FnMut(usize, Odd)) -> Read<Vec<FieldValue>> {
        let mut values = vec![FieldValue::Missing; self.spec.fields.len()];
        let mut axes = vec![Axis::None; self.spec.fields.len()];
        for &(field, along) in &self.order {
            let odd = Cell::default();
            let context = Context {
                odd: &odd,
                axis: along.map_or(&Axis::None, |a| &axes[a]),
                along: along.map_or("", |a| &self.spec.fields[a].name),
                lexicon: &self.lexicon,
            };
            let (value, axis) = self.field(field, along.is_some(), &context, record).map_err(|e| e.of(field))?;
            values[field] = value;
            axes[field] = axis;
            note(field, odd.get());
        }
        Ok(values)
    }

    fn wanted(&self, field: usize) -> bool {
        match &self.need {
            Need::Texts => true,
            Need::Only(wanted) => wanted.get(field).copied().unwrap_or(false),
        }
    }

    fn field(&self, field: usize, bound: bool, context: &Context<'_>, record: &Record) -> Read<(FieldValue, Axis)> {
        let declared = &self.spec.fields[field];
        if !self.wanted(field) {
            return Ok((FieldValue::Missing, Axis::None));
        }
        if declared.optional && self.is_empty(declared, field, record) {
            return Ok((FieldValue::Missing, Axis::None));
        }
        let made;
        let raws = match &declared.template {
            Some(template) => {
                let mut text = Made::default();
                self.fill(template, record, self.spec.fields.len(), &mut text)?;
                if let FieldType::Text { lower, tokens, max } = &declared.ty {
                    let (lenient, cutter) = (self.need != Need::Texts, self.cutters[field].as_ref());
                    let cut = tokens::Cut { lower: *lower, tokens, max: *max, lenient, cutter };
                    return tokens::made(&text, &declared.name, cut, &self.lexicon);
                }
                made = [Raw::Text(text.text().to_owned())];
                &made[..]
            }
            None => record.values.get(field).map_or(&[][..], Vec::as_slice),
        };
        let is_text = matches!(declared.ty, FieldType::Text { .. } | FieldType::Texts { .. });
        if !is_text && raws.iter().all(is_missing) || bound && matches!(context.axis, Axis::None) {
            return Ok((FieldValue::Missing, Axis::None));
        }
        let name = &declared.name;
        let lenient = self.need != Need::Texts;
        let (value, axis) = parse_field(&declared.ty, name, raws, context, lenient, self.cutters[field].as_ref())?;
        if let Some((full, _)) = context.axis.length().filter(|_| matches!(declared.ty, FieldType::Texts { .. }))
            && let Axis::Members(members) = &axis
            && members.len() != full
        {
            return Err(length_fault(name, members.len(), "text", context.along, full, context.axis));
        }
        Ok((value, axis))
    }

    /// Whether a record has no text for a field.
    fn is_empty(&self, declared: &FieldSpec, field: usize, record: &Record) -> bool {
        declared.template.is_none() && record.values.get(field).is_none_or(|raws| raws.iter().all(is_missing))
    }

    /// Goes on with the text that a template gives for an example.
    fn fill(&self, template: &Template, record: &Record, depth: usize, made: &mut Made) -> Read<()> {
        if depth == 0 {
            return Err(Fault::fatal(codes::DATA_EXAMPLE, "a template that is made from itself"));
        }
        for part in &template.parts {
            let name = match part {
                Part::Text(text) => {
                    made.own(text);
                    continue;
                }
                Part::Field(name) => name,
            };
            let Some(at) = self.spec.fields.iter().position(|f| f.name == *name) else {
                let text = format!("a template names '{name}', which is no field");
                return Err(Fault::fatal(codes::UNKNOWN_FIELD, text));
            };
            match &self.spec.fields[at].template {
                Some(template) => self.fill(template, record, depth - 1, made)?,
                None => made.field(&record.values[at].iter().map(plain).collect::<Vec<_>>().join(" ")),
            }
        }
        Ok(())
    }
}

/// Fields ordered so that each comes after the one whose axis it needs.
fn order(spec: &DataSpec) -> Read<Vec<(usize, Option<usize>)>> {
    let find = |name: &str| spec.fields.iter().position(|f| f.name == name);
    let mut order: Vec<(usize, Option<usize>)> = Vec::new();
    let mut left: Vec<usize> = (0..spec.fields.len()).collect();
    while !left.is_empty() {
        let before = left.len();
        let mut later = Vec::new();
        for &field in &left {
            let along = spec.fields[field].ty.along();
            let at = along.and_then(find);
            match (along, at) {
                (Some(name), None) => {
                    let text = format!("field '{}' is along '{name}', which is no field", spec.fields[field].name);
                    return Err(Fault::fatal(codes::UNKNOWN_FIELD, text).of(field));
                }
                (_, Some(at)) if !order.iter().any(|&(f, _)| f == at) => later.push(field),
                _ => order.push((field, at)),
            }
        }
        if later.len() == before {
            let text = format!("field '{}' is along itself", spec.fields[later[0]].name);
            return Err(Fault::fatal(codes::CYCLE, text).of(later[0]));
        }
        left = later;
    }
    Ok(order)
}

fn parse_field(
    ty: &FieldType,
    name: &str,
    raws: &[Raw],
    context: &Context<'_>,
    lenient: bool,
    cutter: Option<&Cutter>,
) -> Read<(FieldValue, Axis)> {
    let raw = raws.first().unwrap_or(&Raw::Absent);
    let alone = |value: FieldValue| (value, Axis::None);
    match ty {
        FieldType::Text { lower, tokens, max } => {
            tokens::text(raws, name, tokens::Cut { lower: *lower, tokens, max: *max, lenient, cutter }, context.lexicon)
        }
        FieldType::Texts { lower, tokens, max, .. } => {
            tokens::texts(raw, name, tokens::Cut { lower: *lower, tokens, max: *max, lenient, cutter }, context.lexicon)
        }
        FieldType::Class => scalar::class(raw, name, context.lexicon).map(alone),
        FieldType::Labels { separator } => scalar::labels(raw, name, separator, context.lexicon),
        FieldType::Number => scalar::number(raw, name).map(alone),
        FieldType::Vector(d) => scalar::vector(raw, name, *d).map(alone),
        FieldType::Choice(_) => scalar::choice(raw, name, context).map(alone),
        FieldType::Ranking(_) => scalar::ranking(raw, name, context).map(alone),
        FieldType::Tags(_) => scalar::tags(raw, name, context),
        FieldType::Span(_) => structure::span(raw, name, context).map(alone),
        FieldType::Spans(_) => structure::spans(raw, name, context),
        FieldType::Relations(_) => structure::relations(raw, name, context).map(alone),
        FieldType::Tree(_) => structure::tree(raws, name, context).map(alone),
        FieldType::Clusters(_) => structure::clusters(raw, name, context).map(alone),
    }
}

/// "field 'slots' has 9 tags and 'utterance' 10 tokens".
fn length_fault(name: &str, has: usize, what: &str, along: &str, full: usize, axis: &Axis) -> Fault {
    let members = match axis {
        Axis::Tokens(..) => "token",
        Axis::Members(_) => "text",
        Axis::Spans(_) => "span",
        _ => "member",
    };
    Fault::example(format!("field '{name}' has {} and '{along}' {}", count(has, what), count(full, members)))
}

/// Empty, `null` and `_` say that there is no label.
fn is_missing(raw: &Raw) -> bool {
    let nothing = |s: &str| matches!(s.trim(), "" | "_");
    match raw {
        Raw::Absent => true,
        Raw::Text(s) => nothing(s),
        Raw::Column(cells) => cells.iter().all(nothing),
        Raw::Json(Value::Null) => true,
        Raw::Json(Value::String(s)) => nothing(s),
        Raw::Json(_) => false,
    }
}

/// What a template writes for a raw value.
fn plain(raw: &Raw) -> String {
    match raw {
        Raw::Absent => String::new(),
        Raw::Text(s) => s.clone(),
        Raw::Column(cells) => cells.iter().collect::<Vec<_>>().join(" "),
        Raw::Json(value) => plain_json(value),
    }
}

fn plain_json(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        Value::Array(items) => items.iter().map(plain_json).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// What a JSON value is, as a phrase.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A JSON string, number or bool as text.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// The value of a structured field: JSON as such, or as the text of a cell.
fn json(raw: &Raw, name: &str) -> Read<Option<Value>> {
    match raw {
        Raw::Json(value) => Ok(Some(value.clone())),
        Raw::Text(text) if text.trim_start().starts_with(['[', '{']) => match serde_json::from_str(text) {
            Ok(value) => Ok(Some(value)),
            Err(e) => Err(Fault::example(format!("field '{name}' is not JSON: {e}"))),
        },
        _ => Ok(None),
    }
}

/// The words that a value gives along an axis: cells, an array, or a string split at white space.
fn words(raw: &Raw, name: &str) -> Read<Vec<String>> {
    match raw {
        Raw::Absent => Ok(Vec::new()),
        Raw::Column(cells) => Ok(cells.iter().map(str::to_owned).collect()),
        Raw::Text(text) if text.trim_start().starts_with('[') && text.trim_end().ends_with(']') => {
            match serde_json::from_str::<Value>(text) {
                Ok(value) => words(&Raw::Json(value), name),
                Err(_) => Ok(text.split_whitespace().map(str::to_owned).collect()),
            }
        }
        Raw::Text(text) | Raw::Json(Value::String(text)) => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Raw::Json(Value::Array(items)) => {
            let one = |(i, item): (usize, &Value)| match item {
                Value::Null => Ok(String::new()),
                _ => word(item).ok_or_else(|| {
                    Fault::example(format!("field '{name}' has {} as its item {i}, where a word is needed", kind(item)))
                }),
            };
            items.iter().enumerate().map(one).collect()
        }
        Raw::Json(other) => {
            Err(Fault::example(format!("field '{name}' is {}, where an array or a string is needed", kind(other))))
        }
    }
}

/// A label, [`super::value::MISSING`] for an empty one.
fn label(text: &str, lexicon: &Lexicon) -> u32 {
    match text.trim() {
        "" | "_" => super::value::MISSING,
        text => lexicon.intern(text),
    }
}
