//! `graph_attention(x, edges)`: each place looks at its neighbours in a graph.

use super::signature::*;
use super::{Operation, attrs, dense};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Init};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::types::{On, Ty};
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
            "Who are neighbours: `window(k)`, places up to k apart in one text; `all`, all places of a text, or of all that are joined; `across`, places of different parts of a joined value; or a list of these.",
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
        let forms = forms(c, call, e, &on)?;
        let mut inputs = vec![x];
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
        let parts: Vec<_> = inputs[1..].iter().filter_map(|v| v.rows().map(|r| r.grouped(depth))).collect();
        let neighbours = edges::Neighbours::new(offsets, &parts, &run_forms(run));
        let h = linear(x, run.param(0), None, Activation::None)?;
        let y = edges::attend(&h, run.param(1), run.param(2), &neighbours.into(), run.int("heads"))?;
        Ok(Value::float(y, rows))
    }
}

/// The forms of edges, as attributes: a reach for `window(k)`, else the word.
fn forms<'a>(c: &mut Checker<'a>, call: &Call<'a>, e: &'a Expr, on: &On) -> Checked<Vec<Attr>> {
    let parts: &'a [Expr] = match &e.kind {
        ExprKind::List(parts) => parts,
        _ => std::slice::from_ref(e),
    };
    parts.iter().map(|part| form(c, call, part, on)).collect()
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
