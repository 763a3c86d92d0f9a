//! Trains a program in rounds of steps, for `compare.sh` to put beside the same in PyTorch.
//!
//! `steps PROGRAM STEPS [--set NAME=VALUE]… [--data FOLDER] [--dump FOLDER]` writes a line of JSON when the model
//! is loaded. For each line that it reads it trains STEPS steps and writes what they took. The
//! loop is the one of `mtlc run`, data and optimiser included. With `--dump` the first weights,
//! the vocabularies and the batches taken so far are kept, for another program to do the same.

mod side;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use mtlc::data::Batch;
use mtlc::diagnostics::Diagnostic;
use mtlc::driver::feed::CorpusFeed;
use mtlc::driver::training;
use mtlc::plan::BatchPlan;
use mtlc::train::events::{Events, StepDone};
use mtlc::train::feed::{Feed, Portion};
use mtlc::train::looping;
use serde_json::json;
use side::{asked, dump, memory, read, tell, told_to_go_on};

/// The data, which remembers the batches that were taken.
struct Noted<'a> {
    feed: CorpusFeed<'a>,
    taken: Mutex<Vec<Vec<u32>>>,
}

impl Feed for Noted<'_> {
    type Batch = Batch;

    fn size(&self, data: usize, portion: Portion) -> usize {
        if portion == Portion::Train { self.feed.size(data, portion) } else { 0 }
    }

    fn plan_epoch(&self, data: usize, size: BatchPlan, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
        self.feed.plan_epoch(data, size, seed, epoch)
    }

    fn plan_eval(&self, data: usize, portion: Portion, size: BatchPlan) -> Vec<Vec<u32>> {
        self.feed.plan_eval(data, portion, size)
    }

    fn fetch(&self, data: usize, portion: Portion, examples: &[u32]) -> Result<Batch, Diagnostic> {
        self.taken.lock().expect("no panic").push(examples.to_vec());
        self.feed.fetch(data, portion, examples)
    }

    fn tokens(&self, batch: &Batch) -> usize {
        self.feed.tokens(batch)
    }

    fn labels(&self, space: usize) -> Vec<String> {
        self.feed.labels(space)
    }
}

/// What a round of steps took.
#[derive(Default)]
struct Round {
    seconds: f64,
    tokens: usize,
    losses: Vec<f64>,
}

/// Ends a round after so many steps, and waits for the word to begin the next.
struct Rounds {
    steps: usize,
    done: usize,
    round: Round,
    stop: Arc<AtomicBool>,
}

impl Events for Rounds {
    fn step_done(&mut self, step: &StepDone) {
        self.done += 1;
        self.round.seconds += step.seconds;
        self.round.tokens += step.tokens;
        self.round.losses.push(step.total);
        if self.round.losses.len() == self.steps {
            let Round { seconds, tokens, losses } = std::mem::take(&mut self.round);
            tell(&json!({ "seconds": seconds, "tokens": tokens, "losses": losses, "peak": memory("VmHWM") }));
            if !told_to_go_on() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn main() {
    mtlc::cli::prepare_process();
    let asked = asked();
    let compiled = read(&asked);
    let trained = training::on_large_stack(|| {
        let mut program = training::program(&compiled)?;
        if let Some(to) = &asked.dump {
            dump(to, &compiled, &program)?;
        }
        let feed = CorpusFeed { corpus: &compiled.corpus, schema: &compiled.schema };
        let noted = Noted { feed, taken: Mutex::default() };
        let out = tempfile::tempdir().expect("a folder");
        let mut options = looping::Options::new(out.path());
        options.epochs = Some(1_000_000);
        let mut rounds = Rounds { steps: asked.steps, done: 0, round: Round::default(), stop: options.stop.clone() };
        // Peak memory is counted from here.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        tell(
            &json!({ "loaded": memory("VmRSS"), "parameters": program.params.iter().map(|p| p.len()).sum::<usize>() }),
        );
        if told_to_go_on() {
            let _ = looping::train(&compiled.plan, &mut program, &noted, &mut rounds, &options);
        }
        if let Some(to) = &asked.dump {
            // A step takes a batch here; what was fetched ahead of the last one was not trained.
            let mut taken = noted.taken.into_inner().expect("no panic");
            taken.truncate(rounds.done);
            let taken = serde_json::to_string(&taken).expect("JSON");
            std::fs::write(to.join("batches.json"), taken).expect("written");
        }
        Ok(())
    });
    if let Err(d) = trained {
        panic!("{}", d.message);
    }
}
