//! Batches: the fields of some examples, packed end to end.

use std::sync::Arc;

use super::dataset::Portion;
use super::space::{Space, SpaceKind};
use super::spec::{DataSpec, FieldType};
use super::value::{FieldValue, Labelled, MISSING, Node, Range, Relation};

/// A field as a batch shows it. A field whose labels belong to several spaces has several views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The field, by its place in the declaration.
    pub field: usize,
    /// The space that its labels are indices of, by its place in the schema.
    pub space: Option<usize>,
}

/// Some examples of one data set.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The data set, by its place among the declarations.
    pub data: usize,
    /// The split.
    pub portion: Portion,
    /// The examples, by their places in the split.
    pub examples: Vec<u32>,
    /// What `fields` hold: first a view of each field in the order declared.
    pub views: Arc<[View]>,
    /// The values.
    pub fields: Vec<FieldBatch>,
}

/// Packed offsets: those of `n` groups are `n + 1` numbers that begin with 0.
pub type Offsets = Arc<[u32]>;

/// A field of every example of a batch. Labels are indices of the space of the view:
/// [`MISSING`] where there is none, [`UNSEEN`](super::value::UNSEEN) where the space lacks it.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldBatch {
    /// Words of the lexicon.
    Text {
        /// The words of all examples.
        ids: Arc<Vec<u32>>,
        /// Words of each example.
        offsets: Offsets,
    },
    /// Words of the lexicon.
    Texts {
        /// The words of all texts.
        ids: Arc<Vec<u32>>,
        /// Texts of each example.
        members: Offsets,
        /// Words of each text.
        tokens: Offsets,
    },
    /// A label for each example.
    Class(Arc<Vec<u32>>),
    /// A set of labels for each example.
    Labels {
        /// The labels of all examples.
        ids: Arc<Vec<u32>>,
        /// Labels of each example.
        offsets: Offsets,
        /// Whether the example has gold: an empty set is gold, a missing one is not.
        present: Arc<Vec<bool>>,
    },
    /// A number for each example, NaN where there is none.
    Number(Arc<Vec<f32>>),
    /// `dim` numbers for each example, NaN where there are none.
    Vector {
        /// Row by row.
        values: Arc<Vec<f32>>,
        /// Numbers of a row.
        dim: usize,
    },
    /// A label for each member of an axis; also a `spans` field in a BIO space.
    Tags {
        /// The labels of all examples.
        ids: Arc<Vec<u32>>,
        /// Labels of each example.
        offsets: Offsets,
    },
    /// Labelled ranges; `None` where there is no gold.
    Spans(Arc<Vec<Option<Vec<Labelled>>>>),
    /// A range; `None` where there is no gold.
    Span(Arc<Vec<Option<Range>>>),
    /// Labelled pairs of spans; `None` where there is no gold.
    Relations(Arc<Vec<Option<Vec<Relation>>>>),
    /// Head and label of each token, as [`Node`] has them.
    Tree {
        /// The heads of all tokens.
        heads: Arc<Vec<u32>>,
        /// The labels of all tokens.
        ids: Arc<Vec<u32>>,
        /// Tokens of each example.
        offsets: Offsets,
    },
    /// Sets of ranges; `None` where there is no gold.
    Clusters(Arc<Vec<Option<Vec<Vec<Range>>>>>),
    /// Which member is right, [`MISSING`] where that is not known.
    Choice(Arc<Vec<u32>>),
    /// A grade for each member.
    Ranking {
        /// The grades of all examples, NaN where there is none.
        values: Arc<Vec<f32>>,
        /// Grades of each example.
        offsets: Offsets,
    },
}

impl Batch {
    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The values of a view.
    pub fn get(&self, view: View) -> Option<&FieldBatch> {
        self.views.iter().position(|v| *v == view).map(|i| &self.fields[i])
    }

    /// The values of a field in its first view.
    pub fn field(&self, field: usize) -> Option<&FieldBatch> {
        self.fields.get(field)
    }

