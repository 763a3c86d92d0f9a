//! What a plan and its data tell about training before the first step: data sets that the sampler
//! shows far too often or hardly ever, and memory past the machine's.

use std::collections::BTreeMap;

use super::compile::Compiled;
use super::feed::CorpusFeed;
use crate::data::{Corpus, Portion};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Plan, SamplePlan, StagePlan};
use crate::report::environment;
use crate::report::numbers::{bytes, thousands};
use crate::report::summary::{Load, heaviest, peak_memory};
use crate::sema::model::{Model, StagePlaces};
use crate::train::feed::Feed;
use crate::train::sample::{Part, Supply, sampler_of};
use crate::train::seed::rng_of;

/// One set gone through so many times as often as another is worth a warning.
const FAR: f64 = 40.0;

/// Everything that can be foreseen of a compiled program's training.
pub fn warnings(model: &Model, compiled: &Compiled) -> Vec<Diagnostic> {
    let plan = &compiled.plan;
    let places = |stage: usize| model.stage_places.get(stage).copied().unwrap_or_default();
    let stages = &plan.train.stages;
    let mut found: Vec<Diagnostic> = stages
        .iter()
        .enumerate()
        .filter_map(|(i, stage)| uneven(plan, (i, stage), &places(i), &|data| sizes(compiled, stage, data)))
        .collect();
    let loads = |stage: &StagePlan| largest(&compiled.corpus, |data| batches(compiled, stage, data));
    let budget = budget(&plan.train.device);
    found.extend(stages.iter().find_map(|stage| too_large(plan, &loads(stage), budget?)));
    found
}

/// The batches of a data set in an epoch.
fn batches(compiled: &Compiled, stage: &StagePlan, data: usize) -> Vec<Vec<u32>> {
    let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
    feed.plan_epoch(data, stage.batch, compiled.plan.train.seed, 0)
}

/// Batches and examples of a data set's train split.
fn sizes(compiled: &Compiled, stage: &StagePlan, data: usize) -> (usize, usize) {
    (batches(compiled, stage, data).len(), compiled.corpus.datasets[data].size(Portion::Train))
}

/// How often an epoch of a stage goes through what it draws from: data sets, or the data of the
/// tasks that its sampler names.
fn passes(plan: &Plan, (index, stage): (usize, &StagePlan), batches: &BTreeMap<usize, usize>) -> Vec<(Part, f64)> {
    let sets = |task: &usize| {
        let on = plan.tasks[*task].on.iter().filter(|on| on.loss.is_some());
        on.map(|on| on.data).filter(|data| batches.contains_key(data)).collect::<Vec<_>>()
    };
    let tasks: BTreeMap<usize, Vec<usize>> = stage.tasks.iter().map(|task| (*task, sets(task))).collect();
    let used = batches.iter().filter(|(data, _)| tasks.values().flatten().any(|d| d == *data));
    let supply = Supply { batches: used.map(|(data, n)| (*data, *n)).collect(), tasks };
    let mut rng = rng_of(plan.train.seed, "sample", &[index as u64, 0]);
    let draws = sampler_of(&stage.sample).epoch(&supply, &mut rng);
    let mut counts: BTreeMap<(usize, Option<usize>), usize> = BTreeMap::new();
    if !matches!(stage.sample, SamplePlan::Ordered { .. } | SamplePlan::Ratio { .. }) {
        counts.extend(supply.batches.keys().map(|data| ((*data, None), 0)));
    }
    draws.iter().flatten().flatten().for_each(|part| *counts.entry((part.data, part.only)).or_default() += 1);
    let pass = |((data, only), n): ((usize, Option<usize>), usize)| {
        (Part { data, only }, n as f64 / supply.batches.get(&data).copied().unwrap_or(1) as f64)
    };
    counts.into_iter().map(pass).collect()
}

/// Warns of a sampler that goes through one set far more often than through another.
fn uneven(
    plan: &Plan,
    stage: (usize, &StagePlan),
    places: &StagePlaces,
    sizes: &dyn Fn(usize) -> (usize, usize),
) -> Option<Diagnostic> {
    let at = places.sample?;
    let batches = (0..plan.datasets.len()).map(|data| (data, sizes(data).0)).filter(|(_, n)| *n > 0).collect();
    let passes = passes(plan, stage, &batches);
    let (most, often) = passes.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (least, seldom) = passes.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    if *often < FAR * seldom {
        return None;
    }
    let said = |part: &Part| {
        let name = part.only.map_or(&plan.datasets[part.data].name, |task| &plan.tasks[task].name);
        format!("'{name}' ({} examples)", thousands(sizes(part.data).1 as u64))
    };
    let (often, seldom_said) = (times(*often), times(*seldom));
    let message = format!("an epoch goes {often} through {} and {seldom_said} through {}", said(most), said(least));
    let place = |part: &Part| part.only.map_or(plan.datasets[part.data].span, |task| plan.tasks[task].span);
    let mut d = Diagnostic::new(codes::PASSED_OVER, at, message).also(place(most), "far too often");
    if place(least) != place(most) {
        d = d.also(place(least), if *seldom == 0.0 { "never" } else { "too seldom" });
    }
    Some(d.help("`sample: proportional` shows every example once, and `temperature(2)` lies between"))
}

