//! Programs with and without each pass: what is run changes, what comes out does not.
#![cfg(feature = "train")]

use std::path::Path;

use mtlc::diagnostics::Diagnostic;
use mtlc::driver::compile::{Compiled, base_of, compile_without};
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::{self, Settings, training};
use mtlc::plan::passes::PASSES;
use mtlc::source::Disk;
use mtlc::train::events::{Events, StepDone};
use mtlc::train::feed::{Feed, Portion};
use mtlc::train::looping::{self, Options};
use mtlc::train::trainee::{Asked, LossSource, Trainee};

/// Two tasks on one text, another data set with the same reader, and a value that nothing reads.
const PROGRAM: &str = r#"
data d { format: jsonl  train: "d.jsonl"  field a: text from "a"  field g: tags(a) from "g"  field c: class from "c" }
data e { format: jsonl  train: "e.jsonl"  field a: text from "a"  field c: class from "c" }
layer words = embed(8) |> DROP linear(8) |> gelu
layer reader = words |> bilstm(8)
let h = d.a |> reader
let k = e.a |> reader
let spare = d.a |> words |> lstm(4)
task tags: tag(d.g) = h
task kind: classify(d.c) = (h + (h |> linear(8) |> tanh)) |> norm |> mean_pool
task mood: classify(e.c) = k |> attention_pool |> mlp([6])
loss near = mse(h |> mean_pool, h |> max_pool) { weight: 0.1 }
train { epochs: 3  batch: 4  seed: 3  optimizer: adam(lr: 1e-2)  sample: SAMPLE }
"#;

const D: &str = r#"{"a": "the cat sat", "g": ["O", "B-x", "I-x"], "c": "p"}
{"a": "run", "g": ["B-y"], "c": "q"}
{"a": "a dog sat on the mat", "g": ["O", "B-x", "O", "O", "B-y", "I-y"], "c": "r"}
{"a": "dogs run fast", "g": ["B-x", "B-x", "O"], "c": "p"}
"#;

const E: &str = r#"{"a": "a fine day", "c": "u"}
{"a": "the worst dog", "c": "v"}
{"a": "cats and dogs run fast today", "c": "u"}
"#;

fn compiled(folder: &Path, sample: &str, drop: &str, no_pass: &[&str]) -> Compiled {
    std::fs::write(folder.join("d.jsonl"), D).expect("written");
    std::fs::write(folder.join("e.jsonl"), E).expect("written");
    let program = folder.join("case.mtl");
    std::fs::write(&program, PROGRAM.replace("SAMPLE", sample).replace("DROP", drop)).expect("written");
    let checked = driver::check(&program, &Disk, &Settings::default());
    let said: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(said.is_empty(), "{said:?}");
    let off: Vec<String> = no_pass.iter().map(|name| name.to_string()).collect();
    compile_without(&checked.model.expect("a model"), &base_of(&program, None), &off).expect("a plan")
}

/// The losses of each step.
#[derive(Default)]
struct Losses(Vec<Vec<f64>>);

impl Events for Losses {
    fn step_done(&mut self, step: &StepDone) {
        self.0.push(step.losses.iter().map(|loss| loss.value).chain([step.total]).collect());
    }

    fn warning(&mut self, diagnostic: &Diagnostic) {
        panic!("{diagnostic:?}");
    }
}

/// The losses of each step of a training, and the weights in the end.
type Trained = (Vec<Vec<f64>>, Vec<(String, Vec<f32>)>);

fn trained(compiled: &Compiled) -> Trained {
    let out = tempfile::tempdir().expect("a folder");
    let mut program = training::program(compiled).expect("a program");
    let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
    let mut losses = Losses::default();
    looping::train(&compiled.plan, &mut program, &feed, &mut losses, &Options::new(out.path())).expect("trained");
    let numbers = |t: &candle_core::Tensor| t.flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
    let weights = program.params.iter().map(|p| (p.name.to_string(), numbers(p.var.as_tensor())));
    (losses.0, weights.collect())
}

fn run(sample: &str, drop: &str, no_pass: &[&str]) -> Trained {
    let folder = tempfile::tempdir().expect("a folder");
    trained(&compiled(folder.path(), sample, drop, no_pass))
}

