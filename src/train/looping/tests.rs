//! The loop with a toy model: two data sets, three tasks, a loss item.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::plan::{BalancePlan, BatchPlan, Figure, OptimizerPlan, SamplePlan, SchedulePlan};
use crate::train::checkpoint::read_arrays;
use crate::train::events::{Silent, StepDone};
use crate::train::feed::Portion;
use crate::train::toy::{self, Toy, ToyFeed};
use crate::train::trainee::LossSource;

/// Keeps what it hears, and stops the run after a number of steps.
#[derive(Default)]
struct Ear {
    steps: Vec<StepDone>,
    epochs: Vec<EpochDone>,
    warnings: Vec<Diagnostic>,
    checkpoints: usize,
    stop: Option<(usize, Arc<AtomicBool>)>,
}

impl Events for Ear {
    fn step_done(&mut self, step: &StepDone) {
        self.steps.push(step.clone());
        if let Some((after, flag)) = &self.stop
            && self.steps.len() == *after
        {
            flag.store(true, Ordering::Relaxed);
        }
    }

    fn epoch_done(&mut self, epoch: &EpochDone) {
        self.epochs.push(epoch.clone());
    }

    fn checkpoint_written(&mut self, path: &Path, _position: &Position) {
        assert!(path.exists());
        self.checkpoints += 1;
    }

    fn warning(&mut self, diagnostic: &Diagnostic) {
        self.warnings.push(diagnostic.clone());
    }
}

struct Ran {
    result: Result<Trained, Diagnostic>,
    model: Toy,
    ear: Ear,
    _dir: tempfile::TempDir,
}

fn run_with(plan: &Plan, mut model: Toy, feed: &ToyFeed) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let mut ear = Ear::default();
    let result = train(plan, &mut model, feed, &mut ear, &Options::new(dir.path()));
    Ran { result, model, ear, _dir: dir }
}

fn run(plan: &Plan) -> Ran {
    run_with(plan, Toy::default(), &ToyFeed::default())
}

fn plan_with(change: impl Fn(&mut crate::plan::StagePlan)) -> Plan {
    let mut plan = toy::plan();
    plan.train.stages.iter_mut().for_each(change);
    plan
}

fn bits(weights: &[Vec<f32>]) -> Vec<Vec<u32>> {
    weights.iter().map(|w| w.iter().map(|x| x.to_bits()).collect()).collect()
}

/// A program with everything that has a state: two stages, uncertainty, plateau, accumulation.
fn rich() -> Plan {
    let mut plan = plan_with(|stage| {
        stage.name = "first".into();
        stage.balance = BalancePlan::Uncertainty;
        stage.sample = SamplePlan::Temperature { t: 3.0 };
        stage.accumulate = 2;
        stage.clip = Some(0.5);
        let warmup = crate::plan::Length::Steps(2);
        stage.schedule = SchedulePlan::Plateau { factor: 0.5, patience: 1, warmup };
    });
    let mut second = toy::stage();
    second.name = "second".into();
    second.after = Some(0);
    second.freeze = vec![0];
    second.reset = vec![3];
    second.losses = vec![];
    second.sample = SamplePlan::Ordered { tasks: vec![1, 2] };
    second.tasks = vec![1, 2];
    plan.train.stages.push(second);
    plan
}

#[test]
fn learns() {
    let plan = plan_with(|stage| stage.epochs = 60);
    let ran = run(&plan);
    let trained = ran.result.unwrap();
    let loss = |epoch: usize| ran.ear.epochs[epoch].selected_by.as_ref().unwrap().value;
    assert!(loss(59) < 0.1 * loss(0), "{} {}", loss(0), loss(59));
    assert_eq!(trained.history.len(), 60);
    assert_eq!(trained.position.total_step, 60 * 7);
    let arrays = read_arrays(&trained.weights).unwrap().1;
    assert_eq!(bits(&[arrays["height.w"].clone()]), bits(&ran.model.weights()[1..2]));
    assert_eq!(ran.ear.steps[0].data.len(), 1);
    assert!(ran.ear.steps[0].tokens > 0 && ran.ear.steps[0].grad_norm.unwrap() > 0.0);
}

