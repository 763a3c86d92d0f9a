//! Opening, typing, several files, and clients that send rubbish.

use lsp_server::{Message, Notification, Request, RequestId};
use serde_json::{Value, json};

use crate::client::{Client, PROGRAM};

fn codes(diagnostics: &Value) -> Vec<&str> {
    diagnostics.as_array().expect("a list").iter().map(|d| d["code"].as_str().expect("a code")).collect()
}

#[test]
fn diagnostics_follow_what_is_typed() {
    let mut client = Client::new();
    client.open("a.mtl", PROGRAM);
    assert_eq!(client.wait_for("a.mtl", |_| true), json!([]));
    let line = PROGRAM.lines().position(|l| l.starts_with("task intent")).unwrap();
    let column = PROGRAM.lines().nth(line).unwrap().find("mean_pool").unwrap();
    let at = |c: usize| json!({ "line": line, "character": c });
    client.change("a.mtl", json!([{ "range": { "start": at(column), "end": at(column + 4) }, "text": "maen" }]));
    let found = client.wait_for("a.mtl", |d| d != &json!([]));
    insta::assert_snapshot!(client.shown(&found));
    // Two edits in one message, the second counted in what the first left.
    client.change(
        "a.mtl",
        json!([
            { "range": { "start": at(column), "end": at(column + 2) }, "text": "" },
            { "range": { "start": at(column), "end": at(column) }, "text": "me" },
            { "range": { "start": at(column + 2), "end": at(column + 4) }, "text": "an" },
        ]),
    );
    client.wait_for("a.mtl", |d| d == &json!([]));
    assert!(client.leave());
}

#[test]
fn places_count_in_utf16() {
    let mut client = Client::new();
    let text = "let x = \"感情 😀\" |> nothing\n";
    client.open("a.mtl", text);
    let found = client.wait_for("a.mtl", |d| d != &json!([]));
    let unknown = |d: &Value| d.as_array()?.iter().find(|d| d["code"] == "E0201").map(|d| d["range"]["start"].clone());
    let column = text[..text.find("nothing").unwrap()].encode_utf16().count();
    assert_eq!(unknown(&found), Some(json!({ "line": 0, "character": column })));
    let smiley = text[..text.find('😀').unwrap()].encode_utf16().count();
    let at = |c: usize| json!({ "line": 0, "character": c });
    client.change("a.mtl", json!([{ "range": { "start": at(smiley), "end": at(smiley + 2) }, "text": "" }]));
    client.wait_for("a.mtl", |d| unknown(d) == Some(at(column - 2)));
}

#[test]
fn unused_names_are_marked_as_such() {
    let mut client = Client::new();
    client.open("a.mtl", &format!("{PROGRAM}layer spare = embed(8)\n"));
    let found = client.wait_for("a.mtl", |d| d != &json!([]));
    let unused = found.as_array().unwrap().iter().find(|d| d["code"] == "W0201").expect("a warning");
    assert_eq!((&unused["tags"], &unused["severity"]), (&json!([1]), &json!(2)));
}

#[test]
fn a_used_file_is_part_of_the_program_that_uses_it() {
    let mut client = Client::new();
    let library = "layer reader = embed(8) |> bilstm(8)\nlayer spare = embed(4)\n";
    client.write("lib/reader.mtl", library);
    let main =
        PROGRAM.replace("layer reader(x) = x |> embed(width) |> bilstm(width) { }\n", "use \"lib/reader.mtl\"\n");
    client.open("a.mtl", &main);
    // A diagnostic is shown in the file that it is about, also when that is not open.
    let found = client.wait_for("lib/reader.mtl", |d| d != &json!([]));
    assert_eq!(codes(&found), ["W0201"]);
    // Opened and changed, it is still checked as a part of the program: on its own, `reader` would be unused.
    client.open("lib/reader.mtl", library);
    client.retype("lib/reader.mtl", "layer reader = bilstm(8)\n");
    let found = client.wait_for("a.mtl", |d| d.as_array().is_some_and(|d| !d.is_empty()) || d == &json!([]));
    let _ = found;
    let found =
        client.wait_for("lib/reader.mtl", |d| d.as_array().is_some_and(|d| d.iter().any(|d| d["code"] != "W0201")));
    assert!(codes(&found).iter().all(|c| c.starts_with("E04")), "{found:#}");
    let related = &found[0]["relatedInformation"];
    assert!(client.shown(related).contains("FOLDER/a.mtl"), "{related:#}");
    // Closed, the disk counts again.
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": client.uri("lib/reader.mtl") } }));
    client.wait_for("lib/reader.mtl", |d| codes(d) == ["W0201"]);
    // And when the program is closed, too, nothing is said of either.
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": client.uri("a.mtl") } }));
    client.wait_for("lib/reader.mtl", |d| d == &json!([]));
}

