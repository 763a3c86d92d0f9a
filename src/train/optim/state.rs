//! An optimiser's state as named arrays, for checkpoints.

use candle_core::{Device, Result, Tensor};

use super::Optimizer;

/// An array with its name and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// `optimizer/m/reader.w`.
    pub name: String,
    /// The parameter's shape.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Vec<f32>,
}

impl Optimizer {
    /// How many steps each parameter has made.
    pub fn steps(&self) -> &[u64] {
        &self.steps
    }

    /// The state of all parameters that have made a step; names begin with `prefix`.
    pub fn save(&self, prefix: &str) -> Result<Vec<Slot>> {
        let mut saved = Vec::new();
        for (index, place) in self.places.iter().enumerate().filter(|(i, _)| self.steps[*i] > 0) {
            for (slot, what) in self.rule.slots().iter().enumerate() {
                let name = format!("{prefix}/{what}/{}", place.name);
                let data = match self.device[index].get(slot) {
                    Some(tensor) => tensor.flatten_all()?.to_vec1()?,
                    None => self.flat[slot][place.offset..place.offset + place.len].to_vec(),
                };
                saved.push(Slot { name, shape: place.shape.clone(), data });
            }
        }
        Ok(saved)
    }

    /// Takes up saved state. `find` gives the array of a name; `device` says where each
    /// parameter lies. Fails when an array is missing or has another size.
    pub fn load(
        &mut self,
        prefix: &str,
        steps: &[u64],
        device: impl Fn(usize) -> Device,
        find: impl Fn(&str) -> Option<Vec<f32>>,
    ) -> Result<()> {
        if steps.len() != self.places.len() {
            candle_core::bail!("{} step counts for {} parameters", steps.len(), self.places.len());
        }
        self.steps = steps.to_vec();
        for index in (0..steps.len()).filter(|i| steps[*i] > 0) {
            for slot in 0..self.rule.slots().len() {
                let name = format!("{prefix}/{}/{}", self.rule.slots()[slot], self.places[index].name);
                let Some(data) = find(&name).filter(|d| d.len() == self.places[index].len) else {
                    candle_core::bail!("`{name}` is missing or has another size");
                };
                self.put(index, slot, data, device(index))?;
            }
        }
        Ok(())
    }

    fn put(&mut self, index: usize, slot: usize, data: Vec<f32>, device: Device) -> Result<()> {
        let place = &self.places[index];
        if self.on_host(&device) {
            self.flat[slot][place.offset..place.offset + place.len].copy_from_slice(&data);
            return Ok(());
        }
        if slot == 0 {
            self.device[index].clear();
        }
        self.device[index].push(Tensor::from_vec(data, place.shape.clone(), &device)?);
        Ok(())
    }
}
