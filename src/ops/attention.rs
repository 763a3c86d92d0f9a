//! Attention: `self_attention`, `attend`, `transformer`.

use super::dense::heads_divide;
use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::ParamId;
use crate::sema::types::{Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels, kernels::activation::Activation};

const HEADS: Arg = arg("heads", Kind::Int(1, 1024), Default::Int(1), "Number of heads.");

/// `self_attention(d, heads)`.
pub struct SelfAttention;

static SELF_ATTENTION: Signature = Signature {
    name: "self_attention",
    group: Group::Attention,
    doc: "Each token looks at all tokens of its text: scaled dot-product attention with learned queries, keys, values and output (Vaswani et al. 2017).",
    inputs: &[input("x")],
    args: &[required("d", COUNT, "Width of queries, keys, values and of what comes out."), HEADS],
};

impl Operation for SelfAttention {
    fn signature(&self) -> &'static Signature {
        &SELF_ATTENTION
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        let d: Width = call.args.int("d").unwrap_or(1).into();
        let heads = call.args.int("heads").unwrap_or(1);
        heads_divide(c, call, &d, heads)?;
        let mut params = linear_params(c, call, "qkv", &d.times(3), &width)?;
        params.extend(linear_params(c, call, "out", &d, &d)?);
        Ok(Val::Node(c.emit(call, vec![x], attrs([("heads", heads.into())]), params, Ty::Vector(on, d))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let qkv = kernels::linear::linear(x, run.param(0), Some(run.param(1)), Activation::None)?;
        let seen = kernels::attention::self_attention(&qkv, offsets, run.int("heads"), None, false)?;
        Ok(Value::float(kernels::linear::linear(&seen, run.param(2), Some(run.param(3)), Activation::None)?, rows))
    }
}

fn linear_params<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    name: &str,
    d: &Width,
    width: &Width,
) -> Checked<Vec<ParamId>> {
    Ok(vec![
        c.param(call, &format!("{name}_weight"), vec![d.clone(), width.clone()], Init::Xavier)?,
        c.param(call, &format!("{name}_bias"), vec![d.clone()], Init::Zeros)?,
    ])
}

/// `attend(query, memory, heads)`.
pub struct Attend;

static ATTEND: Signature = Signature {
    name: "attend",
    group: Group::Attention,
    doc: "Each place of `query` looks along the innermost axis of `memory`; the width is that of `memory`.",
    inputs: &[input("query"), input("memory")],
    args: &[HEADS],
};

