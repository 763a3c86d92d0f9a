//! `snapshot([paths])`: how far parameters have moved since a turn, an epoch or a stage ended.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels::distance::distance};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// `snapshot([paths])`.
pub struct Snapshot;

static SNAPSHOT: Signature = Signature {
    name: "snapshot",
    group: Group::Loss,
    doc: "Σ ‖θ - θ'‖² over parameters θ and what they were when the last stage, `ordered` turn or else epoch ended: successive regularisation (Hashimoto et al. 2017, eq. 7). Until one has ended it is 0.",
    inputs: &[],
    args: &[required("paths", Kind::Any, "Layers and tasks.")],
};

impl Operation for Snapshot {
    fn signature(&self) -> &'static Signature {
        &SNAPSHOT
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let Some(paths) = call.args.any("paths") else { return Err(Reported) };
        let params = c.paths(paths, &call.scope)?;
        Ok(Val::Node(c.emit(call, vec![], attrs([]), params, Ty::Scalar)))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, _: &[Value]) -> candle_core::Result<Value> {
        let mut sum = Tensor::new(0f32, run.device)?;
        for i in 0..run.node.params.len() {
            sum = (sum + distance(run.param(i), run.kept(i))?)?;
        }
        Ok(Value::Scalar(sum))
    }
}
