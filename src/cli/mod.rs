//! The command line: the only room beside the language server that prints and exits.

pub mod args;
mod check;
mod explain;
mod fmt;
mod new;
#[cfg(feature = "train")]
mod predict;
#[cfg(feature = "train")]
mod train;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::diagnostics::{Diagnostic, codes, render};
use crate::driver::Failure;
use crate::driver::failure::placed_in;
use crate::source::SourceMap;
use args::{Cli, Color, Command};

/// How much is said, and whether in colour.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Only results and errors.
    pub quiet: bool,
    /// More than usual.
    pub verbose: bool,
    /// Whether the error stream takes colour.
    pub color: bool,
}

/// What a command ends with: whether all was well.
pub type Ended = Result<bool, Failure>;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    prepare_process();
    std::panic::set_hook(Box::new(report_panic));
    let cli = Cli::parse();
    let color = match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal(),
    };
    let voice = Voice { quiet: cli.quiet, verbose: cli.verbose > 0, color };
    match std::panic::catch_unwind(|| run(cli.command, voice)) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(failure)) => {
            print_diagnostics(&failure.sources, &failure.diagnostics, voice);
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// Settings of the process that libraries read once, before any thread is there; for programs of
/// one's own that train.
pub fn prepare_process() {
    // SAFETY: no other thread runs yet.
    unsafe {
        // A user sees messages, never backtraces.
        std::env::remove_var("RUST_BACKTRACE");
        std::env::remove_var("RUST_LIB_BACKTRACE");
        // Candle's own pool of threads spins and fights with rayon's.
        std::env::set_var("CANDLE_NUM_THREADS", "1");
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    prepare_heap();
    #[cfg(unix)]
    // SAFETY: a limit on the size of files is an error to report, not a reason to be killed.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Bytes that the heap begins with; untouched, they cost nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAP: usize = 64 << 20;

/// Large vectors are kept instead of being mapped and unmapped each time, and for all threads in one
/// heap: what one of them frees another can have. It begins in pages of 2 MiB, where the system has
/// them: thousands of page faults would cost more than
/// checking a program.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn prepare_heap() {
    const HUGE: usize = 2 << 20;
    // SAFETY: both only set parameters of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
    let mut block = Vec::<u8>::new();
    if block.try_reserve_exact(HEAP).is_err() {
        return;
    }
    let (start, end) = (block.as_ptr() as usize, block.as_ptr() as usize + HEAP);
    let (start, end) = (start.next_multiple_of(HUGE), end / HUGE * HUGE);
    // SAFETY: advice on memory of our own; the block, not trimmed when it is freed, is what is
    // given out next.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
}

fn run(command: Command, voice: Voice) -> Ended {
    match command {
        Command::New(args) => new::run(&args, voice),
        Command::Check(args) => check::run(&args, voice),
        Command::Fmt(args) => fmt::run(&args, voice),
        Command::Explain(args) => explain::run(&args),
        Command::Reference => {
            out(&crate::ops::reference());
            Ok(true)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mtlc", &mut script);
            out(&String::from_utf8_lossy(&script));
            Ok(true)
        }
        #[cfg(feature = "train")]
        Command::Compile(args) => train::compile(&args, voice),
        #[cfg(feature = "train")]
        Command::Run(args) => train::run(&args, voice),
        #[cfg(feature = "train")]
        Command::Eval(args) => train::eval(&args, voice),
        #[cfg(feature = "train")]
        Command::Predict(args) => predict::run(&args),
        #[cfg(feature = "train")]
        Command::Generate(args) => predict::generate(&args),
        #[cfg(feature = "train")]
        Command::Export(args) => train::export(&args, voice),
        #[cfg(feature = "lsp")]
        Command::Lsp { .. } => serve(),
        #[cfg(not(feature = "lsp"))]
        Command::Lsp { .. } => Err(Diagnostic::placeless(codes::DEVICE, "this build of mtlc has no language server")
            .help("build it with the feature `lsp`")
            .into()),
        #[cfg(not(feature = "train"))]
        _ => Err(Diagnostic::placeless(codes::DEVICE, "this build of mtlc only checks programs")
            .help("build it with the feature `train`")
            .into()),
    }
}

/// `mtlc lsp`: until the editor leaves.
#[cfg(feature = "lsp")]
fn serve() -> Ended {
    crate::lsp::stdio().map_err(|e| {
        let message = format!("what the editor sent cannot be read: {e}");
        Diagnostic::placeless(codes::INPUT, message).help("start `mtlc lsp` from an editor").into()
    })
}

/// Prints to the standard output, or ends the process: quietly when the reader went away.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        let message = format!("`<stdout>` cannot be written: {error}");
        let d = Diagnostic::placeless(codes::OUTPUT, message).help("make room, or print somewhere else");
        say(&render::human(&SourceMap::new(), &[d], false));
        std::process::exit(1);
    }
}

/// Prints to the error stream; when even that cannot be written, nobody can be told.
pub fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints diagnostics to the error stream.
pub fn print_diagnostics(sources: &SourceMap, diagnostics: &[Diagnostic], voice: Voice) {
    let said = diagnostics.iter().filter(|d| d.is_error() || !voice.quiet);
    let shown: Vec<Diagnostic> = said.map(|d| placed_in(sources, d.clone())).collect();
    say(&render::human(sources, &shown, voice.color));
}

/// A panic is a mistake of mtlc: one message that invites a report.
fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    let what = info.payload().downcast_ref::<&str>().map(|s| s.to_string());
    let what = what.or_else(|| info.payload().downcast_ref::<String>().cloned()).unwrap_or_default();
    let at = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
    say(&format!("error[E0999]: mtlc made a mistake{at}: {what}\n"));
    say("  = help: please report it with the command and the files that show it\n");
}
