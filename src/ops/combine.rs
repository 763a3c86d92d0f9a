//! Values that meet: `concat`, arithmetic and `abs`.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{On, Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// The inputs of a call on common places, with their widths.
pub fn meeting<'a>(c: &mut Checker<'a>, call: &Call<'a>) -> Checked<(Vec<NodeId>, On, Vec<Width>)> {
    let mut nodes = Vec::new();
    let mut ons = Vec::new();
    let mut widths = Vec::new();
    for i in 0..call.inputs.len() {
        let (node, on, width) = c.vector(call, i)?;
        nodes.push(node);
        ons.push((on, call.inputs[i].1));
        widths.push(width);
    }
    let on = c.meet(&ons, call.span, &call.scope)?;
    let like = ons.iter().position(|(o, _)| *o == on).unwrap_or(0);
    let like = nodes[like];
    let nodes = nodes.iter().zip(&ons).map(|(n, (_, span))| c.align(*n, like, *span)).collect();
    Ok((nodes, on, widths))
}

/// Reports inputs of different widths.
pub fn equal_widths<'a>(c: &mut Checker<'a>, call: &Call<'a>, widths: &[Width]) -> Checked<()> {
    let Some(i) = widths.iter().position(|w| *w != widths[0]) else { return Ok(()) };
    let (x, y) = (c.show_width(&widths[0]), c.show_width(&widths[i]));
    let message = format!("'{}' takes values of one width, and these have {x} and {y}", call.name());
    let d = Diagnostic::new(codes::WIDTH_MISMATCH, call.span, message)
        .also(call.inputs[0].1, format!("width {x}"))
        .also(call.inputs[i].1, format!("width {y}"))
        .help("`linear(d)` changes a width");
    Err(c.error_in(&call.scope, d))
}

/// `concat(a, b, …)`.
pub struct Concat;

static CONCAT: Signature = Signature {
    name: "concat",
    group: Group::Combine,
    doc: "Vectors end to end at each place; a value that lacks an axis is repeated along it, labels become one-hot.",
    inputs: &[many("x")],
    args: &[],
};

impl Operation for Concat {
    fn signature(&self) -> &'static Signature {
        &CONCAT
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (nodes, on, widths) = meeting(c, call)?;
        let width = widths.iter().fold(Width::default(), |sum, w| sum.plus(w));
        if let [one] = nodes.as_slice() {
            return Ok(Val::Node(*one));
        }
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let mut parts = Vec::with_capacity(inputs.len());
        for x in inputs {
            parts.push(x.as_float()?.0.clone());
        }
        let Some(rows) = inputs[0].rows() else { return run.wrong_input() };
        Ok(Value::float(kernels::shape::concat_cols(&parts)?, rows))
    }
}

/// `+`, `-` and `*`, which programs write as operators.
pub struct Arithmetic {
    signature: &'static Signature,
}

macro_rules! arithmetic {
    ($item:ident, $sig:ident, $name:literal, $doc:literal) => {
        static $sig: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[input("a"), input("b")], args: &[] };
        #[doc = $doc]
        pub static $item: Arithmetic = Arithmetic { signature: &$sig };
    };
}

arithmetic!(ADD, ADD_SIGNATURE, "add", "a + b; widths equal or 1.");
arithmetic!(SUBTRACT, SUBTRACT_SIGNATURE, "subtract", "a - b; widths equal or 1.");
arithmetic!(MULTIPLY, MULTIPLY_SIGNATURE, "multiply", "a * b; widths equal or 1.");

impl Operation for Arithmetic {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (a, b) = (inputs[0].tensor()?, inputs[1].tensor()?);
        let y = match self.signature.name {
            "add" => a.broadcast_add(b)?,
            "subtract" => a.broadcast_sub(b)?,
            _ => a.broadcast_mul(b)?,
        };
        Ok(match inputs[0].rows().or(inputs[1].rows()) {
            Some(rows) => Value::float(y, rows),
            None => Value::Scalar(y),
        })
    }
}

/// A function of each number of one input.
pub struct Elementwise {
    signature: &'static Signature,
}

macro_rules! elementwise {
    ($($item:ident, $sig:ident, $name:literal, $group:ident, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::$group, doc: $doc, inputs: &[input("x")], args: &[] };
        #[doc = $doc]
        pub static $item: Elementwise = Elementwise { signature: &$sig };)*
    };
}

elementwise! {
    RELU, RELU_SIGNATURE, "relu", Dense, "max(x, 0).";
    GELU, GELU_SIGNATURE, "gelu", Dense, "x Φ(x) (Hendrycks & Gimpel 2016), with the exact Φ.";
    TANH, TANH_SIGNATURE, "tanh", Dense, "The hyperbolic tangent.";
    SIGMOID, SIGMOID_SIGNATURE, "sigmoid", Dense, "1 / (1 + e⁻ˣ).";
    SOFTMAX, SOFTMAX_SIGNATURE, "softmax", Dense, "eˣ / Σ eˣ over the width.";
    ABS, ABS_SIGNATURE, "abs", Combine, "The absolute value.";
    LOG, LOG_SIGNATURE, "log", Loss, "The natural logarithm.";
    EXP, EXP_SIGNATURE, "exp", Loss, "The exponential.";
}

impl Operation for Elementwise {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let x = c.node(call, 0)?;
        if *c.graph.ty(x) == Ty::Scalar {
            return Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![], Ty::Scalar)));
        }
        let (x, on, width) = c.vector(call, 0)?;
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![], Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let x = inputs[0].tensor()?;
        let y = match self.signature.name {
            "relu" => kernels::activation::relu(x)?,
            "gelu" => kernels::activation::gelu(x)?,
            "tanh" => kernels::activation::tanh(x)?,
            "sigmoid" => kernels::activation::sigmoid(x)?,
            "softmax" => kernels::softmax::softmax(x)?,
            "abs" => x.abs()?,
            "log" => x.log()?,
            _ => x.exp()?,
        };
        Ok(inputs[0].with_tensor(y))
    }
}

/// `-x`, and a factor known before training.
pub struct Scale;

static SCALE: Signature =
    Signature { name: "scale", group: Group::Internal, doc: "x times a number.", inputs: &[input("x")], args: &[] };

impl Operation for Scale {
    fn signature(&self) -> &'static Signature {
        &SCALE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let y = inputs[0].tensor()?.affine(run.float("by"), 0.0)?;
        Ok(inputs[0].with_tensor(y))
    }
}

/// A number in an expression.
pub struct Number;

static NUMBER_SIGNATURE: Signature =
    Signature { name: "number", group: Group::Internal, doc: "A number.", inputs: &[], args: &[] };

impl Operation for Number {
    fn signature(&self) -> &'static Signature {
        &NUMBER_SIGNATURE
    }

    fn apply<'a>(&self, _: &mut Checker<'a>, _: &Call<'a>) -> Checked<Val<'a>> {
        Ok(Val::Error)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, _: &[Value]) -> candle_core::Result<Value> {
        Ok(Value::Scalar(candle_core::Tensor::new(run.float("value") as f32, run.device)?))
    }
}
