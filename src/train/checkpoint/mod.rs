//! Checkpoints: everything that a run needs to go on bit for bit, in safetensors files that
//! are complete or not there.
//!
//! `DIR/checkpoints/` holds the last two whole states (`step-000001234.safetensors`) and the
//! weights that they refer to: the best epoch's, and those of stages that later ones come after.
//! A state is written beside its place, synced and renamed; older ones go only after that.
//! When the newest is damaged, the one before is taken.

mod file;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::diagnostics::{Diagnostic, codes};
use crate::train::optim::Slot;

use file::PART;
pub use file::{Arrays, Damage, read_arrays, write_arrays};
pub use state::{Best, Cursor, LossSum, RunState};

/// States that are kept.
const KEPT: usize = 2;

/// The folder of a run's checkpoints.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    dir: PathBuf,
}

/// A checkpoint as read.
#[derive(Debug)]
pub struct Loaded {
    /// Its file.
    pub path: PathBuf,
    /// Where the run stood.
    pub state: RunState,
    /// Parameters, and the state of optimiser, balancer and model.
    pub arrays: Arrays,
}

impl Checkpoints {
    /// The checkpoints of the run in `out_dir`; makes the folder.
    pub fn open(out_dir: &Path) -> Result<Self, Diagnostic> {
        let dir = out_dir.join("checkpoints");
        std::fs::create_dir_all(&dir).map_err(|error| unwritable(&dir, &error))?;
        let store = Self { dir };
        // What a killed process was about to write.
        let name = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PART));
        store.files().filter(|path| name(path)).for_each(|path| drop(std::fs::remove_file(path)));
        Ok(store)
    }

    /// Path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a state, then removes what is no longer needed.
    pub fn write(&self, state: &RunState, slots: &[Slot]) -> Result<PathBuf, Diagnostic> {
        let path = self.path(&name_of(state));
        let json = serde_json::to_string(state)
            .map_err(|error| Diagnostic::placeless(codes::BUG, format!("a state: {error}")))?;
        write_arrays(&path, &json, slots)?;
        self.tidy(state);
        Ok(path)
    }

    /// Writes weights alone and returns the file's name.
    pub fn write_weights(&self, name: String, slots: &[Slot]) -> Result<String, Diagnostic> {
        write_arrays(&self.path(&name), "{}", slots)?;
        Ok(name)
    }

    /// Reads weights that a state refers to.
    pub fn read_weights(&self, name: &str) -> Result<Arrays, Diagnostic> {
        let path = self.path(name);
        read_arrays(&path).map(|(_, arrays)| arrays).map_err(|damage| damaged(&path, &damage))
    }

    /// The newest state that is whole, with a warning for each that is not; `None` when the
    /// run has not written any.
    pub fn latest(&self, warn: &mut dyn FnMut(Diagnostic)) -> Result<Option<Loaded>, Diagnostic> {
        let mut last: Option<(PathBuf, Damage)> = None;
        for path in self.states() {
            if let Some((path, damage)) = last.take() {
                warn(passed_over(&path, &damage));
            }
            match self.load(&path) {
                Ok(loaded) => return Ok(Some(loaded)),
                Err(damage) => last = Some((path, damage)),
            }
        }
        match last {
            Some((path, damage)) => Err(damaged(&path, &damage)),
            None => Ok(None),
        }
    }

    fn load(&self, path: &Path) -> Result<Loaded, Damage> {
        let (json, arrays) = read_arrays(path)?;
        let state: RunState = serde_json::from_str(&json).map_err(|e| Damage(e.to_string()))?;
        for name in state.files() {
            read_arrays(&self.path(name)).map_err(|d| Damage(format!("in `{name}`: {}", d.0)))?;
        }
        Ok(Loaded { path: path.to_owned(), state, arrays })
    }

    /// Files of states, the newest first.
    fn states(&self) -> Vec<PathBuf> {
        let mut states: Vec<PathBuf> = self.files().filter(|path| is(path, "step-")).collect();
        states.sort();
        states.reverse();
        states
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path()))
    }

    /// Removes older states, and weights that no state refers to. What cannot be removed
    /// stays: that is no reason to stop.
    fn tidy(&self, newest: &RunState) {
        let mut needed: HashSet<String> = newest.files().map(str::to_owned).collect();
        for (rank, path) in self.states().iter().enumerate() {
            if rank >= KEPT {
                let _ = std::fs::remove_file(path);
            } else if let Ok(state) = file::read_state(path)
                && let Ok(state) = serde_json::from_str::<RunState>(&state)
            {
                needed.extend(state.files().map(str::to_owned));
            }
        }
        for path in self.files().filter(|path| is(path, "weights-")) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !needed.contains(name) {
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    /// Removes every state and weight file: a new run begins in an old folder.
    pub fn clear(&self) {
        for path in self.files().filter(|path| is(path, "step-") || is(path, "weights-")) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn name_of(state: &RunState) -> String {
    let position = state.position;
    format!("step-{:09}-{:03}-{:05}.safetensors", position.total_step, position.stage, position.epoch)
}

fn is(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(prefix) && name.ends_with(".safetensors")
}

/// E0904.
pub(crate) fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::placeless(codes::OUTPUT, format!("`{}` cannot be written: {error}", path.display()))
        .help("make room or choose another folder; checkpoints written before are whole")
}

fn damaged(path: &Path, damage: &Damage) -> Diagnostic {
    let message = format!("the checkpoint `{}` is damaged: {damage}", path.display());
    Diagnostic::placeless(codes::CHECKPOINT, message).help("no older checkpoint is whole; train from the beginning")
}

fn passed_over(path: &Path, damage: &Damage) -> Diagnostic {
    let message = format!("the checkpoint `{}` is damaged: {damage}", path.display());
    Diagnostic::placeless(codes::DAMAGED_CHECKPOINT, message).help("training goes on from the checkpoint before it")
}
