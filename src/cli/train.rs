//! `mtlc compile`, `run`, `eval` and `predict`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::args::{Compile, Emit, Eval, InputFormat, Predict, ProgramArgs, Run, Split};
use super::{Ended, Failure, Voice, out, print_diagnostics, say};
use crate::data::{Corpus, Inputs, Stream};
use crate::diagnostics::{Diagnostic, codes};
use crate::driver::compile::{Compiled, base_of, compile as compile_model, not_run_yet, read_plan, reload, sealed};
use crate::driver::feed::CorpusFeed;
use crate::driver::run::Folder;
use crate::driver::training::{self, RunOptions};
use crate::driver::{self, Settings, predict};
use crate::report::html::Report;
use crate::report::picture::{self, Graph};
use crate::report::results::write_whole;
use crate::report::run_dir::unwritable;
use crate::report::terminal::{self, Level, Look};
use crate::report::watch::Test;
use crate::report::{
    Confusion, Environment, Figure, MetricsLog, Results, RunDir, TensorBoard, Terminal, Watchers, metrics_log, summary,
};
use crate::source::{Disk, SourceMap};
use crate::train::feed::{Feed, Portion};
use crate::train::metrics::confusion;

/// A program or plan with its data, and its texts.
struct Loaded {
    compiled: Compiled,
    sources: SourceMap,
}

fn load(file: &Path, args: &ProgramArgs, seed: Option<u64>, voice: Voice) -> Result<Loaded, Failure> {
    if file.extension().is_some_and(|e| e == "json") {
        if let Some(set) = args.set.first() {
            let message = format!("'--set {set}' changes a program, and '{}' is a plan", file.display());
            return Err(Diagnostic::placeless(codes::OVERRIDE, message)
                .help("compile the program with it, and run that plan")
                .into());
        }
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
    let plan = sealed(&compiled.plan)
        .map_err(|e| Diagnostic::placeless(codes::BUG, format!("a plan that cannot be written: {e}")))?;
    if let Some(path) = &args.output {
        write_whole(path, plan.as_bytes()).map_err(|e| unwritable(path, &e))?;
    }
    let graph = || Graph::of(&compiled.plan);
    match args.emit {
        Some(Emit::Plan) => out(&plan),
        Some(Emit::Dot) => out(&picture::dot(&graph())),
        Some(Emit::Mermaid) => out(&picture::mermaid(&graph())),
        Some(Emit::Svg) => out(&picture::svg(&graph())),
        _ => out(&summary::summary(&compiled.plan, &loads(compiled))),
    }
    Ok(true)
}

/// How much of each data set a batch has.
fn loads(compiled: &Compiled) -> Vec<summary::Load> {
    let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
    let stage = &compiled.plan.train.stages[0];
    let load = |data: usize| {
        let lengths = compiled.corpus.datasets[data].lengths(crate::data::Portion::Train);
        let batches = feed.plan_epoch(data, stage.batch, compiled.plan.train.seed, 0).len();
        let each = batches.max(1) as f64;
        let tokens = lengths.iter().map(|l| f64::from(*l)).sum::<f64>();
        summary::Load { batches, examples: lengths.len() as f64 / each, tokens: tokens / each }
    };
    (0..compiled.plan.datasets.len()).map(load).collect()
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
    let plan = &loaded.compiled.plan;
    if plan.tasks.is_empty() && plan.losses.is_empty() {
        let message = format!("'{}' has nothing to train: no task and no loss", args.file.display());
        return Err(Diagnostic::placeless(codes::TRAIN, message).help("declare a `task`").into());
    }
    training::device(&plan.train.device)?;
    let dir = run_dir(args, &loaded.compiled.plan.name)?;
    let stop = Arc::new(AtomicBool::new(false));
    let handler = stop.clone();
    let _ = ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let options = RunOptions {
        out: dir.clone(),
        resume: args.resume,
        epochs: None,
        stop,
        checkpoint_seconds: checkpoint_seconds(),
    };
    let begun = Instant::now();
    let mut watchers = watchers(&dir, voice);
    let outcome = training::train(&loaded.compiled, &loaded.sources, &mut watchers, &options);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(d) => {
            let diagnostics = vec![how_to_resume(d, args, &dir)];
            return Err(Failure { diagnostics, sources: loaded.sources });
        }
    };
    watchers.test(&Test { figures: outcome.figures.clone(), ..Test::default() });
    let trouble = watchers.trouble.take().filter(|(path, _)| path != Path::new(STDERR));
    drop(watchers);
    let report = write_report(&loaded, &outcome, &dir, begun.elapsed().as_secs_f64());
    print_figures(&outcome.figures, outcome.split);
    // The model is trained and saved by now; what is missing beside it is said, once.
    if let Some((path, e)) = trouble {
        return Err(how_to_resume(unwritable(&path, &e), args, &dir).into());
    }
    report.map_err(|d| how_to_resume(d, args, &dir))?;
    if !voice.quiet {
        say(&format!("the run is in {}; its report is {}\n", dir.root().display(), dir.report().display()));
    }
    Ok(true)
}

