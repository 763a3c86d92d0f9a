//! What the tests of data share: declarations in a line each, and files in a temporary folder.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mtlc::data::spec::*;
use mtlc::data::{Corpus, Lexicon, LoadOptions, Template};
use mtlc::diagnostics::Diagnostic;
use mtlc::source::{FileId, Span};

/// A folder with files in it.
pub struct Files(pub tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn load(&self, spec: DataSpec) -> Result<Corpus, Vec<Diagnostic>> {
        load(&[spec], self.path())
    }
}

pub fn load(specs: &[DataSpec], base: &Path) -> Result<Corpus, Vec<Diagnostic>> {
    Corpus::load(specs, base, 1, &Arc::new(Lexicon::default()))
}

pub fn load_indexed(specs: &[DataSpec], base: &Path) -> Result<Corpus, Vec<Diagnostic>> {
    Corpus::load_with(specs, LoadOptions { large: 0, ..LoadOptions::new(base, 1) }, &Arc::new(Lexicon::default()))
}

pub fn span(n: usize) -> Span {
    Span::new(FileId(0), n, n + 1)
}

pub fn file(path: &str) -> FilePath {
    FilePath { path: PathBuf::from(path), span: span(2) }
}

/// A data set named `d` whose train file is `train`.
pub fn data(format: Format, train: &str) -> DataSpec {
    DataSpec {
        name: "d".into(),
        format,
        train: vec![file(train)],
        dev: None,
        test: None,
        limit: None,
        skip_malformed: false,
        fields: Vec::new(),
        span: span(1),
    }
}

pub fn text() -> FieldType {
    FieldType::Text { lower: false, tokens: Tokens::Space, max: None }
}

pub fn texts() -> FieldType {
    FieldType::Texts { of: None, lower: false, tokens: Tokens::Space, max: None }
}

pub trait Declare: Sized {
    fn field(self, name: &str, ty: FieldType, from: &str) -> Self;
    fn made(self, name: &str, ty: FieldType, template: &str) -> Self;
    fn dev(self, path: &str) -> Self;
    fn test(self, path: &str) -> Self;
    fn skip(self) -> Self;
    fn named(self, name: &str) -> Self;
}

impl Declare for DataSpec {
    /// `from` is a list of names and numbers between `|`; empty for none.
    fn field(mut self, name: &str, ty: FieldType, from: &str) -> Self {
        let source = |s: &str| s.parse().map_or_else(|_| Source::Name(s.into()), Source::Column);
        let sources = if from.is_empty() { Vec::new() } else { from.split('|').map(source).collect() };
        let span = span(10 + self.fields.len());
        self.fields.push(FieldSpec { name: name.into(), ty, sources, template: None, optional: false, span });
        self
    }

    fn made(mut self, name: &str, ty: FieldType, template: &str) -> Self {
        self = self.field(name, ty, "");
        self.fields.last_mut().unwrap().template = Some(Template::parse(template).unwrap());
        self
    }

    fn dev(mut self, path: &str) -> Self {
        self.dev = Some(Split::Files(vec![file(path)]));
        self
    }

    fn test(mut self, path: &str) -> Self {
        self.test = Some(Split::Files(vec![file(path)]));
        self
    }

    fn skip(mut self) -> Self {
        self.skip_malformed = true;
        self
    }

    fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }
}

pub fn pair(data: &str, field: &str) -> (String, String) {
    (data.into(), field.into())
}

pub fn space(fields: &[(&str, &str)]) -> SpaceSpec {
    let name = fields.iter().map(|(d, f)| format!("{d}.{f}")).collect::<Vec<_>>().join("+");
    SpaceSpec { name, from: SpaceFrom::Fields(fields.iter().map(|(d, f)| pair(d, f)).collect()) }
}

pub fn words_of(data: &str, field: &str) -> VocabSpec {
    VocabSpec { name: "words.embed".into(), fields: vec![pair(data, field)], chars: false, min_count: 1, vectors: None }
}

pub fn csv(separator: char) -> Format {
    Format::Csv { separator }
}

pub fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
