//! The values of numbers and strings.

use super::ast::ExprKind;

/// The value of a number token; `None` when it does not fit.
pub(super) fn number(text: &str) -> Option<ExprKind> {
    let digits = text.replace('_', "");
    if let Some(percent) = digits.strip_suffix('%') {
        return finite(percent).map(|p| ExprKind::Percent(p / 100.0));
    }
    if digits.contains(['.', 'e', 'E']) {
        return finite(&digits).map(ExprKind::Float);
    }
    digits.parse().ok().map(ExprKind::Int)
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The text of a string token, and the byte ranges in it of escapes that do not exist.
pub(super) fn string(token: &str) -> (String, Vec<(usize, usize)>) {
    let mut value = String::with_capacity(token.len());
    let mut unknown = Vec::new();
    let end = token.len().saturating_sub(1);
    let mut chars = token.char_indices().skip(1).take_while(|(at, _)| *at < end);
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            value.push(char);
            continue;
        }
        match chars.next() {
            Some((_, 'n')) => value.push('\n'),
            Some((_, 't')) => value.push('\t'),
            Some((_, 'r')) => value.push('\r'),
            Some((_, same @ ('"' | '\\' | '{' | '}'))) => value.push(same),
            Some((_, other)) => {
                unknown.push((at, at + 1 + other.len_utf8()));
                value.push(other);
            }
            None => {}
        }
    }
    (value, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(number("1_000"), Some(ExprKind::Int(1000)));
        assert_eq!(number("12.5%"), Some(ExprKind::Percent(0.125)));
        assert_eq!(number("1e-3"), Some(ExprKind::Float(1e-3)));
        assert_eq!(number("99999999999999999999"), None);
        assert_eq!(number("1e999"), None);
        assert_eq!(string(r#""a\n\"\q感""#), ("a\n\"q感".to_owned(), vec![(6, 8)]));
    }
}
