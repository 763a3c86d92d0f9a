//! What the phases report: one [`Diagnostic`] type, of which text, JSON and SARIF are renderings.

pub mod codes;
pub mod explain;
pub mod render;

use crate::source::Span;

pub use codes::Code;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The program can be run, but something in it looks wrong.
    Warning,
    /// The program cannot be run.
    Error,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub message: String,
}

/// A change that mends the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
    /// What the change does, as a phrase ("replace it with `utterance`").
    pub message: String,
}

/// One mistake, at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code; its first letter gives the severity.
    pub code: Code,
    /// One sentence without a final period.
    pub message: String,
    /// The smallest span that is to blame; `None` when no text is (a missing run, a full disk).
    pub span: Option<Span>,
    /// What to print under the span.
    pub label: String,
    /// Other places.
    pub labels: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
    /// A machine-applicable fix, where there is just one.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A diagnostic at a place of the source.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::placeless(code, message) }
    }

    /// A diagnostic about something that is no place in a `.mtl` file.
    pub fn placeless(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span: None,
            label: String::new(),
            labels: Vec::new(),
            help: codes::usual_help(code).map(str::to_string),
            fix: None,
        }
    }

    /// Sets the text printed under the primary span.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Adds a second place.
    pub fn also(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Says what to write instead.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers a change that mends it, and says so in `help` where there is none yet.
    pub fn fix(mut self, span: Span, replacement: impl Into<String>, message: impl Into<String>) -> Self {
        let fix = Fix { span, replacement: replacement.into(), message: message.into() };
        if self.help.as_deref() == codes::usual_help(self.code) {
            self.help = Some(fix.message.clone());
        }
        self.fix = Some(fix);
        self
    }

    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether the program cannot be run.
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }
}

/// Puts diagnostics in the order of their places, those without one last, and drops those that
/// say the same thing at the same place twice.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.message.cmp(&b.message)));
    diagnostics.dedup_by(|a, b| (a.code, a.span, &a.message) == (b.code, b.span, &b.message));
}

fn order(d: &Diagnostic) -> (bool, Option<Span>, std::cmp::Reverse<Severity>, Code) {
    (d.span.is_none(), d.span, std::cmp::Reverse(d.severity()), d.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn sorted_by_place_without_doubles() {
        let at = |file, start| Span::new(FileId(file), start, start + 1);
        let mut list = vec![
            Diagnostic::placeless(codes::RUN_DIR, "c"),
            Diagnostic::new(codes::SYNTAX, at(1, 0), "b"),
            Diagnostic::new(codes::SYNTAX, at(0, 9), "a"),
            Diagnostic::new(codes::UNUSED, at(0, 9), "w"),
            Diagnostic::new(codes::SYNTAX, at(1, 0), "b").label("twice"),
        ];
        sort(&mut list);
        let messages: Vec<&str> = list.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, ["a", "w", "b", "c"]);
    }
}
