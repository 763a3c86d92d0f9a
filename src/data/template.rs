//! Texts that are made from other fields: `"<2de> {source}"`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A text made from other fields. Names stand in braces; `{{` and `}}` are braces of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    /// What it is made of, in order.
    pub parts: Vec<Part>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A text of its own.
    Text(String),
    /// The text of a field, by name.
    Field(String),
}

/// What is wrong in a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The bytes to blame.
    pub at: Range<usize>,
    /// One sentence without a final period.
    pub message: &'static str,
    /// What would mend it.
    pub help: &'static str,
}

impl Template {
    /// The template that a string writes.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        Ok(Self { parts: parts(text)?.into_iter().map(|(part, _)| part).collect() })
    }

    /// The fields that it names.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// The parts of a template, each with the bytes that write it.
pub fn parts(text: &str) -> Result<Vec<(Part, Range<usize>)>, Broken> {
    let mut found: Vec<(Part, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find(['{', '}']).map(|next| at + next) {
        own(&mut found, &text[at..next], at..next);
        let rest = &text[next..];
        at = match rest.as_bytes() {
            [b'{', b'{', ..] | [b'}', b'}', ..] => {
                own(&mut found, &rest[..1], next..next + 2);
                next + 2
            }
            [b'}', ..] => {
                let message = "this brace closes nothing";
                return Err(Broken { at: next..next + 1, message, help: "write `}}` for a brace of the text" });
            }
            _ => {
                let end = rest[1..].find(['{', '}']).map(|end| next + 1 + end);
                let Some(end) = end.filter(|end| text[*end..].starts_with('}')) else {
                    let message = "this brace is never closed";
                    return Err(Broken { at: next..next + 1, message, help: "write `{{` for a brace of the text" });
                };
                let name = text[next + 1..end].trim();
                if name.is_empty() {
                    let (message, help) = ("no field is named here", "name a field between the braces");
                    return Err(Broken { at: next..end + 1, message, help });
                }
                found.push((Part::Field(name.into()), next + 1..end));
                end + 1
            }
        };
    }
    own(&mut found, &text[at..], at..text.len());
    Ok(found)
}

/// Adds to the text of the template itself.
fn own(found: &mut Vec<(Part, Range<usize>)>, text: &str, at: Range<usize>) {
    match found.last_mut() {
        _ if text.is_empty() => {}
        Some((Part::Text(before), range)) => {
            before.push_str(text);
            range.end = at.end;
        }
        _ => found.push((Part::Text(text.into()), at)),
    }
}

impl TryFrom<String> for Template {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).map_err(|broken| broken.message)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        let written = template.parts.into_iter().map(|part| match part {
            Part::Text(text) => text.replace('{', "{{").replace('}', "}}"),
            Part::Field(name) => format!("{{{name}}}"),
        });
        written.collect()
    }
}

/// A text in the making.
#[derive(Clone, Debug, Default)]
pub struct Made {
    text: String,
    /// The bytes that a template wrote itself.
    own: Vec<Range<usize>>,
}

impl Made {
    /// Goes on with what a template writes itself.
    pub fn own(&mut self, text: &str) {
        self.own.push(self.text.len()..self.text.len() + text.len());
        self.text.push_str(text);
    }

    /// Goes on with the text of a field.
    pub fn field(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its tags and what stands between them, in order: a tag, such as `<2de>`, begins and ends with brackets of
    /// the template and has no white space inside.
    pub fn tagged(&self) -> Vec<(&str, bool)> {
        let is_own = |at: usize| self.own.iter().any(|range| range.contains(&at));
        let (mut found, mut done, mut open) = (Vec::new(), 0, None);
        for (at, c) in self.text.char_indices() {
            match (c, open) {
                ('<', _) => open = is_own(at).then_some(at),
                ('>', Some(from)) if is_own(at) && at > from + 1 => {
                    found.extend([(&self.text[done..from], false), (&self.text[from..=at], true)]);
                    (done, open) = (at + 1, None);
                }
                _ if c == '>' || c.is_whitespace() => open = None,
                _ => {}
            }
        }
        found.push((&self.text[done..], false));
        found.retain(|(text, _)| !text.is_empty());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_braces() {
        let template = Template::parse("<2de> {a} {{x}} { b }").unwrap();
        let own = |text: &str| Part::Text(text.into());
        let field = |name: &str| Part::Field(name.into());
        assert_eq!(template.parts, [own("<2de> "), field("a"), own(" {x} "), field("b")]);
        let text: String = template.clone().into();
        assert_eq!(text, "<2de> {a} {{x}} {b}");
        assert_eq!(Template::try_from(text).unwrap(), template);
        assert_eq!(Template::parse("").unwrap(), Template::default());
    }

    #[test]
    fn what_is_broken_is_pointed_at() {
        let at = |text: &str| Template::parse(text).unwrap_err().at;
        assert_eq!((at("é {a"), at("a } b"), at("{ } x"), at("{a {b}")), (3..4, 2..3, 0..3, 0..1));
    }

    #[test]
    fn tags_are_of_the_template() {
        let mut made = Made::default();
        made.own("<2");
        made.field("de");
        made.own("> <a b> <>");
        made.field("<2de> x>");
        made.own("<end>");
        assert_eq!(made.text(), "<2de> <a b> <><2de> x><end>");
        assert_eq!(made.tagged(), [("<2de>", true), (" <a b> <><2de> x>", false), ("<end>", true)]);
    }
}