#[test]
fn the_same_run_twice_is_the_same() {
    let plan = rich();
    let (one, two) = (run(&plan), run(&plan));
    assert_eq!(bits(&one.model.weights()), bits(&two.model.weights()));
    assert_eq!(one.result.unwrap().history, two.result.unwrap().history);
    let mut other = rich();
    other.train.seed += 1;
    assert_ne!(bits(&run(&other).model.weights()), bits(&one.model.weights()));
}

#[test]
fn a_run_stopped_anywhere_and_resumed_ends_with_the_same_bits() {
    let plan = rich();
    let whole = run(&plan);
    let (want, history) = (bits(&whole.model.weights()), whole.result.unwrap().history);
    let steps = whole.ear.steps.len();
    assert!(steps > 20, "{steps}");
    for after in 1..=steps {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::new(dir.path());
        options.resume = true;
        options.every.steps = (after % 3 == 0).then_some(1);
        let mut seen = Vec::new();
        let (model, trained) = loop {
            options.stop = Arc::default();
            let mut model = Toy::default();
            let mut ear = Ear { stop: Some((after, options.stop.clone())), ..Ear::default() };
            let result = train(&plan, &mut model, &ToyFeed::default(), &mut ear, &options);
            seen.extend(ear.steps.iter().map(|step| step.position.total_step));
            match result {
                Ok(trained) => break (model, trained),
                Err(error) => assert_eq!(error.code, codes::INTERRUPTED, "{}", error.message),
            }
        };
        assert_eq!(seen, (1..=steps).collect::<Vec<_>>());
        assert_eq!(bits(&model.weights()), want, "stopped after {after}");
        assert_eq!(trained.history, history);
    }
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let plan = rich();
    let want = bits(&run(&plan).model.weights());
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path());
    options.every.steps = Some(3);
    // A loss that is not a number ends the run without a checkpoint of its own.
    let mut model = Toy { nan: Some((0, Cell::new(7))), ..Toy::default() };
    let error = train(&plan, &mut model, &ToyFeed::default(), &mut Silent, &options).unwrap_err();
    assert_eq!(error.code, codes::NOT_FINITE);
    options.resume = true;
    let mut model = Toy::default();
    train(&plan, &mut model, &ToyFeed::default(), &mut Silent, &options).unwrap();
    assert_eq!(bits(&model.weights()), want);
    // And a finished one has nothing left to do.
    let mut ear = Ear::default();
    let mut model = Toy::default();
    train(&plan, &mut model, &ToyFeed::default(), &mut ear, &options).unwrap();
    assert!(ear.steps.is_empty());
    assert_eq!(bits(&model.weights()), want);
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let plan = rich();
    let want = bits(&run(&plan).model.weights());
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path());
    options.every.steps = Some(1);
    let mut ear = Ear { stop: Some((5, options.stop.clone())), ..Ear::default() };
    let mut model = Toy::default();
    train(&plan, &mut model, &ToyFeed::default(), &mut ear, &options).unwrap_err();
    let folder = dir.path().join("checkpoints");
    let newest = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let newest = newest.filter(|p| p.to_str().unwrap().contains("step-")).max().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    (options.resume, options.stop) = (true, Arc::default());
    let (mut model, mut ear) = (Toy::default(), Ear::default());
    train(&plan, &mut model, &ToyFeed::default(), &mut ear, &options).unwrap();
    assert_eq!(ear.warnings[0].code, codes::DAMAGED_CHECKPOINT);
    assert_eq!(ear.steps[0].position.total_step, 5);
    assert_eq!(bits(&model.weights()), want);
}

