//! Columns. Parts of neighbouring lines that the author aligned with blanks stay aligned, and the
//! types and sources of fields always are.

use unicode_width::UnicodeWidthStr;

use super::WIDTH;
use super::lines::Line;

/// The columns of a line, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// What follows the `:` of a field, a task or a setting.
    Kind,
    /// The `=` before a value.
    Equals,
    /// `from`, or the `=` of a field.
    From,
    /// The first `|>`.
    Pipe,
    /// The `{` of a block.
    Brace,
    /// A comment at the end of a line.
    Comment,
}

impl Column {
    const ALL: [Column; 6] = [Column::Kind, Column::Equals, Column::From, Column::Pipe, Column::Brace, Column::Comment];

    /// Blanks before it where nothing is aligned.
    pub fn gap(self) -> usize {
        if self == Column::Comment { 2 } else { 1 }
    }
}

/// A place where a column may begin.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    /// Which.
    pub column: Column,
    /// Where it stood in the source; lines of one value are aligned.
    pub at: usize,
    /// Whether the author put more blanks before it than are needed.
    pub padded: bool,
}

/// The text of lines with their columns aligned and their comments put at their ends.
pub fn finish(mut lines: Vec<Line<'_>>) -> Vec<String> {
    for column in Column::ALL {
        for run in runs(&lines) {
            align_run(&mut lines[run], column);
        }
    }
    lines.into_iter().map(|line| line.text).collect()
}

/// Lines without a blank one between them that are indented alike.
fn runs(lines: &[Line<'_>]) -> Vec<std::ops::Range<usize>> {
    let indent = |line: &Line<'_>| line.text.len() - line.text.trim_start().len();
    let apart = |a: &Line<'_>, b: &Line<'_>| a.text.is_empty() || b.text.is_empty() || indent(a) != indent(b);
    let mut runs = Vec::new();
    let mut from = 0;
    for at in 1..=lines.len() {
        if at == lines.len() || apart(&lines[at - 1], &lines[at]) {
            runs.push(from..at);
            from = at;
        }
    }
    runs
}

/// Where a column begins in a line, if something stands before it.
fn anchor(line: &Line<'_>, column: Column) -> Option<(usize, Anchor)> {
    let (at, mut anchor) = *line.anchors.iter().find(|(_, a)| a.column == column)?;
    let before = line.text.get(..at)?.trim_start();
    if before.starts_with("field ") && matches!(column, Column::Kind | Column::From) {
        anchor = Anchor { at: usize::MAX, padded: true, ..anchor };
    }
    (!before.is_empty()).then_some((at, anchor))
}

/// Aligns the lines of a run that were aligned in the source. Those that lack the column stand
/// between the others without parting them.
fn align_run(lines: &mut [Line<'_>], column: Column) {
    let mut group: Vec<usize> = Vec::new();
    let mut key = None;
    for i in 0..lines.len() {
        let Some((_, found)) = anchor(&lines[i], column) else { continue };
        if key != Some(found.at) {
            align(lines, &group, column);
            group.clear();
        }
        key = Some(found.at);
        group.push(i);
    }
    align(lines, &group, column);
}

fn align(lines: &mut [Line<'_>], group: &[usize], column: Column) {
    let width = |line: &Line<'_>, to: usize| line.text[..to].width();
    let places: Vec<(usize, usize, Anchor)> =
        group.iter().filter_map(|&i| anchor(&lines[i], column).map(|(at, a)| (i, at, a))).collect();
    let padded = places.len() > 1 && places.iter().any(|p| p.2.padded);
    let target = places.iter().map(|&(i, at, _)| width(&lines[i], at)).max().unwrap_or(0);
    let fits = |&(i, at, _): &(usize, usize, Anchor)| {
        let line = &lines[i];
        let pad = target - width(line, at);
        pad == 0 || column == Column::Comment || line.text.width() + pad <= WIDTH
    };
    let aligned = padded && places.iter().all(fits);
    for (i, at, _) in places {
        let pad = if aligned { target - width(&lines[i], at) } else { 0 };
        put(&mut lines[i], at, pad, column);
    }
}

/// Puts blanks before a column, and the comment in its place.
fn put(line: &mut Line<'_>, at: usize, pad: usize, column: Column) {
    line.text.insert_str(at, &" ".repeat(pad));
    for (other, _) in line.anchors.iter_mut().filter(|(other, _)| *other >= at) {
        *other += pad;
    }
    if let Some(comment) = line.comment.take_if(|_| column == Column::Comment) {
        line.text.push_str("  ");
        line.text.push_str(comment);
    }
}
