//! Pretrained encoders on the disk: where a program's are found, what a run keeps of them, and the
//! numbers that parameters begin with.

use std::path::{Path, PathBuf};

use crate::data::pretrained::{Asked, Checkpoint, Find, Misfit};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::Plan;

#[cfg(feature = "train")]
use {
    super::compile::Compiled,
    super::training::broken,
    crate::backend::params::Published,
    crate::data::pretrained::{CONFIG, Place, TOKENIZER, TOKENIZER_CONFIG, pieces::WordPieces, weights},
    crate::plan::{EncoderPlan, Init},
    crate::report::RunDir,
    std::cell::RefCell,
    std::collections::BTreeMap,
    std::sync::Arc,
};

/// Tensors of a checkpoint that a program does not read, as a run keeps them.
pub const REST: &str = "rest.safetensors";

/// Where encoders on the hub may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hub {
    /// From the cache; what is not there is not looked at yet.
    #[default]
    Later,
    /// From the cache alone.
    Offline,
    /// From the hub, where the cache lacks them.
    Online,
}

impl Hub {
    /// For a program whose data is read, too: what is missing is needed now.
    pub fn for_data(self) -> Self {
        if self == Hub::Later { Hub::Online } else { self }
    }
}

/// Finds checkpoints in folders, runs and the hub's cache.
#[derive(Clone, Copy, Debug)]
pub struct Finder<'a> {
    /// The folder of `--data`.
    pub data: Option<&'a Path>,
    /// The hub.
    pub hub: Hub,
}

impl Find for Finder<'_> {
    fn find(&self, asked: &Asked<'_>) -> Result<Option<Checkpoint>, Misfit> {
        if let Some(run) = asked.run {
            return of_run(run, asked.from).map(Some);
        }
        let beside = asked.file.parent().unwrap_or(Path::new("")).join(asked.from);
        let folders = [Some(beside.clone()), self.data.map(|data| data.join(asked.from))];
        if let Some(folder) = folders.into_iter().flatten().find(|folder| folder.is_dir()) {
            return Checkpoint::open(&folder, asked.from).map(Some);
        }
        match super::hub::is_id(asked.from) {
            true => super::hub::find(asked.from, asked.revision, self.hub),
            false => Checkpoint::open(&beside, asked.from).map(Some),
        }
    }
}

/// The encoder that a trained run has under the name that its program gives it.
fn of_run(run: &Path, from: &str) -> Result<Checkpoint, Misfit> {
    let lacks = || {
        let message = format!("the run at '{}' has no encoder '{from}'", run.display());
        Misfit::new(message, "train it again with the program that it is brought into")
    };
    let plan =
        super::compile::read_plan(&run.join("plan.json")).map_err(|d| Misfit::new(d.message, "train it again"))?;
    let found = plan.encoders.into_iter().find(|e| e.checkpoint.from == from).ok_or_else(lacks)?;
    Ok(Checkpoint { path: folder(run, &found.name), ..found.checkpoint })
}

/// What a run keeps of the encoder of this layer.
fn folder(run: &Path, layer: &str) -> PathBuf {
    run.join("pretrained").join(layer)
}

/// Makes sure that checkpoints are what they were when a plan was made.
pub fn unchanged(plan: &Plan) -> Result<(), Diagnostic> {
    for encoder in plan.encoders.iter().filter(|e| !is_brought(plan, &e.name)) {
        let old = &encoder.checkpoint;
        let now = Checkpoint::open(&old.path, &old.from)
            .map_err(|m| Diagnostic::placeless(codes::PRETRAINED, m.message).help(m.help))?;
        if now.tensors != old.tensors || now.config != old.config {
            let message = format!("the checkpoint '{}' has changed since the plan was made", old.path.display());
            return Err(Diagnostic::placeless(codes::VERSION, message).help("compile the program again"));
        }
    }
    Ok(())
}

/// Whether a layer comes from a trained run.
fn is_brought(plan: &Plan, layer: &str) -> bool {
    plan.runs.iter().any(|run| run.own(layer).is_some())
}

/// The tokenizers of a plan's encoders, from a run where it is one's own.
#[cfg(feature = "train")]
pub fn pieces(plan: &Plan, run: Option<&RunDir>) -> Result<Vec<Arc<WordPieces>>, Diagnostic> {
    let open = |e: &EncoderPlan| {
        let folder = run.map_or_else(|| e.checkpoint.path.clone(), |run| folder(run.root(), &e.name));
        let misfit = |m: Misfit| match run {
            Some(_) => Diagnostic::placeless(codes::RUN_DIR, m.message).help("restore it from a copy, or train again"),
            None => at(e, m),
        };
        let shown = run.map_or_else(|| e.checkpoint.from.clone(), |_| folder.display().to_string());
        WordPieces::open(&Place { folder: &folder, shown: &shown }, &e.checkpoint.config).map(Arc::new).map_err(misfit)
    };
    plan.encoders.iter().map(open).collect()
}

