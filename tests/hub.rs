//! Encoders from the hub, against a server on this machine that speaks its protocol.
#![cfg(all(feature = "train", feature = "hub"))]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server is asked, and whether it breaks off in the middle of the weights.
#[derive(Default)]
struct State {
    asked: Vec<String>,
    breaks: bool,
}

/// The hub, with one model: `org/tiny`, on branch `main`.
struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pretrained/bert")
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let (own, shared) = (address.clone(), state.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, shared) = (own.clone(), shared.clone());
                std::thread::spawn(move || answer(stream, &own, &shared));
            }
        });
        Self { address, state }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("the state").asked)
    }

    fn breaks(&self, breaks: bool) {
        self.state.lock().expect("the state").breaks = breaks;
    }
}

/// Answers one request: files of the model by `resolve/REVISION/NAME`, the weights by way of
/// another address as large files are, 404 for anything else.
fn answer(mut stream: TcpStream, own: &str, state: &Mutex<State>) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let mut range = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = value.trim().strip_prefix("bytes=").map(str::to_owned);
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    let breaks = {
        let mut state = state.lock().expect("the state");
        state.asked.push(path.clone());
        state.breaks
    };
    let file = ["main", COMMIT].iter().find_map(|r| path.strip_prefix(&format!("/org/tiny/resolve/{r}/")));
    let (name, is_far) = match (file, path.strip_prefix("/far/")) {
        (Some(name), _) => (name, false),
        (None, Some(name)) => (name, true),
        _ => ("", false),
    };
    let bytes = std::fs::read(fixture().join(name))
        .ok()
        .filter(|_| ["config.json", "tokenizer.json", "model.safetensors"].contains(&name));
    let Some(bytes) = bytes else {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    };
    let tag = format!("etag-of-{}", name.replace('.', "-"));
    if name == "model.safetensors" && !is_far {
        let head = format!(
            "HTTP/1.1 302 Found\r\nLocation: {own}/far/{name}\r\nX-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{tag}\"\r\n\
             X-Linked-Size: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            bytes.len()
        );
        let _ = stream.write_all(head.as_bytes());
        return;
    }
    let (from, to) = range.as_deref().and_then(|r| r.split_once('-')).unwrap_or(("0", ""));
    let from: usize = from.parse().unwrap_or(0);
    let to = to.parse::<usize>().map_or(bytes.len(), |to| (to + 1).min(bytes.len())).max(from);
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: \"{tag}\"\r\nX-Repo-Commit: {COMMIT}\r\nAccept-Ranges: bytes\r\n\
         Content-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        to.saturating_sub(1),
        bytes.len(),
        to - from
    );
    let part = &bytes[from..to];
    let part = if breaks && part.len() > 1000 { &part[..part.len() / 2] } else { part };
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(part));
}

