//! What reading the data tells about it: spaces, vocabularies and sizes. Kept with a run.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostics::Diagnostic;

use super::dataset::{Corpus, Dataset, Portion};
use super::detokenize::Detokenizer;
use super::leak;
use super::lexicon::Lexicon;
use super::pieces::Tokenizer;
use super::space::{self, Space};
use super::spec::{DataSpec, FieldSpec, FieldType, SpaceSpec, VocabSpec};
use super::tally::{Tallies, Tally};
use super::vectors::Vectors;
use super::vocab::{self, Vocab};

/// What a plan has to know of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// In the order asked for.
    pub spaces: Vec<Arc<Space>>,
    /// In the order asked for.
    pub vocabs: Vec<Arc<Vocab>>,
    /// In the order of the declarations.
    pub datasets: Vec<DataInfo>,
    /// What cuts texts into pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokenizers: Vec<Arc<Tokenizer>>,
}

/// Sizes of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// Its name.
    pub name: String,
    /// Examples of train, dev and test.
    pub sizes: [usize; 3],
    /// Its fields, in the order declared.
    pub fields: Vec<FieldInfo>,
}

/// What train holds for a field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldInfo {
    /// Its name.
    pub name: String,
    /// Of a text: tokens of an example, on average.
    pub mean_tokens: f64,
    /// Of a text: tokens of the longest example of any split.
    pub max_tokens: usize,
    /// Of a set of texts: members of the largest example of any split.
    pub max_members: usize,
    /// Examples without a label.
    pub missing: usize,
    /// `I-` tags that continue nothing; they are no error.
    pub loose_tags: usize,
}

/// What [`prepare`] gives.
pub struct Prepared {
    /// Spaces, vocabularies and sizes.
    pub schema: Schema,
    /// For each vocabulary, the vectors to start from.
    pub vectors: Vec<Option<Vectors>>,
    /// What is wrong in the data without being an error.
    pub warnings: Vec<Diagnostic>,
}

impl Schema {
    /// Finds labels and words in the lexicon of this run; after reading a saved schema.
    pub fn attach(&mut self, lexicon: &Lexicon) {
        self.spaces.iter_mut().for_each(|s| Arc::make_mut(s).attach(lexicon));
        self.vocabs.iter_mut().for_each(|v| Arc::make_mut(v).attach(lexicon));
    }

    /// What makes texts of the tokens of a field.
    pub fn detokenizer(&self, data: &DataSpec, field: usize) -> Detokenizer {
        let declared = &data.fields[field];
        let own = (data.name.clone(), declared.name.clone());
        let tokenizer = self.tokenizers.iter().find(|t| t.fields.contains(&own));
        Detokenizer::new(&declared.ty, tokenizer)
    }

    /// The space of this name.
    pub fn space(&self, name: &str) -> Option<&Arc<Space>> {
        self.spaces.iter().find(|s| s.name == name)
    }

    /// The vocabulary of this layer.
    pub fn vocab(&self, name: &str) -> Option<&Arc<Vocab>> {
        self.vocabs.iter().find(|v| v.name == name)
    }
}

/// Builds spaces and vocabularies from train and makes batches carry their labels. `base` is what
/// the paths of vectors are relative to.
pub fn prepare(
    corpus: &mut Corpus,
    spaces: &[SpaceSpec],
    vocabs: &[VocabSpec],
    base: &Path,
) -> Result<Prepared, Vec<Diagnostic>> {
    let tallies = Tallies::of(corpus)?;
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut schema = Schema { tokenizers: corpus.tokenizers(), ..Schema::default() };
    let mut vectors = Vec::new();
    for spec in spaces {
        match space::build(spec, corpus, &tallies, &mut warnings) {
            Ok(space) => schema.spaces.push(Arc::new(space)),
            Err(error) => errors.push(error),
        }
    }
    for spec in vocabs {
        match vocab::build(spec, corpus, &tallies, base) {
            Ok((vocab, start)) => {
                schema.vocabs.push(Arc::new(vocab));
                vectors.push(start);
            }
            Err(error) => errors.push(error),
        }
    }
    schema.datasets = corpus.datasets.iter().map(|dataset| info(dataset, &tallies)).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    warnings.dedup_by(|a, b| a == b);
    warnings.extend(leak::warnings(corpus, &tallies));
    corpus.bind(&schema);
    Ok(Prepared { schema, vectors, warnings })
}

fn info(dataset: &Dataset, tallies: &Tallies) -> DataInfo {
    let train = dataset.size(Portion::Train).max(1) as f64;
    let field = |(field, declared): (usize, &FieldSpec)| {
        let most = |of: fn(&Tally) -> usize| Portion::ALL.map(|p| of(tallies.get(dataset.index, p, field)));
        let here = tallies.get(dataset.index, Portion::Train, field);
        let is_text = matches!(declared.ty, FieldType::Text { .. } | FieldType::Texts { .. });
        FieldInfo {
            name: declared.name.clone(),
            mean_tokens: if is_text { here.tokens as f64 / train } else { 0.0 },
            max_tokens: most(|t| t.max_tokens).into_iter().max().unwrap_or(0),
            max_members: most(|t| t.max_members).into_iter().max().unwrap_or(0),
            missing: here.missing,
            loose_tags: here.loose_tags,
        }
    };
    let fields = dataset.spec.fields.iter().enumerate().map(field).collect();
    DataInfo { name: dataset.spec.name.clone(), sizes: Portion::ALL.map(|p| dataset.size(p)), fields }
}
