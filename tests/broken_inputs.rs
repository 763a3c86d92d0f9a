//! Broken input to the commands: programs, plans, runs, texts to predict, flags and full disks.
//! Each kind is a line of a table, and ends in one message, never in a panic. Data files have
//! their own corpus in `broken_data.rs`.
#![cfg(all(feature = "train", unix))]

#[path = "command/support.rs"]
mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::*;

/// Collects what went wrong, so that all failing cases are told at once.
struct Table {
    project: Project,
    cases: usize,
    failures: Vec<String>,
}

impl Table {
    /// A project with a run `r`, a plan `plan.json` and a text `in.txt`.
    fn new() -> Self {
        let project = Project::new(60, 1);
        project.fine(&["run", "small.mtl", "--out", "r"]);
        project.fine(&["compile", "small.mtl", "-o", "plan.json"]);
        project.write("in.txt", "red cat\n");
        Self { project, cases: 0, failures: Vec::new() }
    }

    fn note(&mut self, name: &str, complaint: Option<String>) {
        self.cases += 1;
        self.failures.extend(complaint.map(|c| format!("{name}: {c}")));
    }

    /// The command, given as its words, must fail with this code and these words.
    fn fails(&mut self, name: &str, line: &str, code: i32, gist: &str) {
        let output = self.project.run(&line.split(' ').collect::<Vec<_>>());
        self.note(name, complaint(&output, code, gist));
    }

    /// The command must succeed and print so many lines.
    fn works(&mut self, name: &str, line: &str, lines: Option<usize>) {
        let output = self.project.run(&line.split(' ').collect::<Vec<_>>());
        let printed = output.stdout.iter().filter(|b| **b == b'\n').count();
        let fine = output.status.success() && lines.is_none_or(|lines| lines == printed);
        self.note(name, (!fine).then(|| format!("{} with {printed} lines: {}", output.status, said(&output))));
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.project.write(name, content);
    }

    #[track_caller]
    fn finish(self, least: usize) {
        assert!(self.failures.is_empty(), "{} of {}:\n{}", self.failures.len(), self.cases, self.failures.join("\n"));
        assert!(self.cases >= least, "{} cases", self.cases);
    }
}

