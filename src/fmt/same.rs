//! Whether two texts say the same: one tree but for its places, the same comments, the same
//! mistakes.

use serde_json::Value;

use crate::syntax::Parse;

/// Whether two texts say the same.
pub fn same(a: &Parse, b: &Parse) -> bool {
    let mistakes = |p: &Parse| p.diagnostics.iter().map(|d| (d.code, d.message.clone())).collect::<Vec<_>>();
    let comments = |p: &Parse| p.trivia.iter().map(|c| (c.text.clone(), c.doc)).collect::<Vec<_>>();
    mistakes(a) == mistakes(b) && comments(a) == comments(b) && trees(a, b)
}

fn trees(a: &Parse, b: &Parse) -> bool {
    match (serde_json::to_value(&a.ast), serde_json::to_value(&b.ast)) {
        (Ok(a), Ok(b)) => alike(&a, &b),
        _ => false,
    }
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let place = a.len() == 3 && a.contains_key("start") && a.contains_key("end");
            place || a.len() == b.len() && a.iter().zip(b).all(|((k, v), (l, w))| k == l && alike(v, w))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(v, w)| alike(v, w)),
        _ => a == b,
    }
}
