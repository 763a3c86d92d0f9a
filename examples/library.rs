//! mtlc as a library: a program is checked, trained and asked.
//!
//!     cargo run --release --example library

use std::path::Path;
use std::process::ExitCode;

use mtlc::diagnostics::render;
use mtlc::driver::training::{self, RunOptions};
use mtlc::driver::{self, Failure, Settings, predict, run::Folder};
use mtlc::report::RunDir;
use mtlc::source::Disk;
use mtlc::train::events::Silent;
use serde_json::Value;

/// What an assistant is asked.
pub const REQUESTS: [&str; 2] = ["play some jazz in the kitchen", "remind me to call anna"];

fn main() -> ExitCode {
    let folder = std::env::temp_dir().join(format!("mtlc-library-{}", std::process::id()));
    match train_and_ask(Path::new("examples/slu.mtl"), &folder, 3) {
        Ok(answers) => {
            REQUESTS.iter().zip(answers).for_each(|(request, answer)| println!("{request}\n    {answer}"));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprint!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Trains a program for a few epochs into the folder `run`, and gives what the run, read back from
/// there, predicts: an object for each request, with an entry for each task.
pub fn train_and_ask(program: &Path, run: &Path, epochs: usize) -> Result<Vec<Value>, Failure> {
    // Checking reads no data, and reports every mistake at once.
    let settings = Settings::default();
    let checked = driver::check(program, &Disk, &settings);
    eprint!("{}", render::human(&checked.sources, &checked.diagnostics, false));

    // Loading checks too; then it reads the data and compiles the program for it.
    let loaded = driver::load(program, &Disk, &settings, None)?;

    // `Silent` may be any listener of `train::events::Events`, such as a progress bar.
    let options = RunOptions { epochs: Some(epochs), ..RunOptions::new(RunDir::create("library", Some(run))?) };
    let outcome = training::train(&loaded.compiled, &loaded.sources, &mut Silent, &options)?;
    for figure in &outcome.figures {
        println!("{} {:.4}", figure.name, figure.value);
    }

    let trained = Folder::open(run)?.load()?.settled();
    Ok(predict::texts(&trained, &REQUESTS)?)
}
