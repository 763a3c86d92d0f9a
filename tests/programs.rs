//! Every program of `tests/programs` trains, for an epoch of each stage, on tiny data that is made
//! here in the form of the published sets; so do those of the language's own collection.
#![cfg(feature = "train")]

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

const WORDS: [&str; 8] = ["show", "cheap", "flights", "from", "Boston", "to", "Rome", "?"];
const TYPES: [(&str, &str); 3] = [("HUM", "ind"), ("LOC", "city"), ("NUM", "date")];
const DOMAINS: [&str; 5] = ["books", "dvd", "electronics", "kitchen", "toys"];

/// Words of sentence `i`.
fn sentence(i: usize) -> Vec<&'static str> {
    (0..3 + i % 4).map(|j| WORDS[(i * 5 + j * 3) % WORDS.len()]).collect()
}

fn text(i: usize) -> String {
    sentence(i).join(" ")
}

fn write(path: PathBuf, lines: impl Iterator<Item = String>) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, lines.map(|line| line + "\n").collect::<String>()).expect("written");
}

/// A sentence a word a line, as `row` writes word `j`; an empty line ends it.
fn column(i: usize, row: impl Fn(usize, &str) -> String) -> String {
    let mut lines = String::new();
    for (j, word) in sentence(i).iter().enumerate() {
        writeln!(lines, "{}", row(j, word)).expect("written");
    }
    lines
}

fn city(word: &str) -> &'static str {
    if matches!(word, "Boston" | "Rome") { "B-city" } else { "O" }
}

/// Two entities and what relates them.
fn entities(i: usize) -> String {
    let tokens: Vec<String> = sentence(i).iter().map(|word| format!("\"{word}\"")).collect();
    let (tokens, kind) = (tokens.join(", "), ["Live_In", "Kill"][i % 2]);
    format!(
        "{{\"tokens\": [{tokens}], \"entities\": [{{\"start\": 0, \"end\": 1, \"type\": \"Peop\"}}, \
         {{\"start\": 1, \"end\": 3, \"type\": \"Loc\"}}], \"relations\": [{{\"head\": 0, \"tail\": 1, \"type\": \"{kind}\"}}]}}"
    )
}

/// A chain of arcs to the word before.
fn tree(i: usize) -> String {
    column(i, |j, word| {
        let (tag, label) = if j == 0 { ("VERB", "root") } else { ("NOUN", "obj") };
        format!("{}\t{word}\t_\t{tag}\t{tag}{}\t_\t{j}\t{label}\t_\t_", j + 1, j % 2)
    })
}