#[test]
fn another_program_or_seed_cannot_be_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path());
    options.resume = true;
    let go =
        |plan: &Plan, options: &Options| train(plan, &mut Toy::default(), &ToyFeed::default(), &mut Silent, options);
    go(&toy::plan(), &options).unwrap();
    let mut other = toy::plan();
    other.train.seed = 8;
    assert_eq!(go(&other, &options).unwrap_err().code, codes::RUN_DIR);
    options.out_dir = dir.path().join("weights.safetensors");
    assert_eq!(go(&other, &options).unwrap_err().code, codes::OUTPUT);
}

#[test]
fn frozen_parameters_stay() {
    let first = Toy::default().weights();
    let ran = run(&plan_with(|stage| stage.freeze = vec![0, 2]));
    ran.result.unwrap();
    let last = ran.model.weights();
    for (param, moves) in [(0, false), (1, true), (2, false), (3, true)] {
        assert_eq!(bits(&first[param..=param]) != bits(&last[param..=param]), moves, "{param}");
    }
}

#[test]
fn a_parameter_outside_the_step_stays_put() {
    // Only cars are drawn, so only shared.w and speed.w move, for all the weight decay.
    let first = Toy::default().weights();
    let sample = SamplePlan::Ratio { tasks: vec![2], weights: vec![1.0] };
    let ran = run(&plan_with(|stage| stage.sample = sample.clone()));
    ran.result.unwrap();
    let last = ran.model.weights();
    assert_eq!(bits(&first[1..3]), bits(&last[1..3]));
    assert_ne!(bits(&first[3..4]), bits(&last[3..4]));
}

#[test]
fn updates_masks_gradients() {
    let first = Toy::default().weights();
    let mut plan = plan_with(|stage| {
        (stage.tasks, stage.losses) = (vec![0, 1], vec![]);
        stage.epochs = 1;
    });
    plan.tasks[0].updates = Some(vec![1]);
    plan.tasks[1].updates = Some(vec![2]);
    let ran = run(&plan);
    ran.result.unwrap();
    let last = ran.model.weights();
    assert_eq!(bits(&first[..1]), bits(&last[..1]), "no task may move the shared layer");
    assert_ne!(bits(&first[1..2]), bits(&last[1..2]));
    // The masks change nothing for the heads: the same as with the shared layer frozen.
    let mut frozen = plan.clone();
    frozen.tasks.iter_mut().for_each(|task| task.updates = None);
    frozen.train.stages[0].freeze = vec![0];
    assert_eq!(bits(&run(&frozen).model.weights()), bits(&last));
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let feed = ToyFeed { sizes: [(16, 0), (0, 0)] };
    let weights = |size: usize, accumulate: usize| {
        let plan = plan_with(|stage| {
            stage.batch = crate::plan::BatchPlan::Examples(size);
            stage.accumulate = accumulate;
            stage.tasks = vec![0, 1];
        });
        let ran = run_with(&plan, Toy { noise: 0.0, ..Toy::default() }, &feed);
        assert_eq!(ran.result.unwrap().position.total_step, 6);
        ran.model.weights().concat()
    };
    let (one, two) = (weights(8, 1), weights(4, 2));
    one.iter().zip(&two).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
}

