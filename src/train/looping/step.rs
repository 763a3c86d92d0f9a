//! One optimiser step: batches, losses, gradients, checks, and the optimiser's pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Tensor};

use super::stage::Stage;
use super::stream::{Batches, Fetched};
use super::watch::{name_of, no_gradient, said, span_of, squares, zero_gradient};
use super::{Run, broken};
use crate::backend::{Param, Written};
use crate::diagnostics::{Diagnostic, codes};
use crate::train::events::{NamedLoss, StepDone};
use crate::train::feed::Feed;
use crate::train::sample::{Draw, Part};
use crate::train::seed::seed_of;
use crate::train::trainee::{Asked, LossSource, LossTerm, Trainee};

/// What is known of a step while it runs.
#[derive(Default)]
struct Progress {
    losses: BTreeMap<LossSource, NamedLoss>,
    /// Sources whose gradient was asked for, and on which data set.
    active: BTreeSet<(LossSource, usize)>,
    total: f64,
    examples: usize,
    tokens: usize,
    data: Vec<Arc<str>>,
    /// What was taken, for messages.
    taken: Vec<(usize, Vec<u32>)>,
}

impl<M: Trainee, F: Feed<Batch = M::Batch>> Run<'_, M, F> {
    /// Makes a step over a group of draws and returns the tokens it took.
    pub(super) fn step(
        &mut self,
        stage: &mut Stage,
        group: &[Draw],
        steps_in_epoch: usize,
        batches: &mut Batches<'_, M::Batch>,
    ) -> Result<usize, Diagnostic> {
        let begun = Instant::now();
        let mut progress = Progress::default();
        self.model.grads().clear();
        let share = 1.0 / group.len() as f64;
        for draw in group {
            // Layers that data sets share run once for all batches of a draw.
            let together = if self.plan.joined.is_empty() { 1 } else { draw.len().max(1) };
            for (place, parts) in draw.chunks(together).enumerate() {
                self.batches_of(stage, parts, place == 0, share, batches, &mut progress)?;
            }
        }
        let lr = stage.plan.optimizer.lr() * stage.pace.factor(self.state.position.step, self.state.position.epoch);
        let grad_norm = self.apply(stage, lr, &progress)?;
        self.note_step(&progress);
        let tokens = progress.tokens;
        self.events.step_done(&StepDone {
            position: self.state.position,
            steps_in_epoch,
            losses: progress.losses.into_values().collect(),
            total: progress.total,
            lr,
            grad_norm: Some(grad_norm),
            examples: progress.examples,
            tokens,
            seconds: begun.elapsed().as_secs_f64(),
            data: progress.data,
        });
        Ok(tokens)
    }

    /// Adds the gradients of batches that are computed together, times `share`.
    fn batches_of(
        &mut self,
        stage: &mut Stage,
        parts: &[Part],
        first: bool,
        share: f64,
        batches: &mut Batches<'_, M::Batch>,
        progress: &mut Progress,
    ) -> Result<(), Diagnostic> {
        let mut taken = Vec::with_capacity(parts.len());
        for (place, part) in parts.iter().enumerate() {
            let Some(Fetched { examples, batch }) = batches.next() else { return Err(no_batch()) };
            let batch = batch?;
            let sources = stage.asked(part.data, part.only, first && place == 0);
            let path = [stage.index, self.state.position.step, progress.taken.len(), part.data].map(|n| n as u64);
            let seed = seed_of(self.plan.train.seed, "losses", &path);
            progress.note_batch(&self.plan.datasets[part.data].name, part.data, &examples);
            progress.tokens += self.feed.tokens(&batch);
            taken.push((part.data, batch, sources, seed));
        }
        let asked = taken.iter().map(|(data, batch, sources, seed)| Asked { data: *data, batch, sources, seed: *seed });
        let asked: Vec<Asked<'_, M::Batch>> = asked.collect();
        let mut weighed = Vec::new();
        for (data, term) in self.terms(&asked, progress)? {
            let factor = self.weigh(stage, &term, share, progress)?;
            if factor != 0.0 {
                progress.active.insert((term.source, data));
                weighed.push((term, factor));
            }
        }
        self.add_gradients(&weighed, progress)?;
        self.perturbed_pass(stage, &asked, share, progress)
    }

    /// The losses of batches, each with its data set.
    fn terms(&self, asked: &[Asked<'_, M::Batch>], progress: &Progress) -> Result<Vec<(usize, LossTerm)>, Diagnostic> {
        let terms = self.model.joint_losses(asked).map_err(|error| self.failed("a loss", progress, &error))?;
        let parts = asked.iter().zip(terms);
        Ok(parts.flat_map(|(part, terms)| terms.into_iter().map(|term| (part.data, term))).collect())
    }

    /// Adds the gradients of losses that read perturbed values once more, with those values moved
    /// by what the first pass has found (Miyato et al. 2017).
    fn perturbed_pass(
        &self,
        stage: &Stage,
        asked: &[Asked<'_, M::Batch>],
        share: f64,
        progress: &Progress,
    ) -> Result<(), Diagnostic> {
        let perturbed = |part: &Asked<'_, M::Batch>| -> Vec<LossSource> {
            part.sources.iter().copied().filter(|source| self.model.is_perturbed(*source, part.data)).collect()
        };
        let sources: Vec<Vec<LossSource>> = asked.iter().map(perturbed).collect();
        if sources.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let again: Vec<_> = asked.iter().zip(&sources).map(|(part, sources)| Asked { sources, ..*part }).collect();
        self.model.second_pass(true);
        let terms = self.terms(&again, progress);
        self.model.second_pass(false);
        let weigh = |(_, term): (usize, LossTerm)| {
            let factor = self.factor(stage, term.source) * share;
            (term, factor)
        };
        let weighed: Vec<(LossTerm, f64)> = terms?.into_iter().map(weigh).collect();
        self.add_gradients(&weighed, progress)
    }

    /// Adds the gradients of losses, each times its factor.
    fn add_gradients(&self, terms: &[(LossTerm, f64)], progress: &Progress) -> Result<(), Diagnostic> {
        let mut by_mask: BTreeMap<Option<&[usize]>, Tensor> = BTreeMap::new();
        for (term, factor) in terms {
            let weighed = term.value.to_dtype(DType::F32).and_then(|value| value.affine(*factor, 0.0));
            let mask = self.mask_of(term.source);
            let sum = match by_mask.remove(&mask) {
                Some(sum) => weighed.and_then(|weighed| sum + weighed),
                None => weighed,
            };
            by_mask.insert(mask, sum.map_err(|error| self.failed("a loss", progress, &error))?);
        }
        for (mask, sum) in by_mask {
            self.backward(mask, &sum).map_err(|error| self.failed("a gradient", progress, &error))?;
        }
        Ok(())
    }

    /// The factor of a loss before the share of its batch.
    fn factor(&self, stage: &Stage, source: LossSource) -> f64 {
        match source {
            LossSource::Task(task) => stage.balancer.factor(task),
            LossSource::Item(item) => self.plan.losses[item].weight,
        }
    }

    /// Notes a loss down and gives the factor of its gradient in the step.
    fn weigh(
        &self,
        stage: &mut Stage,
        term: &LossTerm,
        share: f64,
        progress: &mut Progress,
    ) -> Result<f64, Diagnostic> {
        let value = term.value.to_dtype(DType::F32).and_then(|value| value.to_scalar::<f32>());
        let value = f64::from(value.map_err(|error| self.failed("a loss", progress, &error))?);
        if !value.is_finite() {
            let message = format!("the loss of {} is {value}", said(self.plan, term.source));
            return Err(self.not_finite(message, term.source, progress));
        }
        let factor = self.factor(stage, term.source);
        let mut penalty = 0.0;
        if let LossSource::Task(task) = term.source {
            penalty = stage.balancer.penalty(task);
            stage.balancer.observe(task, value, share);
        }
        progress.total += share * (factor * value + penalty);
        progress.note_loss(name_of(self.plan, term.source), term, value, factor);
        Ok(factor * share)
    }

    /// The parameters that a source may move, where it says so.
    fn mask_of(&self, source: LossSource) -> Option<&[usize]> {
        match source {
            LossSource::Task(task) => self.plan.tasks[task].updates.as_deref(),
            LossSource::Item(item) => self.plan.losses[item].updates.as_deref(),
        }
    }

    /// Adds the gradient of a loss to the parameters that it may move.
    fn backward(&self, mask: Option<&[usize]>, loss: &Tensor) -> candle_core::Result<()> {
        let (params, grads) = (self.model.params(), self.model.grads());
        let may = |param: usize| mask.is_none_or(|mask| mask.contains(&param));
        grads.mask(|param| params[param].trainable && may(param));
        let collected = loss.backward().and_then(|store| {
            self.model.note_perturbed(&store)?;
            grads.collect(params, &store)
        });
        grads.mask(|_| true);
        collected
    }

    /// Checks the gradients and lets the optimiser use them; gives their norm.
    fn apply(&mut self, stage: &mut Stage, lr: f64, progress: &Progress) -> Result<f64, Diagnostic> {
        let (params, grads) = (self.model.params(), self.model.grads());
        let of =
            |(index, param): (usize, &Param)| if param.trainable { grads.written(index) } else { Written::Nothing };
        let written: Vec<Written> = params.iter().enumerate().map(of).collect();
        let touched = |param: usize| written[param] != Written::Nothing;
        if let Some((source, param)) = stage.watch.untouched(self.plan, &progress.active, params, touched) {
            return Err(no_gradient(self.plan, source, param));
        }
        let mut flat = grads.lock();
        let squares = squares(params, &flat, &written);
        if let Some(sick) = squares.iter().position(|s| s.is_some_and(|s| !s.is_finite())) {
            let message = format!("the gradient of `{}` is not finite", params[sick].name);
            let source = progress.sources().first().copied();
            return Err(self.not_finite(message, source.unwrap_or(LossSource::Task(0)), progress));
        }
        let norm = squares.iter().flatten().sum::<f64>().sqrt();
        // As torch.nn.utils.clip_grad_norm_: scaled by max / (norm + 1e-6) where that is below 1.
        let scale = stage.plan.clip.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
        let stepped = stage.optimizer.step(params, &mut flat, &written, lr, scale as f32);
        stepped.map_err(|error| broken("an optimiser step", &error))?;
        (0..params.len()).filter(|index| touched(*index)).for_each(|index| grads.used(index));
        drop(flat);
        stage.balancer.step(lr);
        for param in stage.watch.zeros(&squares) {
            self.events.warning(&zero_gradient(self.plan, param));
        }
        Ok(norm)
    }

    fn note_step(&mut self, progress: &Progress) {
        for loss in progress.losses.values() {
            let sum = self.state.sums.entry(loss.name.to_string()).or_default();
            sum.add(loss.value, loss.examples.max(1));
        }
        self.state.position.step += 1;
        self.state.position.step_in_epoch += 1;
        self.state.position.total_step += 1;
    }

    fn failed(&self, what: &str, progress: &Progress, error: &candle_core::Error) -> Diagnostic {
        broken(&format!("{what} on {}", self.batches(progress)), error)
    }

    /// E0906.
    fn not_finite(&self, message: String, source: LossSource, progress: &Progress) -> Diagnostic {
        let tasks: Vec<String> = progress.sources().iter().map(|s| said(self.plan, *s)).collect();
        let trained = match tasks.is_empty() {
            true => String::new(),
            false => format!(", which trained {}", tasks.join(", ")),
        };
        let place = self.state.position;
        let at = format!(
            " in step {} of epoch {}, on {}{trained}",
            place.step_in_epoch + 1,
            place.epoch + 1,
            self.batches(progress),
        );
        let dir = self.store.path("");
        Diagnostic::new(codes::NOT_FINITE, span_of(self.plan, source), message + &at).label("declared here").help(
            format!("lower the learning rate, or set `clip: 1.0`; the last good checkpoint is in `{}`", dir.display()),
        )
    }

    /// The batches of a step, for messages.
    fn batches(&self, progress: &Progress) -> String {
        let one = |(data, examples): &(usize, Vec<u32>)| {
            let mut numbers: Vec<String> = examples.iter().take(8).map(u32::to_string).collect();
            if examples.len() > 8 {
                numbers.push("…".into());
            }
            format!("examples {} of `{}`", numbers.join(", "), self.plan.datasets[*data].name)
        };
        progress.taken.iter().map(one).collect::<Vec<_>>().join(" and ")
    }
}

