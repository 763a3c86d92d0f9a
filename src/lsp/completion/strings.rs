//! Strings: paths of files, and the columns that fields are read from.

use gen_lsp_types as lsp;
use std::path::{Path, PathBuf};

use super::{Completer, Rank};
use crate::data::spec::Format;
use crate::lsp::cursor::Block;
use crate::lsp::documents::path_of;
use crate::lsp::samples::{base, spec};

/// Names of a folder that are offered.
const MOST: usize = 200;

impl Completer<'_, '_> {
    pub(super) fn in_string(&mut self) {
        let setting = self.cursor.setting().map(|s| self.cursor.token(s)).unwrap_or("");
        let (last, before) = (self.cursor.back(0), self.cursor.back(1));
        match (last, self.cursor.block().0) {
            ("use", _) => self.paths(&self.own_folder(), Some("mtl")),
            ("from", Block::Data) => self.columns(false),
            (",", Block::Data) if self.reads_columns() => self.columns(false),
            ("=", Block::Data) => self.template(),
            (_, Block::Data) if matches!(setting, "train" | "dev" | "test") => self.paths(&base(self.view), None),
            (":", _) if matches!(before, "vectors" | "tokens") => self.paths(&base(self.view), None),
            _ => {}
        }
    }

    /// The folder of the file itself, which `use` is relative to.
    fn own_folder(&self) -> PathBuf {
        path_of(&self.view.document.uri).parent().unwrap_or(Path::new("")).to_path_buf()
    }

    /// The files and folders below what is typed of a path.
    fn paths(&mut self, folder: &Path, extension: Option<&str>) {
        let typed = self.cursor.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let keep = if typed.is_empty() { 0 } else { typed.len() + 1 };
        self.cursor.word.start += keep;
        self.cursor.word.end = self.cursor.word.end.max(self.cursor.word.start);
        let Ok(entries) = std::fs::read_dir(folder.join(typed)) else { return };
        let mut found: Vec<(String, bool)> = entries
            .flatten()
            .take(MOST)
            .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path().is_dir()))
            .filter(|(name, _)| !name.starts_with('.'))
            .collect();
        found.sort();
        for (name, is_folder) in found {
            let wanted = extension.is_none_or(|x| Path::new(&name).extension().is_some_and(|e| e == x));
            if is_folder {
                self.add(&format!("{name}/"), &name, lsp::CompletionItemKind::Folder, Rank::Local);
            } else if wanted {
                self.add(&name, &name, lsp::CompletionItemKind::File, Rank::Own);
            }
        }
    }

    /// Whether a comma stands in the columns of a field.
    fn reads_columns(&self) -> bool {
        let end = self.cursor.before.len();
        let from = self.cursor.header(end).unwrap_or(0);
        (from..end).any(|i| self.cursor.token(i) == "from")
    }

    /// The columns of the data, quoted where they need it.
    pub(super) fn columns(&mut self, quoted: bool) {
        let Some(open) = self.cursor.block().1 else { return };
        for name in self.columns_of(open) {
            let plain = name.parse::<u32>().is_ok();
            let shown = if quoted && !plain { format!("\"{name}\"") } else { name.clone() };
            if quoted || !plain {
                let item = self.add(&shown, &shown, lsp::CompletionItemKind::Field, Rank::Own);
                item.detail = Some("a column of the data".into());
            }
        }
    }

    /// What the files of the data block at a token have.
    fn columns_of(&self, open: usize) -> Vec<String> {
        let data = self.cursor.header_of_block(open).map(|h| self.cursor.token(h + 1)).unwrap_or("");
        let base = base(self.view);
        let samples = &self.view.workspace.samples;
        if let Some(spec) = spec(self.view, data).filter(|s| !s.train.is_empty()) {
            let files: Vec<PathBuf> = spec.train.iter().map(|f| base.join(&f.path)).collect();
            return samples.columns(&spec.format, &files);
        }
        let said = |name: &str| self.cursor.said(open, name);
        let (Some(format), Some(train)) = (said("format"), said("train")) else { return Vec::new() };
        let separator = said("separator").and_then(|s| s.chars().next()).unwrap_or(',');
        let format = match format {
            "csv" => Format::Csv { separator },
            "tsv" => Format::Tsv,
            "jsonl" => Format::Jsonl,
            "conll" => Format::Conll,
            "conllu" => Format::Conllu,
            "lines" => Format::Lines,
            _ => return Vec::new(),
        };
        samples.columns(&format, &[base.join(train)])
    }

    /// In a field made of others: their names, in the braces.
    fn template(&mut self) {
        let typed = self.cursor.prefix.rsplit_once('{').filter(|(_, rest)| !rest.contains('}'));
        let Some((before, _)) = typed else { return };
        self.cursor.word.start += before.len() + 1;
        self.cursor.word.end = self.cursor.word.start + self.cursor.prefix.len() - before.len() - 1;
        let Some(open) = self.cursor.block().1 else { return };
        let data = self.cursor.header_of_block(open).map(|h| self.cursor.token(h + 1)).unwrap_or("");
        let id = self.view.references().all().find(|(_, d)| d.name == data).map(|(id, _)| id);
        id.into_iter().for_each(|id| self.fields_of(id));
        for name in self.cursor.locals() {
            self.word(name, lsp::CompletionItemKind::Variable, Rank::Local);
        }
    }
}
