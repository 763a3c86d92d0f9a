//! A toy model for tests: three linear regressions over a shared layer, on two data sets.

use std::cell::Cell;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use rand::RngExt;

use super::feed::{Feed, Portion};
use super::seed::rng_of;
use super::trainee::{Answer, Judged, LossSource, LossTerm, Outcome, Trainee};
use crate::backend::{Grads, Param, param::flat_params};
use crate::data::spec::{DataSpec, Format};
use crate::diagnostics::Diagnostic;
use crate::plan::*;

const WIDTH: usize = 3;
const TASKS: [(&str, usize); 3] = [("height", 0), ("weight", 0), ("speed", 1)];

fn dataset(name: &str) -> DataSpec {
    DataSpec {
        name: name.into(),
        format: Format::Jsonl,
        train: vec![],
        dev: None,
        test: None,
        limit: None,
        skip_malformed: false,
        fields: vec![],
        span: Default::default(),
    }
}

fn node(op: &str, inputs: &[usize], params: &[usize], data: Option<usize>) -> Node {
    Node {
        op: op.into(),
        inputs: inputs.to_vec(),
        attrs: Attrs::new(),
        params: params.to_vec(),
        data,
        width: 1,
        ty: String::new(),
        draw: None,
        train_only: false,
        path: String::new(),
        span: Default::default(),
    }
}

fn task(name: &str, data: usize, logits: usize) -> TaskPlan {
    let on = TaskOn { data, logits, label: logits + 2, probs: None, gold: Some(0), loss: Some(logits + 1) };
    TaskPlan {
        name: name.into(),
        family: None,
        kind: "regress".into(),
        space: None,
        on: vec![on],
        vote: false,
        head: "mse".into(),
        weight: 1.0,
        lr: None,
        updates: None,
        metrics: vec!["mse".into()],
        threshold: 0.5,
        k: 0,
        reads: vec![],
        span: Default::default(),
    }
}

/// A stage with sound settings.
pub fn stage() -> StagePlan {
    StagePlan {
        name: String::new(),
        after: None,
        epochs: 3,
        batch: BatchPlan::Examples(4),
        accumulate: 1,
        optimizer: OptimizerPlan::Adamw { lr: 0.02, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 },
        schedule: SchedulePlan::Constant { warmup: Length::Steps(0) },
        clip: None,
        sample: SamplePlan::Proportional,
        balance: BalancePlan::Weighted { weights: vec![] },
        select: None,
        patience: None,
        tasks: vec![0, 1, 2],
        losses: vec![0],
        freeze: vec![],
        reset: vec![],
    }
}

/// Parameters 0 `shared.w`, 1 `height.w`, 2 `weight.w`, 3 `speed.w`; item 0 is l2 of `shared.w`.
pub fn plan() -> Plan {
    let mut nodes = vec![node("input", &[], &[], None)];
    let mut tasks = Vec::new();
    for (index, (name, data)) in TASKS.iter().enumerate() {
        let at = nodes.len();
        nodes.push(node("linear", &[0], &[0], Some(*data)));
        nodes.push(node("linear", &[at], &[index + 1], Some(*data)));
        nodes.push(node("mse", &[at + 1], &[], Some(*data)));
        nodes.push(node("round", &[at + 1], &[], Some(*data)));
        tasks.push(task(name, *data, at + 1));
    }
    let item = LossPlan {
        name: "small".into(),
        data: None,
        node: nodes.len(),
        weight: 0.001,
        updates: None,
        span: Default::default(),
    };
    nodes.push(node("l2", &[], &[0], None));
    let param = |name: &str, shape: &[usize]| ParamPlan {
        name: name.into(),
        shape: shape.to_vec(),
        init: Init::Zeros,
        rate: None,
        span: Default::default(),
    };
    Plan {
        version: VERSION,
        base: Default::default(),
        passes: vec![],
        name: "toy".into(),
        datasets: vec![dataset("people"), dataset("cars")],
        spaces: vec![],
        space_sizes: vec![],
        vocabs: vec![],
        vocab_sizes: vec![],
        params: vec![
            param("shared.w", &[WIDTH, WIDTH]),
            param("height.w", &[WIDTH, 1]),
            param("weight.w", &[WIDTH, 1]),
            param("speed.w", &[WIDTH, 1]),
        ],
        nodes,
        joined: vec![],
        tasks,
        losses: vec![item],
        metrics: vec![],
        train: TrainPlan { seed: 7, device: "cpu".into(), precision: "f32".into(), stages: vec![stage()] },
        runs: vec![],
        encoders: vec![],
    }
}

