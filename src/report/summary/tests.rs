//! Costs of a small plan, by hand.

use super::*;
pub(crate) use crate::report::picture::tests::{family, plan};

pub(crate) const LOAD: Load = Load { batches: 10, examples: 4.0, tokens: 40.0, pairs: 400.0 };

#[test]
fn parameters_by_layer() {
    let rows = layers(&plan());
    let shown: Vec<(&str, usize, String)> =
        rows.iter().map(|r| (r.name.as_str(), r.numbers, r.tasks.join(" "))).collect();
    assert_eq!(
        shown,
        [
            ("words", 800, "intent slots".to_string()),
            ("reader", 576, "intent slots".to_string()),
            ("intent", 80, "intent slots".to_string()),
            ("slots", 196, "slots".to_string()),
        ]
    );
    assert!((rows.iter().map(|row| row.share).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn operations_a_token() {
    // Tables are looked up; the intent head runs once an example; the CRF's transitions count
    // for decoding and for the loss, the latter once an example.
    let per_token = 2.0 * (64 * 8 + 7 * 21 + 7 * 7) as f64;
    let per_example = 2.0 * (5 * 16 + 7 * 7) as f64;
    assert_eq!(flops_per_token(&plan(), 0, &LOAD), per_token + per_example * 4.0 / 40.0);
    assert_eq!(flops_per_token(&plan(), 0, &Load::default()), 0.0);
}

#[test]
fn memory_counts_state_and_values() {
    let params = 800 + 576 + 80 + 196;
    assert!(peak_memory(&plan(), &[LOAD]) > (params * 16) as f64);
    assert_eq!(peak_memory(&plan(), &[]), (params * 16) as f64);
}

#[test]
fn steps_of_tasks() {
    let plan = plan();
    let mut stage = plan.train.stages[0].clone();
    assert_eq!(steps(&plan, &stage, &[LOAD]), [(0, 30.0), (1, 30.0)]);
    stage.sample = SamplePlan::Ordered { tasks: vec![1] };
    assert_eq!(steps(&plan, &stage, &[LOAD]), [(0, 0.0), (1, 30.0)]);
    stage.sample = SamplePlan::Ratio { tasks: vec![0, 1], weights: vec![3.0, 1.0] };
    assert_eq!(steps(&plan, &stage, &[LOAD]), [(0, 22.5), (1, 7.5)]);
}

#[test]
fn steps_of_a_family() {
    let mut plan = family(2);
    plan.tasks.iter_mut().for_each(|task| task.on[0].loss = Some(task.on[0].logits));
    let loads = [LOAD, Load { batches: 30, ..LOAD }];
    let mut stage = plan.train.stages[0].clone();
    assert_eq!(steps(&plan, &stage, &loads), [(0, 30.0), (1, 90.0)]);
    stage.sample = SamplePlan::Uniform;
    assert_eq!(steps(&plan, &stage, &loads), [(0, 60.0), (1, 60.0)]);
    stage.sample = SamplePlan::All;
    assert_eq!(steps(&plan, &stage, &loads), [(0, 120.0), (1, 120.0)]);
}

#[test]
fn the_summary() {
    insta::assert_snapshot!(summary(&plan(), &[LOAD]), @r"
    layer   parameters    share  read by
    words          800   48.4 %  intent, slots
    reader         576   34.9 %  intent, slots
    intent          80    4.8 %  intent, slots
    slots          196   11.9 %  slots
    total        1,652  100.0 %

    data  batches  examples each  tokens each  a token forward  in training
    atis       10            4.0           40       1.44 kFLOP   4.33 kFLOP

    task    stage  steps
    intent  joint     30
    slots   joint     30

    estimated peak memory in training: 48.8 KiB
    ");
}
