//! `graph_attention(x, edges)`: each place looks at its neighbours in a graph.

use super::signature::*;
use super::{Operation, attrs, dense};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Init};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{GoldKind, On, Ty};
use crate::syntax::ast::{Expr, ExprKind};

#[cfg(feature = "train")]
use crate::backend::{
    Value,
    exec::Run,
    kernels::{activation::Activation, edges, linear::linear},
};

/// `graph_attention(x, edges)`.
pub struct GraphAttention;

static GRAPH_ATTENTION: Signature = Signature {
    name: "graph_attention",
    group: Group::Structure,
    doc: "Σⱼ αᵢⱼ W xⱼ over the neighbours j of each place i and itself, with αᵢⱼ = softmaxⱼ LeakyReLU(a · [W xᵢ; W xⱼ]), for each head (Veličković et al. 2018, eq. 1–5); heads lie side by side. The nonlinearity after it is the program's.",
    inputs: &[input("x")],
    args: &[
        required(
            "edges",
            Kind::Any,
            "Who are neighbours: `window(k)`, places up to k apart in one text; `all`, all places of a text, or of all that are joined; `across`, places of different parts of a joined value; a task of trees or relations, or a value of them: tokens and their heads, or the tokens of spans that are related; or a list of these.",
        ),
        arg("heads", Kind::Int(1, 1024), Default::Int(1), "Heads, which share the width."),
    ],
};

/// Forms of edges.
const FORMS: &[&str] = &["window(k)", "all", "across"];

impl Operation for GraphAttention {
    fn signature(&self) -> &'static Signature {
        &GRAPH_ATTENTION
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        let heads = call.args.int("heads").unwrap_or(1);
        dense::heads_divide(c, call, &width, heads)?;
        let Some(e) = call.args.any("edges") else { return Err(Reported) };
        let (forms, graphs) = edges_of(c, call, e, &on)?;
        let mut inputs = vec![x];
        inputs.extend(graphs);
        // Which places are of which part.
        inputs.extend(super::join::pieces(c, &on));
        let params = vec![
            c.param(call, "weight", vec![width.clone(), width.clone()], Init::Xavier)?,
            c.param(call, "looks", vec![width.clone()], Init::Xavier)?,
            c.param(call, "seen", vec![width.clone()], Init::Xavier)?,
        ];
        let attributes = attrs([("heads", heads.into()), ("edges", Attr::List(forms))]);
        Ok(Val::Node(c.emit(call, inputs, attributes, params, Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let depth = rows.levels.len() - 1;
        let is_graph = |v: &&Value| matches!(v, Value::Tree { .. } | Value::Relations { .. });
        let (graphs, pieces): (Vec<&Value>, Vec<&Value>) = inputs[1..].iter().partition(is_graph);
        let parts: Vec<_> = pieces.iter().filter_map(|v| v.rows().map(|r| r.grouped(depth))).collect();
        let given: Vec<[u32; 2]> = graphs.into_iter().flat_map(|graph| joined_rows(graph, offsets)).collect();
        let neighbours = edges::Neighbours::new(offsets, &parts, &run_forms(run), &given);
        let h = linear(x, run.param(0), None, Activation::None)?;
        let y = edges::attend(&h, run.param(1), run.param(2), &neighbours.into(), run.int("heads"))?;
        Ok(Value::float(y, rows))
    }
}

/// The rows that a tree or relations join, where the tokens of texts have these rows.
#[cfg(feature = "train")]
fn joined_rows(graph: &Value, texts: &crate::backend::Offsets) -> Vec<[u32; 2]> {
    let mut joined = Vec::new();
    match graph {
        Value::Tree { heads, .. } => {
            for text in texts.windows(2) {
                let of = |row: u32| (row, heads[row as usize]);
                let arcs = (text[0]..text[1]).map(of).filter(|(_, head)| (1..=text[1] - text[0]).contains(head));
                joined.extend(arcs.map(|(row, head)| [row, text[0] + head - 1]));
            }
        }
        Value::Relations { each, spans, .. } => {
            for ((pairs, spans), text) in each.iter().zip(spans.iter()).zip(texts.windows(2)) {
                let spans = spans.as_deref().unwrap_or_default();
                let rows = |span: u32| spans.get(span as usize).map_or(0..0, |s| s.range.start..s.range.end);
                for pair in pairs.iter().flatten() {
                    let ends = rows(pair.head).flat_map(|i| rows(pair.tail).map(move |j| [i, j]));
                    joined.extend(ends.map(|[i, j]| [text[0] + i, text[0] + j]));
                }
            }
        }
        _ => {}
    }
    joined
}

/// The forms of edges, as attributes (a reach for `window(k)`, else the word), and the trees and
/// relations among them.
fn edges_of<'a>(c: &mut Checker<'a>, call: &Call<'a>, e: &'a Expr, on: &On) -> Checked<(Vec<Attr>, Vec<NodeId>)> {
    let parts: &'a [Expr] = match &e.kind {
        ExprKind::List(parts) => parts,
        _ => std::slice::from_ref(e),
    };
    let (mut forms, mut graphs) = (Vec::new(), Vec::new());
    for part in parts {
        match graph(c, call, part, on)? {
            Some(node) => graphs.push(node),
            None => forms.push(form(c, call, part, on)?),
        }
    }
    Ok((forms, graphs))
}

