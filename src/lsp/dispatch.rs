//! Which message is answered where.

use gen_lsp_types as lsp;
use lsp_server::{ErrorCode, Request, Response, ResponseError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::documents::path_of;
use super::server::Server;
use super::view::View;
use super::{
    actions, completion, edits, folding, format, goto, highlight, hints, hover, lens, picture, rename, signature,
    symbols,
};

/// An answer, or why there is none.
pub type Answer<T> = Result<T, ResponseError>;

/// An answer that says why there is none.
pub fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Answer<T> {
    Err(ResponseError { code: code as i32, message: message.into(), data: None })
}

/// Answers a request.
pub fn answer(server: &mut Server, request: Request) -> Response {
    let Request { id, method, params } = request;
    match route(server, &method, params) {
        Ok(value) => Response { id, response_result: Ok(value) },
        Err(error) => Response { id, response_result: Err(error) },
    }
}

fn route(server: &mut Server, method: &str, params: Value) -> Answer<Value> {
    match method {
        "textDocument/hover" => at(server, params, hover::hover),
        "textDocument/definition" => at(server, params, goto::definition),
        "textDocument/documentHighlight" => at(server, params, goto::highlights),
        "textDocument/signatureHelp" => at(server, params, signature::help),
        "textDocument/prepareRename" => at(server, params, |v, at| rename::prepare(v, at).map(Some)),
        "textDocument/references" => of(server, params, |v, p: lsp::ReferenceParams| {
            let at = v.offset(p.text_document_position_params.position);
            goto::references(v, at, p.context.include_declaration)
        }),
        "textDocument/rename" => {
            let versioned = server.client.versioned_edits;
            of(server, params, |v, p: lsp::RenameParams| {
                let at = v.offset(p.text_document_position_params.position);
                rename::rename(v, at, &p.new_name).map(|edits| edits::workspace(v, edits, versioned))
            })
        }
        "textDocument/completion" => {
            let snippets = server.client.snippets;
            at(server, params, |v, at| completion::complete(v, at, snippets))
        }
        "textDocument/codeAction" => {
            let versioned = server.client.versioned_edits;
            of(server, params, |v, p: lsp::CodeActionParams| Ok(actions::actions(v, &p, versioned)))
        }
        "textDocument/inlayHint" => of(server, params, |v, p: lsp::InlayHintParams| Ok(hints::hints(v, p.range))),
        "textDocument/documentSymbol" => whole(server, params, symbols::symbols),
        "textDocument/formatting" => whole(server, params, format::format),
        "textDocument/foldingRange" => whole(server, params, folding::folds),
        "textDocument/semanticTokens/full" => whole(server, params, highlight::tokens),
        "textDocument/codeLens" => whole(server, params, lens::lenses),
        "mtlc/taskGraph" => whole(server, params, picture::task_graph),
        _ => refuse(ErrorCode::MethodNotFound, format!("there is no method '{method}'")),
    }
}

/// Answers about a file.
fn of<P: DeserializeOwned, T: Serialize>(
    server: &mut Server,
    params: Value,
    act: impl FnOnce(&View<'_>, P) -> Answer<T>,
) -> Answer<Value> {
    let unread = |e: serde_json::Error| ResponseError {
        code: ErrorCode::InvalidParams as i32,
        message: format!("the parameters cannot be read: {e}"),
        data: None,
    };
    let uri = params.pointer("/textDocument/uri").cloned().unwrap_or(Value::Null);
    let uri: lsp::Uri = serde_json::from_value(uri).map_err(unread)?;
    let params: P = serde_json::from_value(params).map_err(unread)?;
    server.workspace.settle();
    let Some(view) = server.workspace.view(&uri) else {
        return refuse(ErrorCode::InvalidParams, format!("'{uri}' is not open"));
    };
    let result = act(&view, params)?;
    serde_json::to_value(result).map_err(unread)
}

/// Answers about a place in a file.
fn at<T: Serialize>(
    server: &mut Server,
    params: Value,
    act: impl FnOnce(&View<'_>, u32) -> Answer<Option<T>>,
) -> Answer<Value> {
    of(server, params, |view, p: lsp::TextDocumentPositionParams| act(view, view.offset(p.position)))
}

/// Answers about all of a file.
fn whole<T: Serialize>(server: &mut Server, params: Value, act: impl FnOnce(&View<'_>) -> T) -> Answer<Value> {
    of(server, params, |view, _: Value| Ok(act(view)))
}

/// Takes a notification; what it does not know it leaves alone.
pub fn take(server: &mut Server, method: &str, params: Value) -> Result<(), serde_json::Error> {
    match method {
        "textDocument/didOpen" => {
            let lsp::TextDocumentItem { uri, version, text, .. } =
                serde_json::from_value::<lsp::DidOpenTextDocumentParams>(params)?.text_document;
            let path = server.workspace.documents.open(uri, version, &text);
            server.workspace.touch(&path);
            server.publish();
        }
        "textDocument/didChange" => {
            let p: lsp::DidChangeTextDocumentParams = serde_json::from_value(params)?;
            let (uri, version) = (p.text_document.text_document_identifier.uri, p.text_document.version);
            if let Some(path) = server.workspace.documents.change(&uri, version, &p.content_changes) {
                server.workspace.touch(&path);
                server.typed();
            }
        }
        "textDocument/didClose" => {
            let p: lsp::DidCloseTextDocumentParams = serde_json::from_value(params)?;
            if let Some(path) = server.workspace.documents.close(&p.text_document.uri) {
                server.workspace.touch(&path);
                server.publish();
            }
        }
        "textDocument/didSave" => server.publish(),
        "workspace/didChangeWatchedFiles" => {
            let p: lsp::DidChangeWatchedFilesParams = serde_json::from_value(params)?;
            for change in &p.changes {
                server.workspace.touch(&path_of(&change.uri));
            }
            server.publish();
        }
        _ => {}
    }
    Ok(())
}
