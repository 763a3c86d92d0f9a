//! What is strange in a file without being malformed: tags that continue nothing, trees with
//! several roots. Counted while it is read, when lines are known.

use crate::diagnostics::{Code, Diagnostic, codes};

use super::fault::count;
use super::spec::DataSpec;

/// What is strange in a field of one example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// `I-` and `E-` tags that continue no span.
    pub loose: usize,
    /// Tags that begin a span, as in BIO.
    pub begins: usize,
    /// Roots beside the first.
    pub roots: usize,
}

impl Odd {
    /// What is strange in BIO or BIOES tags.
    pub fn of_tags(tags: &[String]) -> Self {
        let mut odd = Self::default();
        let mut open: Option<&str> = None;
        for tag in tags {
            let (mark, kind) = tag.split_once('-').unwrap_or((tag, ""));
            odd.begins += usize::from(matches!(mark, "B" | "S"));
            odd.loose += usize::from(matches!(mark, "I" | "E") && open != Some(kind));
            open = matches!(mark, "B" | "I").then_some(kind);
        }
        odd
    }

    /// What is strange in the heads of a tree.
    pub fn of_heads(heads: &[u32]) -> Self {
        let roots = heads.iter().filter(|head| **head == 0).count();
        Self { roots: roots.saturating_sub(1), ..Self::default() }
    }
}

/// Examples with something strange in one field of a file.
#[derive(Clone, Debug, Default)]
struct Seen {
    places: usize,
    /// Lines of the first examples.
    lines: Vec<u64>,
    examples: usize,
}

impl Seen {
    const SHOWN: usize = 3;

    fn add(&mut self, places: usize, line: u64) {
        if places > 0 {
            self.places += places;
            self.examples += 1;
            self.lines.extend((self.lines.len() < Self::SHOWN).then_some(line));
        }
    }

    /// "in line 3", "in lines 3, 8 and others".
    fn shown(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(u64::to_string).collect();
        match (lines.as_slice(), self.examples > lines.len()) {
            ([one], _) => format!("line {one}"),
            (many, true) => format!("lines {} and others", many.join(", ")),
            (many, false) => format!("lines {}", many.join(", ")),
        }
    }
}

/// What is strange in each field of a file.
#[derive(Debug)]
pub struct Oddities {
    fields: Vec<(Seen, usize, Seen)>,
}

impl Oddities {
    /// Nothing yet.
    pub fn new(spec: &DataSpec) -> Self {
        Self { fields: vec![Default::default(); spec.fields.len()] }
    }

    /// Adds what a field of the example that begins at `line` has.
    pub fn add(&mut self, field: usize, odd: Odd, line: u64) {
        let Some((loose, begins, roots)) = self.fields.get_mut(field) else { return };
        loose.add(odd.loose, line);
        *begins += odd.begins;
        roots.add(odd.roots, line);
    }

    /// The warnings about a file.
    pub fn warnings(&self, spec: &DataSpec, file: &str) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (field, (loose, begins, roots)) in spec.fields.iter().zip(&self.fields) {
            let name = format!("'{}.{}'", spec.name, field.name);
            let mut warn = |code: Code, seen: &Seen, what: &str, help: &str| {
                let examples = count(seen.examples, "example");
                let has = if seen.examples == 1 { "has" } else { "have" };
                let text = format!("{examples} of {name} {has} {what}: `{file}` {}", seen.shown());
                found.push(Diagnostic::new(code, field.span, text).help(help));
            };
            // Tags without any `B-` follow another scheme, where nothing is to be continued.
            if loose.examples > 0 && *begins > 0 {
                let what = format!("{} that no span before continues to", count(loose.places, "tag"));
                let help = "an `I-x` follows a `B-x` or `I-x`; write the first tag of a span as `B-x`";
                warn(codes::LOOSE_TAGS, loose, &what, help);
            }
            if roots.examples > 0 {
                let what = "heads with more than one root, which form no tree";
                warn(codes::ROOTS, roots, what, "a tree has one token of head 0; attach the others to it");
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Odd {
        Odd::of_tags(&text.split(' ').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn an_inside_continues_what_is_open() {
        assert_eq!(tags("B-x I-x I-x O B-y I-y").loose, 0);
        assert_eq!(tags("I-x I-x O I-x"), Odd { loose: 2, ..Odd::default() });
        assert_eq!(tags("B-x I-y I-y O E-y S-x I-x").loose, 3);
        assert_eq!(tags("B-x I-x E-x S-y").loose, 0);
        assert_eq!(tags("NOUN I VERB").begins, 0);
    }

    #[test]
    fn a_tree_has_one_root() {
        assert_eq!(Odd::of_heads(&[2, 0, 2]).roots, 0);
        assert_eq!(Odd::of_heads(&[0, 0, 2, 0]).roots, 2);
    }

    #[test]
    fn the_first_lines_are_shown() {
        let mut seen = Seen::default();
        seen.add(0, 1);
        seen.add(2, 7);
        assert_eq!(seen.shown(), "line 7");
        (8..12).for_each(|line| seen.add(1, line));
        assert_eq!((seen.shown().as_str(), seen.places), ("lines 7, 8, 9 and others", 6));
    }
}
