//! Long texts, parsed in pieces: what pest notes of a piece stays in the cache, and threads take
//! pieces side by side. A piece ends before an item at the top level. Only a text without a
//! mistake is put together from pieces: recovery looks at the whole.

use std::ops::Range;
use std::thread;

use pest::Parser;

use super::ITEM_KEYWORDS;
use super::ast::Item;
use super::build::{Builder, Source};
use super::grammar::{MtlParser, Rule};
use super::lexer::{Kind, Lexed};

/// Bytes of a piece.
const PIECE: usize = 16 << 10;
/// Stack of a thread, as a main thread's.
const STACK: usize = 8 << 20;

/// The items of a long text without mistakes.
pub(super) fn items(source: Source<'_>) -> Option<Vec<Item>> {
    let count = source.text.len() / PIECE;
    if count < 2 {
        return None;
    }
    let pieces = pieces(source.text, source.lexed, count)?;
    let threads = thread::available_parallelism().map_or(1, usize::from).min(pieces.len());
    let shares: Vec<&[Range<usize>]> = pieces.chunks(pieces.len().div_ceil(threads)).collect();
    let (first, others) = shares.split_first()?;
    thread::scope(|scope| {
        let start = |share: &&'_ [Range<usize>]| {
            let share = share.to_vec();
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || share_of(source, &share)).ok()
        };
        let running: Vec<_> = others.iter().map(start).collect::<Option<_>>()?;
        let mut items = share_of(source, first)?;
        for thread in running {
            items.extend(thread.join().ok()??);
        }
        Some(items)
    })
}

/// The items of some pieces.
fn share_of(source: Source<'_>, pieces: &[Range<usize>]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    for range in pieces {
        items.extend(piece(source, range.clone())?);
    }
    Some(items)
}

/// The items of one piece; `None` when anything is to be said about it.
fn piece(source: Source<'_>, range: Range<usize>) -> Option<Vec<Item>> {
    let pairs = MtlParser::parse(Rule::file, source.blanked.get(range.clone())?).ok()?;
    let mut builder = Builder::new(source);
    builder.base = range.start;
    let items = builder.file(pairs);
    builder.diagnostics.is_empty().then_some(items)
}

/// Cuts a text into about `count` pieces; `None` when its brackets do not match.
fn pieces(text: &str, lexed: &Lexed, count: usize) -> Option<Vec<Range<usize>>> {
    let step = text.len() / count + 1;
    let mut cuts = vec![0];
    let mut depth = 0usize;
    for (at, token) in lexed.tokens.iter().enumerate() {
        match (token.kind, token.text(text)) {
            (Kind::Punct, "(" | "[" | "{") => depth += 1,
            (Kind::Punct, ")" | "]" | "}") => depth = depth.checked_sub(1)?,
            (Kind::Word, word) if depth == 0 && token.start >= cuts.len() * step => {
                let neighbour = |at: usize| lexed.tokens.get(at).map_or("", |t| t.text(text));
                let is_named = neighbour(at.wrapping_sub(1)) == "." || neighbour(at + 1) == ":";
                if ITEM_KEYWORDS.contains(&word) && !is_named {
                    cuts.push(token.start);
                }
            }
            _ => {}
        }
    }
    cuts.push(text.len());
    (depth == 0 && cuts.len() > 2).then(|| cuts.windows(2).map(|w| w[0]..w[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::lexer::lex;

    fn cut(text: &str, count: usize) -> Option<Vec<&str>> {
        let ranges = pieces(text, &lex(text), count)?;
        Some(ranges.into_iter().map(|range| &text[range]).collect())
    }

    #[test]
    fn pieces_make_the_whole() {
        let unit =
            "/// Words.\nlayer l(x) = concat(x, x.train |> f(1, [2])) // so\ndata d { train: \"a\"\n field t: text }\n";
        let text = unit.repeat(2 * PIECE / unit.len() + 2);
        let lexed = lex(&text);
        let file = crate::source::FileId(0);
        let docs = crate::syntax::docs::attach(&text, &lexed, &crate::syntax::docs::comments(file, &text, &lexed));
        let blanked = lexed.blanked(&text);
        let source = Source { file, text: &text, blanked: &blanked, lexed: &lexed, docs: &docs };
        let whole = piece(source, 0..text.len()).expect("a sound text");
        for count in 2..5 {
            let ranges = pieces(&text, &lexed, count).expect("pieces");
            assert_eq!(ranges.len(), count);
            let parts = ranges.into_iter().flat_map(|range| piece(source, range).expect("a sound piece"));
            assert_eq!(format!("{:?}", parts.collect::<Vec<_>>()), format!("{whole:?}"));
        }
        assert!(piece(source, 0..text.len() - 2).is_none(), "a block without its end");
    }

    #[test]
    fn pieces_begin_with_items() {
        let text = "let a = b.let |> c\nlet d = e\ntrain { task: 1 }\n";
        assert_eq!(cut(text, 4), Some(vec!["let a = b.let |> c\n", "let d = e\n", "train { task: 1 }\n"]));
        assert_eq!(cut(text, 1), None);
        assert_eq!(cut("let a = (b\nlet c = d\n", 2), None);
        assert_eq!(cut("let a = b)\nlet c = d\n", 2), None);
    }
}
