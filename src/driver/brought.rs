//! What a program brings in from trained runs: their words and their weights.

use std::path::Path;
use std::sync::Arc;

use crate::data::spec::VocabSpec;
use crate::data::{Lexicon, Prepared, Schema, Tokenizer};
use crate::diagnostics::{Diagnostic, codes};
use crate::plan::RunPlan;
use crate::report::RunDir;

/// Gives layers of runs the words that the runs knew, and makes sure that their tasks have the
/// labels that the runs learned.
pub fn words(runs: &[RunPlan], prepared: &mut Prepared, lexicon: &Lexicon) -> Result<(), Vec<Diagnostic>> {
    for run in runs {
        words_of(run, prepared, lexicon).map_err(|d| vec![at(run, d)])?;
    }
    Ok(())
}

/// The tokenizers of the runs, for the fields whose texts reach a layer of theirs.
pub fn tokenizers(runs: &[RunPlan], vocabs: &[VocabSpec]) -> Result<Vec<Arc<Tokenizer>>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    for run in runs {
        let owned = || vocabs.iter().filter_map(|vocab| Some((vocab, run.own(&vocab.name)?)));
        if owned().next().is_none() {
            continue;
        }
        let saved = RunDir::open(&run.folder).and_then(|dir| schema(&dir)).map_err(|d| vec![at(run, d)])?;
        for (vocab, own) in owned() {
            let known = saved.tokenizers.iter().find(|tokenizer| tokenizer.vocabs.iter().any(|name| name == own));
            let fields = vocab.fields.clone();
            found.extend(known.map(|tokenizer| Arc::new(tokenizer.of(fields))));
        }
    }
    Ok(found)
}

fn words_of(run: &RunPlan, prepared: &mut Prepared, lexicon: &Lexicon) -> Result<(), Diagnostic> {
    let saved = schema(&RunDir::open(&run.folder)?)?;
    run.spaces.iter().try_for_each(|space| same_labels(run, &prepared.schema, *space, &saved))?;
    for vocab in &mut prepared.schema.vocabs {
        let Some(own) = run.own(&vocab.name) else { continue };
        let known = saved.vocab(own).ok_or_else(|| lacks(&run.folder, &format!("words of '{own}'")))?;
        let mut known = (**known).clone();
        known.name.clone_from(&vocab.name);
        known.attach(lexicon);
        *vocab = Arc::new(known);
    }
    Ok(())
}

fn schema(dir: &RunDir) -> Result<Schema, Diagnostic> {
    let path = dir.vocabularies();
    let failed = |e: String| Diagnostic::placeless(codes::RUN_DIR, format!("cannot read '{}': {e}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| failed(e.to_string()))
}

fn same_labels(run: &RunPlan, here: &Schema, space: usize, saved: &Schema) -> Result<(), Diagnostic> {
    let Some(here) = here.spaces.get(space) else { return Ok(()) };
    let known = saved.space(&here.name).ok_or_else(|| lacks(&run.folder, &format!("labels of '{}'", here.name)))?;
    if known.labels == here.labels {
        return Ok(());
    }
    let message = format!("the run '{}' learned other labels of '{}' than train has here", run.name, here.name);
    Err(Diagnostic::placeless(codes::SPACE_MISMATCH, message).help("train it again on this data"))
}

fn lacks(folder: &Path, what: &str) -> Diagnostic {
    Diagnostic::placeless(codes::RUN_DIR, format!("the run at '{}' has no {what}", folder.display()))
        .help("train it again with the program that it is brought into")
}

/// A diagnostic of a run, at the place that names it.
pub fn at(run: &RunPlan, d: Diagnostic) -> Diagnostic {
    Diagnostic { span: d.span.or(Some(run.span)), ..d }
}
