//! Labels and numbers, one for an example or one for each member of an axis.

use serde_json::Value;

use super::{Axis, Context, Fault, FieldValue, Raw, Read, json, kind, label, length_fault, word, words};
use crate::data::fault::count;
use crate::data::lexicon::Lexicon;
use crate::data::odd::Odd;
use crate::data::value::MISSING;

/// One label.
pub fn class(raw: &Raw, name: &str, lexicon: &Lexicon) -> Read<FieldValue> {
    let text = match raw {
        Raw::Text(s) => s.trim().to_owned(),
        Raw::Json(value) => word(value).ok_or_else(|| one_label(name, kind(value)))?.trim().to_owned(),
        Raw::Column(cells) => {
            let mut cells = cells.iter();
            let first = cells.next().unwrap_or("").to_owned();
            if cells.any(|c| c != first) {
                return Err(one_label(name, "a column whose rows differ"));
            }
            first
        }
        Raw::Absent => return Ok(FieldValue::Missing),
    };
    Ok(FieldValue::Class(lexicon.intern(&text)))
}

fn one_label(name: &str, has: &str) -> Fault {
    Fault::example(format!("field '{name}' is {has}, where one label is needed"))
}

/// A set of labels: an array, or a string cut at the separator.
pub fn labels(raw: &Raw, name: &str, separator: &str, lexicon: &Lexicon) -> Read<(FieldValue, Axis)> {
    let cut = |s: &str| -> Vec<String> {
        match separator.trim().is_empty() {
            true => s.split_whitespace().map(str::to_owned).collect(),
            false => s.split(separator).map(|p| p.trim().to_owned()).collect(),
        }
    };
    let texts = match raw {
        Raw::Text(s) | Raw::Json(Value::String(s)) => cut(s),
        Raw::Json(Value::Number(n)) => vec![n.to_string()],
        _ => words(raw, name)?,
    };
    let mut set: Vec<u32> = Vec::with_capacity(texts.len());
    for text in texts.iter().map(|t| t.trim()).filter(|t| !t.is_empty()) {
        let id = lexicon.intern(text);
        if !set.contains(&id) {
            set.push(id);
        }
    }
    let axis = Axis::Count(set.len());
    Ok((FieldValue::Labels(set), axis))
}

fn finite(value: f64, name: &str, what: &str) -> Read<f32> {
    let value = value as f32;
    match value.is_finite() {
        true => Ok(value),
        false => Err(Fault::example(format!("field '{name}' has {what} that is not finite"))),
    }
}

fn parse_number(text: &str, name: &str) -> Read<f64> {
    text.trim()
        .parse()
        .map_err(|_| Fault::example(format!("field '{name}' is '{}', which is no number", shorten(text))))
}

/// The beginning of a long text.
pub fn shorten(text: &str) -> String {
    let short: String = text.trim().chars().take(30).collect();
    if short.len() < text.trim().len() { short + "…" } else { short }
}

/// A number.
pub fn number(raw: &Raw, name: &str) -> Read<FieldValue> {
    let value = match raw {
        Raw::Text(s) | Raw::Json(Value::String(s)) => parse_number(s, name)?,
        Raw::Json(Value::Number(n)) => n.as_f64().unwrap_or(f64::NAN),
        Raw::Json(other) => {
            return Err(Fault::example(format!("field '{name}' is {}, where a number is needed", kind(other))));
        }
        _ => return Err(Fault::example(format!("field '{name}' is a column, where one number is needed"))),
    };
    Ok(FieldValue::Number(finite(value, name, "a number")?))
}

