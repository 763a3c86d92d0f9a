//! Charts of a run: for each task its losses and its dev figures, then the pace of training.

use indexmap::{IndexMap, IndexSet};

use super::chart::{Chart, Series};
use super::escape;
use crate::report::metrics_log::{Line, Values};
use crate::report::watch::parts;

/// Points of a line at most.
const MOST_POINTS: usize = 400;

/// Points by name.
type Tracks = IndexMap<String, Vec<(f64, f64)>>;

/// What the lines of a log tell, by name.
#[derive(Default)]
struct Told {
    steps: Tracks,
    train: Tracks,
    dev: Tracks,
    pace: Tracks,
    marks: Vec<(f64, String)>,
    best: IndexMap<String, f64>,
}

fn add(tracks: &mut Tracks, step: usize, values: &Values) {
    for (name, value) in values {
        tracks.entry(name.clone()).or_default().push((step as f64, value.unwrap_or(f64::NAN)));
    }
}

impl Told {
    fn of(lines: &[Line]) -> Self {
        let mut told = Self::default();
        for line in lines {
            told.hear(line);
        }
        told
    }

    fn hear(&mut self, line: &Line) {
        match line {
            Line::Stage { stage, step, .. } if !stage.is_empty() => self.marks.push((*step as f64, stage.clone())),
            Line::Step { step, losses, total, lr, tokens_per_second, grad_norm, .. } => {
                add(&mut self.steps, *step, losses);
                let pace = [
                    ("learning rate", Some(*lr)),
                    ("tokens a second", *tokens_per_second),
                    ("total loss", *total),
                    ("gradient norm", *grad_norm),
                ];
                let pace = pace.into_iter().filter(|(_, value)| value.is_some());
                add(&mut self.pace, *step, &pace.map(|(name, value)| (name.to_string(), value)).collect());
            }
            Line::Epoch { stage, step, losses, figures, best, .. } => {
                add(&mut self.train, *step, losses);
                add(&mut self.dev, *step, figures);
                if *best {
                    self.best.insert(stage.clone(), *step as f64);
                }
            }
            Line::Stage { .. } | Line::Test { .. } => {}
        }
    }

    /// Tasks, loss items and metric items in the order in which they were met.
    fn names(&self) -> IndexSet<&str> {
        let losses = self.train.keys().chain(self.steps.keys()).map(String::as_str);
        losses.chain(self.dev.keys().map(|name| parts(name).0.unwrap_or(name))).collect()
    }

    fn chart(&self, title: String, series: Vec<Series>) -> String {
        let best = self.best.values().copied().collect();
        Chart { title, series, marks: self.marks.clone(), best }.render()
    }

    fn losses(&self, name: &str) -> String {
        let get = |tracks: &Tracks, name: &str| tracks.get(name).cloned().unwrap_or_default();
        let all = [
            Series { name: "train".into(), points: thinned(get(&self.steps, name)), faint: true, dots: false },
            Series { name: "train, an epoch".into(), points: get(&self.train, name), faint: false, dots: true },
            Series { name: "dev".into(), points: get(&self.dev, &format!("{name}.loss")), faint: false, dots: true },
        ];
        let all: Vec<Series> = all.into_iter().filter(|series| !series.points.is_empty()).collect();
        self.chart(format!("{name}: loss"), all)
    }

    fn figures(&self, name: &str) -> String {
        let own = self.dev.iter().filter_map(|(figure, points)| match parts(figure) {
            (Some(task), measure) if task == name && measure != "loss" => Some((measure, points)),
            (None, item) if item == name => Some((item, points)),
            _ => None,
        });
        let line = |(name, points): (&str, &Vec<(f64, f64)>)| Series {
            name: name.into(),
            points: points.clone(),
            faint: false,
            dots: true,
        };
        self.chart(format!("{name}: dev"), own.map(line).collect())
    }

    fn pace(&self) -> String {
        let line = |(name, points): (&String, &Vec<(f64, f64)>)| {
            let series = Series { name: name.clone(), points: thinned(points.clone()), faint: false, dots: false };
            self.chart(name.clone(), vec![series])
        };
        self.pace.iter().map(line).collect()
    }
}

/// At most [`MOST_POINTS`], each the mean of its neighbourhood.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let count = chunk.len() as f64;
        (chunk[chunk.len() - 1].0, chunk.iter().map(|point| point.1).sum::<f64>() / count)
    };
    if size == 1 { points } else { points.chunks(size).map(mean).collect() }
}

/// All charts.
pub(super) fn curves(lines: &[Line]) -> String {
    let told = Told::of(lines);
    let mut body = String::new();
    for name in told.names() {
        let charts = told.losses(name) + &told.figures(name);
        if !charts.is_empty() {
            body.push_str(&format!("<h3>{}</h3>\n<div class=\"charts\">\n{charts}</div>\n", escape(name)));
        }
    }
    let pace = told.pace();
    if !pace.is_empty() {
        body.push_str(&format!("<h3>Pace</h3>\n<div class=\"charts\">\n{pace}</div>\n"));
    }
    if body.is_empty() {
        body
    } else {
        format!("<p class=\"soft\">Over optimiser steps. A triangle marks the best epoch.</p>\n{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_last_step() {
        let points: Vec<(f64, f64)> = (1..=1001).map(|i| (i as f64, 2.0)).collect();
        let thin = thinned(points);
        assert!(thin.len() <= MOST_POINTS && thin.last() == Some(&(1001.0, 2.0)));
    }
}
