//! Documents of expressions, from their tokens.

use std::ops::Range;

use pretty::DocAllocator;

use super::align::Column;
use super::layout::Layout;
use super::lines::Doc;

/// Lists whose members are no longer than this fill their lines.
const SHORT: usize = 24;

impl<'a> Layout<'a> {
    /// Tokens and brackets in a row; some begin a column.
    pub(super) fn row(&self, range: Range<usize>, column: impl Fn(usize) -> Option<Column>) -> Doc<'a> {
        let mut doc = self.arena.nil();
        let (mut i, mut last) = (range.start, None);
        while i < range.end {
            let end = self.stream.partner(i);
            let part = if end > i { self.bracket(i, end) } else { self.token(i) };
            let part = match column(i) {
                Some(column) => self.anchored(i, column, part),
                None => part,
            };
            doc = match last {
                Some(last) => doc.append(self.join((last, i), self.blank(i), part, 2)),
                None => part,
            };
            (i, last) = (end + 1, Some(end));
        }
        doc
    }

    /// Sums joined by `|>`, each on its own line when they do not fit, or when the author put one
    /// on its own line.
    pub(super) fn chain(&self, range: Range<usize>, nest: isize, columns: bool) -> Doc<'a> {
        let stream = self.stream;
        let parts = stream.split(range, |i| stream.is(i, "|>"));
        let mut rest = self.arena.nil();
        for (nth, part) in parts.iter().enumerate().skip(1) {
            let pipe = part.start - 1;
            let mut mark = self.token(pipe);
            if columns && nth == 1 {
                mark = self.anchored(pipe, Column::Pipe, mark);
            }
            rest = rest.append(self.join((pipe - 1, pipe), self.arena.line(), mark, 0));
            rest = rest.append(self.join((pipe, part.start), self.arena.space(), self.sum(part.clone()), 2));
        }
        let forced = parts.iter().skip(1).any(|part| stream.on_new_line(part.start - 1));
        let Some(first) = parts.into_iter().next() else { return rest };
        self.sum(first).append(rest.nest(nest)).append(self.forced(forced)).group()
    }

    /// Values joined by `+`, `-` and `*`.
    fn sum(&self, range: Range<usize>) -> Doc<'a> {
        let stream = self.stream;
        let mut parts = stream.split(range, |i| stream.infix(i)).into_iter();
        let Some(first) = parts.next() else { return self.arena.nil() };
        let mut rest = self.arena.nil();
        for part in parts {
            let op = part.start - 1;
            rest = rest.append(self.join((op - 1, op), self.arena.line(), self.token(op), 0));
            rest = rest.append(self.join((op, part.start), self.arena.space(), self.plain(part), 2));
        }
        self.plain(first).append(rest.nest(2)).group()
    }

    fn plain(&self, range: Range<usize>) -> Doc<'a> {
        self.row(range, |_| None)
    }

    /// What stands between brackets: on one line, or each member on its own.
    fn bracket(&self, open: usize, close: usize) -> Doc<'a> {
        let stream = self.stream;
        let mut members = stream.split(open + 1..close, |i| stream.is(i, ","));
        members.retain(|member| !member.is_empty());
        let (Some(first), Some(end)) = (members.first(), members.last().map(|m| m.end - 1)) else {
            return self.token(open).append(self.closed((open, close), self.arena.nil()));
        };
        if self.hugs(&members, open, close) {
            let inside = self.member(first.clone());
            return self.token(open).append(inside).append(self.token(close));
        }
        let forced = stream.on_new_line(first.start);
        let mut inside = self.join((open, first.start), self.arena.line_(), self.member(first.clone()), 0);
        for (before, member) in members.iter().zip(members.iter().skip(1)) {
            let next = self.member(member.clone());
            let joined = self.join((before.end - 1, member.start), self.between(open, close, &members), next, 0);
            inside = inside.append(",").append(joined);
        }
        let closing = self.closed((end, close), self.arena.line_());
        self.token(open).append(inside.nest(2)).append(closing).append(self.forced(forced)).group()
    }

    /// What stands between two members: lists of short ones fill their lines.
    fn between(&self, open: usize, close: usize, members: &[Range<usize>]) -> Doc<'a> {
        let stream = self.stream;
        let width = |m: &Range<usize>| m.clone().map(|i| stream.bytes(i).len() + usize::from(stream.blank(i))).sum();
        let short = members.iter().all(|m| SHORT >= width(m));
        let fills = stream.is(open, "[") && short && self.comments(open, close).is_empty();
        if fills { self.arena.softline() } else { self.arena.line() }
    }

    /// Whether brackets hold nothing but brackets, and open and close with them.
    fn hugs(&self, members: &[Range<usize>], open: usize, close: usize) -> bool {
        let [only] = members else { return false };
        let value = if self.named(only) { only.start + 2 } else { only.start };
        let whole = self.stream.partner(value) == only.end - 1 && only.end - 1 > value;
        let alone = |a: usize, b: usize| self.comments(a, b).is_empty();
        whole && alone(open, only.start) && alone(only.end - 1, close)
    }

    fn named(&self, member: &Range<usize>) -> bool {
        member.len() > 2 && self.stream.is(member.start + 1, ":")
    }

    /// A value, or `name: value`.
    fn member(&self, range: Range<usize>) -> Doc<'a> {
        if self.named(&range) { self.setting(range, false) } else { self.chain(range, 2, false) }
    }

    /// `name: value`, whose value may begin a column.
    pub(super) fn setting(&self, range: Range<usize>, column: bool) -> Doc<'a> {
        let (colon, value) = (range.start + 1, range.start + 2);
        let name = self.row(range.start..value, |_| None);
        let mut chain = self.chain(value..range.end, 2, false);
        if column {
            chain = self.anchored(value, Column::Kind, chain);
        }
        name.append(self.join((colon, value), self.arena.space(), chain, 2))
    }
}