#[test]
fn programs() {
    let mut t = Table::new();
    let program = t.project.text("small.mtl");
    let specs: Vec<(&str, Vec<u8>, &str)> = vec![
        ("NUL", b"const a = 1\0\n".to_vec(), r"unexpected character `\u{0}`"),
        ("binary", (0u8..=255).collect(), "byte 128 is not UTF-8"),
        ("ELF", b"\x7fELF\x02\x01\x01\0\0\0\0\0".to_vec(), "[E0101]"),
        ("Latin-1", b"const a = \"caf\xe9\"\n".to_vec(), "cannot read 'x.mtl': byte 14 is not UTF-8"),
        ("UTF-16", "const".encode_utf16().flat_map(u16::to_be_bytes).collect(), "[E0101]"),
        ("10,000 brackets", format!("const a = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000)).into(), "[E0104]"),
        ("10,000 lists", format!("const a = {}\n", "[".repeat(10_000)).into(), "[E0104]"),
        ("a long number", format!("const a = {}\n", "1".repeat(1_000_000)).into(), "is too large"),
        ("a long name", format!("let a = {}\n", "x".repeat(100_000)).into(), "[E0201]"),
        ("an open string", b"const a = \"x\n".to_vec(), "[E01"),
        ("an open comment", b"/* const a = 1\n".to_vec(), "[E01"),
        ("itself", b"use \"x.mtl\"\n".to_vec(), "a cycle of files"),
        ("a missing file", b"use \"no.mtl\"\n".to_vec(), "there is no file 'no.mtl'"),
        ("a folder", b"use \"data\"\n".to_vec(), "cannot read 'data'"),
        ("no program", b"use \"in.txt\"\n".to_vec(), "[E0101]"),
        ("no UTF-8 file", b"use \"latin.mtl\"\n".to_vec(), "cannot read 'latin.mtl'"),
        ("an empty path", b"use \"\"\n".to_vec(), "[E0207]"),
    ];
    t.write("latin.mtl", b"// caf\xe9\n");
    for (name, text, gist) in specs {
        t.write("x.mtl", text);
        t.fails(name, "check x.mtl", 1, gist);
        let short = said(&t.project.run(&["check", "x.mtl"])).len();
        t.note(name, (short > 3000).then(|| format!("a message of {short} bytes")));
    }
    for (name, text) in [("empty", ""), ("comments", "// nothing\n/// here\n"), ("blank", "\n \n\t\n")] {
        t.write("x.mtl", text);
        t.works(name, "check x.mtl", Some(0));
        t.fails(name, "run x.mtl", 1, "'x.mtl' has nothing to train");
    }
    t.write("x.mtl", format!("\u{feff}{program}"));
    t.works("a byte order mark", "check x.mtl", None);
    t.write("x.mtl", program.replace('\n', "\r\n"));
    t.works("CRLF", "check x.mtl", None);
    t.works("CRLF trains", "run x.mtl --out crlf", None);
    t.write("x.mtl", program.trim_end());
    t.works("no last line break", "check x.mtl", None);
    t.write("x.mtl", format!("const unused = [{}1]\n{program}", "1, ".repeat(100_000)));
    t.works("a long line", "compile x.mtl", None);
    t.fails("a folder as program", "check data", 1, "cannot read 'data'");
    t.fails("a missing program", "run no.mtl", 1, "there is no file 'no.mtl'");
    t.fails("below a file", "check in.txt/x.mtl", 1, "in.txt/x.mtl");
    t.finish(45);
}

#[test]
fn programs_cut_short() {
    let mut t = Table::new();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/slu.mtl");
    let program = std::fs::read(examples).expect("an example");
    for end in (0..program.len()).step_by(50) {
        t.write("x.mtl", &program[..end]);
        let output = t.project.run(&["check", "--no-data", "x.mtl"]);
        let said = said(&output);
        let errors = said.matches("error[").count();
        let fine = match output.status.code() {
            Some(0) => errors == 0,
            Some(1) => errors > 0 && !said.contains("panicked") && !said.contains("E0999"),
            _ => false,
        };
        t.note(&format!("cut at {end}"), (!fine).then(|| format!("{}: {said}", output.status)));
    }
    t.finish(10);
}

/// A plan whose JSON was changed and whose checksum fits, as another build might write it.
fn resealed(plan: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(plan).expect("JSON");
    change(&mut value);
    let fields = value.as_object_mut().expect("an object");
    fields.shift_remove("blake3");
    let sum = blake3::hash(value.to_string().as_bytes()).to_hex().to_string();
    value["blake3"] = sum.into();
    value.to_string()
}

#[test]
fn plans() {
    let mut t = Table::new();
    let plan = t.project.text("plan.json");
    let changed = |change: fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&plan).expect("JSON");
        change(&mut value);
        value.to_string()
    };
    let sealed = |change: fn(&mut Value)| resealed(&plan, change);
    let edited = "cannot be used: it was changed after it was compiled";
    let cases: Vec<(&str, String, &str)> = vec![
        ("empty", String::new(), "'x.json' is no plan"),
        ("no JSON", "layer x".into(), "'x.json' is no plan"),
        ("an empty object", "{}".into(), "'x.json' is no plan"),
        ("a list", "[]".into(), "'x.json' is no plan"),
        ("a number", "1".into(), "'x.json' is no plan"),
        ("a huge number", r#"{"version": 1e999}"#.into(), "'x.json' is no plan"),
        ("10,000 lists", "[".repeat(10_000), "'x.json' is no plan"),
        (
            "a newer version",
            plan.replacen("\"version\": 2", "\"version\": 3", 1),
            "[E0903]: 'x.json' has plan version 3",
        ),
        ("a negative version", r#"{"version": -1}"#.into(), "'x.json' is no plan"),
        ("a version in words", r#"{"version": "one"}"#.into(), "'x.json' is no plan"),
        ("a version alone", r#"{"version": 2}"#.into(), "it has no checksum"),
        ("a wrong shape", changed(|p| p["params"][0]["shape"][1] = 7.into()), edited),
        ("a huge shape", changed(|p| p["params"][0]["shape"][1] = u64::MAX.into()), edited),
        ("an attribute of another kind", changed(|p| p["nodes"][1]["attrs"] = serde_json::json!({"p": "x"})), edited),
        ("an input after its node", changed(|p| p["nodes"][1]["inputs"] = serde_json::json!([9999])), edited),
        ("another seed", changed(|p| p["train"]["seed"] = 2.into()), edited),
        ("no checksum", changed(|p| drop(p.as_object_mut().map(|o| o.shift_remove("blake3")))), "it has no checksum"),
        ("an unknown operation", sealed(|p| p["nodes"][1]["op"] = "nope".into()), "this build has no operation 'nope'"),
        ("a later input", sealed(|p| p["nodes"][1]["inputs"] = serde_json::json!([1])), "names an earlier node"),
        (
            "a node too far",
            sealed(|p| p["tasks"][0]["on"][0]["label"] = 9999.into()),
            "'kind' names a node of number 9999",
        ),
        (
            "a data set too far",
            sealed(|p| p["tasks"][0]["on"][0]["data"] = 5.into()),
            "'kind' names a data set of number 5",
        ),
        (
            "a joined node too far",
            sealed(|p| p["joined"] = serde_json::json!([[0, 9999]])),
            "'joined' names a node of number 9999",
        ),
        ("a space too far", sealed(|p| p["tasks"][0]["space"] = 9.into()), "'kind' names a label space of number 9"),
        (
            "a task too far",
            sealed(|p| p["train"]["stages"][0]["tasks"] = serde_json::json!([9])),
            "'first' names a task",
        ),
        ("no stage", sealed(|p| p["train"]["stages"] = serde_json::json!([])), "it has no stage"),
        (
            "a missing key",
            sealed(|p| drop(p.as_object_mut().map(|o| o.shift_remove("params")))),
            "missing field `params`",
        ),
        ("a key of another kind", sealed(|p| p["nodes"] = "x".into()), "'x.json' is no plan"),
        ("other labels", sealed(|p| p["space_sizes"][0] = 9.into()), "labels or words differ"),
    ];
    for (name, text, gist) in cases {
        t.write("x.json", text);
        t.fails(name, "run x.json --out made", 1, gist);
        t.note(name, t.project.path("made").exists().then(|| "a run was made".into()));
    }
    for share in 1..10 {
        t.write("x.json", &plan[..plan.len() * share / 10]);
        t.fails(&format!("cut to {share} tenths"), "compile x.json", 1, "'x.json' is no plan");
    }
    t.write("x.json", b"{\"version\": \"\xff\"}");
    t.fails("no UTF-8", "run x.json", 1, "cannot read 'x.json'");
    t.fails("missing", "run no.json", 1, "cannot read 'no.json'");
    t.fails("a const of a plan", "run plan.json --set width=3", 1, "[E0909]: '--set width=3'");
    t.fails("a pass of a plan", "run plan.json --no-pass fusion", 1, "[E0909]: '--no-pass fusion'");
    let compact = serde_json::from_str::<Value>(&plan).expect("JSON").to_string();
    t.write("x.json", compact);
    t.works("formatted otherwise", "compile x.json", None);
    t.finish(60);
}

/// A safetensors file with its header changed.
fn with_header(model: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let size = u64::from_le_bytes(model[..8].try_into().expect("eight bytes")) as usize;
    let mut header: Value = serde_json::from_slice(&model[8..8 + size]).expect("JSON");
    change(&mut header);
    let text = header.to_string();
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &model[8 + size..]].concat()
}

fn plain(header: &mut Value) {
    header.as_object_mut().map(|h| h.shift_remove("__metadata__"));
}

#[test]
fn runs() {
    let mut t = Table::new();
    std::fs::create_dir(t.project.path("hollow")).expect("a folder");
    for (name, run) in [("missing", "nowhere"), ("a file", "in.txt"), ("empty", "hollow"), ("other files", "data")] {
        for line in [format!("eval {run}"), format!("predict {run}"), format!("run small.mtl --out {run} --resume")] {
            t.fails(name, &line, 1, run);
        }
    }
    let model = t.project.read("r/model.safetensors");
    let names: Value = serde_json::from_str(&t.project.text("r/vocabularies.json")).expect("JSON");
    let fewer = |key: &str, list: &str| {
        let mut names = names.clone();
        names[key][0][list].as_array_mut().expect("a list").pop();
        names.to_string().into_bytes()
    };
    let half = |file: &str| {
        let bytes = t.project.read(&format!("r/{file}"));
        bytes[..bytes.len() / 2].to_vec()
    };
    let mut nan = with_header(&model, plain);
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut flipped = model.clone();
    flipped[model.len() - 2] ^= 1;
    let bias = "kind.head.bias";
    // What is broken, by what it is replaced with, nothing removing it; and whether the run can go on.
    let cases: Vec<(&str, &str, Option<Vec<u8>>, bool)> = vec![
        ("version.json", "removed", None, false),
        ("version.json", "empty", Some(vec![]), false),
        ("version.json", "newer", Some(br#"{"mtlc": "9.0.0", "layout": 2, "plan": 3}"#.to_vec()), false),
        ("version.json", "cut", Some(half("version.json")), false),
        ("version.json", "no UTF-8", Some(b"\xff".to_vec()), false),
        ("plan.json", "removed", None, false),
        ("plan.json", "empty", Some(vec![]), false),
        ("plan.json", "cut", Some(half("plan.json")), false),
        ("plan.json", "an object", Some(b"{}".to_vec()), false),
        ("plan.json", "changed", Some(t.project.text("r/plan.json").replacen("24", "25", 1).into()), false),
        ("vocabularies.json", "removed", None, true),
        ("vocabularies.json", "empty", Some(vec![]), true),
        ("vocabularies.json", "cut", Some(half("vocabularies.json")), true),
        ("vocabularies.json", "an object", Some(b"{}".to_vec()), true),
        ("vocabularies.json", "a label less", Some(fewer("spaces", "labels")), true),
        ("vocabularies.json", "a word less", Some(fewer("vocabs", "words")), true),
        ("model.safetensors", "removed", None, true),
        ("model.safetensors", "empty", Some(vec![]), true),
        ("model.safetensors", "cut", Some(half("model.safetensors")), true),
        ("model.safetensors", "a byte changed", Some(flipped), true),
        ("model.safetensors", "no safetensors", Some(b"PK\x03\x04 a pickle".to_vec()), true),
        ("model.safetensors", "a huge header", Some(u64::MAX.to_le_bytes().to_vec()), true),
        ("model.safetensors", "NaN", Some(nan), true),
        (
            "model.safetensors",
            "another shape",
            Some(with_header(&model, |h| h[bias]["shape"] = serde_json::json!([2, 1]))),
            true,
        ),
        (
            "model.safetensors",
            "another name",
            Some(with_header(&model, |h| h[bias] = h["tags.head.bias"].clone())),
            true,
        ),
        ("model.safetensors", "whole numbers", Some(with_header(&model, |h| h[bias]["dtype"] = "I32".into())), true),
    ];
    for (file, how, bytes, goes_on) in cases {
        let name = format!("{file} {how}");
        t.project.copy("r", "w");
        match bytes {
            Some(bytes) => t.write(&format!("w/{file}"), bytes),
            None => std::fs::remove_file(t.project.path(&format!("w/{file}"))).expect("removed"),
        }
        t.fails(&name, "eval w", 1, "w");
        t.fails(&name, "predict w in.txt", 1, "w");
        if goes_on {
            t.works(&name, "run small.mtl --out w --resume", None);
            let same = t.project.result("w") == t.project.result("r");
            t.note(&name, (!same).then(|| "other bits after --resume".into()));
        } else {
            t.fails(&name, "run small.mtl --out w --resume", 1, "w");
        }
    }
    for bytes in [None, Some("{"), Some("[1]")] {
        t.project.copy("r", "w");
        match bytes {
            Some(bytes) => t.write("w/data.json", bytes),
            None => std::fs::remove_file(t.project.path("w/data.json")).expect("removed"),
        }
        t.fails("checksums of the data", "run small.mtl --out w --resume", 1, "w/data.json");
    }
    let mut plain_model = with_header(&model, plain);
    t.project.copy("r", "w");
    t.write("w/model.safetensors", &plain_model);
    t.works("a model without a checksum", "eval w", None);
    plain_model.push(0);
    t.write("w/model.safetensors", &plain_model);
    t.fails("a byte too many", "eval w", 1, "w/model.safetensors");
    t.project.copy("r", "w");
    std::fs::remove_dir_all(t.project.path("w/checkpoints")).expect("removed");
    t.works("no checkpoints", "run small.mtl --out w --resume", None);
    t.fails("eval without data", "eval r --data hollow", 1, "train.tsv");
    t.fails("an unknown split", "eval r --split nope", 2, "--split");
    t.finish(100);
}

#[test]
fn texts_to_predict() {
    let mut t = Table::new();
    type Text<'a> = (&'a str, &'a [u8], &'a str, Result<usize, &'a str>);
    let cases: Vec<Text<'_>> = vec![
        ("empty", b"", "text", Ok(0)),
        ("empty", b"", "jsonl", Ok(0)),
        ("empty", b"", "conll", Ok(0)),
        ("a blank line between", b"red\n\ncat\n", "text", Ok(3)),
        ("no last line break", b"red\ncat", "text", Ok(2)),
        ("CRLF", b"red\r\ncat\r\n", "text", Ok(2)),
        ("a byte order mark", b"\xef\xbb\xbfred\n", "text", Ok(1)),
        ("words never seen", "感情 😀\n".as_bytes(), "text", Ok(1)),
        ("no UTF-8", b"fine\na \xff b\n", "text", Err("`x` line 2: byte 3 (0xFF) is not UTF-8")),
        ("no UTF-8", b"{\"text\": \"\xff\"}\n", "jsonl", Err("`x` line 1")),
        ("no JSON", b"{\"text\": \"a\"}\n{oops\n", "jsonl", Err("`x` line 2: not JSON")),
        ("text as JSON", b"red cat\n", "jsonl", Err("`x` line 1: not JSON")),
        ("a list", b"[1]\n", "jsonl", Err("`x` line 1")),
        ("without the field", b"{\"a\": 1}\n", "jsonl", Err("`x` line 1: field 'text' is missing")),
        ("an object for a text", b"{\"text\": {}}\n", "jsonl", Err("`x` line 1")),
        ("null for a text", b"{\"text\": null}\n", "jsonl", Err("`x` line 1")),
        ("deep JSON", &[b'['; 5000], "jsonl", Err("`x` line 1")),
        ("half a gzip", b"\x1f\x8b\x08\x00", "text", Err("cannot read `x`")),
    ];
    for (name, bytes, format, wanted) in cases {
        t.write("x", bytes);
        let line = format!("predict r x --format {format}");
        match wanted {
            Ok(lines) => t.works(name, &line, Some(lines)),
            Err(gist) => t.fails(name, &line, 1, gist),
        }
    }
    t.write("x", "red ".repeat(5_000));
    t.works("a long line", "predict r x", Some(1));
    t.fails("a missing file", "predict r no.txt", 1, "cannot read 'no.txt'");
    t.fails("a folder", "predict r data", 1, "cannot read `data`");
    t.fails("an unknown task", "predict r in.txt --tasks kind,nope", 1, "the run has no task 'nope'");
    t.fails("no task", "predict r in.txt --tasks ,", 1, "the run has no task ''");
    t.fails("an unknown format", "predict r in.txt --format xml", 2, "--format");
    t.fails("no examples at a time", "predict r in.txt --batch 0", 2, "--batch");
    t.finish(25);
}

#[test]
fn flags() {
    let mut t = Table::new();
    let cases: &[(&str, &str, i32, &str)] = &[
        ("an unknown command", "unknown", 2, "unrecognized subcommand 'unknown'"),
        ("an unknown flag", "run small.mtl --nope", 2, "--nope"),
        ("no program", "run", 2, "<FILE>"),
        ("a flag twice", "run small.mtl --seed 1 --seed 2", 2, "--seed"),
        ("quiet and verbose", "check small.mtl -q -v", 2, "--quiet"),
        ("an unknown const", "run small.mtl --set widht=3", 1, "did you mean 'width'?"),
        ("a word for a number", "run small.mtl --set width=wide", 1, "--set width=wide"),
        ("a fraction for a whole number", "run small.mtl --set width=1.5", 1, "--set width=1.5"),
        ("a const without a value", "run small.mtl --set width", 1, "'--set width' gives no value"),
        ("a const without a name", "run small.mtl --set =3", 1, "'--set =3' gives no value"),
        ("a const of nothing", "run small.mtl --set width=", 1, "--set width="),
        ("a huge const", "compile small.mtl --set width=99999999999", 1, "99999999999"),
        ("a const beyond 64 bits", "compile small.mtl --set width=99999999999999999999", 1, "--set width="),
        ("no epochs", "run small.mtl --epochs 0", 2, "--epochs"),
        ("epochs in words", "run small.mtl --epochs two", 2, "--epochs"),
        ("a negative seed", "run small.mtl --seed=-1", 2, "--seed"),
        ("a seed beyond 64 bits", "run small.mtl --seed 18446744073709551616", 2, "--seed"),
        ("a device of another build", "run small.mtl --device cuda:0", 1, "cannot use the device 'cuda:0'"),
        ("a device of another build", "run small.mtl --device metal", 1, "cannot use the device 'metal'"),
        ("no device", "run small.mtl --device nonsense", 1, "there is no device 'nonsense'"),
        ("no number of a device", "run small.mtl --device cuda:x", 1, "there is no device 'cuda:x'"),
        ("a run at a file", "run small.mtl --out in.txt", 1, "`in.txt` cannot be written"),
        ("a run below a file", "run small.mtl --out in.txt/r", 1, "`in.txt/r` cannot be written"),
        ("a run over another", "run small.mtl --out r", 1, "`r` is not empty"),
        ("a run among other files", "run small.mtl --out data", 1, "`data` is not empty"),
        ("nothing to resume", "run small.mtl --resume", 1, "`runs/small` is no run"),
        ("a plan below a file", "compile small.mtl -o in.txt/p.json", 1, "`in.txt/p.json` cannot be written"),
        ("a plan at a folder", "compile small.mtl -o data", 1, "`data` cannot be written"),
        ("a plan in no folder", "compile small.mtl -o no/p.json", 1, "`no/p.json` cannot be written"),
        ("an unknown picture", "compile small.mtl --emit png", 2, "--emit"),
        ("an unknown format", "check small.mtl --format xml", 2, "--format"),
        ("an unknown colour", "--color blue check small.mtl", 2, "--color"),
        ("an unknown code", "explain E0000", 1, "there is no diagnostic 'E0000'"),
        ("an unknown shell", "completions nosh", 2, "<SHELL>"),
        ("a project that is there", "new data", 1, "'data' is there already"),
        ("a project above", "new ..", 1, "'..'"),
        ("a project below a file", "new in.txt/x", 1, "cannot write 'in.txt/x"),
        ("a project with a dot", "new a.b", 1, "'a.b' is no name"),
    ];
    for (name, line, code, gist) in cases {
        t.fails(name, line, *code, gist);
    }
    let made = t.project.path("runs").exists();
    t.note("nothing is left", made.then(|| "a run folder was made by a command that failed".into()));
    t.finish(39);
}

/// `mtlc` with files of at most so many blocks of 512 bytes, as on a disk without room.
fn cramped(project: &Project, blocks: usize, line: &str) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {} {line}", env!("CARGO_BIN_EXE_mtlc"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(project.root()).env("NO_COLOR", "1");
    command.env("MTLC_CHECKPOINT_SECONDS", "0").output().expect("a shell")
}

/// The file that the one message names, relative to the run.
fn file_met(output: &Output, out: &str) -> Option<String> {
    let said = said(output);
    Some(said.split('`').nth(1)?.trim_start_matches(&format!("{out}/")).to_string())
}

const NARROW: &str = "run small.mtl --set width=4";

#[test]
fn no_room_for_files() {
    let mut t = Table::new();
    t.works("with room", &format!("{NARROW} --out wide"), None);
    let wanted = t.project.result("wide");
    let mut met: Vec<String> = Vec::new();
    for blocks in (0..600).step_by(10) {
        let (name, out) = (format!("{blocks} blocks"), format!("small-{blocks}"));
        let output = cramped(&t.project, blocks, &format!("{NARROW} --out {out}"));
        if output.status.success() {
            break;
        }
        t.note(&name, complaint(&output, 1, "File too large"));
        met.extend(file_met(&output, &out));
        let begun = t.project.path(&out).join("version.json").exists();
        t.works(&name, &format!("{NARROW} --out {out}{}", if begun { " --resume" } else { "" }), None);
        t.note(&name, (t.project.result(&out) != wanted).then(|| "other bits after --resume".into()));
    }
    // Now with all checkpoints written: what comes after training has no room.
    for blocks in (2..100).step_by(10) {
        let (name, out) = (format!("{blocks} blocks at the end"), "end");
        t.project.copy("wide", out);
        for file in ["model.safetensors", "weights.safetensors", "results.json", "report.html"] {
            std::fs::remove_file(t.project.path(&format!("{out}/{file}"))).expect("removed");
        }
        let before = contents(&t.project.path("wide/checkpoints"));
        let output = cramped(&t.project, blocks, &format!("{NARROW} --out {out} --resume"));
        if output.status.success() {
            break;
        }
        t.note(&name, complaint(&output, 1, "File too large"));
        met.extend(file_met(&output, out));
        let lost = contents(&t.project.path("end/checkpoints")) != before;
        t.note(&name, lost.then(|| "a checkpoint is gone".into()));
        t.works(&name, &format!("{NARROW} --out {out} --resume"), None);
        t.note(&name, (t.project.result(out) != wanted).then(|| "other bits".into()));
    }
    for file in ["version.json", "vocabularies.json", "plan.json", "checkpoints/", "report.html"] {
        t.note(file, (!met.iter().any(|m| m.starts_with(file))).then(|| format!("never met: {met:?}")));
    }
    t.finish(35);
}

/// A file system of our own that fills up, then grows; it is gone with the shell. Needs root.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_loses_nothing() {
    let mut t = Table::new();
    let wanted = t.project.result("r");
    let mtlc = env!("CARGO_BIN_EXE_mtlc");
    let mount = "mkdir -p disk; mount -t tmpfs -o size=$0 tmpfs disk";
    let alone = |script: &str, size: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, size]).current_dir(t.project.root()).env("NO_COLOR", "1");
        command.output()
    };
    if !alone(mount, "16k").is_ok_and(|output| output.status.success()) {
        return eprintln!("no file system can be mounted here: not tested");
    }
    let script = format!(
        "{mount}; rm -rf saved; mkdir saved; {mtlc} run small.mtl --out disk/r; echo $? > code; \
         mount -o remount,size=64m disk; if [ -s disk/r/version.json ]; then on=--resume; else on=; fi; \
         {mtlc} run small.mtl --out disk/r $on 2> again; cp disk/r/model.safetensors disk/r/results.json saved"
    );
    let (mut notes, mut full) = (Vec::new(), 0);
    for size in ["16k", "48k", "128k", "256k", "384k", "512k", "768k"] {
        let said = said(&alone(&script, size).expect("a shell"));
        let failed = t.project.text("code").trim() != "0";
        full += usize::from(failed);
        let one = said.matches("error[").count() == 1 && said.contains("[E0904]") && said.contains("No space left");
        let fine = !said.contains("panicked") && if failed { one } else { !said.contains("error[") };
        notes.push((size, (!fine).then(|| said.clone())));
        let saved = t.project.path("saved/results.json").exists() && t.project.result("saved") == wanted;
        notes.push((size, (!saved).then(|| format!("other bits after --resume: {}", t.project.text("again")))));
    }
    notes.push(("full", (full < 3).then(|| format!("only {full} were full"))));
    notes.into_iter().for_each(|(name, complaint)| t.note(name, complaint));
    t.finish(15);
}

