//! Values known before training.

use serde::Serialize;

/// A const: a number, share, string, bool, word, list or tuple.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Const {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A percentage, as a share of 1.
    Share(f64),
    /// A string.
    Str(String),
    /// `true` or `false`.
    Bool(bool),
    /// A name that no const has, such as a member of a family.
    Word(String),
    /// `[a, b]`.
    List(Vec<Const>),
    /// `(a, b)`.
    Tuple(Vec<Const>),
}

impl Const {
    /// What the word of a loop stands for: the number or bool that it reads as, else itself.
    pub fn of_word(word: &str) -> Self {
        let share = || word.strip_suffix('%').and_then(|w| w.parse().ok()).map(|v: f64| Const::Share(v / 100.0));
        let number = || word.starts_with(|c: char| c.is_ascii_digit() || c == '-').then(|| word.parse().ok()).flatten();
        let int = word.parse().ok().map(Const::Int);
        let known = int.or_else(|| number().map(Const::Float)).or_else(share);
        known.or_else(|| word.parse().ok().map(Const::Bool)).unwrap_or_else(|| Const::Word(word.to_string()))
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Const::Int(v) => Some(*v as f64),
            Const::Float(v) | Const::Share(v) => Some(*v),
            _ => None,
        }
    }

    /// How it reads inside a string or as an index.
    pub fn word(&self) -> String {
        match self {
            Const::Int(v) => v.to_string(),
            Const::Float(v) => v.to_string(),
            Const::Share(v) => format!("{}%", v * 100.0),
            Const::Str(s) | Const::Word(s) => s.clone(),
            Const::Bool(b) => b.to_string(),
            Const::List(parts) | Const::Tuple(parts) => parts.iter().map(Const::word).collect::<Vec<_>>().join(", "),
        }
    }

    /// What it is, with its article.
    pub fn noun(&self) -> &'static str {
        match self {
            Const::Int(_) => "a whole number",
            Const::Float(_) => "a number",
            Const::Share(_) => "a percentage",
            Const::Str(_) => "a string",
            Const::Bool(_) => "a bool",
            Const::Word(_) => "a word",
            Const::List(_) => "a list",
            Const::Tuple(_) => "a tuple",
        }
    }
}
