//! How a plan is trained.

use serde::{Deserialize, Serialize};

use super::Figure;

/// The `train` block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainPlan {
    /// Seed of everything random.
    pub seed: u64,
    /// `auto`, `cpu`, `cuda:0`, `metal`.
    pub device: String,
    /// `f32` or `bf16`.
    pub precision: String,
    /// Stages in order; one without a name when the program has none.
    pub stages: Vec<StagePlan>,
}

/// A stage, with everything it inherits filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// Its name, empty for the only one.
    pub name: String,
    /// The stage whose weights it begins with; `None`: the one before.
    pub after: Option<usize>,
    /// Passes over the data.
    pub epochs: usize,
    /// Size of a batch.
    pub batch: BatchPlan,
    /// Batches whose gradients are added before a step.
    pub accumulate: usize,
    /// The optimiser.
    pub optimizer: OptimizerPlan,
    /// How the learning rate runs.
    pub schedule: SchedulePlan,
    /// Largest norm of the gradient.
    pub clip: Option<f64>,
    /// Which data set or task a step takes.
    pub sample: SamplePlan,
    /// How task losses are weighed.
    pub balance: BalancePlan,
    /// What picks the best epoch.
    pub select: Option<Figure>,
    /// Epochs without improvement before it stops.
    pub patience: Option<usize>,
    /// Tasks that are trained.
    pub tasks: Vec<usize>,
    /// Loss items that are active.
    pub losses: Vec<usize>,
    /// Parameters that stay as they are.
    pub freeze: Vec<usize>,
    /// Parameters that begin anew.
    pub reset: Vec<usize>,
}

/// `batch: 32` or `batch: tokens(4096)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchPlan {
    /// Examples.
    Examples(usize),
    /// At most so many tokens.
    Tokens(usize),
}

/// Optimisers, with the names and defaults of their papers and of PyTorch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
#[allow(missing_docs)]
pub enum OptimizerPlan {
    Sgd { lr: f64, momentum: f64, nesterov: bool, weight_decay: f64 },
    Adam { lr: f64, beta1: f64, beta2: f64, eps: f64, weight_decay: f64 },
    Adamw { lr: f64, beta1: f64, beta2: f64, eps: f64, weight_decay: f64 },
    Adagrad { lr: f64, eps: f64, weight_decay: f64 },
    Radam { lr: f64, beta1: f64, beta2: f64, eps: f64, weight_decay: f64 },
}

impl OptimizerPlan {
    /// The learning rate before the schedule.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Sgd { lr, .. }
            | Self::Adam { lr, .. }
            | Self::Adamw { lr, .. }
            | Self::Adagrad { lr, .. }
            | Self::Radam { lr, .. } => *lr,
        }
    }
}

/// A length of time: steps, or a share of the stage's steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Steps.
    Steps(usize),
    /// A share of all steps of the stage.
    Share(f64),
}

/// How the learning rate runs; `warmup` climbs linearly from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
#[allow(missing_docs)]
pub enum SchedulePlan {
    Constant {
        warmup: Length,
    },
    /// Down to 0 at the last step.
    Linear {
        warmup: Length,
    },
    /// Half a cosine down to 0 (Loshchilov & Hutter 2017, without restarts).
    Cosine {
        warmup: Length,
    },
    /// √(warmup / step) after the warm-up (Vaswani et al. 2017).
    InverseSqrt {
        warmup: Length,
    },
    /// Times `gamma` every `every` epochs.
    Step {
        every: usize,
        gamma: f64,
        warmup: Length,
    },
    /// Times `gamma` every epoch.
    Exponential {
        gamma: f64,
        warmup: Length,
    },
    /// Times `factor` after `patience` epochs without improvement of what selects.
    Plateau {
        factor: f64,
        patience: usize,
        warmup: Length,
    },
}

/// Which data set, or task, a step takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
#[allow(missing_docs)]
pub enum SamplePlan {
    /// In proportion to the data sets' batches: an epoch sees each batch once.
    Proportional,
    Uniform,
    RoundRobin,
    /// All batches of one task's data, then the next task's.
    Ordered {
        tasks: Vec<usize>,
    },
    /// By these weights.
    Ratio {
        tasks: Vec<usize>,
        weights: Vec<f64>,
    },
    /// p ∝ n^(1/T) (Arivazhagan et al. 2019).
    Temperature {
        t: f64,
    },
    /// A batch of each data set in every step.
    All,
}

/// How task losses are weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
#[allow(missing_docs)]
pub enum BalancePlan {
    /// The tasks' own weights, or these instead.
    Weighted { weights: Vec<(usize, f64)> },
    /// Σ exp(-s) L + s/2 with learned s = log σ² (Kendall et al. 2018).
    Uncertainty,
}
