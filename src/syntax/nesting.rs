//! A check before parsing: brackets and chains that nest too deeply for any recursive walk of the
//! tree.

use super::lexer::{Kind, Lexed, Token};

/// Brackets inside brackets.
const MAX_BRACKETS: usize = 64;
/// Brackets and operators together, an upper bound on the depth of the tree.
const MAX_DEPTH: usize = 400;

/// The token at which the text nests too deeply.
pub(super) fn too_deep(text: &str, lexed: &Lexed) -> Option<Token> {
    let mut open: Vec<usize> = Vec::new();
    let (mut depth, mut chain) = (0usize, 0usize);
    for token in lexed.tokens.iter().filter(|t| t.kind == Kind::Punct) {
        match token.text(text) {
            "(" | "[" | "{" => {
                open.push(chain + 1);
                depth += chain + 1;
                chain = 0;
            }
            close @ (")" | "]" | "}") => {
                // What was built inside is over; a call or index lengthens the chain around it.
                let before = open.pop().unwrap_or(0);
                depth -= before;
                chain = if close == "}" { 0 } else { before };
            }
            "," | ":" | "=" => chain = 0,
            _ => chain += 1,
        }
        if open.len() > MAX_BRACKETS || depth + chain > MAX_DEPTH {
            return Some(*token);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::too_deep;
    use crate::syntax::lexer::lex;

    fn deep(text: &str) -> bool {
        too_deep(text, &lex(text)).is_some()
    }

    #[test]
    fn brackets_and_chains() {
        assert!(deep(&"(".repeat(65)));
        assert!(!deep(&"()".repeat(300)));
        assert!(deep(&format!("let x = a{}", " |> f".repeat(500))));
        assert!(deep(&format!("let x = a{}", "()".repeat(500))));
        assert!(!deep(&"let x = a |> f(b, [1, 2]) \n".repeat(1000)));
        assert!(!deep(&"train { epochs: 1 } ) } ]".repeat(100)));
        assert!(!deep(&"data a { format: text }\n".repeat(1000)));
    }
}
