//! A client in the same process: sends messages, waits for answers and keeps what is published.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use lsp_server::{Connection, Message, Notification, Request, RequestId, ResponseError};
use serde_json::{Value, json};

/// Where the position of a request stands in a text; it is taken out.
pub const MARK: &str = "‸";

pub struct Client {
    pub connection: Connection,
    pub folder: tempfile::TempDir,
    pub published: BTreeMap<String, Value>,
    server: Option<JoinHandle<bool>>,
    asked: i32,
    versions: BTreeMap<String, i32>,
}

impl Client {
    pub fn new() -> Self {
        Self::with(json!({
            "workspace": { "workspaceEdit": { "documentChanges": true } },
            "textDocument": { "completion": { "completionItem": { "snippetSupport": true } } },
        }))
    }

    pub fn with(capabilities: Value) -> Self {
        let (server, connection) = Connection::memory();
        let thread = std::thread::spawn(move || mtlc::lsp::serve(server));
        let mut client = Self {
            connection,
            folder: tempfile::tempdir().expect("a folder"),
            published: BTreeMap::new(),
            server: Some(thread),
            asked: 0,
            versions: BTreeMap::new(),
        };
        let params = json!({ "capabilities": capabilities, "initializationOptions": { "pause": 1 } });
        client.ask("initialize", params).expect("a server");
        client.tell("initialized", json!({}));
        client
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn uri(&self, name: &str) -> String {
        url::Url::from_file_path(self.path(name)).expect("a path").to_string()
    }

    /// Writes a file of data or a program that is not open.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    pub fn tell(&self, method: &str, params: Value) {
        self.connection.sender.send(Notification::new(method.into(), params).into()).expect("a server");
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, ResponseError> {
        self.asked += 1;
        let id = RequestId::from(self.asked);
        self.connection.sender.send(Request::new(id.clone(), method.into(), params).into()).expect("a server");
        self.answer(&id)
    }

    pub fn answer(&mut self, id: &RequestId) -> Result<Value, ResponseError> {
        loop {
            let message = self.connection.receiver.recv_timeout(Duration::from_secs(60)).expect("an answer");
            if let Message::Response(r) = &message
                && r.id == *id
            {
                return r.response_result.clone();
            }
            self.keep(message);
        }
    }

    fn keep(&mut self, message: Message) {
        if let Message::Notification(n) = message
            && n.method == "textDocument/publishDiagnostics"
        {
            let uri = n.params["uri"].as_str().expect("a name").to_string();
            self.published.insert(uri, n.params["diagnostics"].clone());
        }
    }

    /// Waits until the server has published what it has to say about a file.
    pub fn wait_for(&mut self, name: &str, so: impl Fn(&Value) -> bool) -> Value {
        let uri = self.uri(name);
        loop {
            if let Some(known) = self.published.get(&uri).filter(|d| so(d)) {
                return known.clone();
            }
            let message = self.connection.receiver.recv_timeout(Duration::from_secs(60)).expect("diagnostics");
            self.keep(message);
        }
    }

    /// Opens a text without its mark, and gives the position of the mark.
    pub fn open(&mut self, name: &str, marked: &str) -> Value {
        let (text, at) = unmark(marked);
        let document = json!({ "uri": self.uri(name), "languageId": "mtl", "version": 1, "text": text });
        self.versions.insert(name.into(), 1);
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
        at
    }

    /// Replaces a whole text.
    pub fn retype(&mut self, name: &str, marked: &str) -> Value {
        let (text, at) = unmark(marked);
        self.change(name, json!([{ "text": text }]));
        at
    }

    pub fn change(&mut self, name: &str, changes: Value) {
        let version = self.versions.get_mut(name).expect("an open text");
        *version += 1;
        let document = json!({ "uri": url::Url::from_file_path(self.folder.path().join(name)).expect("a path"), "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// Asks about a place in a file.
    pub fn at(&mut self, method: &str, name: &str, at: &Value, more: Value) -> Result<Value, ResponseError> {
        let mut params = json!({ "textDocument": { "uri": self.uri(name) }, "position": at });
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        self.ask(&format!("textDocument/{method}"), params)
    }

    /// Asks about a whole file.
    pub fn whole(&mut self, method: &str, name: &str) -> Value {
        let params = json!({ "textDocument": { "uri": self.uri(name) } });
        self.ask(method, params).expect("an answer")
    }

    /// An answer as text, without the folder of this test.
    pub fn shown(&self, value: &Value) -> String {
        let folder = url::Url::from_file_path(self.folder.path()).expect("a path").to_string();
        serde_json::to_string_pretty(value).expect("JSON").replace(&folder, "FOLDER")
    }

    /// Says goodbye; whether the server says so, too.
    pub fn leave(mut self) -> bool {
        self.ask("shutdown", Value::Null).expect("an answer");
        self.tell("exit", Value::Null);
        self.server.take().expect("a server").join().expect("a server that lives")
    }

    /// Waits for the end of a server that was sent `exit`.
    pub fn end(mut self) -> bool {
        self.server.take().expect("a server").join().expect("a server that lives")
    }
}

/// The text without its mark, and where the mark stood.
pub fn unmark(marked: &str) -> (String, Value) {
    let at = marked.find(MARK).unwrap_or(0);
    let text = marked.replacen(MARK, "", 1);
    let before = &text[..at];
    let line = before.matches('\n').count();
    let column = before[before.rfind('\n').map_or(0, |n| n + 1)..].encode_utf16().count();
    (text, json!({ "line": line, "character": column }))
}

/// A program with a bit of everything.
pub const PROGRAM: &str = r#"/// Two tasks over one reader.
data home {
  format: lines  train: "home/train"  dev: "home/dev"
  /// What is said: 感情 😀.
  field words: text from "seq.in"
  field slots: tags(words) from "seq.out"
  field intent: class from "label"
}
const width = 64
/// Reads left to right and back.
layer reader(x) = x |> embed(width) |> bilstm(width) { }
let h = home.words |> reader
task intent: classify(home.intent) = h |> mean_pool |> mlp([32])
task slots: tag(home.slots) = concat(h, intent.probs) {
  head: crf
  weight: 2.0
}
metric both = all_correct(intent, slots)
train {
  epochs: 3  optimizer: adam(lr: 1e-3)
  stage first { tasks: [intent]  freeze: [reader.bilstm] }
  stage second { after: first }
}
"#;

/// The data of [`PROGRAM`].
pub fn data(client: &Client) {
    for split in ["train", "dev"] {
        client.write(&format!("home/{split}/seq.in"), "wake me\nlights on\n");
        client.write(&format!("home/{split}/seq.out"), "O O\nB-device O\n");
        client.write(&format!("home/{split}/label"), "alarm\nlight\n");
    }
}
