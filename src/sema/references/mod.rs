//! What each name of a program means: its declaration, or the signature that documents it. Found in
//! the trees alone, so that it is there whatever else is wrong.

mod blocks;
mod declare;
mod expr;
mod resolve;

use std::path::PathBuf;

use super::symbols::SymbolKind;
use crate::ops::{Arg, Signature};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::Parse;

/// Index of a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefId(pub usize);

/// What is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefKind {
    /// An item.
    Item(SymbolKind),
    /// A field of a data set.
    Field,
    /// A parameter of a layer or recipe.
    Param,
    /// A `let` in the block of a layer or recipe.
    Local,
    /// The name of a `for`.
    Loop,
    /// A stage of training.
    Stage,
}

/// A declaration.
#[derive(Clone, Debug)]
pub struct Def {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: DefKind,
    /// Where its name stands.
    pub span: Span,
    /// What shows what it is: a declaration without its block.
    pub head: Span,
    /// Where it is known: the item it stands in; `None` for what the whole program knows.
    pub scope: Option<Span>,
    /// The data set of a field, the layer of a parameter.
    pub owner: Option<DefId>,
    /// The items that a loop name stands for.
    pub stands_for: Vec<DefId>,
    /// Its doc comment.
    pub docs: Option<String>,
}

/// What a name means.
#[derive(Clone, Debug)]
pub enum Target {
    /// Declarations; several where a loop name stands for several items.
    Defs(Vec<DefId>),
    /// An operation, a kind of task, a type of field, an optimiser, an output of a task.
    Signature(&'static Signature),
    /// An argument or setting of a signature.
    Argument(&'static Signature, &'static Arg),
    /// A metric of a task.
    Metric,
    /// A word that stands for itself.
    Word,
    /// Another file.
    File(PathBuf),
}

/// A name, where something other than its declaration names it.
#[derive(Clone, Debug)]
pub struct Use {
    /// Where it stands.
    pub span: Span,
    /// What it means.
    pub target: Target,
    /// Whether its text counts beside what it means: the word of a `for`, or an index.
    pub spelled: bool,
}

/// All declarations of a program, and all uses of names.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// The declarations.
    pub defs: Vec<Def>,
    /// The uses, in the order of their places.
    pub uses: Vec<Use>,
}

impl References {
    /// Finds what every name of these files means.
    pub fn of(files: &[Parse], sources: &SourceMap) -> Self {
        let mut found = resolve::Resolver::new(files, sources).run();
        found.uses.sort_by_key(|u| (u.span, !matches!(u.target, Target::Defs(_))));
        found.uses.dedup_by_key(|u| u.span);
        found
    }

    /// The declaration of this id.
    pub fn def(&self, id: DefId) -> &Def {
        &self.defs[id.0]
    }

    /// All declarations with their ids.
    pub fn all(&self) -> impl Iterator<Item = (DefId, &Def)> {
        self.defs.iter().enumerate().map(|(i, d)| (DefId(i), d))
    }

    /// The declaration whose name stands at a byte, also right behind it.
    pub fn def_at(&self, file: FileId, at: u32) -> Option<DefId> {
        self.all().find(|(_, d)| touches(d.span, file, at)).map(|(id, _)| id)
    }

    /// The use at a byte, also right behind it.
    pub fn use_at(&self, file: FileId, at: u32) -> Option<&Use> {
        let end = self.uses.partition_point(|u| (u.span.file, u.span.start) <= (file, at));
        self.uses[..end].iter().rev().take(4).find(|u| touches(u.span, file, at))
    }

    /// The declarations that the name at a byte is, or is one of.
    pub fn defs_at(&self, file: FileId, at: u32) -> Vec<DefId> {
        match self.use_at(file, at).map(|u| &u.target) {
            Some(Target::Defs(defs)) => defs.clone(),
            _ => self.def_at(file, at).into_iter().collect(),
        }
    }

    /// The uses of a declaration.
    pub fn uses_of(&self, id: DefId) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |u| matches!(&u.target, Target::Defs(defs) if defs.contains(&id)))
    }

    /// A declaration and all that share a use with it, directly or through others: they can only be
    /// renamed together.
    pub fn together(&self, ids: &[DefId]) -> Vec<DefId> {
        let mut found = ids.to_vec();
        let mut at = 0;
        while let Some(&id) = found.get(at) {
            at += 1;
            for other in self.uses_of(id).filter_map(|u| if let Target::Defs(d) = &u.target { Some(d) } else { None }) {
                let fresh: Vec<DefId> = other.iter().copied().filter(|d| !found.contains(d)).collect();
                found.extend(fresh);
            }
        }
        found
    }
}

fn touches(span: Span, file: FileId, at: u32) -> bool {
    span.file == file && span.start <= at && at <= span.end
}

#[cfg(test)]
mod tests;
