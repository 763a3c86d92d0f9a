//! To checkpoints and back.

use std::collections::BTreeSet;
use std::time::Instant;

use candle_core::{DType, Device, Result as TensorResult, Tensor};

use super::stage::Stage;
use super::{Options, Run, broken};
use crate::backend::Param;
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;
use crate::train::checkpoint::{Arrays, Checkpoints, Loaded, RunState};
use crate::train::events::Events;
use crate::train::feed::Feed;
use crate::train::optim::Slot;
use crate::train::trainee::Trainee;

const OPTIMIZER: &str = "optimizer";

impl<'a, M: Trainee, F: Feed<Batch = M::Batch>> Run<'a, M, F> {
    /// A new run, or one that goes on from its newest whole checkpoint.
    pub(super) fn open(
        plan: &'a Plan,
        model: &'a mut M,
        feed: &'a F,
        events: &'a mut dyn Events,
        options: &'a Options,
    ) -> Result<Self, Diagnostic> {
        let store = Checkpoints::open(&options.out_dir)?;
        let mut warn = |warning: Diagnostic| events.warning(&warning);
        let loaded = if options.resume { store.latest(&mut warn)? } else { None };
        if loaded.is_none() {
            store.clear();
        }
        let reset: BTreeSet<usize> = plan.train.stages.iter().flat_map(|stage| stage.reset.iter().copied()).collect();
        let first = |param: usize| Ok((param, values(&model.params()[param])?));
        let initial = reset.into_iter().map(first).collect::<TensorResult<_>>();
        let initial = initial.map_err(|error| broken("reading parameters", &error))?;
        let labels = (0..plan.spaces.len()).map(|space| feed.labels(space)).collect();
        let state = RunState { seed: plan.train.seed, ..RunState::default() };
        let now = Instant::now();
        let mut run = Self {
            plan,
            model,
            feed,
            events,
            options,
            store,
            state,
            initial,
            labels,
            begun: now,
            saved: now,
            arrays: None,
        };
        if let Some(loaded) = loaded {
            run.restore(loaded)?;
        }
        Ok(run)
    }

    fn restore(&mut self, loaded: Loaded) -> Result<(), Diagnostic> {
        let Loaded { path, state, arrays } = loaded;
        if state.seed != self.plan.train.seed {
            let message = format!(
                "the checkpoint `{}` was written with seed {}, not {}",
                path.display(),
                state.seed,
                self.plan.train.seed
            );
            return Err(
                Diagnostic::placeless(codes::RUN_DIR, message).help("resume with the seed that the run began with")
            );
        }
        self.put_weights(&arrays)?;
        let find = |name: &str| arrays.get(&format!("model/{name}")).cloned();
        self.model.set_extra(&find).map_err(|error| broken("restoring the model", &error))?;
        self.state = state;
        self.arrays = Some(arrays);
        Ok(())
    }

    /// Gives a stage that was under way the state it had.
    pub(super) fn restore_stage(&mut self, stage: &mut Stage) -> Result<(), Diagnostic> {
        let Some(arrays) = self.arrays.take() else {
            return Ok(());
        };
        if self.state.optimizer_steps.is_empty() {
            return Ok(());
        }
        stage.pace.resume(self.state.pace);
        let find = |name: &str| arrays.get(name).cloned();
        let params = self.model.params();
        let device = |index: usize| params[index].var.device().clone();
        let optimizer = &mut stage.optimizer;
        optimizer
            .load(OPTIMIZER, &self.state.optimizer_steps, device, find)
            .and_then(|()| stage.balancer.load(&self.state.balance_steps, &find))
            .map_err(|error| foreign(&error.to_string()))
    }

    /// Writes a checkpoint; `stage` is the one under way.
    pub(super) fn save(&mut self, stage: Option<&Stage>) -> Result<(), Diagnostic> {
        let slots = self.slots(stage).map_err(|error| broken("reading the state", &error))?;
        let path = self.store.write(&self.state, &slots)?;
        self.saved = Instant::now();
        self.events.checkpoint_written(&path, &self.state.position);
        Ok(())
    }

    fn slots(&mut self, stage: Option<&Stage>) -> TensorResult<Vec<Slot>> {
        let mut slots = weights(self.model.params())?;
        for (name, tensor) in self.model.extra()? {
            let (shape, data) = (tensor.dims().to_vec(), flat(&tensor)?);
            slots.push(Slot { name: format!("model/{name}"), shape, data });
        }
        self.state.optimizer_steps.clear();
        self.state.balance_steps.clear();
        if let Some(stage) = stage {
            let (learned, steps) = stage.balancer.save()?;
            slots.extend(stage.optimizer.save(OPTIMIZER)?);
            slots.extend(learned);
            self.state.optimizer_steps = stage.optimizer.steps().to_vec();
            self.state.balance_steps = steps;
            self.state.pace = stage.pace.state();
        }
        Ok(slots)
    }

    /// All parameters.
    pub(super) fn weights(&self) -> Result<Vec<Slot>, Diagnostic> {
        weights(self.model.params()).map_err(|error| broken("reading parameters", &error))
    }

    /// Writes the weights into a file of the checkpoints' folder and returns its name.
    pub(super) fn write_weights(&self, stem: String) -> Result<String, Diagnostic> {
        self.store.write_weights(format!("{stem}.safetensors"), &self.weights()?)
    }

    /// Sets all parameters.
    pub(super) fn put_weights(&mut self, arrays: &Arrays) -> Result<(), Diagnostic> {
        for param in self.model.params() {
            let found = arrays.get(&*param.name).filter(|values| values.len() == param.len());
            let Some(found) = found else {
                return Err(foreign(&format!("`{}` is missing or has another size", param.name)));
            };
            put(param, found).map_err(|error| broken("setting parameters", &error))?;
        }
        Ok(())
    }
}

/// Sets a parameter's values.
pub(super) fn put(param: &Param, values: &[f32]) -> TensorResult<()> {
    let tensor = Tensor::from_slice(values, param.var.shape(), &Device::Cpu)?;
    param.var.set(&tensor.to_dtype(param.var.dtype())?.to_device(param.var.device())?)
}

fn values(param: &Param) -> TensorResult<Vec<f32>> {
    flat(&param.var.as_detached_tensor())
}

fn flat(tensor: &Tensor) -> TensorResult<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

fn weights(params: &[Param]) -> TensorResult<Vec<Slot>> {
    let slot = |param: &Param| {
        let (name, shape) = (param.name.to_string(), param.var.dims().to_vec());
        Ok(Slot { name, shape, data: values(param)? })
    };
    params.iter().map(slot).collect()
}

fn foreign(what: &str) -> Diagnostic {
    let message = format!("the checkpoint is not of this program: {what}");
    Diagnostic::placeless(codes::RUN_DIR, message)
        .help("resume with the program that the run began with, or begin a new run")
}
