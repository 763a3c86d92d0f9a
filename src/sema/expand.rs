//! What stands inside a `for`, a layer or a recipe is checked once for each member and each use.
//! A mistake there is said once, with the place that it was expanded from.

use rustc_hash::{FxHashMap, FxHashSet};

use super::call::{Reported, Scope};
use super::checker::Checker;
use super::symbols::Symbol;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;

/// The label at the member of a `for` that shows a mistake.
const MEMBER: &str = "for this member";

impl<'a> Checker<'a> {
    /// Reports a mistake.
    pub fn error(&mut self, diagnostic: Diagnostic) -> Reported {
        let diagnostic = match diagnostic.span.and_then(|at| self.member_at(at)) {
            Some(member) => labelled(diagnostic, member, MEMBER),
            None => diagnostic,
        };
        self.diagnostics.push(diagnostic);
        Reported
    }

    /// Reports a mistake made inside a layer or recipe, with the places that applied it.
    pub fn error_in(&mut self, scope: &Scope<'a>, mut diagnostic: Diagnostic) -> Reported {
        if let [outer, .., inner] = scope.applied.as_slice() {
            diagnostic = labelled(diagnostic, *inner, "applied here");
            diagnostic = labelled(diagnostic, *outer, "and that here");
        } else if let [only] = scope.applied.as_slice() {
            diagnostic = labelled(diagnostic, *only, "applied here");
        }
        self.error(diagnostic)
    }

    /// Checks a member of an item; mistakes in the item are mistakes of this member.
    pub(super) fn as_member<T>(&mut self, symbol: &Symbol<'a>, member: usize, check: impl FnOnce(&mut Self) -> T) -> T {
        self.expanding = symbol.member_at(member).map(|at| (symbol.item.span, at));
        let checked = check(self);
        self.expanding = None;
        checked
    }

    /// The member, in the list of its `for`, that is being checked where `at` stands.
    fn member_at(&self, at: Span) -> Option<Span> {
        let open = self.stack.iter().rev().filter_map(|(key, _)| {
            let symbol = self.symbols.by_name.get(key.name)?;
            Some((symbol.item.span, symbol.member_at(key.member)?))
        });
        open.chain(self.expanding).find(|(item, _)| item.contains(at)).map(|(_, member)| member)
    }
}

/// The diagnostic with one more place, if that is another one than those it has.
fn labelled(diagnostic: Diagnostic, at: Span, message: &str) -> Diagnostic {
    if diagnostic.span == Some(at) || diagnostic.labels.iter().any(|l| l.span == at) {
        return diagnostic;
    }
    diagnostic.also(at, message)
}

/// Keeps one of the diagnostics that a family, or a layer applied in several places, gives at one
/// place: they differ only in the member or data set that they show.
pub(super) fn once_for_all_members(diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: FxHashSet<(Code, Span)> = FxHashSet::default();
    let mut members: FxHashMap<(Code, Span), Option<Span>> = FxHashMap::default();
    diagnostics.retain(|d| {
        let Some(span) = d.span else { return true };
        let member = d.labels.iter().find(|l| l.message == MEMBER).map(|l| l.span);
        let same_member = *members.entry((d.code, span)).or_insert(member) == member;
        let shows_types = ["E04", "E05", "E06", "W06"].iter().any(|phase| d.code.0.starts_with(phase));
        same_member && (seen.insert((d.code, span)) || !shows_types)
    });
}
