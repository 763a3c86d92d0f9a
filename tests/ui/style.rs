//! How messages are written. A message is one sentence without a final period that says what is
//! wrong, in plain words and with what the user wrote in quotes; a label is a phrase; `help` says
//! what to write.

use mtlc::diagnostics::Diagnostic;

/// Names that begin with a capital wherever they stand.
const NAMES: &[&str] = &["CoNLL-U", "Nesterov", "O(", "UTF-8", "BIO"];

/// Words that say nothing, blame, or are the compiler's own.
const NEVER: &[&str] =
    &["please", "invalid", "illegal", "oops", "sorry", "failed", "unwrap", "NodeId", "Some(", "None"];

/// What is wrong with how a diagnostic is written, each with the text.
pub fn faults(d: &Diagnostic) -> Vec<(&'static str, String)> {
    let sentences = std::iter::once(&d.message).chain(&d.help);
    let phrases = std::iter::once(&d.label).chain(d.labels.iter().map(|l| &l.message)).filter(|l| !l.is_empty());
    let mut found: Vec<(&'static str, String)> = sentences.chain(phrases).flat_map(|text| of_text(text)).collect();
    found.extend((d.message.len() > 300).then(|| ("is too long", d.message.clone())));
    // What the grammar expects at a place says what to write there.
    let tells = d.help.is_some() || d.code.0.starts_with("E01");
    found.extend((!tells).then(|| ("has no help", d.message.clone())));
    found
}

fn of_text(text: &str) -> Vec<(&'static str, String)> {
    let plain = unquoted(text);
    let first = text.chars().next().unwrap_or('.');
    let rules: &[(&str, bool)] = &[
        ("ends with a period", text.ends_with('.') && !text.ends_with("…")),
        ("ends with a mark of its own", text.ends_with(['!', ',', ';', ':'])),
        ("begins with a capital", first.is_uppercase() && !NAMES.iter().any(|n| text.starts_with(n))),
        ("is more than one sentence", plain.contains(". ")),
        ("has a line break", text.contains('\n')),
        ("has blanks at an end or two in a row", text.trim() != text || text.contains("  ")),
        ("has an open quote", text.matches('`').count() % 2 == 1),
        ("has other characters than ASCII outside quotes", !plain.is_ascii()),
        ("has a word that helps nobody", NEVER.iter().any(|w| plain.contains(w))),
    ];
    rules.iter().filter(|(_, broken)| *broken).map(|(rule, _)| (*rule, text.to_owned())).collect()
}

/// The text without what stands in quotes: that is the user's, or what to write.
fn unquoted(text: &str) -> String {
    let outside = text.split('`').step_by(2).collect::<Vec<_>>().join("_");
    let outside = outside.split('"').step_by(2).collect::<Vec<_>>().join("_");
    // A name in single quotes; an apostrophe has a letter before it.
    let mut plain = String::new();
    let mut inside = false;
    let mut before = ' ';
    for c in outside.chars() {
        match c {
            '\'' if inside => inside = false,
            '\'' if !before.is_alphanumeric() => inside = true,
            _ if inside => {}
            c => plain.push(c),
        }
        before = c;
    }
    plain
}
