//! The handshake: what the editor can do, and what the server can.

use std::time::Duration;

use gen_lsp_types as lsp;
use lsp_server::Request;
use serde_json::{Value, json};

use super::highlight;
use super::server::PAUSE;

/// What the editor can do, and wants.
#[derive(Clone, Debug)]
pub struct Client {
    /// How long typing pauses before a program is checked.
    pub pause: Duration,
    /// Whether files can be watched.
    pub watches: bool,
    /// Whether edits of several files may name their versions.
    pub versioned_edits: bool,
    /// Whether completions may have places to fill in.
    pub snippets: bool,
}

impl Client {
    /// Reads what an `initialize` request says.
    pub fn new(params: &Value) -> Self {
        let able = |path: &str| params.pointer(&format!("/capabilities/{path}")) == Some(&Value::Bool(true));
        let pause = params.pointer("/initializationOptions/pause").and_then(Value::as_u64);
        Self {
            pause: pause.map_or(PAUSE, |ms| Duration::from_millis(ms.min(10_000))),
            watches: able("workspace/didChangeWatchedFiles/dynamicRegistration"),
            versioned_edits: able("workspace/workspaceEdit/documentChanges"),
            snippets: able("textDocument/completion/completionItem/snippetSupport"),
        }
    }
}

/// The answer to `initialize`.
pub fn result(_: &Client) -> Value {
    let info = lsp::ServerInfo { name: "mtlc".into(), version: Some(env!("CARGO_PKG_VERSION").into()) };
    let capabilities = serde_json::to_value(capabilities()).unwrap_or(Value::Null);
    json!({ "capabilities": capabilities, "serverInfo": info })
}

fn capabilities() -> lsp::ServerCapabilities {
    let words = |text: &str| Some(text.chars().map(String::from).collect());
    lsp::ServerCapabilities {
        position_encoding: Some(lsp::PositionEncodingKind::UTF16),
        text_document_sync: Some(lsp::TextDocumentSync::Options(lsp::TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(lsp::TextDocumentSyncKind::Incremental),
            save: Some(lsp::Save::Bool(true)),
            ..Default::default()
        })),
        hover_provider: Some(true.into()),
        definition_provider: Some(true.into()),
        references_provider: Some(true.into()),
        document_highlight_provider: Some(true.into()),
        document_symbol_provider: Some(true.into()),
        document_formatting_provider: Some(true.into()),
        folding_range_provider: Some(true.into()),
        inlay_hint_provider: Some(true.into()),
        completion_provider: Some(lsp::CompletionOptions {
            trigger_characters: words(".\"/(|>:{["),
            ..Default::default()
        }),
        signature_help_provider: Some(lsp::SignatureHelpOptions {
            trigger_characters: words("(,"),
            ..Default::default()
        }),
        rename_provider: Some(lsp::RenameProvider::RenameOptions(lsp::RenameOptions {
            prepare_provider: Some(true),
            ..Default::default()
        })),
        code_action_provider: Some(lsp::CodeActionProvider::CodeActionOptions(lsp::CodeActionOptions {
            code_action_kinds: Some(vec![lsp::CodeActionKind::QuickFix]),
            ..Default::default()
        })),
        code_lens_provider: Some(lsp::CodeLensOptions::default()),
        semantic_tokens_provider: Some(lsp::SemanticTokensProvider::SemanticTokensOptions(
            lsp::SemanticTokensOptions {
                legend: highlight::legend(),
                range: None,
                full: Some(lsp::Full::Bool(true)),
                work_done_progress_options: Default::default(),
            },
        )),
        experimental: Some(json!({ "taskGraph": true })),
        ..Default::default()
    }
}

/// Asks the editor to tell of changed programs.
pub fn watch() -> Request {
    let options = json!({ "watchers": [{ "globPattern": "**/*.mtl" }] });
    let watched = json!({ "id": "mtl", "method": "workspace/didChangeWatchedFiles", "registerOptions": options });
    Request::new("watch".to_string().into(), "client/registerCapability".into(), json!({ "registrations": [watched] }))
}
