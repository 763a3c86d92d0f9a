//! The `mtl` language for [tree-sitter](https://tree-sitter.github.io).

use tree_sitter_language::LanguageFn;

unsafe extern "C" {
    fn tree_sitter_mtl() -> *const ();
}

/// The grammar.
// SAFETY: what `tree-sitter generate` wrote gives a language, which is never freed.
pub const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_mtl) };

/// What is coloured, and how.
pub const HIGHLIGHTS: &str = include_str!("../../queries/highlights.scm");
/// What can be folded.
pub const FOLDS: &str = include_str!("../../queries/folds.scm");
/// What is indented.
pub const INDENTS: &str = include_str!("../../queries/indents.scm");
/// Where names are declared, known and used.
pub const LOCALS: &str = include_str!("../../queries/locals.scm");
/// What an outline lists.
pub const TAGS: &str = include_str!("../../queries/tags.scm");
