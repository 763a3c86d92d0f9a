//! How rules of the grammar are called in messages.

use super::grammar::Rule;

/// What was expected, in the words of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The text could have ended here: what stands here is one thing too many.
    Nothing,
    /// One of these.
    OneOf(Vec<&'static str>),
}

/// The name of a rule in messages; `None` for rules that no message needs.
pub(super) fn describe(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name | Rule::decl | Rule::word => "a name",
        Rule::number => "a number",
        Rule::string => "a string",
        Rule::boolean => "`true` or `false`",
        Rule::expr | Rule::size | Rule::list | Rule::tuple => "a value",
        Rule::arg => "an argument",
        Rule::params => "parameters",
        Rule::param => "a parameter",
        Rule::sig | Rule::dims => "a type such as `[T, 64]`",
        Rule::ftype => "a field type",
        Rule::source => "a column",
        Rule::binder => "a loop name",
        Rule::let_tuple => "names in parentheses",
        Rule::setting => "a setting",
        Rule::field | Rule::k_field => "`field`",
        Rule::let_item | Rule::k_let => "`let`",
        Rule::stage | Rule::k_stage => "`stage`",
        Rule::block | Rule::lbrace => "`{`",
        Rule::call | Rule::lpar => "`(`",
        Rule::rpar => "`)`",
        Rule::index | Rule::lbrack => "`[`",
        Rule::rbrack => "`]`",
        Rule::rbrace => "`}`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::eq => "`=`",
        Rule::member | Rule::dot => "`.`",
        Rule::arrow => "`->`",
        Rule::pipe => "`|>`",
        Rule::bar => "`|`",
        Rule::plus => "`+`",
        Rule::minus | Rule::neg => "`-`",
        Rule::star => "`*`",
        Rule::k_in => "`in`",
        Rule::k_from | Rule::from_part => "`from`",
        Rule::k_of | Rule::of => "`of`",
        Rule::k_run => "`run`",
        Rule::k_as => "`as`",
        _ => return None,
    })
}

/// What goes on after a complete operand: never the one thing that was expected.
const CONTINUATIONS: &[Rule] = &[
    Rule::plus,
    Rule::minus,
    Rule::star,
    Rule::pipe,
    Rule::dot,
    Rule::member,
    Rule::call,
    Rule::lpar,
    Rule::index,
    Rule::lbrack,
    Rule::of,
    Rule::k_of,
];

/// Puts the rules that pest tried at the place of an error into words.
pub(super) fn expected(tried: &[Rule]) -> Expected {
    let has = |rule| tried.contains(&rule);
    if has(Rule::EOI) {
        return Expected::Nothing;
    }
    if has(Rule::k_task) && has(Rule::k_data) {
        return Expected::OneOf(vec!["an item"]);
    }
    let operand_done = has(Rule::pipe);
    let value = has(Rule::number) && has(Rule::string) && has(Rule::name);
    let mut words = Vec::new();
    if value {
        words.push("a value");
    }
    for &rule in tried {
        let in_value = value && matches!(rule, Rule::name | Rule::number | Rule::string | Rule::boolean);
        let opens = value && matches!(rule, Rule::neg | Rule::bar | Rule::lpar | Rule::lbrack);
        let family = rule == Rule::lbrack && !operand_done && tried.len() > 1;
        let goes_on = operand_done && CONTINUATIONS.contains(&rule) && tried.len() > 1;
        if in_value || opens || family || goes_on {
            continue;
        }
        words.extend(describe(rule).filter(|word| !words.contains(word)));
    }
    // What closes comes last: "expected `,` or `)`".
    words.sort_by_key(|word| matches!(*word, "`)`" | "`]`" | "`}`"));
    Expected::OneOf(words)
}

/// `a`, `b` or `c`.
pub(super) fn join(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuations_are_left_out() {
        let tried = [Rule::pipe, Rule::of, Rule::comma, Rule::rpar];
        assert_eq!(expected(&tried), Expected::OneOf(vec!["`,`", "`)`"]));
        assert_eq!(expected(&[Rule::lpar]), Expected::OneOf(vec!["`(`"]));
        assert_eq!(join(&["a", "b", "c"]), "a, b or c");
    }
}
