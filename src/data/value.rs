//! What a field of one example holds.

/// No label: the example trains the other tasks.
pub const MISSING: u32 = u32::MAX;
/// A label that its space lacks: counted wrong in evaluation, ignored in training.
pub const UNSEEN: u32 = u32::MAX - 1;

/// A half-open range of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// Which text of a `texts` field; 0 for a `text` field.
    pub member: u32,
    /// First token.
    pub start: u32,
    /// One past the last token.
    pub end: u32,
}

/// A range with a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Labelled {
    /// Where it lies.
    pub range: Range,
    /// Its label, [`MISSING`] where it has none.
    pub label: u32,
}

/// A labelled ordered pair of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Relation {
    /// Index of the first span.
    pub head: u32,
    /// Index of the second span.
    pub tail: u32,
    /// Its label, [`MISSING`] where it has none.
    pub label: u32,
}

/// A token's place in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// 0 for the root, else the head token counted from 1; [`MISSING`] where it is not known.
    pub head: u32,
    /// Label of the edge, [`MISSING`] where it has none.
    pub label: u32,
}

/// A field of one example. Words and labels are numbers of the [`Lexicon`](super::lexicon::Lexicon).
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// No label.
    Missing,
    /// The words of a text.
    Text(Vec<u32>),
    /// The words of each text of a set.
    Texts(Vec<Vec<u32>>),
    /// One label.
    Class(u32),
    /// A set of labels.
    Labels(Vec<u32>),
    /// A number.
    Number(f32),
    /// `d` numbers.
    Vector(Vec<f32>),
    /// A label for each member of an axis.
    Tags(Vec<u32>),
    /// Labelled ranges of tokens.
    Spans(Vec<Labelled>),
    /// One range of tokens.
    Span(Range),
    /// Labelled pairs of spans.
    Relations(Vec<Relation>),
    /// Head and label for each token.
    Tree(Vec<Node>),
    /// Sets of ranges.
    Clusters(Vec<Vec<Range>>),
    /// Which member of a set of texts is right.
    Choice(u32),
    /// A grade for each member, NaN where there is none.
    Ranking(Vec<f32>),
}

impl FieldValue {
    /// Whether there is no label.
    pub fn is_missing(&self) -> bool {
        matches!(self, FieldValue::Missing)
    }

    /// How many tokens a text or a set of texts has.
    pub fn tokens(&self) -> usize {
        match self {
            FieldValue::Text(words) => words.len(),
            FieldValue::Texts(texts) => texts.iter().map(Vec::len).sum(),
            _ => 0,
        }
    }

    /// Every label in it, in order.
    pub fn labels(&self) -> Vec<u32> {
        let mut labels: Vec<u32> = match self {
            FieldValue::Class(label) => vec![*label],
            FieldValue::Labels(labels) | FieldValue::Tags(labels) => labels.clone(),
            FieldValue::Spans(spans) => spans.iter().map(|s| s.label).collect(),
            FieldValue::Relations(pairs) => pairs.iter().map(|r| r.label).collect(),
            FieldValue::Tree(nodes) => nodes.iter().map(|n| n.label).collect(),
            _ => Vec::new(),
        };
        labels.retain(|&l| l != MISSING);
        labels
    }

    /// Appends it to a column as plain words; [`decode`] reads them back.
    pub(super) fn encode(&self, out: &mut Vec<u32>) {
        use FieldValue::*;
        match self {
            Missing => {}
            Text(v) | Labels(v) | Tags(v) => out.extend(v),
            Class(v) | Choice(v) => out.push(*v),
            Number(v) => out.push(v.to_bits()),
            Vector(v) | Ranking(v) => out.extend(v.iter().map(|x| x.to_bits())),
            Texts(texts) => encode_nested(texts, |w, out| out.push(*w), out),
            Spans(spans) => {
                spans.iter().for_each(|s| out.extend([s.range.member, s.range.start, s.range.end, s.label]))
            }
            Span(r) => out.extend([r.member, r.start, r.end]),
            Relations(pairs) => pairs.iter().for_each(|r| out.extend([r.head, r.tail, r.label])),
            Tree(nodes) => nodes.iter().for_each(|n| out.extend([n.head, n.label])),
            Clusters(sets) => encode_nested(sets, |r, out| out.extend([r.member, r.start, r.end]), out),
        }
    }
}