    /// Tokens of the field that has most of them.
    pub fn tokens(&self) -> usize {
        let tokens = |f: &FieldBatch| match f {
            FieldBatch::Text { ids, .. } | FieldBatch::Texts { ids, .. } => ids.len(),
            _ => 0,
        };
        self.fields.iter().map(tokens).max().unwrap_or(0)
    }
}

/// The views of a data set: one of each field (in its own space before that of BIO tags), then
/// one for each further space of a field.
pub fn views(spec: &DataSpec, spaces: &[Arc<Space>]) -> Vec<View> {
    let of = |field: usize| {
        let named = |s: &Space| s.fields.iter().any(|(d, f)| *d == spec.name && *f == spec.fields[field].name);
        let mut found: Vec<usize> = (0..spaces.len()).filter(|&s| named(&spaces[s])).collect();
        found.sort_by_key(|&s| spaces[s].kind != SpaceKind::Labels);
        found
    };
    let all: Vec<Vec<usize>> = (0..spec.fields.len()).map(of).collect();
    let first = all.iter().enumerate().map(|(field, spaces)| View { field, space: spaces.first().copied() });
    let more = |(field, spaces): (usize, &Vec<usize>)| {
        spaces.iter().skip(1).map(move |&s| View { field, space: Some(s) }).collect::<Vec<_>>()
    };
    let more = all.iter().enumerate().flat_map(more);
    first.chain(more).collect()
}

/// Tokens of each text that a field's ranges lie in.
pub fn member_lengths(spec: &DataSpec, field: usize, values: &[FieldValue]) -> Vec<usize> {
    match along(spec, field).map(|a| &values[a]) {
        Some(FieldValue::Text(words)) => vec![words.len()],
        Some(FieldValue::Texts(texts)) => texts.iter().map(Vec::len).collect(),
        _ => Vec::new(),
    }
}

fn along(spec: &DataSpec, field: usize) -> Option<usize> {
    let name = spec.fields[field].ty.along()?;
    spec.fields.iter().position(|f| f.name == name)
}

/// How many members the axis of a field has.
fn axis_length(spec: &DataSpec, field: usize, values: &[FieldValue]) -> usize {
    match along(spec, field).map(|a| &values[a]) {
        Some(FieldValue::Text(v) | FieldValue::Tags(v) | FieldValue::Labels(v)) => v.len(),
        Some(FieldValue::Texts(v)) => v.len(),
        Some(FieldValue::Spans(v)) => v.len(),
        _ => 0,
    }
}

/// Packs examples.
pub fn pack(spec: &DataSpec, views: &[View], spaces: &[Arc<Space>], rows: &[Vec<FieldValue>]) -> Vec<FieldBatch> {
    views.iter().map(|view| pack_view(spec, view.field, view.space.map(|s| &*spaces[s]), rows)).collect()
}

