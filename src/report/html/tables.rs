//! The tables of a report.

use std::fmt::Write;

use indexmap::IndexMap;

use super::{escape, figure};
use crate::report::metrics_log::Line;
use crate::report::numbers::{duration, thousands};
use crate::report::summary::LayerRow;
use crate::report::watch::Figure;
use crate::report::{Confusion, Environment};

/// Labels that a matrix shows.
const MATRIX: usize = 20;

/// Rows of the lists of labels.
const ROWS: usize = 12;

/// A table: a head, and rows whose cells are HTML already. All but the first column is numbers,
/// unless `texts` says how many columns are text.
fn table(head: &[&str], texts: usize, rows: &[Vec<String>]) -> String {
    let class = |i: usize| if i < texts { "" } else { " class=\"n\"" };
    let mut text = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    for (i, cell) in head.iter().enumerate() {
        let _ = write!(text, "<th{}>{}</th>", class(i), escape(cell));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let _ = write!(text, "<td{}>{cell}</td>", class(i));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
    text
}

/// Test figures: a row for each task, then those of `metric` items.
pub(super) fn figures(test: &[Figure]) -> String {
    let mut tasks: IndexMap<&str, Vec<(&str, f64)>> = IndexMap::new();
    for one in test {
        let (task, measure) = one.parts();
        tasks.entry(task.unwrap_or(measure)).or_default().push((if task.is_some() { measure } else { "" }, one.value));
    }
    if tasks.is_empty() {
        return String::new();
    }
    let mut text = String::from("<div class=\"cards\">\n");
    for (task, values) in tasks {
        let _ = write!(text, "<div class=\"card\"><h3>{}</h3><dl>", escape(task));
        for (measure, value) in values {
            let _ = write!(text, "<div><dt>{}</dt><dd>{}</dd></div>", escape(measure), figure(value));
        }
        text.push_str("</dl></div>\n");
    }
    text.push_str("</div>\n");
    text
}

/// For each task with labels: the matrix, what is mixed up, what is learned least.
pub(super) fn labels(confusions: &[Confusion]) -> String {
    let mut text = String::new();
    for confusion in confusions.iter().filter(|confusion| confusion.counts.iter().any(|count| *count > 0)) {
        let _ = writeln!(text, "<h3>{}</h3>", escape(&confusion.task));
        text.push_str(&matrix(confusion));
        let _ = write!(
            text,
            "<div class=\"pairs\">\n<div>{}</div>\n<div>{}</div>\n</div>\n",
            slowest(confusion),
            mixups(confusion)
        );
    }
    text
}

fn label(confusion: &Confusion, at: usize) -> String {
    let name = &confusion.labels[at];
    let short = console::truncate_str(name, 28, "…");
    if short == name.as_str() {
        escape(name)
    } else {
        format!("<span title=\"{}\">{}</span>", escape(name), escape(&short))
    }
}

/// Gold in rows, predictions in columns; the darker, the larger the share of the row.
fn matrix(confusion: &Confusion) -> String {
    let shown = confusion.frequent(MATRIX);
    let all = confusion.labels.len();
    let which = if shown.len() < all {
        format!("The {} most frequent of {} labels. ", shown.len(), thousands(all as u64))
    } else {
        String::new()
    };
    let mut text = format!(
        "<p class=\"soft\">{which}Rows are gold, columns predictions.</p>\n<div class=\"wide\"><table class=\"matrix\">\n<thead><tr><td></td>"
    );
    for at in &shown {
        let _ = write!(text, "<th><span>{}</span></th>", label(confusion, *at));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for gold in &shown {
        let _ = write!(text, "<tr><th>{}</th>", label(confusion, *gold));
        let support = confusion.support(*gold).max(1);
        for predicted in &shown {
            text.push_str(&cell(confusion, *gold, *predicted, support));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
    text
}

fn cell(confusion: &Confusion, gold: usize, predicted: usize, support: u64) -> String {
    let count = confusion.at(gold, predicted);
    if count == 0 {
        return "<td></td>".into();
    }
    let share = 100.0 * count as f64 / support as f64;
    let kind = if gold == predicted { "right" } else { "wrong" };
    // Rare mistakes should be seen too.
    let shade = if gold == predicted { share * 0.8 } else { (share * 1.6).clamp(6.0, 85.0) };
    format!(
        "<td class=\"{kind}\" style=\"--p:{shade:.0}%\" title=\"{} taken for {}: {count}, {share:.1} %\">{count}</td>",
        escape(&confusion.labels[gold]),
        escape(&confusion.labels[predicted])
    )
}

fn slowest(confusion: &Confusion) -> String {
    let known = confusion.first_right.iter().any(Option::is_some);
    let mut head = vec!["label", "F1", "precision", "recall", "gold"];
    if known {
        head.push("first right in epoch");
    }
    let row = |score: &crate::report::confusion::LabelScore| {
        let mut row = vec![label(confusion, score.label)];
        row.extend([score.f1, score.precision, score.recall].map(|share| format!("{share:.3}")));
        row.push(thousands(score.support));
        if known {
            row.push(confusion.first_right(score.label).map_or("never".into(), |epoch| epoch.to_string()));
        }
        row
    };
    let rows: Vec<Vec<String>> = confusion.slowest().iter().take(ROWS).map(row).collect();
    format!("<h4>Slowest labels</h4>\n{}", table(&head, 1, &rows))
}

fn mixups(confusion: &Confusion) -> String {
    let mixups = confusion.mixups();
    if mixups.is_empty() {
        return "<h4>Most confused labels</h4>\n<p>None: every label is right.</p>\n".into();
    }
    let row = |mixup: &crate::report::confusion::Mixup| {
        let share = 100.0 * mixup.count as f64 / confusion.support(mixup.gold).max(1) as f64;
        let (gold, predicted) = (label(confusion, mixup.gold), label(confusion, mixup.predicted));
        vec![gold, predicted, thousands(mixup.count), format!("{share:.1} %")]
    };
    let rows: Vec<Vec<String>> = mixups.iter().take(ROWS).map(row).collect();
    format!("<h4>Most confused labels</h4>\n{}", table(&["gold", "taken for", "times", "of the gold"], 2, &rows))
}

/// Parameters by layer, with bars.
pub(super) fn layers(layers: &[LayerRow]) -> String {
    if layers.is_empty() {
        return String::new();
    }
    let row = |row: &LayerRow| {
        let share = row.share * 100.0;
        let bar = format!("<span class=\"bar\" style=\"--p:{share:.1}%\">{share:.1} %</span>");
        vec![escape(&row.name), escape(&row.tasks.join(", ")), thousands(row.numbers as u64), bar]
    };
    let mut rows: Vec<Vec<String>> = layers.iter().map(row).collect();
    let total: usize = layers.iter().map(|row| row.numbers).sum();
    rows.push(vec!["<b>total</b>".into(), String::new(), format!("<b>{}</b>", thousands(total as u64)), String::new()]);
    table(&["layer", "read by", "parameters", "share"], 2, &rows)
}

/// Every epoch, folded away.
pub(super) fn epochs(lines: &[Line]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for line in lines {
        if let Line::Epoch { figures, .. } = line {
            let new: Vec<&String> = figures.keys().filter(|name| !names.contains(name)).collect();
            names.extend(new);
        }
    }
    let row = |line: &Line| {
        let Line::Epoch { stage, epoch, step, figures, best, seconds, dev_seconds, .. } = line else { return None };
        let star = if *best { " ★" } else { "" };
        let name = if stage.is_empty() { format!("{epoch}{star}") } else { format!("{} {epoch}{star}", escape(stage)) };
        let mut row = vec![name, thousands(*step as u64)];
        let value = |name: &&String| match figures.get(*name) {
            Some(value) => figure(value.unwrap_or(f64::NAN)),
            None => String::new(),
        };
        row.extend(names.iter().map(value));
        row.push(duration(seconds + dev_seconds));
        Some(row)
    };
    let rows: Vec<Vec<String>> = lines.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut head = vec!["epoch", "step"];
    head.extend(names.iter().map(|name| name.as_str()));
    head.push("time");
    format!(
        "<details><summary>All {} epochs (★ best so far)</summary>\n{}</details>\n",
        rows.len(),
        table(&head, 1, &rows)
    )
}

/// Names and values.
pub(super) fn environment(environment: &Environment) -> String {
    if *environment == Environment::default() {
        return String::new();
    }
    let row = |(name, value): (&str, String)| vec![name.to_string(), format!("<code>{}</code>", escape(&value))];
    let rows: Vec<Vec<String>> = environment.rows().into_iter().map(row).collect();
    table(&["", ""], 2, &rows).replace("<thead><tr><th></th><th></th></tr></thead>\n", "")
}

/// The program as trained.
pub(super) fn sources(sources: &[(String, String)]) -> String {
    let one = |(i, (path, text)): (usize, &(String, String))| {
        let open = if i == 0 { " open" } else { "" };
        format!(
            "<details{open}><summary>{}</summary>\n<pre><code>{}</code></pre></details>\n",
            escape(path),
            escape(text)
        )
    };
    sources.iter().enumerate().map(one).collect()
}
