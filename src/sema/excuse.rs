//! What follows from one mistake is not said as several.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::diagnostics::{Diagnostic, codes};
use crate::source::{SourceMap, Span};

/// From so many places on, a name that nothing declares is one mistake: of what should declare it.
const MANY: usize = 3;

/// Leaves out, or says in one, what follows from other mistakes.
pub(super) fn all(diagnostics: &mut Vec<Diagnostic>, sources: &SourceMap) {
    unread(diagnostics);
    unclosed(diagnostics);
    misspelt(diagnostics, sources);
    unknown_in_many_places(diagnostics);
}

/// Drops unknown names when a file could not be read, which may declare them; a name that looks
/// misspelt stays.
fn unread(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.iter().any(|d| d.code == codes::BAD_USE) {
        diagnostics.retain(|d| d.code != codes::UNKNOWN_NAME || d.fix.is_some());
    }
}

/// Drops what follows from a block that is never closed: the items after it stand inside it, and so
/// in the wrong place, unknown outside, or read by what they read.
fn unclosed(diagnostics: &mut Vec<Diagnostic>) {
    let unclosed = diagnostics.iter().filter(|d| d.code == codes::UNCLOSED);
    let Some(from) = unclosed.filter_map(|d| d.span).min_by_key(|s| s.start) else { return };
    let follows = |d: &Diagnostic| {
        let by_place = [codes::MISPLACED, codes::CYCLE, codes::UNKNOWN_NAME].contains(&d.code);
        by_place && d.fix.is_none() && d.span.is_some_and(|s| s.file == from.file && s.start > from.start)
    };
    diagnostics.retain(|d| !follows(d));
}

/// Drops that nothing uses an item, when a name that nothing declares is near its own.
fn misspelt(diagnostics: &mut Vec<Diagnostic>, sources: &SourceMap) {
    let unknown = diagnostics.iter().filter(|d| d.code == codes::UNKNOWN_NAME);
    let near: FxHashSet<String> = unknown.filter_map(|d| Some(d.fix.as_ref()?.replacement.clone())).collect();
    let meant = |d: &Diagnostic| d.code == codes::UNUSED && d.span.is_some_and(|s| near.contains(sources.text(s)));
    diagnostics.retain(|d| !meant(d));
}

/// Says once that nothing declares a name, with the other places, where it stands in many.
fn unknown_in_many_places(diagnostics: &mut Vec<Diagnostic>) {
    let mut places: FxHashMap<String, Vec<Span>> = FxHashMap::default();
    for d in diagnostics.iter().filter(|d| d.code == codes::UNKNOWN_NAME) {
        places.entry(d.message.clone()).or_default().extend(d.span);
    }
    places.retain(|_, spans| spans.len() >= MANY);
    places.values_mut().for_each(|spans| spans.sort_by_key(|s| (s.file, s.start)));
    diagnostics.retain_mut(|d| match places.get(&d.message) {
        Some(spans) if d.code == codes::UNKNOWN_NAME => d.span == spans.first().copied() && tell(d, spans),
        _ => true,
    });
}

/// Adds the other places of an unknown name; one place's fix would leave the others.
fn tell(d: &mut Diagnostic, spans: &[Span]) -> bool {
    d.fix = None;
    let others = spans.iter().skip(1).map(|s| d.clone().also(*s, "and here").labels);
    d.labels = others.filter_map(|mut l| l.pop()).collect();
    true
}