#[test]
fn clipping_bounds_the_step() {
    let plan = |clip| {
        plan_with(move |stage| {
            (stage.epochs, stage.clip) = (1, clip);
            (stage.tasks, stage.losses) = (vec![2], vec![]);
            stage.batch = crate::plan::BatchPlan::Examples(7);
            stage.optimizer = OptimizerPlan::Sgd { lr: 1.0, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        })
    };
    let first = Toy::default().weights().concat();
    let length = |clip| {
        let ran = run(&plan(clip));
        ran.result.unwrap();
        let last = ran.model.weights().concat();
        let square = |(a, b): (&f32, &f32)| f64::from(a - b) * f64::from(a - b);
        let length = first.iter().zip(&last).map(square).sum::<f64>().sqrt();
        (length, ran.ear.steps[0].grad_norm.unwrap())
    };
    let (free, norm) = length(None);
    assert!((free - norm).abs() < 1e-5 && norm > 0.05, "{free} {norm}");
    let (clipped, same) = length(Some(0.01));
    assert!((clipped - 0.01).abs() < 1e-5, "{clipped}");
    assert_eq!(same, norm);
}

#[test]
fn task_rates_and_weights_count() {
    let sgd = OptimizerPlan::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let base = plan_with(|stage| {
        (stage.epochs, stage.tasks, stage.losses) = (1, vec![2], vec![]);
        stage.batch = crate::plan::BatchPlan::Examples(7);
        stage.optimizer = sgd.clone();
    });
    let first = Toy::default().weights();
    let moved = |plan: &Plan| -> Vec<Vec<f32>> {
        let last = run(plan).model.weights();
        last.iter().zip(&first).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
    };
    let plain = moved(&base);
    let mut fast = base.clone();
    fast.tasks[2].lr = Some(3.0);
    let fast = moved(&fast);
    let mut heavy = base.clone();
    heavy.train.stages[0].balance = BalancePlan::Weighted { weights: vec![(2, 2.0)] };
    let heavy = moved(&heavy);
    let near = |a: &[f32], b: &[f32], factor: f32| {
        a.iter().zip(b).for_each(|(a, b)| assert!((a * factor - b).abs() < 1e-5, "{a} {b}"));
    };
    near(&plain[0], &fast[0], 1.0);
    near(&plain[3], &fast[3], 3.0);
    near(&plain[0], &heavy[0], 2.0);
    near(&plain[3], &heavy[3], 2.0);
}

#[test]
fn a_loss_that_is_no_number_is_named() {
    let model = Toy { nan: Some((2, Cell::new(1))), ..Toy::default() };
    let ran = run_with(&toy::plan(), model, &ToyFeed::default());
    let error = ran.result.unwrap_err();
    assert_eq!(error.code, codes::NOT_FINITE);
    assert!(error.message.contains("task `speed`"), "{}", error.message);
    assert!(error.message.contains("of `cars`"), "{}", error.message);
    assert!(!error.message.ends_with('.'));
}

#[test]
fn a_gradient_that_is_no_number_is_named() {
    let model = Toy { sick_gradient: true, ..Toy::default() };
    let error = run_with(&toy::plan(), model, &ToyFeed::default()).result.unwrap_err();
    assert_eq!(error.code, codes::NOT_FINITE, "{}", error.message);
    assert!(error.message.contains(".w` is not finite"), "{}", error.message);
}

#[test]
fn a_cut_gradient_is_an_error_at_once() {
    let model = Toy { cut: Some(2), ..Toy::default() };
    let plan = plan_with(|stage| (stage.tasks, stage.losses) = (vec![2], vec![]));
    let ran = run_with(&plan, model, &ToyFeed::default());
    let error = ran.result.unwrap_err();
    assert_eq!(error.code, codes::NO_GRADIENT);
    assert!(error.message.contains("`shared.w`") && error.message.contains("`speed`"));
    assert!(ran.ear.steps.is_empty());
}

#[test]
fn a_gradient_that_stays_zero_is_a_warning() {
    let model = Toy { scale: 0.0, ..Toy::default() };
    let plan = plan_with(|stage| {
        (stage.epochs, stage.losses) = (40, vec![]);
        stage.tasks = vec![2];
    });
    let ran = run_with(&plan, model, &ToyFeed { sizes: [(0, 0), (16, 0)] });
    ran.result.unwrap();
    let codes: Vec<_> = ran.ear.warnings.iter().map(|w| w.code).collect();
    assert_eq!(codes, [codes::ZERO_GRADIENT; 2]);
    assert!(ran.ear.warnings[0].message.contains("shared.w"));
}

#[test]
fn the_best_epoch_is_kept_and_patience_ends_the_stage() {
    // A rate that explodes: the first epochs are the best.
    let plan = plan_with(|stage| {
        (stage.epochs, stage.patience) = (50, Some(3));
        stage.optimizer = OptimizerPlan::Sgd { lr: 0.9, momentum: 0.5, nesterov: false, weight_decay: 0.0 };
        stage.clip = Some(0.3);
        stage.select = Some(Figure::Metric { task: 2, metric: "mse".into() });
    });
    let ran = run(&plan);
    let trained = ran.result.unwrap();
    let scores: Vec<f64> = ran.ear.epochs.iter().map(|e| e.selected_by.as_ref().unwrap().value).collect();
    let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let at = scores.iter().position(|score| *score == least).unwrap();
    assert_eq!(scores.len(), at + 4, "{scores:?}");
    let best = trained.best.iter().find(|s| s.name == "speed.mse").unwrap();
    assert_eq!(best.value, least);
    assert!(!best.higher_is_better);
    // The model holds the best weights again: judging it gives the same figure.
    let verdicts = evaluate(
        &ran.model,
        &ToyFeed::default(),
        crate::train::feed::Portion::Dev,
        plan.train.stages[0].batch,
        |data| if data == 1 { vec![2] } else { vec![] },
        [0, 1],
    );
    assert_eq!(verdicts.unwrap().loss(2).map(|l| (l - least).abs() < 1e-6), Some(true));
}

#[test]
fn without_dev_the_last_weights_stay() {
    let feed = ToyFeed { sizes: [(18, 0), (7, 0)] };
    let ran = run_with(&toy::plan(), Toy::default(), &feed);
    let trained = ran.result.unwrap();
    assert!(trained.best.is_empty());
    assert!(ran.ear.epochs.iter().all(|epoch| epoch.selected_by.is_none() && !epoch.best));
}

#[test]
fn stages_begin_where_they_should() {
    let mut plan = plan_with(|stage| (stage.epochs, stage.select) = (1, None));
    let again = |after, reset: &[usize]| {
        let mut stage = toy::stage();
        stage.epochs = 0;
        (stage.after, stage.reset) = (after, reset.to_vec());
        stage
    };
    let one = run(&plan).model.weights();
    plan.train.stages.push(toy::stage());
    plan.train.stages.push(again(Some(0), &[]));
    assert_eq!(bits(&run(&plan).model.weights()), bits(&one), "after the first stage");
    plan.train.stages.push(again(None, &[3]));
    let reset = run(&plan).model.weights();
    assert_eq!(bits(&reset[..3]), bits(&one[..3]));
    assert_eq!(bits(&reset[3..]), bits(&Toy::default().weights()[3..]), "anew");
}

#[test]
fn samples_ask_for_what_they_name() {
    let sample = SamplePlan::Ordered { tasks: vec![1, 2] };
    let plan = plan_with(|stage| (stage.sample, stage.epochs) = (sample.clone(), 1));
    let ran = run(&plan);
    ran.result.unwrap();
    let asked = ran.model.asked.take();
    let small = LossSource::Item(0);
    assert_eq!(asked.len(), 5 + 2);
    assert!(asked[..5].iter().all(|a| *a == (0, vec![LossSource::Task(1), small])));
    assert!(asked[5..].iter().all(|a| *a == (1, vec![LossSource::Task(2), small])));
    assert_eq!(ran.model.turns, 2 + 1, "two turns and the stage");
    let ran = run(&plan_with(|stage| (stage.sample, stage.epochs) = (SamplePlan::All, 1)));
    ran.result.unwrap();
    let asked = ran.model.asked.take();
    assert_eq!(asked.len(), 7 * 2);
    assert_eq!(asked[0], (0, vec![LossSource::Task(0), LossSource::Task(1), small]));
    assert_eq!(asked[1], (1, vec![LossSource::Task(2)]), "an item of no data set counts once");
    assert_eq!(ran.model.turns, 2);
}

#[test]
fn uncertainty_weighs_the_losses() {
    let plan = plan_with(|stage| {
        (stage.balance, stage.epochs) = (BalancePlan::Uncertainty, 2);
        stage.optimizer = OptimizerPlan::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    });
    let ran = run(&plan);
    ran.result.unwrap();
    let mut s = [0.0f64; 3];
    for step in &ran.ear.steps {
        for loss in &step.losses {
            let LossSource::Task(task) = loss.source else {
                assert_eq!(loss.factor, 0.001, "items are never balanced");
                continue;
            };
            assert!((loss.factor - (-s[task]).exp()).abs() < 1e-5);
            s[task] -= 0.1 * (0.5 - (-s[task]).exp() * loss.value);
        }
    }
    assert!(s.iter().all(|s| *s != 0.0));
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let ran = run_with(&toy::plan(), Toy::default(), &ToyFeed { sizes: [(0, 0), (0, 0)] });
    assert_eq!(ran.result.unwrap_err().code, codes::TRAIN);
}

/// The toy's data, with one batch that cannot be made.
struct Broken {
    feed: ToyFeed,
    /// Which fetch fails, counted from 0, and whether it panics.
    at: usize,
    panics: bool,
    fetched: AtomicUsize,
}

impl Feed for Broken {
    type Batch = toy::Batch;

    fn size(&self, data: usize, portion: Portion) -> usize {
        self.feed.size(data, portion)
    }

    fn plan_epoch(&self, data: usize, size: BatchPlan, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
        self.feed.plan_epoch(data, size, seed, epoch)
    }

    fn plan_eval(&self, data: usize, portion: Portion, size: BatchPlan) -> Vec<Vec<u32>> {
        self.feed.plan_eval(data, portion, size)
    }

    fn fetch(&self, data: usize, portion: Portion, examples: &[u32]) -> Result<toy::Batch, Diagnostic> {
        let number = self.fetched.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics || number != self.at, "the data thread");
        match number == self.at {
            true => Err(Diagnostic::placeless(codes::DATA_EXAMPLE, "`cars` line 7: field 'speed' is 'x'")),
            false => self.feed.fetch(data, portion, examples),
        }
    }
}

