//! How long the server takes from the end of a typing pause to the diagnostics of a program of
//! 2,000 lines, how long to an answer about a text that has just changed, and what memory it holds
//! over 10,000 edits (or as many as the variable EDITS says).

mod large;

use std::path::Path;

use criterion::{Criterion, criterion_group};
use lsp_server::{Connection, Message, Notification, Request, RequestId};
use serde_json::{Value, json};

const LINES: usize = 2_000;

/// An editor with one open program, in which a letter too many is typed behind the name of a layer
/// and taken out again in turns.
struct Editor {
    connection: Connection,
    uri: String,
    line: usize,
    column: usize,
    version: i32,
}

impl Editor {
    /// Opens a program in a server that does not wait for a pause.
    fn open() -> Self {
        let text = large::program(LINES);
        let line = text.lines().position(|l| l.ends_with("|> reader")).expect("a use of 'reader'");
        let column = text.lines().nth(line).map_or(0, str::len);
        let (server, connection) = Connection::memory();
        std::thread::spawn(move || mtlc::lsp::serve(server));
        let file = std::env::temp_dir().join("large.mtl");
        let uri = url::Url::from_file_path(file).expect("a path").to_string();
        let mut editor = Self { connection, uri, line, column, version: 1 };
        editor.ask("initialize", json!({ "capabilities": {}, "initializationOptions": { "pause": 0 } }));
        editor.tell("initialized", json!({}));
        let document = json!({ "uri": editor.uri, "languageId": "mtl", "version": 1, "text": text });
        editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
        assert_eq!(editor.published(), 0, "the program is right");
        editor
    }

    fn tell(&self, method: &str, params: Value) {
        self.connection.sender.send(Notification::new(method.into(), params).into()).expect("a server");
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = RequestId::from(self.version);
        self.connection.sender.send(Request::new(id, method.into(), params).into()).expect("a server");
        loop {
            if let Message::Response(r) = self.connection.receiver.recv().expect("a server") {
                return r.response_result.expect("an answer");
            }
        }
    }

    /// Waits for diagnostics, and counts them.
    fn published(&self) -> usize {
        loop {
            if let Message::Notification(n) = self.connection.receiver.recv().expect("a server")
                && n.method == "textDocument/publishDiagnostics"
            {
                return n.params["diagnostics"].as_array().map_or(0, Vec::len);
            }
        }
    }

    /// Types the letter, or takes it out; whether the program is wrong now.
    fn edit(&mut self) -> bool {
        let wrong = self.version % 2 == 1;
        let at = |column: usize| json!({ "line": self.line, "character": column });
        let end = if wrong { self.column } else { self.column + 1 };
        let change =
            json!([{ "range": { "start": at(self.column), "end": at(end) }, "text": if wrong { "x" } else { "" } }]);
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": change }));
        wrong
    }

    fn edit_and_wait(&mut self) {
        let wrong = self.edit();
        assert_eq!(self.published(), usize::from(wrong));
    }

    fn edit_and_hover(&mut self) -> Value {
        self.edit();
        let position = json!({ "line": self.line, "character": 4 });
        self.ask("textDocument/hover", json!({ "textDocument": { "uri": self.uri }, "position": position }))
    }
}

fn answers(c: &mut Criterion) {
    let mut editor = Editor::open();
    let mut group = c.benchmark_group("lsp");
    group.sample_size(50);
    group.bench_function(format!("an edit to its diagnostics, {LINES} lines"), |b| b.iter(|| editor.edit_and_wait()));
    group.bench_function(format!("an edit to a hover, {LINES} lines"), |b| b.iter(|| editor.edit_and_hover()));
    group.finish();
}

/// Resident memory now, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// Processor time of all threads until now, in ticks of 10 ms.
fn ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let words = stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2);
    words.filter_map(|n| n.parse::<f64>().ok()).sum()
}

/// What is resident after each tenth of the edits, and the processor time of one.
fn memory() {
    let edits = std::env::var("EDITS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut editor = Editor::open();
    print!("resident, in MiB, over {edits} edits: {:.1}", resident());
    let before = ticks();
    for n in 1..=edits {
        editor.edit_and_wait();
        if n % (edits / 10).max(1) == 0 {
            print!(" {:.1}", resident());
        }
    }
    println!("; {:.1} ms of processor time an edit", (ticks() - before) * 10.0 / edits as f64);
}

criterion_group!(benches, answers);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // Only where it is asked for by name, or nothing is.
    if std::env::args().skip(1).all(|word| word == "--bench" || word == "memory") {
        memory();
    }
}
