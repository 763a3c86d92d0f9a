//! `perturb(ε)`: a second training pass with vectors moved against the loss.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// `perturb(ε)`.
pub struct Perturb;

static PERTURB: Signature = Signature {
    name: "perturb",
    group: Group::Noise,
    doc: "Adversarial training: a step's losses that read it are computed a second time on the same batch, with the same draws, and ε √D ĝ added to the D wide vectors of each example; ĝ is their gradient in the first pass, scaled to length 1 over the example and taken as a constant (Miyato et al. 2017; Bekoulis et al. 2018). Both losses count. At prediction it is the value itself.",
    inputs: &[input("x")],
    args: &[required("epsilon", POSITIVE, "Size of the perturbation, ε.")],
};

impl Operation for Perturb {
    fn signature(&self) -> &'static Signature {
        &PERTURB
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let epsilon = call.args.float("epsilon").unwrap_or_default();
        if epsilon == 0.0 {
            return Ok(Val::Node(x));
        }
        Ok(Val::Node(c.emit_random(
            call,
            "perturb",
            vec![x],
            attrs([("epsilon", epsilon.into())]),
            Ty::Vector(on, width),
        )))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        if !run.training {
            return Ok(inputs[0].clone());
        }
        let (x, rows) = inputs[0].as_float()?;
        Ok(Value::float(run.perturbed(x, &rows.by_example(), run.float("epsilon"))?, rows))
    }
}
