//! Losses as values: `kl`, `js`, `mse`, `cosine`, `cross_entropy`, `orthogonal`, `l2`, `min`.

use super::combine::{equal_widths, meeting};
use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Reported, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};
#[cfg(feature = "train")]
use candle_core::{D, Tensor};

/// A comparison of values at each place.
pub struct Compare {
    signature: &'static Signature,
}

macro_rules! comparisons {
    ($($item:ident, $sig:ident, $name:literal, $inputs:expr, $doc:literal;)*) => {
        $(static $sig: Signature =
            Signature { name: $name, group: Group::Loss, doc: $doc, inputs: $inputs, args: &[] };
        #[doc = $doc]
        pub static $item: Compare = Compare { signature: &$sig };)*
    };
}

comparisons! {
    KL, KL_SIGNATURE, "kl", &[input("p"), input("q")], "Σ p log(p / q) at each place, of two distributions.";
    JS, JS_SIGNATURE, "js", &[many("p")], "The mean of KL(pᵢ ‖ m) with m the mean of the distributions (Lin 1991).";
    MSE, MSE_SIGNATURE, "mse", &[input("a"), input("b")], "The mean of (a - b)² over the width.";
    COSINE, COSINE_SIGNATURE, "cosine", &[input("a"), input("b")], "1 - a·b / (|a| |b|).";
    CROSS_ENTROPY, CROSS_ENTROPY_SIGNATURE, "cross_entropy", &[input("p"), input("q")], "-Σ p log q at each place.";
    MIN, MIN_SIGNATURE, "min", &[many("x")], "The least of several numbers at each place.";
}

impl Operation for Compare {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (nodes, on, widths) = meeting(c, call)?;
        equal_widths(c, call, &widths)?;
        let width = if self.signature.name == "min" { widths[0].clone() } else { 1.into() };
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], Ty::Vector(on, width))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let mut xs = Vec::new();
        for x in inputs {
            xs.push(x.as_float()?.0);
        }
        let Some(rows) = inputs[0].rows() else { return run.wrong_input() };
        let y = match self.signature.name {
            "kl" => kl(xs[0], xs[1])?,
            "js" => js(&xs)?,
            "mse" => (xs[0] - xs[1])?.sqr()?.mean_keepdim(D::Minus1)?,
            "cosine" => cosine(xs[0], xs[1])?,
            "cross_entropy" => (xs[0] * ln(xs[1])?)?.sum_keepdim(D::Minus1)?.neg()?,
            _ => {
                let mut least = xs[0].clone();
                for x in &xs[1..] {
                    least = least.minimum(*x)?;
                }
                least
            }
        };
        Ok(Value::float(y, rows))
    }
}

/// log x, finite at 0.
#[cfg(feature = "train")]
fn ln(x: &Tensor) -> candle_core::Result<Tensor> {
    x.affine(1.0, 1e-12)?.log()
}

#[cfg(feature = "train")]
fn kl(p: &Tensor, q: &Tensor) -> candle_core::Result<Tensor> {
    (p * (ln(p)? - ln(q)?)?)?.sum_keepdim(D::Minus1)
}

#[cfg(feature = "train")]
fn js(ps: &[&Tensor]) -> candle_core::Result<Tensor> {
    let n = ps.len() as f64;
    let mut mean = ps[0].clone();
    for p in &ps[1..] {
        mean = (mean + *p)?;
    }
    let mean = (mean / n)?;
    let mut sum = kl(ps[0], &mean)?;
    for p in &ps[1..] {
        sum = (sum + kl(p, &mean)?)?;
    }
    sum / n
}

#[cfg(feature = "train")]
fn cosine(a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    let dot = (a * b)?.sum_keepdim(D::Minus1)?;
    let norm = |x: &Tensor| x.sqr()?.sum_keepdim(D::Minus1)?.affine(1.0, 1e-12)?.sqrt();
    (dot / (norm(a)? * norm(b)?)?)?.affine(-1.0, 1.0)
}

/// `orthogonal(a, b)`.
pub struct Orthogonal;

static ORTHOGONAL: Signature = Signature {
    name: "orthogonal",
    group: Group::Loss,
    doc: "The mean squared entry of Aᵀ B over the places of each example, rows scaled to length 1: ‖Aᵀ B‖²_F / (p q) (Bousmalis et al. 2016; Liu et al. 2017).",
    inputs: &[input("a"), input("b")],
    args: &[],
};

