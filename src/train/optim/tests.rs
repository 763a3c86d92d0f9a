//! Constants come from the papers' formulas, evaluated in double precision by a separate
//! program over eight steps.

use candle_core::{Device, Tensor};

use super::*;
use crate::backend::{Grads, param::flat_params};

const GRADS: [[f32; 2]; 8] =
    [[0.3, -0.2], [-0.1, 0.4], [0.25, 0.05], [0.6, -0.7], [0.02, 0.03], [-0.4, 0.1], [0.15, -0.35], [0.05, 0.2]];

fn params(values: &[f32]) -> (Vec<Param>, std::sync::Arc<Grads>) {
    let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
    flat_params(vec![("p".to_owned(), tensor)]).unwrap()
}

fn values(param: &Param) -> Vec<f32> {
    param.var.as_detached_tensor().to_vec1().unwrap()
}

/// A step of parameter `index` alone.
fn step(optimizer: &mut Optimizer, index: usize, params: &[Param], grad: &[f32], lr: f64, scale: f32) {
    let mut flat: Vec<f32> = params
        .iter()
        .enumerate()
        .flat_map(|(i, p)| if i == index { grad.to_vec() } else { vec![7.0; p.len()] })
        .collect();
    let written: Vec<Written> =
        (0..params.len()).map(|i| if i == index { Written::All } else { Written::Nothing }).collect();
    optimizer.step(params, &mut flat, &written, lr, scale).unwrap();
    assert!(flat.iter().all(|g| *g == 0.0 || *g == 7.0));
}

fn run(plan: &OptimizerPlan, through_tensors: bool, scale: f32) -> Vec<f32> {
    let (params, _) = params(&[0.5, -1.25]);
    let mut optimizer = Optimizer::new(plan, &params);
    optimizer.through_tensors = through_tensors;
    for grad in GRADS {
        let grad = grad.map(|g| g / scale);
        step(&mut optimizer, 0, &params, &grad, plan.lr(), scale);
    }
    values(&params[0])
}

fn check(plan: OptimizerPlan, expected: [f64; 2]) {
    for (tensors, scale) in [(false, 1.0), (false, 0.5), (true, 1.0), (true, 0.25)] {
        for (got, want) in run(&plan, tensors, scale).iter().zip(expected) {
            assert!((f64::from(*got) - want).abs() < 2e-6, "{plan:?} {tensors}: {got} {want}");
        }
    }
}

fn adam(weight_decay: f64) -> OptimizerPlan {
    OptimizerPlan::Adam { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay }
}

#[test]
fn sgd_follows_the_formula() {
    let sgd = |momentum, nesterov, weight_decay| OptimizerPlan::Sgd { lr: 0.1, momentum, nesterov, weight_decay };
    check(sgd(0.0, false, 0.1), [0.3788280784232604, -1.1080238936023001]);
    check(sgd(0.9, false, 0.01), [0.0752498939719554, -1.0372721190026404]);
    check(sgd(0.9, true, 0.01), [0.029292287887284454, -1.0023831690019622]);
}

#[test]
fn adam_follows_the_formula() {
    check(adam(0.01), [0.4557548893161045, -1.2322265947501427]);
}

#[test]
fn adamw_follows_the_formula() {
    let plan = OptimizerPlan::Adamw { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1 };
    check(plan, [0.4527940229119523, -1.2247237054046543]);
}

#[test]
fn adagrad_follows_the_formula() {
    let plan = OptimizerPlan::Adagrad { lr: 0.05, eps: 1e-10, weight_decay: 0.01 };
    check(plan, [0.40225387867065693, -1.2022438392523873]);
}

