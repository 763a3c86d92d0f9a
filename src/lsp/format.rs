//! Formatting, as the changes that lead to the canonical layout.

use gen_lsp_types as lsp;
use similar::{DiffOp, TextDiff};

use super::view::{View, range};
use crate::fmt;
use crate::source::Span;

/// The changes of lines that format a file.
pub fn format(view: &View<'_>) -> Vec<lsp::TextEdit> {
    let old = view.text();
    let new = fmt::format(old).text;
    let diff = TextDiff::from_lines(old, &new);
    let (old, new) = (starts(diff.old_slices()), starts(diff.new_slices()));
    let text: String = diff.new_slices().concat();
    let changed = diff.ops().iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let edit = |op: &DiffOp| {
        let (from, to) = (op.old_range(), op.new_range());
        let span = Span::new(view.file, old[from.start], old[from.end]);
        lsp::TextEdit { range: range(view.sources(), span), new_text: text[new[to.start]..new[to.end]].to_string() }
    };
    changed.map(edit).collect()
}

/// Where each line begins, and where the last ends.
fn starts(lines: &[&str]) -> Vec<usize> {
    let mut starts = vec![0];
    for line in lines {
        starts.push(starts[starts.len() - 1] + line.len());
    }
    starts
}
