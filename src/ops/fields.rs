//! Signatures of the `data` block: its settings and the types of fields.

use super::formats;
use super::signature::*;

const TOKENS: Arg = arg(
    "tokens",
    Kind::Any,
    Default::Word("space"),
    "How a text is split: `space`, `words`, `chars`, `bytes`, `bpe(8000)` or a tokenizer file.",
);
const LOWER: Arg = arg("lower", Kind::Bool, Default::Bool(false), "Fold to lower case.");
const MAX: Arg = arg("max", COUNT, Default::Unset, "Keep at most this many tokens.");
const ALONG: Arg = required("of", Kind::Any, "The field whose axis it runs along.");

macro_rules! types {
    ($($item:ident, $name:literal, $args:expr, $doc:literal;)*) => {
        $(static $item: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[], args: $args };)*
        /// The types of fields.
        pub static FIELD_TYPES: &[&Signature] = &[$(&$item),*];
    };
}

types! {
    TEXT, "text", &[LOWER, TOKENS, MAX], "Tokens along the axis named after the field.";
    TEXTS, "texts", &[arg("of", Kind::Any, Default::Unset, "The field whose members have a text each."), LOWER, TOKENS, MAX], "A set of texts.";
    CLASS, "class", &[arg("as", Kind::Any, Default::Unset, "Another class field whose labels it shares.")], "One label.";
    LABELS, "labels", &[arg("separator", Kind::Str, Default::Unset, "What stands between labels; `,` when left out.")], "A set of labels.";
    NUMBER, "number", &[], "A number.";
    VECTOR, "vector", &[required("d", COUNT, "How many numbers.")], "A vector.";
    TAGS, "tags", &[ALONG], "A label for each member of an axis.";
    SPAN, "span", &[ALONG], "A half-open range of tokens.";
    SPANS, "spans", &[ALONG], "Labelled ranges of tokens.";
    RELATIONS, "relations", &[ALONG], "Labelled ordered pairs of the spans of a field.";
    TREE, "tree", &[ALONG], "Head and label of each token.";
    CLUSTERS, "clusters", &[ALONG], "Sets of spans.";
    CHOICE, "choice", &[ALONG], "Which member of a set of texts is right.";
    RANKING, "ranking", &[ALONG], "A grade for each member of a set of texts.";
}

/// Settings of a `data` block.
pub static DATA: Signature = Signature {
    name: "data",
    group: Group::Internal,
    doc: "A data set: its files, their format and the typed fields in them.",
    inputs: &[],
    args: &[
        required("format", Kind::Word(formats::NAMES), "How the files are written."),
        arg(
            "separator",
            Kind::Str,
            Default::Unset,
            "The character between columns of `csv`; with `\" \"` the last column takes the rest.",
        ),
        required("train", Kind::Any, "A path, or a list of paths that are read in order."),
        arg("dev", Kind::Any, Default::Unset, "A path, a list, or a share such as `10% of train`."),
        arg("test", Kind::Any, Default::Unset, "A path, a list, or a share such as `10% of train`."),
        arg("limit", COUNT, Default::Unset, "Take the first examples of each split."),
        arg(
            "on_error",
            Kind::Word(&["stop", "skip"]),
            Default::Word("stop"),
            "What a malformed example does: stop, or be left out and counted.",
        ),
    ],
};
