//! Signatures of the `train` block, its stages, optimisers, schedules, samplers and balances.

use super::signature::*;

macro_rules! words {
    ($table:ident, $doc:literal, $($item:ident, $name:literal, $args:expr, $text:literal;)*) => {
        $(static $item: Signature =
            Signature { name: $name, group: Group::Internal, doc: $text, inputs: &[], args: $args };)*
        #[doc = $doc]
        pub static $table: &[&Signature] = &[$(&$item),*];
    };
}

const LR: Arg = arg("lr", POSITIVE, Default::Float(1e-3), "Learning rate.");
const BETAS: Arg = arg("betas", Kind::Any, Default::Unset, "`beta1` and `beta2` at once, as in `(0.9, 0.999)`.");
const BETA1: Arg = arg("beta1", Kind::Share, Default::Float(0.9), "Decay of the mean of gradients.");
const BETA2: Arg = arg("beta2", Kind::Share, Default::Float(0.999), "Decay of the mean of squared gradients.");
const EPS: Arg = arg("eps", POSITIVE, Default::Float(1e-8), "Added to the denominator.");
const DECAY: Arg = arg("weight_decay", POSITIVE, Default::Float(0.0), "L2 penalty, added to the gradient.");

words! {
    OPTIMIZERS, "Optimisers, with the names and defaults of PyTorch.",
    SGD, "sgd", &[
        LR,
        arg("momentum", POSITIVE, Default::Float(0.0), "Momentum."),
        arg("nesterov", Kind::Bool, Default::Bool(false), "Nesterov's momentum."),
        DECAY,
    ], "Stochastic gradient descent.";
    ADAM, "adam", &[LR, BETAS, EPS, DECAY, BETA1, BETA2], "Adam (Kingma & Ba 2015).";
    ADAMW, "adamw", &[
        LR,
        BETAS,
        EPS,
        arg("weight_decay", POSITIVE, Default::Float(0.01), "Decay of the weights, apart from the gradient."),
        BETA1,
        BETA2,
    ], "Adam with decoupled weight decay (Loshchilov & Hutter 2019).";
    ADAGRAD, "adagrad", &[
        arg("lr", POSITIVE, Default::Float(1e-2), "Learning rate."),
        arg("eps", POSITIVE, Default::Float(1e-10), "Added to the denominator."),
        DECAY,
    ], "Adagrad (Duchi et al. 2011).";
    RADAM, "radam", &[LR, BETAS, EPS, DECAY, BETA1, BETA2], "Rectified Adam (Liu et al. 2020).";
}

/// The optimiser of a program that names none.
pub static DEFAULT_OPTIMIZER: &Signature = &ADAMW;

const WARMUP: Arg =
    arg("warmup", Kind::Length, Default::Unset, "Steps, or share of all steps, in which the rate climbs from 0.");

words! {
    SCHEDULES, "How the learning rate runs.",
    CONSTANT, "constant", &[WARMUP], "The rate as it is.";
    LINEAR, "linear", &[WARMUP], "Down to 0 at the last step.";
    COSINE, "cosine", &[WARMUP], "Half a cosine down to 0 (Loshchilov & Hutter 2017).";
    INVERSE_SQRT, "inverse_sqrt", &[WARMUP], "√(warmup / step) after the warm-up (Vaswani et al. 2017).";
    STEP, "step", &[
        required("every", COUNT, "Epochs between two reductions."),
        arg("gamma", Kind::Share, Default::Float(0.1), "Factor of a reduction."),
        WARMUP,
    ], "Times a factor every few epochs.";
    EXPONENTIAL, "exponential", &[required("gamma", Kind::Share, "Factor of each epoch."), WARMUP], "Times a factor every epoch.";
    PLATEAU, "plateau", &[
        arg("factor", Kind::Share, Default::Float(0.5), "Factor of a reduction."),
        arg("patience", Kind::Int(0, i64::MAX), Default::Int(2), "Epochs without improvement before a reduction."),
        WARMUP,
    ], "Times a factor when what selects stops to improve.";
}

