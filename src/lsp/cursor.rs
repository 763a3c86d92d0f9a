//! What stands around a byte, read off the tokens: a program that is being typed has no tree there.

use crate::sema::symbols::SymbolKind;
use crate::syntax::ITEM_KEYWORDS;
use crate::syntax::lexer::{Kind, Token, lex};

/// The block that a byte lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// None, or a `for` around items.
    Items,
    /// `data`.
    Data,
    /// `task`, with the token of its kind.
    Task(Option<usize>),
    /// `train`.
    Train,
    /// `stage`.
    Stage,
    /// `loss`.
    Loss,
    /// The lets of a layer or recipe.
    Lets,
}

/// A byte of a text that is being typed, with the tokens before it.
#[derive(Debug)]
pub struct Cursor<'t> {
    text: &'t str,
    /// The tokens that end before what is being typed.
    pub before: Vec<Token>,
    /// The range of the word, or of the string's content, that is being typed.
    pub word: std::ops::Range<usize>,
    /// What of it stands before the byte.
    pub prefix: &'t str,
    /// Whether it is inside of a string.
    pub in_string: bool,
    /// Whether nothing is to be said: inside of a comment or number.
    pub mute: bool,
    /// Open brackets, as positions among the tokens before.
    open: Vec<usize>,
}

impl<'t> Cursor<'t> {
    /// The surroundings of a byte.
    pub fn new(text: &'t str, at: usize) -> Self {
        let lexed = lex(text);
        let within = lexed.tokens.iter().find(|t| t.start < at && at <= t.end).copied();
        let string = within.filter(|t| is_inside(*t, text, at));
        let word = within.filter(|t| t.kind == Kind::Word);
        let range = match (string, word) {
            (Some(t), _) => content(t, text),
            (_, Some(t)) => t.start..t.end,
            _ => at..at,
        };
        let until = string.or(word).map_or(at, |t| t.start);
        let before: Vec<Token> = lexed.tokens.into_iter().take_while(|t| t.end <= until).collect();
        let mut cursor = Self {
            text,
            word: range.clone(),
            prefix: text.get(range.start..at).unwrap_or(""),
            in_string: string.is_some(),
            mute: lexed.comments.iter().any(|c| c.0 < at && at <= c.1)
                || within.is_some_and(|t| matches!(t.kind, Kind::Number | Kind::BadNumber)),
            open: Vec::new(),
            before,
        };
        cursor.open = cursor.brackets();
        cursor
    }

