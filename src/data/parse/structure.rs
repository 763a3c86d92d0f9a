//! Spans, relations, trees and clusters.

use serde_json::Value;

use super::{Axis, Context, Fault, FieldValue, Raw, Read, json, kind, label, length_fault, word, words};
use crate::data::fault::count;
use crate::data::odd::Odd;
use crate::data::value::{Labelled, MISSING, Node, Range, Relation, from_bio};

fn fault<T>(text: String) -> Read<T> {
    Err(Fault::example(text))
}

fn index(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
}

/// How many tokens a range may cover, and how many of them are kept.
fn tokens(context: &Context<'_>, member: u32, what: &str) -> Read<(usize, usize)> {
    match context.axis {
        Axis::Members(members) => members.get(member as usize).copied().ok_or_else(|| {
            let has = count(members.len(), "text");
            Fault::example(format!("{what} lies in member {member} (from 0), but '{}' has {has}", context.along))
        }),
        axis => Ok(axis.length().unwrap_or_default()),
    }
}

/// A range within its text; `None` when `max` cut it off.
fn checked(range: Range, context: &Context<'_>, what: &str) -> Read<Option<Range>> {
    let (full, kept) = tokens(context, range.member, what)?;
    if range.start >= range.end {
        return fault(format!("{what} is empty: it starts at {} and ends at {}", range.start, range.end));
    }
    if range.end as usize > full {
        let has = count(full, "token");
        return fault(format!("{what} ends at {}, but '{}' has {has}", range.end, context.along));
    }
    Ok((range.end as usize <= kept).then_some(range))
}

/// `{start, end}`, `{member, start, end}`, `[start, end]` or `[member, start, end]`.
fn range(value: &Value, context: &Context<'_>, what: &str) -> Read<Range> {
    let in_set = matches!(context.axis, Axis::Members(_));
    let shape = if in_set { "{member, start, end}" } else { "{start, end}" };
    let parts = match value {
        Value::Object(o) => {
            let member = if in_set { index(o.get("member")) } else { Some(0) };
            member.zip(index(o.get("start"))).zip(index(o.get("end")))
        }
        Value::Array(items) => match (items.len(), in_set) {
            (2.., false) => Some(0).zip(index(items.first())).zip(index(items.get(1))),
            (3.., true) => index(items.first()).zip(index(items.get(1))).zip(index(items.get(2))),
            _ => None,
        },
        _ => None,
    };
    match parts {
        Some(((member, start), end)) => Ok(Range { member, start, end }),
        None => fault(format!("{what} is not {shape} in tokens counted from 0")),
    }
}

/// One range: JSON, or its numbers in a string.
pub fn span(raw: &Raw, name: &str, context: &Context<'_>) -> Read<FieldValue> {
    let what = format!("field '{name}'");
    let value = match (json(raw, name)?, raw) {
        (Some(Value::String(text)), _) => numbers(&text),
        (Some(value), _) => value,
        (None, Raw::Text(text)) => numbers(text),
        _ => Value::Null,
    };
    let range = checked(range(&value, context, &what)?, context, &what)?;
    Ok(range.map_or(FieldValue::Missing, FieldValue::Span))
}

fn numbers(text: &str) -> Value {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|p| !p.is_empty());
    Value::Array(parts.map(|p| p.parse::<u64>().map_or(Value::Null, Value::from)).collect())
}

/// The label of an object: its `type`, or what else such a key is called.
fn type_of(value: &Value, keys: &[&str], at: usize, context: &Context<'_>) -> u32 {
    let found = match value {
        Value::Array(items) => items.get(at),
        _ => keys.iter().find_map(|k| value.get(k)),
    };
    found.and_then(word).map_or(MISSING, |text| label(&text, context.lexicon))
}

