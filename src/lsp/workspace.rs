//! The programs behind open texts, checked when they are needed.
//!
//! Each open text is a program of its own, unless another open text uses it: then it is checked as
//! a part of that one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gen_lsp_types::Uri;

use super::documents::{Buffers, Documents, path_of};
use super::samples::Samples;
use super::view::View;
use crate::driver::check::{Checked, Settings, check};

/// A checked program.
pub struct Program {
    /// The open text that it begins with.
    pub entry: PathBuf,
    /// What checking gave.
    pub checked: Checked,
    /// The files that it reads, or would read if they were there.
    asked: BTreeSet<PathBuf>,
    stale: bool,
}

/// Open texts and their programs.
#[derive(Default)]
pub struct Workspace {
    /// The texts.
    pub documents: Documents,
    /// What the data files hold.
    pub samples: Samples,
    programs: Vec<Program>,
    /// Programs as they were before they were checked again: taking them apart can wait until the
    /// editor knows what is wrong now.
    spent: Vec<Program>,
}

impl Workspace {
    /// A file has changed, in the editor or on the disk.
    pub fn touch(&mut self, path: &Path) {
        for program in self.programs.iter_mut().filter(|p| p.asked.contains(path)) {
            program.stale = true;
        }
    }

    /// Checks again what has changed. A text is a program of its own as long as no other open text
    /// uses it.
    pub fn settle(&mut self) {
        let Self { documents, programs, spent, .. } = self;
        spent.clear();
        programs.retain(|p| documents.get(&p.entry).is_some());
        for p in programs.iter_mut().filter(|p| p.stale) {
            let now = program(&p.entry, documents);
            spent.push(std::mem::replace(p, now));
        }
        drop_used(programs);
        let open: Vec<PathBuf> = documents.paths().cloned().collect();
        for path in open {
            if !programs.iter().any(|p| p.has(&path)) {
                programs.push(program(&path, documents));
                drop_used(programs);
            }
        }
    }

    /// Forgets what programs were before.
    pub fn tidy(&mut self) {
        self.spent.clear();
    }

    /// The programs, checked.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// An open text in the program that it belongs to.
    pub fn view(&self, uri: &Uri) -> Option<View<'_>> {
        let path = path_of(uri);
        let document = self.documents.get(&path)?;
        let program = self.programs.iter().find(|p| p.has(&path))?;
        let file = program.checked.sources.find(&path)?;
        Some(View { workspace: self, document, program, file })
    }
}

impl Program {
    /// Whether a file is part of it.
    pub fn has(&self, path: &Path) -> bool {
        self.checked.sources.find(path).is_some()
    }
}

fn program(entry: &Path, documents: &Documents) -> Program {
    let buffers = Buffers::new(documents);
    let checked = check(entry, &buffers, &Settings::default());
    Program { entry: entry.to_path_buf(), checked, asked: buffers.asked.into_inner(), stale: false }
}

/// Drops programs that are part of another. Of two that use each other, the first stays.
fn drop_used(programs: &mut Vec<Program>) {
    let mut at = 0;
    while at < programs.len() {
        let entry = &programs[at].entry;
        let by_another = programs.iter().enumerate().any(|(i, p)| {
            let mutual = programs[at].has(&p.entry);
            i != at && p.has(entry) && (!mutual || i < at)
        });
        if by_another {
            programs.remove(at);
        } else {
            at += 1;
        }
    }
}
