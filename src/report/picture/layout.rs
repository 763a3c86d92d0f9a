//! A layered layout after Sugiyama: ranks by longest path, order by barycentres, places by least
//! squares. Ranks are columns from left to right.

/// What is to be placed: boxes with width and height, and arrows between them.
pub struct Input<'a> {
    /// Widths and heights.
    pub sizes: &'a [(f64, f64)],
    /// From and to.
    pub edges: &'a [(usize, usize)],
}

/// Where everything lies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// The middle of each box.
    pub centers: Vec<(f64, f64)>,
    /// Points of each arrow: from the side of one box to the side of the other.
    pub routes: Vec<Vec<(f64, f64)>>,
    /// The whole width.
    pub width: f64,
    /// The whole height.
    pub height: f64,
}

/// Between columns.
const GAP_X: f64 = 88.0;
/// Between boxes of a column.
const GAP_Y: f64 = 18.0;
/// Around everything.
const MARGIN: f64 = 12.0;
/// Height of the way of a long arrow through a column.
const LANE: f64 = 8.0;

/// Places boxes and arrows.
pub fn layout(input: &Input<'_>) -> Layout {
    let forward = without_cycles(input);
    let ranks = ranks(input.sizes.len(), &forward);
    let mut sketch = Sketch::new(input, &forward, ranks);
    sketch.order();
    sketch.place();
    sketch.finish(input, &forward)
}

/// The arrows with those turned round that close a cycle.
fn without_cycles(input: &Input<'_>) -> Vec<(usize, usize)> {
    let count = input.sizes.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    input.edges.iter().for_each(|(from, to)| next[*from].push(*to));
    // 0: not seen, 1: on the way, 2: done.
    let mut state = vec![0; count];
    let mut back = std::collections::HashSet::new();
    for start in 0..count {
        let mut way = vec![(start, 0)];
        while let Some((at, child)) = way.pop() {
            if child == 0 && state[at] != 0 {
                continue;
            }
            state[at] = 1;
            match next[at].get(child) {
                None => state[at] = 2,
                Some(to) => {
                    way.push((at, child + 1));
                    match state[*to] {
                        0 => way.push((*to, 0)),
                        1 => drop(back.insert((at, *to))),
                        _ => {}
                    }
                }
            }
        }
    }
    let turn = |edge: &(usize, usize)| if back.contains(edge) { (edge.1, edge.0) } else { *edge };
    input.edges.iter().map(turn).collect()
}

