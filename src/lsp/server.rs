//! The loop: messages in their order, and checking when typing pauses.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gen_lsp_types as lsp;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde_json::Value;

use super::dispatch;
use super::initialize::{self, Client};
use super::workspace::Workspace;

/// How long typing pauses before a program is checked, when the editor does not say.
pub const PAUSE: Duration = Duration::from_millis(120);

/// A server and what it knows.
pub struct Server {
    /// Texts and programs.
    pub workspace: Workspace,
    /// What the editor can do.
    pub client: Client,
    connection: Connection,
    /// What came and is not answered yet.
    waiting: VecDeque<Message>,
    /// When to check what was typed.
    due: Option<Instant>,
    published: BTreeMap<PathBuf, Vec<lsp::Diagnostic>>,
    shut_down: bool,
}

/// Serves an editor until it leaves; whether it said goodbye as it should.
pub fn serve(connection: Connection) -> bool {
    let Ok((id, params)) = connection.initialize_start() else { return false };
    let client = Client::new(&params);
    let hello = initialize::result(&client);
    if connection.initialize_finish(id, hello).is_err() {
        return false;
    }
    let mut server = Server {
        workspace: Workspace::default(),
        client,
        connection,
        waiting: VecDeque::new(),
        due: None,
        published: BTreeMap::new(),
        shut_down: false,
    };
    if server.client.watches {
        server.send(initialize::watch());
    }
    server.run()
}

impl Server {
    fn run(&mut self) -> bool {
        while let Some(message) = self.next() {
            match message {
                Message::Request(request) => self.request(request),
                Message::Notification(n) if n.method == "exit" => return self.shut_down,
                Message::Notification(n) => self.notified(n),
                Message::Response(_) => {}
            }
        }
        false
    }

    /// The next message; until it comes, what is due is done.
    fn next(&mut self) -> Option<Message> {
        loop {
            self.waiting.extend(self.connection.receiver.try_iter());
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            let Some(due) = self.due else { return self.connection.receiver.recv().ok() };
            match self.connection.receiver.recv_deadline(due) {
                Ok(message) => return Some(message),
                Err(e) if e.is_disconnected() => return None,
                Err(_) => self.guard("checking", |server| server.publish()).unwrap_or_default(),
            }
        }
    }

    /// Does something; a panic in it is a mistake of mtlc, and the server lives on.
    fn guard<T>(&mut self, what: &str, act: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| act(self)));
        if done.is_err() {
            self.due = None;
            let message = format!("mtlc made a mistake in {what}; please report it");
            self.notify("window/logMessage", lsp::LogMessageParams { kind: lsp::MessageType::Error, message });
        }
        done.ok()
    }

    fn request(&mut self, request: Request) {
        let id = request.id.clone();
        if self.is_cancelled(&id) {
            return self.send(Response::new_err(id, ErrorCode::RequestCanceled as i32, "cancelled".into()));
        }
        if self.shut_down {
            let message = "the server was shut down".to_string();
            return self.send(Response::new_err(id, ErrorCode::InvalidRequest as i32, message));
        }
        if request.method == "shutdown" {
            self.shut_down = true;
            return self.send(Response::new_ok(id, ()));
        }
        let method = request.method.clone();
        let response = self.guard(&method, |server| dispatch::answer(server, request)).unwrap_or_else(|| {
            let message = format!("mtlc made a mistake in {method}; please report it");
            Response::new_err(id, ErrorCode::InternalError as i32, message)
        });
        self.send(response);
    }

    /// Whether the editor took a request back while it waited.
    fn is_cancelled(&mut self, id: &RequestId) -> bool {
        self.waiting.extend(self.connection.receiver.try_iter());
        let takes_back = |m: &Message| match m {
            Message::Notification(n) if n.method == "$/cancelRequest" => {
                n.params.get("id").cloned().and_then(|v| serde_json::from_value::<RequestId>(v).ok()).as_ref()
                    == Some(id)
            }
            _ => false,
        };
        self.waiting.iter().any(takes_back)
    }

    fn notified(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        let done = self.guard(&method, |server| dispatch::take(server, &method, params));
        if let Some(Err(e)) = done {
            let message = format!("'{method}' cannot be read: {e}");
            self.notify("window/logMessage", lsp::LogMessageParams { kind: lsp::MessageType::Warning, message });
        }
    }

    /// A text was typed in: it is checked when typing pauses.
    pub fn typed(&mut self) {
        self.due = Some(Instant::now() + self.client.pause);
    }

    /// Checks what has changed, and publishes what is wrong now and was not before.
    pub fn publish(&mut self) {
        self.due = None;
        self.workspace.settle();
        let now = super::diagnostics::all(&self.workspace);
        let gone = self.published.keys().filter(|path| !now.contains_key(*path)).cloned();
        let changes: Vec<(PathBuf, Vec<lsp::Diagnostic>)> = gone
            .map(|path| (path, Vec::new()))
            .chain(now.iter().filter(|(p, d)| self.published.get(*p) != Some(d)).map(|(p, d)| (p.clone(), d.clone())))
            .collect();
        for (path, diagnostics) in changes {
            let Some(uri) = self.workspace.documents.uri_of(&path) else { continue };
            let version = self.workspace.documents.get(&path).map(|d| d.version);
            let params = lsp::PublishDiagnosticsParams { uri, version, diagnostics };
            self.notify("textDocument/publishDiagnostics", params);
        }
        self.published = now;
        self.workspace.tidy();
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: impl serde::Serialize) {
        self.send(Notification::new(method.into(), serde_json::to_value(params).unwrap_or(Value::Null)));
    }

    /// Sends a message; when nobody is there to read it, the loop ends soon.
    fn send(&self, message: impl Into<Message>) {
        let _ = self.connection.sender.send(message.into());
    }
}
