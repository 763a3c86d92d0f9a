//! Types beside names that do not state them: of values and of what tasks predict.

use gen_lsp_types as lsp;

use super::view::{View, position};
use crate::sema::references::{Def, DefKind};
use crate::sema::symbols::SymbolKind;

/// The hints in a range.
pub fn hints(view: &View<'_>, range: lsp::Range) -> Vec<lsp::InlayHint> {
    let shown = view.span(range);
    let here = |d: &&Def| d.span.file == view.file && shown.start <= d.span.start && d.span.end <= shown.end;
    let defs = view.references().defs.iter().filter(here);
    defs.filter_map(|d| Some(hint(view, d, types(view, d)?))).collect()
}

/// The types of what is declared, as one text: the first, where members of a family differ.
fn types(view: &View<'_>, def: &Def) -> Option<String> {
    let types = match def.kind {
        DefKind::Item(SymbolKind::Let) | DefKind::Local => view.known().types_at(def.span),
        DefKind::Item(SymbolKind::Task) => predictions(view, def),
        _ => return None,
    };
    let more = if types.len() > 1 { " …" } else { "" };
    types.first().map(|t| format!("{t}{more}"))
}

fn predictions(view: &View<'_>, def: &Def) -> Vec<String> {
    let known = view.known();
    let built = known.tasks.iter().filter(|t| t.span == def.span).filter_map(|t| t.built.as_ref());
    built.map(|b| known.shown(b.label)).collect()
}

fn hint(view: &View<'_>, def: &Def, shown: String) -> lsp::InlayHint {
    // Behind the index of a family, where there is one.
    let after = &view.text()[def.span.range().end..];
    let index = if after.starts_with('[') { after.find(']').map_or(0, |i| i + 1) } else { 0 };
    let task = def.kind == DefKind::Item(SymbolKind::Task);
    let label = if task { format!(" → {shown}") } else { format!(": {shown}") };
    lsp::InlayHint {
        position: position(view.sources(), view.file, def.span.end + index as u32),
        label: lsp::Label::String(label),
        kind: Some(lsp::InlayHintKind::Type),
        text_edits: None,
        tooltip: None,
        padding_left: None,
        padding_right: None,
        data: None,
    }
}