/// A task of trees or relations, or a value of them, over the places of what is read; `None` for
/// what is one of the words.
fn graph<'a>(c: &mut Checker<'a>, call: &Call<'a>, e: &'a Expr, on: &On) -> Checked<Option<NodeId>> {
    let is_value = match &e.kind {
        ExprKind::Name(name) => !FORMS.contains(&name.text.as_str()),
        ExprKind::Call { .. } | ExprKind::List(_) => false,
        _ => true,
    };
    if !is_value {
        return Ok(None);
    }
    let node = match c.eval(e, &call.scope) {
        Val::Error => return Err(Reported),
        Val::Task(task) => c.built(task, e.span)?.label,
        value => c.value_node(&value, e.span, &call.scope)?,
    };
    let ty = c.graph.ty(node).clone();
    match &ty {
        Ty::Gold(of, GoldKind::Tree | GoldKind::Relations, _) if of == on => Ok(Some(node)),
        _ => {
            let message =
                format!("edges are a tree or relations over the places of what is read, and this is {}", c.show(&ty));
            let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, message)
                .also(call.inputs[0].1, format!("this is {}", c.show(&Ty::Vector(on.clone(), 1.into()))));
            Err(c.error_in(&call.scope, d.help("name a `parse` or `relate` task, or write `window(2)`")))
        }
    }
}

fn form<'a>(c: &mut Checker<'a>, call: &Call<'a>, e: &'a Expr, on: &On) -> Checked<Attr> {
    match &e.kind {
        ExprKind::Name(name) if name.text == "all" => return Ok("all".into()),
        ExprKind::Name(name) if name.text == "across" => {
            if !super::join::pieces(c, on).is_empty() {
                return Ok("across".into());
            }
            let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, "`across` needs a value of several parts")
                .also(call.inputs[0].1, format!("this is {}", c.show(&Ty::Vector(on.clone(), 1.into()))));
            return Err(c.error_in(&call.scope, d.help("put them end to end with `join(a, b)`")));
        }
        ExprKind::Call { callee, args } => {
            if let (ExprKind::Name(name), [reach]) = (&callee.kind, args.as_slice())
                && name.text == "window"
            {
                let reach = c.constant(&reach.value, &call.scope)?;
                if let Some(reach) = reach.number().filter(|r| *r >= 1.0 && r.fract() == 0.0) {
                    return Ok(Attr::Int(reach as i64));
                }
                let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, "`window` reaches a whole number of places");
                return Err(c.error_in(&call.scope, d.help("write a value such as `window(2)`")));
            }
        }
        _ => {}
    }
    let message = format!("'edges' is {}, or a list of these", list_words(FORMS));
    let d = Diagnostic::new(codes::BAD_ARGUMENT, e.span, message);
    Err(c.error_in(&call.scope, d.help("write a value such as `edges: window(2)`")))
}

#[cfg(feature = "train")]
fn run_forms(run: &Run<'_>) -> Vec<edges::Form> {
    let Some(Attr::List(forms)) = run.node.attrs.get("edges") else { return Vec::new() };
    let form = |form: &Attr| match form {
        Attr::Int(reach) => edges::Form::Window(*reach as usize),
        Attr::Str(word) if word == "across" => edges::Form::Across,
        _ => edges::Form::All,
    };
    forms.iter().map(form).collect()
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::backend::{NO_LABEL, Rows};
    use crate::data::value::{Labelled, Range, Relation};

    #[test]
    fn arcs_and_related_spans_join_rows() {
        let rows = std::sync::Arc::new(Rows::along(vec![0u32, 3, 5].into()));
        let (heads, ids) = (vec![2, 0, 2, NO_LABEL, 1], vec![0; 5]);
        let tree = Value::Tree { heads: heads.into(), ids: ids.into(), space: 1, rows: rows.clone() };
        assert_eq!(joined_rows(&tree, &vec![0u32, 3, 5].into()), [[0, 1], [2, 1], [4, 3]]);
        let span = |start, end| Labelled { range: Range { member: 0, start, end }, label: 0 };
        let spans = vec![None, Some(vec![span(0, 1), span(0, 2)])];
        let pairs = vec![None, Some(vec![Relation { head: 0, tail: 1, label: 0 }])];
        let related = Value::Relations { each: pairs.into(), spans: spans.into(), rows };
        assert_eq!(joined_rows(&related, &vec![0u32, 3, 5].into()), [[3, 3], [3, 4]]);
    }
}
