//! What the programs beside PyTorch have in common: arguments, reading, and the talk in lines of JSON.

#![allow(dead_code)]

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use mtlc::backend::exec::Program;
use mtlc::diagnostics::Diagnostic;
use mtlc::driver::compile::{Compiled, base_of, compile};
use mtlc::driver::run::Folder;
use mtlc::driver::{self, Settings};
use mtlc::report::RunDir;
use mtlc::source::{Disk, SourceMap};

/// What the command line asks for.
pub struct Asked {
    pub program: PathBuf,
    pub steps: usize,
    pub settings: Settings,
    pub data: Option<PathBuf>,
    pub dump: Option<PathBuf>,
    /// Examples of a batch, where the program does not say.
    pub size: usize,
}

/// The arguments `PROGRAM STEPS [--set NAME=VALUE]… [--data FOLDER] [--dump FOLDER] [--size N]`.
pub fn asked() -> Asked {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let program = words.next().expect("a program").into();
    let steps = words.next().and_then(|n| n.parse().ok()).expect("a number of steps");
    let (mut sets, mut data, mut dump, mut size) = (Vec::new(), None, None, 1);
    while let Some(word) = words.next() {
        let value = words.next().expect("a value");
        match word.as_str() {
            "--set" => sets.push(value),
            "--data" => data = Some(PathBuf::from(value)),
            "--dump" => dump = Some(PathBuf::from(value)),
            "--size" => size = value.parse().expect("a size"),
            _ => panic!("unknown argument '{word}'"),
        }
    }
    Asked { program, steps, settings: Settings::parse(&sets).expect("settings"), data, dump, size }
}

/// Writes a line.
pub fn tell(what: &serde_json::Value) {
    println!("{what}");
    std::io::stdout().flush().expect("written");
}

/// Whether there is a line to read.
pub fn told_to_go_on() -> bool {
    std::io::stdin().lock().read_line(&mut String::new()).is_ok_and(|read| read > 0)
}

/// A line of `/proc/self/status` in bytes.
pub fn memory(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The program and its data.
pub fn read(asked: &Asked) -> Compiled {
    let checked = driver::check(&asked.program, &Disk, &asked.settings);
    assert!(!checked.failed(), "{:?}", checked.diagnostics);
    let model = checked.model.expect("a model");
    compile(&model, &base_of(&asked.program, asked.data.as_deref())).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Keeps weights and vocabularies for the other program.
pub fn dump(to: &Path, compiled: &Compiled, program: &Program) -> Result<(), Diagnostic> {
    let folder = Folder::new(RunDir::create("dump", Some(to))?);
    folder.begin(compiled, &SourceMap::new())?;
    folder.save_model(program)
}
