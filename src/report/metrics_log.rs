//! `metrics.jsonl`: what a run told, one JSON object a line.
//!
//! `kind` is `stage`, `step` (the means of ten steps), `epoch` or `test`; `step` counts the steps
//! of the run. A run that goes on keeps the lines up to the step that it goes on from. A figure
//! that is not a number is `null`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::watch::{Epoch, Figure, Finished, Stage, Step, Test, Watch};

/// Steps that one line tells of.
pub const STEPS_A_LINE: usize = 10;

/// Figures by name; `None` where one is not a number.
pub type Values = IndexMap<String, Option<f64>>;

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(missing_docs)]
pub enum Line {
    /// A stage began.
    Stage {
        stage: String,
        index: usize,
        step: usize,
        epochs: usize,
        steps_per_epoch: usize,
        trainable: usize,
        frozen: usize,
        tasks: Vec<String>,
    },
    /// Means over the steps since the last such line.
    Step {
        stage: String,
        /// The epoch that runs, from 1.
        epoch: usize,
        step: usize,
        losses: Values,
        total: Option<f64>,
        lr: f64,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        grad_norm: Option<f64>,
        tokens_per_second: Option<f64>,
        /// Of the steps together.
        seconds: f64,
    },
    /// An epoch is done: mean train losses and dev figures.
    Epoch {
        stage: String,
        epoch: usize,
        step: usize,
        losses: Values,
        figures: Values,
        /// Indices of each task's labels that were predicted right on dev.
        #[serde(skip_serializing_if = "IndexMap::is_empty", default)]
        right: IndexMap<String, Vec<u32>>,
        best: bool,
        tokens_per_second: Option<f64>,
        seconds: f64,
        dev_seconds: f64,
    },
    /// The test figures.
    Test { step: usize, figures: Values, seconds: f64 },
}

impl Line {
    /// Steps done in the run.
    pub fn step(&self) -> usize {
        match self {
            Line::Stage { step, .. } | Line::Step { step, .. } | Line::Epoch { step, .. } | Line::Test { step, .. } => {
                *step
            }
        }
    }

    /// Whether a run that goes on with this stage keeps the line.
    fn stays(&self, next: &Stage) -> bool {
        let here = |stage: &String| *stage == next.name;
        let again = match self {
            Line::Stage { stage, .. } => next.done == 0 && here(stage),
            Line::Epoch { stage, epoch, .. } => here(stage) && *epoch > next.done_epochs,
            Line::Step { .. } => false,
            Line::Test { .. } => true,
        };
        self.step() < next.total_done || (self.step() == next.total_done && !again)
    }
}

/// Figures as a line has them.
pub fn values(figures: &[Figure]) -> Values {
    figures.iter().map(|f| (f.name.clone(), finite(f.value))).collect()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The lines of a file. A last line that is broken off is left out.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Writes the file as the run goes. It is opened when the first stage begins.
pub struct MetricsLog {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    stage: String,
    total_step: usize,
    window: Window,
}

/// Steps that no line has told of yet.
#[derive(Default)]
struct Window {
    sums: IndexMap<String, (f64, usize)>,
    total: f64,
    steps: usize,
    tokens: usize,
    seconds: f64,
    last: Option<Step>,
}

impl Window {
    fn add(&mut self, step: &Step) {
        for loss in &step.losses {
            let sum = self.sums.entry(loss.name.clone()).or_default();
            sum.0 += loss.value * loss.examples as f64;
            sum.1 += loss.examples;
        }
        self.total += step.total;
        self.steps += 1;
        self.tokens += step.tokens;
        self.seconds += step.seconds;
        self.last = Some(step.clone());
    }

    fn line(&self, stage: &str) -> Option<Line> {
        let last = self.last.as_ref()?;
        let mean = |(name, (sum, count)): (&String, &(f64, usize))| (name.clone(), finite(sum / *count as f64));
        Some(Line::Step {
            stage: stage.to_string(),
            epoch: last.epoch + 1,
            step: last.total_step,
            losses: self.sums.iter().map(mean).collect(),
            total: finite(self.total / self.steps as f64),
            lr: last.lr,
            grad_norm: last.grad_norm.and_then(finite),
            tokens_per_second: rate(self.tokens, self.seconds),
            seconds: self.seconds,
        })
    }
}

/// Tokens a second; `None` where nobody counted.
pub fn rate(tokens: usize, seconds: f64) -> Option<f64> {
    (tokens > 0 && seconds > 0.0).then(|| tokens as f64 / seconds)
}

impl MetricsLog {
    /// A log at this path. What lies there is kept as far as the run goes on from it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, stage: String::new(), total_step: 0, window: Window::default() }
    }

    fn open(&mut self, stage: &Stage) -> io::Result<()> {
        let before = if stage.total_done > 0 { read(&self.path).unwrap_or_default() } else { Vec::new() };
        let mut kept = Vec::new();
        for line in before.iter().filter(|line| line.stays(stage)) {
            serde_json::to_writer(&mut kept, line)?;
            kept.push(b'\n');
        }
        super::results::write_whole(&self.path, &kept)?;
        self.file = Some(BufWriter::new(OpenOptions::new().append(true).open(&self.path)?));
        Ok(())
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            // Only `test` comes without a stage: figures of a run that was trained before.
            none => none.insert(BufWriter::new(OpenOptions::new().append(true).create(true).open(&self.path)?)),
        };
        serde_json::to_writer(&mut *file, line)?;
        file.write_all(b"\n")?;
        file.flush()
    }

    fn flush_window(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.window).line(&self.stage) {
            Some(line) => self.write(&line),
            None => Ok(()),
        }
    }
}

