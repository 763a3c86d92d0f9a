//! How a stage gets on: smoothed losses, tokens a second, the time that is left.

use indexmap::IndexMap;

use crate::report::numbers::{duration, short, thousands};
use crate::report::watch::{Epoch, Stage, Step};

/// Weight of the past in smoothed values.
const PAST: f64 = 0.95;

/// A mean that forgets; the first values count as much as they should.
#[derive(Clone, Copy, Debug, Default)]
struct Smooth {
    sum: f64,
    weight: f64,
}

impl Smooth {
    fn add(&mut self, value: f64) {
        self.sum = PAST * self.sum + (1.0 - PAST) * value;
        self.weight = PAST * self.weight + (1.0 - PAST);
    }

    fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

/// The state of a stage's bar.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    losses: IndexMap<String, Smooth>,
    seconds: Smooth,
    tokens: Smooth,
    dev_seconds: Option<f64>,
    steps: usize,
    epochs: usize,
    done: usize,
    done_epochs: usize,
}

impl Pace {
    pub(super) fn new(stage: &Stage) -> Self {
        Self {
            steps: stage.epochs * stage.steps_per_epoch,
            epochs: stage.epochs,
            done: stage.done,
            done_epochs: stage.done_epochs,
            ..Self::default()
        }
    }

    pub(super) fn step(&mut self, step: &Step) {
        for loss in step.losses.iter().filter(|loss| loss.value.is_finite()) {
            self.losses.entry(loss.name.clone()).or_default().add(loss.value);
        }
        self.seconds.add(step.seconds);
        self.tokens.add(step.tokens as f64);
        self.done = step.step;
    }

    pub(super) fn epoch(&mut self, epoch: &Epoch) {
        self.dev_seconds = Some(epoch.dev_seconds);
        self.done_epochs = epoch.epoch;
    }

    /// `joint epoch 3/30 step 12/140`.
    pub(super) fn prefix(&self, stage: &Stage, step: &Step) -> String {
        let name = if stage.name.is_empty() { String::new() } else { format!("{} ", stage.name) };
        let epoch = (step.epoch + 1).min(stage.epochs.max(1));
        format!("{name}epoch {epoch}/{} step {}/{}", stage.epochs, step.step_in_epoch, step.steps_in_epoch)
    }

    /// Seconds that the stage needs yet, if nothing ends it before.
    pub(super) fn left(&self) -> Option<f64> {
        let steps = self.steps.saturating_sub(self.done) as f64 * self.seconds.value()?;
        let dev = self.epochs.saturating_sub(self.done_epochs) as f64 * self.dev_seconds.unwrap_or(0.0);
        Some(steps + dev)
    }

    fn tokens_per_second(&self) -> Option<f64> {
        let (tokens, seconds) = (self.tokens.value()?, self.seconds.value()?);
        (tokens > 0.0 && seconds > 0.0).then(|| tokens / seconds)
    }

    /// As many losses as fit into so many columns, then pace and time left.
    pub(super) fn message(&self, room: usize) -> String {
        let rate = self.tokens_per_second().map(|rate| format!("{} tok/s", thousands(rate as u64)));
        let left = self.left().map(|left| format!("{} left", duration(left)));
        let tail: Vec<String> = rate.into_iter().chain(left).collect();
        let mut used: usize = tail.iter().map(|part| part.len() + 2).sum();
        let mut parts = Vec::new();
        for (i, (name, loss)) in self.losses.iter().enumerate() {
            let part = format!("{name} {}", loss.value().map_or("?".into(), short));
            let width = console::measure_text_width(&part) + 2;
            let more = self.losses.len() - i;
            // Room for `+12` unless this is the last one.
            let spare = if more > 1 { 5 } else { 0 };
            if used + width + spare > room + 2 {
                parts.push(format!("+{more}"));
                break;
            }
            used += width;
            parts.push(part);
        }
        parts.extend(tail);
        console::truncate_str(&parts.join("  "), room.max(1), "").into_owned()
    }
}