/// A plan and its batches are made of the same draws.
fn no_batch() -> Diagnostic {
    Diagnostic::placeless(codes::BUG, "an epoch has fewer batches than draws")
}

impl Progress {
    /// The losses that were asked for, each once.
    fn sources(&self) -> Vec<LossSource> {
        let mut sources: Vec<LossSource> = self.active.iter().map(|(source, _)| *source).collect();
        sources.dedup();
        sources
    }

    fn note_batch(&mut self, name: &str, data: usize, examples: &[u32]) {
        if !self.data.iter().any(|known| &**known == name) {
            self.data.push(name.into());
        }
        self.examples += examples.len();
        self.taken.push((data, examples.to_vec()));
    }

    /// Adds a loss to what the step's earlier batches gave of it, weighted by examples.
    fn note_loss(&mut self, name: &str, term: &LossTerm, value: f64, factor: f64) {
        let (source, examples) = (term.source, term.examples);
        let fresh = || NamedLoss { source, name: name.into(), value: 0.0, factor, examples: 0 };
        let loss = self.losses.entry(source).or_insert_with(fresh);
        let (old, new) = (loss.examples.max(1) as f64, examples.max(1) as f64);
        let old = if loss.examples == 0 { 0.0 } else { old };
        loss.value = (loss.value * old + value * new) / (old + new);
        loss.examples += examples.max(1);
        loss.factor = factor;
    }
}