impl Operation for Orthogonal {
    fn signature(&self) -> &'static Signature {
        &ORTHOGONAL
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (nodes, on, _) = meeting(c, call)?;
        Ok(Val::Node(c.emit(call, nodes, attrs([]), vec![], Ty::Vector(on.examples(), 1.into()))))
    }

    #[cfg(feature = "train")]
    fn run(&self, _: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let ((a, rows), (b, _)) = (inputs[0].as_float()?, inputs[1].as_float()?);
        let y = crate::backend::kernels::orthogonal::orthogonal(a, b, &rows.by_example())?;
        Ok(Value::float(y, &crate::backend::Rows::examples(rows.batch).into()))
    }
}

/// `l2(layer_a, layer_b)` and `l2(layer)`.
pub struct L2;

static L2_SIGNATURE: Signature = Signature {
    name: "l2",
    group: Group::Loss,
    doc: "Σ (θ - ψ)² over the parameters of two layers of one shape (soft sharing, Duong et al. 2015), or Σ θ² over those of one.",
    inputs: &[],
    args: &[
        required("a", Kind::Any, "A layer, task or path."),
        arg("b", Kind::Any, Default::Unset, "Another of the same shape."),
    ],
};

impl Operation for L2 {
    fn signature(&self) -> &'static Signature {
        &L2_SIGNATURE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let Some(a) = call.args.any("a") else { return Err(Reported) };
        let mut params = c.paths(a, &call.scope)?;
        if let Some(b) = call.args.any("b") {
            let others = c.paths(b, &call.scope)?;
            let shape = |c: &Checker<'a>, ids: &[crate::sema::graph::ParamId]| -> Vec<_> {
                ids.iter().map(|p| c.graph.params[p.0].shape.clone()).collect()
            };
            if shape(c, &params) != shape(c, &others) {
                let message = "the two layers have parameters of different shapes, so they have no distance";
                let d = Diagnostic::new(codes::WIDTH_MISMATCH, b.span, message)
                    .also(a.span, "the first is here")
                    .help("name parts that are alike, as in `l2(one.bilstm, two.bilstm)`");
                return Err(c.error_in(&call.scope, d));
            }
            params.extend(others);
        }
        let two = call.args.any("b").is_some();
        Ok(Val::Node(c.emit(call, vec![], attrs([("two", two.into())]), params, Ty::Scalar)))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, _: &[Value]) -> candle_core::Result<Value> {
        let n = run.node.params.len();
        let half = if run.bool("two") { n / 2 } else { n };
        let mut sum = Tensor::new(0f32, run.device)?;
        for i in 0..half {
            let theta = run.param(i).tensor();
            let d = if half < n { (theta - run.param(half + i).tensor())? } else { theta };
            sum = (sum + d.sqr()?.sum_all()?)?;
        }
        Ok(Value::Scalar(sum))
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use candle_core::Device;

    fn row(numbers: &[f64]) -> Tensor {
        Tensor::from_slice(numbers, (1, numbers.len()), &Device::Cpu).expect("a row")
    }

    fn assert_is(y: candle_core::Result<Tensor>, expected: f64) {
        let y = y.and_then(|y| y.flatten_all()?.to_vec1::<f64>()).expect("numbers");
        assert!((y[0] - expected).abs() < 1e-9, "{} for {expected}", y[0]);
    }

    #[test]
    fn divergences_are_those_of_the_papers() {
        let (p, q) = (row(&[0.5, 0.5]), row(&[0.9, 0.1]));
        assert_is(kl(&p, &q), 0.5 * (0.5f64 / 0.9).ln() + 0.5 * (0.5f64 / 0.1).ln());
        assert_is(kl(&p, &p), 0.0);
        let half = |a: f64, m: f64| a * (a / m).ln();
        let expected = (half(0.5, 0.7) + half(0.5, 0.3) + half(0.9, 0.7) + half(0.1, 0.3)) / 2.0;
        assert_is(js(&[&p, &q]), expected);
        assert_is(js(&[&q, &p]), expected);
        // Distributions that share nothing are log n apart, however many there are.
        let corners = [row(&[1.0, 0.0, 0.0]), row(&[0.0, 1.0, 0.0]), row(&[0.0, 0.0, 1.0])];
        assert_is(js(&corners.iter().collect::<Vec<_>>()), 3f64.ln());
        assert_is(kl(&corners[0], &p.pad_with_zeros(1, 0, 1).expect("padded")), 2f64.ln());
    }

    #[test]
    fn cosine_is_one_minus_that_of_the_angle() {
        assert_is(cosine(&row(&[1.0, 0.0]), &row(&[1.0, 1.0])), 1.0 - 0.5f64.sqrt());
        assert_is(cosine(&row(&[2.0, 1.0]), &row(&[-4.0, -2.0])), 2.0);
    }
}