    /// The text of the token `back` places before, 0 for the last.
    pub fn back(&self, back: usize) -> &'t str {
        self.before.len().checked_sub(back + 1).map_or("", |i| self.token(i))
    }

    /// The text of a token.
    pub fn token(&self, i: usize) -> &'t str {
        self.before.get(i).map_or("", |t| t.text(self.text))
    }

    /// Whether a token is a word.
    pub fn is_word(&self, i: usize) -> bool {
        self.before.get(i).is_some_and(|t| t.kind == Kind::Word)
    }

    /// The brackets that are open before the byte.
    fn brackets(&self) -> Vec<usize> {
        let mut open: Vec<usize> = Vec::new();
        for i in 0..self.before.len() {
            match self.token(i) {
                "(" | "[" | "{" => open.push(i),
                ")" | "]" | "}" => drop(open.pop()),
                _ if self.begins_item(i) => {
                    // An item never begins inside of what was left open.
                    while open.last().is_some_and(|o| self.token(*o) != "{") {
                        open.pop();
                    }
                }
                _ => {}
            }
        }
        open
    }

    /// Whether an item, a stage or a field begins at a token.
    fn begins_item(&self, i: usize) -> bool {
        let word = self.token(i);
        let item = ITEM_KEYWORDS.contains(&word) || matches!(word, "stage" | "field");
        let after_name = i > 0 && matches!(self.token(i - 1), "." | "of");
        let next = self.token(i + 1);
        item && !after_name
            && match word {
                "train" => next == "{",
                "use" => true,
                _ => self.is_word(i + 1) || next == "(" && matches!(word, "let" | "for"),
            }
    }

    /// The innermost open bracket, as a token.
    pub fn innermost(&self) -> Option<usize> {
        self.open.last().copied()
    }

    /// The open call around the byte: the token of its `(`.
    pub fn call(&self) -> Option<usize> {
        let at =
            self.open.iter().rev().copied().take_while(|o| self.token(*o) != "{").find(|o| self.token(*o) == "(")?;
        (at > 0 && self.is_word(at - 1)).then_some(at)
    }

    /// The token that begins the item, stage or field around a token.
    pub fn header(&self, at: usize) -> Option<usize> {
        (0..at.min(self.before.len())).rev().find(|i| self.begins_item(*i))
    }

    /// The block around the byte, and the token of its `{`.
    pub fn block(&self) -> (Block, Option<usize>) {
        let Some(open) = self.open.iter().rev().copied().find(|o| self.token(*o) == "{") else {
            return (Block::Items, None);
        };
        (self.block_of(open), Some(open))
    }

    fn block_of(&self, open: usize) -> Block {
        let Some(head) = self.header(open) else { return Block::Items };
        match self.token(head) {
            "data" => Block::Data,
            "task" => Block::Task((head..open).find(|i| self.token(*i) == ":").map(|i| i + 1)),
            "train" => Block::Train,
            "stage" => Block::Stage,
            "loss" => Block::Loss,
            "layer" | "def" => Block::Lets,
            "for" if self.open.iter().any(|o| *o < open && self.block_of(*o) == Block::Train) => Block::Train,
            _ => Block::Items,
        }
    }

    /// The token that begins the item whose block opens at a token.
    pub fn header_of_block(&self, open: usize) -> Option<usize> {
        self.header(open)
    }

    /// The setting whose value the byte is in: the token of its name.
    pub fn setting(&self) -> Option<usize> {
        let from = self.block().1? + 1;
        let outermost = self.open.iter().copied().find(|o| *o >= from).unwrap_or(self.before.len());
        let colon = (from..outermost).rev().find(|i| self.token(*i) == ":")?;
        (colon > from && self.is_word(colon - 1)).then_some(colon - 1)
    }

    /// Whether a value ends right before the byte, so that something new begins.
    pub fn is_complete(&self) -> bool {
        let Some(last) = self.before.last() else { return true };
        match last.kind {
            Kind::Punct => {
                matches!(self.back(0), ")" | "]" | "}" | "|")
                    && self.innermost().is_none_or(|o| o + 1 < self.before.len())
            }
            Kind::Word => !ITEM_KEYWORDS.contains(&self.back(0)),
            _ => true,
        }
    }

    /// The name before a `.`, brackets behind it left out; `last` is the token before the `.`.
    pub fn base(&self, last: usize) -> Option<usize> {
        let (mut at, mut depth) = (last, 0usize);
        loop {
            match self.token(at) {
                ")" | "]" => depth += 1,
                "(" | "[" => depth = depth.checked_sub(1)?,
                _ if depth == 0 => return self.is_word(at).then_some(at),
                _ => {}
            }
            at = at.checked_sub(1)?;
        }
    }

    /// The parameters and loop names that hold at the byte.
    pub fn locals(&self) -> Vec<&'t str> {
        let mut names = Vec::new();
        for open in self.open.iter().copied().filter(|o| self.token(*o) == "{") {
            let head = self.header(open).filter(|h| self.token(*h) == "for");
            names.extend(head.into_iter().flat_map(|h| self.words_until(h + 1, "in")));
        }
        let head = self.header(self.before.len());
        if let Some(head) = head.filter(|h| matches!(self.token(*h), "layer" | "def") && self.token(h + 2) == "(") {
            names.extend(self.params(head + 3));
        }
        names
    }

    fn words_until(&self, from: usize, end: &str) -> Vec<&'t str> {
        let tokens = (from..self.before.len()).take_while(|i| self.token(*i) != end);
        tokens.filter(|i| self.is_word(*i)).map(|i| self.token(i)).collect()
    }

    fn params(&self, from: usize) -> Vec<&'t str> {
        let tokens = (from..self.before.len()).take_while(|i| self.token(*i) != ")");
        tokens.filter(|i| self.is_word(*i) && matches!(self.token(i - 1), "(" | ",")).map(|i| self.token(i)).collect()
    }

    /// The text of the setting `name` in the block that begins at a token, without its quotes.
    pub fn said(&self, open: usize, name: &str) -> Option<&'t str> {
        let lexed = lex(self.text);
        let word = |i: usize| lexed.tokens.get(i).map_or("", |t| t.text(self.text));
        let at = (open..lexed.tokens.len())
            .take_while(|i| word(*i) != "}")
            .find(|i| word(*i) == name && word(i + 1) == ":")?;
        let value = if word(at + 2) == "[" { word(at + 3) } else { word(at + 2) };
        Some(value.trim_matches('"'))
    }
}

/// Whether a byte lies between the quotes of a string.
fn is_inside(t: Token, text: &str, at: usize) -> bool {
    match t.kind {
        Kind::Str => at < t.end,
        // Its line does not close it: it goes on to the end of the line, or to the next blank.
        Kind::BadStr => at <= content(t, text).end,
        _ => false,
    }
}

/// What stands between the quotes; of a string that is not closed, what stands before the next blank.
fn content(t: Token, text: &str) -> std::ops::Range<usize> {
    let inner = text.get(t.start + 1..t.end).unwrap_or("");
    let len = match t.kind {
        Kind::Str => inner.len().saturating_sub(1),
        _ => inner.find(char::is_whitespace).unwrap_or(inner.len()),
    };
    t.start + 1..t.start + 1 + len
}

/// What may stand where a value is written: which items.
pub fn is_value(kind: SymbolKind) -> bool {
    !matches!(kind, SymbolKind::Loss | SymbolKind::Metric | SymbolKind::Run)
}
