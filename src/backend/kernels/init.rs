//! First values of parameters: pure functions of the run's seed and the parameter's name, so
//! that adding a layer changes no other layer's start.

use serde::{Deserialize, Serialize};

use super::random::Draw;

/// How a parameter starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All the same.
    Constant(f32),
    /// Uniform in `[low, high)`.
    Uniform {
        /// Lower end.
        low: f32,
        /// Upper end.
        high: f32,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        std: f32,
    },
    /// Uniform within `gain * sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010).
    XavierUniform {
        /// Factor for the activation that follows; 1 when in doubt.
        gain: f32,
    },
    /// Uniform within `1 / sqrt(inputs)`, what PyTorch's `Linear` does.
    KaimingUniform {
        /// Inputs of the layer; for a bias, whose shape does not tell them.
        fan_in: Option<usize>,
    },
    /// Uniform within `1 / sqrt(hidden)`, what PyTorch's `LSTM` and `GRU` do.
    Lstm {
        /// Width of the state.
        hidden: usize,
    },
    /// Bias `[gates h]` of a recurrence that remembers for 1 to `steps` steps (Tallec and
    /// Ollivier, 2018). The second gate is the one that keeps, in an LSTM and in a GRU; of the
    /// four gates of an LSTM the first lets in.
    Chrono {
        /// 4 for an LSTM, 3 for a GRU.
        gates: usize,
        /// The longest memory.
        steps: f32,
    },
    /// One number on the diagonal and another elsewhere.
    Diagonal {
        /// On the diagonal.
        on: f32,
        /// Elsewhere.
        off: f32,
    },
    /// Rows (or columns, whichever are fewer) of length `gain`, orthogonal to each other
    /// (Saxe et al., 2014).
    Orthogonal {
        /// Length of each row.
        gain: f32,
    },
}

/// First values of the parameter `name` of `shape`, row-major.
pub fn init(kind: &Init, shape: &[usize], seed: u64, name: &str) -> Vec<f32> {
    let count = shape.iter().product();
    let draw = stream(seed, name);
    match *kind {
        Init::Zeros => vec![0.0; count],
        Init::Ones => vec![1.0; count],
        Init::Constant(value) => vec![value; count],
        Init::Uniform { low, high } => uniform(draw, count, low, high),
        Init::Normal { mean, std } => (0..count).map(|i| mean + std * draw.normal(i as u64)).collect(),
        Init::XavierUniform { gain } => {
            let (outputs, inputs) = fans(shape);
            within(draw, count, gain * (6.0 / (inputs + outputs).max(1) as f32).sqrt())
        }
        Init::KaimingUniform { fan_in } => {
            let inputs = fan_in.unwrap_or_else(|| fans(shape).1);
            within(draw, count, 1.0 / (inputs.max(1) as f32).sqrt())
        }
        Init::Lstm { hidden } => within(draw, count, 1.0 / (hidden.max(1) as f32).sqrt()),
        Init::Chrono { gates, steps } => chrono(draw, count, gates, steps),
        Init::Diagonal { on, off } => {
            let columns = fans(shape).1.max(1);
            (0..count).map(|i| if i / columns == i % columns { on } else { off }).collect()
        }
        Init::Orthogonal { gain } => orthogonal(draw, fans(shape), gain),
    }
}

/// A unit whose gate that keeps has the bias log t forgets over about t steps.
fn chrono(draw: Draw, count: usize, gates: usize, steps: f32) -> Vec<f32> {
    let h = count / gates.max(1);
    let mut bias = vec![0.0; count];
    for unit in 0..h {
        let keeps = (1.0 + (steps - 2.0).max(0.0) * draw.uniform(unit as u64)).ln();
        bias[h + unit] = keeps;
        if gates == 4 {
            bias[unit] = -keeps;
        }
    }
    bias
}

/// The random numbers of parameter `name` in a run with `seed`.
pub fn stream(seed: u64, name: &str) -> Draw {
    let mut word = [0; 8];
    word.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
    Draw::new(seed).part(u64::from_le_bytes(word))
}

/// Outputs and inputs of a weight `[outputs, inputs..]`; a vector is one column.
fn fans(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [outputs, rest @ ..] => (*outputs, rest.iter().product()),
    }
}

fn uniform(draw: Draw, count: usize, low: f32, high: f32) -> Vec<f32> {
    (0..count).map(|i| low + (high - low) * draw.uniform(i as u64)).collect()
}

