//! The arguments of the call that is being typed.

use gen_lsp_types as lsp;

use super::cursor::{Block, Cursor};
use super::dispatch::Answer;
use super::markup::{argument_line, markdown};
use super::view::View;
use crate::ops::{self, Default, Kind, Signature, fields, training};
use crate::sema::references::{DefId, DefKind};

/// What is called.
#[derive(Clone, Copy)]
pub enum Callable {
    /// What has a signature.
    Known(&'static Signature),
    /// A declared layer or recipe.
    Declared(DefId),
}

impl Callable {
    /// Whether it is a kind of task.
    pub fn is_task(self) -> bool {
        matches!(self, Callable::Known(s) if ops::task_kind(s.name).is_some_and(|k| std::ptr::eq(k.signature(), s)))
    }
}

/// The call around a byte.
pub fn help(view: &View<'_>, at: u32) -> Answer<Option<lsp::SignatureHelp>> {
    let cursor = Cursor::new(view.text(), at as usize);
    let Some(open) = cursor.call() else { return Ok(None) };
    let Some(callable) = callable(view, &cursor, open) else { return Ok(None) };
    let (label, doc, parts) = described(view, callable);
    let active = active(&cursor, open, callable, &parts);
    let parameters = parts.into_iter().map(|p| lsp::ParameterInformation {
        label: lsp::ParameterInformationLabel::String(p.shown),
        documentation: (!p.doc.is_empty()).then(|| lsp::Documentation::MarkupContent(markdown(p.doc))),
    });
    let signature = lsp::SignatureInformation {
        label,
        documentation: Some(lsp::Documentation::MarkupContent(markdown(doc))),
        parameters: Some(parameters.collect()),
        active_parameter: None,
    };
    let active_parameter = active.map(|n| lsp::ActiveParameter::Int(n as u32));
    Ok(Some(lsp::SignatureHelp { signatures: vec![signature], active_signature: Some(0), active_parameter }))
}

/// What the `(` at a token calls.
pub fn callable(view: &View<'_>, cursor: &Cursor<'_>, open: usize) -> Option<Callable> {
    let name = cursor.token(open.checked_sub(1)?);
    let before = |n: usize| open.checked_sub(n).map_or("", |i| cursor.token(i));
    if before(2) == "." {
        return ops::tasks::OUTPUTS.iter().find(|o| o.name == name).map(|o| Callable::Known(o));
    }
    let find = |table: &[&'static Signature]| table.iter().find(|s| s.name == name).map(|s| Callable::Known(s));
    if before(2) == ":" {
        let special = match (before(4), cursor.block().0) {
            ("task", _) => ops::task_kind(name).map(|k| Callable::Known(k.signature())),
            ("field", _) => find(fields::FIELD_TYPES),
            (_, Block::Train | Block::Stage) => setting_table(before(3)).and_then(find),
            _ => None,
        };
        if special.is_some() {
            return special;
        }
    }
    let references = view.references();
    let declared = references.all().find(|(_, d)| d.name == name && matches!(d.kind, DefKind::Item(_)));
    match declared {
        Some((id, _)) => Some(Callable::Declared(id)),
        None => ops::find(name).map(|op| Callable::Known(op.signature())),
    }
}

/// The words that a setting of training may be.
pub fn setting_table(setting: &str) -> Option<&'static [&'static Signature]> {
    match setting {
        "optimizer" => Some(training::OPTIMIZERS),
        "schedule" => Some(training::SCHEDULES),
        "batch" => Some(training::BATCHES),
        "sample" => Some(training::SAMPLES),
        "balance" => Some(training::BALANCES),
        _ => None,
    }
}

/// A parameter in the label of a signature.
pub struct Part {
    /// Its name.
    pub name: String,
    shown: String,
    doc: String,
    input: bool,
}

/// The parameters of what is called.
pub fn parts(view: &View<'_>, callable: Callable) -> Vec<Part> {
    match callable {
        Callable::Known(s) => {
            let input = |i: &ops::Input| Part {
                name: i.name.into(),
                shown: if i.many { format!("{}, …", i.name) } else { i.name.into() },
                doc: String::new(),
                input: true,
            };
            let arg = |a: &ops::Arg| Part {
                name: a.name.into(),
                shown: match (a.default, super::markup::default(a)) {
                    (Default::Required, _) => a.name.to_string(),
                    (_, Some(value)) => format!("{}: {value}", a.name),
                    _ => format!("{}:", a.name),
                },
                doc: argument_line(a),
                input: false,
            };
            s.inputs.iter().map(input).chain(s.args.iter().map(arg)).collect()
        }
        Callable::Declared(id) => {
            let params = view.references().all().filter(|(_, d)| d.owner == Some(id) && d.kind == DefKind::Param);
            let part = |d: &crate::sema::references::Def| Part {
                name: d.name.clone(),
                shown: view.sources().text(d.head).to_string(),
                doc: view.known().types_at(d.span).first().map_or(String::new(), |t| format!("Here `{t}`.")),
                input: true,
            };
            params.map(|(_, d)| part(d)).collect()
        }
    }
}

fn described(view: &View<'_>, callable: Callable) -> (String, String, Vec<Part>) {
    let parts = parts(view, callable);
    let (name, doc) = match callable {
        Callable::Known(s) => (s.name.to_string(), s.doc.to_string()),
        Callable::Declared(id) => {
            let def = view.references().def(id);
            (def.name.clone(), def.docs.clone().unwrap_or_default())
        }
    };
    let shown: Vec<&str> = parts.iter().map(|p| p.shown.as_str()).collect();
    (format!("{name}({})", shown.join(", ")), doc, parts)
}

/// Which parameter is being typed: the one that is named, else by its place. What is piped in
/// takes the place of the first input, and a plain number or string is no input of an operation.
fn active(cursor: &Cursor<'_>, open: usize, callable: Callable, parts: &[Part]) -> Option<usize> {
    let (mut depth, mut commas, mut start) = (0, 0, open + 1);
    for i in open + 1..cursor.before.len() {
        match cursor.token(i) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 0 => (commas, start) = (commas + 1, i + 1),
            _ => {}
        }
    }
    if cursor.token(start + 1) == ":" {
        return parts.iter().position(|p| p.name == cursor.token(start));
    }
    let piped = usize::from(open >= 2 && cursor.token(open - 2) == "|>");
    let inputs = parts.iter().filter(|p| p.input).count();
    let is_plain = |i: usize| cursor.token(i).starts_with(|c: char| c.is_ascii_digit() || matches!(c, '"' | '[' | '|'));
    let known = matches!(callable, Callable::Known(_));
    let first_is_plain = is_plain(open + 1) || piped == 1;
    let place = match known {
        true if first_is_plain && inputs <= 1 => inputs + commas,
        true if inputs > 0 && many(callable) => 0,
        _ => piped + commas,
    };
    (place < parts.len()).then_some(place)
}

fn many(callable: Callable) -> bool {
    matches!(callable, Callable::Known(s) if s.inputs.iter().any(|i| i.many))
}

/// The words that an argument may be.
pub fn words(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Word(words) => words.to_vec(),
        Kind::Call(calls) => calls.iter().map(|c| c.name).collect(),
        Kind::Bool => vec!["true", "false"],
        _ => Vec::new(),
    }
}
