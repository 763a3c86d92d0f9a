use super::*;
use crate::train::seed::rng_of;

fn supply() -> Supply {
    Supply {
        batches: [(0, 60), (1, 30), (3, 10)].into(),
        tasks: [(0, vec![0]), (1, vec![0]), (2, vec![1]), (3, vec![1, 3])].into(),
    }
}

fn epoch(plan: SamplePlan, epoch: u64) -> Vec<Vec<Draw>> {
    sampler_of(&plan).epoch(&supply(), &mut rng_of(7, "sample", &[0, epoch]))
}

fn counts(turns: &[Vec<Draw>]) -> BTreeMap<(usize, Option<usize>), usize> {
    let mut counts = BTreeMap::new();
    for part in turns.iter().flatten().flatten() {
        *counts.entry((part.data, part.only)).or_default() += 1;
    }
    counts
}

fn sets(turns: &[Vec<Draw>]) -> Vec<usize> {
    turns.iter().flatten().flatten().map(|part| part.data).collect()
}

#[test]
fn quotas_add_up() {
    assert_eq!(quotas(10, &[1.0, 1.0, 1.0]), [4, 3, 3]);
    assert_eq!(quotas(7, &[3.0, 1.0]), [5, 2]);
    assert_eq!(quotas(5, &[0.0, 1.0]), [0, 5]);
    assert!(quotas(5, &[]).is_empty());
    assert_eq!(quotas(5, &[0.0]), [0]);
}

#[test]
fn proportional_takes_every_batch_once() {
    let turns = epoch(SamplePlan::Proportional, 0);
    let want = [((0, None), 60), ((1, None), 30), ((3, None), 10)];
    assert_eq!(counts(&turns), want.into());
    assert_eq!(turns, epoch(SamplePlan::Proportional, 0));
    assert_ne!(turns, epoch(SamplePlan::Proportional, 1));
}

#[test]
fn uniform_is_even() {
    let want = [((0, None), 34), ((1, None), 33), ((3, None), 33)];
    assert_eq!(counts(&epoch(SamplePlan::Uniform, 0)), want.into());
}

#[test]
fn temperature_lies_between() {
    let one = epoch(SamplePlan::Temperature { t: 1.0 }, 0);
    assert_eq!(counts(&one), counts(&epoch(SamplePlan::Proportional, 0)));
    let two = counts(&epoch(SamplePlan::Temperature { t: 2.0 }, 0));
    // √60 : √30 : √10 of 100
    assert_eq!(two, [((0, None), 47), ((1, None), 34), ((3, None), 19)].into());
}

#[test]
fn round_robin_goes_round() {
    let turns = epoch(SamplePlan::RoundRobin, 0);
    assert_eq!(sets(&turns)[..6], [0, 1, 3, 0, 1, 3]);
    assert_eq!(sets(&turns).len(), 100);
}

#[test]
fn ordered_takes_turns() {
    let turns = epoch(SamplePlan::Ordered { tasks: vec![2, 1] }, 0);
    assert_eq!(turns.iter().map(Vec::len).collect::<Vec<_>>(), [30, 60]);
    assert!(turns[0].iter().all(|d| d == &[Part { data: 1, only: Some(2) }]));
    assert!(turns[1].iter().all(|d| d == &[Part { data: 0, only: Some(1) }]));
}

#[test]
fn ratio_names_tasks() {
    let plan = SamplePlan::Ratio { tasks: vec![0, 3], weights: vec![3.0, 1.0] };
    let want = [((0, Some(0)), 75), ((1, Some(3)), 19), ((3, Some(3)), 6)];
    assert_eq!(counts(&epoch(plan, 0)), want.into());
}

#[test]
fn all_takes_one_of_each() {
    let turns = epoch(SamplePlan::All, 0);
    assert_eq!(turns[0].len(), 100);
    assert_eq!(turns[0][0].iter().map(|p| p.data).collect::<Vec<_>>(), [0, 1, 3]);
}
