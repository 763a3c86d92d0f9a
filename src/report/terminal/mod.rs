//! A run on the terminal: a live bar, a line for each epoch, the test figures. When it is not a
//! terminal, plain lines without control characters.

mod epochs;
mod pace;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::numbers::{duration, short, table, thousands};
use super::watch::{Epoch, Figure, Finished, Stage, Step, Watch};
use crate::diagnostics::Diagnostic;
use epochs::EpochTable;
use pace::Pace;

/// Seconds between plain lines within an epoch.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// The same with `-v`.
const PLAIN_EVERY_VERBOSE: Duration = Duration::from_secs(5);

/// Columns of output that is not a terminal.
const PLAIN_WIDTH: usize = 120;

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `-q`: warnings alone.
    Quiet,
    /// Bar, epochs, test figures.
    #[default]
    Normal,
    /// `-v`: checkpoints and more lines too.
    Verbose,
}

/// How to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How much.
    pub level: Level,
    /// Whether it is a terminal whose lines can be drawn over.
    pub live: bool,
    /// Whether it shows colours.
    pub color: bool,
    /// Columns; `None`: what the terminal has at the time.
    pub width: Option<usize>,
}

impl Look {
    /// What standard error is: a terminal or not, with colours or `NO_COLOR`.
    pub fn stderr(level: Level) -> Self {
        let term = console::Term::stderr();
        let live = term.is_term() && !console::is_dumb();
        let color = live && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { level, live, color, width: None }
    }

    fn columns(&self) -> usize {
        let asked = || if self.live { usize::from(console::Term::stderr().size().1) } else { PLAIN_WIDTH };
        self.width.unwrap_or_else(asked)
    }
}

/// Shows a run.
pub struct Terminal {
    look: Look,
    out: Box<dyn Write + Send>,
    bar: Option<ProgressBar>,
    stage: Stage,
    pace: Pace,
    table: EpochTable,
    said: Instant,
}

impl Terminal {
    /// On standard error.
    pub fn stderr(level: Level) -> Self {
        Self::new(Look::stderr(level), io::stderr())
    }

    /// Lines go to `out`; the bar, if any, to standard error.
    pub fn new(look: Look, out: impl Write + Send + 'static) -> Self {
        Self {
            look,
            out: Box::new(out),
            bar: None,
            stage: Stage::default(),
            pace: Pace::default(),
            table: EpochTable::default(),
            said: Instant::now(),
        }
    }

    /// Lines that stay, above the bar.
    fn say(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        let mut write = || writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn silent(&self) -> bool {
        self.look.level == Level::Quiet
    }

    /// Takes the bar away.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn style(&self, text: &str, style: &console::Style) -> String {
        if self.look.color { style.clone().force_styling(true).apply_to(text).to_string() } else { text.to_string() }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What the line of a stage says.
fn stage_line(stage: &Stage) -> String {
    let name = match (stage.name.as_str(), stage.count) {
        ("", _) => "training".to_string(),
        (name, count) if count > 1 => format!("stage {name} ({} of {count})", stage.index + 1),
        (name, _) => format!("stage {name}"),
    };
    let plural =
        |count: usize, noun: &str| format!("{} {noun}{}", thousands(count as u64), if count == 1 { "" } else { "s" });
    let tasks = if stage.tasks.len() <= 4 { stage.tasks.join(", ") } else { plural(stage.tasks.len(), "task") };
    let mut line = format!("{name}: {tasks}; {}", plural(stage.trainable, "parameter"));
    if stage.frozen > 0 {
        line.push_str(&format!(" and {} frozen", thousands(stage.frozen as u64)));
    }
    let steps = plural(stage.steps_per_epoch, "step");
    line.push_str(&format!("; {} of {steps}", plural(stage.epochs, "epoch")));
    if stage.done > 0 {
        line.push_str(&format!("; goes on from step {}", thousands(stage.done as u64)));
    }
    line
}

/// Figures of a split as a table.
pub fn figures_table(figures: &[Figure], split: &str) -> String {
    let head = [split.to_string(), String::new()];
    let rows: Vec<Vec<String>> = figures.iter().map(|f| vec![f.name.clone(), short(f.value)]).collect();
    table(&head, &rows)
}

impl Watch for Terminal {
    fn stage(&mut self, stage: &Stage) -> io::Result<()> {
        self.clear();
        self.stage = stage.clone();
        self.pace = Pace::new(stage);
        self.table = EpochTable::default();
        self.said = Instant::now();
        if self.silent() {
            return Ok(());
        }
        let line = self.style(&stage_line(stage), &console::Style::new().bold());
        self.say(&line)?;
        if self.look.live {
            let steps = (stage.epochs * stage.steps_per_epoch) as u64;
            let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
            let shape = if self.look.color { "{prefix} {bar:16.cyan/dim} {msg}" } else { "{prefix} {bar:16} {msg}" };
            let style = ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("━╸─"));
            bar.set_position(stage.done as u64);
            self.bar = Some(bar);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        self.pace.step(step);
        if self.silent() {
            return Ok(());
        }
        let prefix = self.pace.prefix(&self.stage, step);
        if let Some(bar) = &self.bar {
            let room = self.look.columns().saturating_sub(console::measure_text_width(&prefix) + 19);
            bar.set_prefix(prefix);
            bar.set_message(self.pace.message(room));
            bar.set_position(step.step as u64);
            return Ok(());
        }
        let every = if self.look.level == Level::Verbose { PLAIN_EVERY_VERBOSE } else { PLAIN_EVERY };
        if !self.look.live && self.said.elapsed() >= every {
            self.said = Instant::now();
            let room = self.look.columns().saturating_sub(prefix.len() + 1);
            let line = format!("{prefix} {}", self.pace.message(room));
            return self.say(&line);
        }
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch) -> io::Result<()> {
        self.pace.epoch(epoch);
        self.said = Instant::now();
        if self.silent() {
            return Ok(());
        }
        if let Some(head) = self.table.head(epoch, self.look.columns()) {
            let head = self.style(&head, &console::Style::new().dim());
            self.say(&head)?;
        }
        let row = self.table.row(epoch);
        let row = if epoch.best { self.style(&row, &console::Style::new().green()) } else { row };
        self.say(&row)
    }

    fn checkpoint(&mut self, path: &std::path::Path) -> io::Result<()> {
        if self.look.level < Level::Verbose {
            return Ok(());
        }
        self.say(&format!("checkpoint: {}", path.display()))
    }

    fn warning(&mut self, diagnostic: &Diagnostic) -> io::Result<()> {
        let word = self.style("warning", &console::Style::new().yellow().bold());
        let mut text = format!("{word}[{}]: {}", diagnostic.code, diagnostic.message);
        if let Some(help) = &diagnostic.help {
            text.push_str(&format!("\n  help: {help}"));
        }
        self.say(&text)
    }

    fn finished(&mut self, finished: &Finished) -> io::Result<()> {
        self.clear();
        if self.silent() {
            return Ok(());
        }
        let steps = thousands(finished.total_step as u64);
        self.say(&format!("trained {steps} steps in {}", duration(finished.seconds)))
    }
}