/// Stand-ins for the data sets, with as few examples as train, dev and test can have.
fn data(folder: &Path) {
    let encoder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pretrained/bert");
    std::fs::create_dir_all(folder.join("minilm")).expect("made");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(encoder.join(name), folder.join("minilm").join(name)).expect("copied");
    }
    for (split, first, count) in [("train", 0, 30), ("dev", 3, 8), ("test", 7, 8), ("rest", 11, 20)] {
        let rows = || first..first + count;
        let table = |head: &str| std::iter::once(head.to_string());
        for set in ["atis", "mixatis"] {
            let several = |i: usize| ["flight", "fare", if set == "atis" { "fare" } else { "flight#fare" }][i % 3];
            let file = |name: &str| folder.join(set).join(split).join(name);
            write(file("seq.in"), rows().map(text));
            write(file("seq.out"), rows().map(|i| sentence(i).into_iter().map(city).collect::<Vec<_>>().join(" ")));
            write(file("label"), rows().map(|i| several(i).to_string()));
        }
        for domain in DOMAINS {
            write(folder.join(format!("reviews/{domain}.{split}")), rows().map(|i| format!("{}\t{}", i % 2, text(i))));
            write(folder.join(format!("reviews/{domain}.unlabel")), rows().map(text));
        }
        for language in ["en", "de", "fr", "cs"] {
            write(folder.join(format!("multi30k/{split}.{language}")), rows().map(text));
        }
        let kind = |i: usize| TYPES[i % 3];
        let question = |i: usize| format!("{}:{} {}", kind(i).0, kind(i).1, text(i));
        write(folder.join(format!("trec/{split}.txt")), rows().map(question));
        let types = rows().map(|i| format!("{0}\t{0}:{1}\t{2}", kind(i).0, kind(i).1, text(i)));
        write(folder.join(format!("trec_types/{split}.tsv")), table("coarse\tfine\tquestion").chain(types));
        let feels = |i: usize| [("joy", "positive"), ("joy,love", "positive"), ("anger", "negative")][i % 3];
        let comments = rows().map(|i| format!("{}\t{}\t{}", text(i), feels(i).0, feels(i).1));
        write(
            folder.join(format!("goemotions_sentiment/{split}.tsv")),
            table("text\temotions\tsentiment").chain(comments),
        );
        for set in ["conll2000", "conll2000_part"] {
            let chunk =
                |j: usize, word: &str| format!("{word} NN {}", if j.is_multiple_of(2) { "B-NP" } else { "I-NP" });
            write(folder.join(format!("{set}/{split}.txt")), rows().map(|i| column(i, chunk)));
        }
        let name = |_, word: &str| format!("{word}\t{}", city(word));
        write(folder.join(format!("wnut17/{split}.conll")), rows().map(|i| column(i, name)));
        write(folder.join(format!("conll04/{split}.jsonl")), rows().map(entities));
        write(folder.join(format!("ewt/{split}.conllu")), rows().map(tree));
        let pair = |i: usize| {
            let says = ["NEUTRAL", "ENTAILMENT", "CONTRADICTION"][i % 3];
            format!("{i}\t{}\t{}\t{}.5\t{says}", text(i), text(i + 1), 1 + i % 4)
        };
        let passages = |i: usize| {
            let (q, a, b) = (text(i), text(i + 1), text(i + 3));
            format!("{{\"question\": \"{q}\", \"passages\": [\"{a}\", \"{b}\", \"{q}\"], \"gold\": {}}}", i % 3)
        };
        write(folder.join(format!("passages/{split}.jsonl")), rows().map(passages));
        let dialogue = |i: usize| {
            let (a, b) = (text(i), text(i + 1));
            format!(
                "{{\"turns\": [\"{a}\", \"{b}\"], \"acts\": [\"1\", \"{}\"], \"emotions\": [\"0\", \"{}\"]}}",
                2 - i % 2,
                i % 2
            )
        };
        write(folder.join(format!("dialogue_acts/{split}.jsonl")), rows().map(dialogue));
        texts_to_write(folder, split, first..first + count);
        let head = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment";
        write(folder.join(format!("sick/{split}.tsv")), table(head).chain(rows().map(pair)));
    }
}

/// Stand-ins for what `prepare.py` makes of texts that are to be written.
fn texts_to_write(folder: &Path, split: &str, rows: Range<usize>) {
    let file = |set: &str, row: &dyn Fn(usize) -> serde_json::Value| {
        write(folder.join(format!("{set}/{split}.jsonl")), rows.clone().map(|i| row(i).to_string()));
    };
    let yes = |i: usize| if i.is_multiple_of(2) { "yes" } else { "no" };
    file("next_sentences", &|i| json!({ "first": text(i), "second": text(i + 1), "follows": yes(i) }));
    file("short_sentences", &|i| json!({ "long": text(i), "short": sentence(i)[..2].join(" ") }));
    file("entailments", &|i| json!({ "premise": text(i), "hypothesis": sentence(i)[1..].join(" ") }));
    file("question_generation", &|i| {
        let span = json!([{ "start": 0, "end": 2, "type": "answer" }]);
        let answer = sentence(i)[..2].join(" ");
        json!({ "sentence": text(i), "answer": answer, "spans": span, "question": text(i + 2), "kind": TYPES[i % 3].0 })
    });
    file("answer_pairs", &|i| {
        let known = |x: String| if yes(i) == "yes" { x } else { String::new() };
        let (question, answer) = (text(i + 2), text(i));
        json!({ "question": question, "sentence": answer, "asked": known(text(i + 2)), "said": known(text(i)), "fits": yes(i) })
    });
    file("meanings", &|i| {
        let slots: Vec<&str> = sentence(i).into_iter().map(city).collect();
        let values = &sentence(i)[..1];
        json!({ "text": sentence(i), "slots": slots, "meaning": ["flight", "city", values[0]], "values": values, "types": ["flight", "city"] })
    });
    file("triples", &|i| json!({ "head": text(i), "relation": yes(i), "tails": [text(i + 1)], "right": 0 }));
}

