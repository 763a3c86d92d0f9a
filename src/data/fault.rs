//! What can be wrong with a piece of data, before it is known where the program declares it.

use crate::diagnostics::{Code, Diagnostic, codes};
use crate::source::Span;

use super::spec::DataSpec;

/// A mistake in a data file.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which kind of mistake.
    pub code: Code,
    /// One sentence without a final period.
    pub message: String,
    /// What would mend it.
    pub help: Option<String>,
    /// The field it is about, by its place in the declaration.
    pub field: Option<usize>,
    /// Nothing can be read after it.
    pub fatal: bool,
}

/// What reading data gives.
pub type Read<T> = Result<T, Fault>;

impl Fault {
    /// A malformed example; the next one may be sound.
    pub fn example(message: impl Into<String>) -> Self {
        Self { code: codes::DATA_EXAMPLE, message: message.into(), help: None, field: None, fatal: false }
    }

    /// A mistake that ends the reading of its file.
    pub fn fatal(code: Code, message: impl Into<String>) -> Self {
        Self { code, fatal: true, ..Self::example(message) }
    }

    /// Says what would mend it.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says which field it is about.
    pub fn of(mut self, field: usize) -> Self {
        self.field = self.field.or(Some(field));
        self
    }

    /// Puts a place, such as "`train.tsv` line 3", before the message.
    pub fn at(mut self, file: &str, line: u64) -> Self {
        self.message = format!("`{file}` line {line}: {}", self.message);
        self
    }

    /// The diagnostic: at the field it is about, else at `place`.
    pub fn diagnostic(&self, spec: &DataSpec, place: Span) -> Diagnostic {
        let span = self.field.and_then(|f| spec.fields.get(f)).map_or(place, |f| f.span);
        let diagnostic = Diagnostic::new(self.code, span, self.message.clone());
        match (&self.help, self.code) {
            (Some(help), _) => diagnostic.help(help.clone()),
            (None, codes::DATA_EXAMPLE) => {
                diagnostic.help("mend the file, or leave such examples out with `on_error: skip`")
            }
            _ => diagnostic,
        }
    }
}

/// ", did you mean 'x'?" material: the name nearest to `wanted`, if one is near.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What files are called before their last dot tells more than their endings.
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&stem(wanted), &stem(name)), name))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The first names of a list, and how many more there are.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// "1 tag", "9 tags".
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