impl Watch for MetricsLog {
    fn stage(&mut self, stage: &Stage) -> io::Result<()> {
        self.stage.clone_from(&stage.name);
        self.total_step = stage.total_done;
        if self.file.is_none() {
            self.open(stage)?;
        }
        if stage.done > 0 {
            return Ok(());
        }
        self.write(&Line::Stage {
            stage: stage.name.clone(),
            index: stage.index,
            step: stage.total_done,
            epochs: stage.epochs,
            steps_per_epoch: stage.steps_per_epoch,
            trainable: stage.trainable,
            frozen: stage.frozen,
            tasks: stage.tasks.clone(),
        })
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        self.window.add(step);
        self.total_step = step.total_step;
        if step.total_step.is_multiple_of(STEPS_A_LINE) { self.flush_window() } else { Ok(()) }
    }

    fn epoch(&mut self, epoch: &Epoch) -> io::Result<()> {
        self.flush_window()?;
        self.write(&Line::Epoch {
            stage: epoch.stage.clone(),
            epoch: epoch.epoch,
            step: epoch.total_step,
            losses: epoch.train.iter().map(|(name, loss)| (name.clone(), finite(*loss))).collect(),
            figures: values(&epoch.dev),
            right: epoch.right.iter().filter(|(_, labels)| !labels.is_empty()).cloned().collect(),
            best: epoch.best,
            tokens_per_second: rate(epoch.tokens, epoch.train_seconds),
            seconds: epoch.train_seconds,
            dev_seconds: epoch.dev_seconds,
        })
    }

    fn checkpoint(&mut self, _: &Path) -> io::Result<()> {
        self.flush_window()
    }

    fn finished(&mut self, _: &Finished) -> io::Result<()> {
        self.flush_window()
    }

    fn test(&mut self, test: &Test) -> io::Result<()> {
        let (step, figures) = (test.total_step.max(self.total_step), values(&test.figures));
        self.write(&Line::Test { step, figures, seconds: test.seconds })
    }
}

/// For each label of a task, the first epoch of the run (from 1) that got it right.
pub fn first_right(lines: &[Line], task: &str, labels: usize) -> Vec<Option<usize>> {
    let mut first = vec![None; labels];
    let epochs = lines.iter().filter_map(|line| if let Line::Epoch { right, .. } = line { Some(right) } else { None });
    for (number, right) in epochs.enumerate() {
        for label in right.get(task).into_iter().flatten() {
            if let Some(known) = first.get_mut(*label as usize) {
                known.get_or_insert(number + 1);
            }
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::super::watch::Loss;
    use super::*;

    fn stage(done: usize) -> Stage {
        Stage {
            name: "joint".into(),
            epochs: 3,
            steps_per_epoch: 15,
            done,
            total_done: done,
            done_epochs: done / 15,
            ..Stage::default()
        }
    }

    fn run(log: &mut MetricsLog, from: usize, to: usize) {
        log.stage(&stage(from)).unwrap();
        for step in from + 1..=to {
            let loss = Loss { name: "intent".into(), value: step as f64, factor: 1.0, examples: 4 };
            let epoch = (step - 1) / 15;
            let told = Step { epoch, total_step: step, losses: vec![loss], tokens: 8, seconds: 0.5, ..Step::default() };
            log.step(&told).unwrap();
            if step % 15 == 0 {
                let dev = vec![Figure::new("intent.accuracy", f64::NAN)];
                let done = Epoch { stage: "joint".into(), epoch: step / 15, total_step: step, dev, ..Epoch::default() };
                log.epoch(&done).unwrap();
            }
        }
    }

    #[test]
    fn lines_of_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        run(&mut MetricsLog::new(&path), 0, 20);
        let steps: Vec<(usize, bool)> =
            read(&path).unwrap().iter().map(|l| (l.step(), matches!(l, Line::Epoch { .. }))).collect();
        assert_eq!(steps, [(0, false), (10, false), (15, false), (15, true), (20, false)]);
        let text = std::fs::read_to_string(&path).unwrap();
        let second = text.lines().nth(1).unwrap();
        assert_eq!(
            second,
            r#"{"kind":"step","stage":"joint","epoch":1,"step":10,"losses":{"intent":5.5},"total":0.0,"lr":0.0,"tokens_per_second":16.0,"seconds":5.0}"#
        );
        assert!(text.contains(r#""figures":{"intent.accuracy":null}"#), "{text}");
    }

    #[test]
    fn the_first_epoch_that_got_a_label_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut log = MetricsLog::new(&path);
        for right in [vec![], vec![2, 0], vec![2], vec![3, 0]] {
            log.epoch(&Epoch { right: vec![("intent".into(), right)], ..Epoch::default() }).unwrap();
        }
        let lines = read(&path).unwrap();
        assert_eq!(first_right(&lines, "intent", 4), [Some(2), None, Some(2), Some(4)]);
        assert_eq!(first_right(&lines, "slots", 2), [None, None]);
    }

    #[test]
    fn a_run_that_goes_on_drops_what_came_after() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        run(&mut MetricsLog::new(&path), 0, 40);
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(br#"{"kind":"step","sta"#).unwrap();
        run(&mut MetricsLog::new(&path), 15, 40);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        run(&mut MetricsLog::new(&path), 0, 40);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    }
}
