//! What is printed, to the character.

use std::sync::{Arc, Mutex};

use super::super::watch::Loss;
use super::*;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stage() -> Stage {
    Stage {
        index: 0,
        count: 2,
        name: "joint".into(),
        epochs: 2,
        steps_per_epoch: 3,
        trainable: 12_345,
        frozen: 0,
        tasks: vec!["intent".into(), "slots".into()],
        ..Stage::default()
    }
}

fn epoch(number: usize, best: bool) -> Epoch {
    let figures = [("intent.accuracy", 0.5), ("slots.span_f1", 0.25), ("intent.loss", 1.5)];
    Epoch {
        stage: "joint".into(),
        epoch: number,
        total_step: 3 * number,
        train: vec![("intent".into(), 0.75), ("slots".into(), 12.0)],
        dev: figures.iter().map(|(name, value)| Figure::new(*name, *value)).collect(),
        selected_by: Some(Figure::new("mean(intent.accuracy, slots.span_f1)", 0.375)),
        best,
        train_seconds: 2.0,
        dev_seconds: 0.5,
        tokens: 100,
        ..Epoch::default()
    }
}

fn printed(look: Look) -> String {
    let page = Page::default();
    let mut terminal = Terminal::new(look, page.clone());
    terminal.stage(&stage()).unwrap();
    terminal.step(&step(1)).unwrap();
    terminal.epoch(&epoch(1, true)).unwrap();
    terminal.epoch(&epoch(2, false)).unwrap();
    let warning =
        Diagnostic::placeless(crate::diagnostics::codes::ZERO_GRADIENT, "nothing moves `a.w`").help("drop it");
    terminal.warning(&warning).unwrap();
    terminal.finished(&Finished { total_step: 6, seconds: 65.0, ..Finished::default() }).unwrap();
    drop(terminal);
    let lines = std::mem::take(&mut *page.0.lock().unwrap());
    String::from_utf8(lines).unwrap()
}

#[test]
fn figures_line_up() {
    let figures = [Figure::new("intent.accuracy", 0.9612), Figure::new("slots.loss", 12.5)];
    assert_eq!(figures_table(&figures, "test"), "test\nintent.accuracy  0.9612\nslots.loss        12.50\n");
}

fn step(number: usize) -> Step {
    let loss = |name: &str, value| Loss { name: name.into(), value, factor: 1.0, examples: 2 };
    Step {
        step: number,
        total_step: number,
        step_in_epoch: number,
        steps_in_epoch: 3,
        losses: vec![loss("intent", 0.5), loss("slots", 2.0), loss("sentiment", 1.0)],
        tokens: 2000,
        seconds: 0.5,
        ..Step::default()
    }
}

#[test]
fn plain_lines() {
    let text = printed(Look { level: Level::Normal, live: false, color: false, width: Some(100) });
    insta::assert_snapshot!(text, @r"
    stage joint (1 of 2): intent, slots; 12,345 parameters; 2 epochs of 3 steps
    epoch  selects  intent.accuracy  slots.span_f1  train intent  train slots  intent.loss     time
        1   0.3750           0.5000         0.2500        0.7500        12.00        1.500     2.5s  *
        2   0.3750           0.5000         0.2500        0.7500        12.00        1.500     2.5s
    warning[W0901]: nothing moves `a.w`
      help: drop it
    trained 6 steps in 1m05s
    ");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn quiet_says_warnings_alone() {
    let text = printed(Look { level: Level::Quiet, live: false, color: false, width: Some(100) });
    assert_eq!(text, "warning[W0901]: nothing moves `a.w`\n  help: drop it\n");
}

#[test]
fn a_narrow_terminal_has_fewer_columns() {
    let text = printed(Look { level: Level::Normal, live: false, color: false, width: Some(70) });
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("epoch ") || line.contains(" 2.5s")).collect();
    assert!(rows.iter().all(|row| row.chars().count() <= 70), "{text}");
}

#[test]
fn as_many_losses_as_fit() {
    let mut pace = Pace::new(&stage());
    pace.step(&step(1));
    assert_eq!(pace.message(80), "intent 0.5000  slots 2.000  sentiment 1.000  4,000 tok/s  2.5s left");
    assert_eq!(pace.message(60), "intent 0.5000  slots 2.000  +1  4,000 tok/s  2.5s left");
    assert_eq!(pace.message(40), "+3  4,000 tok/s  2.5s left");
    assert_eq!(pace.prefix(&stage(), &step(1)), "joint epoch 1/2 step 1/3");
}

#[test]
fn time_left_counts_evaluation() {
    let mut pace = Pace::new(&stage());
    pace.step(&step(3));
    pace.epoch(&epoch(1, true));
    assert_eq!(pace.left(), Some(3.0 * 0.5 + 0.5));
}
