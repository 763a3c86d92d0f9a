//! A compiled program to a run: train, select, test, write everything down.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candle_core::Device;

use super::compile::Compiled;
use super::encoders;
use super::feed::CorpusFeed;
use super::run::Folder;
use crate::backend::{exec::Program, params};
use crate::data::ahead::no_thread;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;
use crate::report::run_dir::unwritable;
use crate::report::{Figure, Results, RunDir};
use crate::source::SourceMap;
use crate::train::events::Events;
use crate::train::feed::{Feed, Portion};
use crate::train::looping::{self, Options, Trained};
use crate::train::metrics::figure::{Judge, Verdicts};

/// Stack of a thread that trains: Candle's backward pass recurses through the graph.
const STACK: usize = 512 << 20;

/// How a run is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run's folder.
    pub out: RunDir,
    /// Go on where it stopped.
    pub resume: bool,
    /// Epochs of each stage, instead of the program's.
    pub epochs: Option<usize>,
    /// Set from elsewhere to end the run with a checkpoint.
    pub stop: Arc<AtomicBool>,
    /// Seconds between checkpoints within an epoch.
    pub checkpoint_seconds: Option<f64>,
}

impl RunOptions {
    /// A whole run, as the program says, into this folder.
    pub fn new(out: RunDir) -> Self {
        Self { out, resume: false, epochs: None, stop: Arc::default(), checkpoint_seconds: None }
    }
}

/// What a run ends with.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the loop did.
    pub trained: Trained,
    /// Figures on test, or on dev where nothing has a test split.
    pub figures: Vec<Figure>,
    /// Which split the figures are of.
    pub split: Portion,
    /// Everything that was predicted there.
    pub verdicts: Verdicts,
}

/// The device that a plan asks for.
pub fn device(name: &str) -> Result<Device, Diagnostic> {
    let failed = |what: &str, e: candle_core::Error| {
        Diagnostic::placeless(codes::DEVICE, format!("cannot use the device '{what}': {e}")).help(
            if cfg!(any(feature = "cuda", feature = "metal")) {
                "`device: cpu` works everywhere"
            } else {
                "this build computes on the CPU; build with `--features cuda` or `--features metal` for others"
            },
        )
    };
    match name {
        // A build for other devices also runs where there is none.
        "auto" => Ok(Device::new_cuda(0).or_else(|_| Device::new_metal(0)).unwrap_or(Device::Cpu)),
        "cpu" => Ok(Device::Cpu),
        "metal" => Device::new_metal(0).map_err(|e| failed(name, e)),
        _ => match name.strip_prefix("cuda").map(|n| n.trim_start_matches(':')) {
            Some("") => Device::new_cuda(0).map_err(|e| failed(name, e)),
            Some(n) if n.parse::<usize>().is_ok() => {
                Device::new_cuda(n.parse().unwrap_or_default()).map_err(|e| failed(name, e))
            }
            _ => Err(Diagnostic::placeless(codes::DEVICE, format!("there is no device '{name}'"))
                .help("devices are `auto`, `cpu`, `cuda:0` and `metal`")),
        },
    }
}

/// All numbers are f32 so far; another wish is not passed over in silence.
fn precision(asked: &str) -> Result<(), Diagnostic> {
    if asked == "f32" {
        return Ok(());
    }
    let message = format!("this build computes in f32 and not in {asked}");
    Err(Diagnostic::placeless(codes::DEVICE, message).help("leave `precision` out"))
}

/// The program of a plan, with fresh parameters.
pub fn program(compiled: &Compiled) -> Result<Program, Diagnostic> {
    precision(&compiled.plan.train.precision)?;
    let device = device(&compiled.plan.train.device)?;
    let plan = compiled.plan.clone();
    let made = encoders::begun(&plan, |published| {
        params::make(&plan, &compiled.vectors, published, plan.train.seed, &device)
    })?;
    let program = Program::new(plan, made, compiled.schema.clone(), compiled.lexicon.clone(), device);
    let program = program.with_pieces(compiled.pieces.clone());
    for run in &program.plan.runs {
        let load = || Folder::open(&run.folder)?.weights(&program, Some(run));
        load().map_err(|d| super::brought::at(run, d))?;
    }
    Ok(program)
}

/// Trains a compiled program and writes the run.
pub fn train(
    compiled: &Compiled,
    sources: &SourceMap,
    events: &mut (dyn Events + Send),
    options: &RunOptions,
) -> Result<Outcome, Diagnostic> {
    let folder = Folder::new(options.out.clone());
    if options.resume {
        folder.go_on(compiled, sources)?;
    } else {
        folder.begin(compiled, sources)?;
    }
    on_large_stack(|| {
        let mut program = program(compiled)?;
        let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
        let plan = compiled.plan.clone();
        let mut loop_options = Options::new(options.out.root());
        loop_options.resume = options.resume;
        loop_options.epochs = options.epochs;
        loop_options.stop = options.stop.clone();
        if let Some(seconds) = options.checkpoint_seconds {
            loop_options.every.seconds = Some(seconds);
        }
        let trained = looping::train(&plan, &mut program, &feed, events, &loop_options)?;
        folder.save_model(&program)?;
        let split = if any(&plan, &feed, Portion::Test) { Portion::Test } else { Portion::Dev };
        let (figures, verdicts) = measure(&program, &feed, split)?;
        let results = options.out.results();
        Results::of(&figures).write(&results).map_err(|e| unwritable(&results, &e))?;
        Ok(Outcome { trained, figures, split, verdicts })
    })
}

fn any<F: Feed>(plan: &Plan, feed: &F, portion: Portion) -> bool {
    (0..plan.datasets.len()).any(|d| feed.size(d, portion) > 0)
}

/// Runs `f` on a thread whose stack is large enough for deep graphs: one of those that share the
/// work, so that handing out work wakes only the others.
pub fn on_large_stack<T: Send>(f: impl FnOnce() -> Result<T, Diagnostic> + Send) -> Result<T, Diagnostic> {
    let threads = rayon::ThreadPoolBuilder::new().thread_name(|_| "mtlc".into()).stack_size(STACK).build();
    match threads {
        Ok(threads) => threads.install(f),
        Err(e) => Err(no_thread(&e)),
    }
}

/// Every figure of a program on a split.
pub fn measure(
    program: &Program,
    feed: &CorpusFeed<'_>,
    portion: Portion,
) -> Result<(Vec<Figure>, Verdicts), Diagnostic> {
    let plan = &program.plan;
    let batch = plan.train.stages[0].batch;
    let tasks: Vec<usize> = (0..plan.tasks.len()).collect();
    let has_gold = |task: usize, data| program.on(task, data).is_some_and(|on| on.gold.is_some());
    let tasks_on = |data| tasks.iter().copied().filter(|task| has_gold(*task, data)).collect();
    let verdicts = looping::evaluate(program, feed, portion, batch, tasks_on, 0..plan.datasets.len())?;
    let labels: Vec<Vec<String>> = (0..plan.spaces.len()).map(|s| feed.labels(s)).collect();
    let judge = Judge { plan, labels: &labels, verdicts: &verdicts };
    let figures = judge.everything(&tasks).iter().map(Figure::from).collect();
    Ok((figures, verdicts))
}

/// A tensor operation that failed though the program checks.
pub fn broken(e: &candle_core::Error) -> Diagnostic {
    Diagnostic::placeless(codes::BUG, format!("a tensor operation failed: {e}"))
        .help("this is a mistake in mtlc; please report it with the program that shows it")
}
