//! `jsonl`: one JSON object a line; `from "a.b"` reads inside nested objects, and through an array
//! the `b` of each member.

use serde_json::Value;

use super::{Entry, Input, Raw, Read, Record, Records};
use crate::data::fault::{Fault, listed, nearest};
use crate::data::file::Lines;
use crate::data::spec::{FieldType, Format, Source};
use crate::diagnostics::codes;

/// The entry of the table.
pub const ENTRY: Entry = Entry { name: "jsonl", is: |f| matches!(f, Format::Jsonl), open };

struct Field {
    name: String,
    keys: Vec<String>,
    needed: bool,
    seen: bool,
    /// Another field reads inside the same key.
    shared: bool,
}

struct Reader {
    lines: Lines,
    fields: Vec<Field>,
    first: Vec<String>,
    lenient: bool,
}

fn open(input: Input<'_>) -> Read<Box<dyn Records>> {
    let key = |s: Source| match s {
        Source::Name(name) => name,
        Source::Column(n) => n.to_string(),
    };
    let sources = super::sources(input.spec).into_iter();
    let fields = sources.zip(&input.spec.fields).map(|(list, f)| Field {
        name: f.name.clone(),
        keys: list.into_iter().map(key).collect(),
        needed: matches!(f.ty, FieldType::Text { .. } | FieldType::Texts { .. }),
        seen: false,
        shared: false,
    });
    let mut fields: Vec<Field> = fields.collect();
    let roots: Vec<String> = fields.iter().flat_map(|f| &f.keys).map(|k| root(k).to_owned()).collect();
    for field in &mut fields {
        let times = |key: &String| roots.iter().filter(|r| *r == root(key)).count();
        field.shared = field.keys.iter().any(|k| times(k) > 1);
    }
    Ok(Box::new(Reader { lines: input.from.lines()?, fields, first: Vec::new(), lenient: input.lenient }))
}

fn root(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

/// The value at a dotted path; the whole path as one key goes first.
fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => value.get(key),
    })
}

/// The values at a path that leads through an array, one of each of its members; a path that counts
/// members asks for one.
fn gathered(value: &Value, path: &str) -> Option<Value> {
    match value {
        Value::Array(_) if path.starts_with(|c: char| c.is_ascii_digit()) => None,
        Value::Array(items) => {
            let found: Vec<Value> = items.iter().filter_map(|item| lookup(item, path).cloned()).collect();
            (!found.is_empty() || items.is_empty()).then_some(Value::Array(found))
        }
        _ => path.split_once('.').and_then(|(key, rest)| gathered(value.get(key)?, rest)),
    }
}

/// Takes the value out of the object where no other field reads it.
fn take(value: &mut Value, path: &str, shared: bool) -> Option<Value> {
    match value.as_object_mut().filter(|_| !shared).and_then(|o| o.get_mut(path)) {
        Some(found) => Some(found.take()),
        None => lookup(value, path).cloned().or_else(|| gathered(value, path)),
    }
}

impl Reader {
    fn no_key(&self, field: usize, key: &str) -> Fault {
        let f = &self.fields[field];
        let shown = self.lines.shown();
        let text = format!(
            "`{shown}` has no key '{key}' for field '{}'; its first example has {}",
            f.name,
            listed(&self.first)
        );
        let fault = Fault::fatal(codes::DATA_COLUMN, text).of(field);
        match nearest(key, self.first.iter().map(String::as_str)) {
            Some(near) => fault.help(format!("write `from \"{near}\"`")),
            None => fault,
        }
    }

    /// At the end of the file, every key must have been met.
    fn ended(&self) -> Read<()> {
        if self.lenient || self.first.is_empty() {
            return Ok(());
        }
        let unmet = self.fields.iter().position(|f| !f.seen && !f.keys.is_empty());
        unmet.map_or(Ok(()), |f| Err(self.no_key(f, &self.fields[f].keys[0])))
    }

    fn values(&mut self, mut object: Value) -> Read<Vec<Vec<Raw>>> {
        let mut values = Vec::with_capacity(self.fields.len());
        for field in 0..self.fields.len() {
            let mut list = Vec::new();
            for key in self.fields[field].keys.clone() {
                let shared = self.fields[field].shared;
                let found = take(&mut object, &key, shared);
                if found.is_none() && self.fields[field].needed && !self.fields[field].seen && !self.lenient {
                    return Err(self.no_key(field, &key));
                }
                self.fields[field].seen |= found.is_some();
                list.push(found.map_or(Raw::Absent, Raw::Json));
            }
            values.push(list);
        }
        Ok(values)
    }
}

impl Records for Reader {
    fn next(&mut self) -> Read<Option<Record>> {
        loop {
            let Some(text) = self.lines.next()? else {
                self.ended()?;
                return Ok(None);
            };
            if text.trim().is_empty() {
                continue;
            }
            let parsed = serde_json::from_str::<Value>(text);
            let (line, at) = (self.lines.line(), self.lines.start());
            let object = match parsed {
                Ok(Value::Object(o)) => o,
                Ok(other) => {
                    let text = format!("{} where a JSON object is needed", super::super::parse::kind(&other));
                    return Err(Fault::example(text).at(self.lines.shown(), line));
                }
                Err(e) => {
                    let what = e.to_string();
                    let what = what.split(" at line ").next().unwrap_or_default();
                    let text = format!("not JSON at column {}: {what}", e.column());
                    return Err(Fault::example(text).at(self.lines.shown(), line));
                }
            };
            if self.first.is_empty() {
                self.first = object.keys().cloned().collect();
            }
            let values = self.values(Value::Object(object))?;
            return Ok(Some(Record { line, at: vec![at], values }));
        }
    }

    fn files(&self) -> &[Lines] {
        std::slice::from_ref(&self.lines)
    }

    fn files_mut(&mut self) -> &mut [Lines] {
        std::slice::from_mut(&mut self.lines)
    }
}
