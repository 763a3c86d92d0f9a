//! The examples as pictures and a whole run as its watchers see it, on the disk.
//!
//! `MTLC_REPORT_DIR` keeps what is written, to be looked at.

use std::path::{Path, PathBuf};

use mtlc::driver::{self, Settings};
use mtlc::plan::Plan;
use mtlc::report::html::Report;
use mtlc::report::metrics_log::{self, Line};
use mtlc::report::picture::{Graph, dot, mermaid, svg};
use mtlc::report::summary::{Load, summary};
use mtlc::report::watch::{Epoch, Finished, Loss, Stage, Step, Test};
use mtlc::report::{Confusion, Environment, Figure, MetricsLog, Results, RunDir, TensorBoard, Watchers};
use mtlc::source::{Disk, SourceMap};

/// The plan of an example, with its source.
fn compiled(example: &str) -> (Plan, SourceMap) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
    let checked = driver::check(&path, &Disk, &Settings::default());
    let model = checked.model.unwrap_or_else(|| panic!("{example}: {:#?}", checked.diagnostics));
    let base = driver::compile::base_of(&path, None);
    match driver::compile::compile(&model, &base) {
        Ok(compiled) => (compiled.plan, checked.sources),
        Err(errors) => panic!("{example}: {errors:#?}"),
    }
}

fn examples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".mtl")).collect();
    names.sort();
    names
}

/// A folder that stays when somebody wants to look at it.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("MTLC_REPORT_DIR") {
        Some(folder) => (PathBuf::from(folder), None),
        None => {
            let temporary = tempfile::tempdir().unwrap();
            (temporary.path().to_path_buf(), Some(temporary))
        }
    }
}

#[test]
fn examples_have_pictures_and_costs() {
    let (folder, _temporary) = folder();
    for example in examples() {
        let (plan, _) = compiled(&example);
        let graph = Graph::of(&plan);
        for task in &plan.tasks {
            let family = task.family.as_deref().unwrap_or(&task.name);
            let drawn =
                graph.vertices.iter().any(|v| v.name == task.name || v.name.starts_with(&format!("{family} ×")));
            assert!(drawn, "{example}: {} is not in the picture", task.name);
        }
        let picture = svg(&graph);
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{example}");
        assert!(dot(&graph).starts_with("digraph") && mermaid(&graph).starts_with("flowchart"));
        let loads = vec![Load { batches: 100, examples: 16.0, tokens: 200.0, pairs: 0.0 }; plan.datasets.len()];
        let text = summary(&plan, &loads);
        assert!(text.contains("estimated peak memory"), "{text}");
        if std::env::var_os("MTLC_REPORT_DIR").is_some() {
            let write = |end: &str, text: &str| std::fs::write(folder.join(format!("{example}.{end}")), text).unwrap();
            write("svg", &picture);
            write("dot", &dot(&graph));
            write("mmd", &mermaid(&graph));
            write("txt", &text);
        }
    }
}

/// Figures that rise and losses that fall, with some noise.
fn told(watchers: &mut Watchers, watch: &mut dyn FnMut(&mut Watchers, Told), epochs: usize) {
    let steps = 40;
    let names = ["intent", "slots"];
    for (index, name) in ["warm", "joint"].into_iter().enumerate() {
        let before = index * epochs * steps;
        let stage = Stage {
            index,
            count: 2,
            name: name.into(),
            epochs,
            steps_per_epoch: steps,
            trainable: 345_678,
            tasks: names.map(String::from).to_vec(),
            total_done: before,
            ..Stage::default()
        };
        watch(watchers, Told::Stage(stage));
        for epoch in 1..=epochs {
            for number in 1..=steps {
                let step = (epoch - 1) * steps + number;
                let x = (before + step) as f64 / 400.0;
                let noise = ((step * 7919 % 101) as f64 / 101.0 - 0.5) * 0.2;
                let loss = |name: &str, scale: f64| Loss {
                    name: name.into(),
                    value: scale * (0.1 + noise.abs() + (-x * scale).exp()),
                    factor: 1.0,
                    examples: 16,
                };
                let losses = vec![loss("intent", 1.0), loss("slots", 3.0)];
                let total = losses.iter().map(|loss| loss.value).sum();
                let step = Step {
                    epoch: epoch - 1,
                    step,
                    total_step: before + step,
                    step_in_epoch: number,
                    steps_in_epoch: steps,
                    losses,
                    total,
                    lr: 1e-3 * (1.0 - x / 5.0).max(0.0),
                    grad_norm: Some(1.0 + noise),
                    tokens: 200,
                    seconds: 0.02 + noise.abs() * 0.01,
                };
                watch(watchers, Told::Step(step));
            }
            let total_step = before + epoch * steps;
            let x = total_step as f64 / 400.0;
            let figure = |name: &str, value| Figure::new(name, value);
            let loss = |name: &str, value| Figure { higher_is_better: false, ..Figure::new(name, value) };
            let dev = vec![
                figure("intent.accuracy", 1.0 - 0.6 * (-x).exp()),
                figure("intent.macro_f1", 0.95 - 0.8 * (-x).exp()),
                loss("intent.loss", 0.2 + (-x).exp() + x * 0.03),
                figure("slots.span_f1", 0.9 - 0.9 * (-x * 0.7).exp()),
                loss("slots.loss", 0.6 + 3.0 * (-x).exp()),
                figure("sentence", 0.8 - 0.8 * (-x * 0.6).exp()),
            ];
            watch(
                watchers,
                Told::Epoch(Epoch {
                    stage: name.into(),
                    epoch,
                    total_step,
                    train: vec![("intent".into(), 0.15 + (-x).exp()), ("slots".into(), 0.4 + 3.0 * (-x * 3.0).exp())],
                    dev,
                    selected_by: Some(figure("mean(intent.accuracy, slots.span_f1)", 0.9 - 0.7 * (-x).exp())),
                    best: epoch % 4 != 0,
                    train_seconds: 1.0,
                    dev_seconds: 0.2,
                    tokens: 8000,
                    ..Epoch::default()
                }),
            );
        }
    }
}

