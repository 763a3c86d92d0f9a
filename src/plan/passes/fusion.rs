//! Two operations that have a kernel for both at once, where nothing else reads the value between
//! them: a pass over memory less, and a value less to keep.

use super::edit::{called, few, readers, replace};
use super::{Change, Pass, names};
use crate::plan::{Attr, Node, Plan};

pub(super) static PASS: Pass = Pass {
    name: names::FUSION,
    doc: "A linear layer or convolution takes in its activation, a norm the sum before it, an embedding its dropout.",
    run,
};

/// A fused node from the node that is taken in and the one that reads it, where they fit.
type Pattern = fn(inner: &Node, outer: &Node, plan: &Plan) -> Option<Node>;

/// The table of patterns.
const PATTERNS: &[Pattern] = &[activation, sum, dropout];

fn run(plan: &mut Plan) -> Change {
    let before = plan.nodes.len();
    let readers = readers(plan);
    let mut stand_in: Vec<usize> = (0..before).collect();
    let mut examples = Vec::new();
    for at in 0..before {
        let Some(&inside) = plan.nodes[at].inputs.first() else { continue };
        let (inner, outer) = (&plan.nodes[inside], &plan.nodes[at]);
        if readers[inside] != 1 || inner.data != outer.data {
            continue;
        }
        let Some(fused) = PATTERNS.iter().find_map(|pattern| pattern(inner, outer, plan)) else { continue };
        examples.push(match fused.op == "add_norm" {
            true => format!("{} takes in {}", called(plan, at), inner.op),
            false => format!("{} takes in {}", called(plan, inside), outer.op),
        });
        plan.nodes[at] = fused;
        stand_in[inside] = at;
    }
    replace(plan, &stand_in);
    Change::of_nodes(before, plan.nodes.len(), few(examples.into_iter()))
}

/// The inner operation where the outer one stood.
fn inside(inner: &Node, outer: &Node) -> Node {
    Node { width: outer.width, ty: outer.ty.clone(), ..inner.clone() }
}

/// `linear |> relu`.
fn activation(inner: &Node, outer: &Node, _: &Plan) -> Option<Node> {
    let bare = inner.attrs.get("act") == Some(&Attr::Str("none".into()));
    let fits = matches!(inner.op.as_str(), "linear" | "conv") && bare;
    let act = matches!(outer.op.as_str(), "relu" | "gelu" | "tanh" | "sigmoid");
    (fits && act).then(|| {
        let mut fused = inside(inner, outer);
        fused.attrs.insert("act".into(), outer.op.as_str().into());
        fused
    })
}

/// `x + y |> norm`, where both sides are equally wide and have the same places.
fn sum(inner: &Node, outer: &Node, plan: &Plan) -> Option<Node> {
    let [x, y] = inner.inputs[..] else { return None };
    let (x, y) = (&plan.nodes[x], &plan.nodes[y]);
    let alike = x.width == y.width && x.ty == y.ty && x.data == y.data;
    (inner.op == "add" && outer.op == "norm" && alike).then(|| Node {
        op: "add_norm".into(),
        inputs: inner.inputs.clone(),
        ..outer.clone()
    })
}

/// `embed |> dropout`.
fn dropout(inner: &Node, outer: &Node, _: &Plan) -> Option<Node> {
    let share = outer.attrs.get("p").filter(|_| inner.op == "embed" && outer.op == "dropout")?;
    let mut fused = Node { draw: outer.draw, ..inside(inner, outer) };
    fused.attrs.insert("dropout".into(), share.clone());
    Some(fused)
}