/// The schedule of a program that names none.
pub static DEFAULT_SCHEDULE: &Signature = &CONSTANT;

words! {
    BATCHES, "Sizes of a batch, beside a number of examples.",
    TOKEN_BATCH, "tokens", &[required("n", COUNT, "Most tokens in a batch.")], "As many examples as have at most so many tokens.";
}

words! {
    SAMPLES, "Which data set or task a step takes.",
    PROPORTIONAL, "proportional", &[], "Every batch of every data set once an epoch, in random order.";
    UNIFORM, "uniform", &[], "Each data set as often as each other.";
    ROUND_ROBIN, "round_robin", &[], "The data sets in turn.";
    ORDERED, "ordered", &[required("tasks", Kind::Any, "A list of tasks.")], "All batches of one task, then those of the next.";
    RATIO, "ratio", &[], "Tasks by weights: `ratio(a: 3, b: 1)`.";
    TEMPERATURE, "temperature", &[required("t", POSITIVE, "Temperature.")], "p ∝ n^(1/T) for a data set of n examples (Arivazhagan et al. 2019).";
    ALL, "all", &[], "A batch of each data set in every step.";
    ANNEALED, "annealed", &[], "From proportional to uniform (Stickland & Murray 2019).";
    BANDIT, "bandit", &[], "By a bandit over auxiliary tasks (Guo et al. 2019).";
}

words! {
    BALANCES, "How task losses are weighed.",
    WEIGHTED, "weighted", &[], "The tasks' own weights, or those given: `weighted(intent: 0.8)`.";
    UNCERTAINTY, "uncertainty", &[], "Σ exp(-s) L + s/2 with learned s (Kendall et al. 2018).";
    DWA, "dwa", &[], "Dynamic weight averaging (Liu et al. 2019).";
    GRADNORM, "gradnorm", &[], "Gradient normalisation (Chen et al. 2018).";
    PCGRAD, "pcgrad", &[], "Projection of conflicting gradients (Yu et al. 2020).";
    CAGRAD, "cagrad", &[], "Conflict-averse gradients (Liu et al. 2021).";
    MGDA, "mgda", &[], "Multiple-gradient descent (Sener & Koltun 2018).";
    IMTL, "imtl", &[], "Impartial multi-task learning (Liu et al. 2021).";
    NASH_MTL, "nash_mtl", &[], "Nash bargaining (Navon et al. 2022).";
    GRADDROP, "graddrop", &[], "Gradient sign dropout (Chen et al. 2020).";
}

/// Ways to sample and to balance that this build knows and does not train with yet.
const LATER: &[&str] =
    &["annealed", "bandit", "dwa", "gradnorm", "pcgrad", "cagrad", "mgda", "imtl", "nash_mtl", "graddrop"];

/// What a way to balance works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorksOn {
    /// One task will do.
    Any,
    /// The losses of several tasks.
    Losses,
    /// The gradients that several tasks give the parameters they share.
    SharedGradients,
}

/// What a way to balance works on.
pub fn works_on(balance: &str) -> WorksOn {
    match balance {
        "weighted" => WorksOn::Any,
        "uncertainty" | "dwa" => WorksOn::Losses,
        _ => WorksOn::SharedGradients,
    }
}

/// Whether this build trains with a way to sample or to balance.
pub fn runs(word: &str) -> bool {
    !LATER.contains(&word)
}

/// Words that `device` may be, beside `"cuda:1"`.
pub const DEVICES: &[&str] = &["auto", "cpu", "cuda", "metal"];

