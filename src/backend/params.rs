//! The parameters of a plan, with their first values.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::kernels::init::{self, stream};
use super::param::flat_params;
use super::{Grads, Param};
use crate::data::Vectors;
use crate::plan::{Init, ParamPlan, Plan};

/// The numbers of a tensor of a pretrained encoder.
pub type Published<'a> = &'a dyn Fn(usize, &str) -> Result<Option<Vec<f32>>>;

/// Makes all parameters; draws depend on the seed and each parameter's name alone. `vectors`
/// are the word vectors of each vocabulary that has some, and `published` gives the numbers of a
/// pretrained encoder's tensor, or none where a run's weights take their place.
pub fn make(
    plan: &Plan,
    vectors: &[Option<Vectors>],
    published: Published<'_>,
    seed: u64,
    device: &Device,
) -> Result<(Vec<Param>, Arc<Grads>)> {
    let mut named = Vec::with_capacity(plan.params.len());
    for param in &plan.params {
        let of_encoder = match &param.init {
            Init::Pretrained { encoder, tensor, .. } => published(*encoder, tensor)?,
            _ => None,
        };
        let numbers = of_encoder.unwrap_or_else(|| first_values(param, vectors, seed));
        named.push((param.name.clone(), Tensor::from_vec(numbers, param.shape.as_slice(), device)?));
    }
    flat_params(named)
}

fn first_values(param: &ParamPlan, vectors: &[Option<Vectors>], seed: u64) -> Vec<f32> {
    let shape = &param.shape;
    let draw = |kind: init::Init| init::init(&kind, shape, seed, &param.name);
    match &param.init {
        Init::Zeros | Init::Pretrained { .. } => draw(init::Init::Zeros),
        Init::Ones => draw(init::Init::Ones),
        Init::Constant(c) => draw(init::Init::Constant(*c)),
        Init::Uniform(a) => draw(init::Init::Uniform { low: -a, high: *a }),
        Init::Normal(s) => draw(init::Init::Normal { mean: 0.0, std: *s }),
        Init::Xavier => draw(init::Init::XavierUniform { gain: 1.0 }),
        Init::FanIn => draw(init::Init::KaimingUniform { fan_in: None }),
        Init::Orthogonal => draw(init::Init::Orthogonal { gain: 1.0 }),
        Init::Diagonal { on, off } => draw(init::Init::Diagonal { on: *on, off: *off }),
        Init::Chrono { gates, steps } => draw(init::Init::Chrono { gates: *gates, steps: *steps }),
        Init::Vectors { vocab } => match vectors.get(*vocab).and_then(Option::as_ref) {
            Some(known) => with_vectors(known, shape, seed, &param.name),
            None => draw(init::Init::Normal { mean: 0.0, std: 1.0 }),
        },
    }
}

/// The file's rows where it has the word, else N(0, s²) with the deviation of the file's numbers.
fn with_vectors(vectors: &Vectors, shape: &[usize], seed: u64, name: &str) -> Vec<f32> {
    let width = shape.last().copied().unwrap_or(1);
    let known = || vectors.rows.chunks_exact(vectors.dim.max(1)).zip(&vectors.known).filter(|(_, k)| **k);
    let (mut count, mut squares) = (0usize, 0f64);
    for (row, _) in known() {
        count += row.len();
        squares += row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
    }
    let std = if count == 0 { 1.0 } else { (squares / count as f64).sqrt() as f32 };
    let draw = stream(seed, name);
    let mut numbers: Vec<f32> = (0..shape.iter().product::<usize>()).map(|i| std * draw.normal(i as u64)).collect();
    for (i, (row, has)) in vectors.rows.chunks_exact(vectors.dim.max(1)).zip(&vectors.known).enumerate() {
        if *has && row.len() == width {
            numbers[i * width..(i + 1) * width].copy_from_slice(row);
        }
    }
    numbers
}
