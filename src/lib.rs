//! mtlc, a compiler for multi-task models.
//!
//! A `.mtl` file says what a model is; the rooms of this crate turn it into a trained one:
//! [`syntax`] parses, `sema` checks, `plan` lowers, `backend` computes and `train`
//! optimises. [`driver`] calls them in order, and is the way in:
//!
//! ```
//! use mtlc::diagnostics::render;
//! use mtlc::driver::{Settings, check};
//! use std::path::Path;
//!
//! let program = r#"
//!     data home { format: lines  train: "home"  field utterance: text  field intent: class }
//!     task intent: classify(home.intent) = home.utterence |> embed(64) |> mean_pool
//! "#;
//! let texts = |_: &Path| Ok(program.to_string());
//! let checked = check(Path::new("home.mtl"), &texts, &Settings::default());
//! let said = render::short(&checked.sources, &checked.diagnostics);
//! assert!(said.contains("error[E0203]: 'home' has no field 'utterence'"), "{said}");
//! ```
//!
//! With the feature `train` a program on the disk is trained into a run directory, and asked:
//!
#![cfg_attr(feature = "train", doc = "```no_run")]
#![cfg_attr(not(feature = "train"), doc = "```ignore")]
//! use mtlc::driver::{self, Failure, Settings, predict, run::Folder, training};
//! use mtlc::report::RunDir;
//! use mtlc::source::Disk;
//! use mtlc::train::events::Silent;
//! use std::path::Path;
//!
//! fn answers(text: &str) -> Result<Vec<serde_json::Value>, Failure> {
//!     let loaded = driver::load(Path::new("home.mtl"), &Disk, &Settings::default(), None)?;
//!     let out = Path::new("runs/home");
//!     let options = training::RunOptions::new(RunDir::create("home", Some(out))?);
//!     training::train(&loaded.compiled, &loaded.sources, &mut Silent, &options)?;
//!     Ok(predict::texts(&Folder::open(out)?.load()?.settled(), &[text])?)
//! }
//! ```
#![warn(missing_docs)]

// What pest generates names it.
extern crate alloc;

#[cfg(feature = "train")]
pub mod backend;
pub mod cli;
pub mod data;
pub mod diagnostics;
pub mod driver;
pub mod fmt;
#[cfg(feature = "lsp")]
pub mod lsp;
pub mod ops;
pub mod plan;
pub mod report;
pub mod sema;
pub mod source;
pub mod syntax;
#[cfg(feature = "train")]
pub mod train;
