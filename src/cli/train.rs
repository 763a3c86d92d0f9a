//! `mtlc compile`, `run`, `eval` and `export`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::args::{Compile, Emit, Eval, Export, PassArgs, ProgramArgs, Run, Split};
use super::{Ended, Voice, out, print_diagnostics, say};
use crate::data::{Corpus, LoadOptions};
use crate::diagnostics::{Diagnostic, codes};
use crate::driver::compile::{Compiled, base_of, sealed};
use crate::driver::encoders::Hub;
use crate::driver::feed::CorpusFeed;
use crate::driver::run::Folder;
use crate::driver::training::{self, RunOptions};
use crate::driver::{self, Failure, Loaded, Settings};
use crate::report::html::Report;
use crate::report::picture::{self, Graph};
use crate::report::results::write_whole;
use crate::report::run_dir::unwritable;
use crate::report::terminal::{self, Level, Look};
use crate::report::watch::Test;
use crate::report::{
    Confusion, Environment, Figure, MetricsLog, Results, RunDir, TensorBoard, Terminal, Watchers, metrics_log, summary,
};
use crate::sema::model::Model;
use crate::source::{Disk, SourceMap};
use crate::train::feed::{Feed, Portion};
use crate::train::metrics::confusion;

/// Loads a program or plan, and prints what is to be said about it.
fn load(
    file: &Path,
    args: &ProgramArgs,
    passes: &PassArgs,
    seed: Option<u64>,
    voice: Voice,
) -> Result<Loaded, Failure> {
    let hub = if args.offline { Hub::Offline } else { Hub::Online };
    let settings = Settings { seed, no_pass: passes.no_pass.clone(), hub, ..Settings::parse(&args.set)? };
    let loaded = driver::load(file, &Disk, &settings, args.data.as_deref())?;
    print_diagnostics(&loaded.sources, &loaded.warnings, voice);
    Ok(loaded)
}

/// `mtlc compile`: the summary, and the plan where it is to be written; or what is to be emitted.
pub fn compile(args: &Compile, voice: Voice) -> Ended {
    let Some(emit) = args.emit else { return summarise(args, voice) };
    let text = emitted(emit, args, voice)?;
    match &args.output {
        Some(path) => write_whole(path, text.as_bytes()).map_err(|e| unwritable(path, &e))?,
        None => out(&text),
    }
    Ok(true)
}

fn summarise(args: &Compile, voice: Voice) -> Ended {
    let compiled = load(&args.file, &args.program, &args.passes, None, voice)?.compiled;
    if let Some(path) = &args.output {
        write_whole(path, plan_text(&compiled.plan)?.as_bytes()).map_err(|e| unwritable(path, &e))?;
    }
    out(&summary::summary(&compiled.plan, &loads(&compiled)));
    Ok(true)
}

/// What a phase gives, as text.
fn emitted(emit: Emit, args: &Compile, voice: Voice) -> Result<String, Failure> {
    let plan = || load(&args.file, &args.program, &args.passes, None, voice).map(|l| l.compiled.plan);
    let graph = || plan().map(|p| Graph::of(&p));
    Ok(match emit {
        Emit::Ast => tree(&args.file)?,
        Emit::Types => model(args)?.types_text(),
        Emit::Graph => model(args)?.graph_text(),
        Emit::Plan => plan_text(&plan()?)?,
        Emit::Dot => picture::dot(&graph()?),
        Emit::Mermaid => picture::mermaid(&graph()?),
        Emit::Svg => picture::svg(&graph()?),
    })
}

fn plan_text(plan: &crate::plan::Plan) -> Result<String, Diagnostic> {
    sealed(plan).map_err(|e| Diagnostic::placeless(codes::BUG, format!("a plan that cannot be written: {e}")))
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
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
        let longest = f64::from(lengths.iter().copied().max().unwrap_or(0));
        let examples = lengths.len() as f64 / each;
        summary::Load { batches, examples, tokens: tokens / each, pairs: examples * longest * longest }
    };
    (0..compiled.plan.datasets.len()).map(load).collect()
}

fn tree(file: &Path) -> Result<String, Failure> {
    let mut sources = SourceMap::new();
    let program = crate::sema::read(file, &Disk, &mut sources);
    if program.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure { diagnostics: program.diagnostics, sources });
    }
    Ok(json(&program.files.iter().map(|f| &f.ast).collect::<Vec<_>>()))
}

fn model(args: &Compile) -> Result<Model, Failure> {
    let settings = Settings { data: args.program.data.clone(), ..Settings::parse(&args.program.set)? };
    let checked = driver::check(&args.file, &Disk, &settings);
    let failure = Failure { diagnostics: checked.diagnostics, sources: checked.sources };
    checked.model.ok_or(failure)
}

/// `mtlc run`.
pub fn run(args: &Run, voice: Voice) -> Ended {
    let mut loaded = load(&args.file, &args.program, &args.passes, args.seed, voice)?;
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
    let mut options = RunOptions::new(dir.clone());
    (options.resume, options.stop, options.checkpoint_seconds) = (args.resume, stop, checkpoint_seconds());
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
    args.passes.no_pass.iter().for_each(|pass| flag("no-pass", Some(pass.clone())));
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
        // Texts are cut as in training, whatever the data is now.
        let options = LoadOptions {
            vocabs: &program.plan.vocabs,
            known: &program.schema.tokenizers,
            ..LoadOptions::new(&base, program.plan.train.seed)
        };
        let mut corpus = Corpus::load_with(&program.plan.datasets, options, &program.lexicon)
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

/// `mtlc export`.
pub fn export(args: &Export, voice: Voice) -> Ended {
    let layer = driver::export::encoder(&args.run, args.layer.as_deref(), &args.out)?;
    if !voice.quiet {
        say(&format!("the encoder of '{layer}' is in `{}`\n", args.out.display()));
    }
    Ok(true)
}
