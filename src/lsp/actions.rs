//! Quick fixes: the changes that diagnostics bring along.

use gen_lsp_types as lsp;

use super::diagnostics::shown;
use super::edits;
use super::view::View;
use crate::diagnostics::{Diagnostic, Fix};

/// The fixes of what is wrong in a range.
pub fn actions(view: &View<'_>, params: &lsp::CodeActionParams, versioned: bool) -> Vec<lsp::CodeAction> {
    let wanted = |kinds: &Vec<lsp::CodeActionKind>| {
        kinds.iter().any(|k| matches!(k, lsp::CodeActionKind::QuickFix | lsp::CodeActionKind::Empty))
    };
    if params.context.only.as_ref().is_some_and(|kinds| !wanted(kinds)) {
        return Vec::new();
    }
    let span = view.span(params.range);
    let here =
        |d: &&Diagnostic| d.span.is_some_and(|s| s.file == view.file && s.start <= span.end && span.start <= s.end);
    let found = view.program.checked.diagnostics.iter().filter(here);
    found.filter_map(|d| Some(action(view, d, d.fix.as_ref()?, versioned))).collect()
}

fn action(view: &View<'_>, d: &Diagnostic, fix: &Fix, versioned: bool) -> lsp::CodeAction {
    let change = vec![(fix.span, fix.replacement.clone())];
    lsp::CodeAction {
        title: title(view, fix),
        kind: Some(lsp::CodeActionKind::QuickFix),
        diagnostics: Some(vec![shown(view.workspace, view.program, d)]),
        is_preferred: Some(true),
        edit: Some(edits::workspace(view, change, versioned)),
        ..Default::default()
    }
}

/// What a fix does: its own words, unless they are a question.
fn title(view: &View<'_>, fix: &Fix) -> String {
    if !fix.message.ends_with('?') {
        return fix.message.clone();
    }
    let old = view.sources().text(fix.span);
    format!("replace `{old}` with `{}`", fix.replacement)
}
