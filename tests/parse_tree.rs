//! What trees look like: precedence, places, docs and recovery.

use mtlc::source::FileId;
use mtlc::syntax::ast::{Expr, ExprKind, Item, ItemKind, StageEntry};
use mtlc::syntax::{Parse, parse};

fn good(text: &str) -> Parse {
    let parsed = parse(FileId(0), text);
    assert!(parsed.diagnostics.is_empty(), "{:#?}", parsed.diagnostics);
    parsed
}

fn value(text: &str) -> Expr {
    let parsed = good(&format!("let x = {text}"));
    match &parsed.ast.items[0].kind {
        ItemKind::Let(l) => l.value.clone(),
        other => panic!("{other:?}"),
    }
}

/// An expression with all its parentheses.
fn show(e: &Expr) -> String {
    let all = |list: &[Expr]| list.iter().map(show).collect::<Vec<_>>().join(", ");
    match &e.kind {
        ExprKind::Int(i) => i.to_string(),
        ExprKind::Float(f) | ExprKind::Percent(f) => f.to_string(),
        ExprKind::Share { share, of } => format!("{share} of {}", of.text),
        ExprKind::Str(s) => format!("{s:?}"),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::List(l) => format!("[{}]", all(l)),
        ExprKind::Tuple(l) => format!("<{}>", all(l)),
        ExprKind::Name(n) => n.text.clone(),
        ExprKind::Call { callee, args } => {
            let args = args.iter().map(|a| match &a.name {
                Some(name) => format!("{}: {}", name.text, show(&a.value)),
                None => show(&a.value),
            });
            format!("{}({})", show(callee), args.collect::<Vec<_>>().join(", "))
        }
        ExprKind::Index { base, indices } => format!("{}[{}]", show(base), all(indices)),
        ExprKind::Member { base, name } => format!("{}.{}", show(base), name.text),
        ExprKind::Pipe { value, into } => format!("({} |> {})", show(value), show(into)),
        ExprKind::Negate(e) => format!("(-{})", show(e)),
        ExprKind::Binary { op, left, right } => format!("({} {op:?} {})", show(left), show(right)),
        ExprKind::Size(e) => format!("|{}|", show(e)),
        ExprKind::Error => "error".to_owned(),
    }
}