#[test]
fn what_one_program_uses_is_not_unused() {
    let mut client = Client::new();
    client.write("lib.mtl", "layer one = embed(8)\nlayer two = embed(8)\n");
    let data = "data d { format: lines  train: \"t\"  field x: text  field y: class }\n";
    let program = |layer: &str| format!("use \"lib.mtl\"\n{data}task t: classify(d.y) = d.x |> {layer} |> mean_pool\n");
    client.open("a.mtl", &program("one"));
    client.wait_for("lib.mtl", |d| codes(d) == ["W0201"]);
    client.open("b.mtl", &program("two"));
    client.wait_for("lib.mtl", |d| d == &json!([]));
}

#[test]
fn files_that_use_each_other_end() {
    let mut client = Client::new();
    client.write("b.mtl", "use \"a.mtl\"\n");
    client.open("a.mtl", "use \"b.mtl\"\n");
    client.open("b.mtl", "use \"a.mtl\"\n");
    client.wait_for("a.mtl", |d| d != &json!([]) || d == &json!([]));
    let at = json!({ "line": 0, "character": 6 });
    let definition = client.at("definition", "b.mtl", &at, json!({})).expect("an answer");
    assert_eq!(definition[0]["uri"], client.uri("a.mtl"));
    assert!(client.leave());
}

#[test]
fn a_file_that_appears_is_read() {
    let mut client = Client::with(json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } }));
    client.open("a.mtl", "use \"late.mtl\"\n");
    let found = client.wait_for("a.mtl", |d| d != &json!([]));
    assert_eq!(codes(&found), ["E0207"]);
    client.write("late.mtl", "const w = 8\n");
    let change = json!({ "uri": client.uri("late.mtl"), "type": 1 });
    client.tell("workspace/didChangeWatchedFiles", json!({ "changes": [change] }));
    client.wait_for("a.mtl", |d| d == &json!([]));
}

#[test]
fn an_untitled_text_is_a_program_too() {
    let mut client = Client::new();
    let uri = "untitled:Untitled-1";
    let document = json!({ "uri": uri, "languageId": "mtl", "version": 1, "text": "let x = nothing\n" });
    client.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let params = json!({ "textDocument": { "uri": uri } });
    client.ask("textDocument/documentSymbol", params).expect("an answer");
    assert!(codes(&client.published[uri]).contains(&"E0201"));
}

/// Requests that cannot be answered, each with the code of its error.
#[test]
fn rubbish_is_answered_by_errors() {
    let mut client = Client::new();
    client.open("a.mtl", PROGRAM);
    let uri = client.uri("a.mtl");
    let at = json!({ "line": 1, "character": 1 });
    let position = json!({ "textDocument": { "uri": uri }, "position": at });
    for (method, params, code) in [
        ("textDocument/nonsense", json!({}), -32601),
        ("nonsense", Value::Null, -32601),
        ("textDocument/hover", Value::Null, -32602),
        ("textDocument/hover", json!([1, 2]), -32602),
        ("textDocument/hover", json!({ "textDocument": { "uri": 3 }, "position": at }), -32602),
        ("textDocument/hover", json!({ "textDocument": { "uri": "no uri" }, "position": at }), -32602),
        ("textDocument/hover", json!({ "textDocument": { "uri": uri } }), -32602),
        (
            "textDocument/hover",
            json!({ "textDocument": { "uri": uri }, "position": { "line": -1, "character": 0 } }),
            -32602,
        ),
        ("textDocument/hover", json!({ "textDocument": { "uri": client.uri("closed.mtl") }, "position": at }), -32602),
        ("textDocument/rename", position.clone(), -32602),
        ("mtlc/taskGraph", json!({ "textDocument": { "uri": "file:///nowhere.mtl" } }), -32602),
    ] {
        let error = client.ask(method, params.clone()).expect_err("rubbish");
        assert_eq!(error.code, code, "{method} {params}: {}", error.message);
    }
    for (method, params) in [
        ("textDocument/didChange", json!({ "textDocument": 1 })),
        (
            "textDocument/didChange",
            json!({ "textDocument": { "uri": client.uri("closed.mtl"), "version": 1 }, "contentChanges": [{ "text": "x" }] }),
        ),
        ("textDocument/didClose", json!({ "textDocument": { "uri": client.uri("closed.mtl") } })),
        ("textDocument/didOpen", Value::Null),
        ("workspace/didChangeWatchedFiles", json!({ "changes": 3 })),
        ("$/setTrace", json!({ "value": "off" })),
        ("nonsense", json!({})),
    ] {
        client.tell(method, params);
    }
    assert!(client.at("hover", "a.mtl", &at, json!({})).is_ok());
    assert!(client.leave());
}

