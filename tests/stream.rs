//! Predicting streams: in order, whole, and without waiting for input that does not come.
#![cfg(all(feature = "train", unix))]

#[path = "command/support.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use support::*;

fn trained() -> Project {
    let project = Project::new(60, 1);
    project.fine(&["run", "small.mtl", "--out", "r"]);
    project
}

fn predict(project: &Project, args: &[&str]) -> Command {
    let mut command = project.mtlc(&[&["predict", "r"], args].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Texts of which each is as long as its number says.
fn texts(count: usize) -> String {
    let words = ["red", "green", "blue", "cat", "dog"];
    let text = |i: usize| (0..=i % 13).map(|n| words[(i + n) % 5]).collect::<Vec<_>>().join(" ") + "\n";
    (0..count).map(text).collect()
}

/// Tags in each line that was predicted.
fn tags(answers: &[u8]) -> Vec<usize> {
    let count = |line: &str| {
        let answer: serde_json::Value = serde_json::from_str(line).expect("JSON");
        answer["tags"]["value"].as_array().expect("tags").len()
    };
    std::str::from_utf8(answers).expect("UTF-8").lines().map(count).collect()
}

#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    let project = trained();
    let mut child = predict(&project, &["-"]).spawn().expect("mtlc starts");
    let (mut stdin, stdout) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
    let (send, answers) = channel();
    let reading = std::thread::spawn(move || {
        BufReader::new(stdout).lines().for_each(|line| send.send(line.expect("a line")).expect("heard"));
    });
    for (text, length) in [("red cat\n", 2), ("one two three four\n", 4), ("dog\n", 1)] {
        stdin.write_all(text.as_bytes()).expect("written");
        let answer = answers.recv_timeout(Duration::from_secs(20)).expect("an answer while the pipe is open");
        assert_eq!(tags(answer.as_bytes()), [length]);
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    reading.join().expect("no panic");
    assert!(answers.recv().is_err(), "three answers");
}

#[test]
fn many_lines_are_answered_in_their_order() {
    let project = trained();
    project.write("in.txt", texts(5_000));
    let whole = predict(&project, &["in.txt"]).output().expect("it ends");
    assert!(whole.status.success(), "{}", said(&whole));
    assert_eq!(tags(&whole.stdout), (0..5_000).map(|i| 1 + i % 13).collect::<Vec<_>>());
    let again = predict(&project, &["in.txt"]).output().expect("it ends");
    assert!(whole.stdout == again.stdout, "the same bytes");
    // From a file as standard input too.
    let stdin = std::fs::File::open(project.path("in.txt")).expect("a file");
    let redirected = predict(&project, &["-"]).stdin(stdin).output().expect("it ends");
    assert!(whole.stdout == redirected.stdout, "the same bytes");
}

#[test]
fn all_lines_before_a_broken_one_are_answered() {
    let project = trained();
    for sound in [0, 1, 64, 1000] {
        project.write("in.txt", [texts(sound).as_bytes(), b"a \xff b\nfine\n"].concat());
        let output = predict(&project, &["in.txt"]).output().expect("it ends");
        let gist = format!("`in.txt` line {}: byte 3 (0xFF) is not UTF-8", sound + 1);
        assert_eq!(complaint(&output, 1, &gist), None);
        assert_eq!(tags(&output.stdout).len(), sound);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let project = trained();
    let mut child = predict(&project, &["-"]).spawn().expect("mtlc starts");
    let mut stdin = child.stdin.take().expect("stdin");
    drop(child.stdout.take());
    // The pipe of the input stays open.
    stdin.write_all(b"red cat\n").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
}
