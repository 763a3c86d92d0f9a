//! Numbers as people read them.

use std::fmt::Write;

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.9612`, `12.31`, `1.2e-5`: four digits that matter; `nan` and `inf` as they are.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return value.to_string().to_lowercase();
    }
    match size {
        0.0 => "0".into(),
        s if !(1e-3..1e6).contains(&s) => format!("{value:.1e}"),
        s if s >= 1000.0 => format!("{value:.0}"),
        s if s >= 100.0 => format!("{value:.1}"),
        s if s >= 10.0 => format!("{value:.2}"),
        s if s >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// `1.5 GFLOP`-like: a number with a decimal prefix and three digits that matter.
pub fn prefixed(value: f64, unit: &str) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let (mut value, mut at) = (value, 0);
    while value >= 1000.0 && at + 1 < prefixes.len() {
        value /= 1000.0;
        at += 1;
    }
    digits(value, at > 0, &format!("{}{unit}", prefixes[at]))
}

/// Bytes as `12.3 MiB`.
pub fn bytes(count: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut at) = (count, 0);
    while value >= 1024.0 && at + 1 < units.len() {
        value /= 1024.0;
        at += 1;
    }
    digits(value, at > 0, units[at])
}

fn digits(value: f64, part: bool, unit: &str) -> String {
    match value {
        v if !part || v >= 100.0 => format!("{v:.0} {unit}"),
        v if v >= 10.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.2} {unit}"),
    }
}

/// Seconds as `3.2s`, `4m05s`, `2h03m`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".into();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 10.0 => format!("{seconds:.1}s"),
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its width.
    pub width: usize,
    /// Whether its cells stand at the right, as numbers do.
    pub right: bool,
}

/// A table of text: columns with numbers to the right, others to the left, two spaces between.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let head = head.to_vec();
    let column = |i: usize| {
        let cells = || rows.iter().filter_map(move |row| row.get(i));
        let width = cells().chain(head.get(i)).map(|cell| console::measure_text_width(cell)).max().unwrap_or(0);
        let mut filled = cells().filter(|cell| !matches!(cell.as_str(), "" | "-")).peekable();
        Column { width, right: filled.peek().is_some() && filled.all(|cell| is_number(cell)) }
    };
    let columns: Vec<Column> = (0..head.len()).map(column).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        text.push_str(&line(row, &columns));
        text.push('\n');
    }
    text
}

/// Whether a cell is a number, with or without a unit.
fn is_number(cell: &str) -> bool {
    let cell = cell.strip_prefix('-').unwrap_or(cell);
    cell == "nan" || cell.split(' ').next().is_some_and(|word| word.replace(',', "").parse::<f64>().is_ok())
}

/// One line of a table.
pub fn line(cells: &[String], columns: &[Column]) -> String {
    let mut text = String::new();
    for (i, (cell, column)) in cells.iter().zip(columns).enumerate() {
        let pad = column.width.saturating_sub(console::measure_text_width(cell));
        let gap = if i == 0 { "" } else { "  " };
        let _ = match column.right {
            true => write!(text, "{gap}{:pad$}{cell}", ""),
            false => write!(text, "{gap}{cell}{:pad$}", ""),
        };
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(short(0.961_23), "0.9612");
        assert_eq!(short(12.345), "12.35");
        assert_eq!(short(0.000_012), "1.2e-5");
        assert_eq!(short(f64::NAN), "nan");
        assert_eq!(prefixed(1_530_000.0, "FLOP"), "1.53 MFLOP");
        assert_eq!(bytes(3.5 * 1024.0 * 1024.0), "3.50 MiB");
        assert_eq!(bytes(100.0), "100 B");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(3.21), "3.2s");
        assert_eq!(duration(59.4), "59s");
        assert_eq!(duration(245.0), "4m05s");
        assert_eq!(duration(7380.0), "2h03m");
    }

    #[test]
    fn tables_line_up() {
        let cell = |text: &str| text.to_string();
        let text =
            table(&[cell("layer"), cell("params")], &[vec![cell("感情"), cell("1,024")], vec![cell("b"), cell("7")]]);
        assert_eq!(text, "layer  params\n感情    1,024\nb           7\n");
    }
}
