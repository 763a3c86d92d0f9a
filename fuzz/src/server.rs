//! A program being typed in an editor that asks the server everything, everywhere.

use lsp_server::{Connection, Message, Notification, Request, RequestId};
use serde_json::{Value, json};

/// The one program that is open.
const URI: &str = "file:///a.mtl";

/// What is asked at a place.
const AT: &[&str] = &[
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/documentHighlight",
    "textDocument/signatureHelp",
    "textDocument/prepareRename",
    "textDocument/completion",
];

/// What is asked of a whole program.
const WHOLE: &[&str] = &[
    "textDocument/documentSymbol",
    "textDocument/formatting",
    "textDocument/foldingRange",
    "textDocument/semanticTokens/full",
    "textDocument/codeLens",
    "mtlc/taskGraph",
];

/// What people type.
const WORDS: &[&str] = &[
    "",
    " ",
    "\n",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "=",
    ".",
    "|>",
    "|",
    "\"",
    "//",
    "a",
    "x",
    "1",
    "-",
    "+",
    "*",
    "->",
    "let ",
    "task ",
    "layer ",
    "train {",
    "field ",
    "for d in [a] {",
    "use \"b.mtl\"",
    "10% of train",
    "感",
    "𝄞",
    "\r\n",
];

/// A program being typed: the bytes are a text, a zero, and edits of three bytes and a word each.
/// The server never makes a mistake, answers each request, and gives places in the text.
pub fn edits(bytes: &[u8]) {
    let (text, edits) = match bytes.iter().position(|b| *b == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    let mut editor = Editor::open(&String::from_utf8_lossy(text));
    editor.look(0);
    for edit in edits.chunks(4).take(8) {
        let byte = |i: usize| usize::from(edit.get(i).copied().unwrap_or(0));
        let from = editor.boundary((byte(0) << 8 | byte(1)) % (editor.text.len() + 1));
        let to = editor.boundary((from + byte(2) % 8).min(editor.text.len()));
        editor.replace(from, to.max(from), WORDS[byte(3) % WORDS.len()]);
        editor.look(from);
    }
    editor.leave();
}

struct Editor {
    connection: Connection,
    server: std::thread::JoinHandle<bool>,
    text: String,
    asked: i32,
}

impl Editor {
    fn open(text: &str) -> Self {
        let (server, connection) = Connection::memory();
        let server = std::thread::spawn(move || mtlc::lsp::serve(server));
        let mut editor = Self { connection, server, text: text.to_owned(), asked: 0 };
        editor.ask("initialize", json!({ "capabilities": {} }));
        editor.tell("initialized", json!({}));
        let document = json!({ "uri": URI, "languageId": "mtl", "version": 0, "text": text });
        editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
        editor
    }

    /// Asks everything at a place of the text.
    fn look(&mut self, at: usize) {
        let (document, position) = (json!({ "uri": URI }), self.position(at));
        for method in AT {
            self.ask(method, json!({ "textDocument": document, "position": position }));
        }
        for method in WHOLE {
            self.ask(method, json!({ "textDocument": document }));
        }
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": self.position(self.text.len()) });
        let context = json!({ "diagnostics": [] });
        self.ask("textDocument/inlayHint", json!({ "textDocument": document, "range": range }));
        self.ask("textDocument/codeAction", json!({ "textDocument": document, "range": range, "context": context }));
        let named = json!({ "textDocument": document, "position": position, "newName": "renamed" });
        self.ask("textDocument/rename", named);
        let context = json!({ "includeDeclaration": true });
        let of = json!({ "textDocument": document, "position": position, "context": context });
        self.ask("textDocument/references", of);
    }

    fn replace(&mut self, from: usize, to: usize, word: &str) {
        let range = json!({ "start": self.position(from), "end": self.position(to) });
        self.text.replace_range(from..to, word);
        let document = json!({ "uri": URI, "version": self.asked });
        let changes = json!([{ "range": range, "text": word }]);
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// The line and, in UTF-16, the column of a byte.
    fn position(&self, at: usize) -> Value {
        let before = &self.text[..at];
        let (line, start) = lines(before);
        json!({ "line": line, "character": before[start..].encode_utf16().count() })
    }

    /// The last place up to `at` where an editor's cursor may stand.
    fn boundary(&self, mut at: usize) -> usize {
        let inside = |at: usize| self.text[..at].ends_with('\r') && self.text[at..].starts_with('\n');
        while !self.text.is_char_boundary(at) || inside(at) {
            at -= 1;
        }
        at
    }

    fn tell(&self, method: &str, params: Value) {
        self.connection.sender.send(Notification::new(method.into(), params).into()).expect("a server");
    }

    /// Asks, waits for the answer, and looks at the places in it.
    fn ask(&mut self, method: &str, params: Value) {
        self.asked += 1;
        let id = RequestId::from(self.asked);
        self.connection.sender.send(Request::new(id.clone(), method.into(), params).into()).expect("a server");
        loop {
            match self.connection.receiver.recv().expect("an answer") {
                Message::Response(r) if r.id == id => {
                    return match r.response_result {
                        Ok(answer) => self.places(&answer),
                        Err(e) => assert!(!e.message.contains("please report"), "{method}: {}", e.message),
                    };
                }
                Message::Notification(n) => {
                    let params = n.params.to_string();
                    assert!(!params.contains("please report"), "{params}");
                }
                _ => {}
            }
        }
    }

    /// Each position in an answer is a place in the text.
    fn places(&self, answer: &Value) {
        match answer {
            Value::Object(map) => {
                let number = |key: &str| map.get(key).and_then(Value::as_u64);
                if let (Some(line), Some(character)) = (number("line"), number("character")) {
                    assert!(self.holds(line as usize, character as usize), "{line}:{character} is not in the text");
                }
                map.values().for_each(|v| self.places(v));
            }
            Value::Array(list) => list.iter().for_each(|v| self.places(v)),
            _ => {}
        }
    }

    fn holds(&self, line: usize, character: usize) -> bool {
        let found = self.text.replace("\r\n", "\n").replace('\r', "\n");
        let width = found.split('\n').nth(line).map(|l| l.encode_utf16().count());
        // The end of a text may be given as the line after its last.
        width.map_or(character == 0 && line == found.split('\n').count(), |width| character <= width)
    }

    fn leave(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert!(self.server.join().expect("no mistake"), "left in disorder");
    }
}

/// How many lines end in a text, and where its last begins.
fn lines(text: &str) -> (usize, usize) {
    let (mut line, mut start) = (0, 0);
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' || (*byte == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
            (line, start) = (line + 1, i + 1);
        }
    }
    (line, start)
}