/// Numbers that depend on the arguments alone.
fn numbers(what: &str, path: &[u64], count: usize) -> Vec<f32> {
    let mut rng = rng_of(0, what, path);
    (0..count).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// A batch: inputs, and the gold of each task.
pub struct Batch {
    x: Tensor,
    examples: Vec<u32>,
    gold: Vec<Vec<f32>>,
}

/// The data.
pub struct ToyFeed {
    /// Examples of each data set, train and dev.
    pub sizes: [(usize, usize); 2],
}

impl Default for ToyFeed {
    fn default() -> Self {
        Self { sizes: [(18, 6), (7, 5)] }
    }
}

impl Feed for ToyFeed {
    type Batch = Batch;

    fn size(&self, data: usize, portion: Portion) -> usize {
        match portion {
            Portion::Train => self.sizes[data].0,
            Portion::Dev => self.sizes[data].1,
            Portion::Test => 0,
        }
    }

    fn plan_epoch(&self, data: usize, size: BatchPlan, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
        let BatchPlan::Examples(size) = size else { panic!("no tokens here") };
        let mut order: Vec<u32> = (0..self.sizes[data].0 as u32).collect();
        let mut rng = rng_of(seed, "toy", &[epoch]);
        (1..order.len()).rev().for_each(|last| order.swap(last, rng.random_range(0..=last)));
        order.chunks(size).map(<[u32]>::to_vec).collect()
    }

    fn plan_eval(&self, data: usize, portion: Portion, _size: BatchPlan) -> Vec<Vec<u32>> {
        let all: Vec<u32> = (0..self.size(data, portion) as u32).collect();
        all.chunks(4).map(<[u32]>::to_vec).collect()
    }

    fn fetch(&self, data: usize, portion: Portion, examples: &[u32]) -> std::result::Result<Batch, Diagnostic> {
        let x: Vec<Vec<f32>> =
            examples.iter().map(|e| numbers("x", &[data as u64, portion as u64, u64::from(*e)], WIDTH)).collect();
        let gold = (0..TASKS.len()).map(|task| {
            let truth = numbers("truth", &[task as u64], WIDTH);
            x.iter().map(|x| x.iter().zip(&truth).map(|(a, b)| a * b).sum()).collect()
        });
        let gold = gold.collect();
        let x = Tensor::new(x, &Device::Cpu).unwrap();
        Ok(Batch { x, examples: examples.to_vec(), gold })
    }

    fn tokens(&self, batch: &Batch) -> usize {
        batch.examples.len() * WIDTH
    }
}

/// The model.
pub struct Toy {
    /// All parameters.
    pub params: Vec<Param>,
    /// Their gradients.
    pub grads: Arc<Grads>,
    /// Noise on the inputs in training.
    pub noise: f32,
    /// The loss of this task is NaN in its n-th batch from now, counted from 0.
    pub nan: Option<(usize, Cell<usize>)>,
    /// This task passes no gradient to the shared layer.
    pub cut: Option<usize>,
    /// Gradients of heads are NaN, while losses are not.
    pub sick_gradient: bool,
    /// Factor of all predictions.
    pub scale: f64,
    /// How often [`Trainee::turn_ended`] was called.
    pub turns: usize,
    /// The sources asked for in each training batch.
    pub asked: Cell<Vec<(usize, Vec<LossSource>)>>,
}

impl Default for Toy {
    fn default() -> Self {
        let named = plan().params.into_iter().map(|param| {
            let count = param.shape.iter().product();
            let init = numbers(&param.name, &[], count);
            (param.name, Tensor::from_vec(init, param.shape, &Device::Cpu).unwrap())
        });
        let (params, grads) = flat_params(named.collect()).unwrap();
        Self {
            params,
            grads,
            noise: 0.1,
            nan: None,
            cut: None,
            sick_gradient: false,
            scale: 1.0,
            turns: 0,
            asked: Cell::default(),
        }
    }
}

impl Toy {
    /// All weights.
    pub fn weights(&self) -> Vec<Vec<f32>> {
        let flat = |p: &Param| p.var.as_detached_tensor().flatten_all().unwrap().to_vec1().unwrap();
        self.params.iter().map(flat).collect()
    }

    fn predict(&self, task: usize, x: &Tensor) -> Result<Tensor> {
        let shared = self.params[0].tensor();
        let shared = if self.cut == Some(task) { shared.detach() } else { shared };
        let scale = Tensor::new(self.scale as f32, &Device::Cpu)?;
        x.matmul(&shared)?.matmul(&self.params[task + 1].tensor())?.broadcast_mul(&scale)?.squeeze(1)
    }

    fn loss(&self, task: usize, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let gold = Tensor::new(batch.gold[task].as_slice(), &Device::Cpu)?;
        let mut loss = (self.predict(task, x)? - gold)?.sqr()?.mean_all()?;
        if self.sick_gradient {
            // 0, with the gradient ∞ - ∞.
            let head = self.params[task + 1].tensor();
            loss = (loss + head.sub(&head)?.sqrt()?.sum_all()?)?;
        }
        match &self.nan {
            Some((sick, left)) if *sick == task => {
                let at = left.get();
                left.set(at.wrapping_sub(1));
                if at == 0 { loss * f64::NAN } else { Ok(loss) }
            }
            _ => Ok(loss),
        }
    }
}

impl Trainee for Toy {
    type Batch = Batch;

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn grads(&self) -> &Arc<Grads> {
        &self.grads
    }

    fn losses(&self, data: usize, batch: &Batch, asked: &[LossSource], seed: u64) -> Result<Vec<LossTerm>> {
        let mut log = self.asked.take();
        log.push((data, asked.to_vec()));
        self.asked.set(log);
        let mut rng = rng_of(seed, "noise", &[]);
        let noise: Vec<f32> = (0..batch.x.elem_count()).map(|_| self.noise * rng.random_range(-1.0..1.0)).collect();
        let x = (&batch.x + Tensor::from_vec(noise, batch.x.dims(), &Device::Cpu)?)?;
        let mut terms = Vec::new();
        for source in asked {
            let value = match *source {
                LossSource::Task(task) => {
                    assert_eq!(TASKS[task].1, data, "a task asked on the wrong data set");
                    self.loss(task, &x, batch)?
                }
                LossSource::Item(_) => self.params[0].tensor().sqr()?.sum_all()?,
            };
            terms.push(LossTerm { source: *source, value, examples: batch.examples.len() });
        }
        Ok(terms)
    }

    fn outcomes(&self, _data: usize, batch: &Batch, tasks: &[usize]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for task in tasks {
            let predicted: Vec<f32> = self.predict(*task, &batch.x)?.to_vec1()?;
            let gold = &batch.gold[*task];
            let square = |(p, g): (&f32, &f32)| f64::from((p - g) * (p - g));
            let judged = |(p, g): (&f32, &f32)| Judged {
                predicted: Answer::Number(*p),
                gold: Some(Answer::Number(*g)),
                confidence: None,
            };
            outcomes.push(Outcome {
                task: *task,
                examples: batch.examples.clone(),
                items: predicted.iter().zip(gold).map(judged).collect(),
                loss: predicted.iter().zip(gold).map(square).sum(),
            });
        }
        Ok(outcomes)
    }

    fn turn_ended(&mut self) -> Result<()> {
        self.turns += 1;
        Ok(())
    }
}
