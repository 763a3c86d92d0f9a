//! A small plan, and its pictures.

use super::*;
use crate::data::spec::{DataSpec, FieldSpec, FieldType, Format, Tokens};
use crate::plan::{
    Attr, Attrs, BalancePlan, BatchPlan, Init, LossPlan, Node, OptimizerPlan, ParamPlan, Plan, SamplePlan,
    SchedulePlan, StagePlan, TaskOn, TaskPlan, TrainPlan,
};
use crate::source::Span;

fn field(name: &str, ty: FieldType) -> FieldSpec {
    FieldSpec { name: name.into(), ty, sources: vec![], template: None, optional: false, span: Span::default() }
}

fn data(name: &str) -> DataSpec {
    let text = FieldType::Text { lower: false, tokens: Tokens::Space, max: None };
    let fields =
        vec![field("text", text), field("intent", FieldType::Class), field("slots", FieldType::Tags("text".into()))];
    DataSpec {
        name: name.into(),
        format: Format::Lines,
        train: vec![],
        dev: None,
        test: None,
        limit: None,
        skip_malformed: false,
        fields,
        span: Span::default(),
    }
}

fn param(name: &str, shape: &[usize]) -> ParamPlan {
    ParamPlan { name: name.into(), shape: shape.to_vec(), init: Init::Zeros, rate: None, span: Span::default() }
}

fn node(op: &str, path: &str, inputs: &[usize], params: &[usize], width: usize, ty: &str) -> Node {
    Node {
        op: op.into(),
        inputs: inputs.to_vec(),
        attrs: Attrs::new(),
        params: params.to_vec(),
        data: Some(0),
        width,
        ty: ty.into(),
        draw: None,
        train_only: false,
        path: path.into(),
        span: Span::default(),
    }
}

fn task(name: &str, kind: &str, head: &str, on: TaskOn) -> TaskPlan {
    TaskPlan {
        name: name.into(),
        family: None,
        kind: kind.into(),
        space: None,
        on: vec![on],
        vote: false,
        head: head.into(),
        weight: 1.0,
        lr: None,
        updates: None,
        metrics: vec!["accuracy".into()],
        threshold: 0.5,
        k: 0,
        reads: vec![],
        span: Span::default(),
    }
}

/// `words` and `reader` shared by `intent` and `slots`, which reads intent's probabilities; a
/// loss item between them.
pub(crate) fn plan() -> Plan {
    let field_at = |at: i64| {
        let mut node = node("field", "", &[], &[], 1, "atis[text]");
        node.attrs = Attrs::from_iter([("data".into(), Attr::Int(0)), ("field".into(), Attr::Int(at))]);
        node
    };
    let nodes = vec![
        field_at(0),
        node("embed", "words.embed", &[0], &[0], 8, "atis[text, 8]"),
        node("dropout", "words", &[1], &[], 8, "atis[text, 8]"),
        node("bilstm", "reader.bilstm", &[2], &[1, 2], 16, "atis[text, 16]"),
        node("mean_pool", "intent", &[3], &[], 16, "atis[16]"),
        node("linear", "intent.head", &[4], &[3], 5, "atis[|atis.intent|]"),
        node("argmax", "intent", &[5], &[], 5, "atis[label |atis.intent|]"),
        node("softmax", "intent", &[5], &[], 5, "atis[|atis.intent|]"),
        field_at(1),
        node("cross_entropy", "intent", &[5, 8], &[], 1, "atis[1]"),
        node("concat", "", &[3, 7], &[], 21, "atis[text, 21]"),
        node("linear", "slots.head", &[10], &[4], 7, "atis[text, |atis.slots|]"),
        node("viterbi", "slots", &[11], &[5], 7, "atis[text, label |atis.slots|]"),
        field_at(2),
        node("crf", "slots", &[11, 13], &[5], 1, "atis[1]"),
        node("orthogonal", "", &[3, 7], &[], 1, "number"),
    ];
    let on =
        |logits, label, probs, gold, loss| TaskOn { data: 0, logits, label, probs, gold: Some(gold), loss: Some(loss) };
    let stage = StagePlan {
        name: "joint".into(),
        after: None,
        epochs: 3,
        batch: BatchPlan::Examples(4),
        accumulate: 1,
        optimizer: OptimizerPlan::Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 },
        schedule: SchedulePlan::Constant { warmup: crate::plan::Length::Steps(0) },
        clip: None,
        sample: SamplePlan::Proportional,
        balance: BalancePlan::Uncertainty,
        select: None,
        patience: None,
        tasks: vec![0, 1],
        losses: vec![0],
        freeze: vec![],
        reset: vec![],
    };
    Plan {
        version: crate::plan::VERSION,
        name: "atis".into(),
        base: Default::default(),
        passes: vec![],
        datasets: vec![data("atis")],
        spaces: vec![],
        space_sizes: vec![],
        vocabs: vec![],
        vocab_sizes: vec![100],
        params: vec![
            param("words.embed.table", &[100, 8]),
            param("reader.bilstm.w_ih", &[64, 8]),
            param("reader.bilstm.b", &[64]),
            param("intent.head.w", &[5, 16]),
            param("slots.head.w", &[7, 21]),
            param("slots.head.transitions", &[7, 7]),
        ],
        nodes,
        joined: vec![],
        tasks: vec![
            task("intent", "classify", "softmax", on(5, 6, Some(7), 8, 9)),
            task("slots", "tag", "crf", on(11, 12, None, 13, 14)),
        ],
        losses: vec![LossPlan {
            name: "apart".into(),
            data: Some(0),
            node: 15,
            weight: 0.01,
            updates: None,
            span: Span::default(),
        }],
        metrics: vec![],
        train: TrainPlan { seed: 1, device: "cpu".into(), precision: "f32".into(), stages: vec![stage] },
        runs: vec![],
        encoders: vec![],
    }
}

