//! Parameters and the flat array that their gradients are added to.
//!
//! A fused operation adds the gradient of its weights straight into [`Grads`] through the
//! parameter's [`Sink`] and returns `None` for the weight in its `bwd`, which Candle accepts
//! for a `Var`. Operations made of Candle's own leave the gradient in Candle's `GradStore`;
//! [`Grads::collect`] adds that in after the backward pass.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};

use candle_core::backprop::GradStore;
use candle_core::{DType, Result, Tensor, Var};

/// Which numbers of a gradient may differ from zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Written {
    /// None.
    #[default]
    Nothing,
    /// These rows, `width` wide, of a table of which few rows are read.
    Rows {
        /// Numbers of a row.
        width: usize,
        /// The rows; from [`Grads::written`] each once, going up.
        rows: Vec<u32>,
    },
    /// All.
    All,
}

/// The gradients of all parameters, one after another in one array. Threads may add to different
/// parameters at the same time.
#[derive(Debug)]
pub struct Grads {
    flat: UnsafeCell<Vec<f32>>,
    /// Held for writing by who sees the whole array, for reading by who adds to a parameter.
    whole: RwLock<()>,
    /// Held by who adds to a parameter: what was added to since it was zero.
    parts: Vec<Mutex<Written>>,
    /// The numbers of each parameter.
    ranges: Vec<Range<usize>>,
    /// Parameters that accept gradients at present (`updates:` masks the others).
    open: Vec<AtomicBool>,
}

// SAFETY: `flat` is only reached through `whole` held for writing, or through `whole` held for
// reading and the parameter's own lock, and then only its own numbers.
unsafe impl Sync for Grads {}

/// The whole array, for one thread.
pub struct Whole<'a> {
    flat: &'a mut Vec<f32>,
    _lock: RwLockWriteGuard<'a, ()>,
}

impl Deref for Whole<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.flat
    }
}

impl DerefMut for Whole<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.flat
    }
}

impl Grads {
    /// Zero gradients for parameters of these lengths.
    pub fn new(lengths: impl Iterator<Item = usize>) -> Arc<Self> {
        let mut total = 0;
        let mut range = |len| {
            total += len;
            total - len..total
        };
        let ranges: Vec<Range<usize>> = lengths.map(&mut range).collect();
        let count = ranges.len();
        Arc::new(Self {
            flat: UnsafeCell::new(vec![0.0; total]),
            ranges,
            whole: RwLock::new(()),
            parts: (0..count).map(|_| Mutex::default()).collect(),
            open: (0..count).map(|_| AtomicBool::new(true)).collect(),
        })
    }

    /// The array itself.
    pub fn lock(&self) -> Whole<'_> {
        let lock = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `whole` is held for writing as long as this lives.
        Whole { flat: unsafe { &mut *self.flat.get() }, _lock: lock }
    }

    /// Runs `add` on the numbers of parameter `index`, after `note` has said what it writes.
    fn part(&self, index: usize, note: impl FnOnce(&mut Written), add: impl FnOnce(&mut [f32])) {
        let _shared = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        let mut own = self.parts[index].lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut own);
        // SAFETY: nobody sees the whole, and the vector itself never changes; nobody else has
        // this parameter, and the ranges of parameters do not overlap.
        let numbers = unsafe {
            let (flat, range) = (&mut *self.flat.get(), &self.ranges[index]);
            std::slice::from_raw_parts_mut(flat.as_mut_ptr().add(range.start), range.len())
        };
        add(numbers);
    }

    /// Sets all gradients to zero and forgets which were touched.
    pub fn clear(&self) {
        let mut flat = self.lock();
        for (range, part) in self.ranges.iter().zip(&self.parts) {
            let flat = &mut flat[range.clone()];
            match std::mem::take(&mut *part.lock().unwrap_or_else(PoisonError::into_inner)) {
                Written::Nothing => {}
                Written::Rows { width, rows } => {
                    rows.iter().for_each(|row| flat[*row as usize * width..][..width].fill(0.0));
                }
                Written::All => flat.fill(0.0),
            }
        }
    }

    /// What of parameter `index` got a gradient since it was zero.
    pub fn written(&self, index: usize) -> Written {
        let mut part = self.parts[index].lock().unwrap_or_else(PoisonError::into_inner);
        if let Written::Rows { rows, .. } = &mut *part {
            rows.sort_unstable();
            rows.dedup();
        }
        part.clone()
    }

    /// Notes that the gradient of parameter `index` was used and is zero again.
    pub fn used(&self, index: usize) {
        *self.parts[index].lock().unwrap_or_else(PoisonError::into_inner) = Written::Nothing;
    }

    /// Whether parameter `index` got a gradient since the last [`Grads::clear`].
    pub fn touched(&self, index: usize) -> bool {
        *self.parts[index].lock().unwrap_or_else(PoisonError::into_inner) != Written::Nothing
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
}

impl Sink {
    /// The sink of parameter `index`.
    pub fn new(grads: &Arc<Grads>, index: usize) -> Self {
        Self { grads: grads.clone(), index }
    }

    /// Gives the parameter's gradient (row-major, as its shape) to `add`, which adds to it.
    /// Does nothing when the parameter takes no gradient at present. While one thread of rayon
    /// adds, no other may be about to add to the same parameter: it could be given to the first
    /// as work while that waits.
    pub fn add_with(&self, add: impl FnOnce(&mut [f32])) {
        if self.grads.open[self.index].load(Ordering::Relaxed) {
            self.grads.part(self.index, |written| *written = Written::All, add);
        }
    }

    /// As [`Sink::add_with`], for an `add` that changes nothing but these rows, `width` wide.
    pub fn add_rows(&self, ids: &[u32], width: usize, add: impl FnOnce(&mut [f32])) {
        let note = |written: &mut Written| match written {
            Written::Nothing => *written = Written::Rows { width, rows: ids.to_vec() },
            Written::Rows { rows, .. } => rows.extend_from_slice(ids),
            Written::All => {}
        };
        if self.grads.open[self.index].load(Ordering::Relaxed) {
            self.grads.part(self.index, note, add);
        }
    }

    /// Position of the first number in the flat arrays.
    pub fn offset(&self) -> usize {
        self.grads.ranges[self.index].start
    }

    /// Number of numbers.
    fn len(&self) -> usize {
        self.grads.ranges[self.index].len()
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
        self.sink.len()
    }

    /// Whether it has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Parameters over one flat gradient array, in the order given.
pub fn flat_params(named: Vec<(String, Tensor)>) -> Result<(Vec<Param>, Arc<Grads>)> {
    let grads = Grads::new(named.iter().map(|(_, t)| t.elem_count()));
    let param = |(index, (name, tensor)): (usize, (String, Tensor))| {
        let (var, sink) = (Var::from_tensor(&tensor)?, Sink::new(&grads, index));
        Ok(Param { name: name.into(), var, sink, trainable: true })
    };
    let params = named.into_iter().enumerate().map(param).collect::<Result<_>>()?;
    Ok((params, grads))
}
