//! Changes of texts, as the editor takes them.

use std::collections::{BTreeMap, HashMap};

use gen_lsp_types as lsp;

use super::view::View;
use crate::source::Span;

/// A new text for a place.
pub type Change = (Span, String);

/// Changes of any files of a program.
pub fn workspace(view: &View<'_>, changes: Vec<Change>, versioned: bool) -> lsp::WorkspaceEdit {
    let mut files: BTreeMap<lsp::Uri, Vec<lsp::TextEdit>> = BTreeMap::new();
    for (span, new_text) in changes {
        if let Some(lsp::Location { uri, range }) = view.location(span) {
            files.entry(uri).or_default().push(lsp::TextEdit { range, new_text });
        }
    }
    if !versioned {
        let changes: HashMap<_, _> = files.into_iter().collect();
        return lsp::WorkspaceEdit { changes: Some(changes), ..Default::default() };
    }
    let changes = files.into_iter().map(|(uri, edits)| versioned_edit(view, uri, edits)).collect();
    lsp::WorkspaceEdit { document_changes: Some(changes), ..Default::default() }
}

fn versioned_edit(view: &View<'_>, uri: lsp::Uri, edits: Vec<lsp::TextEdit>) -> lsp::DocumentChange {
    let open = view.workspace.documents.get(&super::documents::path_of(&uri));
    let text_document = lsp::OptionalVersionedTextDocumentIdentifier {
        version: open.map(|d| d.version),
        text_document_identifier: lsp::TextDocumentIdentifier { uri },
    };
    let edits = edits.into_iter().map(lsp::Edit::TextEdit).collect();
    lsp::DocumentChange::TextDocumentEdit(lsp::TextDocumentEdit { text_document, edits })
}
