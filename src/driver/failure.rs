//! What a command that failed has to say.

use std::fmt;

use crate::diagnostics::{Diagnostic, render};
use crate::source::SourceMap;

/// Why a command failed. Its text is what the command line prints, without colour.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts it is about.
    pub sources: SourceMap,
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic], sources: SourceMap::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let placed: Vec<Diagnostic> = self.diagnostics.iter().map(|d| placed_in(&self.sources, d.clone())).collect();
        f.write_str(&render::human(&self.sources, &placed, false))
    }
}

impl std::error::Error for Failure {}

/// A diagnostic without the places of texts that are not at hand, such as those of a saved plan.
pub fn placed_in(sources: &SourceMap, mut d: Diagnostic) -> Diagnostic {
    d.span = d.span.filter(|s| sources.has(s.file));
    d.labels.retain(|l| sources.has(l.span.file));
    d.fix = d.fix.filter(|f| sources.has(f.span.file));
    d
}
