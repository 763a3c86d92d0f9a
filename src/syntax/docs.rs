//! Comments as trivia, and doc comments with the token they stand before.

use super::lexer::Lexed;
use super::parse::Comment;
use crate::source::{FileId, Span};
use rustc_hash::FxHashMap;

/// Doc comments by the offset of the token after them, and the file's own.
#[derive(Debug, Default)]
pub(super) struct Docs {
    pub file: Option<String>,
    before: FxHashMap<usize, String>,
}

impl Docs {
    /// The doc comment of what begins at `offset`.
    pub fn before(&self, offset: usize) -> Option<String> {
        self.before.get(&offset).cloned()
    }
}

/// The comments of a text, without their slashes.
pub(super) fn comments(file: FileId, text: &str, lexed: &Lexed) -> Vec<Comment> {
    lexed.comments.iter().map(|&(start, end)| comment(file, text, start, end)).collect()
}

fn comment(file: FileId, text: &str, start: usize, end: usize) -> Comment {
    let raw = text.get(start + 2..end).unwrap_or("");
    let doc = raw.starts_with('/') && !raw.starts_with("//");
    let body = if doc { &raw[1..] } else { raw };
    let body = body.strip_prefix(' ').unwrap_or(body).trim_end();
    Comment { span: Span::new(file, start, end), text: body.to_owned(), doc }
}

/// Lines that follow each other with nothing between them.
struct Group {
    text: String,
    end: usize,
    next_token: usize,
}

/// Attaches doc comments: the first before everything is the file's, the others belong to the
/// token after them.
pub(super) fn attach(text: &str, lexed: &Lexed, comments: &[Comment]) -> Docs {
    let mut docs = Docs::default();
    for (i, group) in groups(text, lexed, comments).into_iter().enumerate() {
        if i == 0 && group.next_token == 0 {
            docs.file = Some(group.text);
        } else if let Some(token) = lexed.tokens.get(group.next_token) {
            let slot = docs.before.entry(token.start).or_default();
            if !slot.is_empty() {
                slot.push_str("\n\n");
            }
            slot.push_str(&group.text);
        }
    }
    docs
}

fn groups(text: &str, lexed: &Lexed, comments: &[Comment]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for comment in comments.iter().filter(|c| c.doc) {
        let range = comment.span.range();
        let next_token = lexed.at_or_after(range.end);
        match groups.last_mut() {
            Some(last) if last.next_token == next_token && adjoins(text, last.end, range.start) => {
                last.text.push('\n');
                last.text.push_str(&comment.text);
                last.end = range.end;
            }
            _ => groups.push(Group { text: comment.text.clone(), end: range.end, next_token }),
        }
    }
    groups
}

/// Whether only one line break lies between two comments.
fn adjoins(text: &str, from: usize, to: usize) -> bool {
    let between = text.get(from..to).unwrap_or("");
    between.chars().all(char::is_whitespace) && between.matches('\n').count() <= 1
}
