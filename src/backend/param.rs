//! Parameters and the flat array that their gradients are added to.
//!
//! A fused operation adds the gradient of its weights straight into [`Grads`] through the
//! parameter's [`Sink`] and returns `None` for the weight in its `bwd`, which Candle accepts
//! for a `Var`. Operations made of Candle's own leave the gradient in Candle's `GradStore`;
//! [`Grads::collect`] adds that in after the backward pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{DType, Result, Tensor, Var};

/// The gradients of all parameters, one after another in one array.
#[derive(Debug)]
pub struct Grads {
    flat: Mutex<Vec<f32>>,
    touched: Vec<AtomicBool>,
    /// Parameters that accept gradients at present (`updates:` masks the others).
    open: Vec<AtomicBool>,
}

impl Grads {
    /// Zero gradients for `count` parameters with `total` numbers in all.
    pub fn new(count: usize, total: usize) -> Arc<Self> {
        Arc::new(Self {
            flat: Mutex::new(vec![0.0; total]),
            touched: (0..count).map(|_| AtomicBool::new(false)).collect(),
            open: (0..count).map(|_| AtomicBool::new(true)).collect(),
        })
    }

    /// The array itself.
    pub fn lock(&self) -> MutexGuard<'_, Vec<f32>> {
        self.flat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets all gradients to zero and forgets which were touched.
    pub fn clear(&self) {
        self.lock().fill(0.0);
        self.touched.iter().for_each(|t| t.store(false, Ordering::Relaxed));
    }

    /// Whether parameter `index` got a gradient since the last [`Grads::clear`].
    pub fn touched(&self, index: usize) -> bool {
        self.touched[index].load(Ordering::Relaxed)
    }

    /// Lets gradients through to the parameters for which `allow` says so.
    pub fn mask(&self, allow: impl Fn(usize) -> bool) {
        self.open.iter().enumerate().for_each(|(i, o)| o.store(allow(i), Ordering::Relaxed));
    }

    /// Adds what Candle's own backward left for these parameters.
    pub fn collect(&self, params: &[Param], store: &GradStore) -> Result<()> {
        for param in params {
            let Some(grad) = store.get(param.var.as_tensor()) else { continue };
            let grad = grad.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            param.sink.add_with(|flat| flat.iter_mut().zip(&grad).for_each(|(f, g)| *f += g));
        }
        Ok(())
    }
}

/// The part of [`Grads`] that belongs to one parameter.
#[derive(Clone, Debug)]
pub struct Sink {
    grads: Arc<Grads>,
    index: usize,
    offset: usize,
    len: usize,
}

impl Sink {
    /// The sink of parameter `index`, whose numbers begin at `offset`.
    pub fn new(grads: &Arc<Grads>, index: usize, offset: usize, len: usize) -> Self {
        Self { grads: grads.clone(), index, offset, len }
    }

    /// Gives the parameter's gradient (row-major, as its shape) to `add`, which adds to it.
    /// Does nothing when the parameter takes no gradient at present.
    pub fn add_with(&self, add: impl FnOnce(&mut [f32])) {
        if !self.grads.open[self.index].load(Ordering::Relaxed) {
            return;
        }
        add(&mut self.grads.lock()[self.offset..self.offset + self.len]);
        self.grads.touched[self.index].store(true, Ordering::Relaxed);
    }

    /// Position of the first number in the flat arrays.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

/// A trainable tensor: its values, and where its gradient goes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Param {
    /// The path in checkpoints: `private.books.lstm.w_ih`.
    pub name: Arc<str>,
    /// The values.
    pub var: Var,
    /// Where the gradient goes.
    pub sink: Sink,
    /// False while a stage freezes it.
    pub trainable: bool,
}

impl Param {
    /// The values as an operand: tracked when trainable, detached when frozen. A custom
    /// operation must take this as an argument (so that the graph reaches it even when its
    /// other inputs need no gradient), and write its gradient only if `track_op()` holds.
    pub fn tensor(&self) -> Tensor {
        if self.trainable { self.var.as_tensor().clone() } else { self.var.as_detached_tensor() }
    }

    /// Number of numbers.
    pub fn len(&self) -> usize {
        self.sink.len
    }

    /// Whether it has no numbers.
    pub fn is_empty(&self) -> bool {
        self.sink.len == 0
    }
}

/// Parameters over one flat gradient array, in the order given.
pub fn flat_params(named: Vec<(String, Tensor)>) -> Result<(Vec<Param>, Arc<Grads>)> {
    let total = named.iter().map(|(_, t)| t.elem_count()).sum();
    let grads = Grads::new(named.len(), total);
    let mut offset = 0;
    let mut params = Vec::with_capacity(named.len());
    for (index, (name, tensor)) in named.into_iter().enumerate() {
        let len = tensor.elem_count();
        let sink = Sink::new(&grads, index, offset, len);
        params.push(Param { name: name.into(), var: Var::from_tensor(&tensor)?, sink, trainable: true });
        offset += len;
    }
    Ok((params, grads))
}
