//! `use run "runs/big" as teacher`: the layers and tasks of a trained run, as items of this
//! program. Its names begin with the run's, `teacher.reader`, and its data sets are those of this
//! program that have the same names.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::analysis::plain;
use super::call::{Checked, Scope, Val};
use super::checker::Checker;
use super::suggest;
use super::symbols::{Symbol, SymbolKind};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::RunPlan;
use crate::source::{Loader, Span};
use crate::syntax::Parse;
use crate::syntax::ast::{Expr, ExprKind, Ident, Item, ItemKind, Use};

/// A run that a program uses.
#[derive(Debug)]
pub struct UsedRun {
    /// Its name here and its folder.
    pub plan: RunPlan,
    /// Its program, whose items have their names in this one.
    pub files: Vec<Parse>,
}

/// What is needed of a run's plan.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The folder of a run that the file at `from` uses, and the program in it.
pub fn program_of(u: &Use, from: &Path, loader: &dyn Loader) -> Result<(PathBuf, PathBuf), Diagnostic> {
    let folder = plain(&from.parent().unwrap_or(Path::new("")).join(&u.path));
    let failed = |message: String| Diagnostic::new(codes::BAD_USE, u.path_span, message);
    let plan = loader.load(&folder.join("plan.json")).map_err(|_| {
        failed(format!("there is no run at '{}'", folder.display()))
            .help("a run is the folder that `mtlc run` wrote; paths are relative to the file that says `use`")
    })?;
    let damaged = |_| failed(format!("the plan of the run '{}' cannot be read", folder.display()));
    let Named { name } = serde_json::from_str(&plan).map_err(damaged)?;
    let program = folder.join("source").join(format!("{name}.mtl"));
    Ok((folder, program))
}

/// Names what a run hands on after it, and leaves out what it does not.
pub fn rename(items: &mut Vec<Item>, run: &str) {
    items.retain_mut(|item| match &mut item.kind {
        ItemKind::Const(c) => named(&mut c.name, run),
        ItemKind::Layer(l) => named(&mut l.decl.name, run),
        ItemKind::Def(d) => named(&mut d.name, run),
        ItemKind::Let(l) => l.names.iter_mut().all(|decl| named(&mut decl.name, run)),
        ItemKind::Task(t) => named(&mut t.decl.name, run),
        ItemKind::For(f) => {
            rename(&mut f.items, run);
            true
        }
        ItemKind::Use(_) | ItemKind::Data(_) | ItemKind::Loss(_) | ItemKind::Metric(_) | ItemKind::Train(_) => false,
    });
}

fn named(name: &mut Ident, run: &str) -> bool {
    name.text = format!("{run}.{}", name.text);
    true
}

impl<'a> Checker<'a> {
    /// `teacher.reader`, where `teacher` is a trained run: the layer or task that it hands on.
    pub(super) fn of_run(&mut self, base: &Expr, name: &Ident, s: &Scope<'a>) -> Option<Checked<Symbol<'a>>> {
        let ExprKind::Name(run) = &base.kind else { return None };
        let is_local = s.locals.iter().any(|(n, _)| *n == run.text) || s.loops.contains_key(&run.text);
        let symbol = self.symbols.named(&run.text, run.span).filter(|x| x.kind == SymbolKind::Run && !is_local)?;
        let (run, at) = (symbol.name, symbol.span);
        match self.symbols.by_name.get(format!("{run}.{}", name.text).as_str()) {
            Some(found) if is_handed_on(found) => Some(Ok(found.clone())),
            _ => Some(Err(self.not_handed_on(run, at, name, s))),
        }
    }

    fn not_handed_on(&mut self, run: &str, at: Span, name: &Ident, s: &Scope<'a>) -> super::call::Reported {
        let known = self.handed_on(run);
        let message = format!("the run '{run}' has no layer or task '{}'", name.text);
        let d = Diagnostic::new(codes::UNKNOWN_NAME, name.span, message).also(at, "the run is brought in here");
        let d = match suggest::nearest(&name.text, known.iter().map(String::as_str)) {
            Some(near) => d.fix(name.span, near, format!("did you mean '{near}'?")),
            None => d.help(listed(&known)),
        };
        self.error_in(s, d)
    }

    /// The layers and tasks of a run.
    fn handed_on(&self, run: &str) -> Vec<String> {
        let of = |x: &Symbol<'a>| x.name.strip_prefix(run)?.strip_prefix('.').map(str::to_string);
        self.symbols.by_name.values().filter(|x| is_handed_on(x)).filter_map(of).collect()
    }

    /// Reports a run that stands where one of its layers or tasks is meant.
    pub(super) fn run_as_value(&mut self, symbol: &Symbol<'a>, span: Span, s: &Scope<'a>) -> Val<'a> {
        let message = format!("'{}' is a trained run, where one of its layers or tasks is needed", symbol.name);
        let d = Diagnostic::new(codes::WRONG_KIND, span, message).also(symbol.span, "brought in here");
        let known = self.handed_on(symbol.name);
        self.fail(s, d.help(listed(&known)))
    }
}

fn is_handed_on(symbol: &Symbol<'_>) -> bool {
    matches!(symbol.kind, SymbolKind::Layer | SymbolKind::Task)
}

fn listed(known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    if known.is_empty() { "it has none".into() } else { format!("it has {}", crate::ops::list_words(&known)) }
}