#[cfg(feature = "train")]
fn at(encoder: &EncoderPlan, misfit: Misfit) -> Diagnostic {
    Diagnostic::new(codes::PRETRAINED, encoder.span, misfit.message).help(misfit.help)
}

/// Runs `make` with what gives the first numbers of encoders; what is wrong with those is said at
/// the place that names the encoder.
#[cfg(feature = "train")]
pub fn begun<T>(plan: &Plan, make: impl FnOnce(Published<'_>) -> candle_core::Result<T>) -> Result<T, Diagnostic> {
    let wrong = RefCell::new(None);
    let made = make(&|encoder, tensor| {
        let Some(encoder) = plan.encoders.get(encoder).filter(|e| !is_brought(plan, &e.name)) else { return Ok(None) };
        let numbers = weights::read(&encoder.checkpoint, tensor);
        numbers.map(Some).map_err(|misfit| {
            let e = candle_core::Error::msg(&misfit.message);
            *wrong.borrow_mut() = Some(at(encoder, misfit));
            e
        })
    });
    made.map_err(|e| wrong.take().unwrap_or_else(|| broken(&e)))
}

/// The published name of each parameter of an encoder, prefix and all, with the parameter's own.
#[cfg(feature = "train")]
pub fn published(plan: &Plan, encoder: usize) -> BTreeMap<String, String> {
    let prefix = &plan.encoders[encoder].checkpoint.prefix;
    let named = plan.params.iter().filter_map(|param| match &param.init {
        Init::Pretrained { encoder: of, tensor, .. } if *of == encoder => {
            Some((format!("{prefix}{tensor}"), param.name.clone()))
        }
        _ => None,
    });
    named.collect()
}

/// Writes what a run needs of its encoders beside weights, so that it stands alone.
#[cfg(feature = "train")]
pub fn keep(compiled: &Compiled, run: &RunDir) -> Result<(), Diagnostic> {
    for (i, encoder) in compiled.plan.encoders.iter().enumerate() {
        let (from, to) = (&encoder.checkpoint.path, folder(run.root(), &encoder.name));
        std::fs::create_dir_all(&to).map_err(|e| crate::report::run_dir::unwritable(&to, &e))?;
        let read = |name: &str| {
            let path = from.join(name);
            let failed =
                |e| at(encoder, Misfit::new(format!("'{}' cannot be read: {e}", path.display()), "copy it again"));
            std::fs::read(&path).map_err(failed)
        };
        run.write(&to.join(CONFIG), &read(CONFIG)?)?;
        match from.join(TOKENIZER).is_file() {
            true => run.write(&to.join(TOKENIZER), &read(TOKENIZER)?)?,
            false => {
                let json = compiled.pieces[i].json();
                let json = json.map_err(|e| Diagnostic::placeless(codes::BUG, format!("a tokenizer: {e}")))?;
                run.write(&to.join(TOKENIZER), json.as_bytes())?;
            }
        }
        for more in [TOKENIZER_CONFIG, "special_tokens_map.json"] {
            if from.join(more).is_file() {
                run.write(&to.join(more), &read(more)?)?;
            }
        }
        match from.join(REST).is_file() {
            true => run.write(&to.join(REST), &read(REST)?)?,
            false => run.write(&to.join(REST), &rest(&compiled.plan, i)?)?,
        }
    }
    Ok(())
}

/// The tensors of a checkpoint that the program does not read, as a safetensors file.
#[cfg(feature = "train")]
fn rest(plan: &Plan, encoder: usize) -> Result<Vec<u8>, Diagnostic> {
    let (read, plan) = (published(plan, encoder), &plan.encoders[encoder]);
    let mut tensors = Vec::new();
    for (name, stored) in plan.checkpoint.tensors.iter().filter(|(name, _)| !read.contains_key(*name)) {
        let path = plan.checkpoint.path.join(&stored.file);
        let bytes = weights::bytes(&path, stored).map_err(|e| {
            at(
                plan,
                Misfit::new(
                    format!("'{name}' cannot be read from '{}': {e}", path.display()),
                    "copy the checkpoint again",
                ),
            )
        })?;
        tensors.push((name.as_str(), stored.dtype.as_str(), stored.shape.as_slice(), bytes));
    }
    super::export::serialized(&tensors)
}
