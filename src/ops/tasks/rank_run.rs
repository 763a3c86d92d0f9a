//! The tensor code of `rank`.

use candle_core::{Result, Tensor};
use std::sync::Arc;

use crate::backend::exec::numbers;
use crate::backend::kernels::segment;
use crate::backend::{Offsets, rows::offsets_of};

/// Forms of the loss.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// Listwise, with the members whose grade is 1.
    Chosen,
    /// Listwise, with the softmax of the grades.
    Graded,
    /// Pairwise hinge.
    Margin,
}

/// 1 for the first of the greatest scores `[N, 1]` of each set, 0 for others.
pub fn best(scores: &Tensor, sets: &Offsets) -> Result<Tensor> {
    let numbers = numbers(scores)?;
    let mut best = vec![0f32; numbers.len()];
    for set in sets.windows(2).map(|w| w[0] as usize..w[1] as usize) {
        let greatest = set.reduce(|a, b| if numbers[b] > numbers[a] { b } else { a });
        if let Some(at) = greatest {
            best[at] = 1.0;
        }
    }
    Tensor::from_vec(best, scores.dims(), scores.device())
}

/// The loss of each example `[B, 1]`, 0 where no member has a grade. Members without one take no part.
pub fn loss(scores: &Tensor, grades: &[f32], sets: &Offsets, form: Form) -> Result<Tensor> {
    let graded = |set: &[u32]| (set[0]..set[1]).filter(|i| !grades[*i as usize].is_nan()).collect::<Vec<_>>();
    let members: Vec<Vec<u32>> = sets.windows(2).map(graded).collect();
    match form {
        Form::Margin => margin(scores, grades, &members),
        form => listwise(scores, grades, &members, form),
    }
}

/// -Σ t log softmax(s) = Σ t · log Σ eˢ - Σ t s over the members of each set.
fn listwise(scores: &Tensor, grades: &[f32], members: &[Vec<u32>], form: Form) -> Result<Tensor> {
    let target = |set: &Vec<u32>| -> Vec<f32> {
        let grade = |i: &u32| grades[*i as usize];
        let greatest = set.iter().map(grade).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = match form {
            Form::Graded => set.iter().map(|i| (grade(i) - greatest).exp()).collect(),
            _ => set.iter().map(grade).collect(),
        };
        let sum: f32 = weights.iter().sum();
        weights.iter().map(|w| if sum > 0.0 { w / sum } else { 0.0 }).collect()
    };
    let targets: Vec<f32> = members.iter().flat_map(target).collect();
    let offsets = offsets_of(members.iter().map(Vec::len));
    let ids: Arc<Vec<u32>> = Arc::new(members.concat());
    let targets = Tensor::from_vec(targets, (ids.len(), 1), scores.device())?;
    let s = segment::gather_rows(scores, &ids)?;
    // Scores are taken from the greatest of their set, so that no exponential overflows.
    let greatest = segment::max(&s.detach(), &offsets)?;
    let s = (s - segment::repeat_rows(&greatest, &offsets)?)?;
    let total = segment::sum(&s.exp()?, &offsets)?;
    // An empty set has no exponential at all.
    let lengths: Vec<f32> = members.iter().map(|set| f32::from(u8::from(set.is_empty()))).collect();
    let log = (total + Tensor::from_vec(lengths, (members.len(), 1), scores.device())?)?.log()?;
    let weight = segment::sum(&targets, &offsets)?;
    log.mul(&weight)? - segment::sum(&s.mul(&targets)?, &offsets)?
}

