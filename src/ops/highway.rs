//! `highway`: a layer that learns how much of its input goes past it.

use super::signature::*;
use super::{Operation, attrs};
use crate::plan::Init;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Param, Value, exec::Run, kernels::activation::Activation, kernels::linear::linear};
#[cfg(feature = "train")]
use candle_core::Tensor;

/// `highway`.
pub struct Highway;

static HIGHWAY: Signature = Signature {
    name: "highway",
    group: Group::Dense,
    doc: "t ⊙ relu(W x + b) + (1 - t) ⊙ x with t = σ(V x + c) (Srivastava et al. 2015, eq. 3); c begins at -2, so that the input goes past at first.",
    inputs: &[input("x")],
    args: &[],
};

impl Operation for Highway {
    fn signature(&self) -> &'static Signature {
        &HIGHWAY
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, d) = c.vector(call, 0)?;
        let params = vec![
            c.param(call, "weight", vec![d.clone(), d.clone()], Init::FanIn)?,
            c.param(call, "bias", vec![d.clone()], Init::Zeros)?,
            c.param(call, "gate_weight", vec![d.clone(), d.clone()], Init::FanIn)?,
            c.param(call, "gate_bias", vec![d.clone()], Init::Constant(-2.0))?,
        ];
        Ok(Val::Node(c.emit(call, vec![x], attrs([]), params, Ty::Vector(on, d))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        Ok(Value::float(highway(x, [0, 1, 2, 3].map(|i| run.param(i)))?, rows))
    }
}

#[cfg(feature = "train")]
fn highway(x: &Tensor, [w, b, v, c]: [&Param; 4]) -> candle_core::Result<Tensor> {
    let f = linear(x, w, Some(b), Activation::Relu)?;
    let t = linear(x, v, Some(c), Activation::Sigmoid)?;
    x + (t * (f - x)?)?
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::backend::param::flat_params;
    use candle_core::Device;

    #[test]
    fn is_the_formula_of_the_paper() {
        let tensor = |rows: &[[f32; 2]]| {
            Tensor::from_slice(rows.as_flattened(), (rows.len(), 2), &Device::Cpu).expect("a matrix")
        };
        let row = |numbers: [f32; 2]| Tensor::new(&numbers, &Device::Cpu).expect("a row");
        let (w, v) = ([[0.5f32, -1.0], [2.0, 0.25]], [[1.0f32, 0.0], [-0.5, 1.5]]);
        let (b, c, x) = ([0.1f32, -0.2], [-2.0f32, 0.3], [0.7f32, -0.4]);
        let named = [("w", tensor(&w)), ("b", row(b)), ("v", tensor(&v)), ("c", row(c))];
        let (p, _) = flat_params(named.map(|(n, t)| (n.to_string(), t)).into()).expect("parameters");
        let y = highway(&tensor(&[x]), [&p[0], &p[1], &p[2], &p[3]]).expect("a value");
        let y = y.to_vec2::<f32>().expect("numbers");
        for i in 0..2 {
            let f = (w[i][0] * x[0] + w[i][1] * x[1] + b[i]).max(0.0);
            let t = 1.0 / (1.0 + (-(v[i][0] * x[0] + v[i][1] * x[1] + c[i])).exp());
            let expected = t * f + (1.0 - t) * x[i];
            assert!((y[0][i] - expected).abs() < 1e-6, "{} for {expected}", y[0][i]);
        }
    }
}
