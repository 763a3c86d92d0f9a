//! The threads of a prediction: one reads, several compute, and the caller's writes.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder, available_parallelism};

use rayon::ThreadPoolBuilder;

use super::answers::Answers;
use super::inbox::{Inbox, Taken};
use crate::backend::exec::Program;
use crate::data::ahead::no_thread;
use crate::data::{Packer, Reader};
use crate::diagnostics::Diagnostic;
use crate::driver::training::broken;

/// More threads than this do not share a stream.
const MOST_WORKERS: usize = 8;

/// Stack of a thread that computes: a chain of tensors is dropped link by link.
const STACK: usize = 512 << 20;

/// What is computed for each example of the stream.
pub struct Work<'a> {
    pub program: &'a Program,
    /// The data set that the examples are read as.
    pub data: usize,
    pub tasks: Vec<usize>,
}

/// The answers of a batch, by its number.
type Done<'a> = (usize, Result<Answers<'a>, Diagnostic>);

/// Answers what `reader` gives, in its order, and returns how many examples that were. An error
/// comes after the answers for all that stands before it.
pub fn run(
    work: &Work<'_>,
    reader: Reader,
    inbox: Inbox,
    write: &mut dyn FnMut(&Answers<'_>) -> Result<(), Diagnostic>,
) -> Result<usize, Diagnostic> {
    let (inbox, packer) = (Arc::new(inbox), reader.packer().clone());
    let trouble = read(reader, inbox.clone())?;
    // Whatever happens, nobody waits for examples after this.
    let _end = Abandon(&inbox);
    let count = thread::scope(|scope| {
        let (send, done) = sync_channel(MOST_WORKERS);
        let mut workers = Vec::new();
        for _ in 0..worker_count(work.program) {
            let (send, inbox, packer) = (send.clone(), &*inbox, &packer);
            let compute = move || compute(work, packer, inbox, &send);
            // What a batch would share among threads stays on the one that computes it.
            let alone = move || {
                let one = ThreadPoolBuilder::new().num_threads(1).stack_size(STACK).build();
                one.map_err(|e| no_thread(&e)).inspect_err(|_| inbox.abandon())?.install(compute);
                Ok(())
            };
            let worker = Builder::new().name("mtlc-predict".into()).spawn_scoped(scope, alone);
            workers.push(worker.map_err(|e| no_thread(&e)).inspect_err(|_| inbox.abandon())?);
        }
        drop(send);
        let written = written(&done, write);
        // Workers that still compute find the channel closed, and those that wait the inbox.
        drop(done);
        inbox.abandon();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.collect::<Result<(), Diagnostic>>().and(written)
    })?;
    let trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
    match trouble {
        Some(Trouble::Said(d)) => Err(d),
        Some(Trouble::Panic(panic)) => resume_unwind(panic),
        None => Ok(count),
    }
}

/// What ended the reading before the end of the stream.
enum Trouble {
    Said(Diagnostic),
    Panic(Box<dyn std::any::Any + Send>),
}

/// Reads the stream on a thread of its own. Nobody waits for that thread: it may hang on a pipe
/// when all else has ended.
fn read(mut reader: Reader, inbox: Arc<Inbox>) -> Result<Arc<Mutex<Option<Trouble>>>, Diagnostic> {
    let trouble = Arc::new(Mutex::new(None));
    let note = trouble.clone();
    let go = move || {
        let all = std::panic::AssertUnwindSafe(|| -> Result<(), Diagnostic> {
            while let Some(row) = reader.next_example()? {
                if !inbox.put(row) {
                    break;
                }
            }
            Ok(())
        });
        let found = match std::panic::catch_unwind(all) {
            Ok(read) => read.err().map(Trouble::Said),
            Err(panic) => Some(Trouble::Panic(panic)),
        };
        *note.lock().unwrap_or_else(PoisonError::into_inner) = found;
        inbox.close();
    };
    Builder::new().name("mtlc-read".into()).spawn(go).map_err(|e| no_thread(&e))?;
    Ok(trouble)
}

/// Batches do not depend on each other, so each core computes its own; another device has its
/// own ways to be busy.
fn worker_count(program: &Program) -> usize {
    match program.device.is_cpu() {
        true => available_parallelism().map_or(1, NonZero::get).min(rayon::current_num_threads()).min(MOST_WORKERS),
        false => 1,
    }
}

/// Answers batch after batch.
fn compute<'a>(work: &Work<'a>, packer: &Packer, inbox: &Inbox, done: &SyncSender<Done<'a>>) {
    // After a panic, the other workers stop.
    let _end = Abandon(inbox);
    while let Some(Taken { number, first, rows }) = inbox.take() {
        let batch = packer.pack((first..).take(rows.len()).collect(), &rows);
        let outcomes = work.program.unjudged(work.data, &batch, &work.tasks).map_err(|e| broken(&e));
        let tasks = outcomes.map(|found| found.into_iter().map(|o| (o.task, o.items)).collect());
        let answers = tasks.map(|tasks| Answers { program: work.program, tasks, examples: rows.len() });
        if done.send((number, answers)).is_err() {
            return;
        }
    }
}

/// Writes answers in the order of their batches.
fn written<'a>(
    done: &Receiver<Done<'a>>,
    write: &mut dyn FnMut(&Answers<'_>) -> Result<(), Diagnostic>,
) -> Result<usize, Diagnostic> {
    let (mut early, mut next, mut count) = (BTreeMap::new(), 0, 0);
    for (number, answers) in done {
        early.insert(number, answers);
        while let Some(answers) = early.remove(&next) {
            let answers = answers?;
            write(&answers)?;
            count += answers.len();
            next += 1;
        }
    }
    Ok(count)
}

/// Empties an inbox when it goes.
struct Abandon<'a>(&'a Inbox);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
