//! Label spaces: train's labels, sorted.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::diagnostics::{Diagnostic, codes};

use super::dataset::{Corpus, Portion};
use super::fault::{Read, count, listed};
use super::lexicon::Lexicon;
use super::spec::{SpaceFrom, SpaceSpec};
use super::tally::Tallies;
use super::value::{FieldValue, Labelled, MISSING, UNSEEN};
use super::vocab::UNKNOWN_WORD;

/// What the labels of a space are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpaceKind {
    /// Train's labels.
    Labels,
    /// `O`, then `B-x` and `I-x` for each type of train's spans.
    Bio,
    /// The integer grades around train's numbers.
    Grades,
    /// A list that the program gives.
    List,
    /// The unknown word, then train's words.
    Words,
}

/// A label space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// `atis.intent`.
    pub name: String,
    /// What the labels are.
    pub kind: SpaceKind,
    /// The `(data, field)` pairs whose labels they are.
    pub fields: Vec<(String, String)>,
    /// The labels, in the order of their indices.
    pub labels: Vec<String>,
    /// How often train has each.
    pub counts: Vec<u64>,
    /// For each word of the lexicon that is a label (or a span type), its index.
    #[serde(skip)]
    index: HashMap<u32, u32>,
}

impl Space {
    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The index of a label by its text.
    pub fn position(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|l| l == label)
    }

    /// Finds the labels in the lexicon of this run; after reading a saved space, before batches.
    pub fn attach(&mut self, lexicon: &Lexicon) {
        let types: Vec<&str> = match self.kind {
            SpaceKind::Bio => self.labels.iter().filter_map(|l| l.strip_prefix("B-")).collect(),
            _ => self.labels.iter().map(String::as_str).collect(),
        };
        self.index = types.iter().enumerate().map(|(i, l)| (lexicon.intern(l), i as u32)).collect();
    }

    /// The index of a label (of a type in a BIO space) by its number in the lexicon: [`MISSING`]
    /// stays what it is, and a label that the space lacks is [`UNSEEN`].
    pub fn index(&self, word: u32) -> u32 {
        let other = if self.kind == SpaceKind::Words { 0 } else { UNSEEN };
        if word == MISSING { MISSING } else { self.index.get(&word).copied().unwrap_or(other) }
    }

    /// Spans as BIO tags of this space along the tokens of texts with these lengths. Where spans
    /// overlap, the one that begins first stands, and of two that begin together the longer.
    pub fn bio(&self, spans: &[Labelled], lengths: &[usize]) -> Vec<u32> {
        let starts: Vec<usize> = lengths.iter().scan(0, |at, n| Some(std::mem::replace(at, *at + n))).collect();
        let mut tags = vec![0; lengths.iter().sum()];
        let mut order: Vec<&Labelled> = spans.iter().collect();
        order.sort_by_key(|s| (s.range.member, s.range.start, std::cmp::Reverse(s.range.end)));
        for span in order {
            let Some(start) = starts.get(span.range.member as usize) else { continue };
            let range = start + span.range.start as usize..start + span.range.end as usize;
            let Some(places) = tags.get_mut(range).filter(|p| p.iter().all(|&t| t == 0)) else { continue };
            let (first, rest) = match self.index(span.label) {
                id if id >= UNSEEN => (id, id),
                kind => (1 + 2 * kind, 2 + 2 * kind),
            };
            places.fill(rest);
            if let Some(place) = places.first_mut() {
                *place = first;
            }
        }
        tags
    }
}

