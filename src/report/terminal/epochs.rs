//! The table of epochs: a line as each ends.

use crate::report::numbers::{self, duration, line, short};
use crate::report::watch::Epoch;

/// Width of a column of figures at least.
const NARROW: usize = 7;

/// What a column shows.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    /// A dev figure.
    Dev(String),
    /// A mean train loss.
    Train(String),
}

impl Column {
    fn head(&self) -> String {
        match self {
            // What selects may be a long expression.
            Column::Dev(name) if name.contains('(') => "selects".into(),
            Column::Dev(name) => name.clone(),
            Column::Train(name) => format!("train {name}"),
        }
    }

    fn cell(&self, epoch: &Epoch) -> String {
        let value = match self {
            Column::Dev(name) => epoch.dev.iter().chain(&epoch.selected_by).find(|f| f.name == *name).map(|f| f.value),
            Column::Train(name) => epoch.train.iter().find(|(n, _)| n == name).map(|(_, loss)| *loss),
        };
        value.map_or("-".into(), short)
    }
}

/// Columns that were chosen, with their widths.
#[derive(Clone, Debug, Default)]
pub(super) struct EpochTable {
    columns: Vec<Column>,
    widths: Vec<numbers::Column>,
}

impl EpochTable {
    /// The head, when it is time for one: on the first epoch.
    pub(super) fn head(&mut self, epoch: &Epoch, room: usize) -> Option<String> {
        if !self.widths.is_empty() {
            return None;
        }
        self.choose(epoch, room);
        let heads = self.columns.iter().map(Column::head);
        let cells: Vec<String> =
            ["epoch".to_string()].into_iter().chain(heads).chain(["time".into(), String::new()]).collect();
        Some(line(&cells, &self.widths))
    }

    /// Columns by importance: what selects, dev figures, train losses, dev losses.
    fn choose(&mut self, epoch: &Epoch, room: usize) {
        let (losses, figures): (Vec<_>, Vec<_>) = epoch.dev.iter().partition(|figure| figure.is_loss());
        let dev = |figure: &crate::report::Figure| Column::Dev(figure.name.clone());
        let wanted = epoch
            .selected_by
            .iter()
            .map(dev)
            .chain(figures.into_iter().map(dev))
            .chain(epoch.train.iter().map(|(name, _)| Column::Train(name.clone())))
            .chain(losses.into_iter().map(dev));
        let mut used = "epoch".len() + 2 + NARROW + 3;
        let number = |width| numbers::Column { width, right: true };
        self.widths = vec![number("epoch".len())];
        for column in wanted {
            let width = console::measure_text_width(&column.head()).max(NARROW);
            if self.columns.contains(&column) || used + width + 2 > room {
                continue;
            }
            used += width + 2;
            self.columns.push(column);
            self.widths.push(number(width));
        }
        self.widths.extend([number(NARROW), number(1)]);
    }

    /// The line of an epoch, with a star when it is the best so far.
    pub(super) fn row(&self, epoch: &Epoch) -> String {
        let cells = self.columns.iter().map(|column| column.cell(epoch));
        let time = duration(epoch.train_seconds + epoch.dev_seconds);
        let star = if epoch.best { "*" } else { "" };
        let cells: Vec<String> =
            [epoch.epoch.to_string()].into_iter().chain(cells).chain([time, star.to_string()]).collect();
        line(&cells, &self.widths)
    }
}