/// The longest path to each box.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut ranks = vec![0; count];
    for _ in 0..count {
        let mut moved = false;
        for (from, to) in edges.iter().filter(|(from, to)| from != to) {
            if ranks[*to] <= ranks[*from] {
                ranks[*to] = ranks[*from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    ranks
}

/// Boxes and the lanes of long arrows, in columns.
struct Sketch {
    columns: Vec<Vec<usize>>,
    heights: Vec<f64>,
    widths: Vec<f64>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    y: Vec<f64>,
    /// For each arrow, the points that it passes, ends included.
    chains: Vec<Vec<usize>>,
}

impl Sketch {
    fn new(input: &Input<'_>, edges: &[(usize, usize)], ranks: Vec<usize>) -> Self {
        let count = ranks.iter().max().map_or(0, |most| most + 1);
        let mut sketch = Self {
            columns: vec![Vec::new(); count],
            heights: input.sizes.iter().map(|size| size.1).collect(),
            widths: vec![0.0; count],
            before: vec![Vec::new(); ranks.len()],
            after: vec![Vec::new(); ranks.len()],
            y: Vec::new(),
            chains: Vec::new(),
        };
        for (at, rank) in ranks.iter().enumerate() {
            sketch.columns[*rank].push(at);
            sketch.widths[*rank] = sketch.widths[*rank].max(input.sizes[at].0);
        }
        for (from, to) in edges {
            let mut chain = vec![*from];
            for rank in ranks[*from] + 1..ranks[*to] {
                chain.push(sketch.lane(rank));
            }
            chain.push(*to);
            for pair in chain.windows(2) {
                sketch.after[pair[0]].push(pair[1]);
                sketch.before[pair[1]].push(pair[0]);
            }
            sketch.chains.push(chain);
        }
        sketch
    }

    fn lane(&mut self, rank: usize) -> usize {
        let at = self.heights.len();
        self.heights.push(LANE);
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        self.columns[rank].push(at);
        at
    }

    /// Sorts columns by the mean place of neighbours, to and fro, and keeps the best order.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for sweep in 0..16 {
            let forward = sweep % 2 == 0;
            let mut place = self.indices();
            let columns: Vec<usize> = (0..self.columns.len()).collect();
            let columns = if forward { columns } else { columns.into_iter().rev().collect() };
            for column in columns {
                let near = if forward { &self.before } else { &self.after };
                let mean = |at: usize| {
                    let near = &near[at];
                    let sum: f64 = near.iter().map(|other| place[*other]).sum();
                    if near.is_empty() { place[at] } else { sum / near.len() as f64 }
                };
                let mut keyed: Vec<(f64, usize)> = self.columns[column].iter().map(|at| (mean(*at), *at)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                let scale = keyed.len().max(1) as f64;
                keyed.iter().enumerate().for_each(|(i, (_, at))| place[*at] = (i as f64 + 0.5) / scale);
                self.columns[column] = keyed.into_iter().map(|(_, at)| at).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    /// The place of each point in its column, from 0 to 1.
    fn indices(&self) -> Vec<f64> {
        let mut place = vec![0.0; self.heights.len()];
        for column in &self.columns {
            let scale = column.len().max(1) as f64;
            column.iter().enumerate().for_each(|(i, at)| place[*at] = (i as f64 + 0.5) / scale);
        }
        place
    }

    fn crossings(&self) -> usize {
        let place = self.indices();
        let cross = |column: &Vec<usize>| {
            let arrows: Vec<(f64, f64)> =
                column.iter().flat_map(|a| self.after[*a].iter().map(|b| (place[*a], place[*b]))).collect();
            let pairs = arrows.iter().enumerate().flat_map(|(i, a)| arrows[..i].iter().map(move |b| (a, b)));
            pairs.filter(|(a, b)| (a.0 - b.0) * (a.1 - b.1) < 0.0).count()
        };
        self.columns.iter().map(cross).sum()
    }

    /// Draws every point to the mean of its neighbours, as far as its column has room.
    fn place(&mut self) {
        self.y = vec![0.0; self.heights.len()];
        for column in self.columns.clone() {
            let zeros = vec![0.0; column.len()];
            self.spread(&column, &zeros);
        }
        for sweep in 0..24 {
            let columns: Vec<Vec<usize>> = match sweep % 2 {
                0 => self.columns.clone(),
                _ => self.columns.iter().rev().cloned().collect(),
            };
            for column in columns {
                let wanted: Vec<f64> = column.iter().map(|at| self.wanted(*at)).collect();
                self.spread(&column, &wanted);
            }
        }
    }

    fn wanted(&self, at: usize) -> f64 {
        let near: Vec<f64> = self.before[at].iter().chain(&self.after[at]).map(|other| self.y[*other]).collect();
        if near.is_empty() { self.y[at] } else { near.iter().sum::<f64>() / near.len() as f64 }
    }

    /// The places nearest to the wanted ones (least squares) that keep order and distance:
    /// neighbours that would overlap are pooled, as in isotonic regression.
    fn spread(&mut self, column: &[usize], wanted: &[f64]) {
        let mut offset = 0.0;
        let mut offsets = Vec::new();
        for (i, at) in column.iter().enumerate() {
            if i > 0 {
                offset += (self.heights[column[i - 1]] + self.heights[*at]) / 2.0 + GAP_Y;
            }
            offsets.push(offset);
        }
        let mut blocks: Vec<(f64, usize)> = Vec::new();
        for (wish, offset) in wanted.iter().zip(&offsets) {
            blocks.push((wish - offset, 1));
            while let [.., a, b] = blocks[..]
                && a.0 > b.0
            {
                let count = a.1 + b.1;
                let mean = (a.0 * a.1 as f64 + b.0 * b.1 as f64) / count as f64;
                blocks.truncate(blocks.len() - 2);
                blocks.push((mean, count));
            }
        }
        let bases = blocks.iter().flat_map(|(base, count)| std::iter::repeat_n(*base, *count));
        for ((at, offset), base) in column.iter().zip(&offsets).zip(bases) {
            self.y[*at] = base + offset;
        }
    }

    fn finish(&self, input: &Input<'_>, forward: &[(usize, usize)]) -> Layout {
        let tops = self.y.iter().zip(&self.heights);
        let top = tops.clone().map(|(y, h)| y - h / 2.0).fold(f64::INFINITY, f64::min).min(1e9);
        let bottom = tops.map(|(y, h)| y + h / 2.0).fold(top, f64::max);
        let mut left = MARGIN;
        let (mut x, mut half_of) = (vec![0.0; self.heights.len()], vec![0.0; self.heights.len()]);
        for (column, width) in self.columns.iter().zip(&self.widths) {
            for at in column {
                (x[*at], half_of[*at]) = (left + width / 2.0, width / 2.0);
            }
            left += width + GAP_X;
        }
        let point = |at: usize| (x[at], self.y[at] - top + MARGIN);
        let route = |(chain, (edge, turned)): (&Vec<usize>, (&(usize, usize), bool))| {
            let side = |at: usize, right: f64| (point(at).0 + right * input.sizes[at].0 / 2.0, point(at).1);
            let mut points = vec![side(edge.0, 1.0)];
            for lane in &chain[1..chain.len() - 1] {
                // Straight through the column, between its boxes.
                let ((x, y), half) = (point(*lane), half_of[*lane]);
                points.extend([(x - half, y), (x + half, y)]);
            }
            points.push(side(edge.1, -1.0));
            if turned {
                points.reverse();
            }
            points
        };
        let turned = forward.iter().zip(input.edges).map(|(a, b)| (a, a != b));
        Layout {
            centers: (0..input.sizes.len()).map(point).collect(),
            routes: self.chains.iter().zip(turned).map(route).collect(),
            width: (left - GAP_X).max(0.0) + MARGIN,
            height: bottom - top + 2.0 * MARGIN,
        }
    }
}