/// Where an encoded value of this type has numbers of the lexicon.
pub(super) fn word_places<'a>(
    ty: &super::spec::FieldType,
    words: &'a mut [u32],
) -> impl Iterator<Item = &'a mut u32> + use<'a> {
    use super::spec::FieldType as T;
    // The first of them, and how far they are apart.
    let (first, every) = match ty {
        T::Text { .. } | T::Class | T::Labels { .. } | T::Tags(_) => (0, 1),
        T::Texts { .. } => (words.first().map_or(0, |sets| 1 + *sets as usize), 1),
        T::Spans(_) => (3, 4),
        T::Relations(_) => (2, 3),
        T::Tree(_) => (1, 2),
        T::Number | T::Vector(_) | T::Choice(_) | T::Ranking(_) | T::Span(_) | T::Clusters(_) => (words.len(), 1),
    };
    words.iter_mut().skip(first).step_by(every)
}

fn encode_nested<T>(sets: &[Vec<T>], one: impl Fn(&T, &mut Vec<u32>), out: &mut Vec<u32>) {
    out.push(sets.len() as u32);
    out.extend(sets.iter().map(|s| s.len() as u32));
    sets.iter().flatten().for_each(|x| one(x, out));
}

/// The sets of a nested value, whose members take `width` words each.
fn decode_nested(words: &[u32], width: usize) -> Vec<&[u32]> {
    let Some((&n, rest)) = words.split_first() else { return Vec::new() };
    let (sizes, mut rest) = rest.split_at((n as usize).min(rest.len()));
    let mut sets = Vec::with_capacity(sizes.len());
    for &size in sizes {
        let (set, after) = rest.split_at((size as usize * width).min(rest.len()));
        sets.push(set);
        rest = after;
    }
    sets
}

fn range(w: &[u32]) -> Range {
    Range { member: w[0], start: w[1], end: w[2] }
}

/// Reads back what [`FieldValue::encode`] wrote for a field of this type.
pub(super) fn decode(ty: &super::spec::FieldType, words: &[u32]) -> FieldValue {
    use super::spec::FieldType as T;
    let floats = || words.iter().map(|&w| f32::from_bits(w)).collect();
    match ty {
        T::Text { .. } => FieldValue::Text(words.to_vec()),
        T::Texts { .. } => FieldValue::Texts(decode_nested(words, 1).into_iter().map(<[u32]>::to_vec).collect()),
        T::Class => words.first().map_or(FieldValue::Missing, |&w| FieldValue::Class(w)),
        T::Choice(_) => words.first().map_or(FieldValue::Missing, |&w| FieldValue::Choice(w)),
        T::Number => words.first().map_or(FieldValue::Missing, |&w| FieldValue::Number(f32::from_bits(w))),
        T::Labels { .. } => FieldValue::Labels(words.to_vec()),
        T::Tags(_) => FieldValue::Tags(words.to_vec()),
        T::Vector(_) => FieldValue::Vector(floats()),
        T::Ranking(_) => FieldValue::Ranking(floats()),
        T::Span(_) => {
            if words.len() == 3 {
                FieldValue::Span(range(words))
            } else {
                FieldValue::Missing
            }
        }
        T::Spans(_) => {
            FieldValue::Spans(words.chunks_exact(4).map(|w| Labelled { range: range(w), label: w[3] }).collect())
        }
        T::Relations(_) => FieldValue::Relations(
            words.chunks_exact(3).map(|w| Relation { head: w[0], tail: w[1], label: w[2] }).collect(),
        ),
        T::Tree(_) => FieldValue::Tree(words.chunks_exact(2).map(|w| Node { head: w[0], label: w[1] }).collect()),
        T::Clusters(_) => FieldValue::Clusters(
            decode_nested(words, 3).into_iter().map(|set| set.chunks_exact(3).map(range).collect()).collect(),
        ),
    }
}

/// The spans of BIO or BIOES tags, as start, end and type.
pub fn from_bio(tags: &[String]) -> Vec<(usize, usize, &str)> {
    let mut spans: Vec<(usize, usize, &str)> = Vec::new();
    let mut open = false;
    for (i, tag) in tags.iter().enumerate() {
        let (mark, kind) = tag.split_once('-').unwrap_or((tag.as_str(), ""));
        if !matches!(mark, "B" | "I" | "E" | "S") {
            open = false;
            continue;
        }
        let last = spans.last_mut().filter(|s| open && s.2 == kind && matches!(mark, "I" | "E"));
        match last {
            Some(last) => last.1 = i + 1,
            None => spans.push((i, i + 1, kind)),
        }
        open = matches!(mark, "B" | "I");
    }
    spans
}