fn within(draw: Draw, count: usize, bound: f32) -> Vec<f32> {
    uniform(draw, count, -bound, bound)
}

/// A random matrix `[rows, columns]` whose shorter side is orthonormal, times `gain`.
fn orthogonal(draw: Draw, (rows, columns): (usize, usize), gain: f32) -> Vec<f32> {
    let (few, many) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(few);
    for r in 0..few {
        let mut row: Vec<f64> = (0..many).map(|c| f64::from(draw.normal((r * many + c) as u64))).collect();
        // Twice is enough (Giraud et al., 2005): what rounding leaves goes in the second pass.
        project_out(&mut row, &basis);
        project_out(&mut row, &basis);
        let length = dot(&row, &row).sqrt();
        row.iter_mut().for_each(|x| *x /= length);
        basis.push(row);
    }
    let wide = rows <= columns;
    let at = |r: usize, c: usize| if wide { basis[r][c] } else { basis[c][r] };
    (0..rows * columns).map(|i| gain * at(i / columns, i % columns) as f32).collect()
}

fn project_out(row: &mut [f64], basis: &[Vec<f64>]) {
    for other in basis {
        let along = dot(row, other);
        row.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_independent_and_repeatable() {
        let kind = Init::Normal { mean: 0.0, std: 1.0 };
        let a = init(&kind, &[100, 10], 7, "a");
        assert_eq!(a, init(&kind, &[100, 10], 7, "a"));
        assert_ne!(a, init(&kind, &[100, 10], 7, "b"));
        assert_ne!(a, init(&kind, &[100, 10], 8, "a"));
    }

    #[test]
    fn memories_are_as_long_as_the_texts() {
        let h = 1000;
        let lstm = init(&Init::Chrono { gates: 4, steps: 50.0 }, &[4 * h], 1, "b");
        let keeps = &lstm[h..2 * h];
        assert!(keeps.iter().all(|b| (0.0..=49f32.ln()).contains(b)));
        let mean = keeps.iter().map(|b| b.exp()).sum::<f32>() / h as f32;
        assert!((mean - 25.0).abs() < 1.5, "uniform over 1 to 49 steps, not {mean} on average");
        assert!(lstm[..h].iter().zip(keeps).all(|(lets_in, keeps)| *lets_in == -keeps));
        assert!(lstm[2 * h..].iter().all(|b| *b == 0.0));
        let gru = init(&Init::Chrono { gates: 3, steps: 50.0 }, &[3 * h], 1, "b");
        assert!(gru[..h].iter().chain(&gru[2 * h..]).all(|b| *b == 0.0));
        assert_eq!(&gru[h..2 * h], keeps);
        assert!(init(&Init::Chrono { gates: 4, steps: 1.0 }, &[8], 1, "b").iter().all(|b| *b == 0.0));
    }

    #[test]
    fn bounds_follow_the_fans() {
        for (kind, bound) in [
            (Init::XavierUniform { gain: 1.0 }, (6.0f32 / 50.0).sqrt()),
            (Init::KaimingUniform { fan_in: None }, 1.0 / 30f32.sqrt()),
            (Init::KaimingUniform { fan_in: Some(4) }, 0.5),
            (Init::Lstm { hidden: 16 }, 0.25),
        ] {
            let values = init(&kind, &[20, 30], 1, "w");
            let most = values.iter().fold(0f32, |m, v| m.max(v.abs()));
            assert!(most <= bound && most > 0.97 * bound, "{kind:?}: {most} of {bound}");
        }
    }

    #[test]
    fn orthogonal_either_way() {
        for (rows, columns) in [(5, 8), (8, 5), (6, 6)] {
            let w = init(&Init::Orthogonal { gain: 2.0 }, &[rows, columns], 3, "w");
            let few = rows.min(columns);
            let at = |i: usize, k: usize| if rows <= columns { w[i * columns + k] } else { w[k * columns + i] };
            for i in 0..few {
                for j in 0..few {
                    let product: f32 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    let expected = if i == j { 4.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn survives_serde() {
        let kind = Init::KaimingUniform { fan_in: Some(3) };
        let text = serde_json::to_string(&kind).unwrap();
        assert_eq!(serde_json::from_str::<Init>(&text).unwrap(), kind);
    }
}
