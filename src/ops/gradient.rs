//! Operations on what flows back: `detach`, `reverse_gradient`, `train_only`, `repeat`.

use std::rc::Rc;

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::Ty;
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// `detach`.
pub struct Detach;

static DETACH: Signature = Signature {
    name: "detach",
    group: Group::Gradient,
    doc: "The value itself, through which no gradient passes.",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for Detach {
    fn signature(&self) -> &'static Signature {
        &DETACH
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let x = c.node(call, 0)?;
        let ty = c.graph.ty(x).clone();
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![], ty)))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        Ok(inputs[0].with_tensor(inputs[0].tensor()?.detach()))
    }
}

/// `reverse_gradient(λ)`.
pub struct ReverseGradient;

static REVERSE_GRADIENT: Signature = Signature {
    name: "reverse_gradient",
    group: Group::Gradient,
    doc: "The value itself, whose gradient is multiplied by -λ (Ganin & Lempitsky 2015).",
    inputs: &[input("x")],
    args: &[arg("lambda", POSITIVE, Default::Float(1.0), "The factor λ.")],
};

impl Operation for ReverseGradient {
    fn signature(&self) -> &'static Signature {
        &REVERSE_GRADIENT
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, ..) = c.vector(call, 0)?;
        let ty = c.graph.ty(x).clone();
        let lambda = call.args.float("lambda").unwrap_or(1.0);
        Ok(Val::Node(c.emit(call, vec![x], attrs([("lambda", lambda.into())]), vec![], ty)))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let y = kernels::shape::reverse_gradient(inputs[0].tensor()?, run.float("lambda"))?;
        Ok(inputs[0].with_tensor(y))
    }
}

/// `train_only(a, else: b)`.
pub struct TrainOnly;

static TRAIN_ONLY: Signature = Signature {
    name: "train_only",
    group: Group::Gradient,
    doc: "`a` in training and `b` at prediction; without `else` it feeds only losses and other `train_only` values.",
    inputs: &[input("a")],
    args: &[arg("else", Kind::Any, Default::Unset, "The value at prediction.")],
};

impl Operation for TrainOnly {
    fn signature(&self) -> &'static Signature {
        &TRAIN_ONLY
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let a = c.node(call, 0)?;
        let mut inputs = vec![a];
        if let Some(e) = call.args.any("else") {
            let value = c.eval(e, &call.scope);
            let b = c.value_node(&value, e.span, &call.scope)?;
            let (a, b) = as_alike(c, call, (a, call.inputs[0].1), (b, e.span))?;
            let ty = c.graph.ty(a).clone();
            inputs = vec![a];
            if *c.graph.ty(b) != ty {
                let (x, y) = (c.show(&ty), c.show(&c.graph.ty(b).clone()));
                let message =
                    format!("the value in training and the one at prediction have different types: {x} and {y}");
                let d = Diagnostic::new(codes::WRONG_INPUT, e.span, message).also(call.inputs[0].1, x);
                return Err(c.error_in(&call.scope, d));
            }
            inputs.push(b);
        }
        let ty = c.graph.ty(inputs[0]).clone();
        Ok(Val::Node(c.emit(call, inputs, attrs([]), vec![], ty)))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        Ok(inputs[if run.training { 0 } else { inputs.len() - 1 }].clone())
    }
}

/// A label beside a vector, such as gold beside `.probs`, becomes one-hot.
fn as_alike<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    a: (NodeId, Span),
    b: (NodeId, Span),
) -> Checked<(NodeId, NodeId)> {
    let is_vector = |c: &Checker<'_>, x: NodeId| matches!(c.graph.ty(x), Ty::Vector(..));
    match (is_vector(c, a.0), is_vector(c, b.0)) {
        (false, true) => Ok((c.as_vector(a.0, a.1, a.1, call.name(), &call.scope)?.0, b.0)),
        (true, false) => Ok((a.0, c.as_vector(b.0, b.1, b.1, call.name(), &call.scope)?.0)),
        _ => Ok((a.0, b.0)),
    }
}

/// `repeat(n, f)`.
pub struct Repeat;

static REPEAT: Signature = Signature {
    name: "repeat",
    group: Group::Sharing,
    doc: "Applies a function n times, with the same parameters each time; a tuple goes through a function of several inputs.",
    inputs: &[many("x")],
    args: &[required("n", Kind::Int(1, 1000), "How often."), required("f", Kind::Any, "A layer or function.")],
};

impl Operation for Repeat {
    fn signature(&self) -> &'static Signature {
        &REPEAT
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let Some(e) = call.args.any("f") else { return Err(Reported) };
        let f = c.eval(e, &call.scope);
        if let Val::Func(func) = &f {
            let mut values = call.inputs.clone();
            for _ in 0..call.args.int("n").unwrap_or(1) {
                let next = c.apply(Val::Func(Rc::clone(func)), values, e.span, &call.scope);
                values = match next {
                    Val::Error => return Err(Reported),
                    Val::Tuple(parts) => parts.into_iter().map(|p| (p, call.span)).collect(),
                    one => vec![(one, call.span)],
                };
            }
            let mut values: Vec<Val<'a>> = values.into_iter().map(|v| v.0).collect();
            return Ok(if values.len() == 1 { values.remove(0) } else { Val::Tuple(values) });
        }
        if matches!(f, Val::Error) {
            return Err(Reported);
        }
        Err(c.error_in(&call.scope, Diagnostic::new(codes::WRONG_KIND, e.span, "`repeat` takes a layer or function")))
    }
}
