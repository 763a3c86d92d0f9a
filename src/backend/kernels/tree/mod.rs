//! Trees over the tokens of a text: scores of arcs and the best tree under them.

mod arborescence;
mod arcs;
mod projective;

pub use arcs::{arc_scores, arc_scores_plain, candidates};

use rayon::prelude::*;

use crate::backend::rows::Offsets;

/// Which trees are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All of them (Chu & Liu 1965, Edmonds 1967).
    Any,
    /// Those without crossing arcs (Eisner 1996).
    Projective,
}

/// The head of each token, 0 for the root, in the best tree of each text in which one token alone
/// hangs on the root. `scores` are those of [`arc_scores`], `offsets` the tokens of each text.
pub fn best_trees(scores: &[f32], offsets: &Offsets, shape: Shape) -> Vec<u32> {
    let mut first = 0;
    let blocks = offsets.windows(2).map(|text| {
        let n = (text[1] - text[0]) as usize;
        let block = &scores[first..first + n * (n + 1)];
        first += block.len();
        Arcs { n, scores: block }
    });
    let blocks: Vec<Arcs> = blocks.collect();
    let trees: Vec<Vec<u32>> = blocks.par_iter().map(|arcs| arcs.best(shape)).collect();
    trees.concat()
}

/// The arcs of one text.
#[derive(Clone, Copy, Debug)]
pub struct Arcs<'a> {
    /// Tokens.
    pub n: usize,
    /// `n + 1` numbers for each token: those of the root and of each token as its head.
    pub scores: &'a [f32],
}

impl Arcs<'_> {
    /// The score of an arc; tokens are counted from 1, and head 0 is the root.
    fn score(&self, token: usize, head: usize) -> f64 {
        f64::from(self.scores[(token - 1) * (self.n + 1) + head])
    }

    /// The heads of the best tree with one token on the root.
    pub fn best(&self, shape: Shape) -> Vec<u32> {
        match (self.n, shape) {
            (0, _) => Vec::new(),
            (_, Shape::Any) => arborescence::best(self),
            (_, Shape::Projective) => projective::best(self),
        }
    }
}

#[cfg(test)]
mod tests;
