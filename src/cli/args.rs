//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plan::passes::PASSES;

/// A compiler for multi-task models.
#[derive(Debug, Parser)]
#[command(name = "mtlc", version, about, long_about = LONG, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// Say less: only results and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to colour the output; `NO_COLOR` is honoured.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const LONG: &str = "A compiler for multi-task models: a `.mtl` file says what a model is, and mtlc checks every \
connection, lowers it into a computation graph and trains it.";

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a starter project that trains as it stands.
    #[command(after_help = "Example: mtlc new demo && cd demo && mtlc run demo.mtl")]
    New(New),
    /// Reports everything that is wrong with programs; the exit code tells.
    #[command(after_help = "Example: mtlc check model.mtl --no-data --format json")]
    Check(Check),
    /// Lays programs out in the house style, around what does not parse.
    #[command(after_help = "Example: mtlc fmt --check models")]
    Fmt(Fmt),
    /// Compiles a program to a plan, and says what it costs.
    #[command(after_help = "Example: mtlc compile model.mtl --emit svg -o model.svg")]
    Compile(Compile),
    /// Trains a program or plan, selects the best epoch, tests it and writes the run.
    #[command(after_help = "Example: mtlc run model.mtl --set width=128 --epochs 5 --out runs/small")]
    Run(Run),
    /// Measures a saved run again.
    #[command(after_help = "Example: mtlc eval runs/slu --split dev")]
    Eval(Eval),
    /// Predicts with a saved run, line by line, in input order.
    #[command(after_help = "Example: echo 'wake me at seven' | mtlc predict runs/slu -")]
    Predict(Predict),
    /// Writes texts with a saved run: one text a line in, one a line out, in input order.
    #[command(after_help = "Example: echo 'two dogs play' | mtlc generate runs/translate - --beam 5")]
    Generate(Generate),
    /// Writes a pretrained encoder of a saved run as it was published: configuration, tokenizer, weights.
    #[command(after_help = "Example: mtlc export runs/slu encoder")]
    Export(Export),
    /// Serves an editor over the standard streams, by the Language Server Protocol.
    #[command(after_help = "Example: an editor starts it; docs/editors.md says how")]
    Lsp {
        /// Accepted for editors that say so: there is no other way.
        #[arg(long)]
        stdio: bool,
    },
    /// Explains a diagnostic.
    #[command(after_help = "Example: mtlc explain E0201")]
    Explain(Explain),
    /// Prints the reference pages of the language, made from the table of operations.
    #[command(hide = true)]
    Reference,
    /// Prints a script that completes mtlc's arguments in a shell.
    #[command(after_help = "Example: mtlc completions bash > /etc/bash_completion.d/mtlc")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// `mtlc new`.
#[derive(Debug, Args)]
pub struct New {
    /// Name of the project and of its folder.
    pub name: String,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Format {
    #[default]
    Human,
    Short,
    Json,
    Sarif,
}

/// `mtlc check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Programs.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Do not read data: label spaces stay symbols.
    #[arg(long)]
    pub no_data: bool,
    /// How to print diagnostics.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// What is common.
    #[command(flatten)]
    pub program: ProgramArgs,
}

/// `mtlc fmt`.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Programs, folders of programs, or `-` for the standard input.
    #[arg(required_unless_present = "stdin")]
    pub files: Vec<PathBuf>,
    /// Changes nothing: prints what would change, and exits with 1 if anything would.
    #[arg(long)]
    pub check: bool,
    /// Reads a program from the standard input and prints it laid out.
    #[arg(long, conflicts_with = "files")]
    pub stdin: bool,
}

/// What `check`, `compile` and `run` have in common.
#[derive(Debug, Default, Args)]
pub struct ProgramArgs {
    /// Overrides a const: `--set width=128`.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Folder that data paths are relative to; the program's own when left out.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Fetches nothing from the hub: pretrained encoders come from folders and the cache. `HF_HUB_OFFLINE` says the same.
    #[arg(long)]
    pub offline: bool,
}

/// What `compile` and `run` leave out on the way to a plan.
#[derive(Debug, Default, Args)]
pub struct PassArgs {
    /// Leaves out a pass over the plan.
    #[arg(long, value_name = "NAME", value_parser = pass_names())]
    pub no_pass: Vec<String>,
}

/// The names of passes, each with what it does.
fn pass_names() -> PossibleValuesParser {
    PASSES.iter().map(|pass| PossibleValue::new(pass.name).help(pass.doc)).into()
}

/// What `compile --emit` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Emit {
    Ast,
    Types,
    Graph,
    Plan,
    Dot,
    Svg,
    Mermaid,
}

