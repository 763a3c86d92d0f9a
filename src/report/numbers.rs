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

/// A table of text: the first column to the left, others to the right, two spaces between.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let wide = |text: &String| console::measure_text_width(text);
    let width = |i: usize| rows.iter().chain([&head.to_vec()]).filter_map(|r| r.get(i).map(wide)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&head.to_vec()).chain(rows) {
        text.push_str(&line(row, &widths));
        text.push('\n');
    }
    text
}

/// One line of a table, with these widths.
pub fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let pad = width.saturating_sub(console::measure_text_width(cell));
        let gap = if i == 0 { "" } else { "  " };
        let _ = if i == 0 { write!(text, "{cell}{:pad$}", "") } else { write!(text, "{gap}{:pad$}{cell}", "") };
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
        let text = table(&[cell("layer"), cell("params")], &[vec![cell("感情"), cell("1,024")], vec![cell("b"), cell("7")]]);
        assert_eq!(text, "layer  params\n感情    1,024\nb           7\n");
    }
}
