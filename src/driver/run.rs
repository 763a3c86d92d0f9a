//! The folder of a run: what is in it, and how it is written and read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compile::{Compiled, read_plan};
use super::training::{Figures, broken, device};
use crate::backend::{exec::Program, params};
use crate::data::{Lexicon, Schema};
use crate::diagnostics::{Diagnostic, codes};

/// A source text of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSource {
    /// Its path when the run began.
    pub path: PathBuf,
    /// The text.
    pub text: String,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes what is known before training: sources, plan, labels and vocabularies.
    pub fn begin(&self, compiled: &Compiled, sources: &[SavedSource]) -> Result<(), Diagnostic> {
        std::fs::create_dir_all(&self.root).map_err(|e| unwritable(&self.root, &e))?;
        for (i, source) in sources.iter().enumerate() {
            let name = source.path.file_name().map_or_else(|| format!("source-{i}.mtl"), |n| n.to_string_lossy().into_owned());
            self.write(&name, source.text.as_bytes())?;
        }
        self.write_json("plan.json", &compiled.plan)?;
        self.write_json("schema.json", &compiled.schema)
    }

    /// Writes the trained parameters under their own names.
    pub fn save_model(&self, program: &Program) -> Result<(), Diagnostic> {
        let tensors = program.params.iter().map(|p| (p.name.to_string(), p.var.as_tensor().clone()));
        let mut tensors: Vec<(String, candle_core::Tensor)> = tensors.collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let bytes = safetensors::serialize(tensors.iter().map(|(n, t)| (n.as_str(), t)), None)
            .map_err(|e| Diagnostic::placeless(codes::OUTPUT, format!("cannot write the model: {e}")))?;
        self.write("model.safetensors", &bytes)
    }

    /// Writes the test figures.
    pub fn save_results(&self, figures: &Figures) -> Result<(), Diagnostic> {
        self.write_json("results.json", figures)
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Diagnostic> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Diagnostic::placeless(codes::BUG, format!("cannot write '{name}': {e}")))?;
        self.write(name, text.as_bytes())
    }

    /// Writes a file whole: to a temporary one first, which then takes its name.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
        write_whole(&self.path(name), bytes)
    }

    /// Reads a run back: its plan, labels and trained parameters.
    pub fn load(&self) -> Result<Program, Diagnostic> {
        let shown = self.root.display();
        if !self.root.is_dir() {
            return Err(Diagnostic::placeless(codes::RUN_DIR, format!("there is no run at '{shown}'"))
                .help("a run is the folder that `mtlc run` wrote, such as `runs/slu`"));
        }
        if !self.path("model.safetensors").exists() {
            let d = Diagnostic::placeless(codes::RUN_DIR, format!("the run at '{shown}' has no `model.safetensors`"));
            return Err(d.help("its training did not end; go on with `mtlc run … --resume`"));
        }
        let plan = read_plan(&self.path("plan.json"))?;
        let mut schema: Schema = self.read_json("schema.json")?;
        let lexicon = Arc::new(Lexicon::default());
        schema.attach(&lexicon);
        let device = device("cpu")?;
        let made = params::make(&plan, &[], plan.train.seed, &device).map_err(|e| broken(&e))?;
        let program = Program::new(plan, made, schema, lexicon, device);
        self.load_weights(&program)?;
        Ok(program)
    }

    fn read_json<T: for<'d> Deserialize<'d>>(&self, name: &str) -> Result<T, Diagnostic> {
        let path = self.path(name);
        let failed = |e: String| Diagnostic::placeless(codes::RUN_DIR, format!("cannot read '{}': {e}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| failed(e.to_string()))
    }

    fn load_weights(&self, program: &Program) -> Result<(), Diagnostic> {
        let path = self.path("model.safetensors");
        let damaged = |e: String| {
            Diagnostic::placeless(codes::CHECKPOINT, format!("'{}' is damaged: {e}", path.display()))
                .help("restore it from a copy, or train again")
        };
        let bytes = std::fs::read(&path).map_err(|e| damaged(e.to_string()))?;
        let tensors = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
        for param in &program.params {
            let view = tensors.tensor(&param.name).map_err(|_| damaged(format!("it lacks '{}'", param.name)))?;
            if view.shape() != param.var.dims() {
                return Err(damaged(format!("'{}' has shape {:?}, not {:?}", param.name, view.shape(), param.var.dims())));
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

/// Writes a file whole: to a temporary one beside it, flushed to the disk, which then takes its name.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| unwritable(path, &e))
}

/// A file that cannot be written.
pub fn unwritable(path: &Path, e: &std::io::Error) -> Diagnostic {
    Diagnostic::placeless(codes::OUTPUT, format!("cannot write '{}': {e}", path.display()))
        .help("check the folder, its permissions and the free space of the disk")
}
