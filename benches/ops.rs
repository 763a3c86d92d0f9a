//! What operations take at the sizes of ATIS batches: fused, as they run on a CPU, and plain, as
//! other devices run them; forward, and forward and backward.
//!
//! `RAYON_NUM_THREADS=1` compares both on one thread: Candle's own threads are off here as they
//! are in `mtlc`, so that with more only what is fused uses them. Throughput counts the numbers of
//! the input.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{Device, Result, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use mtlc::backend::kernels::activation::Activation;
use mtlc::backend::kernels::attention::self_attention;
use mtlc::backend::kernels::crf::crf_nll;
use mtlc::backend::kernels::embedding::lookup;
use mtlc::backend::kernels::linear::linear;
use mtlc::backend::kernels::loss::softmax_cross_entropy;
use mtlc::backend::kernels::norm::layer_norm;
use mtlc::backend::kernels::plainly;
use mtlc::backend::kernels::random::{Draw, dropout};
use mtlc::backend::kernels::recurrent::{gru, lstm};
use mtlc::backend::kernels::transformer::{NormPlace, TransformerBlock};
use mtlc::backend::param::flat_params;
use mtlc::backend::rows::offsets_of;
use mtlc::backend::{Grads, Offsets, Param, Written};
use mtlc::plan::OptimizerPlan;
use mtlc::train::optim::{At, Optimizer, rule_of};

/// Sentences of a batch.
const SENTENCES: usize = 32;
/// Words of a sentence.
const WORDS: usize = 11;
/// Words of a batch.
const ROWS: usize = SENTENCES * WORDS;
/// Words that a table knows.
const VOCABULARY: usize = 900;
/// Labels of slots, with their begins and insides.
const LABELS: usize = 127;
/// Widths of layers.
const WIDTHS: [usize; 3] = [128, 256, 384];
/// Attention heads.
const HEADS: usize = 4;
/// Numbers that the optimiser moves.
const NUMBERS: usize = 10_000_000;

fn offsets() -> Offsets {
    offsets_of([WORDS; SENTENCES])
}

fn random(name: u64, shape: &[usize], size: f32) -> Tensor {
    let draw = Draw::new(1).part(name);
    let numbers = (0..shape.iter().product::<usize>()).map(|i| size * draw.normal(i as u64)).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).expect("a tensor")
}

/// Parameters of these shapes, small enough that no function is at its ends.
fn params(shapes: &[Vec<usize>]) -> (Vec<Param>, Arc<Grads>) {
    let one = |(i, shape): (usize, &Vec<usize>)| (format!("p{i}"), random(i as u64, shape, 0.05));
    flat_params(shapes.iter().enumerate().map(one).collect()).expect("parameters")
}

/// An operation on an input and its parameters.
struct Case {
    name: &'static str,
    width: usize,
    x: Var,
    params: Vec<Param>,
    grads: Arc<Grads>,
}

impl Case {
    fn new(name: &'static str, width: usize, columns: usize, shapes: &[Vec<usize>]) -> Self {
        let x = Var::from_tensor(&random(99, &[ROWS, columns], 1.0)).expect("an input");
        let (params, grads) = params(shapes);
        Self { name, width, x, params, grads }
    }

    /// Measures `run` in both forms and both ways.
    fn measure(&self, c: &mut Criterion, run: impl Fn(&Tensor, &[Param]) -> Result<Tensor>) {
        let mut group = c.benchmark_group(self.name);
        group.throughput(Throughput::Elements(self.x.elem_count() as u64));
        let forward = || run(&self.x, &self.params).expect("a result");
        let both = || {
            let store = forward().sum_all().and_then(|sum| sum.backward()).expect("a backward pass");
            self.grads.collect(&self.params, &store).expect("gradients");
        };
        group.bench_function(BenchmarkId::new("forward, fused", self.width), |b| b.iter(forward));
        group.bench_function(BenchmarkId::new("forward, plain", self.width), |b| plainly(|| b.iter(forward)));
        group.bench_function(BenchmarkId::new("both ways, fused", self.width), |b| b.iter(both));
        group.bench_function(BenchmarkId::new("both ways, plain", self.width), |b| plainly(|| b.iter(both)));
        group.finish();
    }
}

