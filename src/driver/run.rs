//! The folder of a run: what is in it, and how it is written and read.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compile::{Compiled, read_plan, sealed};
use super::encoders;
use super::resume::{self, Digests};
use super::training::{broken, device};
use crate::backend::{exec::Program, params};
use crate::data::{self, Lexicon, Schema};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Plan, RunPlan};
use crate::report::RunDir;
use crate::source::SourceMap;

/// The key of a model's checksum in its metadata; a model without one, from elsewhere, is read too.
const CHECKSUM: &str = "blake3";

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

    /// Writes what is known before training: sources, labels and vocabularies, checksums of the
    /// data, and last the plan.
    pub fn begin(&self, compiled: &Compiled, sources: &SourceMap) -> Result<(), Diagnostic> {
        self.write(&digests(compiled)?, compiled, sources)
    }

    /// Makes sure that a run goes on with what it was begun with, before anything is written.
    pub fn go_on(&self, compiled: &Compiled, sources: &SourceMap) -> Result<(), Diagnostic> {
        let now = digests(compiled)?;
        if self.dir.plan().exists() {
            let digests: Digests = self.read_json(&self.dir.data())?;
            resume::same_data(&self.dir, &digests, &now)?;
            resume::same_plan(&self.dir, &read_plan(&self.dir.plan())?, &compiled.plan)?;
        } else if self.dir.checkpoints().exists() {
            return Err(self.lacks("plan.json"));
        }
        self.write(&now, compiled, sources)
    }

    fn lacks(&self, file: &str) -> Diagnostic {
        let message = format!("the run at '{}' has no `{file}`", self.dir.root().display());
        Diagnostic::placeless(codes::RUN_DIR, message).help("restore it from a copy, or train again")
    }

    fn write(&self, digests: &Digests, compiled: &Compiled, sources: &SourceMap) -> Result<(), Diagnostic> {
        if sources.files().next().is_some() {
            self.dir.write_sources(sources)?;
        }
        self.write_json(&self.dir.vocabularies(), &compiled.schema)?;
        self.write_json(&self.dir.data(), digests)?;
        encoders::keep(compiled, &self.dir)?;
        let plan = sealed(&compiled.plan).map_err(|e| Diagnostic::placeless(codes::BUG, format!("a plan: {e}")))?;
        self.dir.write(&self.dir.plan(), plan.as_bytes())
    }

    /// Writes the trained parameters under their own names.
    pub fn save_model(&self, program: &Program) -> Result<(), Diagnostic> {
        let tensors = program.params.iter().map(|p| (p.name.to_string(), p.var.as_tensor().clone()));
        let mut tensors: Vec<(String, candle_core::Tensor)> = tensors.collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let views = || tensors.iter().map(|(n, t)| (n.as_str(), t));
        let failed = |e| Diagnostic::placeless(codes::OUTPUT, format!("cannot write the model: {e}"));
        let plain = safetensors::serialize(views(), None).map_err(failed)?;
        let sum = numbers_of(&plain).map(checksum).unwrap_or_default();
        let info = HashMap::from([(CHECKSUM.to_owned(), sum)]);
        let bytes = safetensors::serialize(views(), Some(info)).map_err(failed)?;
        self.dir.write(&self.dir.model(), &bytes)
    }

    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), Diagnostic> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Diagnostic::placeless(codes::BUG, format!("cannot write '{}': {e}", path.display())))?;
        self.dir.write(path, text.as_bytes())
    }

    /// Reads a run back: its plan, labels and trained parameters. It computes, bit for bit, what training
    /// computed with them; [`Program::settled`] is faster from the second batch on, and differs in the last bits.
    pub fn load(&self) -> Result<Program, Diagnostic> {
        if !self.dir.model().exists() {
            let message = format!("the run at '{}' has no `model.safetensors`", self.dir.root().display());
            return Err(Diagnostic::placeless(codes::RUN_DIR, message)
                .help("its training did not end; go on with `mtlc run … --resume`"));
        }
        if !self.dir.plan().exists() {
            return Err(self.lacks("plan.json"));
        }
        let plan = read_plan(&self.dir.plan())?;
        let mut schema: Schema = self.read_json(&self.dir.vocabularies())?;
        let lexicon = Arc::new(Lexicon::default());
        self.fits(&schema, &plan)?;
        schema.attach(&lexicon);
        let device = device("cpu")?;
        let made = params::make(&plan, &[], &|_, _| Ok(None), plan.train.seed, &device).map_err(|e| broken(&e))?;
        let pieces = encoders::pieces(&plan, Some(&self.dir))?;
        let program = Program::new(plan, made, schema, lexicon, device).with_pieces(pieces);
        self.weights(&program, None)?;
        Ok(program)
    }

    fn read_json<T: for<'d> Deserialize<'d>>(&self, path: &Path) -> Result<T, Diagnostic> {
        let failed =
            |e: String| Diagnostic::placeless(codes::RUN_DIR, format!("cannot read '{}': {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| failed(e.to_string()))
    }

    /// Labels and words are as many as the plan was made for.
    fn fits(&self, schema: &Schema, plan: &Plan) -> Result<(), Diagnostic> {
        let spaces: Vec<usize> = schema.spaces.iter().map(|s| s.len()).collect();
        let vocabs: Vec<usize> = schema.vocabs.iter().map(|v| v.len()).collect();
        if spaces == plan.space_sizes && vocabs == plan.vocab_sizes {
            return Ok(());
        }
        let message = format!("'{}' has other labels or words than the plan", self.dir.vocabularies().display());
        Err(Diagnostic::placeless(codes::RUN_DIR, message).help("restore it from a copy, or train again"))
    }

    /// Gives a program's parameters the trained weights; where it brings in this run, those alone
    /// that are the run's.
    pub fn weights(&self, program: &Program, brought: Option<&RunPlan>) -> Result<(), Diagnostic> {
        let path = self.dir.model();
        let damaged = |e: String| {
            Diagnostic::placeless(codes::CHECKPOINT, format!("'{}' is damaged: {e}", path.display()))
                .help("restore it from a copy, or train again")
        };
        let bytes = std::fs::read(&path).map_err(|e| damaged(e.to_string()))?;
        let tensors = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
        let sum = header.metadata().as_ref().and_then(|info| info.get(CHECKSUM));
        if sum.is_some_and(|sum| numbers_of(&bytes).map(checksum).as_ref() != Some(sum)) {
            return Err(damaged("its checksum does not fit its contents".into()));
        }
        let called = |name| brought.map_or(Some(name), |run| run.own(name));
        let named = program.params.iter().filter_map(|param| Some((param, called(&param.name)?)));
        for (param, name) in named {
            let view = tensors.tensor(name).map_err(|_| damaged(format!("it lacks '{name}'")))?;
            if view.shape() != param.var.dims() {
                return Err(damaged(format!("'{name}' has shape {:?}, not {:?}", view.shape(), param.var.dims())));
            }
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(damaged(format!("'{name}' is not f32")));
            }
            let numbers: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            if numbers.iter().any(|x| !x.is_finite()) {
                return Err(damaged(format!("'{name}' holds a number that is not finite")));
            }
            let tensor = candle_core::Tensor::from_vec(numbers, param.var.dims(), &program.device);
            tensor.and_then(|t| param.var.set(&t)).map_err(|e| broken(&e))?;
        }
        Ok(())
    }
}

/// What follows the header of a safetensors file.
fn numbers_of(bytes: &[u8]) -> Option<&[u8]> {
    let size = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    bytes.get(usize::try_from(size).ok()?.checked_add(8)?..)
}

fn checksum(numbers: &[u8]) -> String {
    blake3::hash(numbers).to_hex().to_string()
}

/// Checksums of the files that a program's data was read from.
fn digests(compiled: &Compiled) -> Result<Digests, Diagnostic> {
    data::digests(&compiled.plan.datasets, &compiled.plan.vocabs, &compiled.base)
        .map_err(|e| Diagnostic::placeless(codes::DATA_FILE, format!("cannot read the data again: {e}")))
}
