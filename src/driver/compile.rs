//! A checked program and its data to a plan.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sound;
use crate::data::{self, Corpus, Lexicon, LoadOptions, Schema, Vectors};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::{Plan, lower, passes};
use crate::sema::model::Model;

/// A plan with the data that it was made for.
pub struct Compiled {
    /// The plan.
    pub plan: Plan,
    /// The folder that its data was read from.
    pub base: PathBuf,
    /// The examples.
    pub corpus: Corpus,
    /// Labels, vocabularies and sizes.
    pub schema: Schema,
    /// Word vectors of each vocabulary that has some.
    pub vectors: Vec<Option<Vectors>>,
    /// The tokenizers of pretrained encoders, in the plan's order.
    #[cfg(feature = "train")]
    pub pieces: Vec<Arc<crate::data::pretrained::pieces::WordPieces>>,
    /// The words of the data.
    pub lexicon: Arc<Lexicon>,
    /// What is to be said about the data.
    pub warnings: Vec<Diagnostic>,
}

/// The folder that a program's data paths are relative to.
pub fn base_of(program: &Path, data: Option<&Path>) -> PathBuf {
    let folder = data.unwrap_or_else(|| program.parent().unwrap_or(Path::new("")));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf())
}

/// The one diagnostic of a program that uses what this build does not run.
pub fn not_run_yet(model: &Model) -> Option<Diagnostic> {
    let ((first, span), rest) = model.not_run.split_first()?;
    let mut names: Vec<&str> = model.not_run.iter().map(|n| n.0.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
    let message = format!("the program checks, but this build does not run {names} yet");
    let mut d = Diagnostic::new(codes::NOT_RUN_YET, *span, message).label(format!("'{first}'"));
    for (name, span) in rest {
        d = d.also(*span, format!("'{name}'"));
    }
    Some(d)
}

/// Reads the data of a program, lowers it and runs the passes over its plan.
pub fn compile(model: &Model, base: &Path) -> Result<Compiled, Vec<Diagnostic>> {
    compile_without(model, base, &[])
}

/// [`compile`] without some of the passes.
pub fn compile_without(model: &Model, base: &Path, no_pass: &[String]) -> Result<Compiled, Vec<Diagnostic>> {
    let lexicon = Arc::new(Lexicon::default());
    let (spaces, vocabs) = (lower::space_specs(model), lower::vocab_specs(model));
    let known = super::brought::tokenizers(&model.runs, &vocabs)?;
    let options = LoadOptions { vocabs: &vocabs, known: &known, ..LoadOptions::new(base, model.train.seed) };
    let mut corpus = Corpus::load_with(&model.datasets, options, &lexicon)?;
    let mut prepared = data::prepare(&mut corpus, &spaces, &vocabs, base)?;
    super::brought::words(&model.runs, &mut prepared, &lexicon)?;
    let sizes = lower::Sizes {
        spaces: prepared.schema.spaces.iter().map(|s| s.labels.clone()).collect(),
        vocabs: prepared.schema.vocabs.iter().map(|v| v.len()).collect(),
        lengths: corpus.datasets.iter().map(usual_length).collect(),
    };
    let mut plan = lower::lower(model, &sizes, base);
    passes::run(&mut plan, no_pass);
    #[cfg_attr(not(feature = "train"), expect(unused_mut))]
    let mut compiled = finish(plan, base, corpus, prepared, lexicon)?;
    #[cfg(feature = "train")]
    compiled.warnings.append(&mut super::foresee::warnings(model, &compiled));
    Ok(compiled)
}

/// Tokens that nine train texts in ten do not pass.
fn usual_length(data: &data::Dataset) -> u32 {
    let mut lengths = data.lengths(data::Portion::Train).to_vec();
    lengths.sort_unstable();
    lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(0)
}

/// Reads the data of a plan that was made before.
pub fn reload(plan: Plan, base: &Path) -> Result<Compiled, Vec<Diagnostic>> {
    let lexicon = Arc::new(Lexicon::default());
    let known = super::brought::tokenizers(&plan.runs, &plan.vocabs)?;
    let options = LoadOptions { vocabs: &plan.vocabs, known: &known, ..LoadOptions::new(base, plan.train.seed) };
    let mut corpus = Corpus::load_with(&plan.datasets, options, &lexicon)?;
    let mut prepared = data::prepare(&mut corpus, &plan.spaces, &plan.vocabs, base)?;
    super::brought::words(&plan.runs, &mut prepared, &lexicon)?;
    let spaces: Vec<usize> = prepared.schema.spaces.iter().map(|s| s.len()).collect();
    let vocabs: Vec<usize> = prepared.schema.vocabs.iter().map(|v| v.len()).collect();
    if spaces != plan.space_sizes || vocabs != plan.vocab_sizes {
        let d = Diagnostic::placeless(
            codes::VERSION,
            "the data has changed since the plan was made: labels or words differ",
        )
        .help("compile the program again");
        return Err(vec![d]);
    }
    super::encoders::unchanged(&plan).map_err(|d| vec![d])?;
    finish(plan, base, corpus, prepared, lexicon)
}

fn finish(
    plan: Plan,
    base: &Path,
    corpus: Corpus,
    prepared: data::Prepared,
    lexicon: Arc<Lexicon>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut warnings = corpus.warnings.clone();
    warnings.extend(prepared.warnings);
    for param in &plan.params {
        if let crate::plan::Init::Vectors { vocab } = param.init
            && let Some(vectors) = prepared.vectors.get(vocab).and_then(Option::as_ref)
        {
            vectors.check(param.shape.last().copied().unwrap_or(0)).map_err(|d| vec![d])?;
        }
    }
    Ok(Compiled {
        #[cfg(feature = "train")]
        pieces: super::encoders::pieces(&plan, None).map_err(|d| vec![d])?,
        plan,
        base: base.to_path_buf(),
        corpus,
        schema: prepared.schema,
        vectors: prepared.vectors,
        lexicon,
        warnings,
    })
}

/// Reads a plan from a file.
pub fn read_plan(path: &Path) -> Result<Plan, Diagnostic> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Diagnostic::placeless(codes::INPUT, format!("cannot read '{shown}': {e}")))?;
    let broken = |e: serde_json::Error| {
        Diagnostic::placeless(codes::INPUT, format!("'{shown}' is no plan: {e}"))
            .help("a plan is written by `mtlc compile model.mtl -o plan.json`")
    };
    let mut value: serde_json::Value = serde_json::from_str(&text).map_err(broken)?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if let Some(version) = version.filter(|v| *v != u64::from(crate::plan::VERSION)) {
        let message = format!("'{shown}' has plan version {version}, and this build reads {}", crate::plan::VERSION);
        return Err(Diagnostic::placeless(codes::VERSION, message).help("compile the program again with this mtlc"));
    }
    if version.is_some() {
        unseal(&mut value).map_err(|why| unsound(&shown, &why))?;
    }
    let plan: Plan = serde_json::from_value(value).map_err(broken)?;
    sound::check(&plan).map_err(|why| unsound(&shown, &why))?;
    Ok(plan)
}

fn unsound(shown: &std::path::Display<'_>, why: &str) -> Diagnostic {
    Diagnostic::placeless(codes::INPUT, format!("the plan '{shown}' cannot be used: {why}"))
        .help("change the program instead, and compile it again with `mtlc compile model.mtl -o plan.json`")
}

/// The key that a plan's checksum stands under in its file.
const SEAL: &str = "blake3";

/// A plan as it is written: with a checksum, for a changed number could mean anything.
pub fn sealed(plan: &Plan) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(plan)?;
    let sum = checksum(&value);
    if let Some(fields) = value.as_object_mut() {
        fields.insert(SEAL.into(), sum.into());
    }
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

/// Takes the checksum off, or says what is wrong with it.
fn unseal(value: &mut serde_json::Value) -> Result<(), String> {
    let seal = value.as_object_mut().and_then(|fields| fields.shift_remove(SEAL));
    match seal {
        None => Err("it has no checksum".into()),
        Some(seal) if seal != checksum(value) => Err("it was changed after it was compiled".into()),
        Some(_) => Ok(()),
    }
}

fn checksum(value: &serde_json::Value) -> String {
    blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
}