/// Every request at every kind of place, also outside of the text.
#[test]
fn positions_out_of_bounds_are_moved_into_the_text() {
    let mut client = Client::new();
    let texts = ["", "\n", "感情 😀", "let x = 感情 😀\r\n", "task t: (", "data d { field", "}}}", PROGRAM];
    for (i, text) in texts.iter().enumerate() {
        let name = format!("{i}.mtl");
        client.open(&name, text);
        for (line, character) in [(0, 0), (0, 3), (0, 4), (0, 9999), (1, 0), (3, 7), (9999, 0), (u32::MAX, u32::MAX)] {
            let at = json!({ "line": line, "character": character });
            let range = json!({ "start": at, "end": { "line": 0, "character": 0 } });
            let more = json!({
                "context": { "includeDeclaration": true, "diagnostics": [] }, "range": range, "newName": "fresh",
            });
            for method in [
                "hover",
                "definition",
                "references",
                "documentHighlight",
                "signatureHelp",
                "completion",
                "inlayHint",
                "codeAction",
            ] {
                client.at(method, &name, &at, more.clone()).unwrap_or_else(|e| panic!("{method} {at}: {}", e.message));
            }
            for method in ["rename", "prepareRename"] {
                if let Err(e) = client.at(method, &name, &at, more.clone()) {
                    assert_eq!(e.code, -32803, "{method} {at}: {}", e.message);
                }
            }
        }
        let wild = json!({ "start": { "line": 9, "character": 9 }, "end": { "line": 1, "character": 0 } });
        client.change(&name, json!([{ "range": wild, "text": "x" }]));
        client.whole("textDocument/documentSymbol", &name);
    }
}

#[test]
fn a_request_that_is_taken_back_is_not_answered_for_long() {
    let mut client = Client::new();
    client.open("a.mtl", PROGRAM);
    let (first, second) = (RequestId::from("first".to_string()), RequestId::from("second".to_string()));
    let params = json!({ "textDocument": { "uri": client.uri("a.mtl") } });
    // All three are there before the server looks at the second.
    let messages: Vec<Message> = vec![
        Request::new(first.clone(), "textDocument/documentSymbol".into(), params.clone()).into(),
        Request::new(second.clone(), "textDocument/documentSymbol".into(), params).into(),
        Notification::new("$/cancelRequest".into(), json!({ "id": "second" })).into(),
    ];
    client.write("big.mtl", "");
    for message in messages {
        client.connection.sender.send(message).expect("a server");
    }
    assert!(client.answer(&first).is_ok());
    match client.answer(&second) {
        Err(e) => assert_eq!(e.code, -32800),
        // It was quicker than the message that takes it back.
        Ok(answer) => assert!(answer.is_array()),
    }
}

#[test]
fn after_shutdown_only_exit_is_taken() {
    let mut client = Client::new();
    client.open("a.mtl", PROGRAM);
    client.ask("shutdown", Value::Null).expect("an answer");
    let error = client.at("hover", "a.mtl", &json!({ "line": 0, "character": 0 }), json!({})).expect_err("shut down");
    assert_eq!(error.code, -32600);
    client.tell("exit", Value::Null);
    assert!(client.end(), "goodbye was said");
}

#[test]
fn an_editor_that_just_leaves_is_no_success() {
    let client = Client::new();
    client.tell("exit", Value::Null);
    assert!(!client.end());
}
