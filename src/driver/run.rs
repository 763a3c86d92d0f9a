//! The folder of a run: what is in it, and how it is written and read.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compile::{Compiled, read_plan};
use super::training::{broken, device};
use crate::backend::{exec::Program, params};
use crate::data::{Lexicon, Schema};
use crate::diagnostics::{Diagnostic, codes};
use crate::report::RunDir;
use crate::source::SourceMap;

/// What is written and read of a run, over its layout.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: RunDir,
}

impl Folder {
    /// The run in this folder.
    pub fn new(dir: RunDir) -> Self {
        Self { dir }
    }

    /// A run that is there, of a version that this build reads.
    pub fn open(root: &Path) -> Result<Self, Diagnostic> {
        if !root.is_dir() {
            let d = Diagnostic::placeless(codes::RUN_DIR, format!("there is no run at '{}'", root.display()));
            return Err(d.help("a run is the folder that `mtlc run` wrote, such as `runs/slu`"));
        }
        Ok(Self { dir: RunDir::open(root)? })
    }

    /// Its layout.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Writes what is known before training: sources, plan, labels and vocabularies.
    pub fn begin(&self, compiled: &Compiled, sources: &SourceMap) -> Result<(), Diagnostic> {
        if sources.files().next().is_some() {
            self.dir.write_sources(sources)?;
        }
        self.write_json(&self.dir.plan(), &compiled.plan)?;
        self.write_json(&self.dir.vocabularies(), &compiled.schema)
    }

    /// Writes the trained parameters under their own names.
    pub fn save_model(&self, program: &Program) -> Result<(), Diagnostic> {
        let tensors = program.params.iter().map(|p| (p.name.to_string(), p.var.as_tensor().clone()));
        let mut tensors: Vec<(String, candle_core::Tensor)> = tensors.collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let bytes = safetensors::serialize(tensors.iter().map(|(n, t)| (n.as_str(), t)), None)
            .map_err(|e| Diagnostic::placeless(codes::OUTPUT, format!("cannot write the model: {e}")))?;
        self.dir.write(&self.dir.model(), &bytes)
    }

    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), Diagnostic> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Diagnostic::placeless(codes::BUG, format!("cannot write '{}': {e}", path.display())))?;
        self.dir.write(path, text.as_bytes())
    }

    /// Reads a run back: its plan, labels and trained parameters.
    pub fn load(&self) -> Result<Program, Diagnostic> {
        if !self.dir.model().exists() {
            let message = format!("the run at '{}' has no `model.safetensors`", self.dir.root().display());
            return Err(Diagnostic::placeless(codes::RUN_DIR, message)
                .help("its training did not end; go on with `mtlc run … --resume`"));
        }
        let plan = read_plan(&self.dir.plan())?;
        let mut schema: Schema = self.read_json(&self.dir.vocabularies())?;
        let lexicon = Arc::new(Lexicon::default());
        schema.attach(&lexicon);
        let device = device("cpu")?;
        let made = params::make(&plan, &[], plan.train.seed, &device).map_err(|e| broken(&e))?;
        let program = Program::new(plan, made, schema, lexicon, device);
        self.load_weights(&program)?;
        Ok(program)
    }

    fn read_json<T: for<'d> Deserialize<'d>>(&self, path: &Path) -> Result<T, Diagnostic> {
        let failed =
            |e: String| Diagnostic::placeless(codes::RUN_DIR, format!("cannot read '{}': {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| failed(e.to_string()))
    }

    fn load_weights(&self, program: &Program) -> Result<(), Diagnostic> {
        let path = self.dir.model();
        let damaged = |e: String| {
            Diagnostic::placeless(codes::CHECKPOINT, format!("'{}' is damaged: {e}", path.display()))
                .help("restore it from a copy, or train again")
        };
        let bytes = std::fs::read(&path).map_err(|e| damaged(e.to_string()))?;
        let tensors = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
        for param in &program.params {
            let view = tensors.tensor(&param.name).map_err(|_| damaged(format!("it lacks '{}'", param.name)))?;
            if view.shape() != param.var.dims() {
                return Err(damaged(format!(
                    "'{}' has shape {:?}, not {:?}",
                    param.name,
                    view.shape(),
                    param.var.dims()
                )));
            }
            let numbers: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            if numbers.len() != param.len() {
                return Err(damaged(format!("'{}' is not f32", param.name)));
            }
            let tensor = candle_core::Tensor::from_vec(numbers, param.var.dims(), &program.device);
            tensor.and_then(|t| param.var.set(&t)).map_err(|e| broken(&e))?;
        }
        Ok(())
    }
}
