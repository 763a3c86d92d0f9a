//! `corrupt(mask: 15%)`: words masked or replaced, and which ones were.

use super::signature::*;
use super::{Operation, attrs};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::graph::Vocab;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{NO_LABEL, Value, exec::Run, kernels::random::Draw};

/// `corrupt(mask)`.
pub struct Corrupt;

static CORRUPT: Signature = Signature {
    name: "corrupt",
    group: Group::Noise,
    doc: "Words corrupted in training, each with the probability `mask`: of those, 80 % are masked (read as an unknown word), 10 % become a word of the vocabulary at random, and 10 % stay (Devlin et al. 2019). An `mlm` task learns them.",
    inputs: &[input("x")],
    args: &[arg("mask", Kind::Share, Default::Float(0.15), "The share of words that is corrupted.")],
};

impl Operation for Corrupt {
    fn signature(&self) -> &'static Signature {
        &CORRUPT
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on) = c.tokens(call, 0)?;
        let name = c.graph.path(&call.site, "corrupt").to_string();
        let fields = c.graph.token_fields(x);
        let vocab = Vocab { name, fields: vec![], chars: false, min_count: 1, vectors: None, span: call.span };
        let id = c.graph.vocab(vocab);
        for field in fields {
            if !c.graph.vocabs[id.0].fields.contains(&field) {
                c.graph.vocabs[id.0].fields.push(field);
            }
        }
        let mask = call.args.float("mask").unwrap_or(0.15);
        let node = c.emit_random(call, "corrupt", vec![x], attrs([("mask", mask.into())]), Ty::Tokens(on));
        c.graph.nodes[node.0].vocab = Some(id);
        Ok(Val::Node(node))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        let Value::Tokens { ids, lexicon, rows } = &inputs[0] else { return run.wrong_input() };
        if !run.training && !run.bool("judged") {
            return Ok(inputs[0].clone());
        }
        let (draw, p) = (run.draw(), run.float("mask") as f32);
        let one = |(i, word): (usize, &u32)| match Fate::of(i, p, draw) {
            Fate::Kept | Fate::Learned => *word,
            Fate::Masked => NO_LABEL,
            Fate::Replaced(share) => run.word_at(share),
        };
        let ids = ids.iter().enumerate().map(one).collect::<Vec<_>>().into();
        Ok(Value::Tokens { ids, lexicon: lexicon.clone(), rows: rows.clone() })
    }
}

/// What becomes of a word.
#[cfg(feature = "train")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// It was not chosen.
    Kept,
    /// It was chosen, and stays as it is.
    Learned,
    /// It is read as an unknown word.
    Masked,
    /// It is the word at this share of the vocabulary.
    Replaced(f32),
}

#[cfg(feature = "train")]
impl Fate {
    /// What becomes of word `i` where words are chosen with probability `p`.
    pub fn of(i: usize, p: f32, draw: Draw) -> Fate {
        let i = i as u64;
        if !draw.bernoulli(i, p) {
            return Fate::Kept;
        }
        match draw.part(1).uniform(i) {
            u if u < 0.8 => Fate::Masked,
            u if u < 0.9 => Fate::Replaced(draw.part(2).uniform(i)),
            _ => Fate::Learned,
        }
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;

    #[test]
    fn eight_of_ten_are_masked_and_one_is_replaced() {
        const WORDS: usize = 100_000;
        let fates: Vec<Fate> = (0..WORDS).map(|i| Fate::of(i, 0.15, Draw::new(2))).collect();
        let share = |of: fn(&Fate) -> bool| fates.iter().filter(|f| of(f)).count() as f64 / (0.15 * WORDS as f64);
        let near = |x: f64, expected: f64| assert!((x - expected).abs() < 0.02, "{x} for {expected}");
        near(share(|f| *f == Fate::Masked), 0.8);
        near(share(|f| matches!(f, Fate::Replaced(_))), 0.1);
        near(share(|f| *f == Fate::Learned), 0.1);
        near(share(|f| *f != Fate::Kept), 1.0);
    }
}
