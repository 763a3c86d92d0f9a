//! Predicts in rounds of batches, for `compare.sh` to put beside the same in PyTorch.
//!
//! As `steps.rs`, but for each line that it reads it predicts STEPS batches of `--size` examples
//! each from weights that it has just made: one example after the other, larger batches as
//! `mtlc predict` does, a thread for each. `--dump` keeps the weights, the batches, and the labels
//! of the first ones.

mod side;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mtlc::data::Batch;
use mtlc::diagnostics::Diagnostic;
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::training;
use mtlc::plan::BatchPlan;
use mtlc::train::feed::{Feed, Portion};
use mtlc::train::trainee::{Answer, Outcome};
use serde_json::json;

/// Batches whose labels are kept.
const KEPT: usize = 20;

/// All labels of a batch, task after task.
fn labels(outcomes: &[Outcome]) -> Vec<u32> {
    let of = |answer: &Answer| match answer {
        Answer::Class(id) => vec![*id],
        Answer::Labels(ids) | Answer::Tags(ids) => ids.clone(),
        Answer::Tree(nodes) => nodes.iter().flat_map(|node| [node.head, node.label]).collect(),
        // Words of texts are numbered here: `w12`.
        Answer::Text(text) => text.text.split(' ').filter_map(|word| word.get(1..)?.parse().ok()).collect(),
        Answer::Number(_) | Answer::Spans(_) | Answer::Relations(_) | Answer::Scores(_) => Vec::new(),
    };
    outcomes.iter().flat_map(|o| o.items.iter().flat_map(|item| of(&item.predicted))).collect()
}

/// The tokens of these batches, which `threads` threads predict.
fn round(
    batches: Range<usize>,
    threads: usize,
    predict: &(dyn Fn(usize) -> Result<usize, Diagnostic> + Sync),
) -> Result<usize, Diagnostic> {
    if threads == 1 {
        return batches.map(predict).sum();
    }
    let next = AtomicUsize::new(batches.start);
    let work = || -> Result<usize, Diagnostic> {
        let own = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        own.install(|| {
            let taken = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            taken.take_while(|at| *at < batches.end).map(predict).sum()
        })
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("an answer")).sum()
    })
}

fn main() {
    mtlc::cli::prepare_process();
    let asked = side::asked();
    let compiled = side::read(&asked);
    let done = training::on_large_stack(|| {
        let program = training::program(&compiled)?.settled();
        let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
        let batches = feed.plan_eval(0, Portion::Train, BatchPlan::Examples(asked.size));
        let tasks: Vec<usize> = (0..program.plan.tasks.len()).collect();
        let predict = |at: usize| {
            let batch: Batch = feed.fetch(0, Portion::Train, &batches[at % batches.len()])?;
            let outcomes = program.unjudged(0, &batch, &tasks).unwrap_or_else(|e| panic!("{e}"));
            Ok((batch.tokens(), outcomes))
        };
        if let Some(to) = &asked.dump {
            side::dump(to, &compiled, &program)?;
            let kept = (0..KEPT).map(|at| Ok(labels(&predict(at)?.1))).collect::<Result<Vec<_>, _>>()?;
            std::fs::write(to.join("batches.json"), json!(batches).to_string()).expect("written");
            std::fs::write(to.join("labels.json"), json!(kept).to_string()).expect("written");
        }
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        side::tell(&json!({ "loaded": side::memory("VmRSS") }));
        let (mut at, threads) = (0, if asked.size == 1 { 1 } else { rayon::current_num_threads() });
        while side::told_to_go_on() {
            let begun = Instant::now();
            let tokens = round(at..at + asked.steps, threads, &|at| predict(at).map(|done| done.0))?;
            at += asked.steps;
            let seconds = begun.elapsed().as_secs_f64();
            side::tell(&json!({ "seconds": seconds, "tokens": tokens, "peak": side::memory("VmHWM") }));
        }
        Ok(())
    });
    if let Err(d) = done {
        panic!("{}", d.message);
    }
}
