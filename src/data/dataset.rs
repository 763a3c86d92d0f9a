//! Data sets in hand: their splits, examples and batches.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostics::{Diagnostic, codes};

use super::batch::{Batch, View, pack, views};
use super::lexicon::Lexicon;
use super::load::{LoadOptions, Splits, load};
use super::order::{BatchSize, epoch, evaluation};
use super::pieces::{Slots, Tokenizer};
use super::schema::Schema;
use super::space::{Space, placed};
use super::spec::{DataSpec, Split};
use super::store::Stored;
use super::value::FieldValue;

/// A split of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// What is learned from.
    Train,
    /// What picks the best epoch.
    Dev,
    /// What is judged once, at the end.
    Test,
}

impl Portion {
    /// All three, in order.
    pub const ALL: [Portion; 3] = [Portion::Train, Portion::Dev, Portion::Test];

    /// `train`, `dev`, `test`.
    pub fn name(self) -> &'static str {
        ["train", "dev", "test"][self as usize]
    }
}

/// A data set that was read.
pub struct Dataset {
    /// Its place among the data sets of the program.
    pub index: usize,
    /// Its declaration.
    pub spec: DataSpec,
    splits: Splits,
    views: Arc<[View]>,
    spaces: Vec<Arc<Space>>,
}

/// All data sets of a program.
pub struct Corpus {
    /// In the order of their declarations.
    pub datasets: Vec<Dataset>,
    /// What was wrong without being an error.
    pub warnings: Vec<Diagnostic>,
    lexicon: Arc<Lexicon>,
    slots: Slots,
}

impl Corpus {
    /// Reads every data set; paths resolve against `base`, and `seed` draws `10% of train`.
    /// Errors of all data sets are reported together.
    pub fn load(specs: &[DataSpec], base: &Path, seed: u64, lexicon: &Arc<Lexicon>) -> Result<Corpus, Vec<Diagnostic>> {
        Self::load_with(specs, LoadOptions::new(base, seed), lexicon)
    }

    /// As [`Corpus::load`], with all options.
    pub fn load_with(
        specs: &[DataSpec],
        options: LoadOptions<'_>,
        lexicon: &Arc<Lexicon>,
    ) -> Result<Corpus, Vec<Diagnostic>> {
        let slots = Slots::new(specs, options.vocabs);
        slots.fill(options.known);
        let mut found = slots.read(options.base);
        if !found.is_empty() {
            return Err(found);
        }
        let mut datasets = Vec::with_capacity(specs.len());
        for (index, (spec, splits)) in specs.iter().zip(load(specs, options, lexicon, &slots, &mut found)).enumerate() {
            if let Some(splits) = splits {
                let views = views(spec, &[]).into();
                datasets.push(Dataset { index, spec: spec.clone(), splits, views, spaces: Vec::new() });
            }
        }
        if found.iter().any(Diagnostic::is_error) {
            return Err(found);
        }
        let mut corpus = Corpus { datasets, warnings: found, lexicon: lexicon.clone(), slots };
        corpus.cut()?;
        Ok(corpus)
    }

    /// Trains the tokenizers that are not there yet, and cuts the words that were read into their pieces.
    fn cut(&mut self) -> Result<(), Vec<Diagnostic>> {
        for mut recut in self.slots.clone().train(self)? {
            for (data, field) in recut.fields.clone() {
                let dataset = &mut self.datasets[data];
                let ty = dataset.spec.fields[field].ty.clone();
                let splits = dataset.splits.iter_mut().flatten();
                splits.for_each(|split| split.change(field, |value| recut.value(&ty, value, &self.lexicon)));
            }
        }
        let named = |d: &&mut Dataset| d.spec.fields.iter().any(|f| self.slots.of(&d.spec.name, &f.name).is_some());
        let measured = self.datasets.iter_mut().filter(named);
        measured.into_iter().try_for_each(Dataset::measure).map_err(|d| vec![d])
    }

    /// The tokenizers of its fields.
    pub fn tokenizers(&self) -> Vec<Arc<Tokenizer>> {
        self.slots.tokenizers()
    }

    /// The words and labels of all data sets.
    pub fn lexicon(&self) -> &Arc<Lexicon> {
        &self.lexicon
    }