/// Where nothing can be written. Only ever opened, or named through a link: a command that
/// replaced it would break the machine.
#[cfg(target_os = "linux")]
fn full() -> std::fs::File {
    std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device")
}

#[test]
#[cfg(target_os = "linux")]
fn no_room_for_what_is_printed() {
    let mut t = Table::new();
    let lines = [
        "check small.mtl --format json",
        "check small.mtl --format sarif",
        "compile small.mtl",
        "compile small.mtl --emit ast",
        "compile small.mtl --emit types",
        "compile small.mtl --emit graph",
        "compile small.mtl --emit plan",
        "compile small.mtl --emit dot",
        "compile small.mtl --emit svg",
        "compile small.mtl --emit mermaid",
        "run small.mtl --out printed",
        "eval r",
        "eval r --json",
        "predict r in.txt",
        "explain E0101",
        "reference",
        "completions bash",
    ];
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let output = t.project.mtlc(&words).stdout(full()).output().expect("mtlc starts");
        t.note(line, complaint(&output, 1, "`<stdout>` cannot be written: No space left on device"));
    }
    let report = t.project.path("printed/report.html").exists();
    t.note("the report", (!report).then(|| "a run whose figures cannot be printed has no report".into()));
    for (line, code) in [("check no.mtl", 1), ("check small.mtl", 0), ("run small.mtl --out quiet", 0), ("eval no", 1)]
    {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = t.project.mtlc(&words).stderr(full()).output().expect("mtlc starts").status;
        let fine = ended.code() == Some(code);
        t.note(line, (!fine).then(|| format!("with a full error stream it ended with {ended}")));
    }
    t.project.copy("r", "w");
    std::fs::remove_file(t.project.path("w/metrics.jsonl")).expect("removed");
    std::fs::create_dir(t.project.path("w/metrics.jsonl")).expect("a folder");
    t.fails("the log", "run small.mtl --out w --resume", 1, "`w/metrics.jsonl` cannot be written");
    std::os::unix::fs::symlink("/dev/full", t.project.path("link")).expect("a link");
    t.fails("a plan", "compile small.mtl -o link", 1, "`link` cannot be written: No space left on device");
    let kept = std::fs::symlink_metadata(t.project.path("link")).expect("it is there").file_type().is_symlink();
    t.note("the device", (!kept).then(|| "it was replaced".into()));
    t.finish(24);
}