/// Settings of the whole program, then those that stages share with the `train` block, then
/// those of stages alone.
const ALL_ARGS: &[Arg] = &[
    arg("seed", Kind::Int(0, i64::MAX), Default::Int(1), "Seed of everything random."),
    arg("device", Kind::Any, Default::Word("auto"), "`auto`, `cpu`, `cuda`, `\"cuda:1\"` or `metal`."),
    arg("precision", Kind::Word(&["f32", "bf16"]), Default::Word("f32"), "Numbers of the computation."),
    arg("epochs", COUNT, Default::Int(20), "Passes over the data."),
    arg("batch", Kind::Any, Default::Int(32), "Examples in a batch, or `tokens(4096)`."),
    arg("accumulate", COUNT, Default::Int(1), "Batches whose gradients are averaged before a step."),
    arg("optimizer", Kind::Call(OPTIMIZERS), Default::Word("adamw"), "The optimiser."),
    arg("schedule", Kind::Call(SCHEDULES), Default::Word("constant"), "How the learning rate runs."),
    arg("clip", POSITIVE, Default::Unset, "Largest norm of the gradient; nothing is clipped when left out."),
    arg("sample", Kind::Any, Default::Word("proportional"), "Which data set or task a step takes."),
    arg("balance", Kind::Any, Default::Word("weighted"), "How task losses are weighed."),
    arg(
        "select",
        Kind::Any,
        Default::Unset,
        "The figure on dev that picks the best epoch. When left out: the mean of the tasks' first metrics that are shares, else the sum of dev losses.",
    ),
    arg("patience", COUNT, Default::Unset, "Epochs without improvement before it stops; never when left out."),
    arg(
        "tasks",
        Kind::Any,
        Default::Unset,
        "Tasks that a stage trains, all when left out. A loss item is active where all tasks that it names are trained.",
    ),
    arg("freeze", Kind::Any, Default::Unset, "Layers, tasks and parts of them that a stage leaves as they are."),
    arg("reset", Kind::Any, Default::Unset, "Layers, tasks and parts of them that begin anew."),
    arg(
        "after",
        Kind::Any,
        Default::Unset,
        "The earlier stage whose weights it begins with; the one before when left out.",
    ),
];

/// Settings of the `train` block.
pub static TRAIN: Signature = Signature {
    name: "train",
    group: Group::Internal,
    doc: "How the program is trained.",
    inputs: &[],
    args: ALL_ARGS.split_at(13).0,
};

/// Settings of a `stage`.
pub static STAGE: Signature = Signature {
    name: "stage",
    group: Group::Internal,
    doc: "A part of training. What it does not set it has from the `train` block.",
    inputs: &[],
    args: ALL_ARGS.split_at(3).1,
};

/// Where a setting belongs that stands in a block which does not have it.
pub fn belongs(setting: &str) -> Option<String> {
    let has = |s: &Signature| s.arg(setting).is_some();
    if has(&TRAIN) {
        return Some(format!("'{setting}' is a setting of the `train` block"));
    }
    if has(&STAGE) {
        return Some(format!("'{setting}' is a setting of a `stage`, as in `stage first {{ {setting}: … }}`"));
    }
    let first = |name: &str, table: &[&'static Signature]| {
        let having = || table.iter().filter(|x| has(x)).map(|x| x.name);
        having().find(|n| *n == name).or_else(|| having().next())
    };
    if let Some(name) = first("adamw", OPTIMIZERS) {
        return Some(format!("'{setting}' is an argument of the optimiser: `optimizer: {name}({setting}: …)`"));
    }
    if let Some(name) = first("linear", SCHEDULES) {
        return Some(format!("'{setting}' is an argument of the schedule: `schedule: {name}({setting}: …)`"));
    }
    if has(&super::fields::DATA) {
        return Some(format!("'{setting}' is a setting of a `data` block"));
    }
    has(&super::tasks::COMMON).then(|| format!("'{setting}' is a setting of a task"))
}

/// Settings of a `loss` item.
pub static LOSS: Signature = Signature {
    name: "loss",
    group: Group::Internal,
    doc: "One more term of the total loss.",
    inputs: &[],
    args: &[
        arg("weight", Kind::Any, Default::Float(1.0), "Its factor."),
        arg("updates", Kind::Any, Default::Unset, "Only these parameters get its gradient."),
    ],
};
