//! Dense layers: `linear`, `mlp`, `gate`, `norm`, `mix`.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{On, Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// Activations by name.
pub const ACTIVATIONS: &[&str] = &["relu", "gelu", "tanh", "sigmoid", "none"];

/// `linear(d)`.
pub struct Linear;

static LINEAR: Signature = Signature {
    name: "linear",
    group: Group::Dense,
    doc: "x Wᵀ + b at each place.",
    inputs: &[input("x")],
    args: &[
        required("d", Kind::Width, "Width of what comes out."),
        arg("bias", Kind::Bool, Default::Bool(true), "Whether b is added."),
    ],
};

impl Operation for Linear {
    fn signature(&self) -> &'static Signature {
        &LINEAR
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let d = call.args.width("d").unwrap_or_default();
        let bias = call.args.bool("bias");
        project(c, call, "", (x, on, &width), d, "none", bias).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let bias = (run.node.params.len() > 1).then(|| run.param(1));
        Ok(Value::float(kernels::linear::linear(x, run.param(0), bias, run.activation("act"))?, rows))
    }
}

/// A `linear` node with parameters `weight` and `bias`, both with a suffix.
pub(super) fn project<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    suffix: &str,
    (x, on, width): (NodeId, On, &Width),
    d: Width,
    act: &str,
    bias: bool,
) -> Checked<NodeId> {
    let mut params = vec![c.param(call, &format!("weight{suffix}"), vec![d.clone(), width.clone()], Init::FanIn)?];
    if bias {
        params.push(c.param(call, &format!("bias{suffix}"), vec![d.clone()], Init::Zeros)?);
    }
    Ok(c.emit_as(call, "linear", vec![x], attrs([("act", act.into())]), params, Ty::Vector(on, d)))
}

/// `mlp([d…], act)`.
pub struct Mlp;

static MLP: Signature = Signature {
    name: "mlp",
    group: Group::Dense,
    doc: "Linear layers one after the other, each followed by the activation.",
    inputs: &[input("x")],
    args: &[
        required("d", Kind::Widths, "Width of each layer."),
        arg("act", Kind::Word(ACTIVATIONS), Default::Word("relu"), "The activation."),
    ],
};

impl Operation for Mlp {
    fn signature(&self) -> &'static Signature {
        &MLP
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (mut x, on, mut width) = c.vector(call, 0)?;
        let act = call.args.word("act").unwrap_or("relu");
        for (i, d) in call.args.widths("d").unwrap_or_default().iter().enumerate() {
            let suffix = if i == 0 { String::new() } else { format!("_l{i}") };
            x = project(c, call, &suffix, (x, on.clone(), &width), (*d).into(), act, true)?;
            width = (*d).into();
        }
        Ok(Val::Node(x))
    }
}

/// `gate(a, b)`.
pub struct Gate;

static GATE: Signature = Signature {
    name: "gate",
    group: Group::Sharing,
    doc: "g ⊙ a + (1 - g) ⊙ b with g = σ(W [a; b] + c).",
    inputs: &[input("a"), input("b")],
    args: &[],
};

impl Operation for Gate {
    fn signature(&self) -> &'static Signature {
        &GATE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (nodes, on, widths) = super::combine::meeting(c, call)?;
        super::combine::equal_widths(c, call, &widths)?;
        let d = widths[0].clone();
        let weight = c.param(call, "weight", vec![d.clone(), d.times(2)], Init::FanIn)?;
        let bias = c.param(call, "bias", vec![d.clone()], Init::Zeros)?;
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![weight, bias], Ty::Vector(on, d))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((a, rows), (b, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let both = kernels::shape::concat_cols(&[a.clone(), b.clone()])?;
        let g =
            kernels::linear::linear(&both, run.param(0), Some(run.param(1)), kernels::activation::Activation::Sigmoid)?;
        Ok(Value::float((b + (g * (a - b)?)?)?, rows))
    }
}

/// `norm`.
pub struct Norm;

static NORM: Signature = Signature {
    name: "norm",
    group: Group::Dense,
    doc: "Layer normalisation (Ba et al. 2016) with a trained gain and offset.",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for Norm {
    fn signature(&self) -> &'static Signature {
        &NORM
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let gain = c.param(call, "gain", vec![width.clone()], Init::Ones)?;
        let bias = c.param(call, "bias", vec![width.clone()], Init::Zeros)?;
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![gain, bias], Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        Ok(Value::float(kernels::norm::layer_norm(x, run.param(0), run.param(1), 1e-5)?, rows))
    }
}

/// A sum and its norm, which the plan's passes make of `a + b |> norm`.
pub struct AddNorm;

static ADD_NORM: Signature = Signature {
    name: "add_norm",
    group: Group::Internal,
    doc: "Layer normalisation of a sum.",
    inputs: &[input("a"), input("b")],
    args: &[],
};

impl Operation for AddNorm {
    fn signature(&self) -> &'static Signature {
        &ADD_NORM
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((a, rows), (b, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        Ok(Value::float(kernels::norm::add_norm(a, b, run.param(0), run.param(1), 1e-5)?, rows))
    }
}

/// `mix(a, b, …)`.
pub struct Mix;

static MIX: Signature = Signature {
    name: "mix",
    group: Group::Sharing,
    doc: "γ Σ softmax(w)ᵢ xᵢ: a learned scalar mix (Peters et al. 2018).",
    inputs: &[many("x")],
    args: &[],
};

impl Operation for Mix {
    fn signature(&self) -> &'static Signature {
        &MIX
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (nodes, on, widths) = super::combine::meeting(c, call)?;
        super::combine::equal_widths(c, call, &widths)?;
        let weights = c.param(call, "weights", vec![nodes.len().into()], Init::Zeros)?;
        let gain = c.param(call, "gain", vec![1.into()], Init::Ones)?;
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![weights, gain], Ty::Vector(on, widths[0].clone()))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let weights = kernels::softmax::softmax(&run.param(0).tensor().unsqueeze(0)?)?.squeeze(0)?;
        let (first, rows) = inputs[0].as_float()?;
        let mut sum = first.broadcast_mul(&weights.get(0)?)?;
        for (i, x) in inputs.iter().enumerate().skip(1) {
            sum = (sum + x.as_float()?.0.broadcast_mul(&weights.get(i)?)?)?;
        }
        Ok(Value::float(sum.broadcast_mul(&run.param(1).tensor())?, rows))
    }
}

/// Says that a width must be a multiple of the number of heads.
pub fn heads_divide<'a>(c: &mut Checker<'a>, call: &Call<'a>, width: &Width, heads: usize) -> Checked<()> {
    if heads == 1 || width.known().is_some_and(|w| w % heads == 0) {
        return Ok(());
    }
    let at = call.args.span("heads").unwrap_or(call.span);
    let message = format!("{heads} heads cannot share a width of {}", c.show_width(width));
    let d =
        Diagnostic::new(codes::BAD_ARGUMENT, at, message).help("the width must be a multiple of the number of heads");
    Err(c.error_in(&call.scope, d))
}
