//! A recurrent decoder one place at a time.

use candle_core::Result;

use super::decoder::Body;
use super::number::{Look, Map};
use super::search::{Place, Steps};
use super::words::numbers;
use crate::backend::kernels::activation::Activation;
use crate::backend::kernels::simd::{self, fused, sigmoid_one, simd, tanh_one};

/// The layers, the memory as they look at it, and the states of each hypothesis.
pub struct Unrolled {
    layers: Vec<Numbers>,
    /// How states look at the memory, and the map of what they find and of them.
    look: Option<(Look, Map)>,
    /// What the first step reads beside its word, `[examples, inputs]`.
    start: Vec<f32>,
    /// Rows of the memory of each example.
    memory: Vec<Vec<u32>>,
    begun: bool,
}

/// A layer with its states and cells, `[n, h]`.
struct Numbers {
    inputs: Map,
    states: Map,
    h: usize,
    state: Vec<f32>,
    cell: Vec<f32>,
}

impl Unrolled {
    /// Before the first place, over a memory `[M, d]` with these rows for each example; `None` for
    /// another kind of decoder.
    pub fn new(body: &Body, memory: &[f32], offsets: &[u32]) -> Result<Option<Self>> {
        let Body::Lstm { layers, start, look } = body else { return Ok(None) };
        let rows = offsets.last().map_or(0, |o| *o as usize);
        let width = memory.len() / rows.max(1);
        let mut mean = Vec::with_capacity((offsets.len() - 1) * width);
        for o in offsets.windows(2) {
            let mut sum = vec![0.0; width];
            simd::add_rows(&mut sum, &memory[o[0] as usize * width..o[1] as usize * width]);
            let share = 1.0 / (o[1] - o[0]).max(1) as f32;
            mean.extend(sum.iter().map(|x| x * share));
        }
        let mut first = Map::of(start)?.apply(&mean, offsets.len() - 1);
        Activation::Tanh.forward(&mut first);
        let layer = |[w_ih, w_hh, bias]: &[crate::backend::param::Param; 3]| {
            let gates = bias.len();
            Ok(Numbers {
                inputs: Map::new(numbers(w_ih)?, numbers(bias)?),
                states: Map::new(numbers(w_hh)?, vec![0.0; gates]),
                h: gates / 4,
                state: Vec::new(),
                cell: Vec::new(),
            })
        };
        let looking =
            |(cross, mix): &(_, _)| Ok::<_, candle_core::Error>((Look::of(cross, memory, rows)?, Map::of(mix)?));
        Ok(Some(Self {
            layers: layers.iter().map(layer).collect::<Result<_>>()?,
            look: look.as_deref().map(looking).transpose()?,
            start: first,
            memory: offsets.windows(2).map(|o| (o[0]..o[1]).collect()).collect(),
            begun: false,
        }))
    }
}

/// The rows of these places' parents; zeros before the first step.
fn continued(states: &[f32], places: &[Place], h: usize) -> Vec<f32> {
    if states.is_empty() {
        return vec![0.0; places.len() * h];
    }
    places.iter().flat_map(|place| &states[place.parent as usize * h..][..h]).copied().collect()
}

impl Steps for Unrolled {
    fn step(&mut self, places: &[Place], mut x: Vec<f32>) -> Vec<f32> {
        let n = places.len();
        if !std::mem::replace(&mut self.begun, true) {
            let width = x.len() / n.max(1);
            for (row, place) in x.chunks_exact_mut(width).zip(places) {
                simd::add(row, &self.start[place.example as usize * width..][..width]);
            }
        }
        for layer in &mut self.layers {
            layer.state = continued(&layer.state, places, layer.h);
            layer.cell = continued(&layer.cell, places, layer.h);
            let mut gates = layer.inputs.apply(&x, n);
            layer.states.add(&layer.state, n, &mut gates);
            advance(&gates, layer.h, &mut layer.state, &mut layer.cell);
            x = layer.state.clone();
        }
        let Some((look, mix)) = &self.look else { return x };
        let seen = look.apply(&x, n, 1, |i| &self.memory[places[i].example as usize]);
        let (d, h) = (seen.len() / n.max(1), x.len() / n.max(1));
        let pairs = seen.chunks_exact(d.max(1)).zip(x.chunks_exact(h.max(1)));
        let both: Vec<f32> = pairs.flat_map(|(seen, state)| seen.iter().chain(state)).copied().collect();
        let mut y = mix.apply(&both, n);
        Activation::Tanh.forward(&mut y);
        y
    }
}

simd! {
    /// One step of an LSTM from the sums in front of its gates, `[n, 4h]`.
    fn advance(gates: &[f32], h: usize, states: &mut [f32], cells: &mut [f32]) {
        for ((gates, state), cell) in
            gates.chunks_exact(4 * h).zip(states.chunks_exact_mut(h)).zip(cells.chunks_exact_mut(h))
        {
            for k in 0..h {
                let (i, f) = (sigmoid_one::<FMA>(gates[k]), sigmoid_one::<FMA>(gates[h + k]));
                let (g, o) = (tanh_one::<FMA>(gates[2 * h + k]), sigmoid_one::<FMA>(gates[3 * h + k]));
                cell[k] = fused::<FMA>(f, cell[k], i * g);
                state[k] = o * tanh_one::<FMA>(cell[k]);
            }
        }
    }
}
