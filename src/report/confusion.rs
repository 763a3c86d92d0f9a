//! Which labels are taken for which, and which are learned least.

/// Counts of gold labels by predicted labels of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    /// Name of the task.
    pub task: String,
    /// The labels.
    pub labels: Vec<String>,
    /// Rows of gold, columns of predictions, `labels.len()` wide. A further row, where there is
    /// one, is of gold labels that train never had.
    pub counts: Vec<u64>,
    /// For each label, the first epoch (from 1) that predicted it right on dev; empty when
    /// nobody kept count.
    pub first_right: Vec<Option<usize>>,
}

/// How well one label is known.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelScore {
    /// Index of the label.
    pub label: usize,
    /// Gold places.
    pub support: u64,
    /// Share of its predictions that are right.
    pub precision: f64,
    /// Share of its gold places that are found.
    pub recall: f64,
    /// 2pr/(p+r).
    pub f1: f64,
}

/// Two labels that are mixed up: `gold` taken for `predicted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixup {
    /// Index of the gold label.
    pub gold: usize,
    /// Index of the predicted label.
    pub predicted: usize,
    /// How often.
    pub count: u64,
}

impl Confusion {
    /// How often `gold` was taken for `predicted`.
    pub fn at(&self, gold: usize, predicted: usize) -> u64 {
        self.counts.get(gold * self.labels.len() + predicted).copied().unwrap_or(0)
    }

    /// Gold places of a label; of `labels.len()`, those that train never had.
    pub fn support(&self, gold: usize) -> u64 {
        (0..self.labels.len()).map(|predicted| self.at(gold, predicted)).sum()
    }

    /// Predictions of a label.
    pub fn predicted(&self, label: usize) -> u64 {
        (0..=self.labels.len()).map(|gold| self.at(gold, label)).sum()
    }

    /// The score of each label that the gold has, in the order of labels.
    pub fn scores(&self) -> Vec<LabelScore> {
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let score = |label: usize| {
            let (right, support, predicted) = (self.at(label, label), self.support(label), self.predicted(label));
            LabelScore {
                label,
                support,
                precision: share(right, predicted),
                recall: share(right, support),
                f1: share(2 * right, support + predicted),
            }
        };
        (0..self.labels.len()).map(score).filter(|score| score.support > 0).collect()
    }

    /// The first epoch that got a label right.
    pub fn first_right(&self, label: usize) -> Option<usize> {
        self.first_right.get(label).copied().flatten()
    }

    /// The labels learned least: lowest F1 first, of equals the one learned last, then the
    /// more frequent one.
    pub fn slowest(&self) -> Vec<LabelScore> {
        let mut scores = self.scores();
        let late = |score: &LabelScore| std::cmp::Reverse(self.first_right(score.label).unwrap_or(usize::MAX));
        scores.sort_by(|a, b| a.f1.total_cmp(&b.f1).then(late(a).cmp(&late(b))).then(b.support.cmp(&a.support)));
        scores
    }

    /// Pairs of labels that are mixed up, the most frequent first.
    pub fn mixups(&self) -> Vec<Mixup> {
        let width = self.labels.len();
        let all = (0..width).flat_map(|gold| (0..width).map(move |predicted| (gold, predicted)));
        let mut mixups: Vec<Mixup> = all
            .filter(|(gold, predicted)| gold != predicted)
            .map(|(gold, predicted)| Mixup { gold, predicted, count: self.at(gold, predicted) })
            .filter(|mixup| mixup.count > 0)
            .collect();
        mixups.sort_by_key(|mixup| std::cmp::Reverse(mixup.count));
        mixups
    }

    /// The most frequent labels that gold or predictions have, in the order of labels.
    pub fn frequent(&self, most: usize) -> Vec<usize> {
        let weight = |label: &usize| self.support(*label) + self.predicted(*label);
        let mut labels: Vec<usize> = (0..self.labels.len()).filter(|label| weight(label) > 0).collect();
        labels.sort_by_key(|label| std::cmp::Reverse(weight(label)));
        labels.truncate(most);
        labels.sort_unstable();
        labels
    }
}

#[cfg(feature = "train")]
impl Confusion {
    /// The matrix of a task as the training room counts it.
    pub fn of(task: &str, labels: &[String], counted: &crate::train::metrics::confusion::Confusion) -> Self {
        let counts = counted.counts.iter().map(|count| *count as u64).collect();
        Self { task: task.into(), labels: labels.to_vec(), counts, first_right: Vec::new() }
    }

    /// The same, with what the lines of the run tell about when each label was first right.
    pub fn over(mut self, lines: &[super::metrics_log::Line]) -> Self {
        self.first_right = super::metrics_log::first_right(lines, &self.task, self.labels.len());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Confusion {
        Confusion {
            task: "intent".into(),
            labels: ["a", "b", "c", "never"].map(String::from).to_vec(),
            counts: vec![8, 2, 0, 0, 3, 5, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
            first_right: vec![Some(1), Some(4), None, None],
        }
    }

    #[test]
    fn scores_of_labels() {
        let slowest = example().slowest();
        let names: Vec<usize> = slowest.iter().map(|s| s.label).collect();
        assert_eq!(names, [2, 1, 0]);
        assert_eq!((slowest[0].f1, slowest[0].support), (0.0, 4));
        assert!((slowest[2].f1 - 16.0 / 22.0).abs() < 1e-12);
        assert!((slowest[2].precision - 8.0 / 12.0).abs() < 1e-12);
    }

    #[test]
    fn the_most_confused_come_first() {
        let counts: Vec<(usize, usize, u64)> =
            example().mixups().iter().map(|m| (m.gold, m.predicted, m.count)).collect();
        assert_eq!(counts, [(2, 1, 4), (1, 0, 3), (0, 1, 2)]);
        assert_eq!(example().frequent(2), [0, 1]);
    }
}
