//! Texts to tokens.

use serde_json::Value;

use super::{Axis, Fault, FieldValue, Raw, Read, kind, word};
use crate::data::lexicon::Lexicon;
use crate::data::pieces::Cutter;
use crate::data::spec::Tokens;
use crate::data::template::Made;

/// How a field cuts its texts.
#[derive(Clone, Copy)]
pub struct Cut<'a> {
    /// Fold to lower case.
    pub lower: bool,
    /// Where to cut.
    pub tokens: &'a Tokens,
    /// How many tokens to keep.
    pub max: Option<usize>,
    /// A text without words is one empty word instead of a fault.
    pub lenient: bool,
    /// Cuts into pieces.
    pub cutter: Option<&'a Cutter>,
}

/// A text as tokens.
pub fn text(raws: &[Raw], name: &str, cut: Cut<'_>, lexicon: &Lexicon) -> Read<(FieldValue, Axis)> {
    if raws.iter().all(|r| matches!(r, Raw::Absent | Raw::Json(Value::Null))) {
        return Err(Fault::example(format!("field '{name}' is missing")));
    }
    let mut ids = Vec::new();
    for raw in raws {
        pieces(raw, name, cut, lexicon, &mut ids)?;
    }
    let full = close(&mut ids, name, cut, lexicon)?;
    let axis = Axis::Tokens(full, ids.len());
    Ok((FieldValue::Text(ids), axis))
}

/// A text that a template makes, as tokens; each of its tags is one.
pub fn made(made: &Made, name: &str, cut: Cut<'_>, lexicon: &Lexicon) -> Read<(FieldValue, Axis)> {
    let mut ids = Vec::new();
    let folded: Vec<(String, bool)> = made.tagged().into_iter().map(|(text, tag)| (fold(text, cut), tag)).collect();
    let parts: Vec<(&str, bool)> = folded.iter().map(|(text, tag)| (text.as_str(), *tag)).collect();
    match cut.cutter {
        Some(cutter) => cutter.cut(&parts, lexicon, &mut ids),
        None => {
            for (text, tag) in parts {
                if tag { ids.push(lexicon.intern(text)) } else { split_plain(text, cut, lexicon, &mut ids) }
            }
        }
    }
    let full = close(&mut ids, name, cut, lexicon)?;
    let axis = Axis::Tokens(full, ids.len());
    Ok((FieldValue::Text(ids), axis))
}

/// A set of texts.
pub fn texts(raw: &Raw, name: &str, cut: Cut<'_>, lexicon: &Lexicon) -> Read<(FieldValue, Axis)> {
    let mut members = Vec::new();
    match raw {
        Raw::Column(cells) => members.extend(cells.iter().map(|c| Raw::Text(c.to_owned()))),
        _ => match super::json(raw, name)? {
            Some(Value::Array(items)) => members.extend(items.into_iter().map(Raw::Json)),
            Some(other) => {
                return Err(Fault::example(format!(
                    "field '{name}' is {}, where an array of texts is needed",
                    kind(&other)
                )));
            }
            None => return Err(Fault::example(format!("field '{name}' has no array of texts"))),
        },
    }
    if members.is_empty() {
        return Err(Fault::example(format!("field '{name}' has no texts")));
    }
    let mut sets = Vec::with_capacity(members.len());
    let mut axis = Vec::with_capacity(members.len());
    for (i, member) in members.iter().enumerate() {
        let mut ids = Vec::new();
        let place = format!("{name}[{i}]");
        pieces(member, &place, cut, lexicon, &mut ids)?;
        axis.push((close(&mut ids, &place, cut, lexicon)?, ids.len()));
        sets.push(ids);
    }
    Ok((FieldValue::Texts(sets), Axis::Members(axis)))
}

/// Keeps `max` tokens and says how many there were.
fn close(ids: &mut Vec<u32>, name: &str, cut: Cut<'_>, lexicon: &Lexicon) -> Read<usize> {
    if ids.is_empty() {
        if !cut.lenient {
            return Err(Fault::example(format!("field '{name}' has no tokens")));
        }
        ids.push(lexicon.intern(""));
    }
    let full = ids.len();
    ids.truncate(cut.max.unwrap_or(full).max(1));
    Ok(full)
}

