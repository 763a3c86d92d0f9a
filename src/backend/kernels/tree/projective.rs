//! The best tree without crossing arcs, in O(n³) (Eisner 1996).

use super::Arcs;

/// On which side of a stretch its head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The best trees over stretches of tokens `i..=j`, from short to long.
struct Chart {
    n: usize,
    /// All tokens hang below the one on the left or on the right, whose part this is to the end.
    full: [Vec<Cell>; 2],
    /// The two ends are head and token.
    joined: [Vec<Cell>; 2],
}

/// A score, and the place where the stretch was put together.
#[derive(Clone, Copy, Debug)]
struct Cell {
    score: f64,
    split: usize,
}

fn most(splits: std::ops::Range<usize>, score: impl Fn(usize) -> f64) -> Cell {
    let cells = splits.map(|split| Cell { score: score(split), split });
    let best = cells.reduce(|a, b| if b.score > a.score { b } else { a });
    best.unwrap_or(Cell { score: 0.0, split: 0 })
}

impl Chart {
    fn new(arcs: &Arcs) -> Self {
        let n = arcs.n;
        let empty = || vec![Cell { score: 0.0, split: 0 }; n * n];
        let mut chart = Self { n, full: [empty(), empty()], joined: [empty(), empty()] };
        for length in 1..n {
            for i in 0..n - length {
                chart.fill(arcs, i, i + length);
            }
        }
        chart
    }

    fn full(&self, side: Side, i: usize, j: usize) -> f64 {
        self.full[side as usize][i * self.n + j].score
    }

    fn joined(&self, side: Side, i: usize, j: usize) -> f64 {
        self.joined[side as usize][i * self.n + j].score
    }

    fn fill(&mut self, arcs: &Arcs, i: usize, j: usize) {
        use Side::{Left, Right};
        let at = i * self.n + j;
        let met = most(i..j, |k| self.full(Left, i, k) + self.full(Right, k + 1, j));
        self.joined[Left as usize][at] = Cell { score: met.score + arcs.score(j + 1, i + 1), ..met };
        self.joined[Right as usize][at] = Cell { score: met.score + arcs.score(i + 1, j + 1), ..met };
        self.full[Left as usize][at] = most(i + 1..j + 1, |k| self.joined(Left, i, k) + self.full(Left, k, j));
        self.full[Right as usize][at] = most(i..j, |k| self.full(Right, i, k) + self.joined(Right, k, j));
    }

    /// Sets the heads in a full stretch, but for that of the token at its head.
    fn trace(&self, side: Side, i: usize, j: usize, heads: &mut [u32]) {
        let mut open = vec![(side, i, j)];
        while let Some((side, i, j)) = open.pop() {
            if i == j {
                continue;
            }
            let k = self.full[side as usize][i * self.n + j].split;
            let (from, to) = if side == Side::Left { (i, k) } else { (k, j) };
            open.push(if side == Side::Left { (side, k, j) } else { (side, i, k) });
            let met = self.joined[side as usize][from * self.n + to].split;
            open.extend([(Side::Left, from, met), (Side::Right, met + 1, to)]);
            let (head, token) = if side == Side::Left { (from, to) } else { (to, from) };
            heads[token] = head as u32 + 1;
        }
    }
}

/// The heads of the best tree with one token on the root: what hangs below that token reaches from
/// the first to the last.
pub fn best(arcs: &Arcs) -> Vec<u32> {
    let (chart, last) = (Chart::new(arcs), arcs.n - 1);
    let of = |top: usize| arcs.score(top + 1, 0) + chart.full(Side::Right, 0, top) + chart.full(Side::Left, top, last);
    let top = most(0..arcs.n, of).split;
    let mut heads = vec![0; arcs.n];
    chart.trace(Side::Right, 0, top, &mut heads);
    chart.trace(Side::Left, top, last, &mut heads);
    heads
}
