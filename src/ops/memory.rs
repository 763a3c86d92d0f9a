//! `memory(n, d)`: attention to trained slots.

use super::signature::*;
use super::{Operation, attrs};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::{Ty, Width};

#[cfg(feature = "train")]
use crate::backend::{Param, Value, exec::Run, kernels};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// `memory(n, d)`.
pub struct Memory;

static MEMORY: Signature = Signature {
    name: "memory",
    group: Group::Sharing,
    doc: "softmax(x Kᵀ) V with n trained slots: keys K `[n, |x|]` and values V `[n, d]` (Sukhbaatar et al. 2015, eq. 1–2).",
    inputs: &[input("x")],
    args: &[required("n", COUNT, "Slots."), required("d", Kind::Width, "Width of what comes out.")],
};

impl Operation for Memory {
    fn signature(&self) -> &'static Signature {
        &MEMORY
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let n: Width = call.args.int("n").unwrap_or(1).into();
        let d = call.args.width("d").unwrap_or_default();
        let keys = c.param(call, "keys", vec![n.clone(), width], Init::FanIn)?;
        let values = c.param(call, "values", vec![n, d.clone()], Init::Normal(1.0))?;
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), vec![keys, values], Ty::Vector(on, d))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        Ok(Value::float(recall(x, run.param(0), run.param(1))?, rows))
    }
}

#[cfg(feature = "train")]
fn recall(x: &Tensor, keys: &Param, values: &Param) -> candle_core::Result<Tensor> {
    kernels::softmax::softmax(&kernels::linear::tied(x, keys)?)?.matmul(&values.tensor())
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::backend::param::flat_params;
    use candle_core::Device;

    #[test]
    fn is_the_formula_of_the_paper() {
        let (k, v, x) = ([[1f32, -0.5], [0.25, 2.0]], [[3f32], [-1.0]], [0.4f32, 0.9]);
        let tensor = |t: candle_core::Result<Tensor>| t.expect("a matrix");
        let named = vec![
            ("k".into(), tensor(Tensor::new(&k, &Device::Cpu))),
            ("v".into(), tensor(Tensor::new(&v, &Device::Cpu))),
        ];
        let (p, _) = flat_params(named).expect("parameters");
        let y = recall(&tensor(Tensor::new(&[x], &Device::Cpu)), &p[0], &p[1]).expect("a value");
        let scores = k.map(|row| (row[0] * x[0] + row[1] * x[1]).exp());
        let expected = (scores[0] * v[0][0] + scores[1] * v[1][0]) / (scores[0] + scores[1]);
        let y = y.to_vec2::<f32>().expect("numbers")[0][0];
        assert!((y - expected).abs() < 1e-6, "{y} for {expected}");
    }
}