impl Operation for Attend {
    fn signature(&self) -> &'static Signature {
        &ATTEND
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (q, on_q, wq) = c.vector(call, 0)?;
        let (m, on_m, wm) = c.vector(call, 1)?;
        c.axis(call, 1, &on_m)?;
        let outer = on_m.outer();
        if on_q.example != on_m.example || !on_q.axes.starts_with(&outer.axes) {
            let message = "'attend' compares values of the same examples, along axes that the query has too";
            let d = Diagnostic::new(codes::AXIS_MISMATCH, call.span, message)
                .also(call.inputs[0].1, format!("query: {}", c.show(&Ty::Vector(on_q, wq))))
                .also(call.inputs[1].1, format!("memory: {}", c.show(&Ty::Vector(on_m, wm))));
            return Err(c.error_in(&call.scope, d));
        }
        let heads = call.args.int("heads").unwrap_or(1);
        heads_divide(c, call, &wm, heads)?;
        let mut params = linear_params(c, call, "query", &wm, &wq)?;
        params.extend(linear_params(c, call, "memory", &wm.times(2), &wm)?);
        params.extend(linear_params(c, call, "out", &wm, &wm)?);
        let attributes = attrs([("heads", heads.into()), ("depth", outer.axes.len().into())]);
        Ok(Val::Node(c.emit(call, vec![q, m], attributes, params, Ty::Vector(on_q, wm))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((q, q_rows), (m, m_rows)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let depth = run.int("depth");
        let (q_offsets, m_offsets) = (q_rows.grouped(depth), m_rows.grouped(depth));
        let q = kernels::linear::linear(q, run.param(0), Some(run.param(1)), Activation::None)?;
        let kv = kernels::linear::linear(m, run.param(2), Some(run.param(3)), Activation::None)?;
        let seen = kernels::attention::cross_attention(&q, &kv, &q_offsets, &m_offsets, run.int("heads"), None)?;
        Ok(Value::float(kernels::linear::linear(&seen, run.param(4), Some(run.param(5)), Activation::None)?, q_rows))
    }
}

/// `transformer(d, layers, heads, ff)`.
pub struct Transformer;

static TRANSFORMER: Signature = Signature {
    name: "transformer",
    group: Group::Attention,
    doc: "A Transformer encoder (Vaswani et al. 2017) with sinusoidal positions, normalisation before each part (Xiong et al. 2020) and GELU. An input of another width is projected.",
    inputs: &[input("x")],
    args: &[
        required("d", COUNT, "Width."),
        arg("layers", Kind::Int(1, 256), Default::Int(2), "Number of layers."),
        arg("heads", Kind::Int(1, 1024), Default::Int(4), "Heads of each layer."),
        arg("ff", COUNT, Default::Unset, "Inner width of the feed-forward part; 4 d when left out."),
        arg("dropout", Kind::Share, Default::Float(0.1), "Dropout after each part."),
    ],
};

impl Operation for Transformer {
    fn signature(&self) -> &'static Signature {
        &TRANSFORMER
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (mut x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        let n = call.args.int("d").unwrap_or(1);
        let (d, ff) = (Width::from(n), Width::from(call.args.int("ff").unwrap_or(4 * n)));
        let heads = call.args.int("heads").unwrap_or(4);
        heads_divide(c, call, &d, heads)?;
        let ty = Ty::Vector(on, d.clone());
        if width != d {
            let params = linear_params(c, call, "in", &d, &width)?;
            x = c.emit_as(call, "linear", vec![x], attrs([("act", "none".into())]), params, ty.clone());
        }
        x = c.emit_as(call, "positions", vec![x], attrs([]), vec![], ty.clone());
        let dropout = call.args.float("dropout").unwrap_or(0.1);
        for layer in 0..call.args.int("layers").unwrap_or(2) {
            let params = block_params(c, call, layer, &d, &ff)?;
            let attributes = attrs([("heads", heads.into()), ("dropout", dropout.into())]);
            x = c.emit(call, vec![x], attributes, params, ty.clone());
            c.graph.nodes[x.0].draw = Some(c.sub_call(call, call.op, vec![], layer as u32).site);
        }
        let gain = c.param(call, "norm_gain", vec![d.clone()], Init::Ones)?;
        let bias = c.param(call, "norm_bias", vec![d], Init::Zeros)?;
        Ok(Val::Node(c.emit_as(call, "norm", vec![x], attrs([]), vec![gain, bias], ty)))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        use kernels::transformer::{Dense, NormParams, NormPlace, TransformerBlock};
        let dense = |i: usize| Dense { w: run.param(i).clone(), b: run.param(i + 1).clone() };
        let norm = |i: usize| NormParams { gamma: run.param(i).clone(), beta: run.param(i + 1).clone() };
        let block = TransformerBlock {
            norm_attn: norm(0),
            attn_qkv: dense(2),
            attn_out: dense(4),
            norm_ff: norm(6),
            ff_in: dense(8),
            ff_out: dense(10),
        };
        let drop = run.training.then(|| (run.float("dropout") as f32, run.draw()));
        let y = block.forward(x, offsets, run.int("heads"), NormPlace::Before, drop.filter(|d| d.0 > 0.0))?;
        Ok(Value::float(y, rows))
    }
}

fn block_params<'a>(
    c: &mut Checker<'a>,
    call: &Call<'a>,
    layer: usize,
    d: &Width,
    ff: &Width,
) -> Checked<Vec<ParamId>> {
    let norm = |c: &mut Checker<'a>, name: &str| -> Checked<Vec<ParamId>> {
        Ok(vec![
            c.param(call, &format!("l{layer}.{name}_gain"), vec![d.clone()], Init::Ones)?,
            c.param(call, &format!("l{layer}.{name}_bias"), vec![d.clone()], Init::Zeros)?,
        ])
    };
    let mut params = norm(c, "norm1")?;
    params.extend(linear_params(c, call, &format!("l{layer}.qkv"), &d.times(3), d)?);
    params.extend(linear_params(c, call, &format!("l{layer}.out"), d, d)?);
    params.extend(norm(c, "norm2")?);
    params.extend(linear_params(c, call, &format!("l{layer}.ff_in"), ff, d)?);
    params.extend(linear_params(c, call, &format!("l{layer}.ff_out"), d, ff)?);
    Ok(params)
}

/// Sinusoidal positions added to a value.
pub struct Positions;

static POSITIONS: Signature = Signature {
    name: "positions",
    group: Group::Internal,
    doc: "Adds sinusoidal positions (Vaswani et al. 2017).",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for Positions {
    fn signature(&self) -> &'static Signature {
        &POSITIONS
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let at = kernels::transformer::positions(offsets, x.dim(1)?, x.device())?;
        Ok(Value::float((x + at)?, rows))
    }
}
