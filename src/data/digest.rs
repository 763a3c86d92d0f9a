//! Checksums of data files, so that a run that goes on notices data that has changed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::formats;
use super::spec::{DataSpec, FieldType, FilePath, Format, Source, Split, Tokens, VocabSpec};

/// The BLAKE3 hash of every file that the data sets, tokenizers and word vectors are read from, by its
/// name as messages show it.
pub fn digests(specs: &[DataSpec], vocabs: &[VocabSpec], base: &Path) -> io::Result<BTreeMap<String, String>> {
    let vectors = vocabs.iter().filter_map(|v| v.vectors.as_ref()).map(|file| whole(file, base));
    let tokenizers = specs.iter().flat_map(tokenizers).map(|file| whole(file, base));
    let files = specs.iter().flat_map(|spec| files(spec, base)).chain(vectors).chain(tokenizers);
    files.map(|(path, shown)| Ok((shown, digest(&path)?))).collect()
}

fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn whole(file: &FilePath, base: &Path) -> (PathBuf, String) {
    (base.join(&file.path), file.path.display().to_string())
}

/// The tokenizer files of a data set.
fn tokenizers(spec: &DataSpec) -> impl Iterator<Item = &FilePath> {
    spec.fields.iter().filter_map(|field| match &field.ty {
        FieldType::Text { tokens: Tokens::File(file), .. } | FieldType::Texts { tokens: Tokens::File(file), .. } => {
            Some(file)
        }
        _ => None,
    })
}

/// The files of a data set: each as declared, or in `lines` one for each source.
fn files(spec: &DataSpec, base: &Path) -> Vec<(PathBuf, String)> {
    let of_split = |split: &Option<Split>| match split {
        Some(Split::Files(files)) => files.clone(),
        _ => Vec::new(),
    };
    let declared = [spec.train.clone(), of_split(&spec.dev), of_split(&spec.test)].concat();
    let declared = declared.iter().map(|file| whole(file, base));
    if !matches!(spec.format, Format::Lines) {
        return declared.collect();
    }
    let names: Vec<Source> = formats::sources(spec).into_iter().flatten().collect();
    let found = |(path, shown): (PathBuf, String)| -> Vec<_> {
        let named = names.iter().filter_map(|source| match source {
            Source::Name(name) => formats::lines::file(&path, &shown, name),
            _ => None,
        });
        named.collect()
    };
    declared.flat_map(found).collect()
}
