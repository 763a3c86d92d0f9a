//! Signatures: the one list of what exists, with argument names, kinds, ranges and defaults.
//! Argument checks, hover texts, completion and the reference pages are all read from here.

/// Where an operation stands in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Group {
    Words,
    Recurrent,
    Attention,
    Dense,
    Combine,
    Pooling,
    Noise,
    Gradient,
    Sharing,
    Structure,
    Loss,
    Internal,
}

/// A value that an operation takes.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name, by which it can be given too.
    pub name: &'static str,
    /// May be left out.
    pub optional: bool,
    /// Any number of values from here on.
    pub many: bool,
}

/// An input that must be given.
pub const fn input(name: &'static str) -> Input {
    Input { name, optional: false, many: false }
}

/// An input that may be left out.
pub const fn optional(name: &'static str) -> Input {
    Input { name, optional: true, many: false }
}

/// One or more inputs.
pub const fn many(name: &'static str) -> Input {
    Input { name, optional: false, many: true }
}

/// What an argument or setting may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number in a range.
    Int(i64, i64),
    /// A width: a whole number, or a size such as `|atis.intent|`.
    Width,
    /// A number in a range.
    Float(f64, f64),
    /// A share: `10%`, or a number from 0 to 1.
    Share,
    /// `true` or `false`.
    Bool,
    /// A string.
    Str,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A list of whole numbers from 1 up.
    Widths,
    /// A list of whole numbers from 0 up.
    Places,
    /// Steps, or a share of all steps.
    Length,
    /// One of these calls, by its signature: `adam(lr: 1e-3)`; a bare word is a call without arguments.
    Call(&'static [&'static Signature]),
    /// Whatever the operation makes of it: a layer, task, value, list or word.
    Any,
}

impl Kind {
    /// What it may be, in words.
    pub fn words(&self) -> String {
        match self {
            Kind::Int(min, i64::MAX) => format!("a whole number, at least {min}"),
            Kind::Int(min, max) => format!("a whole number from {min} to {max}"),
            Kind::Width => "a width: a whole number from 1, or a size such as `|atis.intent|`".into(),
            Kind::Float(min, max) if *min == f64::NEG_INFINITY && *max == f64::INFINITY => "a number".into(),
            Kind::Float(min, f64::INFINITY) => format!("a number, at least {min}"),
            Kind::Float(min, max) => format!("a number from {min} to {max}"),
            Kind::Share => "a share from 0 to 1, such as `10%`".into(),
            Kind::Bool => "`true` or `false`".into(),
            Kind::Str => "a string".into(),
            Kind::Word(words) => list_words(words),
            Kind::Widths => "a list of widths, such as `[200, 100]`".into(),
            Kind::Places => "a list of whole numbers from 0, such as `[0, 6]`".into(),
            Kind::Length => "a number of steps, or a share such as `10%`".into(),
            Kind::Call(calls) => list_words(&calls.iter().map(|s| s.name).collect::<Vec<_>>()),
            Kind::Any => "a value".into(),
        }
    }
}

/// `a`, `b` or `c`.
pub fn list_words(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [init @ .., last] => {
            let init: Vec<String> = init.iter().map(|w| format!("`{w}`")).collect();
            format!("{} or `{last}`", init.join(", "))
        }
    }
}

/// What stands when an argument is left out.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// It must be given.
    Required,
    /// Nothing; the documentation says what that means.
    Unset,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// A word.
    Word(&'static str),
}

impl Kind {
    /// A value that fits.
    fn sample(&self) -> String {
        match self {
            Kind::Int(min, max) => 64.clamp(*min, *max).to_string(),
            Kind::Width => "64".into(),
            Kind::Float(min, max) => 0.1f64.clamp(*min, *max).to_string(),
            Kind::Share | Kind::Length => "10%".into(),
            Kind::Bool => "true".into(),
            Kind::Str => "\"text\"".into(),
            Kind::Word(words) => words.first().copied().unwrap_or_default().into(),
            Kind::Widths => "[200, 100]".into(),
            Kind::Places => "[0, 6]".into(),
            Kind::Call(calls) => calls.first().map_or("", |call| call.name).into(),
            Kind::Any => String::new(),
        }
    }
}

impl Arg {
    /// The argument with a value that fits: its default, or any.
    pub fn example(&self) -> String {
        let value = match self.default {
            Default::Int(v) => v.to_string(),
            Default::Float(v) => v.to_string(),
            Default::Bool(v) => v.to_string(),
            Default::Word(word) => word.to_string(),
            Default::Required | Default::Unset => self.kind.sample(),
        };
        format!("{}: {value}", self.name)
    }
}

/// An argument of an operation, or a setting of a block.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What stands when it is left out.
    pub default: Default,
    /// What it does.
    pub doc: &'static str,
}

/// An argument that must be given.
pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Arg {
    Arg { name, kind, default: Default::Required, doc }
}

/// An argument with a default.
pub const fn arg(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Arg {
    Arg { name, kind, default, doc }
}

/// What an operation is called with.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Its name in the language.
    pub name: &'static str,
    /// Where it stands in the reference.
    pub group: Group,
    /// One paragraph; the first sentence says what it gives.
    pub doc: &'static str,
    /// Values it takes, in order.
    pub inputs: &'static [Input],
    /// Its other arguments, in order.
    pub args: &'static [Arg],
}

impl Signature {
    /// The argument of this name.
    pub fn arg(&self, name: &str) -> Option<&'static Arg> {
        self.args.iter().find(|a| a.name == name)
    }

    /// How a call is written, for hover and help.
    pub fn usage(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for i in self.inputs {
            parts.push(if i.many { format!("{}, …", i.name) } else { i.name.to_string() });
        }
        for a in self.args {
            parts.push(match a.default {
                Default::Required => a.name.to_string(),
                Default::Unset => format!("{}:", a.name),
                Default::Int(v) => format!("{}: {v}", a.name),
                Default::Float(v) => format!("{}: {v}", a.name),
                Default::Bool(v) => format!("{}: {v}", a.name),
                Default::Word(v) => format!("{}: {v}", a.name),
            });
        }
        format!("{}({})", self.name, parts.join(", "))
    }
}

/// A number at least 0 without an upper bound.
pub const POSITIVE: Kind = Kind::Float(0.0, f64::INFINITY);
/// Any number.
pub const NUMBER: Kind = Kind::Float(f64::NEG_INFINITY, f64::INFINITY);
/// A whole number from 1.
pub const COUNT: Kind = Kind::Int(1, i64::MAX);