#[test]
fn radam_follows_the_formula() {
    let plan = OptimizerPlan::Radam { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
    check(plan, [0.48911046062337427, -1.2468380642103263]);
}

#[test]
fn a_large_parameter_in_pieces_equals_small_ones() {
    let start: Vec<f32> = (0..40_000).map(|i| (i as f32 * 0.37).sin()).collect();
    let grad: Vec<f32> = (0..40_000).map(|i| (i as f32 * 0.11).cos()).collect();
    let (large, _) = params(&start);
    let mut optimizer = Optimizer::new(&adam(0.01), &large);
    for _ in 0..3 {
        step(&mut optimizer, 0, &large, &grad, 0.01, 1.0);
    }
    for at in [0usize, 16_383, 16_384, 39_999] {
        let (small, _) = params(&start[at..=at]);
        let mut optimizer = Optimizer::new(&adam(0.01), &small);
        for _ in 0..3 {
            step(&mut optimizer, 0, &small, &grad[at..=at], 0.01, 1.0);
        }
        assert_eq!(values(&large[0])[at], values(&small[0])[0]);
    }
}

/// A table of which few rows are written to moves as one that is looked at whole.
#[test]
fn rows_that_nothing_was_added_to() {
    let start: Vec<f32> = (0..90_000).map(|i| (i as f32 * 0.37).sin()).collect();
    let steps: [&[u32]; 4] = [&[0, 7, 899], &[7, 8, 400], &[], &[0, 655, 656]];
    for plan in [adam(0.01), OptimizerPlan::Sgd { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.1 }] {
        let (whole, _) = params(&start);
        let (few, _) = params(&start);
        let [mut one, mut other] = [&whole, &few].map(|p| Optimizer::new(&plan, p));
        for (t, rows) in steps.iter().enumerate() {
            let mut grad = vec![0.0; start.len()];
            rows.iter().for_each(|row| grad[*row as usize * 100..][..100].fill(0.1 * (t + 1) as f32));
            let mut again = grad.clone();
            one.step(&whole, &mut grad, &[Written::All], 0.01, 0.5).unwrap();
            let written = Written::Rows { width: 100, rows: rows.to_vec() };
            other.step(&few, &mut again, &[written], 0.01, 0.5).unwrap();
            assert!(again.iter().all(|g| *g == 0.0));
        }
        assert_eq!(values(&whole[0]), values(&few[0]));
    }
}

#[test]
fn factors_and_steps_belong_to_each_parameter() {
    let tensors = ["a", "b"].map(|n| (n.to_owned(), Tensor::ones(1, DType::F32, &Device::Cpu).unwrap()));
    let (params, _) = flat_params(tensors.into()).unwrap();
    let mut optimizer = Optimizer::new(&adam(0.0), &params);
    optimizer.set_factor(1, 0.1);
    step(&mut optimizer, 0, &params, &[1.0], 0.01, 1.0);
    step(&mut optimizer, 0, &params, &[1.0], 0.01, 1.0);
    step(&mut optimizer, 1, &params, &[1.0], 0.01, 1.0);
    assert_eq!(optimizer.steps(), [2, 1]);
    // Adam's first steps have length lr, whatever the gradient.
    assert!((values(&params[0])[0] - 0.98).abs() < 1e-6);
    assert!((values(&params[1])[0] - 0.999).abs() < 1e-6);
}

#[test]
fn state_comes_back() {
    for through_tensors in [false, true] {
        let (one, _) = params(&[0.5, -1.25]);
        let mut first = Optimizer::new(&adam(0.01), &one);
        first.through_tensors = through_tensors;
        step(&mut first, 0, &one, &[0.3, -0.2], 0.01, 1.0);
        let saved = first.save("optimizer").unwrap();
        assert_eq!(saved[0].name, "optimizer/m/p");
        let (two, _) = params(&values(&one[0]));
        let mut second = Optimizer::new(&adam(0.01), &two);
        second.through_tensors = through_tensors;
        let find = |name: &str| saved.iter().find(|s| s.name == name).map(|s| s.data.clone());
        second.load("optimizer", first.steps(), |_| Device::Cpu, find).unwrap();
        for (optimizer, params) in [(&mut first, &one), (&mut second, &two)] {
            step(optimizer, 0, params, &[-0.1, 0.4], 0.01, 1.0);
        }
        assert_eq!(values(&one[0]), values(&two[0]));
        assert!(second.load("optimizer", &[3], |_| Device::Cpu, |_| None).is_err());
    }
}