fn pieces(raw: &Raw, name: &str, cut: Cut<'_>, lexicon: &Lexicon, out: &mut Vec<u32>) -> Read<()> {
    let finer = !matches!(cut.tokens, Tokens::Space | Tokens::Words);
    match raw {
        Raw::Absent | Raw::Json(Value::Null) => {}
        Raw::Text(s) | Raw::Json(Value::String(s)) => split(s, cut, lexicon, out),
        Raw::Column(cells) if finer => split(&cells.iter().collect::<Vec<_>>().join(" "), cut, lexicon, out),
        Raw::Column(cells) => out.extend(cells.iter().map(|c| token(c, cut, lexicon))),
        Raw::Json(Value::Array(items)) => {
            let given = |(i, item): (usize, &Value)| {
                word(item).ok_or_else(|| Fault::example(format!("field '{name}' has {} as its token {i}", kind(item))))
            };
            let words = items.iter().enumerate().map(given).collect::<Read<Vec<_>>>()?;
            match finer {
                true => split(&words.join(" "), cut, lexicon, out),
                false => out.extend(words.iter().map(|w| token(w, cut, lexicon))),
            }
        }
        Raw::Json(other) => {
            let Some(text) = word(other) else {
                return Err(Fault::example(format!("field '{name}' is {}, where a text is needed", kind(other))));
            };
            split(&text, cut, lexicon, out);
        }
    }
    Ok(())
}

fn token(text: &str, cut: Cut<'_>, lexicon: &Lexicon) -> u32 {
    lexicon.intern(&fold(text, cut))
}

/// In lower case, if the field is.
fn fold(text: &str, cut: Cut<'_>) -> String {
    if cut.lower { text.to_lowercase() } else { text.to_owned() }
}

fn split(text: &str, cut: Cut<'_>, lexicon: &Lexicon, out: &mut Vec<u32>) {
    let lowered;
    let text = match cut.lower {
        true => {
            lowered = text.to_lowercase();
            &lowered
        }
        false => text,
    };
    match cut.cutter {
        Some(cutter) => cutter.cut(&[(text, false)], lexicon, out),
        None => split_plain(text, cut, lexicon, out),
    }
}

fn split_plain(text: &str, cut: Cut<'_>, lexicon: &Lexicon, out: &mut Vec<u32>) {
    match cut.tokens {
        Tokens::Words => words(text, |w| out.push(lexicon.intern(w))),
        Tokens::Chars => {
            let mut buffer = [0; 4];
            out.extend(text.chars().map(|c| lexicon.intern(c.encode_utf8(&mut buffer))));
        }
        Tokens::Bytes => out.extend(text.bytes().map(|b| lexicon.intern(&format!("<0x{b:02X}>")))),
        Tokens::Space | Tokens::Bpe(_) | Tokens::File(_) => {
            out.extend(text.split_whitespace().map(|w| lexicon.intern(w)));
        }
    }
}

/// Words (letters, digits, and apostrophes, hyphens, points and commas inside them) and single other marks.
fn words<'a>(text: &'a str, mut out: impl FnMut(&'a str)) {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end_of = |i: usize| chars.get(i).map_or(text.len(), |c| c.0);
    let mut i = 0;
    while let Some(&(start, c)) = chars.get(i) {
        i += 1;
        if c.is_whitespace() {
            continue;
        }
        if is_word(c) {
            while let Some(&(_, c)) = chars.get(i) {
                let before = chars[i - 1].1;
                let after = chars.get(i + 1).map_or(' ', |c| c.1);
                let digits = before.is_numeric() && after.is_numeric();
                let inside = "'’-".contains(c) && is_word(before) && is_word(after) || ".,".contains(c) && digits;
                let mark = matches!(c, '\u{300}'..='\u{36F}' | '\u{200D}');
                if !(is_word(c) || inside || mark) {
                    break;
                }
                i += 1;
            }
        }
        out(&text[start..end_of(i)]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_and_marks() {
        let cut = |text| {
            let mut out = Vec::new();
            super::words(text, |w| out.push(w));
            out
        };
        assert_eq!(
            cut("Don't pay $3.50, state-of-the-art!"),
            ["Don't", "pay", "$", "3.50", ",", "state-of-the-art", "!"]
        );
        assert_eq!(cut("感情 😀 (x)."), ["感情", "😀", "(", "x", ")", "."]);
        assert!(cut("  ").is_empty());
    }
}
