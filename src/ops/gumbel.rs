//! `gumbel(t)`: a relaxed sample, or one with a straight-through gradient.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels, kernels::random::Draw};
#[cfg(feature = "train")]
use candle_core::{D, Tensor};

/// `gumbel(t, hard)`.
pub struct Gumbel;

static GUMBEL: Signature = Signature {
    name: "gumbel",
    group: Group::Noise,
    doc: "A relaxed sample of the distribution that logits give: softmax((x + g) / t) with g = -log(-log u) in training (Jang et al. 2017; Maddison et al. 2017), and softmax(x / t) at prediction. With `hard: true` what comes out is one-hot and its gradient that of the relaxed sample (straight through, Bengio et al. 2013).",
    inputs: &[input("x")],
    args: &[
        arg(
            "t",
            Kind::Float(1e-3, f64::INFINITY),
            Default::Float(1.0),
            "Temperature: the smaller, the nearer to one-hot.",
        ),
        arg("hard", Kind::Bool, Default::Bool(false), "One-hot, with the gradient of the relaxed sample."),
    ],
};

impl Operation for Gumbel {
    fn signature(&self) -> &'static Signature {
        &GUMBEL
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let attributes =
            attrs([("t", call.args.float("t").unwrap_or(1.0).into()), ("hard", call.args.bool("hard").into())]);
        Ok(Val::Node(c.emit_random(call, "gumbel", vec![x], attributes, Ty::Vector(on, width))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let (x, rows) = inputs[0].as_float()?;
        let x = if run.training { (x + noise(x, run.draw())?)? } else { x.clone() };
        let soft = kernels::softmax::softmax(&(x / run.float("t"))?)?;
        Ok(Value::float(if run.bool("hard") { straight_through(&soft)? } else { soft }, rows))
    }
}

/// Numbers of the standard Gumbel distribution.
#[cfg(feature = "train")]
fn noise(x: &Tensor, draw: Draw) -> candle_core::Result<Tensor> {
    // The middle of each of 2^24 steps: never 0, never 1.
    let open = |i: usize| f64::from(draw.uniform(i as u64)) + 0.5 / (1u64 << 24) as f64;
    let numbers: Vec<f32> = (0..x.elem_count()).map(|i| -(-open(i).ln()).ln() as f32).collect();
    Tensor::from_vec(numbers, x.shape(), x.device())?.to_dtype(x.dtype())
}

/// One-hot at the greatest number of each row, with the gradient of `soft`.
#[cfg(feature = "train")]
fn straight_through(soft: &Tensor) -> candle_core::Result<Tensor> {
    let still = soft.detach();
    let best = still.argmax_keepdim(D::Minus1)?;
    let places = Tensor::arange(0u32, soft.dim(1)? as u32, soft.device())?.reshape((1, soft.dim(1)?))?;
    let hard = places.broadcast_eq(&best)?.to_dtype(soft.dtype())?;
    // soft - soft is 0 and has the gradient of soft.
    hard + (soft - still)?
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn the_greatest_is_distributed_as_the_softmax() {
        let rows = 20_000;
        let x: Vec<f32> = (0..rows).flat_map(|_| [0.0, 1.0, -1.0]).collect();
        let x = Tensor::from_vec(x, (rows, 3), &Device::Cpu).expect("logits");
        let y = (&x + noise(&x, Draw::new(7)).expect("noise")).and_then(|y| y.argmax(1)).expect("the greatest");
        let y = y.to_vec1::<u32>().expect("labels");
        let whole: f64 = [0f64, 1.0, -1.0].iter().map(|x| x.exp()).sum();
        for (label, logit) in [0f64, 1.0, -1.0].iter().enumerate() {
            let share = y.iter().filter(|l| **l == label as u32).count() as f64 / rows as f64;
            assert!((share - logit.exp() / whole).abs() < 0.01, "{label}: {share}");
        }
    }

    #[test]
    fn a_hard_sample_is_one_hot_with_the_gradient_of_the_soft_one() {
        let x = Var::from_slice(&[0.2f32, 1.5, -0.3], (1, 3), &Device::Cpu).expect("logits");
        let weights = Tensor::from_slice(&[1f32, 2.0, 4.0], (1, 3), &Device::Cpu).expect("weights");
        let soft = || kernels::softmax::softmax(x.as_tensor()).expect("a softmax");
        let gradient = |y: Tensor| {
            let loss = (y * &weights).and_then(|y| y.sum_all()).expect("a loss");
            let store = loss.backward().expect("a backward pass");
            store.get(x.as_tensor()).expect("a gradient").to_vec2::<f32>().expect("numbers")
        };
        let hard = straight_through(&soft()).expect("a sample");
        let numbers = hard.to_vec2::<f32>().expect("numbers");
        assert!(numbers[0].iter().zip([0.0, 1.0, 0.0]).all(|(y, e)| (y - e).abs() < 1e-6), "{numbers:?}");
        assert_eq!(gradient(hard), gradient(soft()));
    }
}