/// `mtlc compile`.
#[derive(Debug, Args)]
pub struct Compile {
    /// The program.
    pub file: PathBuf,
    /// Where the plan, or what is emitted, is written.
    #[arg(short, long, value_name = "PLAN")]
    pub output: Option<PathBuf>,
    /// Gives a phase's result, or a picture, instead of the summary.
    #[arg(long, value_enum)]
    pub emit: Option<Emit>,
    /// Passes.
    #[command(flatten)]
    pub passes: PassArgs,
    /// What is common.
    #[command(flatten)]
    pub program: ProgramArgs,
}

/// `mtlc run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The program, or a plan that `compile` wrote.
    pub file: PathBuf,
    /// Where to compute: `auto`, `cpu`, `cuda:0` or `metal`.
    #[arg(long)]
    pub device: Option<String>,
    /// Folder of the run; `runs/NAME` when left out.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Goes on where an interrupted run stopped.
    #[arg(long)]
    pub resume: bool,
    /// Epochs of each stage, instead of the program's.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: Option<u64>,
    /// Seed, instead of the program's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Passes.
    #[command(flatten)]
    pub passes: PassArgs,
    /// What is common.
    #[command(flatten)]
    pub program: ProgramArgs,
}

/// Parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Split {
    Train,
    Dev,
    Test,
}

/// `mtlc eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// Folder of the run.
    pub run: PathBuf,
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Split::Test)]
    pub split: Split,
    /// Folder that data paths are relative to.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}

/// How the input of predictions is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum InputFormat {
    /// One text a line.
    Text,
    /// One JSON object a line, with the data set's keys.
    Jsonl,
    /// Columns, a blank line between examples.
    Conll,
}

/// `mtlc predict`.
#[derive(Debug, Args)]
pub struct Predict {
    /// Folder of the run.
    pub run: PathBuf,
    /// What to read; `-` is the standard input.
    #[arg(default_value = "-")]
    pub input: String,
    /// How the input is written.
    #[arg(long, value_enum, default_value_t = InputFormat::Text)]
    pub format: InputFormat,
    /// Only these tasks, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub tasks: Vec<String>,
    /// Examples computed at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: u64,
}

/// `mtlc generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// Folder of the run.
    pub run: PathBuf,
    /// What to read; `-` is the standard input.
    #[arg(default_value = "-")]
    pub input: String,
    /// How the input is written.
    #[arg(long, value_enum, default_value_t = InputFormat::Text)]
    pub format: InputFormat,
    /// The task that writes, where several do.
    #[arg(long)]
    pub task: Option<String>,
    /// Examples computed at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: u64,
    /// Looks for the likeliest text with that many hypotheses, instead of the program's number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub beam: Option<u64>,
    /// How much longer texts are preferred, instead of the program's.
    #[arg(long, value_name = "ALPHA", value_parser = at_least_nothing)]
    pub length_penalty: Option<f64>,
    /// Words or pieces of a text at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_length: Option<u64>,
    /// Draws texts instead of looking for the likeliest.
    #[arg(long, conflicts_with_all = ["beam", "length_penalty"])]
    pub sample: bool,
    /// Divides logits by this; below 1 the likely becomes likelier.
    #[arg(long, value_name = "T", requires = "sample", value_parser = above_nothing)]
    pub temperature: Option<f64>,
    /// Draws from that many of the likeliest words.
    #[arg(long, value_name = "K", requires = "sample", value_parser = clap::value_parser!(u64).range(1..))]
    pub top_k: Option<u64>,
    /// Draws from the likeliest words that together have this probability.
    #[arg(long, value_name = "P", requires = "sample", value_parser = share)]
    pub top_p: Option<f64>,
    /// Other draws for another number.
    #[arg(long, value_name = "N", requires = "sample")]
    pub seed: Option<u64>,
}

/// A number that is not negative.
fn at_least_nothing(text: &str) -> Result<f64, String> {
    number(text, |n| n >= 0.0, "a number that is not negative")
}

/// A number above 0.
fn above_nothing(text: &str) -> Result<f64, String> {
    number(text, |n| n > 0.0, "a number above 0")
}

/// A number above 0, at most 1.
fn share(text: &str) -> Result<f64, String> {
    number(text, |n| n > 0.0 && n <= 1.0, "a number above 0, at most 1")
}

fn number(text: &str, fits: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
    let read = text.parse::<f64>().ok().filter(|n| n.is_finite() && fits(*n));
    read.ok_or_else(|| format!("it is {what}"))
}

/// `mtlc export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Folder of the run.
    pub run: PathBuf,
    /// The folder that is written.
    pub out: PathBuf,
    /// The layer whose encoder it is, where there are several.
    #[arg(long)]
    pub layer: Option<String>,
}

/// `mtlc explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A code such as `E0201`.
    pub code: String,
}
