//! `experts(n, d)`: layers side by side; `route(x, experts)`: a gate's mixture of them.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Attr, Init};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{On, Ty};

#[cfg(feature = "train")]
use crate::backend::rows::offsets_of;
#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels, kernels::activation::Activation};

/// `experts(n, d)`.
pub struct Experts;

static EXPERTS: Signature = Signature {
    name: "experts",
    group: Group::Sharing,
    doc: "relu(Wᵢ x + bᵢ) for each of n experts, along a set axis of their own, which `route` mixes (Ma et al. 2018, eq. 5).",
    inputs: &[input("x")],
    args: &[required("n", COUNT, "How many."), required("d", COUNT, "Width of what each gives.")],
};

impl Operation for Experts {
    fn signature(&self) -> &'static Signature {
        &EXPERTS
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let (n, d) = (call.args.int("n").unwrap_or(1), call.args.int("d").unwrap_or(1));
        let weight = c.param(call, "weight", vec![(n * d).into(), width], Init::FanIn)?;
        let bias = c.param(call, "bias", vec![(n * d).into()], Init::Zeros)?;
        let axis = c.graph.path(&call.site, call.name());
        let axes = on.axes.iter().cloned().chain([axis]).collect();
        let ty = Ty::Vector(On { example: on.example, axes }, d.into());
        Ok(Val::Node(c.emit(call, vec![x], attrs([("n", n.into())]), vec![weight, bias], ty)))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let (n, places) = (run.int("n"), rows.places());
        let y = kernels::linear::linear(x, run.param(0), Some(run.param(1)), Activation::Relu)?;
        let mut rows = rows.as_ref().clone();
        rows.levels.push(offsets_of(std::iter::repeat_n(n, places)));
        Ok(Value::float(y.reshape((places * n, run.node.width))?, &rows.into()))
    }
}

/// How many experts stand along the innermost axis.
fn experts_along(c: &Checker<'_>, on: &On) -> Option<usize> {
    let made = |node: &&crate::sema::graph::Node| {
        node.op == "experts" && node.ty.on().is_some_and(|made| made.inner() == on.inner())
    };
    match c.graph.nodes.iter().find(made)?.attrs.get("n") {
        Some(Attr::Int(n)) => Some(*n as usize),
        _ => None,
    }
}

/// `route(x, experts)`.
pub struct Route;

static ROUTE: Signature = Signature {
    name: "route",
    group: Group::Sharing,
    doc: "Σᵢ softmax(W x)ᵢ eᵢ over the experts e at each place of x: each task has a gate of its own over experts that all share (Ma et al. 2018, eq. 6–7). The experts are a value, or a layer that is applied to x.",
    inputs: &[input("x"), input("experts")],
    args: &[],
};

impl Operation for Route {
    fn signature(&self) -> &'static Signature {
        &ROUTE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let mut call = call.clone();
        if let Some((layer @ Val::Func(_), at)) = call.inputs.get(1).cloned() {
            let made = c.apply(layer, vec![call.inputs[0].clone()], at, &call.scope);
            call.inputs[1].0 = made;
        }
        let (e, e_on, d) = c.vector(&call, 1)?;
        let n = match experts_along(c, &e_on) {
            Some(n) if e_on.outer() == on => n,
            _ => return Err(no_experts(c, &call, (x, e))),
        };
        let gate = c.param(&call, "gate", vec![n.into(), width], Init::FanIn)?;
        Ok(Val::Node(c.emit(&call, vec![x, e], attrs([]), vec![gate], Ty::Vector(on, d))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((x, rows), (e, e_rows)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let Some(offsets) = e_rows.inner() else { return run.wrong_input() };
        let gates = kernels::softmax::softmax(&kernels::linear::tied(x, run.param(0))?)?;
        let gates = gates.reshape((e.dim(0)?, 1))?;
        Ok(Value::float(kernels::segment::weighted_sum(&gates, e, offsets)?, rows))
    }
}

fn no_experts<'a>(c: &mut Checker<'a>, call: &Call<'a>, (x, e): (NodeId, NodeId)) -> crate::sema::call::Reported {
    let (x, e) = (c.show(c.graph.ty(x)), c.show(c.graph.ty(e)));
    let message = "'route' mixes the experts of each place of its input, and these are none of it";
    let d = Diagnostic::new(codes::AXIS_MISMATCH, call.span, message)
        .also(call.inputs[0].1, format!("this is {x}"))
        .also(call.inputs[1].1, format!("this is {e}"))
        .help("give it the value of an `experts(n, d)` on the same places, or such a layer");
    c.error_in(&call.scope, d)
}
