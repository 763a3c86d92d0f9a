//! Renderings of diagnostics: text for people, JSON and SARIF for programs.

use super::Diagnostic;

/// Sorts by place, and drops what stands twice.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
    diagnostics.dedup_by(|a, b| a.span == b.span && a.code == b.code && a.message == b.message);
}
