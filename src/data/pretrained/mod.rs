//! Published encoders: a folder with `config.json`, the weights as safetensors and a tokenizer.
//!
//! [`Checkpoint::open`] reads what a program is checked with: sizes from the configuration, and the
//! names and shapes of the tensors from the headers of the weights. The numbers are read by
//! [`weights`] when a program is about to be trained, and [`pieces`] splits words.

mod config;
mod header;
pub mod layout;
#[cfg(feature = "train")]
pub mod pieces;
pub mod weights;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use config::{Config, Dropout, Family, Turn};
pub use header::Stored;

/// The file of the configuration.
pub const CONFIG: &str = "config.json";
/// The file of the tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// The vocabulary of a WordPiece tokenizer, which stands in where there is no [`TOKENIZER`].
pub const VOCABULARY: &str = "vocab.txt";
/// Other settings of the tokenizer, of which `do_lower_case` is read.
pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The file of the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Which of several files has each tensor.
pub const INDEX: &str = "model.safetensors.index.json";

/// What is wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// A sentence.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Misfit {
    /// Says what is wrong, and what to do.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// What a program asks for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// A folder, or the id of a model on the hub.
    pub from: &'a str,
    /// The revision on the hub.
    pub revision: Option<&'a str>,
    /// The file of the program that asks.
    pub file: &'a Path,
    /// The trained run that the file belongs to.
    pub run: Option<&'a Path>,
}

/// Finds checkpoints, so that who checks a program knows no files.
pub trait Find {
    /// The checkpoint that is asked for; `None` for one that can only be had when data is read.
    fn find(&self, asked: &Asked<'_>) -> Result<Option<Checkpoint>, Misfit>;
}

/// A published encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// As the program names it.
    pub from: String,
    /// The commit on the hub that it was found at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Its folder.
    pub path: PathBuf,
    /// Its sizes.
    pub config: Config,
    /// What stands before each name of the encoder in the file, such as `bert.`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Tensors by their name in the file.
    pub tensors: BTreeMap<String, Stored>,
}

impl Checkpoint {
    /// Reads a folder's configuration and the headers of its weights, and makes sure that both fit.
    pub fn open(folder: &Path, from: &str) -> Result<Self, Misfit> {
        if !folder.is_dir() {
            let help =
                "name a folder with `config.json`, `model.safetensors` and `tokenizer.json`, relative to the program";
            return Err(Misfit::new(format!("there is no folder '{from}'"), help));
        }
        let place = Place { folder, shown: from };
        let config = Config::parse(&place.text(CONFIG)?, &place.named(CONFIG))?;
        let tensors = header::read(&place)?;
        let path = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let mut found = Self { from: from.into(), revision: None, path, config, prefix: String::new(), tensors };
        found.prefix = found.find_prefix()?;
        if ![TOKENIZER, VOCABULARY].iter().any(|name| folder.join(name).is_file()) {
            let message = format!("'{from}' has no tokenizer");
            return Err(Misfit::new(message, "add its `tokenizer.json`; `vocab.txt` does for WordPiece"));
        }
        found.fits()?;
        Ok(found)
    }

    /// The prefix with which the file has the table of pieces.
    fn find_prefix(&self) -> Result<String, Misfit> {
        let table = layout::pieces_table(self.config.family);
        let ends = |name: &String| name.strip_suffix(table).map(str::to_owned);
        let found = self.tensors.keys().filter_map(ends).find(|p| p.is_empty() || p.ends_with('.'));
        found.ok_or_else(|| {
            let message = format!("the weights in '{}' lack '{table}'", self.from);
            let help = format!("`config.json` says '{}', whose encoder begins with it", self.config.model_type);
            Misfit::new(message, help)
        })
    }

    /// The tensor of this name, without the prefix.
    pub fn tensor(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(&format!("{}{name}", self.prefix))
    }

    /// Every tensor that the encoder reads is there, and has the shape that the configuration says.
    fn fits(&self) -> Result<(), Misfit> {
        let parts = layout::all(&self.config);
        for part in &parts {
            self.has(part)?;
        }
        let deeper = self.tensors.keys().filter_map(|name| name.strip_prefix(&self.prefix));
        let surplus = deeper.filter(|name| layout::is_layer(self.config.family, name));
        let surplus = surplus.filter(|name| !name.ends_with("position_ids"));
        match surplus.into_iter().find(|name| parts.iter().all(|part| part.name != *name)) {
            Some(name) => Err(Misfit::new(
                format!("the weights in '{}' have '{name}', which `config.json` knows nothing of", self.from),
                "its layers or biases are others than the configuration says: take both files from one model",
            )),
            None => Ok(()),
        }
    }

    /// Makes sure that a tensor is there and has its shape.
    pub fn has(&self, part: &layout::Part) -> Result<(), Misfit> {
        let (shown, name) = (&self.from, &part.name);
        let Some(stored) = self.tensor(name) else {
            let help = "take `config.json` and the weights from one model";
            return Err(Misfit::new(format!("the weights in '{shown}' lack '{}{name}'", self.prefix), help));
        };
        if !["F32", "F16", "BF16"].contains(&stored.dtype.as_str()) {
            let message = format!("'{}{name}' in '{shown}' has numbers of type {}", self.prefix, stored.dtype);
            return Err(Misfit::new(message, "f32, f16 and bf16 are read: take another publication of the model"));
        }
        if stored.shape != part.shape {
            let message = format!(
                "'{}{name}' in '{shown}' has shape {:?}, and `config.json` says {:?}",
                self.prefix, stored.shape, part.shape
            );
            return Err(Misfit::new(message, "take `config.json` and the weights from one model"));
        }
        Ok(())
    }
}

/// A folder, and how messages name it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// As the program writes it.
    pub shown: &'a str,
}

impl Place<'_> {
    /// How messages name a file of it.
    fn named(&self, file: &str) -> String {
        format!("{}/{file}", self.shown)
    }

    /// The text of a file.
    fn text(&self, file: &str) -> Result<String, Misfit> {
        std::fs::read_to_string(self.folder.join(file)).map_err(|e| self.unread(file, &e))
    }

    /// Says that a file cannot be read.
    fn unread(&self, file: &str, e: &std::io::Error) -> Misfit {
        match e.kind() {
            std::io::ErrorKind::NotFound => {
                let help = "a checkpoint is the folder that `save_pretrained` writes";
                Misfit::new(format!("'{}' has no `{file}`", self.shown), help)
            }
            _ => Misfit::new(format!("'{}' cannot be read: {e}", self.named(file)), "copy the checkpoint again"),
        }
    }
}

#[cfg(test)]
mod tests;
