//! Each pass on a small plan, before and after.

use serde_json::json;

use super::{PASSES, names, run};
use crate::data::spec::{DataSpec, FieldSpec, FieldType, Format, Tokens};
use crate::plan::*;

/// A plan with data sets of a text each, and nodes on the first.
fn plan(sets: usize, nodes: Vec<Node>, tasks: &[(&str, usize, usize)]) -> Plan {
    let stage = json!({
        "name": "", "after": null, "epochs": 1, "batch": {"examples": 4}, "accumulate": 1, "clip": null,
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0},
        "schedule": {"name": "constant", "warmup": {"steps": 0}}, "sample": {"name": "all"},
        "balance": {"name": "weighted", "weights": []}, "select": null, "patience": null,
        "tasks": [0, 1], "losses": [], "freeze": [3], "reset": [],
    });
    let train = json!({"seed": 1, "device": "cpu", "precision": "f32", "stages": [stage]});
    let param = |i: usize| ParamPlan {
        name: format!("p{i}"),
        shape: vec![i + 1, 2],
        init: Init::Zeros,
        rate: None,
        span: Default::default(),
    };
    Plan {
        version: VERSION,
        name: "small".into(),
        base: Default::default(),
        passes: vec![],
        datasets: (0..sets).map(|i| dataset(["home", "work", "road"][i])).collect(),
        spaces: vec![],
        space_sizes: vec![],
        vocabs: vec![],
        vocab_sizes: vec![],
        params: (0..6).map(param).collect(),
        nodes,
        joined: vec![],
        tasks: tasks.iter().map(|(name, logits, label)| task(name, *logits, *label)).collect(),
        losses: vec![],
        metrics: vec![],
        train: serde_json::from_value(train).expect("a train block"),
        runs: vec![],
        encoders: vec![],
    }
}

fn dataset(name: &str) -> DataSpec {
    let ty = FieldType::Text { lower: false, tokens: Tokens::Space, max: None };
    let field = FieldSpec {
        name: "text".into(),
        ty,
        sources: vec![],
        template: None,
        optional: false,
        span: Default::default(),
    };
    DataSpec {
        name: name.into(),
        format: Format::Jsonl,
        train: vec![],
        dev: None,
        test: None,
        limit: None,
        skip_malformed: false,
        fields: vec![field],
        span: Default::default(),
    }
}

fn task(name: &str, logits: usize, label: usize) -> TaskPlan {
    TaskPlan {
        name: name.into(),
        family: None,
        kind: "classify".into(),
        space: None,
        on: vec![TaskOn { data: 0, logits, label, probs: None, gold: None, loss: None }],
        vote: false,
        head: "softmax".into(),
        weight: 1.0,
        lr: None,
        updates: None,
        metrics: vec![],
        threshold: 0.5,
        k: 0,
        reads: vec![],
        span: Default::default(),
    }
}

fn node(op: &str, inputs: &[usize], params: &[usize]) -> Node {
    Node {
        op: op.into(),
        inputs: inputs.to_vec(),
        attrs: Attrs::new(),
        params: params.to_vec(),
        data: Some(0),
        width: 4,
        ty: "home[text, 4]".into(),
        draw: None,
        train_only: false,
        path: if params.is_empty() { String::new() } else { format!("reader.{op}") },
        span: Default::default(),
    }
}

fn with(mut node: Node, attr: &str, value: Attr) -> Node {
    node.attrs.insert(attr.into(), value);
    node
}

fn on(data: usize, node: Node) -> Node {
    Node { data: Some(data), ..node }
}

fn text() -> Node {
    with(node("field", &[], &[]), "field", 0usize.into())
}

fn dropout(input: usize, draw: u64) -> Node {
    Node { draw: Some(draw), ..with(node("dropout", &[input], &[]), "p", 0.5.into()) }
}

/// Two tasks, each with its own copy of a reader, and a layer that nothing reads.
fn two_tasks() -> Plan {
    let copy = |at: usize, head: usize| {
        let reader = [text(), node("embed", &[at], &[0]), dropout(at + 1, 9), node("bilstm", &[at + 2], &[1])];
        reader.into_iter().chain([node("project", &[at + 3], &[head]), node("argmax", &[at + 4], &[])])
    };
    let nodes = copy(0, 2).chain(copy(6, 3)).chain([node("linear", &[3], &[4])]).collect();
    plan(1, nodes, &[("intent", 4, 5), ("slots", 10, 11)])
}

fn only(plan: &mut Plan, pass: &str) {
    let off: Vec<String> = PASSES.iter().map(|p| p.name.to_string()).filter(|name| name != pass).collect();
    run(plan, &off);
}

fn says<'p>(plan: &'p Plan, pass: &str) -> &'p str {
    &plan.passes.iter().find(|report| report.name == pass).expect("a report").says
}

fn ops(plan: &Plan) -> Vec<&str> {
    plan.nodes.iter().map(|node| node.op.as_str()).collect()
}

#[test]
fn without_passes_a_plan_stays_as_it_is() {
    let mut plan = two_tasks();
    let before = plan.clone();
    only(&mut plan, "none");
    assert_eq!(plan.nodes, before.nodes);
    assert!(plan.passes.iter().all(|pass| !pass.on && pass.says.ends_with(": off")));
    assert!(!plan.passed(names::FUSION) && before.passed(names::FUSION));
}