/// The plan above for so many members of a family.
pub(crate) fn family(members: usize) -> Plan {
    let mut plan = plan();
    plan.datasets = (0..members).map(|i| data(&format!("reviews.m{i}"))).collect();
    plan.params = vec![param("shared.linear.w", &[4, 4])];
    plan.params.extend((0..members).map(|i| param(&format!("private.m{i}.linear.w"), &[2, 4])));
    plan.nodes = Vec::new();
    plan.tasks = Vec::new();
    plan.losses = Vec::new();
    for i in 0..members {
        let base = plan.nodes.len();
        plan.nodes.push(node("field", "", &[], &[], 1, "x[text]"));
        plan.nodes.push(node("linear", "shared.linear", &[base], &[0], 4, "x[4]"));
        plan.nodes.push(node("linear", &format!("private.m{i}.linear"), &[base + 1], &[i + 1], 2, "x[2]"));
        plan.nodes[base..].iter_mut().for_each(|node| node.data = Some(i));
        let at = base + 2;
        let on = TaskOn { data: i, logits: at, label: at, probs: None, gold: None, loss: None };
        let mut one = task(&format!("sentiment.m{i}"), "classify", "softmax", on);
        one.family = Some("sentiment".into());
        plan.tasks.push(one);
    }
    plan.train.stages[0].tasks = (0..members).collect();
    plan
}

#[test]
fn boxes_and_arrows() {
    let graph = Graph::of(&plan());
    let boxes: Vec<String> =
        graph.vertices.iter().map(|v| format!("{:?} {} [{}] {}", v.kind, v.name, v.detail, v.is_shared())).collect();
    let arrows: Vec<String> = graph
        .edges
        .iter()
        .map(|e| format!("{} -{}> {}", graph.vertices[e.from].name, e.label, graph.vertices[e.to].name))
        .collect();
    assert_eq!(
        boxes,
        [
            "Data atis [text · intent · slots] false",
            "Layer reader [bilstm · 576] true",
            "Layer words [embed · 800] true",
            "Task intent [classify] false",
            "Task slots [tag · crf] false",
            "Loss apart [weight 0.01] false",
        ]
    );
    assert_eq!(
        arrows,
        [
            "atis -> words",
            "reader -> intent",
            "reader -> slots",
            "reader -> apart",
            "words -> reader",
            "intent -probs> slots",
            "intent -probs> apart",
        ]
    );
}

#[test]
fn a_large_family_is_one_box() {
    let graph = Graph::of(&family(16));
    let names: Vec<&str> = graph.vertices.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["reviews ×16", "private ×16", "shared", "sentiment ×16"]);
    assert!(graph.vertices[2].is_shared());
    assert_eq!(Graph::of(&family(2)).vertices.len(), 2 + 2 + 1 + 2);
}

#[test]
fn dot_is_graphviz() {
    let text = dot(&Graph::of(&plan()));
    assert!(text.starts_with("digraph mtlc {") && text.ends_with("}\n"));
    assert!(text.contains("label=\"reader\\nbilstm · 576\", shape=box, peripheries=2"), "{text}");
    assert!(text.contains("n3 -> n4 [label=\"probs\"];"), "{text}");
}

#[test]
fn mermaid_is_a_flow_chart() {
    let text = mermaid(&Graph::of(&plan()));
    assert!(text.starts_with("flowchart LR\n  n0[(\"atis<br/>text · intent · slots\")]\n"), "{text}");
    assert!(text.contains("  n1[[\"reader<br/>bilstm · 576\"]]:::shared\n"), "{text}");
    assert!(text.contains("  n3 -->|probs| n4\n"), "{text}");
}

#[test]
fn svg_places_boxes_apart() {
    let mut graph = Graph::of(&plan());
    graph.vertices[0].name = "<&\"感情".into();
    let text = svg(&graph);
    crate::report::html::tests::balanced(&text);
    assert!(text.contains("&lt;&amp;&quot;感情"), "{text}");
    assert_eq!(text.matches("shared inner").count(), 2);
}

#[test]
fn cycles_are_drawn_too() {
    let vertex = |name: &str| Vertex { name: name.into(), detail: String::new(), kind: Kind::Layer, readers: 0 };
    let edge = |from, to| Edge { from, to, label: String::new(), weak: false };
    let edges = vec![edge(0, 1), edge(1, 2), edge(2, 0), edge(0, 3), edge(2, 3)];
    let graph = Graph { vertices: ["a", "b", "c", "d"].map(vertex).to_vec(), edges };
    assert!(!svg(&graph).contains("NaN"));
    assert!(!svg(&Graph::default()).contains("NaN") && !svg(&Graph::default()).contains("inf"));
}
