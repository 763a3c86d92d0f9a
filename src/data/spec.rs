//! What a program declares about its data sets, after checking: no name is left to resolve.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::template::Template;
use crate::source::Span;

/// A data set, or one member of a family of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    /// `atis`, or `reviews.books` for a member.
    pub name: String,
    /// How the files are read.
    pub format: Format,
    /// Where the train, dev and test examples come from.
    pub train: Vec<FilePath>,
    /// `None` when there is none.
    pub dev: Option<Split>,
    /// `None` when there is none.
    pub test: Option<Split>,
    /// Take only the first examples of each split.
    pub limit: Option<usize>,
    /// Leave malformed examples out and count them, instead of stopping.
    pub skip_malformed: bool,
    /// The fields, in the order declared.
    pub fields: Vec<FieldSpec>,
    /// Where the data set is declared, for diagnostics.
    pub span: Span,
}

/// A path as written, with the place to blame when it is missing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FilePath {
    /// As written: relative to the folder of the `.mtl` file, or to `--data`.
    pub path: PathBuf,
    /// Its place.
    pub span: Span,
}

/// Where a split comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Split {
    /// Files of its own.
    Files(Vec<FilePath>),
    /// A share of train, drawn by the seed.
    OfTrain(f64),
}

/// File formats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One example a line, one file a field: `train/NAME`, else `train.NAME`.
    Lines,
    /// Columns separated by white space, a blank line between examples.
    Conll,
    /// Universal Dependencies.
    Conllu,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated, quoted; or another separator. With `" "` the last column takes the rest.
    Csv {
        /// The separating character.
        separator: char,
    },
    /// Tab-separated, without quoting.
    Tsv,
    /// One example a line, one text field.
    Text,
    /// Known to the checker, not read by this build.
    Parquet,
    /// Known to the checker, not read by this build.
    Squad,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSpec {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ty: FieldType,
    /// Columns or keys it is read from; its own name when it says none.
    pub sources: Vec<Source>,
    /// `"<2{tgt}> {source}"`: made from other fields instead.
    pub template: Option<Template>,
    /// A text that is only gold: an example that has none trains other tasks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Its place.
    pub span: Span,
}

/// A column or key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// By number, from 0.
    Column(usize),
    /// By name.
    Name(String),
}

/// How a text becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// Split at white space.
    Space,
    /// Words and punctuation marks.
    Words,
    /// Unicode scalar values.
    Chars,
    /// Bytes.
    Bytes,
    /// Byte-pair encoding with at most this many pieces.
    Bpe(usize),
    /// A tokenizer file.
    File(FilePath),
}

/// What a field holds. Names refer to fields of the same data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Tokens along the axis `data.field`.
    Text {
        /// Fold to lower case.
        lower: bool,
        /// How it is split.
        tokens: Tokens,
        /// Keep at most this many tokens.
        max: Option<usize>,
    },
    /// A set of texts, or one text for each member of the axis of a field.
    Texts {
        /// The field whose members have a text each.
        of: Option<String>,
        /// Fold to lower case.
        lower: bool,
        /// How each is split.
        tokens: Tokens,
        /// Keep at most this many tokens of each.
        max: Option<usize>,
    },
    /// One label.
    Class,
    /// A set of labels.
    Labels {
        /// What stands between labels in a string.
        separator: String,
    },
    /// A number.
    Number,
    /// `d` numbers.
    Vector(usize),
    /// A label for each member of the axis.
    Tags(String),
    /// A half-open range of tokens.
    Span(String),
    /// Labelled ranges of tokens.
    Spans(String),
    /// Labelled ordered pairs of the spans of a field.
    Relations(String),
    /// Head and label for each token.
    Tree(String),
    /// Sets of spans.
    Clusters(String),
    /// Which member of the texts field is right.
    Choice(String),
    /// A grade for each member of the texts field.
    Ranking(String),
}

impl FieldType {
    /// The field whose axis this one is defined along.
    pub fn along(&self) -> Option<&str> {
        use FieldType::*;
        match self {
            Texts { of, .. } => of.as_deref(),
            Tags(x) | Span(x) | Spans(x) | Relations(x) | Tree(x) | Clusters(x) | Choice(x) | Ranking(x) => Some(x),
            _ => None,
        }
    }

    /// Whether train's labels of this field make a label space.
    pub fn has_labels(&self) -> bool {
        use FieldType::*;
        matches!(self, Class | Labels { .. } | Tags(_) | Spans(_) | Relations(_) | Tree(_))
    }
}

/// A label space that the program uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpaceSpec {
    /// `atis.intent`, `reviews` for `index(reviews)`.
    pub name: String,
    /// Where the labels come from.
    pub from: SpaceFrom,
}

/// Where the labels of a space come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SpaceFrom {
    /// The sorted train labels of these `(data, field)` pairs together.
    Fields(Vec<(String, String)>),
    /// As `Fields`, for `spans` fields read as BIO tags: `O`, then `B-x` and `I-x` for each type.
    Bio(Vec<(String, String)>),
    /// As `Fields`, for `number` fields: the integer grades from the least to the greatest.
    Grades(Vec<(String, String)>),
    /// These labels, in this order.
    List(Vec<String>),
    /// The unknown word, then the train words of these text fields, sorted.
    Words {
        /// `(data, field)` pairs.
        fields: Vec<(String, String)>,
        /// Words that train has less often are the unknown one.
        min_count: usize,
    },
}

/// A vocabulary that the program uses: the train tokens of all fields that reach it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VocabSpec {
    /// The path of the layer that owns it: `words.embed`.
    pub name: String,
    /// `(data, field)` pairs.
    pub fields: Vec<(String, String)>,
    /// Of the characters of the tokens instead of the tokens.
    pub chars: bool,
    /// Tokens that train has less often are unknown.
    pub min_count: usize,
    /// A GloVe or word2vec text file whose words join the vocabulary where the data has them.
    pub vectors: Option<FilePath>,
}