/// The run's folder: a new one, or with `--resume` the one that is there.
fn run_dir(args: &Run, name: &str) -> Result<RunDir, Diagnostic> {
    if !args.resume {
        return RunDir::create(name, args.out.as_deref());
    }
    match &args.out {
        Some(out) => RunDir::resume(out),
        None => RunDir::resume(&newest(name)),
    }
}

/// The newest of `runs/NAME`, `runs/NAME-2`, ….
fn newest(name: &str) -> PathBuf {
    let runs = Path::new(crate::report::run_dir::RUNS);
    let numbered = (2..).map(|n| runs.join(format!("{name}-{n}"))).take_while(|p| p.exists());
    numbered.last().unwrap_or_else(|| runs.join(name))
}

/// A run that was interrupted, or for which there is no room, says which command goes on with it.
fn how_to_resume(d: Diagnostic, args: &Run, dir: &RunDir) -> Diagnostic {
    let command = resuming(args, dir);
    match d.code {
        codes::INTERRUPTED => d.help(format!("a checkpoint was written; go on with `{command}`")),
        codes::OUTPUT => d.help(format!("make room; what was written before is whole, go on with `{command}`")),
        _ => d,
    }
}

/// The command that goes on with a run, in the words of a shell.
fn resuming(args: &Run, dir: &RunDir) -> String {
    let mut words = vec!["mtlc".to_string(), "run".into(), args.file.display().to_string()];
    let mut flag = |name: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
    };
    args.program.set.iter().for_each(|set| flag("set", Some(set.clone())));
    flag("data", args.program.data.as_ref().map(|data| data.display().to_string()));
    flag("epochs", args.epochs.map(|epochs| epochs.to_string()));
    flag("seed", args.seed.map(|seed| seed.to_string()));
    flag("device", args.device.clone());
    flag("out", Some(dir.root().display().to_string()));
    words.push("--resume".into());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How the error stream is named; a run does not fail because nobody can see its progress.
const STDERR: &str = "<stderr>";

/// Whoever follows a run: the terminal, the log, TensorBoard.
fn watchers(dir: &RunDir, voice: Voice) -> Watchers {
    let level = match (voice.quiet, voice.verbose) {
        (true, _) => Level::Quiet,
        (_, true) => Level::Verbose,
        _ => Level::Normal,
    };
    let look = Look { color: voice.color, ..Look::stderr(level) };
    let mut watchers = Watchers::new();
    watchers.add(STDERR, Terminal::new(look, std::io::stderr()));
    watchers.add(dir.metrics(), MetricsLog::new(dir.metrics()));
    watchers.add(dir.tensorboard(), TensorBoard::new(dir.tensorboard()));
    watchers
}

/// Writes `report.html` and what it knows of the machine.
fn write_report(loaded: &Loaded, outcome: &training::Outcome, dir: &RunDir, seconds: f64) -> Result<(), Diagnostic> {
    let plan = &loaded.compiled.plan;
    let environment =
        Environment::capture(&plan.train.device, &plan.train.precision, plan.train.seed, rayon::current_num_threads());
    environment.write(&dir.environment()).map_err(|e| unwritable(&dir.environment(), &e))?;
    let mut report = Report::of(plan).with_sources(&loaded.sources);
    report.lines = metrics_log::read(&dir.metrics()).unwrap_or_default();
    report.test = outcome.figures.clone();
    report.environment = environment;
    report.seconds = Some(seconds);
    report.confusions = confusions(loaded, outcome).into_iter().map(|c| c.over(&report.lines)).collect();
    report.write(&dir.report()).map_err(|e| unwritable(&dir.report(), &e))
}

fn confusions(loaded: &Loaded, outcome: &training::Outcome) -> Vec<Confusion> {
    let matrix = |(i, task): (usize, &crate::plan::TaskPlan)| {
        let labels = &loaded.compiled.schema.spaces.get(task.space?)?.labels;
        let items = outcome.verdicts.items(i);
        let fits = matches!(task.kind.as_str(), "classify" | "tag") && !items.is_empty();
        fits.then(|| Confusion::of(&task.name, labels, &confusion::confusion(&items, labels.len())))
    };
    loaded.compiled.plan.tasks.iter().enumerate().filter_map(matrix).collect()
}

/// Seconds between checkpoints, for tests that interrupt a run.
fn checkpoint_seconds() -> Option<f64> {
    std::env::var("MTLC_CHECKPOINT_SECONDS").ok().and_then(|v| v.parse().ok())
}

/// A table of figures.
fn print_figures(figures: &[Figure], split: Portion) {
    let split = match split {
        Portion::Train => "train",
        Portion::Dev => "dev",
        Portion::Test => "test",
    };
    out(&terminal::figures_table(figures, split));
}

/// `mtlc eval`.
pub fn eval(args: &Eval, _: Voice) -> Ended {
    let folder = Folder::open(&args.run)?;
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
        out(&format!("{:#}\n", Results::of(&figures).to_json()));
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
    let folder = Folder::open(&args.run)?;
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
