//! `t.sample`: a label drawn by its probability.

use super::Operation;
use super::signature::*;
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run};

/// A label drawn by its probability, or a set of labels, in training; what is predicted otherwise.
pub struct Sample;

static SAMPLE: Signature = Signature {
    name: "sample",
    group: Group::Internal,
    doc: "Labels drawn by their probabilities, each place on its own.",
    inputs: &[input("label"), input("probs")],
    args: &[],
};

impl Operation for Sample {
    fn signature(&self) -> &'static Signature {
        &SAMPLE
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        c.node(call, 0).map(Val::Node)
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        if !run.training {
            return Ok(inputs[0].clone());
        }
        let (p, rows) = inputs[1].as_float()?;
        let (width, draw) = (p.dim(1)?.max(1), run.draw());
        let numbers = crate::backend::exec::numbers(p)?;
        let Value::Label { space, .. } = &inputs[0] else {
            let set = numbers.iter().enumerate().map(|(i, p)| f32::from(u8::from(draw.bernoulli(i as u64, *p))));
            let set = candle_core::Tensor::from_vec(set.collect(), p.shape(), run.device)?;
            return Ok(Value::float(set, rows));
        };
        let places = numbers.chunks_exact(width).enumerate();
        let ids: Vec<u32> = places.map(|(i, row)| drawn(row, draw.uniform(i as u64))).collect();
        Ok(Value::Label { ids: ids.into(), space: *space, rows: rows.clone() })
    }
}

/// The label at which the sum of probabilities passes `u`.
#[cfg(feature = "train")]
fn drawn(p: &[f32], u: f32) -> u32 {
    let mut left = u * p.iter().sum::<f32>();
    for (label, p) in p.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return label as u32;
        }
    }
    // Rounding: the last label that can be.
    p.iter().rposition(|p| *p > 0.0).unwrap_or(0) as u32
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::drawn;
    use crate::backend::kernels::random::Draw;

    #[test]
    fn labels_come_as_often_as_they_are_probable() {
        const P: [f32; 4] = [0.2, 0.0, 0.5, 0.3];
        let mut counts = [0usize; 4];
        (0..20_000).for_each(|i| counts[drawn(&P, Draw::new(5).uniform(i)) as usize] += 1);
        for (count, p) in counts.iter().zip(P) {
            assert!((*count as f32 / 20_000.0 - p).abs() < 0.015, "{counts:?}");
        }
        assert_eq!(drawn(&P, 1.0), 3);
    }
}