/// Labelled ranges: a JSON array, or BIO tags.
pub fn spans(raw: &Raw, name: &str, context: &Context<'_>) -> Read<(FieldValue, Axis)> {
    let items = match json(raw, name)? {
        Some(Value::Array(items)) => items,
        Some(Value::String(_)) | None => return tagged(raw, name, context),
        Some(other) => return fault(format!("field '{name}' is {}, where an array of spans is needed", kind(&other))),
    };
    if items.first().is_some_and(Value::is_string) {
        return tagged(&Raw::Json(Value::Array(items)), name, context);
    }
    let at = if matches!(context.axis, Axis::Members(_)) { 3 } else { 2 };
    let mut spans = Vec::with_capacity(items.len());
    let mut map = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let what = format!("span {i} of field '{name}'");
        let kept = checked(range(item, context, &what)?, context, &what)?;
        map.push(kept.map(|_| spans.len() as u32));
        let label = type_of(item, &["type", "label"], at, context);
        spans.extend(kept.map(|range| Labelled { range, label }));
    }
    Ok((FieldValue::Spans(spans), Axis::Spans(map)))
}

/// Spans written as BIO (or BIOES) tags; an `I-` that continues nothing begins a span.
fn tagged(raw: &Raw, name: &str, context: &Context<'_>) -> Read<(FieldValue, Axis)> {
    let tags = words(raw, name)?;
    let (full, kept) = context.axis.length().unwrap_or_default();
    if matches!(context.axis, Axis::Members(_)) || tags.len() != full {
        return Err(length_fault(name, tags.len(), "tag", context.along, full, context.axis));
    }
    context.odd.set(Odd::of_tags(&tags));
    let found = from_bio(&tags);
    let mut map = Vec::with_capacity(found.len());
    let mut spans = Vec::new();
    for (start, end, kind) in found {
        let inside = end <= kept;
        map.push(inside.then_some(spans.len() as u32));
        if inside {
            let range = Range { member: 0, start: start as u32, end: end as u32 };
            spans.push(Labelled { range, label: label(kind, context.lexicon) });
        }
    }
    Ok((FieldValue::Spans(spans), Axis::Spans(map)))
}

fn array(raw: &Raw, name: &str, what: &str) -> Read<Vec<Value>> {
    match json(raw, name)? {
        Some(Value::Array(items)) => Ok(items),
        Some(other) => fault(format!("field '{name}' is {}, where an array of {what} is needed", kind(&other))),
        None => fault(format!("field '{name}' has no array of {what}")),
    }
}

/// Labelled pairs of spans.
pub fn relations(raw: &Raw, name: &str, context: &Context<'_>) -> Read<FieldValue> {
    let map = match context.axis {
        Axis::Spans(map) => map.clone(),
        axis => (0..axis.length().unwrap_or_default().1 as u32).map(Some).collect(),
    };
    let mut pairs = Vec::new();
    for (i, item) in array(raw, name, "relations")?.iter().enumerate() {
        let part = |key: &str, at: usize| match item {
            Value::Array(items) => index(items.get(at)),
            _ => index(item.get(key)),
        };
        let Some((head, tail)) = part("head", 0).zip(part("tail", 1)) else {
            return fault(format!("relation {i} of field '{name}' is not {{head, tail, type}} with indices of spans"));
        };
        for (end, at) in [("head", head), ("tail", tail)] {
            if at as usize >= map.len() {
                let has = count(map.len(), "span");
                return fault(format!(
                    "relation {i} of field '{name}' has {end} {at}, but '{}' has {has}",
                    context.along
                ));
            }
        }
        if let Some((head, tail)) = map[head as usize].zip(map[tail as usize]) {
            pairs.push(Relation { head, tail, label: type_of(item, &["type", "label"], 2, context) });
        }
    }
    Ok(FieldValue::Relations(pairs))
}