fn far_apart(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    assert_eq!(a.iter().map(Vec::len).collect::<Vec<_>>(), b.iter().map(Vec::len).collect::<Vec<_>>());
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn every_pass_can_be_left_out() {
    let whole = run("uniform", "dropout(0.2) |>", &[]);
    assert!(whole.0.len() >= 3, "{:?}", whole.0);
    for pass in PASSES {
        let without = run("uniform", "dropout(0.2) |>", &[pass.name]);
        if pass.name == "common_values" {
            // Gradients of copies are summed in another order.
            assert_eq!(whole.0[0], without.0[0], "the first step has the same weights");
            assert!(far_apart(&whole.0, &without.0) < 1e-5, "{:?} and {:?}", whole.0, without.0);
            continue;
        }
        assert_eq!(whole.0, without.0, "{}", pass.name);
        for (name, weights) in &whole.1 {
            let same = without.1.iter().find(|(other, _)| other == name).map(|(_, weights)| weights);
            assert_eq!(Some(weights), same, "{name} without {}", pass.name);
        }
    }
    let none: Vec<&str> = PASSES.iter().map(|pass| pass.name).collect();
    assert!(far_apart(&whole.0, &run("uniform", "dropout(0.2) |>", &none).0) < 1e-5);
}

#[test]
fn passes_change_what_is_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = |off: &[&str]| compiled(folder.path(), "all", "dropout(0.2) |>", off).plan;
    let whole = plan(&[]);
    let count = |plan: &mtlc::plan::Plan, op: &str| plan.nodes.iter().filter(|node| node.op == op).count();
    // One reader on each data set, and without the pass one for each task and loss.
    assert_eq!((count(&whole, "bilstm"), count(&plan(&["common_values"]), "bilstm")), (2, 4));
    assert_eq!((count(&whole, "lstm"), count(&plan(&["dead_values"]), "lstm")), (0, 1));
    let unfused = plan(&["fusion"]);
    assert_eq!((count(&whole, "gelu"), count(&unfused, "gelu")), (0, 2));
    assert_eq!((count(&whole, "dropout"), count(&unfused, "dropout")), (0, 2));
    assert_eq!((count(&whole, "add_norm"), count(&unfused, "norm")), (1, 1));
    assert_eq!((whole.joined.is_empty(), plan(&["joined_batches"]).joined.len()), (false, 0));
    let joined: Vec<&str> = whole.joined.iter().map(|group| whole.nodes[group[0]].op.as_str()).collect();
    assert_eq!(joined, ["field", "embed", "linear", "bilstm"]);
}

/// The losses of a batch of each data set, and the gradients of their sum.
fn first_step(compiled: &Compiled) -> (Vec<f32>, Vec<f32>) {
    let program = training::program(compiled).expect("a program");
    let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
    let batches = [(0, vec![2, 0, 1]), (1, vec![1, 2])];
    let batches = batches.map(|(data, ids)| feed.fetch(data, Portion::Train, &ids).expect("a batch"));
    let sources = [vec![LossSource::Task(0), LossSource::Task(1), LossSource::Item(0)], vec![LossSource::Task(2)]];
    let asked = |data: usize| Asked { data, batch: &batches[data], sources: &sources[data], seed: 5 };
    let terms = program.joint_losses(&[asked(0), asked(1)]).expect("losses");
    let values: Vec<_> = terms.iter().flatten().map(|term| term.value.reshape(1).expect("a number")).collect();
    let losses = candle_core::Tensor::cat(&values, 0).expect("losses");
    let left = losses.sum_all().and_then(|sum| sum.backward()).expect("gradients");
    program.grads().collect(program.params(), &left).expect("gradients");
    (losses.to_vec1().expect("numbers"), program.grads().lock().to_vec())
}

#[test]
fn joined_batches_give_the_same_first_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let (losses, gradients) = first_step(&compiled(folder.path(), "all", "", &[]));
    let (others, other) = first_step(&compiled(folder.path(), "all", "", &["joined_batches"]));
    assert_eq!((losses.len(), gradients.len()), (4, other.len()));
    assert!(gradients.iter().filter(|g| **g != 0.0).count() > gradients.len() / 2);
    for (a, b) in losses.iter().zip(&others).chain(gradients.iter().zip(&other)) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn joined_batches_give_the_same_training() {
    let (joined, weights) = run("all", "", &[]);
    let (apart, other) = run("all", "", &["joined_batches"]);
    assert!(far_apart(&joined, &apart) < 1e-5, "{joined:?} and {apart:?}");
    for ((name, a), (_, b)) in weights.iter().zip(&other) {
        let far = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-4, "{name} is {far} away");
    }
    let again = run("all", "", &[]);
    assert_eq!((joined, weights), again, "the same bits twice");
}

#[test]
fn joined_batches_draw_once_for_all() {
    let first = run("all", "dropout(0.2) |>", &[]);
    assert_eq!(first, run("all", "dropout(0.2) |>", &[]), "the same bits twice");
    let apart = run("all", "dropout(0.2) |>", &["joined_batches"]);
    assert!(far_apart(&first.0, &apart.0) < 0.5);
}
