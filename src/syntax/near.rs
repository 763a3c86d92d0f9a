//! Near misses: mistakes that deserve a message of their own. Each is a small function in
//! [`MISSES`]; the first that recognises the place speaks.

use super::describe::{Expected, expected};
use super::errors::{Miss, shorten};
use super::grammar::Rule;
use super::lexer::{Kind, Token};
use super::{ITEM_KEYWORDS, KEYWORDS};
use crate::diagnostics::{Diagnostic, codes};

type Check = fn(&Miss<'_>) -> Option<Diagnostic>;

const MISSES: &[Check] = &[
    bad_number,
    bad_string,
    named_argument,
    unclosed_bracket,
    after_pipe,
    single_bar,
    keyword_as_name,
    misplaced_entry,
    comma_after_item,
    strange_character,
    no_item,
    no_setting,
    missing_equals,
];

/// The diagnostic of the first near miss that fits.
pub(super) fn miss(miss: &Miss<'_>) -> Option<Diagnostic> {
    MISSES.iter().find_map(|check| check(miss))
}

fn syntax(miss: &Miss<'_>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(codes::SYNTAX, miss.span(), message)
}

fn found(miss: &Miss<'_>, kind: Kind) -> Option<Token> {
    miss.found.filter(|t| t.kind == kind && t.start < miss.slice.range.end)
}

/// `30batch`.
fn bad_number(miss: &Miss<'_>) -> Option<Diagnostic> {
    let token = found(miss, Kind::BadNumber)?;
    let text = miss.slice.word(token);
    let digits = number_part(text);
    let (number, word) = text.split_at(digits);
    let mut at = miss.slice.span(token);
    let message = format!("the number `{number}` touches the word `{word}`");
    let problem = Diagnostic::new(codes::BAD_NUMBER, at, message).label("no blank in here");
    at.start += digits as u32;
    at.end = at.start;
    Some(problem.fix(at, " ", format!("write `{number} {word}`")))
}

/// How many bytes of `30batch` or `1e-3x` are the number.
fn number_part(text: &str) -> usize {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let after = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |i| i + 1);
    let exponent = text[after..].find(|c: char| c.is_ascii_alphabetic()).map_or(text.len(), |i| after + i);
    let scaled = after > 0 && text[..after].ends_with(['+', '-']) && exponent > after;
    if scaled { exponent } else { digits }
}

/// A string that its line does not close.
fn bad_string(miss: &Miss<'_>) -> Option<Diagnostic> {
    let token = found(miss, Kind::BadStr)?;
    let mut open = miss.slice.span(token);
    open.end = open.start + 1;
    let problem = Diagnostic::new(codes::UNCLOSED, open, "this string is never closed");
    Some(problem.label("opened here").help("write `\"` at its end, on the same line"))
}

/// `adam(lr = 1e-3)`.
fn named_argument(miss: &Miss<'_>) -> Option<Diagnostic> {
    let inside = miss.tried.contains(&Rule::rpar) && miss.found_text() == "=";
    let name = miss.prev.filter(|t| inside && t.kind == Kind::Word)?;
    let before = miss.index.checked_sub(2).and_then(|i| miss.slice.lexed.tokens.get(i))?;
    if !matches!(miss.slice.word(*before), "(" | ",") || opener(miss).is_some_and(|(_, closed)| !closed) {
        return None;
    }
    let message = format!("expected `:` after `{}`, found `=`", miss.slice.word(name));
    let span = miss.slice.span(miss.found?);
    Some(syntax(miss, message).fix(span, ":", "an argument is named with `:`"))
}

/// The innermost bracket open before the mistake, and whether the slice closes it later.
fn opener(miss: &Miss<'_>) -> Option<(Token, bool)> {
    let place = miss.found.map_or(usize::MAX, |t| t.start);
    let mut open: Vec<Token> = Vec::new();
    let mut closed: Vec<Token> = Vec::new();
    let mut innermost = None;
    for token in miss.slice.tokens().iter().filter(|t| t.kind == Kind::Punct) {
        if innermost.is_none() && token.start >= place {
            innermost = Some(*open.last()?);
        }
        match miss.slice.word(*token) {
            "(" | "[" | "{" => open.push(*token),
            close @ (")" | "]" | "}") => {
                if let Some(from) = open.iter().rposition(|t| pairs(miss.slice.word(*t), close)) {
                    closed.push(open[from]);
                    open.truncate(from);
                }
            }
            _ => {}
        }
    }
    let innermost = innermost.or(open.last().copied())?;
    Some((innermost, closed.contains(&innermost)))
}

