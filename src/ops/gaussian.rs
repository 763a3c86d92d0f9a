//! `gaussian(d)`: a latent that is drawn, and `unit_kl(z)`, how far it is from the unit normal.

use super::dense::project;
use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};
#[cfg(feature = "train")]
use candle_core::{D, Tensor};

/// `gaussian(d)`.
pub struct Gaussian;

static GAUSSIAN: Signature = Signature {
    name: "gaussian",
    group: Group::Noise,
    doc: "A Gaussian latent: μ + σ ε with ε from N(0, 1) in training and μ at prediction, where μ and log σ² are linear in x (Kingma & Welling 2014). `unit_kl` of it is the term that holds it near the unit normal.",
    inputs: &[input("x")],
    args: &[required("d", Kind::Width, "Width of the latent.")],
};

impl Operation for Gaussian {
    fn signature(&self) -> &'static Signature {
        &GAUSSIAN
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let d = call.args.width("d").unwrap_or_default();
        let mean = project(c, call, "_mean", (x, on.clone(), &width), d.clone(), "none", true)?;
        let spread = project(c, call, "_log_variance", (x, on.clone(), &width), d.clone(), "none", true)?;
        Ok(Val::Node(c.emit_random(call, "gaussian", vec![mean, spread], attrs([]), Ty::Vector(on, d))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((mean, rows), (log_variance, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        if !run.training {
            return Ok(inputs[0].clone());
        }
        let draw = run.draw();
        let noise: Vec<f32> = (0..mean.elem_count()).map(|i| draw.normal(i as u64)).collect();
        let noise = Tensor::from_vec(noise, mean.shape(), mean.device())?.to_dtype(mean.dtype())?;
        let deviation = (log_variance * 0.5)?.exp()?;
        Ok(Value::float((mean + (deviation * noise)?)?, rows))
    }
}

/// `unit_kl(z)`.
pub struct UnitKl;

static UNIT_KL: Signature = Signature {
    name: "unit_kl",
    group: Group::Loss,
    doc: "KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² - log σ² - 1) at each place of a `gaussian` latent (Kingma & Welling 2014, appendix B).",
    inputs: &[input("z")],
    args: &[],
};

impl Operation for UnitKl {
    fn signature(&self) -> &'static Signature {
        &UNIT_KL
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (z, on, _) = c.vector(call, 0)?;
        let node = c.graph.node(z);
        if node.op != "gaussian" {
            let shown = c.show(&c.graph.ty(z).clone());
            let d =
                Diagnostic::new(codes::WRONG_INPUT, call.span, "'unit_kl' takes a `gaussian` latent as it was drawn")
                    .also(call.inputs[0].1, format!("this is another value ({shown})"))
                    .help("name the latent: `let z = x |> gaussian(16)` and `loss near = unit_kl(z)`");
            return Err(c.error_in(&call.scope, d));
        }
        let inputs = node.inputs.clone();
        Ok(Val::Node(c.emit(call, inputs, attrs([]), vec![], Ty::Vector(on, 1.into()))))
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((mean, rows), (log_variance, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        Ok(Value::float(unit_kl(mean, log_variance)?, rows))
    }
}

#[cfg(feature = "train")]
fn unit_kl(mean: &Tensor, log_variance: &Tensor) -> candle_core::Result<Tensor> {
    let each = ((mean.sqr()? + log_variance.exp()?)? - log_variance)?.affine(0.5, -0.5)?;
    each.sum_keepdim(D::Minus1)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_distance_is_that_of_the_integral() {
        let (mean, log_variance) = (0.7f64, -0.9f64);
        let normal =
            |x: f64, m: f64, v: f64| (-(x - m) * (x - m) / (2.0 * v)).exp() / (std::f64::consts::TAU * v).sqrt();
        let steps = (-8000..8000).map(|i| f64::from(i) * 1e-3);
        let expected: f64 = steps
            .map(|x| (normal(x, mean, log_variance.exp()), normal(x, 0.0, 1.0)))
            .map(|(p, q)| if p < 1e-300 { 0.0 } else { p * (p / q).ln() * 1e-3 })
            .sum();
        let row = |x: f64| Tensor::from_slice(&[x, 0.0], (1, 2), &Device::Cpu).expect("a row");
        let kl = unit_kl(&row(mean), &row(log_variance)).and_then(|y| y.flatten_all()?.to_vec1::<f64>());
        assert!((kl.expect("a number")[0] - expected).abs() < 1e-6, "{expected}");
    }
}
