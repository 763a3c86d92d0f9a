//! Pooling along the innermost axis: `mean_pool`, `max_pool`, `attention_pool`, `first`, `last`.

use super::signature::*;
use super::{Operation, attrs};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// A pooling without parameters.
pub struct Pool {
    signature: &'static Signature,
}

macro_rules! pools {
    ($($item:ident, $sig:ident, $name:literal, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::Pooling, doc: $doc, inputs: &[input("x")], args: &[] };
        #[doc = $doc]
        pub static $item: Pool = Pool { signature: &$sig };)*
    };
}

pools! {
    MEAN, MEAN_SIGNATURE, "mean_pool", "The mean along the innermost axis.";
    MAX, MAX_SIGNATURE, "max_pool", "The maximum of each number along the innermost axis.";
    FIRST, FIRST_SIGNATURE, "first", "The first place of the innermost axis.";
    LAST, LAST_SIGNATURE, "last", "The last place of the innermost axis.";
}

impl Operation for Pool {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![], Ty::Vector(on.outer(), width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let y = match self.signature.name {
            "mean_pool" => kernels::segment::mean(x, offsets)?,
            "max_pool" => kernels::segment::max(x, offsets)?,
            "first" => kernels::segment::first(x, offsets)?,
            _ => kernels::segment::last(x, offsets)?,
        };
        Ok(Value::float(y, &rows.outer().into()))
    }
}

/// `attention_pool`.
pub struct AttentionPool;

static ATTENTION_POOL: Signature = Signature {
    name: "attention_pool",
    group: Group::Pooling,
    doc: "Σ αᵢ xᵢ along the innermost axis with α = softmax(vᵀ tanh(W xᵢ + b)) (Yang et al. 2016).",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for AttentionPool {
    fn signature(&self) -> &'static Signature {
        &ATTENTION_POOL
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        c.axis(call, 0, &on)?;
        let params = vec![
            c.param(call, "weight", vec![width.clone(), width.clone()], Init::FanIn)?,
            c.param(call, "bias", vec![width.clone()], Init::Zeros)?,
            c.param(call, "query", vec![1.into(), width.clone()], Init::FanIn)?,
        ];
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), params, Ty::Vector(on.outer(), width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        use kernels::{activation::Activation, linear::linear};
        let (x, rows) = inputs[0].as_float()?;
        let Some(offsets) = rows.inner() else { return run.wrong_input() };
        let keys = linear(x, run.param(0), Some(run.param(1)), Activation::Tanh)?;
        let scores = linear(&keys, run.param(2), None, Activation::None)?;
        let weights = kernels::segment::segment_softmax(&scores, offsets)?;
        Ok(Value::float(kernels::segment::weighted_sum(&weights, x, offsets)?, &rows.outer().into()))
    }
}