/// Numbers of an array, or of a string between commas and white space; `None` for `null`.
fn numbers(raw: &Raw, name: &str) -> Read<Vec<Option<f32>>> {
    if let Some(Value::Array(items)) = json(raw, name)? {
        let one = |(i, item): (usize, &Value)| match item {
            Value::Null => Ok(None),
            Value::Number(n) => finite(n.as_f64().unwrap_or(f64::NAN), name, &format!("a number (item {i})")).map(Some),
            other => Err(Fault::example(format!(
                "field '{name}' has {} as its item {i}, where a number is needed",
                kind(other)
            ))),
        };
        return items.iter().enumerate().map(one).collect();
    }
    let texts: Vec<String> = match raw {
        Raw::Text(s) | Raw::Json(Value::String(s)) => {
            s.split(|c: char| c == ',' || c.is_whitespace()).filter(|s| !s.is_empty()).map(str::to_owned).collect()
        }
        Raw::Column(cells) => cells.iter().map(str::to_owned).collect(),
        Raw::Json(other) => {
            return Err(Fault::example(format!("field '{name}' is {}, where numbers are needed", kind(other))));
        }
        Raw::Absent => Vec::new(),
    };
    let one = |(i, text): (usize, &String)| match text.trim() {
        "" | "_" => Ok(None),
        text => finite(parse_number(text, name)?, name, &format!("a number (item {i})")).map(Some),
    };
    texts.iter().enumerate().map(one).collect()
}

/// `d` numbers.
pub fn vector(raw: &Raw, name: &str, d: usize) -> Read<FieldValue> {
    let values = numbers(raw, name)?;
    if values.len() != d {
        return Err(Fault::example(format!(
            "field '{name}' has {}, where vector({d}) is declared",
            count(values.len(), "number")
        )));
    }
    match values.iter().position(Option::is_none) {
        Some(i) => Err(Fault::example(format!("field '{name}' has no number as its item {i}"))),
        None => Ok(FieldValue::Vector(values.into_iter().flatten().collect())),
    }
}

/// A grade for each member of a set.
pub fn ranking(raw: &Raw, name: &str, context: &Context<'_>) -> Read<FieldValue> {
    let values = numbers(raw, name)?;
    let (full, _) = context.axis.length().unwrap_or_default();
    if values.len() != full {
        return Err(length_fault(name, values.len(), "grade", context.along, full, context.axis));
    }
    Ok(FieldValue::Ranking(values.into_iter().map(|v| v.unwrap_or(f32::NAN)).collect()))
}

/// Which member of a set is right.
pub fn choice(raw: &Raw, name: &str, context: &Context<'_>) -> Read<FieldValue> {
    let at = match raw {
        Raw::Text(s) | Raw::Json(Value::String(s)) => s.trim().parse().ok(),
        Raw::Json(Value::Number(n)) => n.as_u64(),
        _ => None,
    };
    let Some(at) = at else {
        return Err(Fault::example(format!("field '{name}' is no index of a member of '{}'", context.along)));
    };
    let (full, _) = context.axis.length().unwrap_or_default();
    if at >= full as u64 {
        let has = count(full, "text");
        return Err(Fault::example(format!("field '{name}' chooses {at} (from 0), but '{}' has {has}", context.along)));
    }
    Ok(FieldValue::Choice(at as u32))
}

/// A label for each member of an axis.
pub fn tags(raw: &Raw, name: &str, context: &Context<'_>) -> Read<(FieldValue, Axis)> {
    let texts = words(raw, name)?;
    let (full, kept) = context.axis.length().unwrap_or_default();
    if texts.len() != full {
        return Err(length_fault(name, texts.len(), "tag", context.along, full, context.axis));
    }
    context.odd.set(Odd::of_tags(&texts));
    let mut ids: Vec<u32> = texts.iter().map(|t| label(t, context.lexicon)).collect();
    match context.axis {
        Axis::Spans(map) => {
            let mut now = vec![MISSING; kept];
            map.iter().zip(&ids).for_each(|(to, &id)| {
                if let Some(slot) = to.and_then(|to| now.get_mut(to as usize)) {
                    *slot = id;
                }
            });
            ids = now;
        }
        _ => ids.truncate(kept),
    }
    Ok((FieldValue::Tags(ids), Axis::Tokens(full, kept)))
}
