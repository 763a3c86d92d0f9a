//! Attention along the edges of a graph (Veličković et al., 2018), whose nodes are packed rows.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashSet;

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use super::buffer::{floats, is_fused, operand, result, tensor};
use super::segment::{segment_softmax, sum};
use super::select::select;
use super::simd;
use crate::backend::param::Param;
use crate::backend::rows::Offsets;

/// The slope of LeakyReLU below 0, as in the paper.
const SLOPE: f32 = 0.2;

/// A reason for two places of a segment to be neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// They are so far apart in one part, or less.
    Window(usize),
    /// None is needed.
    All,
    /// They are of different parts.
    Across,
}

/// The neighbours of each row; each is one of its own.
#[derive(Debug)]
pub struct Neighbours {
    /// Where the neighbours of each row begin, and the end.
    starts: Offsets,
    /// The rows of the neighbours, ascending for each row.
    rows: Vec<u32>,
    /// The row that each edge is of.
    of: Vec<u32>,
}

/// Which part a place of a segment is of, and where it stands there.
type Place = (usize, usize);

impl Neighbours {
    /// Of the rows of each segment, which is made of these parts one after the other, or of one.
    /// The rows that `given` pairs are neighbours of each other too.
    pub fn new(offsets: &Offsets, parts: &[Offsets], forms: &[Form], given: &[[u32; 2]]) -> Self {
        let given: FxHashSet<[u32; 2]> = given.iter().flat_map(|[i, j]| [[*i, *j], [*j, *i]]).collect();
        let (mut starts, mut rows, mut of) = (vec![0u32], Vec::new(), Vec::new());
        for (segment, range) in offsets.windows(2).enumerate() {
            let places = places(range, parts, segment);
            for (i, one) in places.iter().enumerate() {
                let is_given = |j: usize| given.contains(&[range[0] + i as u32, range[0] + j as u32]);
                let near = |(j, _): &(usize, &Place)| {
                    i == *j || forms.iter().any(|f| f.joins(*one, places[*j])) || is_given(*j)
                };
                rows.extend(places.iter().enumerate().filter(near).map(|(j, _)| range[0] + j as u32));
                of.resize(rows.len(), range[0] + i as u32);
                starts.push(rows.len() as u32);
            }
        }
        Self { starts: starts.into(), rows, of }
    }

    /// The edges of row `i`.
    fn edges(&self, i: usize) -> std::ops::Range<usize> {
        self.starts[i] as usize..self.starts[i + 1] as usize
    }

    fn count(&self) -> usize {
        self.starts.len() - 1
    }
}

fn places(range: &[u32], parts: &[Offsets], segment: usize) -> Vec<Place> {
    if parts.is_empty() {
        return (0..(range[1] - range[0]) as usize).map(|at| (0, at)).collect();
    }
    let length = |part: &Offsets| (part[segment + 1] - part[segment]) as usize;
    parts.iter().enumerate().flat_map(|(p, part)| (0..length(part)).map(move |at| (p, at))).collect()
}

impl Form {
    fn joins(self, (part, at): Place, (other, there): Place) -> bool {
        match self {
            Form::Window(reach) => part == other && at.abs_diff(there) <= reach,
            Form::All => true,
            Form::Across => part != other,
        }
    }
}

/// `Σ_j α_ij h_j` over the neighbours j of each row i of `h [N, d]`, with
/// `α_ij = softmax_j LeakyReLU(a·h_i + b·h_j)` for each of the heads, which share the width:
/// `a [d]`, `b [d]`.
pub fn attend(h: &Tensor, a: &Param, b: &Param, neighbours: &Arc<Neighbours>, heads: usize) -> Result<Tensor> {
    let (rows, width) = h.dims2()?;
    if rows != neighbours.count() || heads == 0 || !width.is_multiple_of(heads) || a.len() != width || b.len() != width
    {
        bail!("{heads} heads over {:?} for {} places", h.shape(), neighbours.count());
    }
    if !is_fused(h) {
        return plain(h, &a.tensor(), &b.tensor(), neighbours, heads);
    }
    let op = Edges { neighbours: neighbours.clone(), heads, saved: OnceLock::new() };
    h.contiguous()?.apply_op3(&a.tensor(), &b.tensor(), op)
}

/// The same out of Candle's operations.
fn plain(h: &Tensor, a: &Tensor, b: &Tensor, neighbours: &Neighbours, heads: usize) -> Result<Tensor> {
    let (rows, width) = h.dims2()?;
    let by_head = |x: &Tensor| x.reshape((x.dim(0)?, heads, width / heads));
    let score = |w: &Tensor| by_head(&h.broadcast_mul(w)?)?.sum(D::Minus1);
    let scores = (select(&score(a)?, neighbours.of.clone())? + select(&score(b)?, neighbours.rows.clone())?)?;
    let slope = f64::from(SLOPE);
    let leaky = ((scores.relu()? * (1.0 - slope))? + (&scores * slope)?)?;
    let p = segment_softmax(&leaky, &neighbours.starts)?;
    let seen = by_head(&select(h, neighbours.rows.clone())?)?.broadcast_mul(&p.unsqueeze(2)?)?;
    sum(&seen.reshape((neighbours.rows.len(), width))?, &neighbours.starts)?.reshape((rows, width))
}

struct Edges {
    neighbours: Arc<Neighbours>,
    heads: usize,
    saved: OnceLock<Saved>,
}

/// What the way back needs, `[edges, heads]`.
struct Saved {
    /// The weight of each edge.
    p: Vec<f32>,
    /// The slope of each score.
    slopes: Vec<f32>,
}