#[test]
fn precedence_and_association() {
    let cases = [
        ("a + b * c - d", "((a Add (b Mul c)) Sub d)"),
        ("a + b |> f |> g(1)", "(((a Add b) |> f) |> g(1))"),
        ("-a * b", "((-a) Mul b)"),
        ("(a |> f) + c", "((a |> f) Add c)"),
        ("f(a, d: [1, 2.5], true)[b, c].train", "f(a, d: [1, 2.5], true)[b, c].train"),
        ("(a, -1)", "<a, (-1)>"),
        ("|atis.intent| + 1_000", "(|atis.intent| Add 1000)"),
        ("intent.label(gold: 90%) |> embed(25)", "(intent.label(gold: 0.9) |> embed(25))"),
        ("10% of train", "0.1 of train"),
        ("x |> f(task: 3)", "(x |> f(task: 3))"),
        (r#""a \"b\" 感""#, r#""a \"b\" 感""#),
    ];
    for (text, wanted) in cases {
        assert_eq!(show(&value(text)), wanted);
    }
}

#[test]
fn places_have_no_blanks_at_their_ends() {
    let text = "let x = (a + b) * c // end\n\n// more\ntask t: tag(a.b) = h // there\n{ head: crf } // yes\n";
    let parsed = good(text);
    let at = |item: &Item| &text[item.span.range()];
    assert_eq!(at(&parsed.ast.items[0]), "let x = (a + b) * c");
    assert!(at(&parsed.ast.items[1]).ends_with("{ head: crf }"));
    let ItemKind::Task(task) = &parsed.ast.items[1].kind else { panic!() };
    assert_eq!(&text[task.head_span.range()], "tag(a.b)");
    assert_eq!(&text[task.settings[0].span.range()], "head: crf");
    let ItemKind::Let(l) = &parsed.ast.items[0].kind else { panic!() };
    let ExprKind::Binary { left, .. } = &l.value.kind else { panic!() };
    assert_eq!(&text[left.span.range()], "(a + b)");
}

#[test]
fn docs_belong_to_what_follows() {
    let text = "/// The file,\n/// in two lines.\ndata a {\n  /// Words.\n  /// All of them.\n  field w: text\n}\n\
        // plain\n/// A layer.\n// note\nlayer l = f\nlet h = l /// late\nlet g = l\n//// no doc\nlet i = l\n";
    let parsed = good(text);
    assert_eq!(parsed.ast.docs.as_deref(), Some("The file,\nin two lines."));
    let docs: Vec<_> = parsed.ast.items.iter().map(|i| i.docs.as_deref()).collect();
    assert_eq!(docs, [None, Some("A layer."), None, Some("late"), None]);
    let ItemKind::Data(data) = &parsed.ast.items[0].kind else { panic!() };
    assert_eq!(data.fields[0].docs.as_deref(), Some("Words.\nAll of them."));
    assert_eq!(parsed.trivia.len(), 9);
    assert_eq!(parsed.trivia.iter().filter(|c| c.doc).count(), 6);
    assert_eq!(parsed.trivia[4].text, "plain");
}

#[test]
fn the_first_docs_are_the_files_even_before_others() {
    let parsed = good("/// The file.\n\n/// The item.\nlet x = y\n");
    assert_eq!(parsed.ast.docs.as_deref(), Some("The file."));
    assert_eq!(parsed.ast.items[0].docs.as_deref(), Some("The item."));
    let parsed = good("let x = y\n/// The item.\nlet z = y\n");
    assert_eq!((parsed.ast.docs, parsed.ast.items[1].docs.as_deref()), (None, Some("The item.")));
}

#[test]
fn all_items_keep_their_parts() {
    let parsed = good(include_str!("ui/syntax/good_program.mtl"));
    let kinds: Vec<_> = parsed.ast.items.iter().map(|i| &i.kind).collect();
    assert_eq!(kinds.len(), 16);
    let ItemKind::Layer(net) = kinds[5] else { panic!("{:?}", kinds[5]) };
    assert_eq!((net.lets.len(), net.lets[0].names.len(), net.lets[0].tuple), (1, 2, true));
    let ItemKind::Layer(matched) = kinds[4] else { panic!() };
    assert_eq!(matched.sig.as_ref().map(|s| s.inputs.len()), Some(2));
    let ItemKind::For(family) = kinds[8] else { panic!() };
    assert_eq!((family.binder.names.len(), family.items.len()), (2, 3));
    let ItemKind::Use(run) = kinds[14] else { panic!() };
    assert_eq!((run.path.as_str(), run.run_as.as_ref().unwrap().text.as_str()), ("runs/big", "teacher"));
    let ItemKind::Train(train) = kinds[15] else { panic!() };
    assert_eq!((train.settings.len(), train.stages.len()), (6, 2));
    assert!(matches!(&train.stages[1], StageEntry::For { stages, .. } if stages.len() == 1));
}

#[test]
fn what_is_right_survives_beside_what_is_wrong() {
    let text = "data a {\n  format lines\n  train: \"x\"\n  field w: text\n  field y tags(w)\n}\ntask t: tag(a.y) = q r\n\
        layer l = f\n";
    let parsed = parse(FileId(0), text);
    assert_eq!(parsed.diagnostics.len(), 3);
    let ItemKind::Data(data) = &parsed.ast.items[0].kind else { panic!() };
    assert_eq!((data.settings.len(), data.fields.len()), (1, 1));
    assert_eq!(parsed.ast.items.len(), 2);
    for name in ["lines", "y", "t", "q", "r"] {
        assert!(parsed.tolerated.contains(name), "{name}");
    }
    assert!(!parsed.tolerated.contains("l"));
}

#[test]
fn what_stands_whole_on_the_lines_before_a_mistake_is_kept() {
    let text = "let a = b\nlayers words = embed(3)\ndata d {\n  field w: text // 感\n  format lines\n}\nlet z = y";
    let parsed = parse(FileId(0), text);
    let messages: Vec<_> = parsed.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["expected an item, found `layers`", "expected `:` after `format`"]);
    assert_eq!(&text[parsed.ast.items[0].span.range()], "let a = b");
    let ItemKind::Data(data) = &parsed.ast.items[1].kind else { panic!() };
    assert_eq!(&text[data.fields[0].span.range()], "field w: text");
    assert_eq!(&text[data.fields[0].ty.span.range()], "text");
    assert!(!parsed.tolerated.contains("a") && parsed.tolerated.contains("words"));
}

#[test]
fn deep_but_allowed_nesting_parses() {
    good(&format!("let x = {}a{}", "(".repeat(64), ")".repeat(64)));
    good(&format!("let x = {}a{}", "f(b: [".repeat(32), "])".repeat(32)));
    good(&format!("{}let x = a {}", "for d in e { ".repeat(64), "}".repeat(64)));
    good(&format!("let x = a{}", " |> f(3)".repeat(150)));
}

#[test]
fn a_dot_at_the_end_of_a_line_takes_no_item_with_it() {
    let parsed = parse(FileId(0), "let a = x.\nlet b = y\ntrain {\n  select: x.\n  patience: 3\n}");
    let messages: Vec<_> = parsed.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["expected a name after `.`"; 2]);
    assert_eq!(parsed.ast.items.len(), 2);
    let ItemKind::Train(train) = &parsed.ast.items[1].kind else { panic!() };
    assert_eq!(train.settings.len(), 1);
    good("let a = x\n  .train\n.b.\n c");
}
