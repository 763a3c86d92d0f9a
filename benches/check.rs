//! How long it takes to check a program: one of 10,000 lines in memory, and a small one by the
//! command, start-up included.

mod large;

use std::path::Path;
use std::process::Command;

use criterion::{Criterion, criterion_group, criterion_main};
use mtlc::driver::check::{Settings, check};
use mtlc::source::Loader;

struct Memory(String);

impl Loader for Memory {
    fn load(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

/// `mtlc check --no-data` of a file, as a process.
fn command(file: &Path) {
    let done = Command::new(env!("CARGO_BIN_EXE_mtlc")).args(["check", "--no-data"]).arg(file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn whole(c: &mut Criterion) {
    let text = large::program(10_000);
    let lines = text.lines().count();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.mtl");
    std::fs::write(&file, &text).unwrap();
    let mut group = c.benchmark_group("check");
    group.sample_size(20);
    group.bench_function(format!("the command, {lines} lines"), |b| b.iter(|| command(&file)));
    let loader = Memory(text);
    let checked = check(Path::new("large.mtl"), &loader, &Settings::default());
    assert!(checked.diagnostics.is_empty(), "{:#?}", &checked.diagnostics[..checked.diagnostics.len().min(5)]);
    group.bench_function(format!("the library, {lines} lines"), |b| {
        b.iter_with_large_drop(|| check(Path::new("large.mtl"), &loader, &Settings::default()));
    });
    group.finish();
}

fn start_up(c: &mut Criterion) {
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/slu.mtl");
    let mut group = c.benchmark_group("check");
    group.sample_size(20);
    group.bench_function("the command, a small program", |b| b.iter(|| command(Path::new(small))));
    group.finish();
}

criterion_group!(benches, whole, start_up);
criterion_main!(benches);