/// Sets of ranges.
pub fn clusters(raw: &Raw, name: &str, context: &Context<'_>) -> Read<FieldValue> {
    let mut sets = Vec::new();
    for (c, cluster) in array(raw, name, "clusters")?.iter().enumerate() {
        let Value::Array(items) = cluster else {
            return fault(format!(
                "cluster {c} of field '{name}' is {}, where an array of spans is needed",
                kind(cluster)
            ));
        };
        let mut set = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let what = format!("span {i} of cluster {c} of field '{name}'");
            set.extend(checked(range(item, context, &what)?, context, &what)?);
        }
        if !set.is_empty() {
            sets.push(set);
        }
    }
    Ok(FieldValue::Clusters(sets))
}

/// Heads and labels: two columns, two arrays, or one array of `{head, label}`.
pub fn tree(raws: &[Raw], name: &str, context: &Context<'_>) -> Read<FieldValue> {
    let (full, kept) = context.axis.length().unwrap_or_default();
    let (heads, labels) = match raws {
        [one] => nodes(one, name)?,
        [heads, labels, ..] => (words(heads, name)?, words(labels, name)?),
        [] => return Ok(FieldValue::Missing),
    };
    if heads.len() != full {
        return Err(length_fault(name, heads.len(), "head", context.along, full, context.axis));
    }
    if !labels.is_empty() && labels.len() != full {
        return Err(length_fault(name, labels.len(), "label", context.along, full, context.axis));
    }
    let heads = heads.iter().enumerate().map(|(i, h)| head(i, h, full, name)).collect::<Read<Vec<u32>>>()?;
    acyclic(&heads, name)?;
    context.odd.set(Odd::of_heads(&heads));
    let node = |(i, &head): (usize, &u32)| match head != MISSING && head as usize > kept {
        true => Node { head: MISSING, label: MISSING },
        false => Node { head, label: labels.get(i).map_or(MISSING, |l| label(l, context.lexicon)) },
    };
    Ok(FieldValue::Tree(heads.iter().enumerate().take(kept).map(node).collect()))
}

/// Heads and labels of an array of `{head, label}` or `[head, label]`, or heads alone.
fn nodes(raw: &Raw, name: &str) -> Read<(Vec<String>, Vec<String>)> {
    let Some(Value::Array(items)) = json(raw, name)? else { return Ok((words(raw, name)?, Vec::new())) };
    if !items.first().is_some_and(|i| i.is_object() || i.is_array()) {
        return Ok((words(raw, name)?, Vec::new()));
    }
    let text = |v: Option<&Value>| v.and_then(word).unwrap_or_default();
    let both = items.iter().map(|item| match item {
        Value::Array(pair) => (text(pair.first()), text(pair.get(1))),
        _ => (text(item.get("head")), text(["label", "deprel", "type"].iter().find_map(|k| item.get(k)))),
    });
    Ok(both.unzip())
}

fn head(token: usize, text: &str, full: usize, name: &str) -> Read<u32> {
    if matches!(text, "" | "_") {
        return Ok(MISSING);
    }
    let place = format!("field '{name}' has head '{text}' for token {}", token + 1);
    match text.parse::<u32>() {
        Ok(head) if head as usize == token + 1 => fault(format!("{place}, which is the token itself")),
        Ok(head) if head as usize <= full => Ok(head),
        Ok(_) => fault(format!("{place}, but there are {}", count(full, "token"))),
        Err(_) => fault(format!("{place}, which is no number")),
    }
}

/// Follows every token to a root.
fn acyclic(heads: &[u32], name: &str) -> Read<()> {
    const NEW: usize = usize::MAX;
    let mut seen = vec![NEW; heads.len()];
    for start in 0..heads.len() {
        let mut at = start;
        while seen[at] == NEW {
            seen[at] = start;
            match heads[at] {
                0 | MISSING => break,
                head if seen[head as usize - 1] == start => {
                    return fault(format!("field '{name}' has a cycle through token {head}"));
                }
                head => at = head as usize - 1,
            }
        }
    }
    Ok(())
}
