//! Which parts of a text are laid out, and which stay as they are. Lines that hold anything that
//! did not parse, and the items that share them, are broken parts.

use std::ops::Range;

use pretty::Arena;

use super::layout::Layout;
use super::shape::{Node, item};
use super::stream::Stream;
use super::{align, lines};
use crate::syntax::Parse;

/// The text with its sound parts laid out.
pub fn format(text: &str, parse: &Parse) -> String {
    let stream = Stream::new(text, &parse.trivia);
    let nodes: Vec<Node> = parse.ast.items.iter().map(item).collect();
    let broken = broken(&stream, parse, &nodes);
    let crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in &broken {
        sound(&mut out, &stream, &nodes, at..range.start, crlf);
        out.push_str(&text[range.clone()]);
        at = range.end;
    }
    sound(&mut out, &stream, &nodes, at..text.len(), crlf);
    out
}

/// Lays out a part without mistakes, with a blank line where it meets others and had some.
fn sound(out: &mut String, stream: &Stream<'_>, nodes: &[Node], range: Range<usize>, crlf: bool) {
    let end = if crlf { "\r\n" } else { "\n" };
    let part = &stream.text[range.clone()];
    let (first, last) = (range.start == 0, range.end == stream.text.len());
    let breaks = |blanks: &str| blanks.matches('\n').count();
    if part.trim_matches(is_blank).is_empty() {
        out.push_str(if !first && !last && breaks(part) > 0 { end } else { "" });
        return;
    }
    let from = nodes.partition_point(|n| (n.span.start as usize) < range.start);
    let to = nodes.partition_point(|n| (n.span.start as usize) < range.end);
    let arena = Arena::new();
    let layout = Layout { arena: &arena, stream };
    let lead = &part[..part.len() - part.trim_start_matches(is_blank).len()];
    if !first && breaks(lead) > 0 {
        out.push_str(end);
    }
    for line in align::finish(lines::render(&layout.top(range, &nodes[from..to]))) {
        out.push_str(&line);
        out.push_str(end);
    }
    let tail = &part[part.trim_end_matches(is_blank).len()..];
    if !last && breaks(tail) > 1 {
        out.push_str(end);
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{FEFF}')
}

/// The broken parts of a text: whole lines, in order.
fn broken(stream: &Stream<'_>, parse: &Parse, nodes: &[Node]) -> Vec<Range<usize>> {
    let mut sound: Vec<bool> = nodes.iter().map(|n| covered(stream, n) && !blamed(parse, n)).collect();
    loop {
        let ranges = ranges(stream, nodes, &sound);
        let shares = |n: &Node| {
            let span = n.span.range();
            ranges.iter().any(|r| r.start < span.end && span.start < r.end)
        };
        let still: Vec<bool> = sound.iter().zip(nodes).map(|(sound, n)| *sound && !shares(n)).collect();
        if still == sound {
            return ranges;
        }
        sound = still;
    }
}

/// Whether a mistake is reported in an item, or next to it.
fn blamed(parse: &Parse, node: &Node) -> bool {
    parse.diagnostics.iter().filter_map(|d| d.span).any(|s| s.start <= node.span.end && node.span.start <= s.end)
}

/// Whether the statements in a block are all that stands there.
fn covered(stream: &Stream<'_>, node: &Node) -> bool {
    let range = stream.range(node.span);
    let Some(open) = stream.find(range.clone(), |i| stream.is(i, "{")) else { return node.children.is_empty() };
    let close = stream.partner(open);
    let inside: usize = node.children.iter().map(|c| stream.range(c.span).len()).sum();
    close + 1 == range.end && open + 1 + inside == close && node.children.iter().all(|c| covered(stream, c))
}

/// The lines of tokens that no sound item holds; neighbours make one part.
fn ranges(stream: &Stream<'_>, nodes: &[Node], sound: &[bool]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut next = 0;
    let ends = nodes.iter().zip(sound).filter(|(_, sound)| **sound).map(|(n, _)| stream.range(n.span));
    for held in ends.chain(std::iter::once(stream.len()..stream.len())) {
        if held.start > next {
            let lines = lines_of(stream.text, stream.bytes(next).start..stream.bytes(held.start - 1).end);
            match ranges.last_mut() {
                Some(last) if last.end >= lines.start => last.end = lines.end,
                _ => ranges.push(lines),
            }
        }
        next = held.end;
    }
    ranges
}

/// The whole lines that a range touches, with the last line's end.
fn lines_of(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
    start..end
}
