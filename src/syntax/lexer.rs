//! A small lexer: the tokens and comments of a text. Errors, nesting and doc comments are found
//! with it; the tree is pest's work.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or keyword.
    Word,
    /// `1_000`, `1e-3` or `10%`.
    Number,
    /// A number that touches a letter, `30batch`.
    BadNumber,
    /// A string with its quotes.
    Str,
    /// A string that its line does not close.
    BadStr,
    /// A bracket, an operator or another mark of the grammar.
    Punct,
    /// What no program contains.
    Other,
}

/// A token and the bytes it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

impl Token {
    /// The text of the token.
    pub fn text(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or("")
    }
}

/// Tokens and comments (ranges that begin with `//`), in order.
#[derive(Debug, Default)]
pub struct Lexed {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// First byte and end of each comment.
    pub comments: Vec<(usize, usize)>,
    blanks: Vec<(usize, usize)>,
}

impl Lexed {
    /// The index of the first token that begins at `offset` or later.
    pub fn at_or_after(&self, offset: usize) -> usize {
        self.tokens.partition_point(|t| t.start < offset)
    }

    /// The text with blanks in the place of comments, tabs, carriage returns and byte order marks
    /// between tokens; all offsets stay.
    pub fn blanked(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for &(start, end) in &self.blanks {
            out.push_str(&text[at..start]);
            out.extend(std::iter::repeat_n(' ', end - start));
            at = end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// The end of the last token that ends at `offset` or before; pest's spans may end in blanks.
    pub fn trim_end(&self, offset: usize) -> usize {
        let count = self.tokens.partition_point(|t| t.end <= offset);
        count.checked_sub(1).map_or(offset, |i| self.tokens[i].end)
    }
}

/// The tokens of a text, in order; comments are the parser's trivia.
pub fn tokens(text: &str) -> Vec<Token> {
    lex(text).tokens
}

/// Splits a text into tokens and comments.
pub fn lex(text: &str) -> Lexed {
    let bytes = text.as_bytes();
    let mut out = Lexed::default();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b' ' | b'\n' => at + 1,
            b'\t' | b'\r' => {
                out.blanks.push((at, at + 1));
                at + 1
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let end = line_end(bytes, at);
                out.comments.push((at, end));
                out.blanks.push((at, end));
                end
            }
            _ if text[at..].starts_with('\u{FEFF}') => {
                let end = at + '\u{FEFF}'.len_utf8();
                out.blanks.push((at, end));
                end
            }
            _ => {
                let (kind, end) = token(text, at);
                out.tokens.push(Token { kind, start: at, end });
                end
            }
        };
        at = end;
    }
    out
}

/// The kind and end of the token that begins at `at`.
fn token(text: &str, at: usize) -> (Kind, usize) {
    let bytes = text.as_bytes();
    match bytes[at] {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => (Kind::Word, run(bytes, at, is_word)),
        b'0'..=b'9' => number(bytes, at),
        b'"' => string(bytes, at),
        b'|' if bytes.get(at + 1) == Some(&b'>') => (Kind::Punct, at + 2),
        b'-' if bytes.get(at + 1) == Some(&b'>') => (Kind::Punct, at + 2),
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b':' | b'=' | b',' | b'.' | b'+' | b'-' | b'*' | b'|' => {
            (Kind::Punct, at + 1)
        }
        _ => (Kind::Other, at + text[at..].chars().next().map_or(1, char::len_utf8)),
    }
}

fn number(bytes: &[u8], at: usize) -> (Kind, usize) {
    let mut end = run(bytes, at, |b| b.is_ascii_digit() || b == b'_');
    if bytes.get(end) == Some(&b'.') && is_digit(bytes, end + 1) {
        end = run(bytes, end + 1, |b| b.is_ascii_digit());
    }
    if bytes.get(end) == Some(&b'%') {
        end += 1;
    } else if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if is_digit(bytes, end + 1 + sign) {
            end = run(bytes, end + 1 + sign, |b| b.is_ascii_digit());
        }
    }
    let whole = run(bytes, end, is_word);
    (if whole > end { Kind::BadNumber } else { Kind::Number }, whole)
}

fn string(bytes: &[u8], at: usize) -> (Kind, usize) {
    let mut end = at + 1;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'"' => return (Kind::Str, end + 1),
            b'\n' => break,
            b'\\' if !matches!(bytes.get(end + 1), None | Some(b'\n')) => end += 2,
            _ => end += 1,
        }
    }
    let line = line_end(bytes, at);
    (Kind::BadStr, line)
}

/// The end of the line that `at` lies in, without `\r`.
fn line_end(bytes: &[u8], at: usize) -> usize {
    let end = run(bytes, at, |b| b != b'\n');
    if end > at && bytes[end - 1] == b'\r' { end - 1 } else { end }
}

fn run(bytes: &[u8], from: usize, take: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).map_or(from, |rest| from + rest.iter().take_while(|b| take(**b)).count())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_digit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        lex(text).tokens.iter().map(|t| (t.kind, t.text(text))).collect()
    }

    #[test]
    fn numbers_strings_and_strangers() {
        use Kind::*;
        assert_eq!(kinds("1e-3 10% 1_000"), [(Number, "1e-3"), (Number, "10%"), (Number, "1_000")]);
        assert_eq!(kinds("30batch 1e"), [(BadNumber, "30batch"), (BadNumber, "1e")]);
        assert_eq!(kinds("\"a\\\"b\" \"c\r\n"), [(Str, "\"a\\\"b\""), (BadStr, "\"c")]);
        let text = "\u{FEFF}a\t// 感\r\n\"// b\"";
        assert_eq!(lex(text).blanked(text), "   a        \n\"// b\"");
        assert_eq!(kinds("a|>感// c"), [(Word, "a"), (Punct, "|>"), (Other, "感")]);
    }
}