fn broken_at(at: usize, panics: bool) -> Broken {
    Broken { feed: ToyFeed::default(), at, panics, fetched: AtomicUsize::new(0) }
}

#[test]
fn an_error_of_the_data_comes_at_its_step() {
    // The seven batches of an epoch, then three of dev.
    for at in 0..10 {
        let (feed, dir) = (broken_at(at, false), tempfile::tempdir().unwrap());
        let mut ear = Ear::default();
        let plan = plan_with(|stage| stage.batch = BatchPlan::Examples(4));
        let error = train(&plan, &mut Toy::default(), &feed, &mut ear, &Options::new(dir.path())).unwrap_err();
        assert_eq!((error.code, &*error.message), (codes::DATA_EXAMPLE, "`cars` line 7: field 'speed' is 'x'"));
        assert_eq!(ear.steps.len(), at.min(7), "batch {at}");
        assert!(ear.epochs.is_empty());
    }
}

#[test]
fn a_panic_of_the_data_comes_at_its_step() {
    let (feed, dir) = (broken_at(3, true), tempfile::tempdir().unwrap());
    let mut ear = Ear::default();
    let mut go = || train(&toy::plan(), &mut Toy::default(), &feed, &mut ear, &Options::new(dir.path()));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut go)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the data thread"));
    assert_eq!(ear.steps.len(), 3);
}

#[test]
fn few_batches_are_made_ahead() {
    let (feed, dir) = (broken_at(usize::MAX, false), tempfile::tempdir().unwrap());
    let mut options = Options::new(dir.path());
    options.every.steps = Some(1);
    let mut ear = Ear { stop: Some((2, options.stop.clone())), ..Ear::default() };
    let feed = Broken { feed: ToyFeed { sizes: [(1000, 0), (1000, 0)] }, ..feed };
    train(&toy::plan(), &mut Toy::default(), &feed, &mut ear, &options).unwrap_err();
    let fetched = feed.fetched.load(Ordering::SeqCst);
    assert!(fetched <= 2 + crate::data::ahead::AHEAD + 2, "{fetched}");
}