/// `w · h` for each row and head.
fn scores(h: &[f32], w: &[f32], heads: usize) -> Vec<f32> {
    let each = (w.len() / heads).max(1);
    let of_row = |row: &[f32]| -> Vec<f32> {
        row.chunks_exact(each).zip(w.chunks_exact(each)).map(|(h, w)| simd::dot(h, w)).collect()
    };
    h.chunks_exact(w.len().max(1)).flat_map(of_row).collect()
}

impl Edges {
    /// The weights of the edges of each row.
    fn weigh(&self, looks: &[f32], seen: &[f32]) -> Saved {
        let (edges, k) = (&self.neighbours, self.heads);
        let (mut p, mut slopes) = (vec![0.0; edges.rows.len() * k], vec![1.0; edges.rows.len() * k]);
        let mut row = Vec::new();
        for (i, head) in (0..edges.count()).flat_map(|i| (0..k).map(move |head| (i, head))) {
            row.clear();
            for e in edges.edges(i) {
                let score = looks[i * k + head] + seen[edges.rows[e] as usize * k + head];
                let slope = if score > 0.0 { 1.0 } else { SLOPE };
                slopes[e * k + head] = slope;
                row.push(slope * score);
            }
            simd::softmax(&mut row);
            edges.edges(i).zip(&row).for_each(|(e, x)| p[e * k + head] = *x);
        }
        Saved { p, slopes }
    }

    /// Runs `f(edge's head, row, neighbour)` for all.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let k = self.heads;
        for (e, (i, j)) in self.neighbours.of.iter().zip(&self.neighbours.rows).enumerate() {
            (0..k).for_each(|head| f(e * k + head, *i as usize * k + head, *j as usize * k + head));
        }
    }
}

impl CustomOp3 for Edges {
    fn name(&self) -> &'static str {
        "edges"
    }

    fn cpu_fwd(
        &self,
        h: &CpuStorage,
        lh: &Layout,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (h, a, b) = (operand(h, lh)?, operand(a, la)?, operand(b, lb)?);
        let saved = self.weigh(&scores(h, a, self.heads), &scores(h, b, self.heads));
        let each = a.len() / self.heads;
        let mut y = vec![0.0; h.len()];
        self.each(|e, i, j| simd::add_scaled(&mut y[i * each..][..each], saved.p[e], &h[j * each..][..each]));
        let _ = self.saved.set(saved);
        result(y, lh.shape().clone())
    }

    fn bwd(
        &self,
        h: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(saved) = self.saved.get() else { bail!("the backward pass of edges came before the forward pass") };
        let grad = grad.contiguous()?;
        let (x, a_numbers, b_numbers, g) = (floats(h)?, floats(a)?, floats(b)?, floats(&grad)?);
        let each = a_numbers.len() / self.heads;
        let at = |i: usize| i * each..(i + 1) * each;
        // Of the weights, and of what the rows get through them.
        let (mut dp, mut dh) = (vec![0.0; saved.p.len()], vec![0.0; x.len()]);
        self.each(|e, i, j| {
            dp[e] = simd::dot(&g[at(i)], &x[at(j)]);
            simd::add_scaled(&mut dh[at(j)], saved.p[e], &g[at(i)]);
        });
        let mut mean = vec![0.0; x.len() / each.max(1)];
        self.each(|e, i, _| mean[i] += saved.p[e] * dp[e]);
        // Of the scores, on either side of an edge.
        let (mut looks, mut seen) = (vec![0.0; mean.len()], vec![0.0; mean.len()]);
        self.each(|e, i, j| {
            let d = saved.p[e] * (dp[e] - mean[i]) * saved.slopes[e];
            looks[i] += d;
            seen[j] += d;
        });
        let (mut da, mut db) = (vec![0.0; a_numbers.len()], vec![0.0; a_numbers.len()]);
        for i in 0..mean.len() {
            let head = at(i % self.heads);
            simd::add_scaled(&mut dh[at(i)], looks[i], &a_numbers[head.clone()]);
            simd::add_scaled(&mut dh[at(i)], seen[i], &b_numbers[head.clone()]);
            simd::add_scaled(&mut da[head.clone()], looks[i], &x[at(i)]);
            simd::add_scaled(&mut db[head], seen[i], &x[at(i)]);
        }
        Ok((Some(tensor(dh, h.shape())?), Some(tensor(da, a.shape())?), Some(tensor(db, b.shape())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::rows::offsets_of;

    #[test]
    fn forms_of_edges() {
        let of = |offsets: &[usize], parts: &[Vec<usize>], forms: &[Form]| {
            let parts: Vec<Offsets> = parts.iter().map(|p| offsets_of(p.iter().copied())).collect();
            let all = Neighbours::new(&offsets_of(offsets.iter().copied()), &parts, forms, &[]);
            (0..all.count()).map(|i| all.rows[all.edges(i)].to_vec()).collect::<Vec<_>>()
        };
        let window = [vec![0, 1], vec![0, 1, 2], vec![1, 2], vec![3]];
        assert_eq!(of(&[3, 0, 1], &[], &[Form::Window(1)]), window);
        assert_eq!(of(&[2, 1], &[], &[Form::All]), [vec![0, 1], vec![0, 1], vec![2]]);
        // Two words and a label; then a word, and no label.
        let parts = [vec![2, 1], vec![1, 0]];
        assert_eq!(of(&[3, 1], &parts, &[Form::Across]), [vec![0, 2], vec![1, 2], vec![0, 1, 2], vec![3]]);
        let both = of(&[3, 1], &parts, &[Form::Across, Form::Window(1)]);
        assert_eq!(both, [vec![0, 1, 2], vec![0, 1, 2], vec![0, 1, 2], vec![3]]);
    }
}
