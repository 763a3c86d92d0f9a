//! Pretrained encoders that a program names: each layer has one, found when it is first applied.

use std::path::Path;
use std::sync::Arc;

use super::call::{Call, Checked};
use super::checker::Checker;
use super::graph::Encoder;
use super::types::EncoderId;
use crate::data::pretrained::{Asked, Misfit};
use crate::diagnostics::{Diagnostic, codes};

impl<'a> Checker<'a> {
    /// The encoder of a call, which owns parameters under the name `owner`.
    pub fn encoder(&mut self, call: &Call<'a>, owner: &str) -> Checked<EncoderId> {
        if let Some(id) = self.graph.encoder(owner) {
            return Ok(id);
        }
        let at = call.args.span("from").unwrap_or(call.span);
        let run = self.symbols.runs.get(&call.span.file).and_then(|run| self.run_folders.get(run));
        let asked = Asked {
            from: call.args.str("from").unwrap_or_default(),
            revision: call.args.str("revision"),
            file: &self.sources.file(call.span.file).path,
            run: run.map(|folder| -> &Path { folder }),
        };
        let found = self.find.find(&asked);
        let checkpoint = found.map_err(|misfit| self.misfit(call, misfit))?;
        self.graph.encoders.push(Encoder { name: owner.into(), checkpoint: checkpoint.map(Arc::new), span: at });
        Ok(EncoderId(self.graph.encoders.len() - 1))
    }

    /// Reports a checkpoint that cannot be used.
    pub fn misfit(&mut self, call: &Call<'a>, misfit: Misfit) -> super::call::Reported {
        let at = call.args.span("from").unwrap_or(call.span);
        let d = Diagnostic::new(codes::PRETRAINED, at, misfit.message).help(misfit.help);
        self.error_in(&call.scope, d)
    }
}