/// A program that reads the model, with its data and a cache of its own.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(call: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lines =
            "{\"a\": \"show flights to denver\", \"c\": \"p\"}\n{\"a\": \"the fares , please\", \"c\": \"q\"}\n";
        std::fs::write(folder.path().join("d.jsonl"), lines.repeat(4)).expect("written");
        let text = format!(
            "data d {{\n  format: jsonl  train: \"d.jsonl\"\n  field a: text\n  field c: class\n}}\n\
             layer bert = {call}\ntask t: classify(d.c) = d.a |> bert |> mean_pool\ntrain {{\n  epochs: 1\n}}\n"
        );
        std::fs::write(folder.path().join("case.mtl"), text).expect("written");
        Self { folder }
    }

    fn mtlc(&self, server: &str, args: &[&str], more: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mtlc"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null()).env("NO_COLOR", "1");
        for name in [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
            "HF_TOKEN",
            "HF_HUB_CACHE",
            "HF_HUB_OFFLINE",
        ] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", server).env("HF_HOME", self.folder.path().join("hf"));
        command.envs(more.iter().copied()).output().expect("mtlc starts")
    }

    fn snapshot(&self) -> PathBuf {
        self.folder.path().join("hf/hub/models--org--tiny/snapshots").join(COMMIT)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_model_is_fetched_once_and_its_commit_kept() {
    let server = Server::start();
    let case = Case::new("pretrained(\"org/tiny\")");
    // What needs no data looks at no hub.
    let checked = case.mtlc(&server.address, &["check", "--no-data", "case.mtl"], &[]);
    assert!(checked.status.success() && server.asked().is_empty(), "{}", said(&checked));
    // Offline there is nothing yet, whoever says so.
    for (args, env) in
        [(vec!["check", "--offline", "case.mtl"], vec![]), (vec!["check", "case.mtl"], vec![("HF_HUB_OFFLINE", "1")])]
    {
        let refused = case.mtlc(&server.address, &args, &env);
        let text = said(&refused);
        assert!(
            !refused.status.success() && text.contains("E0808") && text.contains("in the cache of the hub"),
            "{text}"
        );
        assert!(text.contains("case.mtl:6:25") && server.asked().is_empty(), "{text}");
    }
    let run = case.mtlc(&server.address, &["run", "case.mtl", "--out", "one"], &[]);
    assert!(run.status.success(), "{}", said(&run));
    let asked = server.asked();
    assert!(asked.iter().any(|path| path == "/org/tiny/resolve/main/config.json"), "{asked:?}");
    assert!(asked.iter().any(|path| path == &format!("/org/tiny/resolve/{COMMIT}/model.safetensors")), "{asked:?}");
    assert!(asked.iter().any(|path| path == "/far/model.safetensors"), "{asked:?}");
    let plan = std::fs::read_to_string(case.folder.path().join("one/plan.json")).expect("a plan");
    assert!(plan.contains(&format!("\"revision\": \"{COMMIT}\"")), "the run keeps the commit");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let [was, is] = [fixture(), case.snapshot()].map(|f| std::fs::read(f.join(name)).expect("a file"));
        assert!(was == is, "{name}");
    }
    // From the cache: online, offline, and by the commit.
    for args in [["check", "case.mtl"].as_slice(), &["run", "case.mtl", "--offline", "--out", "two"]] {
        let again = case.mtlc(&server.address, args, &[]);
        assert!(again.status.success() && server.asked().is_empty(), "{}", said(&again));
    }
    let text = std::fs::read_to_string(case.folder.path().join("case.mtl")).expect("a program");
    let text = text.replace("\"org/tiny\"", &format!("\"org/tiny\", revision: \"{COMMIT}\""));
    std::fs::write(case.folder.path().join("case.mtl"), text).expect("written");
    let pinned = case.mtlc(&server.address, &["check", "--offline", "case.mtl"], &[]);
    assert!(pinned.status.success(), "{}", said(&pinned));
}

#[test]
fn what_the_hub_lacks_is_said_at_the_call() {
    let server = Server::start();
    for (call, what) in [
        ("pretrained(\"org/none\")", "there is no folder 'org/none', and the hub has no such model"),
        ("pretrained(\"org/tiny\", revision: \"v9\")", "there is no folder 'org/tiny', and the hub has no such model"),
    ] {
        let case = Case::new(call);
        let refused = case.mtlc(&server.address, &["check", "case.mtl"], &[]);
        let text = said(&refused);
        assert!(!refused.status.success() && text.contains("E0808") && text.contains(what), "{text}");
        assert!(text.contains("case.mtl:6:25") && text.contains("= help: "), "{text}");
    }
    // Nobody answers.
    let case = Case::new("pretrained(\"org/tiny\")");
    let refused = case.mtlc("http://127.0.0.1:9", &["check", "case.mtl"], &[]);
    let text = said(&refused);
    assert!(
        !refused.status.success() && text.contains("`config.json` of 'org/tiny' cannot be fetched from the hub"),
        "{text}"
    );
}

#[test]
fn a_transfer_that_breaks_off_is_an_error_and_goes_on_later() {
    let server = Server::start();
    let case = Case::new("pretrained(\"org/tiny\")");
    server.breaks(true);
    let refused = case.mtlc(&server.address, &["check", "case.mtl"], &[]);
    let text = said(&refused);
    assert!(
        !refused.status.success() && text.contains("E0808") && text.contains("cannot be fetched from the hub"),
        "{text}"
    );
    server.breaks(false);
    let again = case.mtlc(&server.address, &["check", "case.mtl"], &[]);
    assert!(again.status.success(), "{}", said(&again));
    let [was, is] = [fixture(), case.snapshot()].map(|f| std::fs::read(f.join("model.safetensors")).expect("weights"));
    assert!(was == is, "the rest was fetched where it broke off");
}
