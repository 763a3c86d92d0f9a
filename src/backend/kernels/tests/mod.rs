//! Each operation three ways: fused in f32, out of Candle's operations in f64, and by finite
//! differences of the latter.

mod attention;
mod crf;
mod decode;
mod dense;
mod feedback;
mod losses;
mod random;
mod recurrent;
mod rows;
mod segments;

use candle_core::{DType, Device, Result, Tensor, Var};

use super::random::Draw;
use crate::backend::param::{Param, flat_params};

/// Runs an operation on inputs and parameters.
pub(in crate::backend::kernels) type Run<'a> = &'a (dyn Fn(&[Tensor], &[Param]) -> Result<Tensor> + Sync);

/// The result of an operation and the gradients of a weighted sum of it.
struct Outcome {
    y: Vec<f64>,
    inputs: Vec<Vec<f64>>,
    params: Vec<f64>,
}

/// Inputs and parameters with random numbers.
struct Numbers {
    inputs: Vec<(Vec<usize>, Vec<f64>)>,
    params: Vec<(Vec<usize>, Vec<f64>)>,
}

fn numbers(seed: u64, shapes: &[&[usize]]) -> Vec<(Vec<usize>, Vec<f64>)> {
    let fill = |(i, shape): (usize, &&[usize])| {
        let draw = Draw::new(seed).part(i as u64);
        let values = (0..shape.iter().product::<usize>()).map(|n| f64::from(draw.normal(n as u64)));
        (shape.to_vec(), values.collect())
    };
    shapes.iter().enumerate().map(fill).collect()
}

/// The weights of the sum that gradients are taken of.
fn weighted(y: &Tensor) -> Result<Tensor> {
    let weights: Vec<f64> = (0..y.elem_count()).map(|i| f64::from(Draw::new(99).normal(i as u64))).collect();
    (y * Tensor::from_vec(weights, y.shape(), y.device())?.to_dtype(y.dtype())?)?.sum_all()
}

fn wide(t: &Tensor) -> Result<Vec<f64>> {
    t.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

impl Numbers {
    fn tensors(of: &[(Vec<usize>, Vec<f64>)], dtype: DType) -> Result<Vec<Tensor>> {
        of.iter().map(|(s, v)| Tensor::from_slice(v, s.as_slice(), &Device::Cpu)?.to_dtype(dtype)).collect()
    }

    fn params(&self, dtype: DType) -> Result<(Vec<Param>, std::sync::Arc<crate::backend::Grads>)> {
        let tensors = Self::tensors(&self.params, dtype)?;
        flat_params(tensors.into_iter().enumerate().map(|(i, t)| (format!("p{i}"), t)).collect())
    }

    fn outcome(&self, run: Run, dtype: DType) -> Result<Outcome> {
        let vars = Self::tensors(&self.inputs, dtype)?.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
        let (params, grads) = self.params(dtype)?;
        // An operand that is no variable must get its gradient too, or Candle panics.
        let inputs = vars.iter().map(|v| v.affine(1.0, 0.0)).collect::<Result<Vec<_>>>()?;
        let y = run(&inputs, &params)?;
        let store = weighted(&y)?.backward()?;
        let inputs = vars.iter().map(|v| wide(store.get(v).expect("a gradient"))).collect::<Result<_>>()?;
        let params = match dtype {
            DType::F32 => {
                grads.collect(&params, &store)?;
                grads.lock().iter().map(|g| f64::from(*g)).collect()
            }
            _ => params.iter().flat_map(|p| wide(store.get(&p.var).expect("a gradient")).unwrap()).collect(),
        };
        Ok(Outcome { y: wide(&y)?, inputs, params })
    }

    fn loss(&self, run: Run) -> Result<f64> {
        let (params, _) = self.params(DType::F64)?;
        weighted(&run(&Self::tensors(&self.inputs, DType::F64)?, &params)?)?.to_scalar()
    }

    /// Moves one number both ways and sees what the loss does.
    fn difference(&mut self, run: Run, pick: impl Fn(&mut Self) -> &mut f64) -> f64 {
        const STEP: f64 = 1e-5;
        let middle = *pick(self);
        let [low, high] = [-STEP, STEP].map(|step| {
            *pick(self) = middle + step;
            self.loss(run).unwrap()
        });
        *pick(self) = middle;
        (high - low) / (2.0 * STEP)
    }
}

/// Asserts that two lists agree to `tolerance` of their largest number.
fn assert_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= tolerance * scale, "{what} {i}: {g} for {e}");
    }
}

/// Checks the fused form against the plain one, and that against finite differences.
pub(in crate::backend::kernels) fn check(inputs: &[&[usize]], params: &[&[usize]], run: Run) {
    let mut numbers = Numbers { inputs: numbers(1, inputs), params: numbers(2, params) };
    let plain = numbers.outcome(run, DType::F64).unwrap();
    let fused = numbers.outcome(run, DType::F32).unwrap();
    assert_close("value", &fused.y, &plain.y, 1e-5);
    assert_close("parameters", &fused.params, &plain.params, 1e-5);
    for (i, (f, p)) in fused.inputs.iter().zip(&plain.inputs).enumerate() {
        assert_close(&format!("input {i}"), f, p, 1e-5);
        let differences: Vec<f64> = (0..p.len()).map(|n| numbers.difference(run, |s| &mut s.inputs[i].1[n])).collect();
        assert_close(&format!("difference of input {i}"), p, &differences, 2e-6);
    }
    let mut differences = Vec::new();
    for i in 0..numbers.params.len() {
        let count = numbers.params[i].1.len();
        differences.extend((0..count).map(|n| numbers.difference(run, |s| &mut s.params[i].1[n])));
    }
    assert_close("differences of parameters", &plain.params, &differences, 2e-6);
    same_bits(inputs, params, run);
}

/// Checks the fused form against the plain one where finite differences would take long.
pub(in crate::backend::kernels) fn compare(inputs: &[&[usize]], params: &[&[usize]], run: Run) {
    let numbers = Numbers { inputs: numbers(1, inputs), params: numbers(2, params) };
    let plain = numbers.outcome(run, DType::F64).unwrap();
    let fused = numbers.outcome(run, DType::F32).unwrap();
    assert_close("value", &fused.y, &plain.y, 1e-5);
    assert_close("parameters", &fused.params, &plain.params, 1e-5);
    for (i, (f, p)) in fused.inputs.iter().zip(&plain.inputs).enumerate() {
        assert_close(&format!("input {i}"), f, p, 1e-5);
    }
    same_bits(inputs, params, run);
}

/// Checks that runs give the same bits, with one thread or several.
fn same_bits(inputs: &[&[usize]], params: &[&[usize]], run: Run) {
    let numbers = Numbers { inputs: numbers(1, inputs), params: numbers(2, params) };
    let outcome = || numbers.outcome(run, DType::F32).unwrap();
    let [a, b] = [outcome(), outcome()];
    assert!(a.y == b.y && a.inputs == b.inputs && a.params == b.params, "not deterministic");
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let b = pool.install(outcome);
        assert!(a.y == b.y && a.inputs == b.inputs && a.params == b.params, "{threads} threads");
    }
}

/// A random tensor.
pub(in crate::backend::kernels) fn random(seed: u64, shape: &[usize]) -> Tensor {
    Numbers::tensors(&numbers(seed, &[shape]), DType::F32).unwrap().remove(0)
}
