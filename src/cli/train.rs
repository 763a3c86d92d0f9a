//! `mtlc compile`, `run`, `eval` and `predict`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{Compile, Emit, Eval, InputFormat, Predict, ProgramArgs, Run, Split};
use super::progress::Progress;
use super::{Ended, Failure, Voice, out, print_diagnostics};
use crate::data::{Corpus, Inputs, Stream};
use crate::diagnostics::{Diagnostic, codes};
use crate::driver::compile::{Compiled, base_of, compile as compile_model, not_run_yet, read_plan, reload};
use crate::driver::feed::CorpusFeed;
use crate::driver::run::{Folder, SavedSource, unwritable, write_whole};
use crate::driver::training::{self, Figures, RunOptions};
use crate::driver::{self, Settings, predict};
use crate::source::{Disk, SourceMap};
use crate::train::feed::Portion;

/// A program or plan with its data, and its texts.
struct Loaded {
    compiled: Compiled,
    sources: SourceMap,
}

fn load(file: &Path, args: &ProgramArgs, seed: Option<u64>, voice: Voice) -> Result<Loaded, Failure> {
    if file.extension().is_some_and(|e| e == "json") {
        let mut plan = read_plan(file)?;
        plan.train.seed = seed.unwrap_or(plan.train.seed);
        let base = args.data.as_deref().map_or_else(|| plan.base.clone(), |d| base_of(file, Some(d)));
        let compiled = reload(plan, &base).map_err(|d| Failure { diagnostics: d, sources: SourceMap::new() })?;
        return Ok(Loaded { compiled, sources: SourceMap::new() });
    }
    let settings = Settings::parse(&args.set)?;
    let checked = driver::check(file, &Disk, &settings);
    let Some(mut model) = checked.model else {
        return Err(Failure { diagnostics: checked.diagnostics, sources: checked.sources });
    };
    print_diagnostics(&checked.sources, &checked.diagnostics, voice);
    if let Some(d) = not_run_yet(&model) {
        return Err(Failure { diagnostics: vec![d], sources: checked.sources });
    }
    model.train.seed = seed.unwrap_or(model.train.seed);
    match compile_model(&model, &base_of(file, args.data.as_deref())) {
        Ok(compiled) => {
            print_diagnostics(&checked.sources, &compiled.warnings, voice);
            Ok(Loaded { compiled, sources: checked.sources })
        }
        Err(diagnostics) => Err(Failure { diagnostics, sources: checked.sources }),
    }
}

/// `mtlc compile`.
pub fn compile(args: &Compile, voice: Voice) -> Ended {
    if let Some(Emit::Ast) = args.emit {
        return emit_ast(&args.file);
    }
    if let Some(Emit::Types | Emit::Graph) = args.emit {
        return emit_model(args);
    }
    let loaded = load(&args.file, &args.program, None, voice)?;
    let compiled = &loaded.compiled;
    let plan = serde_json::to_string_pretty(&compiled.plan).unwrap_or_default();
    if let Some(path) = &args.output {
        write_whole(path, plan.as_bytes())?;
    }
    match args.emit {
        Some(Emit::Plan) => out(&(plan + "\n")),
        _ => {}
    }
    Ok(true)
}

fn emit_ast(file: &Path) -> Ended {
    let mut sources = SourceMap::new();
    let program = crate::sema::read(file, &Disk, &mut sources);
    if program.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure { diagnostics: program.diagnostics, sources });
    }
    let trees: Vec<_> = program.files.iter().map(|f| &f.ast).collect();
    out(&(serde_json::to_string_pretty(&trees).unwrap_or_default() + "\n"));
    Ok(true)
}

fn emit_model(args: &Compile) -> Ended {
    let checked = driver::check(&args.file, &Disk, &Settings::parse(&args.program.set)?);
    let Some(model) = checked.model else {
        return Err(Failure { diagnostics: checked.diagnostics, sources: checked.sources });
    };
    let text = match args.emit {
        Some(Emit::Types) => model.types_text(),
        _ => model.graph_text(),
    };
    out(&text);
    Ok(true)
}

