//! Text to a checked program.

use rustc_hash::FxHashMap;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::encoders::{Finder, Hub};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::consts::Const;
use crate::sema::known::Known;
use crate::sema::model::Model;
use crate::sema::references::References;
use crate::sema::{self};
use crate::source::{Loader, SourceMap};
use crate::syntax::Parse;
use crate::syntax::ast::{ExprKind, ItemKind};

/// What a command changes in a program.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--set` values: name of a const, and text.
    pub values: Vec<(String, String)>,
    /// Seed, instead of the program's.
    pub seed: Option<u64>,
    /// Names of passes over the plan that are left out.
    pub no_pass: Vec<String>,
    /// The folder that data paths are relative to, where it is not the program's.
    pub data: Option<PathBuf>,
    /// Where pretrained encoders on the hub may come from.
    pub hub: Hub,
}

impl Settings {
    /// Reads `name=value` arguments.
    pub fn parse(args: &[String]) -> Result<Self, Diagnostic> {
        let pair = |arg: &String| match arg.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_string(), value.trim().to_string())),
            _ => Err(Diagnostic::placeless(codes::OVERRIDE, format!("'--set {arg}' gives no value"))
                .help("write `--set width=128`")),
        };
        Ok(Self { values: args.iter().map(pair).collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// The values, each of the type that its const has.
    fn consts(&self, program: &sema::Program) -> Result<FxHashMap<String, Const>, Diagnostic> {
        self.values.iter().map(|(name, text)| Ok((name.clone(), typed(name, text, program)?))).collect()
    }
}

fn typed(name: &str, text: &str, program: &sema::Program) -> Result<Const, Diagnostic> {
    let consts: Vec<_> = program
        .files
        .iter()
        .flat_map(|f| &f.ast.items)
        .filter_map(|i| if let ItemKind::Const(c) = &i.kind { Some(c) } else { None })
        .collect();
    let Some(known) = consts.iter().find(|c| c.name.text == name) else {
        let near = sema::suggest::nearest(name, consts.iter().map(|c| c.name.text.as_str()));
        let d = Diagnostic::placeless(codes::OVERRIDE, format!("no const is named '{name}'"));
        return Err(match near {
            Some(near) => d.help(format!("did you mean '{near}'?")),
            None => d.help("`--set` overrides a `const` of the program"),
        });
    };
    let wrong = |wanted: &str| {
        Diagnostic::new(
            codes::OVERRIDE,
            known.value.span,
            format!("'{name}' is {wanted}, and '--set {name}={text}' is not"),
        )
        .label("the value in the program")
    };
    let number = |t: &str| t.replace('_', "").parse::<f64>().ok().filter(|v| v.is_finite());
    let literal = match &known.value.kind {
        ExprKind::Negate(inner) => &inner.kind,
        other => other,
    };
    match literal {
        ExprKind::Int(_) => text.replace('_', "").parse().map(Const::Int).map_err(|_| wrong("a whole number")),
        ExprKind::Float(_) => number(text).map(Const::Float).ok_or_else(|| wrong("a number")),
        ExprKind::Percent(_) => match text.strip_suffix('%') {
            Some(t) => number(t).map(|v| Const::Share(v / 100.0)).ok_or_else(|| wrong("a percentage")),
            None => number(text).map(Const::Share).ok_or_else(|| wrong("a percentage")),
        },
        ExprKind::Bool(_) => text.parse().map(Const::Bool).map_err(|_| wrong("`true` or `false`")),
        ExprKind::Str(_) => Ok(Const::Str(text.trim_matches('"').to_string())),
        ExprKind::List(_) => {
            let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(|| wrong("a list"))?;
            Ok(Const::List(inner.split(',').map(str::trim).filter(|t| !t.is_empty()).map(part).collect()))
        }
        ExprKind::Name(word) if consts.iter().all(|c| c.name.text != word.text) => Ok(Const::Word(text.to_string())),
        _ => Err(Diagnostic::new(codes::OVERRIDE, known.value.span, format!("'{name}' is made from other consts"))
            .help("override those instead")),
    }
}

fn part(text: &str) -> Const {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(v), _) => Const::Int(v),
        (_, Ok(v)) => Const::Float(v),
        _ => match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(inner) => Const::Str(inner.to_string()),
            None => Const::Word(text.to_string()),
        },
    }
}

/// A program with everything there is to say about it.
#[derive(Debug)]
pub struct Checked {
    /// The texts.
    pub sources: SourceMap,
    /// The program, when nothing in it is an error.
    pub model: Option<Model>,
    /// What is known of it, also when something is.
    pub known: Known,
    /// Mistakes and warnings, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Warnings of what is often meant, for those who ask for more.
    pub notes: Vec<Diagnostic>,
    /// The files as they were parsed.
    pub files: Vec<Parse>,
    references: OnceCell<References>,
}

impl Checked {
    /// What each name of the program means; found when it is first asked for.
    pub fn references(&self) -> &References {
        self.references.get_or_init(|| References::of(&self.files, &self.sources))
    }

    /// Whether any diagnostic is an error.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Adds what the data told, but for what a comment allows.
    pub fn add(&mut self, mut found: Vec<Diagnostic>) {
        sema::allow(&mut found, &self.files, &self.sources);
        self.diagnostics.append(&mut found);
        crate::diagnostics::sort(&mut self.diagnostics);
    }
}

/// Reads, parses and checks a program; no data is read.
pub fn check(entry: &Path, loader: &dyn Loader, settings: &Settings) -> Checked {
    let mut sources = SourceMap::new();
    let program = sema::read(entry, loader, &mut sources);
    let overrides = match settings.consts(&program) {
        Ok(overrides) => overrides,
        Err(d) => {
            let mut diagnostics = program.diagnostics;
            diagnostics.push(d);
            crate::diagnostics::sort(&mut diagnostics);
            let (known, references) = Default::default();
            let (notes, files) = (Vec::new(), program.files);
            return Checked { sources, model: None, known, diagnostics, notes, files, references };
        }
    };
    let find = Finder { data: settings.data.as_deref(), hub: settings.hub };
    let analysis = sema::check(program, &sources, overrides, &find);
    let sema::Analysis { model, known, diagnostics, notes, files } = analysis;
    Checked { sources, model, known, diagnostics, notes, files, references: OnceCell::new() }
}