enum Told {
    Stage(Stage),
    Step(Step),
    Epoch(Epoch),
}

/// A matrix in which labels are mixed up with their neighbours.
fn mixed_up(task: &str, labels: Vec<String>) -> Confusion {
    let count = labels.len();
    let mut counts = vec![0; (count + 1) * count];
    for gold in 0..count {
        let size = 400 / (gold + 2) as u64;
        counts[gold * count + gold] = size;
        counts[gold * count + (gold + 1) % count] += size * (gold as u64 % 5) / 4;
        counts[gold * count + (gold * 3 + 2) % count] += gold as u64 % 3;
    }
    let first_right = (0..count).map(|label| (label % 7 != 6).then_some(label % 7 + 1)).collect();
    Confusion { task: task.into(), labels, counts, first_right }
}

#[test]
fn a_run_on_the_disk() {
    let (folder, _temporary) = folder();
    let (plan, sources) = compiled("slu.mtl");
    let run = RunDir::create_in(&folder.join("runs"), &plan.name, None).unwrap();
    let mut watchers = Watchers::new();
    watchers.add(run.metrics(), MetricsLog::new(run.metrics()));
    watchers.add(run.tensorboard(), TensorBoard::new(run.tensorboard()));
    told(
        &mut watchers,
        &mut |watchers, told| match told {
            Told::Stage(stage) => watchers.stage(&stage),
            Told::Step(step) => watchers.step(&step),
            Told::Epoch(epoch) => watchers.epoch(&epoch),
        },
        10,
    );
    watchers.finished(&Finished { total_step: 800, epochs: 20, seconds: 83.0, ..Finished::default() });
    let figures = ["intent.accuracy", "intent.macro_f1", "slots.span_f1", "sentence"];
    let test = Test {
        total_step: 800,
        figures: figures
            .iter()
            .zip([0.9612, 0.9034, 0.8871, 0.8125])
            .map(|(name, value)| Figure::new(*name, value))
            .collect(),
        seconds: 0.4,
    };
    watchers.test(&test);
    assert!(watchers.trouble.is_none(), "{:?}", watchers.trouble);
    Results::of(&test.figures).write(&run.results()).unwrap();
    run.write_sources(&sources).unwrap();
    let environment = Environment::capture("cpu", "f32", plan.train.seed, 2);
    environment.write(&run.environment()).unwrap();

    let mut report = Report::of(&plan).with_sources(&sources);
    report.lines = metrics_log::read(&run.metrics()).unwrap();
    report.test = test.figures;
    report.environment = environment;
    report.seconds = Some(83.0);
    let intents = ["weather", "play_music", "set_alarm", "book_restaurant", "find_movie", "add_to_playlist"];
    let tags =
        |i: usize| if i == 0 { "O".into() } else { format!("{}-slot_with_a_long_name.{}", ["B", "I"][i % 2], i / 2) };
    report.confusions =
        vec![mixed_up("intent", intents.map(String::from).to_vec()), mixed_up("slots", (0..34).map(tags).collect())];
    report.write(&run.report()).unwrap();
    assert_eq!(report.lines.iter().filter(|line| matches!(line, Line::Epoch { .. })).count(), 20);
    for file in [run.metrics(), run.results(), run.report(), run.environment(), run.version(), run.tensorboard()] {
        assert!(Path::new(&file).exists(), "{}", file.display());
    }
}