/// Trains a program for an epoch of each stage.
fn trained(program: &Path, data: &Path, out: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
    command.env("NO_COLOR", "1").stdin(Stdio::null()).arg("run").arg(program);
    command.arg("--data").arg(data).args(["--epochs", "1", "--out"]).arg(out);
    let output = command.output().expect("mtlc starts");
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    assert!(out.join("results.json").exists(), "{}", program.display());
}

/// The programs, by name.
fn programs() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let names = std::fs::read_dir(folder).expect("a folder").filter_map(|entry| {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        Some(name.strip_suffix(".mtl")?.to_string())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn every_program_trains() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_of = folder.path().join("data");
    data(&data_of);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut last = Vec::new();
    for name in programs() {
        // What a program learns from is a run beside it.
        let program = folder.path().join(format!("{name}.mtl"));
        let content = std::fs::read_to_string(source.join(format!("{name}.mtl"))).expect("a program");
        std::fs::write(&program, &content).expect("written");
        if content.contains("use run") {
            last.push((program, name));
        } else {
            trained(&program, &data_of, &folder.path().join(name));
        }
    }
    for (program, name) in last {
        trained(&program, &data_of, &folder.path().join(name));
    }
}

/// What a run holds of a parameter.
fn weights(run: &Path, name: &str) -> Vec<u8> {
    let bytes = std::fs::read(run.join("model.safetensors")).expect("a model");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("tensors");
    tensors.tensor(name).unwrap_or_else(|_| panic!("no {name}")).data().to_vec()
}

#[test]
fn a_trained_run_teaches_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    data(folder.path());
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let student = folder.path().join("half_size.mtl");
    std::fs::copy(programs.join("half_size.mtl"), &student).expect("copied");
    let (teacher, half) = (folder.path().join("question_teacher"), folder.path().join("half_size"));
    trained(&programs.join("question_teacher.mtl"), folder.path(), &teacher);
    trained(&student, folder.path(), &half);
    for name in ["large.embed.weight", "large.bilstm.w_ih", "kind.head.weight"] {
        assert!(weights(&teacher, name) == weights(&half, &format!("teacher.{name}")), "{name}");
    }
    let results = std::fs::read_to_string(half.join("results.json")).expect("results");
    let results: serde_json::Value = serde_json::from_str(&results).expect("JSON");
    let tasks: Vec<&String> = results.as_object().expect("tasks").keys().collect();
    assert_eq!(tasks, ["student", "learned"], "the teacher is not measured");
    assert!(results["learned"]["agreement"].is_number(), "{results}");
}

#[test]
fn programs_of_the_collection_train_as_they_stand() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs");
    let specs = std::env::var_os("MTLC_SPECS").map_or(PathBuf::from(beside), PathBuf::from);
    if !specs.is_dir() {
        println!("skipped: {} is not a folder", specs.display());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    data(&folder.path().join("data"));
    let base = folder.path().join("specs");
    std::fs::create_dir(&base).expect("made");
    for name in ["slot_gated", "head_selection", "cutoff", "many_task", "adversarial", "slu", "many_to_many"] {
        trained(&specs.join(format!("{name}.mtl")), &base, &folder.path().join(name));
    }
}