fn pairs(open: &str, close: &str) -> bool {
    matches!((open, close), ("(", ")") | ("[", "]") | ("{", "}"))
}

/// `classify(atis.intent = h`.
fn unclosed_bracket(miss: &Miss<'_>) -> Option<Diagnostic> {
    if !(miss.tried.contains(&Rule::rpar) || miss.tried.contains(&Rule::rbrack)) {
        return None;
    }
    let (open, closed) = opener(miss)?;
    let bracket = miss.slice.word(open);
    if closed || bracket == "{" {
        return None;
    }
    let close = if bracket == "(" { ")" } else { "]" };
    let message = format!("this `{bracket}` is never closed");
    let problem = Diagnostic::new(codes::UNCLOSED, miss.slice.span(open), message).label("opened here");
    let place = miss.span();
    let problem = match miss.found {
        Some(_) if place != miss.slice.span(open) => problem.also(place, format!("expected `{close}` here")),
        _ => problem,
    };
    Some(problem.help(format!("write `{close}` where the list ends")))
}

/// `x |> f + y`, `x |> 3`.
fn after_pipe(miss: &Miss<'_>) -> Option<Diagnostic> {
    let token = miss.found?;
    let text = miss.found_text();
    if miss.prev_text() == "|>" {
        let problem = syntax(miss, "expected a name or a call after `|>`");
        return Some(problem.help("a value flows into a layer: `x |> dropout(0.3)`"));
    }
    if !matches!(text, "+" | "-" | "*") || !miss.tried.contains(&Rule::pipe) {
        return None;
    }
    let pipe = last_pipe(miss, token)?;
    let problem = syntax(miss, format!("only a name or a call may follow `|>`, found `{text}`"));
    let problem = problem.also(miss.slice.span(pipe), "this takes what stands right after it");
    Some(problem.help("`|>` binds weakest: put the part before it in parentheses, or in a `let`"))
}

/// The `|>` at the same depth before a token.
fn last_pipe(miss: &Miss<'_>, token: Token) -> Option<Token> {
    let mut depth = 0i32;
    for earlier in miss.slice.tokens().iter().rev().filter(|t| t.start < token.start) {
        match miss.slice.word(*earlier) {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => return None,
            "(" | "[" | "{" => depth -= 1,
            "|>" if depth == 0 => return Some(*earlier),
            _ => {}
        }
    }
    None
}

/// `x | f`.
fn single_bar(miss: &Miss<'_>) -> Option<Diagnostic> {
    let bar = miss.found.filter(|_| miss.found_text() == "|" && miss.tried.contains(&Rule::pipe))?;
    let span = miss.slice.span(bar);
    Some(syntax(miss, "unexpected `|`, values flow through `|>`").fix(span, "|>", "write `|>`"))
}

/// `let task = …`.
fn keyword_as_name(miss: &Miss<'_>) -> Option<Diagnostic> {
    let token = found(miss, Kind::Word)?;
    let text = miss.slice.word(token);
    let wants = miss.tried.contains(&Rule::name) || miss.tried.contains(&Rule::decl);
    let wants = wants || miss.tried.contains(&Rule::binder) || miss.tried.contains(&Rule::expr);
    if !wants || miss.prev_text() == ":" || !(KEYWORDS.contains(&text) || matches!(text, "true" | "false")) {
        return None;
    }
    let problem = syntax(miss, format!("expected a name, found the keyword `{text}`"));
    Some(problem.help(format!("keywords name nothing you declare; write another name, such as `{text}_`")))
}

/// `field` outside `data`, `stage` outside `train`.
fn misplaced_entry(miss: &Miss<'_>) -> Option<Diagnostic> {
    if !matches!(miss.alone, Rule::item_alone | Rule::entry_alone) {
        return None;
    }
    let first = *miss.slice.tokens().first()?;
    let late = miss.found.filter(|_| expected(&miss.tried) == Expected::Nothing);
    let (word, token) = [Some(first), late].into_iter().flatten().find_map(|token| {
        let word = miss.slice.word(token);
        matches!(word, "field" | "stage").then_some((word, token))
    })?;
    let home = if word == "field" { "data" } else { "train" };
    let message = format!("unexpected `{word}`, a {word} stands in a `{home}` block");
    let problem = Diagnostic::new(codes::SYNTAX, miss.slice.span(token), message);
    Some(problem.help(format!("move it between the braces of `{home}`")))
}

