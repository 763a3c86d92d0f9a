//! Renaming: everywhere at once, and only where nothing else changes its meaning.

use gen_lsp_types as lsp;
use lsp_server::ErrorCode;

use super::dispatch::{Answer, refuse};
use super::edits::Change;
use super::goto::places;
use super::view::View;
use crate::ops;
use crate::sema::references::{Def, DefId, DefKind, References, Target, Use};
use crate::source::Span;
use crate::syntax::KEYWORDS;
use crate::syntax::ast::{Field, Item, ItemKind};

/// What would be renamed, or why it cannot be.
pub fn prepare(view: &View<'_>, at: u32) -> Answer<lsp::PrepareRenamePlaceholder> {
    let (span, defs) = named(view, at)?;
    if let Some(why) = tied(view, &defs) {
        return refuse(ErrorCode::RequestFailed, why);
    }
    let placeholder = view.sources().text(span).to_string();
    Ok(lsp::PrepareRenamePlaceholder { range: view.range(span), placeholder })
}

/// The changes that give the name at a byte another one.
pub fn rename(view: &View<'_>, at: u32, new: &str) -> Answer<Vec<Change>> {
    let (span, defs) = named(view, at)?;
    let old = view.sources().text(span).to_string();
    let problem =
        tied(view, &defs).or_else(|| invalid(new)).or_else(|| if new == old { None } else { clash(view, &defs, new) });
    if let Some(why) = problem {
        return refuse(ErrorCode::RequestFailed, why);
    }
    let mut changes: Vec<Change> = places(view, &defs, true).into_iter().map(|s| (s, new.to_string())).collect();
    changes.extend(columns(view, &defs, &old));
    Ok(changes)
}

/// The name at a byte, with all declarations that share it.
fn named(view: &View<'_>, at: u32) -> Answer<(Span, Vec<DefId>)> {
    let references = view.references();
    let defs = references.together(&references.defs_at(view.file, at));
    let used = references.use_at(view.file, at).filter(|u| matches!(u.target, Target::Defs(_))).map(|u| u.span);
    let span = used.or_else(|| references.def_at(view.file, at).map(|d| references.def(d).span));
    match span {
        Some(span) if !defs.is_empty() => Ok((span, defs)),
        _ => refuse(ErrorCode::RequestFailed, "nothing here can be renamed"),
    }
}

/// Why a name cannot change: its text stands in strings, through the name of a `for`.
fn tied(view: &View<'_>, defs: &[DefId]) -> Option<String> {
    let references = view.references();
    let in_string =
        |u: &Use| view.sources().text(Span { start: u.span.start.saturating_sub(1), ..u.span }).starts_with('{');
    let loops = references.all().filter(|(_, d)| d.kind == DefKind::Loop);
    let spelled = loops.into_iter().any(|(id, _)| references.uses_of(id).any(in_string));
    let word =
        defs.iter().any(|d| references.def(*d).kind != DefKind::Loop && references.uses_of(*d).any(|u| u.spelled));
    let name = &references.def(*defs.first()?).name;
    (spelled && word).then(|| format!("'{name}' is also a word of a `for`, which strings may spell; rename it by hand"))
}

fn invalid(new: &str) -> Option<String> {
    let mut chars = new.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !begins || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some(format!("'{new}' is no name: a name is made of letters, digits and `_`"));
    }
    let taken = KEYWORDS.contains(&new) || matches!(new, "true" | "false");
    taken.then(|| format!("'{new}' is a word of the language"))
}

/// What already has the name, or would come to mean what is renamed.
fn clash(view: &View<'_>, defs: &[DefId], new: &str) -> Option<String> {
    let references = view.references();
    let other = references
        .all()
        .find(|(id, d)| d.name == new && !defs.contains(id) && defs.iter().any(|mine| meets(references, *mine, *id)));
    if let Some((_, def)) = other {
        let place = view.sources().place(def.span.file, def.span.start);
        let path = view.sources().file(def.span.file).path.file_name().unwrap_or_default().to_string_lossy();
        return Some(format!("'{new}' is declared already, at {path}:{}:{}", place.line + 1, place.column + 1));
    }
    let own_space = |d: &DefId| matches!(references.def(*d).kind, DefKind::Field | DefKind::Stage);
    let captured = references.uses.iter().find(|u| is_free(u) && view.sources().text(u.span) == new);
    captured.filter(|_| !defs.iter().all(own_space)).map(|u| match u.target {
        Target::Signature(_) => format!("the program uses the built-in '{new}', which the new name would hide"),
        _ => format!("the program uses the word '{new}', which the new name would change"),
    })
}

/// Whether a use means what it means only as long as no declaration has its name.
fn is_free(u: &Use) -> bool {
    match u.target {
        Target::Signature(s) => ops::find(s.name).is_some_and(|op| std::ptr::eq(op.signature(), s)),
        Target::Word => u.spelled,
        _ => false,
    }
}

/// Whether two declarations of one name would be confused.
fn meets(references: &References, mine: DefId, other: DefId) -> bool {
    let (a, b) = (references.def(mine), references.def(other));
    let spaces = |d: &Def| match d.kind {
        DefKind::Field => 1,
        DefKind::Stage => 2,
        _ => 0,
    };
    if spaces(a) != spaces(b) {
        return false;
    }
    if a.kind == DefKind::Field {
        return a.owner == b.owner;
    }
    let stands_in = |id: DefId, scope: Span| {
        references
            .uses_of(id)
            .any(|u| u.span.file == scope.file && scope.start <= u.span.start && u.span.end <= scope.end)
    };
    match (a.scope, b.scope) {
        (None, None) => true,
        (Some(a), Some(b)) => a.file == b.file && a.start < b.end && b.start < a.end,
        (Some(scope), None) => stands_in(other, scope),
        (None, Some(scope)) => stands_in(mine, scope),
    }
}

/// A field that says no column is read from the one of its own name: it goes on reading that.
fn columns(view: &View<'_>, defs: &[DefId], old: &str) -> Vec<Change> {
    let fields = defs.iter().map(|d| view.references().def(*d)).filter(|d| d.kind == DefKind::Field);
    let trees = || view.program.checked.files.iter();
    let declared = fields.filter_map(|d| trees().find_map(|f| field_at(&f.ast.items, d.span)));
    let unsaid = declared.filter(|f| f.sources.is_empty() && f.template.is_none());
    unsaid.map(|f| (Span { start: f.ty_span.end, ..f.ty_span }, format!(" from \"{old}\""))).collect()
}

fn field_at(items: &[Item], name: Span) -> Option<&Field> {
    items.iter().find_map(|item| match &item.kind {
        ItemKind::Data(d) => d.fields.iter().find(|f| f.name.span == name),
        ItemKind::For(f) => field_at(&f.items, name),
        _ => None,
    })
}
