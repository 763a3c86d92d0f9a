//! A run that was killed, damaged or interrupted goes on to the same bits, or says why it cannot.
#![cfg(all(feature = "train", unix))]

#[path = "command/support.rs"]
mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::*;

/// Starts `mtlc run small.mtl --out r …` with frequent checkpoints.
fn begin(project: &Project, args: &[&str]) -> Child {
    let mut command = project.mtlc(&[&["run", "small.mtl"], args].concat());
    command.env("MTLC_CHECKPOINT_SECONDS", "0.02").stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("mtlc starts")
}

/// Goes on with a run as a user would, or begins it again where no run was made yet.
fn go_on(project: &Project, out: &str) -> Output {
    let resume = project.path(out).join("version.json").exists();
    let args = ["run", "small.mtl", "--out", out, "--resume"];
    project.run(&args[..if resume { 5 } else { 4 }])
}

/// The states of a run, the newest last.
fn states(project: &Project, out: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project.path(out).join("checkpoints")).into_iter().flatten();
    let paths = entries.map(|e| e.expect("an entry").path());
    let mut states: Vec<PathBuf> = paths.filter(|p| p.to_string_lossy().contains("step-")).collect();
    states.sort();
    states
}

/// Waits until a run has this many states.
fn wait_for_states(project: &Project, out: &str, count: usize) {
    let begun = Instant::now();
    while states(project, out).len() < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint was written");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_run_killed_at_any_moment_ends_with_the_same_bits() {
    const KILLS: usize = 20;
    let project = Project::new(400, 6);
    // The second time, the program and its data are in memory, as in the runs that follow.
    project.fine(&["run", "small.mtl", "--out", "first"]);
    let clock = Instant::now();
    let whole = begin(&project, &["--out", "whole"]).wait_with_output().expect("it ends");
    assert!(whole.status.success(), "{}", said(&whole));
    let duration = clock.elapsed();
    let wanted = project.result("whole");
    assert_eq!(wanted, project.result("first"), "checkpoints change nothing");

    let mut random = Random(20);
    let (mut before, mut midway, mut failures) = (0, 0, Vec::new());
    for kill in 0..KILLS {
        // One moment in each twentieth of the run, a little beyond its end.
        let moment = duration.mul_f64(1.05 * (kill as f64 + random.share()) / KILLS as f64);
        let out = format!("killed-{kill}");
        let mut child = begin(&project, &["--out", &out]);
        std::thread::sleep(moment);
        let _ = child.kill();
        child.wait().expect("it ends");
        match states(&project, &out).is_empty() {
            true => before += 1,
            false => midway += usize::from(!project.path(&out).join("results.json").exists()),
        }
        let resumed = go_on(&project, &out);
        if !resumed.status.success() {
            failures.push(format!("killed after {moment:?}: {}", said(&resumed)));
        } else if project.result(&out) != wanted {
            failures.push(format!("killed after {moment:?}: other bits"));
        }
    }
    assert!(failures.is_empty(), "{} of {KILLS}:\n{}", failures.len(), failures.join("\n"));
    eprintln!("a run of {duration:?}: {before} kills before its first checkpoint, {midway} before its results");
    assert!(midway > 0, "all kills hit before the first checkpoint ({before}) or after the end");
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_same_bits() {
    let project = Project::new(400, 6);
    project.fine(&["run", "small.mtl", "--out", "whole"]);
    let mut random = Random(8);
    for _ in 0..8 {
        let resume = project.path("r/version.json").exists();
        let args = ["--out", "r", "--resume"];
        let mut child = begin(&project, &args[..if resume { 3 } else { 2 }]);
        std::thread::sleep(Duration::from_millis(20 + random.below(300) as u64));
        let _ = child.kill();
        child.wait().expect("it ends");
    }
    let last = go_on(&project, "r");
    assert!(last.status.success(), "{}", said(&last));
    assert_eq!(project.result("whole"), project.result("r"));
    let left = contents(&project.path("r")).into_keys().filter(|p| {
        let name = p.file_name().expect("a name").to_string_lossy();
        name.starts_with(".part-") || name.starts_with(".writing-")
    });
    assert_eq!(left.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "nothing unfinished is left");
}

/// A run killed midway with two states, and the result that it should have.
fn half() -> (Project, (Vec<u8>, String)) {
    let project = Project::new(160, 4);
    project.fine(&["run", "small.mtl", "--out", "whole"]);
    let mut child = begin(&project, &["--out", "half"]);
    wait_for_states(&project, "half", 2);
    let _ = child.kill();
    child.wait().expect("it ends");
    let wanted = project.result("whole");
    (project, wanted)
}

/// Ways to damage a file: cut short, or with one byte changed in each of its parts.
fn damages(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let size = whole.len();
    let header = u64::from_le_bytes(whole[..8].try_into().expect("eight bytes")) as usize;
    let find = |text: &[u8]| whole.windows(text.len()).position(|w| w == text).expect("it is there");
    let cut = |n: usize| (format!("cut to {n} of {size} bytes"), whole[..n].to_vec());
    let flip = |what: &str, at: usize| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x10;
        (format!("byte {at} changed, in {what}"), bytes)
    };
    vec![
        cut(0),
        cut(5),
        cut(8 + header / 2),
        cut(8 + header),
        cut(size / 2),
        cut(size - 1),
        flip("the header's size", 1),
        flip("the header", 9),
        flip("the checksum", find(b"blake3") + 12),
        flip("the state", find(b"total_step") + 14),
        flip("the cursors", find(b"cursors") + 2),
        flip("the offsets", find(b"data_offsets") + 16),
        flip("the first tensor", 8 + header + 1),
        flip("the tensors", 8 + header + (size - header) / 2),
        flip("the last tensor", size - 1),
    ]
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let (project, wanted) = half();
    let newest = states(&project, "half").pop().expect("a state");
    let name = newest.file_name().expect("a name").to_string_lossy().into_owned();
    let whole = std::fs::read(&newest).expect("a file");
    let mut failures = Vec::new();
    for (what, bytes) in damages(&whole) {
        project.copy("half", "r");
        project.write(&format!("r/checkpoints/{name}"), bytes);
        let output = go_on(&project, "r");
        let said = said(&output);
        let warnings = said.matches("warning[W0902]").count();
        if !output.status.success() || warnings != 1 || !said.contains(&name) {
            failures.push(format!("{what}: {said}"));
        } else if project.result("r") != wanted {
            failures.push(format!("{what}: other bits"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn damage_everywhere_is_one_error_and_nothing_is_lost() {
    let (project, _) = half();
    for path in states(&project, "half") {
        std::fs::write(path, "rubbish").expect("written");
    }
    let names = || {
        let mut names: Vec<PathBuf> = contents(&project.path("half")).into_keys().collect();
        // What the killed process was about to write is no loss.
        names.retain(|name| !name.to_string_lossy().contains(".part-"));
        names
    };
    let before = names();
    let output = go_on(&project, "half");
    assert_eq!(complaint(&output, 1, "error[E0902]: the checkpoint `half/checkpoints/step-"), None);
    assert_eq!(before, names());
}

/// The command that a message gives between backquotes.
fn command_in(said: &str) -> String {
    let start = said.find("`mtlc run").unwrap_or_else(|| panic!("no command: {said}")) + 1;
    said[start..].split('`').next().unwrap_or_default().to_string()
}

/// Runs a line as a shell does, with this mtlc.
fn shell(project: &Project, line: &str) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_mtlc"));
    let folders = [binary.parent().expect("a folder").to_string_lossy().into_owned(), std::env::var("PATH").unwrap()];
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(project.root()).env("PATH", folders.join(":"));
    command.stdin(Stdio::null()).output().expect("a shell")
}

#[test]
fn ctrl_c_gives_a_command_that_ends_with_the_same_bits() {
    let project = Project::new(160, 5);
    project.copy("data", "else where/data");
    project.write("my program.mtl", project.read("small.mtl"));
    project.write("else where/data/test.tsv", project.read("data/train.tsv"));
    let cases: &[(&str, &[&str])] = &[
        ("small.mtl", &[]),
        ("small.mtl", &["--set", "width=16"]),
        ("small.mtl", &["--epochs", "4", "--seed", "7"]),
        ("small.mtl", &["--data", "else where", "--device", "cpu"]),
        ("my program.mtl", &["--set", "width = 16", "--seed", "3"]),
    ];
    for (i, (file, flags)) in cases.iter().enumerate() {
        let (whole, out) = (format!("whole {i}"), format!("it's {i}"));
        project.fine(&[&["run", file, "--out", &whole], *flags].concat());
        let mut command = project.mtlc(&[&["run", file, "--out", &out], *flags].concat());
        command.env("MTLC_CHECKPOINT_SECONDS", "0.02").stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("mtlc starts");
        wait_for_states(&project, &out, 1);
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(complaint(&output, 1, "error[E0907]: training was interrupted after"), None, "{flags:?}");
        assert!(!project.path(&out).join("results.json").exists(), "{flags:?}");
        let line = command_in(&said(&output));
        let resumed = shell(&project, &line);
        assert!(resumed.status.success(), "{line}: {}", said(&resumed));
        assert_eq!(project.result(&whole), project.result(&out), "{line}");
    }
}

#[test]
fn what_changed_is_refused_and_nothing_is_lost() {
    let (project, wanted) = half();
    let before = contents(&project.path("half"));
    let (program, train) = (project.text("small.mtl"), project.text("data/train.tsv"));
    let (test, version) = (project.text("data/test.tsv"), project.text("half/version.json"));
    let number = format!("\"mtlc\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let swap = |file: &'static str, text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{file}: {from}");
        Some((file, text.replacen(from, to, 1)))
    };
    type Change<'a> = Option<(&'a str, String)>;
    let cases: Vec<(&str, Change<'_>, &[&str], &str)> = vec![
        ("width", None, &["--set", "width=16"], "[E0910]: the run `half` was begun with something else: `params."),
        ("seed", None, &["--seed", "2"], "`train.seed` is 2 and was 1"),
        ("epochs", None, &["--epochs", "9"], "[E0910]: the run `half` was begun with something else: `train.stages."),
        ("lr", swap("small.mtl", &program, "1e-2", "2e-2"), &[], "was 0.01"),
        ("dropout", swap("small.mtl", &program, "dropout(0.3)", "dropout(0.4)"), &[], "is 0.4 and was 0.3"),
        ("a task more", swap("small.mtl", &program, "[kind]", "[kind, tags]"), &[], "[E0910]"),
        ("a line above", swap("small.mtl", &program, "data", "\ndata"), &[], "stands at another place of the text"),
        ("batch", swap("small.mtl", &program, "batch: 4", "batch: 8"), &[], "batch"),
        (
            "a train word",
            swap("data/train.tsv", &train, "cat", "dog"),
            &[],
            "the data file `data/train.tsv` has changed",
        ),
        ("a row more", swap("data/test.tsv", &test, "\n", "\nred\tno\tB-color\n"), &[], "`data/test.tsv` has changed"),
        ("other data", None, &["--data", "else"], "has changed"),
        ("newer mtlc", swap("half/version.json", &version, &number, "\"mtlc\": \"9.9.9\""), &[], "by mtlc 9.9.9"),
        ("another layout", swap("half/version.json", &version, "\"layout\": 1", "\"layout\": 9"), &[], "[E0903]"),
    ];
    project.copy("data", "else/data");
    project.write("else/data/train.tsv", train.replace("tree", "seven"));
    let mut failures = Vec::new();
    for (name, change, flags, gist) in &cases {
        let kept = change.as_ref().map(|(file, _)| (*file, project.read(file)));
        if let Some((file, text)) = change {
            project.write(file, text);
        }
        let output = project.run(&[&["run", "small.mtl", "--out", "half", "--resume"], *flags].concat());
        failures.extend(complaint(&output, 1, gist).map(|c| format!("{name}: {c}")));
        if let Some((file, bytes)) = kept {
            project.write(file, bytes);
        }
        if contents(&project.path("half")) != before {
            failures.push(format!("{name}: the run was touched"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));

    // The name of the program is free, and so is what stands after the last draw.
    project.write("renamed.mtl", format!("{program}\n// renamed\n"));
    let output = project.run(&["run", "renamed.mtl", "--out", "half", "--resume"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(project.result("half"), wanted);
}
