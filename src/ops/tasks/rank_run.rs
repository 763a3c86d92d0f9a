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
}
