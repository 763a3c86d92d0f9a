//! A program or plan on the disk to something that can be trained.

use std::path::Path;

use super::compile::{Compiled, base_of, compile_without, not_run_yet, read_plan, reload};
use super::{Checked, Failure, Settings, check};
use crate::diagnostics::{Diagnostic, codes};
use crate::source::{Loader, SourceMap};

/// A program or plan with its data, ready to be trained.
pub struct Loaded {
    /// The plan and the data it was made for.
    pub compiled: Compiled,
    /// The texts of the program; a plan has none.
    pub sources: SourceMap,
    /// What is to be said about the program and its data.
    pub warnings: Vec<Diagnostic>,
}

/// Checks a program, reads its data and lowers it; or reads the data of a plan, a `.json` file.
/// Data paths begin at `data`, or else at the program's folder.
pub fn load(file: &Path, loader: &dyn Loader, settings: &Settings, data: Option<&Path>) -> Result<Loaded, Failure> {
    if file.extension().is_some_and(|e| e == "json") {
        return load_plan(file, settings, data);
    }
    let hub = settings.hub.for_data();
    let settings = &Settings { data: data.map(Path::to_path_buf), hub, ..settings.clone() };
    let mut checked = check(file, loader, settings);
    let failed = |checked: Checked| Failure { diagnostics: checked.diagnostics, sources: checked.sources };
    let Some(mut model) = checked.model.take() else { return Err(failed(checked)) };
    if let Some(d) = not_run_yet(&model) {
        checked.diagnostics.push(d);
        return Err(failed(checked));
    }
    model.train.seed = settings.seed.unwrap_or(model.train.seed);
    match compile_without(&model, &base_of(file, data), &settings.no_pass) {
        Ok(mut compiled) => {
            checked.add(std::mem::take(&mut compiled.warnings));
            Ok(Loaded { compiled, sources: checked.sources, warnings: checked.diagnostics })
        }
        Err(errors) => {
            checked.add(errors);
            Err(failed(checked))
        }
    }
}

fn load_plan(file: &Path, settings: &Settings, data: Option<&Path>) -> Result<Loaded, Failure> {
    if let Some((name, value)) = settings.values.first() {
        let message = format!("'--set {name}={value}' changes a program, and '{}' is a plan", file.display());
        let d = Diagnostic::placeless(codes::OVERRIDE, message).help("compile the program with it, and run that plan");
        return Err(d.into());
    }
    if let Some(name) = settings.no_pass.first() {
        let message =
            format!("'--no-pass {name}' changes how a program is compiled, and '{}' is a plan", file.display());
        let d = Diagnostic::placeless(codes::OVERRIDE, message).help("compile the program with it, and run that plan");
        return Err(d.into());
    }
    let mut plan = read_plan(file)?;
    plan.train.seed = settings.seed.unwrap_or(plan.train.seed);
    let base = data.map_or_else(|| plan.base.clone(), |d| base_of(file, Some(d)));
    let failed = |diagnostics| Failure { diagnostics, sources: SourceMap::new() };
    let mut compiled = reload(plan, &base).map_err(failed)?;
    let warnings = std::mem::take(&mut compiled.warnings);
    Ok(Loaded { compiled, sources: SourceMap::new(), warnings })
}
