//! `mtlc check`.

use serde_json::Value;

use super::args::{Check, Format};
use super::{Ended, Voice, out, print_diagnostics, say};
use crate::diagnostics::{Diagnostic, render};
use crate::driver::encoders::Hub;
use crate::driver::{self, Failure, Settings};
use crate::source::{Disk, SourceMap};

/// Checks programs and prints what is wrong.
pub fn run(args: &Check, voice: Voice) -> Ended {
    let hub = match (args.no_data, args.program.offline) {
        (true, _) => Hub::Later,
        (_, true) => Hub::Offline,
        _ => Hub::Online,
    };
    let settings = Settings::parse(&args.program.set).map_err(Failure::from)?;
    let settings = Settings { data: args.program.data.clone(), hub, ..settings };
    let mut ok = true;
    let mut printed: Vec<Vec<Value>> = Vec::new();
    for file in &args.files {
        let mut checked = driver::check(file, &Disk, &settings);
        #[cfg(feature = "train")]
        if !args.no_data && !checked.failed() {
            read_data(&mut checked, file, args.program.data.as_deref());
        }
        if voice.verbose {
            let notes = std::mem::take(&mut checked.notes);
            checked.add(notes);
        }
        ok &= !checked.failed();
        match args.format {
            Format::Human => print_human(&checked.sources, &checked.diagnostics, file, voice),
            Format::Short => out(&render::short(&checked.sources, &checked.diagnostics)),
            Format::Json => printed.extend(render::json(&checked.sources, &checked.diagnostics).as_array().cloned()),
            Format::Sarif => printed.push(vec![render::sarif(&checked.sources, &checked.diagnostics)]),
        }
        // The process ends soon: taking the tree and graph of a long program apart is lost time.
        std::mem::forget(checked);
    }
    match args.format {
        Format::Json => out(&format!("{:#}\n", Value::Array(printed.concat()))),
        Format::Sarif => out(&format!("{:#}\n", one_log(printed.concat()))),
        _ => {}
    }
    Ok(ok)
}

/// One SARIF log with the runs of all files.
fn one_log(logs: Vec<Value>) -> Value {
    let mut logs = logs.into_iter();
    let Some(mut first) = logs.next() else { return Value::Null };
    for mut log in logs {
        if let (Some(runs), Some(more)) = (first["runs"].as_array_mut(), log["runs"].as_array_mut()) {
            runs.append(more);
        }
    }
    first
}

fn print_human(sources: &SourceMap, diagnostics: &[Diagnostic], file: &std::path::Path, voice: Voice) {
    print_diagnostics(sources, diagnostics, voice);
    if voice.quiet {
        return;
    }
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let file = file.display();
    match (errors, warnings) {
        (0, 0) => say(&format!("{file}: no mistakes\n")),
        (0, w) => say(&format!("{file}: {}\n", count(w, "warning"))),
        (e, 0) => say(&format!("{file}: {}\n", count(e, "error"))),
        (e, w) => say(&format!("{file}: {}, {}\n", count(e, "error"), count(w, "warning"))),
    }
}

/// Reads the data of a program without mistakes, and adds what is wrong with it.
#[cfg(feature = "train")]
fn read_data(checked: &mut driver::Checked, file: &std::path::Path, data: Option<&std::path::Path>) {
    let Some(model) = &checked.model else { return };
    if driver::compile::not_run_yet(model).is_some() {
        return;
    }
    match driver::compile(model, &driver::compile::base_of(file, data)) {
        Ok(compiled) => checked.add(compiled.warnings),
        Err(errors) => checked.add(errors),
    }
}
