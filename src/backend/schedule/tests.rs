//! Schedules of one batch and of several.

use super::*;
use crate::plan::Plan;
use crate::train::toy;

/// A chain `field, embed, head` on each of two data sets, with the first two joined.
fn plan() -> Plan {
    let mut plan = toy::plan();
    let template = plan.nodes[1].clone();
    let node = |data: usize, op: &str, inputs: &[usize]| Node {
        op: op.into(),
        inputs: inputs.to_vec(),
        data: Some(data),
        ..template.clone()
    };
    plan.nodes = vec![
        node(0, "field", &[]),
        node(0, "embed", &[0]),
        node(0, "head", &[1]),
        node(1, "field", &[]),
        node(1, "embed", &[3]),
        node(1, "head", &[4, 4]),
    ];
    plan.joined = vec![vec![0, 3], vec![1, 4]];
    plan
}

fn ask(data: usize, root: usize) -> Ask {
    Ask { data: Some(data), roots: vec![root], beside: vec![] }
}

fn works(schedule: &Schedule) -> Vec<(String, Vec<usize>)> {
    let shown = |step: &Step| match &step.work {
        Work::Run { part, node } => (format!("{node} on {part}"), step.reads.clone()),
        Work::Join => ("join".into(), step.reads.clone()),
        Work::Cut { part, before } => (format!("cut {part} after {before:?}"), step.reads.clone()),
    };
    schedule.steps.iter().map(shown).collect()
}

fn named(steps: &[(&str, &[usize])]) -> Vec<(String, Vec<usize>)> {
    steps.iter().map(|(name, reads)| (name.to_string(), reads.to_vec())).collect()
}

#[test]
fn one_batch_runs_what_it_needs() {
    let schedule = Schedule::new(&plan(), &[ask(1, 5)], true);
    assert_eq!(works(&schedule), named(&[("3 on 0", &[]), ("4 on 0", &[0]), ("5 on 0", &[1, 1])]));
    assert_eq!(schedule.roots, [vec![(5, 2)]]);
    let drops: Vec<&[usize]> = schedule.steps.iter().map(|step| &step.drops[..]).collect();
    assert_eq!(drops, [&[][..], &[0], &[1]]);
}

#[test]
fn several_batches_meet_and_part() {
    let schedule = Schedule::new(&plan(), &[ask(1, 5), ask(0, 2)], true);
    let steps: [(&str, &[usize]); 8] = [
        ("3 on 0", &[]),
        ("0 on 1", &[]),
        ("join", &[0, 1]),
        ("4 on 0", &[2]),
        ("cut 1 after [0]", &[3]),
        ("2 on 1", &[4]),
        ("cut 0 after []", &[3]),
        ("5 on 0", &[6, 6]),
    ];
    let mut found = works(&schedule);
    let fields: Vec<_> = found.drain(..2).map(|(name, _)| name).collect();
    assert!(fields.contains(&"3 on 0".into()) && fields.contains(&"0 on 1".into()), "{fields:?}");
    assert_eq!(found[0].0, "join");
    assert_eq!(found[1..], named(&steps)[3..]);
    assert_eq!(schedule.roots, [vec![(5, 7)], vec![(2, 5)]]);
}

#[test]
fn a_group_is_run_apart_where_other_batches_need_its_input() {
    // On the second batch only the embedding is wanted, so the heads are not joined.
    let mut plan = plan();
    plan.joined.push(vec![2, 5]);
    plan.nodes[5].inputs = vec![4];
    let schedule = Schedule::new(&plan, &[ask(0, 2), ask(1, 4)], true);
    let found: Vec<String> = works(&schedule).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found.iter().filter(|name| name.starts_with("2 on")).count(), 1);
    assert_eq!(found.iter().filter(|name| name.starts_with("cut")).count(), 2);
}
