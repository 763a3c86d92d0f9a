//! What is offered where.

use serde_json::{Value, json};

use crate::client::{Client, MARK, PROGRAM, data};

fn offered(client: &mut Client, marked: &str) -> Vec<Value> {
    let at = client.retype("a.mtl", marked);
    let list = client.at("completion", "a.mtl", &at, json!({})).expect("completions");
    let mut items = list["items"].as_array().expect("items").clone();
    items.sort_by_key(|i| i["sortText"].as_str().unwrap_or_default().to_string());
    items
}

/// A few of the labels, the best first, with their details.
fn few(items: &[Value], n: usize) -> String {
    let one = |i: &Value| match i["detail"].as_str() {
        Some(detail) => format!("{} ({detail})", i["label"].as_str().unwrap()),
        None => i["label"].as_str().unwrap().to_string(),
    };
    let shown: Vec<String> = items.iter().take(n).map(one).collect();
    let more = items.len().saturating_sub(n);
    if more > 0 { format!("{} … {more} more", shown.join(", ")) } else { shown.join(", ") }
}

#[test]
fn completions_by_place() {
    let mut client = Client::new();
    data(&client);
    client.write("encoders.mtl", "layer far = embed(8)\n");
    client.write("table.csv", "text,label\na,b\n");
    client.open("a.mtl", PROGRAM);
    let mut shown = String::new();
    for line in [
        "‸",
        "let y = ‸",
        "let y = h |> ‸",
        "let y = h |> mea‸",
        "let y = home.‸",
        "let y = home.wo‸ |> embed(8)",
        "let y = intent.‸",
        "let y = h |> bilstm(‸",
        "let y = h |> bilstm(8, layers: 2, ‸",
        "let y = h |> mlp([8], act: ‸",
        "let y = reader(‸",
        "layer two(left, right) = concat(‸",
        "task t: ‸",
        "task t: classify(‸",
        "task t: classify(home.‸",
        "task t: tag(home.slots) = h { ‸ }",
        "task t: tag(home.slots) = h { head: ‸ }",
        "task t: classify(home.intent) = h { metric: ‸ }",
        "task t: classify(home.intent) = h { class_weights: ‸ }",
        "data x { ‸ }",
        "data x { format: ‸ }",
        "data x { format: csv  train: \"table.csv\"  field t: ‸ }",
        "data x { format: csv  train: \"table.csv\"  field t: text from ‸ }",
        "data x { format: csv  train: \"table.csv\"  field t: text from \"‸\" }",
        "data x { format: lines  train: \"home/train\"  field t: text from \"‸\" }",
        "data x { format: lines  train: \"‸\" }",
        "data x { format: lines  train: \"home/‸\" }",
        "data x { format: lines  train: \"home/‸",
        "use \"‸\"",
        "metric m = mean(‸",
        "loss l = kl(‸",
        "for d in [books] { let z[d] = ‸ }",
        "// a comment ‸",
        "let y = h |> dropout(0.‸)",
    ] {
        let items = offered(&mut client, &format!("{PROGRAM}{line}\n"));
        shown += &format!("{line}\n  {}\n", few(&items, 6));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn completions_in_training() {
    let mut client = Client::new();
    client.open("a.mtl", PROGRAM);
    let before = PROGRAM.split("train {\n").next().expect("a program");
    let mut shown = String::new();
    for block in [
        "train { ‸ }",
        "train { epochs: 3  ‸ }",
        "train { optimizer: ‸ }",
        "train { optimizer: adam(‸) }",
        "train { schedule: linear(warmup: ‸) }",
        "train { sample: ‸ }",
        "train { sample: ordered([‸]) }",
        "train { balance: weighted(‸) }",
        "train { select: ‸ }",
        "train { select: mean(‸) }",
        "train { select: intent.‸ }",
        "train { stage a { ‸ } }",
        "train { stage a { tasks: [‸] } }",
        "train { stage a { freeze: [reader.‸] } }",
        "train { stage a { } stage b { after: ‸ } }",
        "train { device: ‸ }",
        "train { precision: ‸ }",
    ] {
        let items = offered(&mut client, &format!("{before}{block}\n"));
        shown += &format!("{block}\n  {}\n", few(&items, 6));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_completion_replaces_the_word_and_fills_in_the_default() {
    let mut client = Client::new();
    client.open("a.mtl", PROGRAM);
    let text = format!("{PROGRAM}let 感 = 1\nlet y = h |> bilstm(8, lay{MARK}");
    let items = offered(&mut client, &text);
    let layers = items.iter().find(|i| i["label"] == "layers:").expect("an argument");
    insta::assert_snapshot!(client.shown(layers));
}

#[test]
fn columns_are_read_anew_when_the_file_changes() {
    let mut client = Client::new();
    client.write("t.csv", "one,two\n");
    client.open("a.mtl", "");
    let text = format!("data x {{ format: csv  train: \"t.csv\"  field t: text from \"{MARK}\" }}\n");
    let labels = |items: Vec<Value>| items.iter().map(|i| i["label"].as_str().unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!(labels(offered(&mut client, &text)), ["one", "two"]);
    client.write("t.csv", "three\n");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::options().write(true).open(client.path("t.csv")).unwrap().set_modified(later).unwrap();
    assert_eq!(labels(offered(&mut client, &text)), ["three"]);
}
