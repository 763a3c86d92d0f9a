//! What can be folded away: what stands between brackets on several lines, and runs of comments.

use gen_lsp_types as lsp;

use super::view::{View, position};
use crate::syntax::lexer::{Kind, Lexed, lex};

/// The folds of a file.
pub fn folds(view: &View<'_>) -> Vec<lsp::FoldingRange> {
    let lexed = lex(view.text());
    let mut found = brackets(view, &lexed);
    found.extend(comments(view, &lexed));
    found.sort_by_key(|f| (f.start_line, f.end_line));
    found
}

fn line(view: &View<'_>, at: usize) -> u32 {
    position(view.sources(), view.file, at as u32).line
}

fn fold(start_line: u32, end_line: u32, kind: lsp::FoldingRangeKind) -> lsp::FoldingRange {
    let (start_character, end_character, collapsed_text) = Default::default();
    lsp::FoldingRange { start_line, start_character, end_line, end_character, kind: Some(kind), collapsed_text }
}

fn brackets(view: &View<'_>, lexed: &Lexed) -> Vec<lsp::FoldingRange> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for token in lexed.tokens.iter().filter(|t| t.kind == Kind::Punct) {
        match token.text(view.text()) {
            "{" | "[" | "(" => open.push(token.start),
            "}" | "]" | ")" => {
                let Some(start) = open.pop() else { continue };
                let (from, to) = (line(view, start), line(view, token.start));
                if to > from + 1 {
                    found.push(fold(from, to - 1, lsp::FoldingRangeKind::Region));
                }
            }
            _ => {}
        }
    }
    found
}

fn comments(view: &View<'_>, lexed: &Lexed) -> Vec<lsp::FoldingRange> {
    let alone = |start: &usize| {
        let before = &view.text()[..*start];
        before[before.rfind('\n').map_or(0, |n| n + 1)..].trim().is_empty()
    };
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for line in lexed.comments.iter().map(|c| c.0).filter(alone).map(|start| line(view, start)) {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == line => *end = line,
            _ => runs.push((line, line)),
        }
    }
    let long = runs.into_iter().filter(|(from, to)| to > from);
    long.map(|(from, to)| fold(from, to, lsp::FoldingRangeKind::Comment)).collect()
}
