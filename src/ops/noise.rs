//! Noise in training: `dropout`, `word_dropout`, `noise`.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels};

/// An operation that changes its input at random in training and not at all at prediction.
pub struct Noise {
    signature: &'static Signature,
}

const P: Arg = required("p", Kind::Share, "The share that is dropped.");

static DROPOUT_SIGNATURE: Signature = Signature {
    name: "dropout",
    group: Group::Noise,
    doc: "Drops numbers and scales the rest by 1 / (1 - p), in training (Srivastava et al. 2014).",
    inputs: &[input("x")],
    args: &[P],
};

static WORD_DROPOUT_SIGNATURE: Signature = Signature {
    name: "word_dropout",
    group: Group::Noise,
    doc: "Drops whole places, in training: vectors become zero, words become unknown (Iyyer et al. 2015).",
    inputs: &[input("x")],
    args: &[P],
};

static GAUSSIAN_NOISE_SIGNATURE: Signature = Signature {
    name: "noise",
    group: Group::Noise,
    doc: "Adds N(0, s²) to each number, in training.",
    inputs: &[input("x")],
    args: &[required("s", POSITIVE, "The standard deviation.")],
};

/// `dropout(p)`.
pub static DROPOUT: Noise = Noise { signature: &DROPOUT_SIGNATURE };
/// `word_dropout(p)`.
pub static WORD_DROPOUT: Noise = Noise { signature: &WORD_DROPOUT_SIGNATURE };
/// `noise(s)`.
pub static GAUSSIAN_NOISE: Noise = Noise { signature: &GAUSSIAN_NOISE_SIGNATURE };

impl Operation for Noise {
    fn signature(&self) -> &'static Signature {
        self.signature
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let name = self.signature.name;
        let strength = call.args.float(self.signature.args[0].name).unwrap_or(0.0);
        let attributes = attrs([("p", strength.into())]);
        let x = c.node(call, 0)?;
        if let (Ty::Tokens(on), "word_dropout") = (c.graph.ty(x).clone(), name) {
            return Ok(Val::Node(c.emit_random(call, name, vec![x], attributes, Ty::Tokens(on))));
        }
        let (x, on, width) = c.vector(call, 0)?;
        if strength == 0.0 {
            return Ok(Val::Node(x));
        }
        Ok(Val::Node(c.emit_random(call, name, vec![x], attributes, Ty::Vector(on, width))))
    }

    fn by_example(&self) -> bool {
        true
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let p = run.float("p") as f32;
        if !run.training || p == 0.0 {
            return Ok(inputs[0].clone());
        }
        if let Value::Tokens { ids, lexicon, rows } = &inputs[0] {
            let draw = run.draw();
            let keep =
                |(i, id): (usize, &u32)| if draw.bernoulli(i as u64, p) { crate::backend::NO_LABEL } else { *id };
            let ids = ids.iter().enumerate().map(keep).collect::<Vec<_>>().into();
            return Ok(Value::Tokens { ids, lexicon: lexicon.clone(), rows: rows.clone() });
        }
        let (x, rows) = inputs[0].as_float()?;
        let y = match self.signature.name {
            "dropout" => kernels::random::dropout(x, p, run.draw())?,
            "word_dropout" => kernels::random::row_dropout(x, p, run.draw())?,
            _ => {
                let draw = run.draw();
                let noise: Vec<f32> = (0..x.elem_count()).map(|i| p * draw.normal(i as u64)).collect();
                (x + candle_core::Tensor::from_vec(noise, x.shape(), x.device())?)?
            }
        };
        Ok(Value::float(y, rows))
    }
}
