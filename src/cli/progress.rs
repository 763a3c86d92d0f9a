//! What a training shows in the terminal.

use std::path::Path;

use super::Voice;
use crate::diagnostics::{Diagnostic, render};
use crate::plan::Plan;
use crate::source::SourceMap;
use crate::train::events::{EpochDone, Events};

/// Shows a training as it runs.
pub struct Progress {
    voice: Voice,
}

impl Progress {
    /// Begins.
    pub fn new(_: &Plan, _: &Path, _: bool, voice: Voice) -> Result<Self, Diagnostic> {
        Ok(Self { voice })
    }

    /// Ends.
    pub fn close(&mut self) {}
}

impl Events for Progress {
    fn epoch_done(&mut self, epoch: &EpochDone) {
        if self.voice.quiet {
            return;
        }
        let dev: Vec<String> = epoch.dev.iter().map(|s| format!("{} {:.4}", s.name, s.value)).collect();
        let train: Vec<String> = epoch.train.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
        let speed = epoch.tokens as f64 / epoch.train_seconds.max(1e-9);
        eprintln!(
            "epoch {:3}  {:5.1}s  {speed:6.0} tokens/s  train: {}  dev: {}{}",
            epoch.position.epoch,
            epoch.train_seconds,
            train.join(" "),
            dev.join(" "),
            if epoch.best { "  *" } else { "" }
        );
    }

    fn warning(&mut self, diagnostic: &Diagnostic) {
        eprint!("{}", render::human(&SourceMap::new(), std::slice::from_ref(diagnostic), self.voice.color));
    }
}
