//! The file formats of `data` blocks.

use super::signature::{Group, Signature};

macro_rules! formats {
    ($($item:ident, $name:literal, $doc:literal;)*) => {
        $(static $item: Signature =
            Signature { name: $name, group: Group::Internal, doc: $doc, inputs: &[], args: &[] };)*
        /// The formats, documented.
        pub static FORMATS: &[&Signature] = &[$(&$item),*];
        /// Their names.
        pub const NAMES: &[&str] = &[$($name),*];
    };
}

formats! {
    LINES, "lines", "One example a line, in a file for each field: `train/NAME`, else `train.NAME`.";
    CONLL, "conll", "A token a line in columns, a blank line between examples; `from 0` is a column, `from \"# intent\"` a comment line.";
    CONLLU, "conllu", "Universal Dependencies; `from` names a column, such as `form`, `upos`, `head` and `deprel`.";
    JSONL, "jsonl", "A JSON object a line; `from \"a.b\"` is a key inside another.";
    CSV, "csv", "Records between commas, quoted where needed, or another `separator`; columns by name mean a header, by number none. With `separator: \" \"` the last column takes the rest of the line.";
    TSV, "tsv", "Records between tabs, without quoting; columns by name mean a header, by number none.";
    PARQUET, "parquet", "Apache Parquet; `from` names a column.";
    SQUAD, "squad", "The published JSON of SQuAD, or an article a line; a share of train splits by article.";
    TEXT, "text", "One example a line, a text.";
}

/// Whether this build reads files of a format.
pub fn runs(format: &str) -> bool {
    !matches!(format, "parquet" | "squad")
}