#[test]
fn dead_values_go_with_their_parameters() {
    let mut plan = two_tasks();
    plan.train.stages[0].reset = vec![5];
    only(&mut plan, names::DEAD_VALUES);
    assert_eq!((plan.nodes.len(), plan.params.len()), (12, 5));
    // Parameter 5 is mentioned by a stage, so it stays and moves up.
    assert_eq!((plan.params[4].name.as_str(), &plan.train.stages[0].reset), ("p5", &vec![4]));
    let said = "dead values: 13 nodes became 12 (nothing needs reader.linear on home)";
    assert_eq!(says(&plan, names::DEAD_VALUES), said);
}

#[test]
fn common_values_are_computed_once() {
    let mut plan = two_tasks();
    only(&mut plan, names::COMMON_VALUES);
    assert_eq!(ops(&plan), ["field", "embed", "dropout", "bilstm", "project", "argmax", "project", "argmax", "linear"]);
    assert_eq!((plan.tasks[1].on[0].logits, plan.tasks[1].on[0].label, &plan.nodes[6].inputs[..]), (6, 7, &[3][..]));
    let said = says(&plan, names::COMMON_VALUES);
    assert!(said.starts_with("common values: 13 nodes became 9 ("), "{said}");
    assert!(said.contains("reader.bilstm on home is computed once for intent, slots"), "{said}");
}

#[test]
fn draws_of_their_own_keep_values_apart() {
    let mut plan = two_tasks();
    plan.nodes[8].draw = Some(10);
    only(&mut plan, names::COMMON_VALUES);
    assert_eq!(ops(&plan).iter().filter(|op| **op == "bilstm").count(), 2);
    assert_eq!(ops(&plan).iter().filter(|op| **op == "embed").count(), 1);
}

#[test]
fn what_has_a_kernel_for_both_is_fused() {
    let act = |x: Node| with(x, "act", "none".into());
    let nodes = vec![
        text(),
        node("embed", &[0], &[0]),
        dropout(1, 9),
        act(node("linear", &[2], &[1])),
        node("relu", &[3], &[]),
        node("add", &[2, 4], &[]),
        node("norm", &[5], &[2]),
        act(node("linear", &[6], &[3])),
        node("tanh", &[7], &[]),
        node("argmax", &[7], &[]),
    ];
    let mut plan = plan(1, nodes, &[("intent", 8, 9)]);
    only(&mut plan, names::FUSION);
    // The last linear layer is read twice, so it stays.
    assert_eq!(ops(&plan), ["field", "embed", "linear", "add_norm", "linear", "tanh", "argmax"]);
    assert_eq!((plan.nodes[1].draw, plan.nodes[1].attrs.get("dropout")), (Some(9), Some(&Attr::Float(0.5))));
    assert_eq!(plan.nodes[2].attrs.get("act"), Some(&Attr::Str("relu".into())));
    assert_eq!((&plan.nodes[3].inputs[..], &plan.nodes[3].params[..]), (&[1, 2][..], &[2][..]));
    assert_eq!((plan.tasks[0].on[0].logits, plan.tasks[0].on[0].label), (5, 6));
    let said = says(&plan, names::FUSION);
    assert!(said.starts_with("fusion: 10 nodes became 7 (reader.embed on home takes in dropout;"), "{said}");
}

#[test]
fn sums_of_other_widths_are_not_fused() {
    let one = Node { width: 1, ..node("linear", &[0], &[1]) };
    let nodes = vec![text(), node("embed", &[0], &[0]), one, node("add", &[1, 2], &[]), node("norm", &[3], &[2])];
    let mut plan = plan(1, nodes, &[("intent", 4, 4)]);
    only(&mut plan, names::FUSION);
    assert_eq!(says(&plan, names::FUSION), "fusion: nothing to do");
}

/// A reader on three data sets; the third has another embedding.
fn three_sets() -> Plan {
    let copy = |data: usize| {
        let (at, table) = (data * 4, if data == 2 { 4 } else { 0 });
        let nodes = [text(), node("embed", &[at], &[table]), node("bilstm", &[at + 1], &[1])];
        nodes.into_iter().chain([node("project", &[at + 2], &[2 + data % 2])]).map(move |n| on(data, n))
    };
    plan(3, (0..3).flat_map(copy).collect(), &[("a", 3, 3), ("b", 7, 7), ("c", 11, 11)])
}

#[test]
fn shared_layers_of_data_sets_are_joined() {
    let mut plan = three_sets();
    only(&mut plan, names::JOINED_BATCHES);
    assert_eq!(plan.joined, [vec![0, 4, 8], vec![1, 5], vec![2, 6]]);
    let said = says(&plan, names::JOINED_BATCHES);
    assert!(said.starts_with("joined batches: 7 nodes become 3 in a step (reader.bilstm runs once over home, work"));
}

#[test]
fn nothing_is_joined_where_steps_draw_from_one_data_set() {
    let mut plan = three_sets();
    plan.train.stages[0].sample = SamplePlan::Uniform;
    only(&mut plan, names::JOINED_BATCHES);
    assert!(plan.joined.is_empty());
    assert_eq!(
        says(&plan, names::JOINED_BATCHES),
        "joined batches: nothing to do: no step draws from several data sets"
    );
}

#[test]
fn all_but_what_is_asked_for_goes_early() {
    let mut plan = two_tasks();
    run(&mut plan, &[]);
    let said = says(&plan, names::EARLY_FREEING);
    assert!(said.starts_with("early freeing: 3 of 7 values go after their last use (field"), "{said}");
}