/// `let a = b, let c = d`.
fn comma_after_item(miss: &Miss<'_>) -> Option<Diagnostic> {
    let comma = miss.found.filter(|_| miss.found_text() == "," && miss.alone == Rule::item_alone)?;
    let after = expected(&miss.tried) == Expected::Nothing && miss.prev.is_some();
    let span = miss.slice.span(comma);
    after.then(|| syntax(miss, "unexpected `,`, nothing stands between items").fix(span, "", "remove it"))
}

/// Characters of other languages.
fn strange_character(miss: &Miss<'_>) -> Option<Diagnostic> {
    let token = found(miss, Kind::Other)?;
    let text = miss.slice.word(token);
    let help = match text {
        ";" => "nothing ends an item; remove it",
        "#" | "/" => "a comment begins with `//`; there is no division",
        "'" | "`" | "\u{201C}" | "\u{201D}" | "\u{201E}" => "strings stand between double quotes, `\"…\"`",
        "%" => "a percentage is a number followed by `%`, such as `10%`",
        ">" => "values flow through `|>`",
        "/*" => "a comment begins with `//`",
        _ if text.chars().all(char::is_alphanumeric) => {
            "names are made of the letters a to z and A to Z, digits and `_`; other text stands in strings"
        }
        _ => "no program contains this character outside strings and comments",
    };
    let problem = Diagnostic::new(codes::SYNTAX, miss.slice.span(token), format!("unexpected character `{text}`"));
    Some(problem.help(help))
}

/// `taks intent: …`, at the start of an item or after one.
fn no_item(miss: &Miss<'_>) -> Option<Diagnostic> {
    if miss.alone != Rule::item_alone || miss.found_text().is_empty() {
        return None;
    }
    let text = miss.found_text();
    let near = found(miss, Kind::Word).and_then(|_| nearest(text, ITEM_KEYWORDS));
    if miss.prev.is_some() {
        let word = near.filter(|_| expected(&miss.tried) == Expected::Nothing)?;
        let problem = syntax(miss, format!("unexpected `{text}` after `{}`", shorten(miss.prev_text())));
        return Some(problem.help(format!("did you mean `{word}`?")));
    }
    let problem = syntax(miss, format!("expected an item, found `{}`", shorten(text)));
    Some(match near {
        Some(word) => problem.fix(miss.span(), word, format!("did you mean `{word}`?")),
        None => problem.help(format!("an item begins with one of `{}`", ITEM_KEYWORDS.join("`, `"))),
    })
}

/// A block entry that does not begin with `name:`.
fn no_setting(miss: &Miss<'_>) -> Option<Diagnostic> {
    if miss.alone != Rule::entry_alone {
        return None;
    }
    let text = shorten(miss.found_text());
    match miss.prev {
        None => {
            Some(syntax(miss, format!("expected a setting, found `{text}`")).help("a setting is written `name: value`"))
        }
        Some(word) if miss.tried.contains(&Rule::colon) => {
            let name = miss.slice.word(word);
            let problem = syntax(miss, format!("expected `:` after `{name}`"));
            Some(problem.help(format!("a setting is written `{name}: value`")))
        }
        Some(_) => None,
    }
}

/// `let h atis.utterance`.
fn missing_equals(miss: &Miss<'_>) -> Option<Diagnostic> {
    let wants = miss.tried.contains(&Rule::eq) && miss.found_text() == ":" && miss.prev.is_some();
    let only = wants && !miss.tried.contains(&Rule::colon);
    only.then(|| {
        let message = format!("expected `=` after `{}`, found `:`", shorten(miss.prev_text()));
        syntax(miss, message).help("what an item is stands after `=`")
    })
}

/// The keyword nearest to a word, when it is near enough.
fn nearest(word: &str, among: &[&'static str]) -> Option<&'static str> {
    let distance = |other: &str| strsim::damerau_levenshtein(word, other);
    let best = among.iter().copied().min_by_key(|other| distance(other))?;
    let limit = if best.len() <= 3 { 1 } else { 2 };
    (word != best && distance(best) <= limit).then_some(best)
}