/// `mtlc run`.
pub fn run(args: &Run, voice: Voice) -> Ended {
    let mut loaded = load(&args.file, &args.program, args.seed, voice)?;
    if let Some(device) = &args.device {
        loaded.compiled.plan.train.device = device.clone();
    }
    if let Some(epochs) = args.epochs {
        loaded.compiled.plan.train.stages.iter_mut().for_each(|s| s.epochs = epochs as usize);
    }
    let out_dir = args.out.clone().unwrap_or_else(|| training::default_out(&loaded.compiled.plan.name, args.resume));
    if !args.resume && out_dir.join("plan.json").exists() {
        let message = format!("there is a run at '{}' already", out_dir.display());
        let help = "go on with it by `--resume`, or choose another folder with `--out`";
        return Err(Diagnostic::placeless(codes::OUTPUT, message).help(help).into());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let handler = stop.clone();
    let _ = ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let options = RunOptions {
        out: out_dir.clone(),
        resume: args.resume,
        epochs: None,
        stop,
        checkpoint_seconds: checkpoint_seconds(),
    };
    let saved = training::saved_sources(&loaded.sources);
    let outcome = {
        let mut progress = Progress::new(&loaded.compiled.plan, &out_dir, args.resume, voice)?;
        train(&loaded, &saved, &mut progress, &options)?
    };
    print_figures(&outcome.figures, outcome.split);
    if !voice.quiet {
        eprintln!("the run is in {}", out_dir.display());
    }
    Ok(true)
}

/// Seconds between checkpoints, for tests that interrupt a run.
fn checkpoint_seconds() -> Option<f64> {
    std::env::var("MTLC_CHECKPOINT_SECONDS").ok().and_then(|v| v.parse().ok())
}

fn train(
    loaded: &Loaded,
    saved: &[SavedSource],
    progress: &mut Progress,
    options: &RunOptions,
) -> Result<training::Outcome, Failure> {
    let result = training::train(&loaded.compiled, saved, progress, options);
    progress.close();
    result.map_err(Failure::from)
}

/// A table of figures, a row a task.
fn print_figures(figures: &Figures, split: Portion) {
    let split = match split {
        Portion::Train => "train",
        Portion::Dev => "dev",
        Portion::Test => "test",
    };
    for (task, row) in figures {
        let cells: Vec<String> = row.iter().map(|(m, v)| format!("{m} {v:.4}")).collect();
        out(&format!("{split} {task}: {}\n", cells.join("  ")));
    }
}

/// `mtlc eval`.
pub fn eval(args: &Eval, _: Voice) -> Ended {
    let folder = Folder::new(&args.run);
    let split = match args.split {
        Split::Train => Portion::Train,
        Split::Dev => Portion::Dev,
        Split::Test => Portion::Test,
    };
    let figures = training::on_large_stack(|| {
        let program = folder.load()?;
        let base = args.data.as_deref().map_or_else(|| program.plan.base.clone(), |d| base_of(&args.run, Some(d)));
        let mut corpus = Corpus::load(&program.plan.datasets, &base, program.plan.train.seed, &program.lexicon)
            .map_err(|d| placed_nowhere(d.into_iter().next()))?;
        corpus.bind(&program.schema);
        let feed = CorpusFeed { corpus: &corpus, schema: &program.schema };
        Ok(training::measure(&program, &feed, split)?.0)
    })?;
    if figures.is_empty() {
        let message = format!("no data set of the run has a {} split with gold", args.split.word());
        return Err(Diagnostic::placeless(codes::DATA_EMPTY, message).help("choose another with `--split`").into());
    }
    if args.json {
        out(&(serde_json::to_string_pretty(&figures).unwrap_or_default() + "\n"));
    } else {
        print_figures(&figures, split);
    }
    Ok(true)
}

impl Split {
    fn word(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        }
    }
}

/// A diagnostic about a program whose text is not at hand.
fn placed_nowhere(d: Option<Diagnostic>) -> Diagnostic {
    let mut d = d.unwrap_or_else(|| Diagnostic::placeless(codes::DATA_FILE, "the data cannot be read"));
    d.span = None;
    d.labels.clear();
    d.fix = None;
    d
}

/// `mtlc predict`.
pub fn predict(args: &Predict, _: Voice) -> Ended {
    let folder = Folder::new(&args.run);
    let (stream, shown): (Stream, String) = match args.input.as_str() {
        "-" => (Box::new(BufReader::new(std::io::stdin())), "<stdin>".into()),
        path => match File::open(path) {
            Ok(file) => (Box::new(BufReader::new(file)), path.to_string()),
            Err(e) => return Err(Diagnostic::placeless(codes::INPUT, format!("cannot read '{path}': {e}")).into()),
        },
    };
    let inputs = match args.format {
        InputFormat::Text => Inputs::Lines,
        InputFormat::Jsonl => Inputs::Jsonl,
        InputFormat::Conll => Inputs::Conll,
    };
    training::on_large_stack(|| {
        let program = folder.load()?;
        let request = predict::Request { tasks: &args.tasks, inputs, shown: &shown, batch: args.batch as usize };
        let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
        let mut write = |line: &serde_json::Value| match writeln!(stdout, "{line}") {
            Ok(()) => Ok(()),
            // A reader that has seen enough is no mistake.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(unwritable(Path::new("<stdout>"), &e)),
        };
        predict::predict(&program, stream, &request, &mut write)?;
        match stdout.flush() {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(unwritable(Path::new("<stdout>"), &e)),
            _ => Ok(()),
        }
    })?;
    Ok(true)
}
