//! Where a name is declared, and where it is used.

use gen_lsp_types as lsp;

use super::dispatch::Answer;
use super::view::View;
use crate::sema::references::{DefId, Target};
use crate::source::Span;

/// Where the name at a byte is declared.
pub fn definition(view: &View<'_>, at: u32) -> Answer<Option<Vec<lsp::Location>>> {
    let references = view.references();
    if let Some(Target::File(path)) = references.use_at(view.file, at).map(|u| &u.target) {
        let uri = view.workspace.documents.uri_of(path).filter(|_| view.program.has(path));
        return Ok(uri.map(|uri| vec![lsp::Location { uri, range: lsp::Range::default() }]));
    }
    let defs = references.defs_at(view.file, at);
    let places: Vec<_> = defs.iter().filter_map(|d| view.location(references.def(*d).span)).collect();
    Ok((!places.is_empty()).then_some(places))
}

/// Where the name at a byte is used and, if wanted, declared.
pub fn references(view: &View<'_>, at: u32, declared: bool) -> Answer<Option<Vec<lsp::Location>>> {
    let defs = view.references().defs_at(view.file, at);
    let places: Vec<_> = places(view, &defs, declared).into_iter().filter_map(|s| view.location(s)).collect();
    Ok((!places.is_empty()).then_some(places))
}

/// The name at a byte wherever it stands in this file.
pub fn highlights(view: &View<'_>, at: u32) -> Answer<Option<Vec<lsp::DocumentHighlight>>> {
    let references = view.references();
    let defs = references.defs_at(view.file, at);
    let is_declared = |span: Span| defs.iter().any(|d| references.def(*d).span == span);
    let here = places(view, &defs, true).into_iter().filter(|s| s.file == view.file);
    let highlight = |span| lsp::DocumentHighlight {
        range: view.range(span),
        kind: Some(match is_declared(span) {
            true => lsp::DocumentHighlightKind::Write,
            false => lsp::DocumentHighlightKind::Read,
        }),
    };
    Ok(Some(here.map(highlight).collect()))
}

/// The places of declarations and their uses, sorted.
pub fn places(view: &View<'_>, defs: &[DefId], declared: bool) -> Vec<Span> {
    let references = view.references();
    let mut places: Vec<Span> = defs.iter().flat_map(|d| references.uses_of(*d)).map(|u| u.span).collect();
    if declared {
        places.extend(defs.iter().map(|d| references.def(*d).span));
    }
    places.sort();
    places.dedup();
    places
}
