//! A Transformer decoder one place at a time. The keys and values of earlier places stay where
//! they were put; a hypothesis knows which of them are its own, so that none is moved when
//! hypotheses are dropped or continued twice.

use candle_core::Result;

use super::decoder::Layer;
use super::number::{Look, Map, Normal, look_all, plus};
use super::search::{Place, Steps};
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::simd;
use crate::backend::kernels::transformer::{NormParams, position};

/// The layers, the memory as they look at it, and what earlier places left.
pub struct Cached {
    layers: Vec<Numbers>,
    norm: Normal,
    heads: usize,
    width: usize,
    /// Rows of the memory of each example.
    memory: Vec<Vec<u32>>,
    /// The earlier places of each hypothesis, as rows of what each layer keeps.
    paths: Vec<Vec<u32>>,
    /// Rows that each layer keeps.
    kept: usize,
    /// The position that comes next.
    position: usize,
}

/// A layer.
struct Numbers {
    norm_self: Normal,
    qkv: Map,
    self_out: Map,
    cross: Look,
    cross_out: Map,
    norm_ff: Normal,
    ff_in: Map,
    ff_out: Map,
    /// Keys and values of earlier places, `[kept, 2d]`.
    earlier: Vec<f32>,
}

impl Numbers {
    fn new(layer: &Layer, memory: &[f32], rows: usize) -> Result<Self> {
        Ok(Self {
            norm_self: Normal::of(&layer.norm_self)?,
            qkv: Map::of(&layer.qkv)?,
            self_out: Map::of(&layer.self_out)?,
            cross: Look::of(&layer.cross, memory, rows)?,
            cross_out: Map::of(&layer.cross_out)?,
            norm_ff: Normal::of(&layer.norm_ff)?,
            ff_in: Map::of(&layer.ff_in)?,
            ff_out: Map::of(&layer.ff_out)?,
            earlier: Vec::new(),
        })
    }
}

impl Cached {
    /// Before the first place, over a memory `[M, d]` with these rows for each example.
    pub fn new((layers, norm, heads): (&[Layer], &NormParams, usize), memory: &[f32], offsets: &[u32]) -> Result<Self> {
        let rows = offsets.last().map_or(0, |o| *o as usize);
        Ok(Self {
            layers: layers.iter().map(|layer| Numbers::new(layer, memory, rows)).collect::<Result<_>>()?,
            norm: Normal::of(norm)?,
            heads,
            width: norm.gamma.len(),
            memory: offsets.windows(2).map(|o| (o[0]..o[1]).collect()).collect(),
            paths: Vec::new(),
            kept: 0,
            position: 0,
        })
    }
}

impl Steps for Cached {
    fn step(&mut self, places: &[Place], mut x: Vec<f32>) -> Vec<f32> {
        let (n, d, heads) = (places.len(), self.width, self.heads);
        let longer = |(i, place): (usize, &Place)| {
            let mut path = self.paths.get(place.parent as usize).cloned().unwrap_or_default();
            path.push((self.kept + i) as u32);
            path
        };
        self.paths = places.iter().enumerate().map(longer).collect();
        self.kept += n;
        let here = position(self.position, d);
        x.chunks_exact_mut(d).for_each(|row| simd::add(row, &here));
        self.position += 1;
        for layer in &mut self.layers {
            let qkv = layer.qkv.apply(&layer.norm_self.apply(&x), n);
            let mut q = Vec::with_capacity(n * d);
            for row in qkv.chunks_exact(3 * d) {
                q.extend_from_slice(&row[..d]);
                layer.earlier.extend_from_slice(&row[d..]);
            }
            let seen = look_all(&q, d, heads, &layer.earlier, |i| &self.paths[i]);
            x = plus(layer.self_out.apply(&seen, n), &x);
            let seen = layer.cross.apply(&x, n, heads, |i| &self.memory[places[i].example as usize]);
            x = plus(layer.cross_out.apply(&seen, n), &x);
            let mut inner = layer.ff_in.apply(&layer.norm_ff.apply(&x), n);
            Activation::Gelu.forward(&mut inner);
            x = plus(layer.ff_out.apply(&inner, n), &x);
        }
        self.norm.apply(&x)
    }
}