fn pack_view(spec: &DataSpec, field: usize, space: Option<&Space>, rows: &[Vec<FieldValue>]) -> FieldBatch {
    use FieldValue as V;
    let index = |word: u32| space.map_or(MISSING, |s| s.index(word));
    let values = || rows.iter().map(|row| &row[field]);
    match &spec.fields[field].ty {
        FieldType::Text { .. } => {
            let (ids, offsets) = flat(values().map(|v| if let V::Text(ids) = v { ids.clone() } else { Vec::new() }));
            FieldBatch::Text { ids, offsets }
        }
        FieldType::Texts { .. } => texts(values()),
        FieldType::Class => {
            FieldBatch::Class(list(values().map(|v| if let V::Class(l) = v { index(*l) } else { MISSING })))
        }
        FieldType::Labels { .. } => {
            let set = |v: &V| if let V::Labels(set) = v { set.iter().map(|&l| index(l)).collect() } else { Vec::new() };
            let (ids, offsets) = flat(values().map(set));
            FieldBatch::Labels { ids, offsets, present: list(values().map(|v| !v.is_missing())) }
        }
        FieldType::Number => {
            FieldBatch::Number(list(values().map(|v| if let V::Number(n) = v { *n } else { f32::NAN })))
        }
        FieldType::Vector(dim) => {
            let row = |v: &V| if let V::Vector(row) = v { row.clone() } else { vec![f32::NAN; *dim] };
            FieldBatch::Vector { values: list(values().flat_map(row)), dim: *dim }
        }
        FieldType::Tags(_) => {
            let tags = |row: &Vec<V>| match &row[field] {
                V::Tags(tags) => tags.iter().map(|&l| index(l)).collect(),
                _ => vec![MISSING; axis_length(spec, field, row)],
            };
            let (ids, offsets) = flat(rows.iter().map(tags));
            FieldBatch::Tags { ids, offsets }
        }
        FieldType::Spans(_) => match space.filter(|s| s.kind == SpaceKind::Bio) {
            Some(space) => bio(spec, field, space, rows),
            None => FieldBatch::Spans(list(values().map(|v| match v {
                V::Spans(spans) => Some(spans.iter().map(|s| Labelled { label: index(s.label), ..*s }).collect()),
                _ => None,
            }))),
        },
        FieldType::Span(_) => {
            FieldBatch::Span(list(values().map(|v| if let V::Span(r) = v { Some(*r) } else { None })))
        }
        FieldType::Relations(_) => FieldBatch::Relations(list(values().map(|v| match v {
            V::Relations(pairs) => Some(pairs.iter().map(|r| Relation { label: index(r.label), ..*r }).collect()),
            _ => None,
        }))),
        FieldType::Tree(_) => {
            let unknown = Node { head: MISSING, label: MISSING };
            let nodes = |row: &Vec<V>| match &row[field] {
                V::Tree(nodes) => nodes.iter().map(|n| Node { label: index(n.label), ..*n }).collect(),
                _ => vec![unknown; axis_length(spec, field, row)],
            };
            let (nodes, offsets) = flat(rows.iter().map(nodes));
            let (heads, ids) = nodes.iter().map(|n| (n.head, n.label)).unzip();
            FieldBatch::Tree { heads: Arc::new(heads), ids: Arc::new(ids), offsets }
        }
        FieldType::Clusters(_) => FieldBatch::Clusters(list(
            values().map(|v| if let V::Clusters(sets) = v { Some(sets.clone()) } else { None }),
        )),
        FieldType::Choice(_) => {
            FieldBatch::Choice(list(values().map(|v| if let V::Choice(i) = v { *i } else { MISSING })))
        }
        FieldType::Ranking(_) => {
            let grades = |row: &Vec<V>| match &row[field] {
                V::Ranking(grades) => grades.clone(),
                _ => vec![f32::NAN; axis_length(spec, field, row)],
            };
            let (values, offsets) = flat(rows.iter().map(grades));
            FieldBatch::Ranking { values, offsets }
        }
    }
}

fn list<T>(items: impl Iterator<Item = T>) -> Arc<Vec<T>> {
    Arc::new(items.collect())
}

/// Groups end to end, with their offsets.
fn flat<T>(groups: impl Iterator<Item = Vec<T>>) -> (Arc<Vec<T>>, Offsets) {
    let mut all = Vec::new();
    let mut offsets = vec![0];
    for group in groups {
        all.extend(group);
        offsets.push(all.len() as u32);
    }
    (Arc::new(all), offsets.into())
}

fn texts<'a>(values: impl Iterator<Item = &'a FieldValue>) -> FieldBatch {
    let none = Vec::new();
    let sets = values.map(|v| if let FieldValue::Texts(texts) = v { texts.clone() } else { none.clone() });
    let (all, members) = flat(sets);
    let (ids, tokens) = flat(all.iter().cloned());
    FieldBatch::Texts { ids, members, tokens }
}

fn bio(spec: &DataSpec, field: usize, space: &Space, rows: &[Vec<FieldValue>]) -> FieldBatch {
    let tags = |row: &Vec<FieldValue>| {
        let lengths = member_lengths(spec, field, row);
        match &row[field] {
            FieldValue::Spans(spans) => space.bio(spans, &lengths),
            _ => vec![MISSING; lengths.iter().sum()],
        }
    };
    let (ids, offsets) = flat(rows.iter().map(tags));
    FieldBatch::Tags { ids, offsets }
}
