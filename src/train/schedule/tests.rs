use super::*;

const NONE: Length = Length::Steps(0);

fn factors(plan: SchedulePlan, steps: usize) -> Vec<f64> {
    let pace = Pace::new(&plan, steps);
    (0..steps).map(|step| pace.factor(step, step / 2)).collect()
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(g, w)| assert!((g - w).abs() < 1e-12, "{got:?} {want:?}"));
}

#[test]
fn constant_and_warmup() {
    close(&factors(SchedulePlan::Constant { warmup: NONE }, 3), &[1.0, 1.0, 1.0]);
    let warmup = Length::Share(0.5);
    close(&factors(SchedulePlan::Constant { warmup }, 4), &[0.5, 1.0, 1.0, 1.0]);
}

#[test]
fn linear_falls_to_nothing_after_the_last_step() {
    close(&factors(SchedulePlan::Linear { warmup: NONE }, 4), &[1.0, 0.75, 0.5, 0.25]);
    let warmup = Length::Steps(2);
    close(&factors(SchedulePlan::Linear { warmup }, 6), &[0.5, 1.0, 1.0, 0.75, 0.5, 0.25]);
    assert_eq!(Pace::new(&SchedulePlan::Linear { warmup: NONE }, 4).factor(9, 0), 0.0);
}

#[test]
fn cosine_is_half_way_in_the_middle() {
    let root = 0.5f64.sqrt();
    let want = [1.0, (1.0 + root) / 2.0, 0.5, (1.0 - root) / 2.0];
    close(&factors(SchedulePlan::Cosine { warmup: NONE }, 4), &want);
}

#[test]
fn inverse_sqrt_begins_where_the_warmup_ends() {
    let got = factors(SchedulePlan::InverseSqrt { warmup: Length::Steps(4) }, 16);
    close(&got[..5], &[0.25, 0.5, 0.75, 1.0, (4.0f64 / 5.0).sqrt()]);
    close(&got[15..], &[0.5]);
}

#[test]
fn step_and_exponential_count_epochs() {
    let plan = SchedulePlan::Step { every: 2, gamma: 0.1, warmup: NONE };
    close(&factors(plan, 6), &[1.0, 1.0, 1.0, 1.0, 0.1, 0.1]);
    let plan = SchedulePlan::Exponential { gamma: 0.5, warmup: NONE };
    close(&factors(plan, 6), &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
}

#[test]
fn plateau_waits() {
    let plan = SchedulePlan::Plateau { factor: 0.5, patience: 2, warmup: NONE };
    let mut pace = Pace::new(&plan, 10);
    let mut seen = Vec::new();
    for improved in [true, false, true, false, false, false, false] {
        pace.epoch_judged(improved);
        seen.push(pace.factor(0, 0));
    }
    assert_eq!(seen, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
    let mut other = Pace::new(&plan, 10);
    other.resume(pace.state());
    assert_eq!(other.factor(0, 0), 0.25);
}
