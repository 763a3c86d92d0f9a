//! `cutoff(token | feature | span, p)`: a part of the input erased.

use super::signature::*;
use super::{Operation, attrs};
use crate::diagnostics::{Diagnostic, codes};
use crate::sema::call::{Call, Checked, Val};
use crate::sema::checker::Checker;
use crate::sema::types::Ty;

#[cfg(feature = "train")]
use crate::backend::{Value, exec::Run, kernels::erase::erase, kernels::random::Draw};

/// `cutoff(what, p)`.
pub struct Cutoff;

static CUTOFF: Signature = Signature {
    name: "cutoff",
    group: Group::Noise,
    doc: "A view with a part erased, in training: some tokens, some features of all tokens, or one span of tokens become zero (Shen et al. 2020). Of n tokens or features p·n are erased; where that is no whole number, chance rounds it up or down, so that the expected share is p.",
    inputs: &[input("x")],
    args: &[
        arg("what", Kind::Word(&["token", "feature", "span"]), Default::Word("token"), "What is erased."),
        arg("p", Kind::Share, Default::Float(0.15), "The share that is erased."),
    ],
};

impl Operation for Cutoff {
    fn signature(&self) -> &'static Signature {
        &CUTOFF
    }

    fn apply<'a>(&self, c: &mut Checker<'a>, call: &Call<'a>) -> Checked<Val<'a>> {
        let (x, on, width) = c.vector(call, 0)?;
        let what = call.args.word("what").unwrap_or("token");
        if what != "feature" && on.inner().is_none() {
            let message = format!("'cutoff' erases a {what}, and its input has no token axis");
            let d = Diagnostic::new(codes::AXIS_MISMATCH, call.span, message)
                .also(call.inputs[0].1, "one vector for each example")
                .help("erase before the pooling, or erase features: `cutoff(feature, 10%)`");
            return Err(c.error_in(&call.scope, d));
        }
        let p = call.args.float("p").unwrap_or_default();
        let attributes = attrs([("what", what.into()), ("p", p.into())]);
        Ok(Val::Node(c.emit_random(call, "cutoff", vec![x], attributes, Ty::Vector(on, width))))
    }

    #[cfg(feature = "train")]
    fn run(&self, run: &Run<'_>, inputs: &[Value]) -> candle_core::Result<Value> {
        if !run.training {
            return Ok(inputs[0].clone());
        }
        let (x, rows) = inputs[0].as_float()?;
        let segments = rows.inner().cloned().unwrap_or_else(|| (0..=rows.batch as u32).collect());
        let cut = Cut { p: run.float("p"), draw: run.draw() };
        let mask = match run.str("what") {
            "feature" => cut.features(&segments, x.dim(1)?),
            "span" => cut.spans(&segments),
            _ => cut.tokens(&segments),
        };
        Ok(Value::float(erase(x, mask)?, rows))
    }
}

/// What is erased, segment by segment: a mask that is 0 there.
#[cfg(feature = "train")]
struct Cut {
    p: f64,
    draw: Draw,
}

#[cfg(feature = "train")]
impl Cut {
    /// How many of `n` are erased in segment `s`.
    fn count(&self, s: usize, n: usize) -> usize {
        let (exact, chance) = (self.p * n as f64, f64::from(self.draw.part(0).uniform(s as u64)));
        (exact + chance).floor().min(n as f64) as usize
    }

    /// `count` of `n` places, each as likely as another: those of the least random numbers.
    fn chosen(&self, s: usize, n: usize) -> Vec<usize> {
        let draw = self.draw.part(1).part(s as u64);
        let mut places: Vec<usize> = (0..n).collect();
        places.sort_by_key(|i| (draw.bits(*i as u64), *i));
        places.truncate(self.count(s, n));
        places
    }

    fn tokens(&self, segments: &[u32]) -> Vec<f32> {
        let mut mask = vec![1.0; segments.last().map_or(0, |n| *n as usize)];
        for (s, w) in segments.windows(2).enumerate() {
            for i in self.chosen(s, (w[1] - w[0]) as usize) {
                mask[w[0] as usize + i] = 0.0;
            }
        }
        mask
    }

    fn spans(&self, segments: &[u32]) -> Vec<f32> {
        let mut mask = vec![1.0; segments.last().map_or(0, |n| *n as usize)];
        for (s, w) in segments.windows(2).enumerate() {
            let n = (w[1] - w[0]) as usize;
            let count = self.count(s, n);
            let starts = (n - count + 1) as f32;
            let start = w[0] as usize + (self.draw.part(2).uniform(s as u64) * starts) as usize;
            mask[start..start + count].fill(0.0);
        }
        mask
    }

    fn features(&self, segments: &[u32], d: usize) -> Vec<f32> {
        let mut mask = vec![1.0; segments.last().map_or(0, |n| *n as usize) * d];
        for (s, w) in segments.windows(2).enumerate() {
            let chosen = self.chosen(s, d);
            for row in mask[w[0] as usize * d..w[1] as usize * d].chunks_exact_mut(d.max(1)) {
                chosen.iter().for_each(|i| row[*i] = 0.0);
            }
        }
        mask
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;

    fn erased(mask: &[f32]) -> usize {
        mask.iter().filter(|m| **m == 0.0).count()
    }

    #[test]
    fn the_share_of_each_text_is_erased() {
        let cut = Cut { p: 0.5, draw: Draw::new(3) };
        let (tokens, spans) = (cut.tokens(&[0, 4, 4, 14]), cut.spans(&[0, 4, 4, 14]));
        assert_eq!((erased(&tokens[..4]), erased(&tokens[4..])), (2, 5));
        assert_eq!((erased(&spans[..4]), erased(&spans[4..])), (2, 5));
        let starts = spans[4..].windows(2).filter(|w| w[0] != w[1]).count();
        assert!(starts <= 2, "one span: {spans:?}");
        let features = cut.features(&[0, 3, 5], 6);
        assert!(features[..18].chunks(6).all(|row| row == &features[..6]) && erased(&features[..6]) == 3);
        assert_ne!(features[..6], features[18..24], "drawn for each text");
    }

    #[test]
    fn the_expected_share_is_p_of_short_texts_too() {
        let offsets: Vec<u32> = (0..=2000).map(|i| i * 3).collect();
        let share = |mask: &[f32]| erased(mask) as f64 / 6000.0;
        let cut = Cut { p: 0.1, draw: Draw::new(1) };
        assert!((share(&cut.tokens(&offsets)) - 0.1).abs() < 0.015);
        assert!((share(&cut.spans(&offsets)) - 0.1).abs() < 0.015);
        let of_place = |at: usize| cut.spans(&offsets).chunks(3).filter(|s| s[at] == 0.0).count() as f64 / 2000.0;
        assert!((0..3).all(|at| (of_place(at) - 0.1).abs() < 0.03), "every place alike");
    }
}
