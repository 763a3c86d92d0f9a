//! Documents of statements and of the blocks they stand in.

use std::ops::Range;

use pretty::{Arena, DocAllocator};

use super::align::Column;
use super::lines::{Doc, Mark, anchor};
use super::shape::{Kind, Node};
use super::stream::Stream;
use crate::syntax::Comment;

/// Makes documents from the tokens of a text.
pub struct Layout<'a> {
    /// Where documents live.
    pub arena: &'a Arena<'a, Mark<'a>>,
    /// The tokens.
    pub stream: &'a Stream<'a>,
}

/// What stands on the line before a statement or comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: the text begins here.
    Nothing,
    /// The `{` of the block.
    Brace,
    /// Another statement or comment.
    Other,
}

impl<'a> Layout<'a> {
    /// Statements and comments between two offsets, each on its own line.
    pub fn top(&self, range: Range<usize>, nodes: &[Node]) -> Doc<'a> {
        self.sequence(range, nodes, Before::Nothing, false)
    }

    pub(super) fn token(&self, i: usize) -> Doc<'a> {
        self.arena.text(self.stream.word(i))
    }

    pub(super) fn blank(&self, i: usize) -> Doc<'a> {
        if self.stream.blank(i) { self.arena.space() } else { self.arena.nil() }
    }

    /// Nothing, in what must not stand on one line.
    pub(super) fn forced(&self, forced: bool) -> Doc<'a> {
        if forced { self.arena.nil().flat_alt(self.arena.fail()) } else { self.arena.nil() }
    }

    pub(super) fn anchored(&self, i: usize, column: Column, doc: Doc<'a>) -> Doc<'a> {
        let place = self.stream.column(self.stream.bytes(i).start);
        doc.annotate(Mark::Anchor(anchor(column, place)))
    }

    /// The comments between two tokens.
    pub(super) fn comments(&self, a: usize, b: usize) -> &'a [Comment] {
        self.stream.comments(self.stream.bytes(a).end..self.stream.bytes(b).start)
    }

    /// What stands between two tokens, and the document of the second: comments if there are any,
    /// else what is given. A comment moves the second to a new line, indented by `nest`.
    pub(super) fn join(&self, (a, b): (usize, usize), plain: Doc<'a>, next: Doc<'a>, nest: isize) -> Doc<'a> {
        match self.comments(a, b) {
            [] => plain.append(next),
            comments => {
                let next = self.arena.hardline().append(next).nest(nest);
                self.comment_lines(self.stream.bytes(a).end, comments).nest(nest).append(next)
            }
        }
    }

    /// The same before a closing bracket: comments are indented as what stands before them.
    pub(super) fn closed(&self, (a, b): (usize, usize), plain: Doc<'a>) -> Doc<'a> {
        match self.comments(a, b) {
            [] => plain.append(self.token(b)),
            comments => {
                let comments = self.comment_lines(self.stream.bytes(a).end, comments).nest(2);
                comments.append(self.arena.hardline()).append(self.token(b))
            }
        }
    }

    /// Comments: the first may end the line that stands there.
    fn comment_lines(&self, mut at: usize, comments: &[Comment]) -> Doc<'a> {
        let mut doc = self.arena.nil();
        for comment in comments {
            doc = match self.stream.newlines(at, comment.span.range().start) {
                0 => doc.append(self.trailing(comment)),
                _ => doc.append(self.arena.hardline()).append(self.comment(comment)),
            };
            at = comment.span.range().end;
        }
        doc
    }

    fn comment_text(&self, comment: &Comment) -> &'a str {
        self.stream.text.get(comment.span.range()).unwrap_or("").trim_end()
    }

    fn comment(&self, comment: &Comment) -> Doc<'a> {
        self.arena.text(self.comment_text(comment))
    }

    /// A comment at the end of a line.
    fn trailing(&self, comment: &Comment) -> Doc<'a> {
        let place = self.stream.column(comment.span.range().start);
        let mark = Mark::Comment(self.comment_text(comment), anchor(Column::Comment, place));
        self.arena.nil().annotate(mark)
    }

    /// Statements in order, with the comments around them. `flat` is a block on one line.
    fn sequence(&self, range: Range<usize>, nodes: &[Node], mut before: Before, flat: bool) -> Doc<'a> {
        let (mut doc, mut row) = (self.arena.nil(), None);
        let mut at = range.start;
        let mut last: Option<&Node> = None;
        for node in nodes {
            let span = node.span.range();
            let settings = node.kind == Kind::Setting && last.is_some_and(|l| l.kind == Kind::Setting);
            if settings && self.stream.comments(at..span.start).is_empty() && self.stream.newlines(at, span.start) == 0
            {
                let blanks = self.arena.hardline().flat_alt(self.arena.text("  "));
                row = row.map(|row: Doc<'a>| row.append(blanks).append(self.statement(node, false)));
            } else {
                doc = doc.append(row.take().map_or(self.arena.nil(), Doc::group));
                doc = doc.append(self.between_lines(at..span.start, &mut before, &mut at));
                doc = doc.append(self.new_line(before, at, span.start, flat));
                row = Some(self.statement(node, true));
            }
            (at, before, last) = (span.end, Before::Other, Some(node));
        }
        doc = doc.append(row.map_or(self.arena.nil(), Doc::group));
        doc.append(self.between_lines(at..range.end, &mut before, &mut at))
    }

    /// The comments between two statements, each on a line of its own or at the end of the line
    /// before.
    fn between_lines(&self, range: Range<usize>, before: &mut Before, at: &mut usize) -> Doc<'a> {
        let mut doc = self.arena.nil();
        for comment in self.stream.comments(range) {
            let span = comment.span.range();
            doc = match self.stream.newlines(*at, span.start) {
                0 if *before != Before::Nothing => doc.append(self.trailing(comment)),
                _ => doc.append(self.new_line(*before, *at, span.start, false)).append(self.comment(comment)),
            };
            (*at, *before) = (span.end, Before::Other);
        }
        doc
    }

    /// A new line, and a blank one where the author left some.
    fn new_line(&self, before: Before, from: usize, to: usize, flat: bool) -> Doc<'a> {
        let hardline = || self.arena.hardline();
        match before {
            Before::Nothing => self.arena.nil(),
            Before::Brace if flat => self.arena.line(),
            Before::Other if flat => hardline().flat_alt(self.arena.text("  ")),
            Before::Other if self.stream.newlines(from, to) > 1 => hardline().append(hardline()),
            _ => hardline(),
        }
    }

    fn statement(&self, node: &Node, first: bool) -> Doc<'a> {
        let stream = self.stream;
        let range = stream.range(node.span);
        let block = stream.find(range.clone(), |i| stream.is(i, "{"));
        let head = self.head(node, range.start..block.unwrap_or(range.end), first);
        match block {
            Some(open) => head.append(self.block(node, open, stream.partner(open))),
            None => head,
        }
    }

    /// A statement without its block.
    fn head(&self, node: &Node, range: Range<usize>, first: bool) -> Doc<'a> {
        let stream = self.stream;
        if node.kind == Kind::Setting {
            return self.setting(range, first);
        }
        if node.kind == Kind::For {
            let list = stream.find(range.clone(), |i| stream.is(i, "in")).map_or(range.start, |i| i + 1);
            let chain = self.chain(list..range.end, 2, false);
            let head = self.row(range.start..list, |_| None);
            return head.append(self.join((list.saturating_sub(1), list), self.arena.space(), chain, 2));
        }
        let colon = stream.find(range.clone(), |i| stream.is(i, ":"));
        let kinds = matches!(node.kind, Kind::Field | Kind::Task);
        let column = |i: usize| match stream.word(i) {
            "from" if node.kind == Kind::Field && !stream.is(i.saturating_sub(1), ".") => Some(Column::From),
            _ if kinds && colon.is_some_and(|colon| i == colon + 1) => Some(Column::Kind),
            _ => None,
        };
        match stream.find(range.clone(), |i| stream.is(i, "=")) {
            Some(equals) => self.row(range.start..equals, column).append(self.value(node, equals, range.end)),
            None => self.row(range, column),
        }
    }

    /// `= value`, on a new line where the author put it there, or where the head of a task leaves
    /// too little room.
    fn value(&self, node: &Node, equals: usize, end: usize) -> Doc<'a> {
        let (stream, arena) = (self.stream, self.arena);
        let column = if node.kind == Kind::Field { Column::From } else { Column::Equals };
        let mark = self.anchored(equals, column, self.token(equals));
        let value = |nest: isize, columns: bool| {
            let chain = self.chain(equals + 1..end, nest, columns);
            self.join((equals, equals + 1), arena.space(), chain, 2)
        };
        let written = stream.newlines(stream.bytes(equals).start, stream.bytes(end - 1).end) == 0;
        if stream.on_new_line(equals) {
            let joined = self.join((equals - 1, equals), arena.hardline(), mark, 0);
            return joined.append(value(2, false)).nest(2);
        }
        if node.kind == Kind::Task && written {
            return arena.line().append(mark).append(value(2, true)).nest(2).group();
        }
        arena.space().append(mark).append(value(2, true))
    }

    /// ` { … }`: on one line where it was written so, fits and holds no other block.
    fn block(&self, node: &Node, open: usize, close: usize) -> Doc<'a> {
        let (stream, arena) = (self.stream, self.arena);
        let brace = self.anchored(open, Column::Brace, self.token(open));
        let inside = stream.bytes(open).end..stream.bytes(close).start;
        let nested = node.children.iter().any(|c| stream.find(stream.range(c.span), |i| stream.is(i, "{")).is_some());
        let empty = node.children.is_empty() && stream.comments(inside.clone()).is_empty();
        let flat = stream.newlines(inside.start, inside.end) == 0 && !nested;
        let rows = self.sequence(inside, &node.children, Before::Brace, flat).nest(2);
        let end = match (empty, flat) {
            (true, _) => arena.nil(),
            (_, true) => arena.line(),
            _ => arena.hardline(),
        };
        let block = brace.append(rows).append(end).append(self.token(close)).group();
        self.join((open - 1, open), arena.space(), block, 2)
    }
}
