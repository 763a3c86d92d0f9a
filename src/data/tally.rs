//! What each split holds, counted in one pass: label spaces, vocabularies and sizes are made of it.

use std::collections::HashMap;

use crate::diagnostics::Diagnostic;

use super::dataset::{Corpus, Dataset, Portion};
use super::leak;
use super::lexicon::Lexicon;
use super::parallel::parallel;
use super::value::{FieldValue, MISSING};

/// Words or labels, by their numbers in the lexicon, and how often each stands there.
pub type Counts = HashMap<u32, u64>;

/// What a split holds for a field.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Words of a text, or of a set of texts.
    pub words: Counts,
    /// Labels.
    pub labels: Counts,
    /// Tokens of all examples.
    pub tokens: u64,
    /// Tokens of the longest example.
    pub max_tokens: usize,
    /// Members of the largest set of texts.
    pub max_members: usize,
    /// Examples without a label.
    pub missing: usize,
    /// `I-` tags that continue nothing.
    pub loose_tags: usize,
    /// The digest of each example's text, where other data sets could give it away.
    pub digests: Vec<u64>,
}

/// The fields of every split of every data set.
pub struct Tallies {
    splits: Vec<Vec<Tally>>,
}

impl Tallies {
    /// Counts a corpus, its splits at the same time.
    pub fn of(corpus: &Corpus) -> Result<Tallies, Vec<Diagnostic>> {
        let count = corpus.datasets.len() * Portion::ALL.len();
        let split = |i: usize| (&corpus.datasets[i / Portion::ALL.len()], Portion::ALL[i % Portion::ALL.len()]);
        let counted = parallel(count, |i| {
            let (dataset, portion) = split(i);
            // Tests are looked for in the training sets of others.
            let digests = portion != Portion::Dev && leak::can_leak(corpus);
            tally(dataset, portion, corpus.lexicon(), digests)
        });
        let (mut splits, mut errors) = (Vec::with_capacity(count), Vec::new());
        for counted in counted {
            match counted {
                Ok(tallies) => splits.push(tallies),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Tallies { splits }) } else { Err(errors) }
    }

    /// What a split of data set `data` holds for a field; nothing where there is no such split.
    pub fn get(&self, data: usize, portion: Portion, field: usize) -> &Tally {
        &self.splits[data * Portion::ALL.len() + portion as usize][field]
    }
}

fn tally(dataset: &Dataset, portion: Portion, lexicon: &Lexicon, digests: bool) -> Result<Vec<Tally>, Diagnostic> {
    let mut fields = vec![Tally::default(); dataset.spec.fields.len()];
    let mut insides = Insides::default();
    dataset.for_each(portion, |_, values| {
        for (field, value) in fields.iter_mut().zip(values) {
            field.add(value, &mut insides, lexicon);
            field.digests.extend(digests.then(|| leak::digest(value, lexicon)));
        }
        Ok(())
    })?;
    Ok(fields)
}

impl Tally {
    fn add(&mut self, value: &FieldValue, insides: &mut Insides, lexicon: &Lexicon) {
        let words: &mut dyn Iterator<Item = &u32> = match value {
            FieldValue::Text(words) => &mut words.iter(),
            FieldValue::Texts(texts) => &mut texts.iter().flatten(),
            _ => &mut std::iter::empty(),
        };
        words.for_each(|word| *self.words.entry(*word).or_default() += 1);
        value.labels().into_iter().for_each(|label| *self.labels.entry(label).or_default() += 1);
        let tokens = value.tokens();
        self.tokens += tokens as u64;
        self.max_tokens = self.max_tokens.max(tokens);
        self.missing += usize::from(value.is_missing());
        match value {
            FieldValue::Texts(texts) => self.max_members = self.max_members.max(texts.len()),
            FieldValue::Tags(tags) => self.loose_tags += insides.loose(tags, lexicon),
            _ => {}
        }
    }
}

/// What is known of tags: for `I-x` the numbers of `B-x` and itself, which it may follow.
#[derive(Default)]
struct Insides {
    known: HashMap<u32, Option<[Option<u32>; 2]>>,
}

impl Insides {
    /// How many `I-x` follow neither `B-x` nor `I-x`.
    fn loose(&mut self, tags: &[u32], lexicon: &Lexicon) -> usize {
        let before = std::iter::once(None).chain(tags.iter().map(|tag| Some(*tag)));
        let loose = |(before, tag): (Option<u32>, &u32)| {
            self.follows(*tag, lexicon).is_some_and(|may| before.is_none() || !may.contains(&before))
        };
        before.zip(tags).map(loose).filter(|loose| *loose).count()
    }

    fn follows(&mut self, tag: u32, lexicon: &Lexicon) -> Option<[Option<u32>; 2]> {
        if tag == MISSING {
            return None;
        }
        *self.known.entry(tag).or_insert_with(|| {
            let word = lexicon.word(tag);
            let kind = word.strip_prefix("I-")?;
            Some([lexicon.find(&format!("B-{kind}")), Some(tag)])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inside_follows_its_begin_or_itself() {
        let lexicon = Lexicon::default();
        let loose = |tags: &str| {
            let id = |t: &str| if t == "_" { MISSING } else { lexicon.intern(t) };
            let tags: Vec<u32> = tags.split(' ').map(id).collect();
            Insides::default().loose(&tags, &lexicon)
        };
        assert_eq!(loose("B-x I-x I-x O B-y I-y"), 0);
        assert_eq!(loose("I-x I-x"), 1);
        assert_eq!(loose("B-x I-y I-y _ I-y O I-z"), 3);
    }
}