/// "52 times", "once", "0.02 times", "never".
fn times(times: f64) -> String {
    match times {
        0.0 => "never".into(),
        t if (t - 1.0).abs() < 0.05 => "once".into(),
        t if t >= 10.0 => format!("{t:.0} times"),
        t if t >= 0.1 => format!("{t:.1} times"),
        t => format!("{t:.2} times"),
    }
}

/// The largest batch of each data set.
fn largest(corpus: &Corpus, batches: impl Fn(usize) -> Vec<Vec<u32>>) -> Vec<Load> {
    let load = |data: usize| {
        let lengths = corpus.datasets[data].lengths(Portion::Train);
        let tokens = |batch: &Vec<u32>| batch.iter().map(|i| u64::from(lengths[*i as usize])).sum::<u64>();
        let batches = batches(data);
        let examples = batches.iter().map(Vec::len).max().unwrap_or(0);
        let longest = |batch: &Vec<u32>| batch.iter().map(|i| lengths[*i as usize]).max().unwrap_or(0);
        let pairs = |batch: &Vec<u32>| batch.len() as f64 * f64::from(longest(batch)).powi(2);
        Load {
            batches: batches.len(),
            examples: examples as f64,
            tokens: batches.iter().map(tokens).max().unwrap_or(0) as f64,
            pairs: batches.iter().map(pairs).fold(0.0, f64::max),
        }
    };
    (0..corpus.datasets.len()).map(load).collect()
}

/// Bytes that the device of a program has; `None` where that is not known before it is used.
fn budget(device: &str) -> Option<f64> {
    let other = device.starts_with("cuda") || device == "auto" && cfg!(feature = "cuda");
    environment::memory().map(|bytes| bytes as f64).filter(|_| !other)
}

/// Warns of a training that needs more memory than there is.
fn too_large(plan: &Plan, loads: &[Load], budget: f64) -> Option<Diagnostic> {
    let need = peak_memory(plan, loads);
    if need <= budget {
        return None;
    }
    let (need, has) = (bytes(need), bytes(budget));
    let message = format!("a step of training needs about {need} of memory, and this machine has {has}");
    let Some((span, own, why)) = heaviest(plan, loads) else {
        return Some(Diagnostic::placeless(codes::MEMORY, message));
    };
    Some(Diagnostic::new(codes::MEMORY, span, message).label(format!("{} of it here", bytes(own))).help(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::{LOAD, family, plan};

    fn places() -> StagePlaces {
        StagePlaces { sample: Some(crate::source::Span::new(crate::source::FileId(0), 3, 10)), batch: None }
    }

    fn said(sample: SamplePlan, sizes: [usize; 2]) -> Option<String> {
        let mut plan = family(2);
        plan.tasks.iter_mut().for_each(|task| task.on[0].loss = Some(task.on[0].logits));
        let stage = StagePlan { sample, ..plan.train.stages[0].clone() };
        let found = uneven(&plan, (0, &stage), &places(), &|data| (sizes[data], sizes[data] * 10));
        found.map(|d| d.message)
    }

    #[test]
    fn a_small_set_beside_a_large_one() {
        assert_eq!(said(SamplePlan::Proportional, [1, 5000]), None);
        assert_eq!(said(SamplePlan::Uniform, [100, 1000]), None);
        let said = said(SamplePlan::Uniform, [5, 1000]).expect("a warning");
        assert!(said.contains("goes 101 times through") && said.contains("0.5 times"), "{said}");
        assert!(said.contains("(50 examples)") && said.contains("(10,000 examples)"), "{said}");
    }

    #[test]
    fn memory_is_held_against_the_budget() {
        let plan = plan();
        let need = peak_memory(&plan, &[LOAD]);
        assert!(too_large(&plan, &[LOAD], need).is_none());
        let d = too_large(&plan, &[LOAD], need / 2.0).expect("a warning");
        assert!(d.code == codes::MEMORY && d.span.is_some() && d.help.is_some(), "{d:?}");
    }
}