    /// The data set of this name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|d| d.spec.name == name)
    }

    /// The places of `(data, field)` pairs in this corpus.
    pub fn find_all(&self, fields: &[(String, String)]) -> Vec<(usize, usize)> {
        let find = |(data, field): &(String, String)| {
            let at = self.datasets.iter().position(|d| d.spec.name == *data)?;
            Some((at, self.datasets[at].spec.fields.iter().position(|f| f.name == *field)?))
        };
        fields.iter().filter_map(find).collect()
    }

    /// Makes batches carry the labels of these spaces.
    pub fn bind(&mut self, schema: &Schema) {
        for dataset in &mut self.datasets {
            dataset.views = views(&dataset.spec, &schema.spaces).into();
            dataset.spaces = schema.spaces.clone();
        }
    }
}

impl Dataset {
    /// Takes the lengths of its examples anew.
    fn measure(&mut self) -> Result<(), Diagnostic> {
        for split in self.splits.iter_mut().flatten() {
            placed(split.measure(), &self.spec)?;
        }
        Ok(())
    }

    /// A split, if the data set has it.
    pub fn split(&self, portion: Portion) -> Option<&Stored> {
        self.splits[portion as usize].as_ref()
    }

    /// How many examples a split has; 0 when there is none.
    pub fn size(&self, portion: Portion) -> usize {
        self.split(portion).map_or(0, Stored::len)
    }

    /// Tokens of each example of a split: those of its longest text field.
    pub fn lengths(&self, portion: Portion) -> &[u32] {
        self.split(portion).map_or(&[], Stored::lengths)
    }

    /// Where an example of a split stands: "`data/test.tsv` line 3".
    pub fn place(&self, portion: Portion, i: usize) -> String {
        let files = match (portion, &self.spec.dev, &self.spec.test) {
            (Portion::Dev, Some(Split::Files(files)), _) | (Portion::Test, _, Some(Split::Files(files))) => files,
            _ => &self.spec.train,
        };
        let origin = self.split(portion).map(|split| split.origin(i));
        let file = origin.and_then(|(reader, _)| files.get(reader)).map(|f| f.path.display().to_string());
        format!("`{}` line {}", file.unwrap_or_default(), origin.map_or(0, |(_, line)| line))
    }

    /// What batches hold, in the order of [`Batch::fields`].
    pub fn views(&self) -> &Arc<[View]> {
        &self.views
    }

    /// The fields of one example, in the order declared.
    pub fn example(&self, portion: Portion, i: usize) -> Result<Vec<FieldValue>, Diagnostic> {
        let Some(split) = self.split(portion) else {
            let text = format!("data set '{}' has no {}", self.spec.name, portion.name());
            return Err(Diagnostic::placeless(codes::BUG, text));
        };
        placed(split.example(i), &self.spec)
    }

    /// Calls `visit` with every example of a split in order.
    pub fn for_each(
        &self,
        portion: Portion,
        mut visit: impl FnMut(usize, &[FieldValue]) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        (0..self.size(portion)).try_for_each(|i| visit(i, &self.example(portion, i)?))
    }

    /// Tokens of each text that a field's ranges lie in.
    pub fn member_lengths(&self, field: usize, values: &[FieldValue]) -> Vec<usize> {
        super::batch::member_lengths(&self.spec, field, values)
    }

    /// These examples of a split, packed.
    pub fn batch(&self, portion: Portion, examples: &[u32]) -> Result<Batch, Diagnostic> {
        let rows = examples.iter().map(|&i| self.example(portion, i as usize)).collect::<Result<Vec<_>, _>>()?;
        let fields = pack(&self.spec, &self.views, &self.spaces, &rows);
        Ok(Batch { data: self.index, portion, examples: examples.to_vec(), views: self.views.clone(), fields })
    }

    /// The batches of one pass over a split, shuffled: a function of the arguments alone.
    pub fn epoch_batches(&self, portion: Portion, size: BatchSize, seed: u64, number: u64) -> Vec<Vec<u32>> {
        epoch(self.lengths(portion), size, seed, &self.spec.name, number)
    }

    /// The batches of a split for evaluation, the longest examples first.
    pub fn evaluation_batches(&self, portion: Portion, size: BatchSize) -> Vec<Vec<u32>> {
        evaluation(self.lengths(portion), size)
    }
}