/// Builds a space, and warns of labels that train never has.
pub fn build(
    spec: &SpaceSpec,
    corpus: &Corpus,
    tallies: &Tallies,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Space, Diagnostic> {
    let (kind, fields) = match &spec.from {
        SpaceFrom::Fields(fields) => (SpaceKind::Labels, fields.clone()),
        SpaceFrom::Bio(fields) => (SpaceKind::Bio, fields.clone()),
        SpaceFrom::Grades(fields) => (SpaceKind::Grades, fields.clone()),
        SpaceFrom::List(_) => (SpaceKind::List, Vec::new()),
        SpaceFrom::Words { fields, .. } => (SpaceKind::Words, fields.clone()),
    };
    let mut space =
        Space { name: spec.name.clone(), kind, fields, labels: Vec::new(), counts: Vec::new(), index: HashMap::new() };
    match &spec.from {
        SpaceFrom::List(labels) => {
            space.labels = labels.clone();
            space.counts = vec![0; labels.len()];
        }
        SpaceFrom::Grades(_) => grades(&mut space, corpus)?,
        SpaceFrom::Words { min_count, .. } => words(&mut space, corpus, tallies, *min_count as u64),
        _ => {
            train_labels(&mut space, corpus, tallies)?;
            unseen(&space, corpus, tallies, warnings);
        }
    }
    space.attach(corpus.lexicon());
    Ok(space)
}

type Counts = BTreeMap<String, u64>;

fn labels_of(space: &Space, corpus: &Corpus, tallies: &Tallies, portion: Portion) -> Vec<(usize, usize, Counts)> {
    let word = |(id, n): (&u32, &u64)| (corpus.lexicon().word(*id).to_string(), *n);
    let of = |(data, field)| (data, field, tallies.get(data, portion, field).labels.iter().map(word).collect());
    corpus.find_all(&space.fields).into_iter().map(of).collect()
}

fn train_labels(space: &mut Space, corpus: &Corpus, tallies: &Tallies) -> Result<(), Diagnostic> {
    let mut all = Counts::new();
    for (_, _, counts) in labels_of(space, corpus, tallies, Portion::Train) {
        counts.into_iter().for_each(|(label, n)| *all.entry(label).or_default() += n);
    }
    if all.is_empty() {
        return Err(empty(space, corpus, "has no label in train"));
    }
    if space.kind == SpaceKind::Bio {
        space.labels.push("O".into());
        space.labels.extend(all.keys().flat_map(|t| [format!("B-{t}"), format!("I-{t}")]));
        space.counts = vec![0; space.labels.len()];
        space.attach(corpus.lexicon());
        return count_bio(space, corpus);
    }
    (space.labels, space.counts) = all.into_iter().unzip();
    Ok(())
}

/// The unknown word, which stands for all that train has less than `least` times, and the others.
fn words(space: &mut Space, corpus: &Corpus, tallies: &Tallies, least: u64) {
    let (mut known, mut rare) = (Counts::new(), 0);
    for (data, field) in corpus.find_all(&space.fields) {
        for (word, n) in &tallies.get(data, Portion::Train, field).words {
            *known.entry(corpus.lexicon().word(*word).to_string()).or_default() += n;
        }
    }
    known.values().filter(|n| **n < least).for_each(|n| rare += n);
    known.retain(|_, n| *n >= least);
    known.remove(UNKNOWN_WORD);
    (space.labels, space.counts) = std::iter::once((UNKNOWN_WORD.to_string(), rare)).chain(known).unzip();
}

fn count_bio(space: &mut Space, corpus: &Corpus) -> Result<(), Diagnostic> {
    let mut counts = vec![0u64; space.len()];
    for (data, field) in corpus.find_all(&space.fields) {
        let dataset = &corpus.datasets[data];
        dataset.for_each(Portion::Train, |_, values| {
            if let FieldValue::Spans(spans) = &values[field] {
                let tags = space.bio(spans, &dataset.member_lengths(field, values));
                for tag in tags {
                    if let Some(n) = counts.get_mut(tag as usize) {
                        *n += 1;
                    }
                }
            }
            Ok(())
        })?;
    }
    space.counts = counts;
    Ok(())
}

fn empty(space: &Space, corpus: &Corpus, what: &str) -> Diagnostic {
    match corpus.find_all(&space.fields).first() {
        Some(&(data, field)) => {
            let spec = &corpus.datasets[data].spec;
            let field = &spec.fields[field];
            let text = format!("field '{}' of '{}' {what}", field.name, spec.name);
            Diagnostic::new(codes::DATA_LABEL, field.span, text)
        }
        None => Diagnostic::placeless(codes::DATA_LABEL, format!("the label space '{}' {what}", space.name)),
    }
}

fn grades(space: &mut Space, corpus: &Corpus) -> Result<(), Diagnostic> {
    const MOST: f32 = 1000.0;
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut numbers = Vec::new();
    for (data, field) in corpus.find_all(&space.fields) {
        corpus.datasets[data].for_each(Portion::Train, |_, values| {
            if let FieldValue::Number(n) = values[field] {
                (low, high) = (low.min(n.floor()), high.max(n.ceil()));
                numbers.push(n);
            }
            Ok(())
        })?;
    }
    if numbers.is_empty() {
        return Err(empty(space, corpus, "has no number in train"));
    }
    if high - low > MOST {
        return Err(empty(space, corpus, &format!("goes from {low} to {high}, too far for a space of grades")));
    }
    space.labels = (low as i64..=high as i64).map(|g| g.to_string()).collect();
    space.counts = vec![0; space.labels.len()];
    numbers.iter().for_each(|n| space.counts[(n.round() - low) as usize] += 1);
    Ok(())
}

/// One warning for each field and split.
fn unseen(space: &Space, corpus: &Corpus, tallies: &Tallies, warnings: &mut Vec<Diagnostic>) {
    for portion in [Portion::Dev, Portion::Test] {
        for (data, field, counts) in labels_of(space, corpus, tallies, portion) {
            let known = |label: &String| match space.kind {
                SpaceKind::Bio => space.position(&format!("B-{label}")).is_some(),
                _ => space.labels.binary_search(label).is_ok(),
            };
            let new: Vec<String> =
                counts.iter().filter(|(l, _)| !known(l)).map(|(l, n)| format!("{l} ({n})")).collect();
            if new.is_empty() {
                continue;
            }
            let spec = &corpus.datasets[data].spec;
            let name = &spec.fields[field].name;
            let times: u64 = counts.iter().filter(|(l, _)| !known(l)).map(|(_, n)| n).sum();
            let text = format!(
                "{} of '{}.{name}' has {} that train never has, {} in all: {}",
                portion.name(),
                spec.name,
                count(new.len(), "label"),
                count(times as usize, "place"),
                listed(&new)
            );
            warnings.push(
                Diagnostic::new(codes::UNSEEN_LABEL, spec.fields[field].span, text)
                    .help("such a label counts as wrong in evaluation"),
            );
        }
    }
}

/// What a read gave, as a diagnostic.
pub(super) fn placed<T>(read: Read<T>, spec: &super::spec::DataSpec) -> Result<T, Diagnostic> {
    read.map_err(|fault| fault.diagnostic(spec, spec.span))
}