fn recurrent(c: &mut Criterion) {
    let offsets = offsets();
    for w in WIDTHS {
        let h = w / 2;
        let one = [vec![4 * h, w], vec![4 * h, h], vec![4 * h]];
        let case = Case::new("lstm, two directions", w, w, &[one.clone(), one].concat());
        case.measure(c, |x, p| lstm::bi(x, &offsets, [&p[0], &p[1], &p[2]], [&p[3], &p[4], &p[5]]));
        let case = Case::new("gru", w, w, &[vec![3 * w, w], vec![3 * w, w], vec![3 * w], vec![3 * w]]);
        case.measure(c, |x, p| gru::gru(x, &offsets, &p[0], &p[1], &p[2], &p[3], false));
    }
}

fn attention(c: &mut Criterion) {
    let offsets = offsets();
    for w in WIDTHS {
        let case = Case::new("self_attention", w, 3 * w, &[]);
        case.measure(c, |x, _| self_attention(x, &offsets, HEADS, None, false));
        let shapes: Vec<_> = TransformerBlock::parameters(w, 4 * w).into_iter().map(|p| (p.0, p.1)).collect();
        let case = Case::new("transformer block", w, w, &shapes.iter().map(|p| p.1.clone()).collect::<Vec<_>>());
        let at = |name: &str| shapes.iter().position(|p| p.0 == name).expect("a parameter");
        let block = TransformerBlock::new(|name| Ok(case.params[at(name)].clone())).expect("a block");
        case.measure(c, |x, _| block.forward(x, &offsets, HEADS, NormPlace::Before, None));
    }
}

fn dense(c: &mut Criterion) {
    for w in WIDTHS {
        let case = Case::new("layer_norm", w, w, &[vec![w], vec![w]]);
        case.measure(c, |x, p| layer_norm(x, &p[0], &p[1], 1e-5));
        let case = Case::new("linear and gelu, four times as wide", w, w, &[vec![4 * w, w], vec![4 * w]]);
        case.measure(c, |x, p| linear(x, &p[0], Some(&p[1]), Activation::Gelu));
        let case = Case::new("dropout", w, w, &[]);
        case.measure(c, |x, _| dropout(x, 0.3, Draw::new(3)));
        let ids = Arc::new((0..ROWS as u64).map(|i| Draw::new(4).bits(i) % VOCABULARY as u32).collect());
        let case = Case::new("lookup", w, w, &[vec![VOCABULARY, w]]);
        case.measure(c, |_, p| lookup(&ids, &p[0]));
    }
}

fn losses(c: &mut Criterion) {
    let offsets = offsets();
    let gold = Arc::new((0..ROWS as u64).map(|i| Draw::new(5).bits(i) % LABELS as u32).collect());
    let case = Case::new("softmax_cross_entropy", LABELS, LABELS, &[]);
    case.measure(c, |x, _| softmax_cross_entropy(x, &gold, 0.0, None));
    let case = Case::new("crf_nll", LABELS, LABELS, &[vec![LABELS, LABELS], vec![LABELS], vec![LABELS]]);
    case.measure(c, |x, p| crf_nll(x, &p[0], &p[1], &p[2], &gold, &offsets));
}

/// AdamW on one parameter; each step gets a new gradient, since it leaves zeros.
fn optimizer(c: &mut Criterion) {
    let plan = OptimizerPlan::Adamw { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
    let (params, _) = params(&[vec![NUMBERS]]);
    let mut optimizer = Optimizer::new(&plan, &params);
    let mut grad = vec![0.0; NUMBERS];
    let mut group = c.benchmark_group("adamw");
    group.throughput(Throughput::Elements(NUMBERS as u64));
    group.bench_function(BenchmarkId::new("fused", NUMBERS), |b| {
        b.iter_custom(|rounds| {
            let step = |_| {
                grad.fill(0.01);
                let begun = Instant::now();
                optimizer.step(&params, &mut grad, &[Written::All], 1e-3, 1.0).expect("a step");
                begun.elapsed()
            };
            (0..rounds).map(step).sum::<Duration>()
        });
    });
    let (rule, theta) = (rule_of(&plan), params[0].tensor().detach());
    let grad = (theta.ones_like().expect("ones") * 0.01).expect("a gradient");
    let state = [theta.zeros_like().expect("zeros"), theta.ones_like().expect("ones")];
    let at = At { lr: 1e-3, step: 10, scale: 1.0 };
    group.bench_function(BenchmarkId::new("plain", NUMBERS), |b| {
        b.iter(|| rule.tensors(&at, &theta, &grad, &state).expect("a step"));
    });
    group.finish();
}

fn config() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
}

criterion_group! {
    name = benches;
    config = config();
    targets = recurrent, attention, dense, losses, optimizer
}

fn main() {
    mtlc::cli::prepare_process();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
