//! Each kind of request, with its answer.

use serde_json::{Value, json};

use crate::client::{Client, MARK, PROGRAM, data};

/// The program with a mark before the `n`th place where a text stands.
fn marked(text: &str, n: usize) -> String {
    let at = PROGRAM.match_indices(text).nth(n).unwrap_or_else(|| panic!("no {n}th '{text}'")).0;
    format!("{}{MARK}{}", &PROGRAM[..at], &PROGRAM[at..])
}

fn program() -> Client {
    let mut client = Client::new();
    data(&client);
    client.open("a.mtl", PROGRAM);
    client.wait_for("a.mtl", |d| d == &json!([]));
    client
}

fn asked(client: &mut Client, method: &str, text: &str, n: usize, more: Value) -> Value {
    let (_, at) = crate::client::unmark(&marked(text, n));
    client.at(method, "a.mtl", &at, more).expect("an answer")
}

#[test]
fn hovers() {
    let mut client = program();
    let mut shown = String::new();
    let places = [
        ("home {", 0),
        ("words", 2),
        ("intent: class", 0),
        ("width)", 0),
        ("reader(", 0),
        ("reader\n", 0),
        ("x |>", 0),
        ("bilstm", 0),
        ("h = home", 0),
        ("h |>", 0),
        ("intent: classify", 0),
        ("classify", 0),
        ("slots:", 1),
        ("probs", 0),
        ("head", 0),
        ("crf", 0),
        ("adam", 0),
        ("lr", 0),
        ("first }", 0),
        ("lines", 0),
        ("tags", 0),
    ];
    for (text, n) in places {
        let hover = asked(&mut client, "hover", text, n, json!({}));
        let says = hover.pointer("/contents/value").and_then(Value::as_str).unwrap_or("nothing");
        shown += &format!("==== {text}\n{says}\n\n");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn definitions_references_and_highlights() {
    let mut client = program();
    let mut shown = String::new();
    for (text, n) in
        [("reader\n", 0), ("intent, slots", 0), ("words |>", 0), ("x |>", 0), ("first }", 0), ("tags(words", 0)]
    {
        let places = |v: &Value| {
            let ranges = v.as_array().map_or(&[][..], Vec::as_slice).iter();
            let start = |r: &Value| format!("{}:{}", r["range"]["start"]["line"], r["range"]["start"]["character"]);
            ranges.map(start).collect::<Vec<_>>().join(" ")
        };
        let definition = asked(&mut client, "definition", text, n, json!({}));
        let all = json!({ "context": { "includeDeclaration": true } });
        let uses = asked(&mut client, "references", text, n, all);
        let without = asked(&mut client, "references", text, n, json!({ "context": { "includeDeclaration": false } }));
        let lit = asked(&mut client, "documentHighlight", text, n, json!({}));
        shown += &format!(
            "{text:?}: {} | {} | {} | {}\n",
            places(&definition),
            places(&uses),
            places(&without),
            places(&lit)
        );
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn signature_help() {
    let mut client = program();
    let mut shown = String::new();
    for line in [
        "let z = home.words |> embed(‸",
        "let z = home.words |> embed(8, min_count: ‸",
        "let z = h |> bilstm(8, ‸",
        "let z = concat(h, ‸",
        "let z = reader(‸",
        "let z = intent.embedding(‸",
        "task t: classify(‸",
        "train { optimizer: sgd(lr: 0.1, ‸",
        "data x { field f: text(‸",
        "let z = h‸",
    ] {
        let text = format!("{PROGRAM}{line}");
        let at = client.retype("a.mtl", &text);
        let help = client.at("signatureHelp", "a.mtl", &at, json!({})).expect("an answer");
        let label = help.pointer("/signatures/0/label").and_then(Value::as_str).unwrap_or("nothing");
        let active =
            help["activeParameter"].as_u64().and_then(|n| help.pointer(&format!("/signatures/0/parameters/{n}/label")));
        shown += &format!("{line}\n  {label}\n  {}\n", active.and_then(Value::as_str).unwrap_or("-"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn inlay_hints() {
    let mut client = program();
    let all = json!({ "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    let hints = asked(&mut client, "inlayHint", "data", 0, all);
    insta::assert_snapshot!(client.shown(&hints));
}

#[test]
fn hints_and_hovers_stay_where_there_are_errors_elsewhere() {
    let mut client = Client::new();
    let at = client.open("a.mtl", &format!("{}task broken: tag(home.nothing) = h2\n", marked("h |>", 0)));
    let hover = client.at("hover", "a.mtl", &at, json!({})).expect("an answer");
    let says = hover.pointer("/contents/value").and_then(Value::as_str).expect("a text");
    assert!(says.contains("home[words, 64]"), "{says}");
    let reader = client.at("hover", "a.mtl", &crate::client::unmark(&marked("reader(", 0)).1, json!({})).expect("one");
    let says = reader.pointer("/contents/value").and_then(Value::as_str).expect("a text");
    assert!(says.contains("shared by `intent` and `slots`"), "{says}");
}

#[test]
fn symbols_and_folds() {
    let mut client = program();
    fn outline(symbols: &Value, depth: usize, shown: &mut String) {
        for s in symbols.as_array().into_iter().flatten() {
            let detail = s["detail"].as_str().unwrap_or_default();
            *shown += &format!("{}{} {} ({})\n", "  ".repeat(depth), s["name"].as_str().unwrap(), detail, s["kind"]);
            outline(&s["children"], depth + 1, shown);
        }
    }
    let mut shown = String::new();
    outline(&client.whole("textDocument/documentSymbol", "a.mtl"), 0, &mut shown);
    for fold in client.whole("textDocument/foldingRange", "a.mtl").as_array().unwrap() {
        shown += &format!("{} {}-{}\n", fold["kind"].as_str().unwrap(), fold["startLine"], fold["endLine"]);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn semantic_tokens() {
    let mut client = Client::new();
    let capabilities = client.ask("initialize", json!({}));
    assert!(capabilities.is_err(), "a second handshake");
    let text = "// one 感情 😀\nfor d in [books, dvd] {\n  data reviews[d] { format: lines  train: \"r/{d}/train\"\n    field body: text from \"感情 😀\"  field n: class }\n}\nconst w = 8\nlet x = reviews[books].body |> embed(w) |> mean_pool\ntask t: classify(reviews[books].n) = x\n";
    client.open("a.mtl", text);
    let tokens = client.whole("textDocument/semanticTokens/full", "a.mtl");
    let types = [
        "keyword",
        "comment",
        "string",
        "number",
        "operator",
        "function",
        "variable",
        "parameter",
        "property",
        "type",
        "class",
        "struct",
        "enumMember",
        "method",
    ];
    let (mut line, mut column, mut shown) = (0, 0, String::new());
    let lines: Vec<Vec<u16>> = text.lines().map(|l| l.encode_utf16().collect()).collect();
    for token in tokens["data"].as_array().unwrap().chunks(5) {
        let n: Vec<usize> = token.iter().map(|v| v.as_u64().unwrap() as usize).collect();
        column = if n[0] == 0 { column + n[1] } else { n[1] };
        line += n[0];
        let word = String::from_utf16(&lines[line][column..column + n[2]]).expect("whole characters");
        shown += &format!("{line}:{column} {word} {} {}\n", types[n[3]], n[4]);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn lenses() {
    let mut client = program();
    let lenses = client.whole("textDocument/codeLens", "a.mtl");
    let shown = lenses.as_array().unwrap().iter();
    let shown: Vec<String> =
        shown.map(|l| format!("{} {}", l["range"]["start"]["line"], l["command"]["title"].as_str().unwrap())).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn formatting() {
    let mut client = Client::new();
    let ugly = "const   w=8\n\nlayer a=embed(w)|>dropout( 0.1 )\n";
    client.open("a.mtl", ugly);
    let edits = client.whole("textDocument/formatting", "a.mtl");
    let mut lines: Vec<String> = ugly.split_inclusive('\n').map(String::from).collect();
    for edit in edits.as_array().expect("edits").iter().rev() {
        let line = |end: &str| edit["range"][end]["line"].as_u64().unwrap() as usize;
        assert_eq!((&edit["range"]["start"]["character"], &edit["range"]["end"]["character"]), (&json!(0), &json!(0)));
        lines.splice(line("start")..line("end"), [edit["newText"].as_str().unwrap().to_string()]);
    }
    assert_eq!(lines.concat(), mtlc::fmt::format(ugly).text);
    assert_ne!(lines.concat(), ugly);
    let formatted = lines.concat();
    client.retype("a.mtl", &formatted);
    assert_eq!(client.whole("textDocument/formatting", "a.mtl"), json!([]));
}

#[test]
fn the_task_graph() {
    let mut client = program();
    let graph = client.whole("mtlc/taskGraph", "a.mtl");
    assert!(graph["svg"].as_str().unwrap().starts_with("<svg"), "{graph}");
    assert!(graph["dot"].as_str().unwrap().contains("digraph"), "{graph}");
    insta::assert_snapshot!(graph["mermaid"].as_str().unwrap());
    client.retype("a.mtl", "let x = nothing\n");
    let none = client.whole("mtlc/taskGraph", "a.mtl");
    assert_eq!(none, json!({ "svg": null, "mermaid": null, "dot": null }));
}

#[test]
fn quick_fixes() {
    let mut client = Client::new();
    client.open("a.mtl", &PROGRAM.replace("mean_pool", "meen_pool"));
    let found = client.wait_for("a.mtl", |d| d != &json!([]));
    let range = found[0]["range"].clone();
    let params =
        json!({ "textDocument": { "uri": client.uri("a.mtl") }, "range": range, "context": { "diagnostics": found } });
    let actions = client.ask("textDocument/codeAction", params.clone()).expect("actions");
    insta::assert_snapshot!(client.shown(&actions));
    let mut only = params;
    only["context"]["only"] = json!(["refactor"]);
    assert_eq!(client.ask("textDocument/codeAction", only).expect("actions"), json!([]));
}

#[test]
fn renames() {
    let mut client = program();
    client.open(
        "b.mtl",
        "use \"a.mtl\"\nlet again = home.words |> reader\ntask more: classify(home.intent) = again |> max_pool\n",
    );
    let mut shown = String::new();
    for (text, n, new) in [
        ("reader(", 0, "encoder"),
        ("x |>", 0, "words"),
        ("intent: class", 0, "purpose"),
        ("first }", 0, "begin"),
        ("width)", 0, "reader"),
        ("reader(", 0, "embed"),
        ("reader(", 0, "task"),
        ("reader(", 0, "2nd"),
        ("reader(", 0, "感"),
        ("words:", 0, "slots"),
        ("bilstm", 0, "other"),
        ("h = home", 0, "again"),
    ] {
        let (_, at) = crate::client::unmark(&marked(text, n));
        let done = client.at("rename", "a.mtl", &at, json!({ "newName": new }));
        let says = match done {
            Ok(edit) => edits(&edit),
            Err(e) => format!("refused: {}", e.message),
        };
        shown += &format!("{text:?} to {new}: {says}\n");
    }
    let (_, at) = crate::client::unmark(&marked("reader(", 0));
    let prepared = client.at("prepareRename", "a.mtl", &at, json!({})).expect("a name");
    assert_eq!(prepared["placeholder"], "reader");
    insta::assert_snapshot!(shown);
}

/// The edits of a rename, by file.
fn edits(edit: &Value) -> String {
    let files = edit["documentChanges"].as_array().expect("changes").iter();
    let one = |e: &Value| format!("{}:{}", e["range"]["start"]["line"], e["range"]["start"]["character"]);
    let file = |f: &Value| {
        let name = f["textDocument"]["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_string();
        let new: Vec<&str> = f["edits"].as_array().unwrap().iter().map(|e| e["newText"].as_str().unwrap()).collect();
        let odd = new.iter().filter(|n| n.contains("from")).map(|n| format!(" +{n:?}")).collect::<String>();
        format!(
            "{name} v{} {}{odd}",
            f["textDocument"]["version"],
            f["edits"].as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(" ")
        )
    };
    files.map(file).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_word_of_a_for_is_renamed_by_hand() {
    let mut client = Client::new();
    let text = "data books { format: lines  train: \"b\"  field x: text  field y: class }\n\
                for d in [b‸ooks] { data all[d] { format: lines  train: \"{d}/train\"  field x: text } }\n";
    let at = client.open("a.mtl", text);
    let refused = client.at("rename", "a.mtl", &at, json!({ "newName": "novels" })).expect_err("strings spell it");
    insta::assert_snapshot!(refused.message);
    // The name of the loop itself takes its strings along.
    let at = crate::client::unmark(&text.replace(MARK, "").replace("d in", "‸d in")).1;
    let done = client.at("rename", "a.mtl", &at, json!({ "newName": "part" })).expect("edits");
    insta::assert_snapshot!(edits(&done));
}
