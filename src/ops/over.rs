//! `over: p` of a task: its labels' probabilities summed over an axis of what it reads.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::NodeId;
use crate::sema::types::{On, Ty};
use crate::source::Span;

#[cfg(feature = "train")]
use crate::backend::{Rows, Value, exec::Run, kernels};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// log Σ p softmax(logits) over the places of an example.
pub struct Over;

static OVER: Signature = Signature {
    name: "over",
    group: Group::Internal,
    doc: "log Σ p q of logits at the places of an axis, where q is their softmax and p says how much each place counts: what follows from it is -log Σ p e^-loss, and the label with the greatest Σ p q.",
    inputs: &[input("logits"), input("p")],
    args: &[],
};

impl Operation for Over {
    fn signature(&self) -> &'static Signature {
        &OVER
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((logits, rows), (p, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let mixed = log_mixture(logits, p, &rows.by_example())?;
        Ok(Value::float(mixed, &Rows::examples(rows.batch).into()))
    }
}

/// The logits of a task at each place, as those of its examples.
pub fn summed(c: &mut Checker<'_>, logits: (NodeId, &On), (p, at): (NodeId, Span)) -> Checked<(NodeId, On)> {
    let (logits, on) = logits;
    let Ty::Vector(_, labels) = c.graph.ty(logits).clone() else { return Err(crate::sema::call::Reported) };
    let fits = matches!(c.graph.ty(p), Ty::Vector(of, width) if of == on && width.known() == Some(1));
    if !fits || on.axes.len() != 1 {
        let (p, x) = (c.show(&c.graph.ty(p).clone()), c.show(&Ty::Vector(on.clone(), 1.into())));
        let message = format!("`over` takes a number for each place that the task reads, and this is {p}");
        let d = Diagnostic::new(codes::TASK_INPUT, at, message);
        return Err(c.error(d.help(format!("it is a distribution over one axis of what the task reads, {x}"))));
    }
    let on = on.examples();
    let ty = Ty::Vector(on.clone(), labels);
    Ok((c.plain("over", vec![logits, p], attrs([]), ty, at), on))
}

/// `logits [N, C]`, `p [N, 1]` and the offsets of examples to `[B, C]`.
#[cfg(feature = "train")]
fn log_mixture(logits: &Tensor, p: &Tensor, examples: &crate::backend::Offsets) -> candle_core::Result<Tensor> {
    let each = kernels::softmax::softmax(logits)?.broadcast_mul(p)?;
    // Below what a label can have by rounding alone, so that the log is finite.
    kernels::segment::sum(&each, examples)?.affine(1.0, 1e-20)?.log()
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_loss_is_that_of_the_language() {
        let logits = [[0.3f32, -1.0, 2.0], [1.5, 0.2, -0.4], [0.0, 0.7, 0.1]];
        let (p, gold) = ([0.2f32, 0.5, 0.3], 1);
        let loss = |z: &[f32; 3]| -(z[gold].exp() / z.iter().map(|z| z.exp()).sum::<f32>()).ln();
        let expected = -logits.iter().zip(p).map(|(z, p)| p * (-loss(z)).exp()).sum::<f32>().ln();
        let tensor = |x: &[f32], d: usize| Tensor::from_slice(x, (3, d), &Device::Cpu).expect("numbers");
        let mixed = log_mixture(&tensor(logits.as_flattened(), 3), &tensor(&p, 1), &vec![0u32, 3].into());
        let mixed = mixed.and_then(|x| x.to_vec2::<f32>()).expect("numbers");
        assert!((-mixed[0][gold] - expected).abs() < 1e-6, "{mixed:?} for {expected}");
    }
}
