//! Line charts as SVG, with their numbers beside them for the script that shows values.

use std::fmt::Write;

use serde_json::json;

use super::{escape, figure};
use crate::report::numbers::thousands;

/// Size of the picture and of the frame inside of it.
const SIZE: (f64, f64) = (480.0, 230.0);
const FRAME: (f64, f64, f64, f64) = (46.0, 22.0, 470.0, 200.0);

/// A line of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// Its name.
    pub name: String,
    /// Its points, x ascending.
    pub points: Vec<(f64, f64)>,
    /// Drawn thin: noisy values under the others.
    pub faint: bool,
    /// Whether every point gets a dot.
    pub dots: bool,
}

/// A chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chart {
    /// What it shows.
    pub title: String,
    /// The lines.
    pub series: Vec<Series>,
    /// Upright lines with a name: where stages begin.
    pub marks: Vec<(f64, String)>,
    /// Where the best epochs are.
    pub best: Vec<f64>,
}

/// From numbers to places.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
}

impl Scale {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        let (left, top, right, bottom) = FRAME;
        (left + share(x, self.x) * (right - left), bottom - share(y, self.y) * (bottom - top))
    }
}

impl Chart {
    fn scale(&self) -> Option<Scale> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let x = range(&mut points().map(|point| point.0));
        let calm = self.series.iter().flat_map(|series| {
            let most = if series.faint { quantile(&series.points, 0.98) } else { f64::INFINITY };
            series.points.iter().map(move |point| point.1.min(most))
        });
        let y = range(&mut calm.filter(|y| y.is_finite()));
        if !(x.0 <= x.1 && y.0 <= y.1) {
            return None;
        }
        Some(Scale { x: (0.0, x.1.max(1.0)), y: padded(y) })
    }

    /// The chart with its title; nothing when there is no point.
    pub(super) fn render(&self) -> String {
        let Some(scale) = self.scale() else { return String::new() };
        let mut text = format!("<figure>\n<figcaption>{}</figcaption>\n", escape(&self.title));
        let _ = writeln!(
            text,
            "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" data-chart=\"{}\">",
            SIZE.0,
            SIZE.1,
            escape(&self.title),
            escape(&self.numbers(&scale))
        );
        grid(&mut text, &scale);
        self.draw_marks(&mut text, &scale);
        for (i, series) in self.series.iter().enumerate() {
            draw_series(&mut text, i, series, &scale);
        }
        text.push_str(
            "<line class=\"cursor\" y1=\"22\" y2=\"200\" visibility=\"hidden\"/>\n</svg>\n<p class=\"legend\">",
        );
        for (i, series) in self.series.iter().enumerate() {
            let _ = write!(text, "<span><i class=\"c{}\"></i>{}</span> ", i % 6, escape(&series.name));
        }
        text.push_str("</p>\n</figure>\n");
        text
    }

    /// What the script needs: the range and frame, and the points of each line.
    fn numbers(&self, scale: &Scale) -> String {
        let round = |value: f64| (value * 1e5).round() / 1e5;
        let series = self.series.iter().map(|series| {
            let points: Vec<_> = series.points.iter().map(|(x, y)| json!([x, round(*y)])).collect();
            json!({ "name": series.name, "points": points })
        });
        json!({
            "x": [scale.x.0, scale.x.1], "frame": [FRAME.0, FRAME.2], "width": SIZE.0,
            "series": series.collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn draw_marks(&self, text: &mut String, scale: &Scale) {
        let (_, top, right, bottom) = FRAME;
        for (x, name) in &self.marks {
            let (x, _) = scale.at((*x, 0.0));
            let anchor = if x > right - 60.0 { "end" } else { "start" };
            let _ = writeln!(
                text,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
                 <text class=\"mark\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                top - 6.0,
                escape(name)
            );
        }
        for x in &self.best {
            let (x, _) = scale.at((*x, 0.0));
            let _ =
                writeln!(text, "<path class=\"best\" d=\"M{x:.1} {bottom}l-4 7h8z\"><title>best epoch</title></path>");
        }
    }
}

fn quantile(points: &[(f64, f64)], share: f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| point.1).filter(|y| y.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * share).ceil() as usize;
    values.get(at).copied().unwrap_or(f64::INFINITY)
}

/// A range with room; shares keep to 0 and 1.
fn padded((low, high): (f64, f64)) -> (f64, f64) {
    let room = if high > low { (high - low) * 0.06 } else { high.abs().max(1e-6) * 0.1 };
    let bottom = if low >= 0.0 { (low - room).max(0.0) } else { low - room };
    let top = if (0.0..=1.0).contains(&high) && low >= 0.0 { (high + room).min(1.0) } else { high + room };
    (bottom, if top > bottom { top } else { bottom + 1e-6 })
}

/// Round numbers within a range, about so many.
fn ticks((low, high): (f64, f64), about: f64) -> Vec<f64> {
    let raw = (high - low) / about;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= raw).unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|tick| *tick <= high + step * 1e-9).take(20).collect()
}

fn grid(text: &mut String, scale: &Scale) {
    let (left, _, right, bottom) = FRAME;
    for tick in ticks(scale.y, 4.0) {
        let (_, y) = scale.at((0.0, tick));
        let shown = figure(tick);
        let shown = if shown.contains('.') && !shown.contains('e') {
            shown.trim_end_matches('0').trim_end_matches('.')
        } else {
            &shown
        };
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{shown}</text>",
            left - 5.0,
            y + 3.5
        );
    }
    for tick in ticks(scale.x, 5.0).into_iter().filter(|tick| *tick >= 0.0) {
        let (x, _) = scale.at((tick, 0.0));
        let anchor = if x > right - 14.0 { "end" } else { "middle" };
        let _ = writeln!(
            text,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            bottom + 18.0,
            thousands(tick.round() as u64)
        );
    }
    let _ = writeln!(text, "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
}

fn draw_series(text: &mut String, at: usize, series: &Series, scale: &Scale) {
    let class = at % 6;
    let faint = if series.faint { " faint" } else { "" };
    let places: Vec<(f64, f64)> = series.points.iter().filter(|p| p.1.is_finite()).map(|p| scale.at(*p)).collect();
    let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(text, "<polyline class=\"c{class}{faint}\" points=\"{}\"/>", line.join(" "));
    if series.dots && places.len() <= 60 || places.len() == 1 {
        for (x, y) in places {
            let _ = write!(text, "<circle class=\"c{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\"/>");
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks((0.0, 1.0), 4.0), [0.0, 0.5, 1.0]);
        assert_eq!(ticks((3.0, 970.0), 5.0), [200.0, 400.0, 600.0, 800.0]);
    }

    #[test]
    fn a_chart_without_points_is_nothing() {
        assert_eq!(Chart::default().render(), "");
        let nan = Series { points: vec![(1.0, f64::NAN)], ..Series::default() };
        assert_eq!(Chart { series: vec![nan], ..Chart::default() }.render(), "");
    }

    #[test]
    fn shares_stay_within_bounds() {
        assert_eq!(padded((0.5, 1.0)).1, 1.0);
        assert!(padded((0.0, 0.0)).1 > 0.0);
    }
}