/// Σ max(0, 1 - sᵢ + sⱼ) over the pairs of a set in which i has the greater grade.
fn margin(scores: &Tensor, grades: &[f32], members: &[Vec<u32>]) -> Result<Tensor> {
    let (mut better, mut worse, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for set in members {
        let before = better.len();
        for i in set {
            for j in set.iter().filter(|j| grades[**j as usize] < grades[*i as usize]) {
                better.push(*i);
                worse.push(*j);
            }
        }
        counts.push(better.len() - before);
    }
    let gap = (segment::gather_rows(scores, &Arc::new(worse))? - segment::gather_rows(scores, &Arc::new(better))?)?;
    segment::sum(&gap.affine(1.0, 1.0)?.relu()?, &offsets_of(counts))
}

/// How queries and members are compared.
pub struct Compare {
    /// By their cosine, else their product.
    pub cosine: bool,
    /// Factor of the scores.
    pub scale: f64,
    /// Members of each example.
    pub sets: Offsets,
}

impl Compare {
    fn rows(&self, x: &Tensor) -> Result<Tensor> {
        if !self.cosine {
            return Ok(x.clone());
        }
        // So small that it changes no number but that of a row of zeros.
        x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.affine(1.0, 1e-20)?.sqrt()?)
    }

    /// The score of each member `[N, d]` with the query `[B, d]` of its example: `[N, 1]`.
    pub fn scores(&self, query: &Tensor, members: &Tensor) -> Result<Tensor> {
        let query = segment::repeat_rows(&self.rows(query)?, &self.sets)?;
        query.mul(&self.rows(members)?)?.sum_keepdim(1)? * self.scale
    }

    /// -Σ t log softmax of each query's scores `[B, 1]`, over its own members and those that are right
    /// for other queries.
    pub fn in_batch(&self, query: &Tensor, members: &Tensor, grades: &[f32]) -> Result<Tensor> {
        let (batch, count) = (query.dim(0)?, members.dim(0)?);
        let (mut target, mut shut) = (vec![0f32; batch * count], vec![0f32; batch * count]);
        for (i, set) in self.sets.windows(2).map(|w| w[0] as usize..w[1] as usize).enumerate() {
            let right = grades[set.clone()].iter().filter(|grade| **grade > 0.0).count();
            for (j, grade) in grades.iter().enumerate() {
                let own = set.contains(&j);
                if own && *grade > 0.0 {
                    target[i * count + j] = 1.0 / right as f32;
                }
                if grade.is_nan() || !own && *grade <= 0.0 {
                    shut[i * count + j] = -1e30;
                }
            }
        }
        let matrix = |numbers: Vec<f32>| Tensor::from_vec(numbers, (batch, count), query.device());
        let (target, shut) = (matrix(target)?, matrix(shut)?);
        let scores = (self.rows(query)?.matmul(&self.rows(members)?.t()?)? * self.scale)?;
        let greatest = (&scores + &shut)?.detach().max_keepdim(1)?;
        let scores = scores.broadcast_sub(&greatest)?;
        let log = (&scores + &shut)?.exp()?.sum_keepdim(1)?.log()?;
        log.mul(&target.sum_keepdim(1)?)? - scores.mul(&target)?.sum_keepdim(1)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    const SCORES: [f32; 7] = [0.3, -1.2, 2.0, 0.5, 0.4, -0.3, 0.1];

    fn losses(grades: &[f32; 7], form: Form) -> Vec<f32> {
        let scores = Tensor::from_slice(&SCORES, (7, 1), &Device::Cpu).expect("numbers");
        let each = loss(&scores, grades, &vec![0, 3, 5, 7].into(), form).expect("a loss");
        numbers(&each).expect("numbers")
    }

    fn near(got: &[f32], expected: &[f32]) {
        let close = got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(got.len() == expected.len() && close, "{got:?} for {expected:?}");
    }

    fn log_softmax(set: &[f32], at: usize) -> f32 {
        set[at] - set.iter().map(|x| x.exp()).sum::<f32>().ln()
    }

    #[test]
    fn listwise_is_the_cross_entropy_of_the_right_member() {
        let none = f32::NAN;
        let got = losses(&[0., 0., 1., 1., 0., none, none], Form::Chosen);
        near(&got, &[-log_softmax(&SCORES[..3], 2), -log_softmax(&SCORES[3..5], 0), 0.0]);
    }

    #[test]
    fn grades_are_top_one_probabilities() {
        let got = losses(&[2., 0., 1., 1., 1., f32::NAN, 4.], Form::Graded);
        let (e, set) = ([2f32.exp(), 1.0, 1f32.exp()], &SCORES[..3]);
        let first: f32 = (0..3).map(|i| -e[i] / e.iter().sum::<f32>() * log_softmax(set, i)).sum();
        let second: f32 = (0..2).map(|i| -0.5 * log_softmax(&SCORES[3..5], i)).sum();
        near(&got, &[first, second, 0.0]);
    }

    #[test]
    fn margin_is_the_hinge_of_all_pairs() {
        let got = losses(&[2., 0., 1., 0., 1., 1., 1.], Form::Margin);
        let hinge = |i: usize, j: usize| (1.0 - SCORES[i] + SCORES[j]).max(0.0);
        near(&got, &[hinge(0, 1) + hinge(0, 2) + hinge(2, 1), hinge(4, 3), 0.0]);
    }

    #[test]
    fn the_first_of_the_best_is_chosen() {
        let scores = Tensor::new(&[[0.5f32], [2.0], [2.0], [-1.0]], &Device::Cpu).expect("numbers");
        let best = best(&scores, &vec![0, 3, 4].into()).expect("a choice");
        assert_eq!(numbers(&best).expect("numbers"), [0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn in_batch_takes_right_members_of_others_for_wrong_ones() {
        let tensor = |x: &[f32], rows: usize| Tensor::from_slice(x, (rows, 2), &Device::Cpu).expect("numbers");
        let (q, m) = ([0.5f32, -1.0, 2.0, 0.3], [1.0f32, 0.2, -0.4, 0.9, 0.3, 0.3, 1.5, -0.7]);
        for cosine in [false, true] {
            let by = Compare { cosine, scale: 3.0, sets: vec![0, 2, 4].into() };
            let got = by.in_batch(&tensor(&q, 2), &tensor(&m, 4), &[0., 1., 0., 1.]).expect("a loss");
            let score = |i: usize, j: usize| {
                let (q, m) = (&q[2 * i..2 * i + 2], &m[2 * j..2 * j + 2]);
                let length = |x: &[f32]| (x[0] * x[0] + x[1] * x[1]).sqrt();
                let dot = q[0] * m[0] + q[1] * m[1];
                3.0 * if cosine { dot / length(q) / length(m) } else { dot }
            };
            // The first query has its two members and the other's right one, and the second likewise.
            let first = -log_softmax(&[score(0, 0), score(0, 1), score(0, 3)], 1);
            let second = -log_softmax(&[score(1, 1), score(1, 2), score(1, 3)], 2);
            near(&numbers(&got).expect("numbers"), &[first, second]);
            let own = numbers(&by.scores(&tensor(&q, 2), &tensor(&m, 4)).expect("scores")).expect("numbers");
            near(&own, &[score(0, 0), score(0, 1), score(1, 2), score(1, 3)]);
        }
    }
}
