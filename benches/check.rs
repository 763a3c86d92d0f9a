//! How long it takes to check a program: one of 10,000 lines in memory, and a small one by the
//! command, start-up included.

use std::fmt::Write;
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

/// A program of about `lines` lines with everything that large programs have many of.
fn program(lines: usize) -> String {
    let mut text =
        String::from("const width = 32\nlayer words = embed(width) |> dropout(0.1)\nlayer reader = bilstm(width)\n");
    let mut block = 0;
    while text.lines().count() < lines {
        let b = block;
        writeln!(text, "data d{b} {{\n  format: lines\n  train: \"d{b}/train\"  dev: \"d{b}/dev\"").unwrap();
        writeln!(text, "  field words: text        from \"w\"\n  field tags:  tags(words) from \"t\"").unwrap();
        writeln!(text, "  field label: class       from \"l\"\n}}\nlet h{b} = d{b}.words |> words |> reader").unwrap();
        for n in 0..10 {
            let input = if n == 0 { format!("h{b}") } else { format!("v{b}_{}", n - 1) };
            writeln!(text, "layer l{b}_{n}(x) = concat(x, x |> linear(width)) |> mlp([width])").unwrap();
            writeln!(text, "let v{b}_{n} = {input} |> l{b}_{n} |> dropout(0.1)").unwrap();
            writeln!(text, "task t{b}_{n}: tag(d{b}.tags) = v{b}_{n} {{ head: crf  weight: 0.5 }}").unwrap();
            writeln!(text, "task c{b}_{n}: classify(d{b}.label) = concat(v{b}_{n}, t{b}_{n}.probs) |> mean_pool")
                .unwrap();
        }
        writeln!(text, "for k{b} in [a, b, c] {{\n  layer own{b}[k{b}] = linear(8)").unwrap();
        writeln!(text, "  task f{b}[k{b}]: classify(d{b}.label) = h{b} |> own{b}[k{b}] |> mean_pool\n}}").unwrap();
        block += 1;
    }
    text
}

/// `mtlc check --no-data` of a file, as a process.
fn command(file: &Path) {
    let done = Command::new(env!("CARGO_BIN_EXE_mtlc")).args(["check", "--no-data"]).arg(file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn large(c: &mut Criterion) {
    let text = program(10_000);
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

criterion_group!(benches, large, start_up);
criterion_main!(benches);
